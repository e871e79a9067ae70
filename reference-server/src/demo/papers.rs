//! Files that customers send along: small, made for the demonstration, and what their names say.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// A file, whole.
pub struct Paper {
    /// What it is called.
    pub file_name: String,
    /// What it is.
    pub media_type: &'static str,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// A photograph of sorts: a thing with a crack across it. `shade` makes each another one.
pub fn photo(file_name: impl Into<String>, shade: u8) -> Paper {
    const WIDTH: u8 = 120;
    const HEIGHT: u8 = 90;
    let mut rows = Vec::new();
    for y in 0..HEIGHT {
        // Every row says first by which filter it was written; 0 is none.
        rows.push(0);
        for x in 0..WIDTH {
            let inside = x > 20 && x < 100 && y > 15 && y < 80;
            let cracked = inside && (x / 2 + (y % 7)).abs_diff(y) < 2;
            rows.extend(match (cracked, inside) {
                (true, _) => [30, 28, 26],
                (false, true) => [150 + y / 2, shade / 2 + y / 2, 80 + x / 4],
                (false, false) => [225 - y / 3, 225 - y / 3, 220 - y / 3],
            });
        }
    }
    let header = [&[0, 0, 0, WIDTH, 0, 0, 0, HEIGHT][..], &[8, 2, 0, 0, 0]].concat();
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", deflated(&rows)), (b"IEND", Vec::new())] {
        bytes.extend(u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
        let chunk = [&kind[..], &data].concat();
        let mut crc = Crc::new();
        crc.update(&chunk);
        bytes.extend(chunk);
        bytes.extend(crc.sum().to_be_bytes());
    }
    Paper { file_name: file_name.into(), media_type: "image/png", bytes }
}

/// A page of lines.
pub fn letter(file_name: impl Into<String>, lines: &[String]) -> Paper {
    let shown: String = lines
        .iter()
        .map(|line| line.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)"))
        .fold(String::new(), |text, line| format!("{text}({line}) Tj T*\n"));
    let content = format!("BT /F1 12 Tf 72 760 Td 18 TL\n{shown}ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut text = "%PDF-1.4\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        let _ = writeln!(table, "{:010} 00000 n ", text.len());
        let _ = write!(text, "{} 0 obj\n{object}\nendobj\n", at + 1);
    }
    let end = format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{}\n%%EOF\n", objects.len() + 1, text.len());
    Paper { file_name: file_name.into(), media_type: "application/pdf", bytes: (text + &table + &end).into_bytes() }
}

/// A list typed into an editor.
pub fn list(file_name: impl Into<String>, lines: &[String]) -> Paper {
    Paper { file_name: file_name.into(), media_type: "text/plain", bytes: (lines.join("\n") + "\n").into_bytes() }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Into memory it cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
