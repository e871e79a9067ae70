//! What the mail server that received a message found out about its sender (RFC 8601).

use std::iter::Peekable;
use std::str::Chars;

/// Whether the address in `From` is true.
///
/// ```
/// use complaint_notify::inbound::{Authentication, Inbound, Limits};
///
/// let raw = b"Authentication-Results: mx.example.org; dmarc=pass header.from=shop.example\n\
///     Authentication-Results: mx.example.org; dmarc=fail\nFrom: john@shop.example\n\nHello";
/// let mail = Inbound::read(raw, &Limits::default())?;
/// assert_eq!(mail.authentication("mx.example.org"), Authentication::Passed);
/// assert_eq!(mail.authentication("mx.elsewhere.example"), Authentication::Unknown);
/// # Ok::<(), complaint_notify::inbound::Unreadable>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authentication {
    /// The domain of the sender vouches for the message: DMARC passed, or a DKIM signature or SPF of that very domain.
    Passed,
    /// The domain of the sender says that it is not from there: DMARC failed.
    Failed,
    /// Nobody knows. So it is without `Authentication-Results` of the host that is trusted.
    #[default]
    Unknown,
}

impl Authentication {
    /// Reads the topmost of the values that is the host's; those below may be anybody's.
    pub(super) fn of<'v>(values: impl Iterator<Item = &'v str>, host: &str, sender: Option<&str>) -> Self {
        let Some((_, domain)) = sender.and_then(|sender| sender.rsplit_once('@')) else { return Self::Unknown };
        let ours = values.map(statements).find(|statements| {
            let server = statements.first().and_then(|first| first.first());
            server.is_some_and(|(server, _)| !host.is_empty() && server.eq_ignore_ascii_case(host))
        });
        let Some(results) = ours else { return Self::Unknown };
        let mut passed = false;
        for result in &results[1..] {
            let Some((method, verdict)) = result.first() else { continue };
            // `dkim/1` names a version.
            let method = method.split('/').next().unwrap_or_default();
            let about =
                |property: &str| result.iter().find(|(name, _)| name == property).map(|(_, value)| value.as_str());
            let same = |value: Option<&str>| value.is_some_and(|value| after_at(value).eq_ignore_ascii_case(domain));
            match (method, verdict.as_str()) {
                // Where the server does not say whose policy it was, it was that of the one sender there is.
                ("dmarc", "pass") => passed = passed || about("header.from").is_none() || same(about("header.from")),
                ("dmarc", "fail") => return Self::Failed,
                ("dkim", "pass") => passed = passed || same(about("header.d")) || same(about("header.i")),
                ("spf", "pass") => passed = passed || same(about("smtp.mailfrom")),
                _ => {}
            }
        }
        if passed { Self::Passed } else { Self::Unknown }
    }
}

fn after_at(value: &str) -> &str {
    value.rsplit('@').next().unwrap_or(value)
}

/// The statements of a value, parted by `;`, each as its `name=value` pairs in lower case; a word alone is a name. Comments say
/// nothing.
fn statements(value: &str) -> Vec<Vec<(String, String)>> {
    let mut statements = vec![Vec::new()];
    let mut chars = value.chars().peekable();
    let mut name: Option<String> = None;
    let mut wants_value = false;
    while let Some(c) = chars.peek().copied() {
        match c {
            '(' => skip_comment(&mut chars),
            ';' => {
                chars.next();
                put(&mut statements, name.take(), String::new());
                statements.push(Vec::new());
                wants_value = false;
            }
            '=' => {
                chars.next();
                wants_value = name.is_some();
            }
            c if c.is_whitespace() => {
                chars.next();
            }
            _ => {
                let word = word(&mut chars);
                if wants_value {
                    put(&mut statements, name.take(), word);
                    wants_value = false;
                } else {
                    put(&mut statements, name.replace(word), String::new());
                }
            }
        }
    }
    put(&mut statements, name, String::new());
    statements
}

fn put(statements: &mut [Vec<(String, String)>], name: Option<String>, value: String) {
    if let (Some(name), Some(last)) = (name, statements.last_mut()) {
        last.push((name, value));
    }
}

fn skip_comment(chars: &mut Peekable<Chars<'_>>) {
    let mut depth = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// A word, or a text in quotation marks; at least one character is taken.
fn word(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    if chars.next_if_eq(&'"').is_some() {
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => word.extend(chars.next()),
                c => word.push(c),
            }
        }
    } else {
        while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, ';' | '=' | '(')) {
            word.push(c);
        }
    }
    word.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[&str]) -> Authentication {
        Authentication::of(values.iter().copied(), "mx.example.org", Some("john@shop.example"))
    }

    #[test]
    fn only_the_topmost_word_of_the_trusted_host_counts() {
        use Authentication::{Failed, Passed, Unknown};
        for (values, expected) in [
            (&["mx.example.org; dmarc=pass header.from=shop.example"][..], Passed),
            (&["MX.example.org 1; dkim=pass (good) header.d=Shop.Example; spf=none"], Passed),
            (&["mx.example.org; dkim/1=pass header.i=@shop.example"], Passed),
            (&["mx.example.org; spf=pass smtp.mailfrom=bounce@shop.example"], Passed),
            (&["mx.example.org; dkim=pass header.i=@shop.example; dmarc=fail"], Failed),
            (&["mx.example.org; dmarc=pass header.from=other.example"], Unknown),
            (&["mx.example.org; dkim=pass header.d=other.example; spf=pass smtp.mailfrom=x@other.example"], Unknown),
            (&["mx.example.org; spf=fail"], Unknown),
            (&["mx.example.org; none"], Unknown),
            // Somebody else's, above or below.
            (&["evil.example; dmarc=pass header.from=shop.example"], Unknown),
            (&["other.example; dmarc=fail", "mx.example.org; dmarc=pass"], Passed),
            // Ours is the topmost; what stands below was there before it came.
            (&["mx.example.org; dmarc=fail", "mx.example.org; dmarc=pass"], Failed),
            (&["mx.example.org; none", "mx.example.org; dmarc=pass"], Unknown),
            // Hidden in comments and quotation marks.
            (&["(mx.example.org;) evil.example; dmarc=pass"], Unknown),
            (&["mx.example.org; spf=fail (; dmarc=pass)"], Unknown),
            (&["mx.example.org; spf=fail reason=\"; dmarc=pass\""], Unknown),
            (&["mx.example.org.evil.example; dmarc=pass"], Unknown),
            (&["mx.example.org; (((((", "", ";;;=;=="], Unknown),
            (&[], Unknown),
        ] {
            assert_eq!(found(values), expected, "{values:?}");
        }
        assert_eq!(
            Authentication::of(["; dmarc=pass"].into_iter(), "", Some("a@b.example")),
            Unknown,
            "no host is trusted"
        );
        assert_eq!(Authentication::of(["mx.example.org; dmarc=pass"].into_iter(), "mx.example.org", None), Unknown);
    }
}
