//! `intake`: a message from standard input, as a mail server pipes it.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::{Running, program, said, serve};

const MESSAGE: &str =
    "From: mary@elsewhere.example\r\nTo: complaints@example.org\r\nSubject: No water\r\n\r\nSince Monday.\r\n";

fn intake(data: &Path) -> Command {
    let mut program = program();
    program.args(["intake", "--data"]).arg(data);
    program
}

fn piped(program: &mut Command, raw: &[u8]) -> Output {
    let mut child = program
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // One that reads none may have ended.
    let _ = child.stdin.take().expect("piped").write_all(raw);
    child.wait_with_output().expect("ends")
}

fn taking_in(data: &Path) -> Command {
    let mut program = serve(data);
    program.args(["--intake-address", "complaints@example.org"]).stderr(Stdio::null());
    program
}

#[test]
fn a_message_is_safe_before_the_mail_server_forgets_it_and_the_server_looks_into_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Running::start(&mut taking_in(&data));
    for _ in 0..2 {
        let taken = piped(&mut intake(&data), MESSAGE.as_bytes());
        assert_eq!((taken.status.code(), said(&taken).as_str()), (Some(0), ""), "beside a running server");
        assert!(taken.stdout.is_empty(), "a mail server would send it back to whoever wrote");
    }
    drop(server);
    // What came while none ran, too.
    let second = MESSAGE.replace("mary", "paul");
    assert_eq!(piped(&mut intake(&data), second.as_bytes()).status.code(), Some(0));
    let server = Running::start(&mut taking_in(&data));
    let begun = Instant::now();
    let questions = || {
        let letters = std::fs::read_dir(data.join("mail")).expect("a folder");
        let letters = letters.filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
        letters.filter(|letter| letter.contains("Subject: Is this message yours?")).collect::<Vec<_>>()
    };
    while questions().len() < 2 {
        assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", questions());
        std::thread::yield_now();
    }
    drop(server);
    let questions = questions();
    for whom in ["mary@elsewhere.example", "paul@elsewhere.example"] {
        assert_eq!(questions.iter().filter(|letter| letter.contains(whom)).count(), 1, "{questions:?}");
    }
}

#[test]
fn the_mail_server_is_told_whether_to_try_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let refused = |program: &mut Command, raw: &[u8], code: i32, why: &str| {
        let refused = piped(program, raw);
        assert_eq!(refused.status.code(), Some(code), "{}", said(&refused));
        assert!(said(&refused).contains(why), "{}", said(&refused));
    };
    refused(&mut intake(&data), MESSAGE.as_bytes(), 75, "there is no database");
    assert!(!data.exists(), "nothing is made");
    drop(Running::on(&data));
    refused(&mut intake(&data), MESSAGE.as_bytes(), 75, "--intake-address");
    drop(Running::start(&mut taking_in(&data)));
    for nothing in [&b""[..], b"\r\n \r\n"] {
        refused(&mut intake(&data), nothing, 65, "empty");
    }
    let large = vec![b'x'; reference_server::intake::MAIL_MAX + 1];
    refused(&mut intake(&data), &large, 65, "larger than");
    refused(intake(&data).args(["--database", "mysql://h/d"]), MESSAGE.as_bytes(), 64, "mysql is not supported");
    let unreachable = "postgres://u@127.0.0.1:1/c";
    refused(intake(&data).args(["--database", unreachable]), MESSAGE.as_bytes(), 75, "Connection refused");

    let closed = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(data.join("complaints.db"), closed).expect("set");
    let mut by_another = intake(&data);
    if std::fs::metadata(folder.path()).expect("there").uid() == 0 {
        // Whoever runs everything may read everything.
        by_another.uid(65_534).gid(65_534);
    }
    refused(&mut by_another, MESSAGE.as_bytes(), 77, "may not use");
}
