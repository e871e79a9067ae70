//! What a file is, by its bytes, and by which names such a file may go.

/// A kind of file that is taken in.
struct Kind {
    media_type: &'static str,
    /// What people call it.
    label: &'static str,
    /// The endings of its names. The receiver's machine opens a file by its ending, whatever its bytes are, so no other ending will do.
    endings: &'static [&'static str],
}

/// Every kind that is taken in; the same media types as the core's `MEDIA_TYPES`.
///
/// `.eml` is text too and absent on purpose: opened, it is a mail with links and attachments of its own.
#[rustfmt::skip]
const KINDS: &[Kind] = &[
    Kind { media_type: "image/png", label: "pictures", endings: &["png"] },
    Kind { media_type: "image/jpeg", label: "pictures", endings: &["jpg", "jpeg"] },
    Kind { media_type: "image/gif", label: "pictures", endings: &["gif"] },
    Kind { media_type: "image/webp", label: "pictures", endings: &["webp"] },
    Kind { media_type: HEIC, label: "pictures", endings: &["heic", "heif"] },
    Kind { media_type: "application/pdf", label: "PDF", endings: &["pdf"] },
    Kind { media_type: TEXT, label: "text", endings: &["txt", "csv", "md", "log"] },
    Kind { media_type: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", label: "office documents", endings: &["docx"] },
    Kind { media_type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", label: "office documents", endings: &["xlsx"] },
    Kind { media_type: "application/vnd.oasis.opendocument.text", label: "office documents", endings: &["odt"] },
    Kind { media_type: "application/zip", label: "archives", endings: &["zip"] },
    Kind { media_type: "audio/mpeg", label: "sound", endings: &["mp3"] },
    Kind { media_type: "video/mp4", label: "video", endings: &["mp4"] },
];

const TEXT: &str = "text/plain";
/// Of no kind that is known.
const BYTES: &str = "application/octet-stream";
const HEIC: &str = "image/heic";

/// What runs when it is opened. Before the last ending such a part only serves to pass for something else. `com` is absent:
/// `example.com.pdf` is an honest name.
#[rustfmt::skip]
const RUNS: &[&str] = &[
    "apk", "app", "appx", "bat", "chm", "cmd", "cpl", "dll", "dmg", "docm", "dotm", "exe", "gadget", "hta", "htm", "html", "inf", "iso", "jar",
    "js", "jse", "lnk", "msc", "msi", "msp", "php", "pif", "pkg", "pptm", "ps1", "py", "reg", "scr", "sct", "sh", "svg", "url", "vb", "vbe",
    "vbs", "wsf", "wsh", "xhtml", "xlam", "xll", "xlsm",
];

/// Why a file may not go by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misnamed {
    /// Its last ending, or that it has none, does not fit its bytes. The endings that do.
    Ending(&'static [&'static str]),
    /// One of its endings is that of a program, or of what a browser runs.
    Runs,
    /// It goes by the name of text, and what is in it is not UTF-8. Others are not guessed: every byte is a letter in some of them.
    Encoding,
}

/// Whether a file of this media type may go by this name. Of a type that is not taken in at all the rules of the lifecycle say so.
///
/// A name without an ending is refused too, not completed: names are kept as they were sent.
pub fn misnamed(file_name: &str, media_type: &str) -> Option<Misnamed> {
    let mut endings: Vec<String> = file_name.split('.').skip(1).map(|part| part.trim().to_ascii_lowercase()).collect();
    let last = endings.pop();
    let Some(kind) = KINDS.iter().find(|kind| kind.media_type == media_type) else {
        let is_text =
            |kind: &Kind| kind.media_type == TEXT && last.as_deref().is_some_and(|last| kind.endings.contains(&last));
        return (media_type == BYTES && KINDS.iter().any(is_text)).then_some(Misnamed::Encoding);
    };
    // Of what runs it would be no help to say by which name it would be taken in.
    if endings.iter().chain(&last).any(|ending| RUNS.contains(&ending.as_str())) {
        return Some(Misnamed::Runs);
    }
    (!last.is_some_and(|last| kind.endings.contains(&last.as_str()))).then_some(Misnamed::Ending(kind.endings))
}

/// What is taken in, in words: `pictures (.png, .jpg), PDF (.pdf)`.
pub fn taken_in() -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for kind in KINDS {
        let endings = kind.endings.iter().map(|ending| format!(".{ending}"));
        match groups.last_mut().filter(|(label, _)| *label == kind.label) {
            Some((_, known)) => known.extend(endings),
            None => groups.push((kind.label, endings.collect())),
        }
    }
    let groups: Vec<String> =
        groups.into_iter().map(|(label, endings)| format!("{label} ({})", endings.join(", "))).collect();
    groups.join(", ")
}

/// The endings for the `accept` of a file field.
pub fn accepted() -> String {
    let endings: Vec<String> = KINDS.iter().flat_map(|kind| kind.endings).map(|ending| format!(".{ending}")).collect();
    endings.join(",")
}

/// How much of the beginning is looked at: enough to see into the first entries of an office document.
const HEAD: usize = 8192;

/// Looks at a file as it comes by.
#[derive(Debug)]
pub(super) struct Sniffer {
    head: Vec<u8>,
    /// The beginning of a character whose rest is in the next chunk.
    cut: Vec<u8>,
    is_text: bool,
}

