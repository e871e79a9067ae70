//! Broken messages, many of them.

use std::process::Command;
use std::time::Instant;

use complaint_notify::inbound::{Authentication, Facts, Inbound, Limits, decide};

use crate::{messages, real_mail, samples};

const MUTANTS: usize = 20_000;

/// A small generator of its own: a failure names its number, and that number makes the same message again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }
}

const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"--",
    b"\r\n\r\n",
    b":",
    b";",
    b"=?utf-8?b?",
    b"?=",
    b"=?utf-8?q?=0d=0a?=",
    b"\"",
    b"(",
    b"<",
    b">",
    b"\xff\xfe",
    b"Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Type: text/html; charset=utf-16\r\n",
    b"From: x@example.org\r\n",
    b"<blockquote>",
    b"&#x110000;",
    b"<!--",
];

fn mutated(seed: usize, originals: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut raw = originals[seed % originals.len()].1.clone();
    for _ in 0..=chance.below(8) {
        let at = chance.below(raw.len() + 1);
        match chance.below(7) {
            0 => raw.truncate(at),
            1 if at < raw.len() => raw[at] = u8::try_from(chance.below(256)).unwrap(),
            2 => {
                let end = (at + chance.below(200)).min(raw.len());
                raw.drain(at..end);
            }
            3 => {
                let end = (at + chance.below(200)).min(raw.len());
                let copied = raw[at..end].repeat(1 + chance.below(20));
                raw.splice(at..at, copied);
            }
            4 => {
                let other = &originals[chance.below(originals.len())].1;
                let from = chance.below(other.len() + 1);
                let end = (from + chance.below(500)).min(other.len());
                raw.splice(at..at, other[from..end].iter().copied());
            }
            _ => {
                let piece = PIECES[chance.below(PIECES.len())].repeat(1 + chance.below(40));
                raw.splice(at..at, piece);
            }
        }
    }
    raw
}

