//! What somebody wrote now, apart from what they repeat and how they sign.
//!
//! Folding, not cutting: both halves are kept, and where it is doubtful nothing is folded. What stands between quoted passages
//! stays with them, because an answer below a question means nothing without it.

use std::ops::Range;

/// A text in its three parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) text: String,
    pub(super) signature: String,
    pub(super) quoted: String,
}

/// The longest line that introduces a quotation, in bytes, once it is put together.
const INTRODUCTION_MAX: usize = 400;
/// How many lines such a line, or the head of a repeated message, may be broken into.
const LINES_MAX: usize = 8;
/// The longest signature, in lines.
const SIGNATURE_MAX: usize = 20;

/// Puts a text apart.
pub(super) fn fold(written: &str) -> Folded {
    let lines: Vec<&str> = written.lines().collect();
    let end = repeated_from(&lines).unwrap_or(lines.len());
    let start = introduced_to(&lines[..end]);
    let end = quoted_from(&lines[start..end]) + start;
    let own = &lines[start..end];
    if own.iter().all(|line| line.trim().is_empty()) {
        return Folded { text: joined(&lines), signature: String::new(), quoted: String::new() };
    }
    let sign = signature_from(own);
    let quoted = [joined(&lines[..start]), joined(&lines[end..])];
    Folded {
        text: joined(&own[..sign]),
        signature: joined(&own[sign..]),
        quoted: quoted.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("\n\n"),
    }
}

