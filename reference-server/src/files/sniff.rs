//! What a file is, by its bytes.

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
            Some(kind) => kind.mime_type(),
            None if self.is_text && self.cut.is_empty() => "text/plain",
            None => "application/octet-stream",
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
}
