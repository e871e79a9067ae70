//! Who writes, and where the complaints are read.

use complaint_core::id::Level;
use lettre::message::Mailbox;
use url::Url;

use crate::header;
#[cfg(feature = "inbound")]
use crate::inbound::ReplyAddress;

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {fault}")]
pub struct InvalidSetting {
    setting: &'static str,
    fault: String,
}

impl InvalidSetting {
    /// Which setting: `from`, `base_url`, `organisation` or `levels`.
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

/// Who writes, and where the complaints are read.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) from: Mailbox,
    pub(crate) base_url: String,
    pub(crate) organisation: String,
    levels: Vec<String>,
    #[cfg(feature = "inbound")]
    pub(crate) replies: Option<ReplyAddress>,
}

impl Settings {
    /// Checks and keeps the settings.
    ///
    /// - `from`: the sender, `complaints@example.org` or `Example Ltd <complaints@example.org>`. Its domain is also the
    ///   right-hand side of every `Message-ID`.
    /// - `base_url`: `http://` or `https://` address of the pages; links are `<base_url>/complaints/<reference>`.
    ///   Without query, fragment or password.
    /// - `organisation`: one line, signs every letter.
    pub fn new(from: &str, base_url: &str, organisation: &str) -> Result<Self, InvalidSetting> {
        Ok(Self {
            from: mailbox(from).map_err(|fault| InvalidSetting { setting: "from", fault })?,
            base_url: base(base_url).map_err(|fault| InvalidSetting { setting: "base_url", fault })?,
            organisation: one_line(organisation).map_err(|fault| InvalidSetting { setting: "organisation", fault })?,
            levels: Vec::new(),
            #[cfg(feature = "inbound")]
            replies: None,
        })
    }

    /// Answers to letters about a complaint come back: each letter to a customer gives an address for replies of its own.
    ///
    /// Example: [`ReplyAddress`].
    #[cfg(feature = "inbound")]
    pub fn with_replies(mut self, replies: ReplyAddress) -> Self {
        self.replies = Some(replies);
        self
    }

    /// What the levels are called, from the first on; without it, letters say `level 2`. Each is one line.
    pub fn with_levels<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidSetting> {
        let names = names.into_iter().map(one_line).collect::<Result<_, _>>();
        self.levels = names.map_err(|fault| InvalidSetting { setting: "levels", fault })?;
        Ok(self)
    }

    /// What a level is called, if it has a name.
    pub(crate) fn level_name(&self, level: Level) -> Option<&str> {
        self.levels.get(usize::from(level.get()).checked_sub(1)?).map(String::as_str)
    }

    /// The right-hand side of message ids.
    pub(crate) fn domain(&self) -> &str {
        self.from.email.domain()
    }
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"'), address),
        None => ("", text),
    };
    let email = header::address(address).map_err(|fault| fault.to_string())?;
    header::check(name).map_err(|fault| fault.to_string())?;
    Ok(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), email))
}

fn base(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| "is not a web address".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("must begin with http:// or https://".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() || url.password().is_some() || !url.username().is_empty() {
        return Err("must have no query, fragment, user or password".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn one_line(text: &str) -> Result<String, String> {
    header::check(text).map_err(|fault| fault.to_string())?;
    if text.trim().is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.trim().to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_faults_name_the_setting() {
        let settings =
            Settings::new("Example Ltd <complaints@example.org>", "https://help.example.org/desk/", "Example Ltd")
                .unwrap();
        assert_eq!(settings.domain(), "example.org");
        assert_eq!(settings.base_url, "https://help.example.org/desk");
        assert_eq!(settings.from.name.as_deref(), Some("Example Ltd"));

        for (from, base_url, organisation, setting) in [
            ("nobody", "https://e.org", "E", "from"),
            ("E\r\nBcc: x <a@e.org>", "https://e.org", "E", "from"),
            ("a@e.org", "ftp://e.org", "E", "base_url"),
            ("a@e.org", "e.org", "E", "base_url"),
            ("a@e.org", "https://u:p@e.org", "E", "base_url"),
            ("a@e.org", "https://e.org/?a", "E", "base_url"),
            ("a@e.org", "https://e.org", " ", "organisation"),
            ("a@e.org", "https://e.org", "E\nF", "organisation"),
        ] {
            assert_eq!(Settings::new(from, base_url, organisation).unwrap_err().setting(), setting);
        }
    }
}