impl Default for Sniffer {
    fn default() -> Self {
        Self { head: Vec::new(), cut: Vec::new(), is_text: true }
    }
}

impl Sniffer {
    pub(super) fn look(&mut self, chunk: &[u8]) {
        let room = HEAD.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..room]);
        if !self.is_text {
            return;
        }
        if chunk.contains(&0) {
            self.is_text = false;
            return;
        }
        self.cut.extend_from_slice(chunk);
        match std::str::from_utf8(&self.cut) {
            Ok(_) => self.cut.clear(),
            Err(fault) if fault.error_len().is_none() => {
                self.cut.drain(..fault.valid_up_to());
            }
            Err(_) => self.is_text = false,
        }
    }

    /// A known signature decides; without one, text is text and the rest is just bytes.
    pub(super) fn media_type(&self) -> &'static str {
        match infer::get(&self.head) {
            // Only files of the brand heic are found; so the registry calls them.
            Some(kind) if kind.mime_type() == "image/heif" => HEIC,
            Some(kind) => kind.mime_type(),
            None if self.is_text && self.cut.is_empty() => TEXT,
            None => BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniffed(chunks: &[&[u8]]) -> &'static str {
        let mut sniffer = Sniffer::default();
        for chunk in chunks {
            sniffer.look(chunk);
        }
        sniffer.media_type()
    }

    #[test]
    fn bytes_say_what_they_are() {
        assert_eq!(sniffed(&[b"\x89PNG\r\n\x1a\n"]), "image/png");
        assert_eq!(sniffed(&[b"%PDF-1.7\n"]), "application/pdf");
        assert_eq!(sniffed(&[b"\xff\xd8\xff\xe0"]), "image/jpeg");
        assert_eq!(sniffed(&["Grüße".as_bytes()]), "text/plain");
        assert_eq!(sniffed(&[&"ü".as_bytes()[..1], &"ü".as_bytes()[1..]]), "text/plain", "cut between chunks");
        assert_eq!(sniffed(&[&"ü".as_bytes()[..1]]), "application/octet-stream", "cut at the end");
        assert_eq!(sniffed(&[b"a\0b"]), "application/octet-stream");
        assert_eq!(sniffed(&[b"a", b"\xff"]), "application/octet-stream");
        for page in ["<!DOCTYPE html><script>", "<?xml version=\"1.0\"?><svg/>"] {
            assert_ne!(sniffed(&[page.as_bytes()]), "text/plain", "{page}");
        }
        assert_eq!(sniffed(&[b"MZ\x90\x00"]), "application/vnd.microsoft.portable-executable");
    }

    #[test]
    fn photos_of_telephones_are_known() {
        assert_eq!(sniffed(&[b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"]), HEIC);
    }

    #[test]
    fn the_table_has_the_types_of_the_rules() {
        let known: std::collections::BTreeSet<&str> = KINDS.iter().map(|kind| kind.media_type).collect();
        let rules: std::collections::BTreeSet<&str> = complaint_core::lifecycle::MEDIA_TYPES.iter().copied().collect();
        assert_eq!(known, rules);
        assert_eq!(KINDS.len(), known.len());
    }

    #[test]
    fn the_name_must_say_what_the_bytes_say() {
        for (name, media_type) in [
            ("lid.png", "image/png"),
            ("LID.JPG", "image/jpeg"),
            ("Invoice 7.11.2026.pdf", "application/pdf"),
            ("example.com.pdf", "application/pdf"),
            ("letter.txt", TEXT),
            ("what.is.this", "application/x-unknown"),
        ] {
            assert_eq!(misnamed(name, media_type), None, "{name}");
        }
        for (name, media_type) in [
            ("mail.eml", TEXT),
            ("photo.png.", "image/png"),
            ("lid.jpg", "image/png"),
            ("scan", "application/pdf"),
            ("png", "image/png"),
        ] {
            assert!(matches!(misnamed(name, media_type), Some(Misnamed::Ending(_))), "{name}");
        }
        for (name, media_type) in [
            ("run.bat", TEXT),
            ("a.js", TEXT),
            ("x.url", TEXT),
            ("invoice.hta", "image/gif"),
            ("photo.png.exe", "image/png"),
            ("a.pdf.exe", "application/pdf"),
            ("a.docm", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ("tool.jar", "application/zip"),
            ("a.exe.png", "image/png"),
            ("a.EXE .pdf", "application/pdf"),
            ("a.js.txt", TEXT),
            ("a.svg", TEXT),
        ] {
            assert_eq!(misnamed(name, media_type), Some(Misnamed::Runs), "{name}");
        }
        assert_eq!(misnamed("cafe.CSV", BYTES), Some(Misnamed::Encoding));
        assert_eq!(misnamed("cafe.bin", BYTES), None, "the rules say so");
    }

    #[test]
    fn what_is_taken_in_is_said_in_words() {
        assert_eq!(
            taken_in(),
            "pictures (.png, .jpg, .jpeg, .gif, .webp, .heic, .heif), PDF (.pdf), text (.txt, .csv, .md, .log), \
             office documents (.docx, .xlsx, .odt), archives (.zip), sound (.mp3), video (.mp4)"
        );
        assert!(accepted().starts_with(".png,.jpg,"));
    }
}
