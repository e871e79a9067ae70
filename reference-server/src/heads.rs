//! The arguments `--heads` and `--keep-heads` of the commands that walk along chains, and files that are written whole or not at all.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use complaint_store_sqlx::verify::{Heads, Verified};

use crate::config::HeadsArgs;

type AnyError = Box<dyn Error + Send + Sync>;

/// Takes a walk with the heads that the arguments name.
pub async fn with_heads(
    args: &HeadsArgs,
    walk: impl AsyncFnOnce(Heads<'_>) -> Result<Verified, AnyError>,
) -> Result<Verified, AnyError> {
    let mut heads = Heads::default();
    if let Some(path) = &args.heads {
        let file = File::open(path).map_err(|fault| format!("cannot read {}: {fault}", path.display()))?;
        heads = heads.known_from(BufReader::new(file));
    }
    match &args.keep_heads {
        Some(path) => written_whole(path, async |to| walk(heads.kept_in(to)).await).await,
        None => walk(heads).await,
    }
}

/// Writes a new file, for its owner alone. What is not whole is taken away again: it is of no use, and would be in the way of the
/// next try.
pub(crate) async fn written_whole<T>(
    path: &Path,
    write: impl AsyncFnOnce(&mut (dyn Write + Send)) -> Result<T, AnyError>,
) -> Result<T, AnyError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|fault| format!("cannot write {}: {fault}", path.display()))?;
    let written = async {
        let mut to = BufWriter::new(&file);
        let written = write(&mut to).await?;
        to.flush()?;
        file.sync_all()?;
        Ok(written)
    };
    let written = written.await;
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}
