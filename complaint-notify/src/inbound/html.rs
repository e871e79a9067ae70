//! HTML as text: what is read, not how it looks.
//!
//! Not a browser: it need not understand a page, only lose none of its words. Quotations keep a `>` before each line, so that
//! quoted text is found in one way whatever the form of the message.

use mail_parser::decoders::html::add_html_token;

/// Elements whose content nobody reads.
const UNREAD: [&str; 4] = ["style", "script", "title", "template"];
/// Elements that stand on lines of their own.
const BLOCKS: [&str; 25] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "main",
    "section",
    "table",
    "tr",
    "ul",
];
/// The deepest quotation that is still marked; deeper ones are marked as this deep.
const QUOTES_MAX: usize = 20;
/// The longest name of a character, `CounterClockwiseContourIntegral`.
const ENTITY_MAX: usize = 31;

/// The words of a page, lines ended by LF.
pub(super) fn to_text(html: &str) -> String {
    let mut page = Page::default();
    // Once something has no end, nothing after it has one either: each end is looked for only once.
    let mut endless = [false; UNREAD.len()];
    let mut endless_comment = false;
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        page.words(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("<!--") && !endless_comment {
            if let Some(end) = rest.find("-->") {
                rest = &rest[end + 3..];
                continue;
            }
            endless_comment = true;
        }
        let begins = rest.as_bytes().get(1).is_some_and(|byte| byte.is_ascii_alphabetic() || b"/!?".contains(byte))
            && !rest.starts_with("<!--");
        let Some(end) = (if begins { rest.find('>') } else { None }) else {
            page.words("<");
            rest = &rest[1..];
            if !begins {
                continue;
            }
            // No tag ends any more.
            break;
        };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        let (closes, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = tag[..name_end].to_ascii_lowercase();
        if let Some(kind) = UNREAD.iter().position(|unread| *unread == name) {
            if !closes && !endless[kind] {
                match end_of(rest, &name) {
                    Some(after) => rest = &rest[after..],
                    None => endless[kind] = true,
                }
            }
            continue;
        }
        page.tag(&name, closes, &tag[name_end..]);
    }
    page.words(rest);
    page.finish()
}

/// Where what follows the closing tag of an element begins.
fn end_of(rest: &str, name: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut from = 0;
    loop {
        let at = from + rest.get(from..)?.find("</")?;
        from = at + 2;
        if bytes.get(from..from + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
            let end = rest[from..].find('>')?;
            return Some(from + end + 1);
        }
    }
}

#[derive(Default)]
struct Page {
    done: String,
    line: String,
    quotes: usize,
    kept_space: usize,
    space: bool,
    links: Vec<Option<String>>,
    /// Where the text of the open link begins in the line.
    link_from: usize,
}

impl Page {
    fn words(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if c == '&' {
                let length =
                    rest.bytes().skip(1).take(ENTITY_MAX).take_while(|b| *b == b'#' || b.is_ascii_alphanumeric());
                let end = length.count() + 1;
                if rest.as_bytes().get(end) == Some(&b';') {
                    let mut decoded = String::new();
                    add_html_token(&mut decoded, &rest.as_bytes()[..=end], false);
                    for c in decoded.chars() {
                        self.character(c, true);
                    }
                    rest = &rest[end + 1..];
                    continue;
                }
            }
            self.character(c, false);
            rest = &rest[c.len_utf8()..];
        }
    }

    fn character(&mut self, c: char, written_out: bool) {
        if self.kept_space > 0 && !written_out {
            match c {
                '\n' => return self.end_line(),
                '\r' => return,
                c => return self.line.push(c),
            }
        }
        if c.is_whitespace() {
            self.space = true;
            return;
        }
        if self.space && !self.line.is_empty() {
            self.line.push(' ');
        }
        self.space = false;
        self.line.push(c);
    }

    fn tag(&mut self, name: &str, closes: bool, attributes: &str) {
        match name {
            "br" => self.end_line(),
            "p" => {
                self.break_line();
                if closes {
                    self.end_line();
                }
            }
            "li" => {
                self.break_line();
                if !closes {
                    self.line.push_str("- ");
                }
            }
            "td" | "th" => self.space = true,
            "pre" => {
                self.break_line();
                self.kept_space = if closes { self.kept_space.saturating_sub(1) } else { self.kept_space + 1 };
            }
            "blockquote" => {
                self.break_line();
                self.quotes = if closes { self.quotes.saturating_sub(1) } else { self.quotes + 1 };
            }
            "a" if closes => self.end_link(),
            "a" => {
                self.links.push(target(attributes));
                self.link_from = self.line.len();
            }
            block if BLOCKS.contains(&block) => self.break_line(),
            _ => {}
        }
    }

    /// A link says where it leads, unless its words do.
    fn end_link(&mut self) {
        let shown = self.line.get(self.link_from..).unwrap_or_default();
        if let Some(Some(target)) = self.links.pop()
            && !shown.contains(target.trim_end_matches('/'))
        {
            self.line.push_str(" <");
            self.line.push_str(&target);
            self.line.push('>');
        }
        self.link_from = self.line.len();
    }

    fn break_line(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.space = false;
    }

    fn end_line(&mut self) {
        for _ in 0..self.quotes.min(QUOTES_MAX) {
            self.done.push_str("> ");
        }
        self.done.push_str(self.line.trim_end());
        self.done.truncate(self.done.trim_end_matches(' ').len());
        self.done.push('\n');
        self.line.clear();
        self.space = false;
        self.link_from = 0;
    }

    fn finish(mut self) -> String {
        self.break_line();
        self.done
    }
}

/// The web address that a link leads to.
fn target(attributes: &str) -> Option<String> {
    let at = attributes.to_ascii_lowercase().find("href")?;
    let value = attributes.get(at + 4..)?.trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split_ascii_whitespace().next()?,
    };
    let mut decoded = String::new();
    for piece in value.split_inclusive(';') {
        match piece.rfind('&') {
            Some(at) => {
                decoded.push_str(&piece[..at]);
                add_html_token(&mut decoded, &piece.as_bytes()[at..], false);
            }
            None => decoded.push_str(piece),
        }
    }
    let web = decoded.starts_with("https://") || decoded.starts_with("http://");
    (web && !decoded.chars().any(|c| c.is_whitespace() || c.is_control() || c == '<' || c == '>')).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_and_only_words() {
        for (html, text) in [
            ("<p>No   water\nsince <b>Monday</b>.</p><p>John</p>", "No water since Monday.\n\nJohn\n\n"),
            ("<div>a</div><div>b<br>c</div>", "a\nb\nc\n"),
            ("a &lt;b&gt; &amp; &#233;&nbsp;&euro; &nosuch; & c", "a <b> & é € &nosuch; & c\n"),
            ("<head><title>t</title><style>p{}</style></head>x<script>1<2</script>y", "xy\n"),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2\n"),
            ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n> > b\nc\n"),
            ("<a href=\"https://example.org/x?a=1&amp;b\">there</a>", "there <https://example.org/x?a=1&b>\n"),
            ("<a href='https://example.org/'>https://example.org</a>", "https://example.org\n"),
            ("<a href=javascript:x>no</a>", "no\n"),
            ("<pre>a\n  b</pre>", "a\n  b\n"),
            ("<ul><li>a<li>b</ul>", "- a\n- b\n"),
            // What is broken loses nothing.
            ("a<!-- b", "a<!-- b\n"),
            ("a<!-- b > c", "a<!-- b > c\n"),
            ("a<style>b", "ab\n"),
            ("a<b", "a<b\n"),
            ("", ""),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }
}
