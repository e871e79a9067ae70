//! Mail about accounts: what it says, and the port through which it leaves.

use std::fmt::Write as _;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

use super::accounts::AccountMailKind;
use super::secret::Code;

/// One mail about an account, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountMessage {
    /// Stable over all tries: make the Message-ID of it, so that a repeat is recognised.
    pub id: Uuid,
    /// The bare address. No display name: what a stranger typed as a name must not reach an address that is not confirmed.
    pub to: String,
    /// Which mail.
    pub kind: AccountMailKind,
    /// One line of ASCII.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Why a mail could not be handed on.
#[derive(Debug, Error)]
pub enum AccountMailError {
    /// Trying again later can help.
    #[error("the mail could not be handed on at the moment")]
    Later(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It will never be taken.
    #[error("the mail was refused for good")]
    Never(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends mail about accounts. May be called twice for one [`AccountMessage::id`].
#[async_trait]
pub trait AccountMail: Send + Sync {
    /// Hands `message` to a relay (or a folder); returning `Ok` means the relay has taken responsibility.
    async fn send(&self, message: &AccountMessage) -> Result<(), AccountMailError>;
    /// Where mail goes, for the operator: a folder or a host, never a password.
    fn destination(&self) -> String;
}

/// What a mail is about.
pub(crate) struct Occasion<'a> {
    /// Of the mail; stable over all tries.
    pub id: Uuid,
    pub to: &'a str,
    pub kind: AccountMailKind,
    pub base_url: &'a str,
    /// What its reader may do with it; without one, they are led to the log-in.
    pub link: Option<&'a str>,
    /// To be typed in instead of opening the link.
    pub code: Option<&'a Code>,
    /// What happened, in words of ours.
    pub about: Option<&'a str>,
    /// When it was asked for: the one thing by which a person can tell what they did from what somebody else did.
    pub asked_at: DateTime<Utc>,
}

/// Writes a mail. Its text holds nothing a stranger chose: no name, no typed address.
#[expect(clippy::too_many_lines, reason = "one arm per mail")]
pub(crate) fn compose(occasion: &Occasion<'_>) -> AccountMessage {
    let at = occasion.asked_at.format("%-d %B %Y at %H:%M UTC");
    let (subject, before, after): (&str, Vec<String>, Vec<String>) = match occasion.kind {
        AccountMailKind::VerifyEmail => (
            "Please confirm your e-mail address",
            vec![
                format!("An account was asked for with this e-mail address on {at}."),
                "If that was you, open this link and press the button to confirm:".into(),
            ],
            vec![
                "The link works once, for 24 hours.".into(),
                "If it was not you, do nothing: without the confirmation nobody can use the account.".into(),
            ],
        ),
        AccountMailKind::AlreadyRegistered => (
            "You already have an account",
            vec![
                "Somebody, perhaps you, tried to sign up with this e-mail address. You already have an account here, and nothing about it was changed.".into(),
                "To use it, log in:".into(),
            ],
            vec!["If it was not you, there is nothing to do.".into()],
        ),
        AccountMailKind::GuestSignUp => (
            "An account for your complaints",
            vec![
                "Somebody, perhaps you, asked for an account with this e-mail address, with which you have complained without one so far.".into(),
                "If that was you, open this link and choose your name and a password; then you see all your complaints in one place:".into(),
            ],
            vec![
                "The link works once, for 24 hours.".into(),
                "If it was not you, do nothing: no account is opened, and the links in our letters go on working.".into(),
            ],
        ),
        AccountMailKind::Invitation => (
            "Your account is waiting for you",
            vec!["An account was made for you. To start, open this link and choose a password:".into()],
            vec!["The link works once, for 7 days. Whoever made the account can send a new one.".into()],
        ),
        AccountMailKind::ResetPassword => (
            "Choose another password",
            vec![
                format!("Another password was asked for on {at} for the account with this e-mail address."),
                "If that was you, open this link and choose it:".into(),
            ],
            vec![
                "The link works once, for 30 minutes. With the other password you are logged out everywhere.".into(),
                "If it was not you, do nothing: your password stays as it is.".into(),
            ],
        ),
        AccountMailKind::PasswordChanged => (
            "Your password was changed",
            vec![
                format!("The password of your account was changed on {at}, and it was logged out everywhere else."),
                "If that was you, there is nothing to do. You log in here:".into(),
            ],
            vec!["If it was not you, press “Forgotten your password?” there at once, and tell us.".into()],
        ),
        AccountMailKind::ChangeEmail => (
            "Please confirm your new e-mail address",
            vec![
                format!("On {at} somebody asked to make this e-mail address that of their account."),
                "If that was you, open this link and press the button to confirm:".into(),
            ],
            vec![
                "The link works once, for 24 hours.".into(),
                "If it was not you, do nothing: without the confirmation nothing changes.".into(),
            ],
        ),
        AccountMailKind::AddressWanted => (
            "Your e-mail address was asked for",
            vec![
                format!("On {at} somebody with another account here, perhaps you, asked to make this e-mail address theirs. It belongs to your account, so it stays yours and nothing was changed."),
                "To use your account, log in:".into(),
            ],
            vec!["If you want the other account to have this address, give yours another one first. If it was not you, there is nothing to do.".into()],
        ),
        AccountMailKind::EmailChangeAsked => (
            "Another e-mail address was asked for",
            vec![
                format!("On {at} somebody who is logged in to your account asked to give it another e-mail address. Until that is confirmed, this one stays."),
                "If that was you, there is nothing to do here. If it was not you, log in and choose another password, which ends it:".into(),
            ],
            Vec::new(),
        ),
        AccountMailKind::EmailChanged => (
            "Your e-mail address was changed",
            vec![
                format!("Your account got another e-mail address on {at}. Both addresses get this mail; from now on you log in with the new one:"),
            ],
            vec!["If it was not you, tell us at once.".into()],
        ),
        AccountMailKind::LogIn => (
            "Your code to log in",
            vec![
                format!("Somebody asked on {at} to log in with this e-mail address."),
                "If that was you, open this link and press the button:".into(),
            ],
            vec![
                "The link works once, for 10 minutes.".into(),
                "If it was not you, do nothing, and give the code to nobody: we never ask for it.".into(),
            ],
        ),
        AccountMailKind::NewDevice => (
            "Somebody logged in to your account",
            vec![
                format!("On {at} somebody logged in to your account from where nobody had before: {}.", occasion.about.unwrap_or("an unknown program")),
                "If that was you, there is nothing to do. If it was not you, log in, choose another password, and look at your sessions:".into(),
            ],
            Vec::new(),
        ),
        AccountMailKind::DeletionAsked => (
            "You asked to have your account deleted",
            vec![
                format!("On {at} somebody who is logged in to your account asked to have it deleted. An administrator has been asked to see to it; until then everything stays as it is."),
                "You can take it back on the page of your account. If it was not you, do so, and choose another password:".into(),
            ],
            Vec::new(),
        ),
        AccountMailKind::SecondFactorAdded => (
            "Logging in now needs a code",
            vec![
                format!("Since {at} logging in to your account needs a code from your device, too. It was logged out everywhere else."),
                "If that was you, keep the recovery codes where you find them without the device. You log in here:".into(),
            ],
            vec!["If it was not you, tell us at once.".into()],
        ),
        AccountMailKind::SecondFactorRemoved => (
            "Logging in needs no code any more",
            vec![
                format!("On {at} somebody who gave your password and a code took the second factor of your account away. From now on the password is enough to log in."),
                "If that was you, there is nothing to do. If it was not you, choose another password at once and set the second factor up anew:".into(),
            ],
            Vec::new(),
        ),
        AccountMailKind::SecondFactorReset => (
            "Your second factor was taken away",
            vec![
                format!("On {at} an administrator took the second factor of your account away, as is done for somebody who has lost their device. Your account was logged out everywhere."),
                "If you asked for it, log in with your password and set it up anew:".into(),
            ],
            vec!["If you did not ask for it, tell us at once.".into()],
        ),
        AccountMailKind::RecoveryCodeUsed => (
            "A recovery code was used",
            vec![
                format!("On {at} somebody who gave your password used one of your recovery codes in the place of a code from your device. It works no longer; left are {}.", occasion.about.unwrap_or("fewer than before")),
                "If that was you, there is nothing to do; new ones are on the page of your account. If it was not you, log in, choose another password and draw new recovery codes:".into(),
            ],
            Vec::new(),
        ),
        AccountMailKind::IdentityChanged => (
            "How you log in was changed",
            vec![
                format!("On {at} something changed about your account: {}.", occasion.about.unwrap_or("how you log in")),
                "If that was you, there is nothing to do. If it was not you, log in, choose another password, and look at what is linked to your account:".into(),
            ],
            Vec::new(),
        ),
    };
    let login = format!("{}/login", occasion.base_url);
    let link = occasion.link.unwrap_or(&login);
    let code = occasion.code.map(|code| code.expose().split_at(4));
    let mut text = String::from("Hello,\n\n");
    let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    let _ = write!(html, "{}</title></head><body>\n<p>Hello,</p>\n", escaped(subject));
    for line in &before {
        let _ = write!(text, "{line}\n\n");
        let _ = writeln!(html, "<p>{}</p>", escaped(line));
    }
    let _ = write!(text, "{link}\n\n");
    let _ = writeln!(html, "<p><a href=\"{0}\">{0}</a></p>", escaped(link));
    if let Some((left, right)) = code {
        const OR: &str = "Or type this code into the page where you asked for it; it works for 10 minutes:";
        let _ = write!(text, "{OR}\n\n{left} {right}\n\n");
        let _ = writeln!(html, "<p>{OR}</p>\n<p><b>{left} {right}</b></p>");
    }
    for line in &after {
        let _ = write!(text, "{line}\n\n");
        let _ = writeln!(html, "<p>{}</p>", escaped(line));
    }
    html.push_str("</body></html>\n");
    AccountMessage {
        id: occasion.id,
        to: occasion.to.to_owned(),
        kind: occasion.kind,
        subject: subject.to_owned(),
        text: text.trim_end().to_owned() + "\n",
        html,
    }
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_reads_well() {
        let asked_at = DateTime::from_timestamp(1_790_000_000, 0).expect("in range");
        let mut all = String::new();
        for kind in AccountMailKind::ALL {
            let leads_to_log_in = [AccountMailKind::AlreadyRegistered, AccountMailKind::AddressWanted].contains(&kind);
            let link = (!leads_to_log_in).then_some("https://c.example/verify?token=abc");
            let code = Code::parse("0123 4567").expect("a code");
            let has_code = [AccountMailKind::VerifyEmail, AccountMailKind::GuestSignUp].contains(&kind);
            let code = has_code.then_some(&code);
            let about = match kind {
                AccountMailKind::NewDevice => Some("Firefox on Linux, from the network address 203.0.113.7"),
                AccountMailKind::RecoveryCodeUsed => Some("9"),
                AccountMailKind::IdentityChanged => Some("Google was linked to it, so that you can log in with it"),
                _ => None,
            };
            let (id, to, base_url) = (Uuid::nil(), "j@example.org", "https://c.example");
            let message = compose(&Occasion { id, to, kind, base_url, link, code, about, asked_at });
            assert!(message.subject.is_ascii() && !message.subject.contains(['\r', '\n']));
            assert!(
                message.html.contains(link.unwrap_or("https://c.example/login")) && message.html.ends_with("</html>\n")
            );
            let _ = write!(all, "== {}\nSubject: {}\n\n{}\n", kind.as_str(), message.subject, message.text);
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn html_is_escaped() {
        assert_eq!(escaped("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
