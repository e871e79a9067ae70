//! What the operating system is asked to do, in order: nobody is told that a change is committed before the disk has it.

use std::process::Command;

use crate::process::{Process, STORE, arguments, say, told};
use complaint_core::conformance::{Opening, Story};
use complaint_core::store::ComplaintStore;
use complaint_store_sqlx::SqliteStore;

/// Who write at once, so that some of their changes share a way to the disk.
const WRITERS: u32 = 8;
const EACH: u32 = 6;

/// What stands in the words of a change and nowhere else.
fn mark(writer: u32, nth: u32) -> String {
    format!("mark-{writer}-{nth}-end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that is traced"]
async fn traced_process() {
    let Some(url) = told(STORE) else { return };
    let store = SqliteStore::open(&url).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            let opening = Opening { description: mark(writer, 0), ..Opening::numbered(writer) };
            let (mut told, opened) = Story::open(&opening);
            store.commit(&opened).await.unwrap();
            say(&mark(writer, 0));
            for nth in 1..EACH {
                store.commit(&told.note(&mark(writer, nth))).await.unwrap();
                say(&mark(writer, nth));
            }
        });
    }
    writers.join_all().await;
}

/// What matters of a call.
enum Call {
    /// Into the write-ahead log.
    Logged(String),
    /// The write-ahead log is asked to the disk.
    SyncBegun,
    /// And is there.
    Synced,
    /// A line to the one who waits for it.
    Told(String),
}

#[tokio::test]
async fn nobody_is_told_before_the_disk_has_it() {
    if Command::new("strace").arg("--version").output().is_err() {
        eprintln!("skipped: strace is not installed, so nothing can be said of the order of system calls");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let store = SqliteStore::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;

    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    // With the names behind the numbers of files, and whole pages in hexadecimal.
    strace.args(["-f", "-y", "-xx", "-s", "8192", "-e", "trace=pwrite64,write,fsync,fdatasync", "-o"]).arg(&trace);
    strace.arg(std::env::current_exe().unwrap()).args(arguments("trace::traced_process"));
    let mut process = Process::of(strace, &[(STORE, url)]);
    let said: Vec<String> = std::iter::from_fn(|| process.line()).collect();
    assert!(process.end().success());
    assert_eq!(said.len(), (WRITERS * EACH) as usize);

    let text = std::fs::read_to_string(&trace).unwrap();
    let calls: Vec<Call> = text.lines().filter_map(calls_of).flatten().collect();
    let mut ends = Vec::new();
    for mark in &said {
        let find = |from: usize, fits: &dyn Fn(&Call) -> bool| {
            let found = calls[from..].iter().position(fits);
            from + found.unwrap_or_else(|| panic!("{mark}: not in the trace"))
        };
        let hex = hexadecimal(mark);
        let written = find(0, &|call| matches!(call, Call::Logged(bytes) if bytes.contains(&hex)));
        // A page comes right behind its header; that of this one may be the last of the transaction.
        let end = find(written - 1, &|call| matches!(call, Call::Logged(bytes) if ends_a_transaction(bytes)));
        let begun = find(end.max(written), &|call| matches!(call, Call::SyncBegun));
        let synced = find(begun, &|call| matches!(call, Call::Synced));
        let told = find(0, &|call| matches!(call, Call::Told(bytes) if bytes.contains(&hex)));
        assert!(
            synced < told,
            "{mark}: written at {written}, ended at {end}, on the disk at {synced}, but told at {told}"
        );
        ends.push(end);
    }
    ends.sort_unstable();
    ends.dedup();
    assert!(ends.len() < said.len(), "no two changes ever shared a way to the disk");
}

/// As strace writes it.
fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |hex, byte| hex + &format!(r"\x{byte:02x}"))
}

/// Whether these bytes are the header of the frame that ends a transaction: it names the size of the database.
fn ends_a_transaction(bytes: &str) -> bool {
    // Each byte as four characters: \x and two digits.
    bytes.len() == 24 * 4 && bytes[4 * 4..8 * 4] != *r"\x00\x00\x00\x00"
}

fn calls_of(line: &str) -> Option<Vec<Call>> {
    // The number of the thread, then the call.
    let (_, call) = line.split_once(' ')?;
    let call = call.trim_start();
    let is_sync = |name: &str| name == "fsync" || name == "fdatasync";
    if let Some(resumed) = call.strip_prefix("<... ") {
        return (is_sync(resumed.split(' ').next()?) && resumed.ends_with("= 0")).then(|| vec![Call::Synced]);
    }
    let (name, rest) = call.split_once('(')?;
    let (file, rest) = rest.split_once('>')?;
    // Names of files are in hexadecimal as well.
    let is_log = file.ends_with("-wal") || file.ends_with(&hexadecimal("-wal"));
    let bytes = || rest.split('"').nth(1).unwrap_or_default().to_owned();
    match name {
        "pwrite64" if is_log => Some(vec![Call::Logged(bytes())]),
        "write" if file.starts_with("1<") => Some(vec![Call::Told(bytes())]),
        name if is_sync(name) && is_log && rest.contains("unfinished") => Some(vec![Call::SyncBegun]),
        name if is_sync(name) && is_log => Some(vec![Call::SyncBegun, Call::Synced]),
        _ => None,
    }
}