/// Everything that can be asked of a message.
fn looked_at(raw: &[u8], limits: &Limits) -> Option<usize> {
    let mail = Inbound::read(raw, limits).ok()?;
    let _ = decide(&mail, &Facts::default());
    let _ = (mail.mentions(), mail.message_id().map(str::len), mail.content_hash(), mail.recipients().len());
    assert!(matches!(
        mail.authentication("mx.example.org"),
        Authentication::Unknown | Authentication::Passed | Authentication::Failed
    ));
    for text in [mail.text(), mail.signature(), mail.quoted(), mail.subject()] {
        assert!(!text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')));
    }
    assert!(!mail.subject().contains('\n'));
    for file in mail.attachments() {
        assert!(file.bytes().len() <= 2 * raw.len());
        assert!(
            !file.name().is_empty() && !file.name().contains(['/', '\\']) && !file.name().chars().any(char::is_control)
        );
    }
    Some(mail.work())
}

#[test]
fn twenty_thousand_broken_messages_are_read_or_refused_within_their_limits() {
    let mut originals = samples();
    if let Some(folder) = real_mail() {
        for part in ["bounces", "dovecot-malformed", "dovecot-thirdparty", "replies/standard"] {
            originals.extend(messages(&folder.join(part)));
        }
    }
    let limits = Limits::default();
    let (mut read, mut slowest) = (0, 0);
    for seed in 0..MUTANTS {
        let raw = mutated(seed, &originals);
        let began = Instant::now();
        if let Some(work) = looked_at(&raw, &limits) {
            assert!(work <= raw.len() * (2 + limits.depth), "{seed}: {work} bytes of work for {}", raw.len());
            read += 1;
        }
        let took = began.elapsed();
        slowest = slowest.max(took.as_millis());
        assert!(took.as_secs() < 60, "{seed} does not end");
    }
    println!("{MUTANTS} broken messages of {} originals, {read} read, the slowest in {slowest} ms", originals.len());
    assert!(read > MUTANTS / 2);
}

/// As large as a message may be, and made to be slow.
#[test]
fn the_worst_messages_cost_no_more_than_their_size() {
    let limits = Limits { size: 1 << 20, ..Limits::default() };
    let filled = |head: &str, piece: &str| {
        let mut raw = format!("From: a@example.org\r\n{head}").into_bytes();
        while raw.len() + piece.len() <= limits.size {
            raw.extend_from_slice(piece.as_bytes());
        }
        raw
    };
    let nested = (1..20).fold(String::new(), |nested, at| {
        nested + &format!("--b{}\r\nContent-Type: multipart/mixed; boundary=b{at}\r\n\r\n", at - 1)
    });
    let html = "Content-Type: text/html\r\n\r\n";
    let plain = "Subject: x\r\n\r\n";
    for (what, raw) in [
        (
            "lines that look like boundaries",
            filled(&format!("Content-Type: multipart/mixed; boundary=b0\r\n\r\n{nested}"), "--b\r\n"),
        ),
        ("a long line", filled(plain, "-")),
        ("empty lines", filled(plain, "\n")),
        ("quotations", filled(plain, "> \n")),
        ("introductions", filled(plain, "On 3 May 2026, a@b wrote:\n\n")),
        ("heads", filled(plain, "From: a@b\nTo: c\n\n")),
        ("addresses", filled("", "To: (((((((((<<<<<<<<a@b,\r\n")),
        ("encoded words", filled("", "Subject: =?utf-8?q?=?= =?\r\n")),
        ("one long field", filled("Subject: ", "=?utf-8?b?")),
    ] {
        let began = Instant::now();
        if let Some(work) = looked_at(&raw, &limits) {
            assert!(work <= raw.len() * (2 + limits.depth), "{what}: {work}");
        }
        println!("{what}: {} ms", began.elapsed().as_millis());
        assert!(began.elapsed().as_secs() < 60, "{what} does not end");
    }
    for piece in
        ["<", "<!--", "<style>", "<a href=", "&", "<blockquote>", "<pre>", "<a href='https://e.org'>", "</", "&#"]
    {
        let raw = filled(html, piece);
        let raw = &raw[..limits.text.min(raw.len())];
        let began = Instant::now();
        looked_at(raw, &limits).expect("it is read");
        println!("{piece}: {} ms", began.elapsed().as_millis());
        assert!(began.elapsed().as_secs() < 60, "{piece} does not end");
    }
    for piece in ["(", "<", "a@b,", "\"", "=?utf-8?q?a?= ", ";", "x:"] {
        let raw = format!("From: {}\r\n\r\nx", piece.repeat(60_000 / piece.len()));
        let fields = ["From", "Subject", "Content-Type", "Received", "References", "Authentication-Results", "Date"];
        for field in fields {
            let raw = raw.replacen("From", field, 1);
            let began = Instant::now();
            looked_at(raw.as_bytes(), &limits).expect("it is read");
            assert!(began.elapsed().as_secs() < 60, "{field} of {piece} does not end");
        }
    }
}

const LARGE: usize = 6;

/// Each in a process of its own, because what is measured is the most that the process ever had.
#[test]
fn the_largest_messages_take_little_memory() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: how much memory a process took is read where Linux writes it");
        return;
    }
    if let Ok(number) = std::env::var(ALONE) {
        return measured_alone(number.parse().unwrap());
    }
    let name = "mutants::the_largest_messages_take_little_memory";
    for number in 0..LARGE {
        let mut alone = Command::new(std::env::current_exe().unwrap());
        alone.args(["--exact", name, "--nocapture"]).env(ALONE, number.to_string());
        let done = alone.output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
        println!("{}", said.lines().find(|line| line.contains("KiB")).expect("it says what it took"));
    }
}

const ALONE: &str = "COMPLAINT_MEASURE_ALONE";
const MEMORY_MAX_KIB: u64 = 32 * 1024;

fn measured_alone(number: usize) {
    let limits = Limits::default();
    let text = |charset: &str| format!("Content-Type: text/plain; charset={charset}\r\n\r\n");
    let file = "Content-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_owned();
    let line = [b"A".repeat(76), b"\r\n".to_vec()].concat();
    let page = "Content-Type: text/html\r\n\r\n".to_owned();
    let cases: [(&str, String, &[u8], usize); LARGE] = [
        ("a file", file, &line, limits.size),
        ("a text that is too long to be one", text("windows-1252"), b"\x80", limits.size),
        ("the longest text", text("windows-1252"), b"\x80", limits.text),
        ("the longest page", page, b"<a href='https://example.org/'>x", limits.text),
        ("the longest text, in lines", text("utf-8"), b"a\n", limits.text),
        ("the longest head", String::new(), b"To: a@example.org, b@example.org\r\n", limits.headers),
    ];
    let (what, head, piece, size) = &cases[number];
    // In one piece, so that nothing lies freed that reading could take again unseen.
    let mut raw = Vec::with_capacity(*size);
    raw.extend_from_slice(format!("From: a@example.org\r\n{head}").as_bytes());
    while raw.len() + piece.len() <= *size {
        raw.extend_from_slice(piece);
    }
    let before = most_kib();
    let mail = Inbound::read(&raw, &limits).unwrap();
    let _ = (decide(&mail, &Facts::default()), mail.content_hash());
    let took = most_kib() - before;
    println!("{what}, {} bytes: {took} KiB", raw.len());
    assert!(took <= MEMORY_MAX_KIB, "{what}: {took} KiB");
}

fn most_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
