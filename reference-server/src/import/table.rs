//! CSV files, plain or gzipped, read row by row in bounded memory.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use csv::{ByteRecord, Reader, ReaderBuilder};
use flate2::bufread::MultiGzDecoder;

/// The most bytes one row may have. A quote that is never closed turns the rest of a file into one row; it must not fill the memory.
pub const ROW_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// An open table.
pub struct Table {
    reader: Reader<Metered>,
    taken: Rc<Cell<u64>>,
    row: u64,
    /// The names of the columns.
    pub header: ByteRecord,
}

impl Table {
    /// Opens a file; whether it is gzipped is seen from its first bytes, and refused where its name says it is and they do not.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let is_gzipped = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        if !is_gzipped && path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz")) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its name ends in .gz, but it is not gzipped"));
        }
        let from: Box<dyn Read> = if is_gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut from = BufReader::new(from);
        // Any text could be a table; what has a zero near its beginning (pictures, documents, workbooks, UTF-16) is none, as Git and grep
        // tell it, too.
        if from.fill_buf()?.contains(&0) {
            let why = "it is no table in text; save it as CSV in UTF-8";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let taken = Rc::new(Cell::new(0));
        let metered = Metered { from: Box::new(from), taken: Rc::clone(&taken) };
        // Rows of another length are counted and left out, not an end of the import.
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(metered);
        let header = reader.byte_headers().map_err(plain)?.clone();
        if header.iter().all(<[u8]>::is_empty) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the table is empty"));
        }
        Ok(Self { reader, taken, row: 1, header })
    }

    /// How many rows were read, the header not counted.
    pub fn rows(&self) -> u64 {
        self.row - 1
    }

    /// Reads the next row into `row` and returns its number as a spreadsheet shows it (the header is row 1); `None` after the last.
    pub fn next(&mut self, row: &mut ByteRecord) -> io::Result<Option<u64>> {
        self.taken.set(0);
        if !self.reader.read_byte_record(row).map_err(plain)? {
            return Ok(None);
        }
        self.row += 1;
        Ok(Some(self.row))
    }
}

/// Counts what one row takes from the file, and ends a row that takes too much.
struct Metered {
    from: Box<dyn Read>,
    taken: Rc<Cell<u64>>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken.get() > ROW_BYTES_MAX {
            let why = "a row is longer than 8 MiB; probably a quote is opened and never closed";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let read = self.from.read(buffer)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
    }
}

/// The fault itself: what the csv crate adds would repeat bytes of the file.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::new(io::ErrorKind::InvalidData, "the table cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn rows(bytes: &[u8]) -> io::Result<Vec<(u64, usize)>> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        let mut table = Table::open(file.path())?;
        let mut row = ByteRecord::new();
        let mut seen = Vec::new();
        while let Some(number) = table.next(&mut row)? {
            seen.push((number, row.len()));
        }
        Ok(seen)
    }

    #[test]
    fn reads_plain_and_gzipped_tables() {
        let plain = b"a,b\n1,\"x\ny\"\n2\n3,4\n";
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(plain).unwrap();
        let expected = vec![(2, 2), (3, 1), (4, 2)];
        assert_eq!(rows(plain).unwrap(), expected);
        let gzipped = gzip.finish().unwrap();
        assert_eq!(rows(&gzipped).unwrap(), expected);
        assert!(rows(&gzipped[..gzipped.len() - 9]).is_err(), "a cut file is no short table");
    }

    #[test]
    fn a_quote_never_closed_does_not_fill_the_memory() {
        let mut endless = b"a,b\n1,\"".to_vec();
        endless.resize(usize::try_from(ROW_BYTES_MAX).unwrap() * 2, b'x');
        let error = rows(&endless).unwrap_err();
        assert!(error.to_string().contains("never closed"), "{error}");
    }

    #[test]
    fn what_is_called_gzipped_is_gzipped() {
        let mut file = tempfile::Builder::new().suffix(".csv.gz").tempfile().unwrap();
        file.write_all(b"a,b\n1,2\n").unwrap();
        let error = Table::open(file.path()).err().expect("refused");
        assert!(error.to_string().contains("not gzipped"), "{error}");
    }

    #[test]
    fn what_is_no_text_is_no_table() {
        for bytes in [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], b"\xff\xfeN\0o\0,\0K\0\n\0"] {
            let error = rows(bytes).unwrap_err();
            assert!(error.to_string().contains("no table in text"), "{error}");
        }
    }

    #[test]
    fn an_empty_table_is_refused() {
        assert!(rows(b"").is_err());
    }
}