fn joined(lines: &[&str]) -> String {
    lines.join("\n").trim_matches(['\n', ' ', '\t']).to_owned()
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// Where a whole message begins that is repeated below what was written, without marks.
fn repeated_from(lines: &[&str]) -> Option<usize> {
    let first = lines.iter().position(|line| !is_blank(line))?;
    // What somebody passes on, they want to be read.
    let end = lines.iter().position(|line| is_passed_on(line)).unwrap_or(lines.len());
    let at = (first + 1..end).find_map(|at| {
        if is_separator(lines[at]) || is_head(&lines[at..]) {
            return Some(at);
        }
        let introduction = introduction(lines, at)?;
        let below = lines[introduction.end..].iter().find(|line| !is_blank(line));
        let marked = below.is_some_and(|line| is_quoted(line));
        let named = lines[introduction.clone()].iter().any(|line| line.contains('@'));
        (!marked && named).then_some(introduction.start)
    })?;
    // A rule above it belongs to it.
    let rule = |line: &str| is_blank(line) || line.trim().chars().all(|c| matches!(c, '_' | '-' | '='));
    Some(lines[..at].iter().rposition(|line| !rule(line)).map_or(0, |above| above + 1))
}

/// How many lines at the top introduce and quote what is answered below.
fn introduced_to(lines: &[&str]) -> usize {
    let Some(first) = lines.iter().position(|line| !is_blank(line)) else { return 0 };
    let below = introduction(lines, first).filter(|it| it.start == first).map_or(first, |it| it.end);
    let passage = lines[below..].iter().take_while(|line| is_quoted(line) || is_blank(line)).count();
    let quotes = lines[below..below + passage].iter().any(|line| is_quoted(line));
    // More quotations further down: it is a conversation passage by passage.
    let more = lines[below + passage..].iter().any(|line| is_quoted(line));
    if quotes && !more && below + passage < lines.len() { below + passage } else { 0 }
}

/// Where the quotation at the end begins.
fn quoted_from(lines: &[&str]) -> usize {
    let Some(last) = lines.iter().rposition(|line| !is_blank(line)) else { return lines.len() };
    if !is_quoted(lines[last]) {
        return lines.len();
    }
    let passage =
        lines[..last].iter().rposition(|line| !is_quoted(line) && !is_blank(line)).map_or(0, |above| above + 1);
    let above = (passage.saturating_sub(LINES_MAX)..passage).rev().filter_map(|from| introduction(lines, from));
    above.filter(|it| it.end == passage).map(|it| it.start).next().unwrap_or(passage)
}

fn signature_from(lines: &[&str]) -> usize {
    let first = lines.iter().position(|line| !is_blank(line)).unwrap_or(0);
    let marked = lines.iter().rposition(|line| line.trim_end() == "--").filter(|at| lines.len() - at <= SIGNATURE_MAX);
    let device = lines.iter().rposition(|line| !is_blank(line)).filter(|at| {
        let line = lines[*at].trim().to_lowercase();
        DEVICES.iter().any(|start| line.starts_with(start)) && line.len() < 120
    });
    marked.into_iter().chain(device).filter(|at| *at > first).min().unwrap_or(lines.len())
}

/// What telephones put below a message, in lower case.
const DEVICES: [&str; 16] = [
    "sent from my ",
    "sent from yahoo",
    "sent from outlook",
    "sent with ",
    "get outlook for ",
    "von meinem ",
    "gesendet von ",
    "gesendet mit ",
    "envoyé de mon ",
    "envoyé depuis ",
    "enviado desde ",
    "enviado do meu ",
    "inviato da ",
    "verzonden vanaf ",
    "отправлено с ",
    "skickat från ",
];

/// `-----Original Message-----`
fn is_separator(line: &str) -> bool {
    between_rules(line).is_some_and(|words| ORIGINAL.contains(&words.as_str()))
}

/// `---------- Forwarded message ---------`
fn is_passed_on(line: &str) -> bool {
    line.starts_with("Begin forwarded message:")
        || between_rules(line).is_some_and(|words| PASSED_ON.iter().any(|word| words.contains(word)))
}

fn between_rules(line: &str) -> Option<String> {
    let line = line.trim();
    let ruled = line.len() < 200 && line.starts_with("---") && line.ends_with("---");
    ruled.then(|| line.trim_matches('-').trim().to_lowercase())
}

const PASSED_ON: [&str; 8] =
    ["forwarded", "weitergeleitet", "transféré", "reenviado", "encaminhada", "inoltrato", "doorgestuurd", "пересыл"];

const ORIGINAL: [&str; 10] = [
    "original message",
    "reply message",
    "ursprüngliche nachricht",
    "originalnachricht",
    "message d'origine",
    "message original",
    "mensaje original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "исходное сообщение",
];

/// The head of a message, written out: at least three of its fields, one of which only mail has.
fn is_head(lines: &[&str]) -> bool {
    let Some((first, _)) = labelled(lines[0]) else { return false };
    if first == Label::Other {
        return false;
    }
    let mut found = vec![first];
    let mut has_address = lines[0].contains('@');
    for line in lines.iter().take(LINES_MAX).skip(1).take_while(|line| !is_blank(line)) {
        has_address = has_address || line.contains('@');
        if let Some((label, _)) = labelled(line)
            && !found.contains(&label)
        {
            found.push(label);
        }
    }
    found.len() >= 3 && (has_address || found.contains(&Label::Sent) || found.contains(&Label::Subject))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    From,
    Sent,
    Date,
    To,
    Subject,
    Other,
}

fn labelled(line: &str) -> Option<(Label, &str)> {
    let line = line.trim_start_matches([' ', '\t', '*', '\u{200e}', '\u{a0}']);
    let (label, rest) = line.split_once(':')?;
    if label.len() > 40 {
        return None;
    }
    let label = label.trim_matches([' ', '*', '\u{a0}']).to_lowercase();
    LABELS.iter().find(|(_, names)| names.contains(&label.as_str())).map(|(kind, _)| (*kind, rest))
}

const LABELS: [(Label, &[&str]); 6] = [
    (Label::From, &["from", "von", "de", "da", "van", "från", "fra", "от", "od", "från", "kimden", "差出人", "发件人"]),
    (
        Label::Sent,
        &[
            "sent",
            "gesendet",
            "envoyé",
            "enviado",
            "enviada em",
            "inviato",
            "verzonden",
            "skickat",
            "sendt",
            "отправлено",
            "wysłano",
        ],
    ),
    (Label::Date, &["date", "datum", "fecha", "data", "dato", "дата", "tarih", "日時"]),
    (Label::To, &["to", "an", "à", "para", "a", "aan", "till", "til", "кому", "do", "kime", "宛先", "收件人"]),
    (
        Label::Subject,
        &[
            "subject",
            "betreff",
            "objet",
            "asunto",
            "assunto",
            "oggetto",
            "onderwerp",
            "ämne",
            "emne",
            "тема",
            "temat",
            "konu",
            "件名",
            "主题",
        ],
    ),
    (Label::Other, &["cc", "kopie", "reply-to", "importance", "копия"]),
];

/// The lines from `from` on that introduce a quotation: `On … John wrote:`, or `<date>, John <address>:`. What stands before the
/// shortest that does is no part of it.
fn introduction(lines: &[&str], from: usize) -> Option<Range<usize>> {
    let mut end = from;
    loop {
        let line = lines.get(end).filter(|line| !is_blank(line) && !is_quoted(line))?.trim_end();
        end += 1;
        if line.ends_with(':') {
            break;
        }
        // The next line is another sentence, or it is too long for what people see as one line.
        if line.ends_with(['.', '!', '?']) || end - from >= LINES_MAX / 2 {
            return None;
        }
    }
    (from..end).rev().map(|start| start..end).find(|it| introduces(&lines[it.clone()]))
}

fn introduces(lines: &[&str]) -> bool {
    if lines.iter().map(|line| line.len()).sum::<usize>() > INTRODUCTION_MAX {
        return false;
    }
    let words = lines.join(" ").to_lowercase();
    let digits = words.chars().filter(char::is_ascii_digit).count();
    let words = words.trim_end_matches([':', ' ']);
    let verb = WROTE.iter().any(|verb| words.ends_with(verb)) || WROTE_INSIDE.iter().any(|verb| words.contains(verb));
    digits >= 4 && (verb || (digits >= 6 && words.ends_with('>') && words.contains('@')))
}

const WROTE: [&str; 14] = [
    " wrote",
    " writes",
    " schrieb",
    " geschrieben",
    " a écrit",
    " escribió",
    " escreveu",
    " ha scritto",
    " het volgende geschreven",
    " skrev",
    " napisał",
    " написал",
    " пишет",
    " yazdı",
];
const WROTE_INSIDE: [&str; 4] = [" schrieb ", " schreef ", " skrev ", " napisał(a)"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(written: &str) -> (String, String, String) {
        let Folded { text, signature, quoted } = fold(written);
        (text, signature, quoted)
    }

    #[test]
    fn each_way_of_quoting_is_folded() {
        for (written, text, signature, quoted) in [
            (
                "Hi\n\nOn 3 May 2026, at 4:19 PM, Bob wrote:\n\n> a\n> b",
                "Hi",
                "",
                "On 3 May 2026, at 4:19 PM, Bob wrote:\n\n> a\n> b",
            ),
            (
                "On 04/02/2012 06:26 PM, Bob wrote:\n> Hi\nHello",
                "Hello",
                "",
                "On 04/02/2012 06:26 PM, Bob wrote:\n> Hi",
            ),
            ("Hi\n-----Original Message-----\nFrom: b", "Hi", "", "-----Original Message-----\nFrom: b"),
            ("Hi\n\n____\nFrom: B\nSent: today\nTo: c\n\nold", "Hi", "", "____\nFrom: B\nSent: today\nTo: c\n\nold"),
            (
                "Hi\n-- \nJohn\n\nAm 03.05.2026 um 10:00 schrieb B <b@e.org>:\n> a",
                "Hi",
                "-- \nJohn",
                "Am 03.05.2026 um 10:00 schrieb B <b@e.org>:\n> a",
            ),
            ("Hi\n\nSent from my iPhone", "Hi", "Sent from my iPhone", ""),
            (
                "Hi\n\n03.05.2026, 14:41, \"B\" <b@e.org>:\n\nold",
                "Hi",
                "",
                "03.05.2026, 14:41, \"B\" <b@e.org>:\n\nold",
            ),
            (
                "Hi\nOn 3 May 2026, a very long name that wraps\n<b@e.org> wrote:\n> a",
                "Hi",
                "",
                "On 3 May 2026, a very long name that wraps\n<b@e.org> wrote:\n> a",
            ),
        ] {
            assert_eq!(parts(written), (text.to_owned(), signature.to_owned(), quoted.to_owned()), "{written}");
        }
    }

    #[test]
    fn what_is_doubtful_stays() {
        for written in [
            // A journey is no head of a message.
            "I complain.\nFrom: Berlin\nTo: Munich\nDate: 3 May 2026\nThe train never came.",
            "On 3 May 2026 your agent wrote:\nWe will not pay.\nI do not accept that.",
            "> Is it broken?\nYes.\n> Since when?\nMonday.",
            "> all of it is quoted",
            "---------- Forwarded message ---------\nFrom: A <a@e.org>\nDate: 1\nSubject: x\nTo: b\n\nlook at this",
            "-- ",
            "Sent from my iPhone",
            "",
        ] {
            assert_eq!(parts(written).0, written.trim_matches(['\n', ' ']), "{written}");
        }
    }

    #[test]
    fn nothing_is_lost() {
        let pieces = [
            "Hi",
            "",
            "> a",
            "On 3 May 2026, B <b@e.org> wrote:",
            "-- ",
            "---Original Message---",
            "From: x@y",
            "Sent: 1",
            "To: z",
            "Sent from my telephone",
            "____",
            "03.05.2026, 14:41, B <b@e.org>:",
        ];
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            words.sort();
            words
        };
        // Every text of three lines, and each of those below a first one.
        for number in 0..pieces.len().pow(3) {
            let line = |at: u32| pieces[number / pieces.len().pow(at) % pieces.len()];
            let written = (0..3).map(line).collect::<Vec<_>>().join("\n");
            for written in [written.clone(), format!("First\n{written}")] {
                let (text, signature, quoted) = parts(&written);
                assert_eq!(sorted(&[text, signature, quoted].join("\n")), sorted(&written), "{written}");
            }
        }
    }
}
