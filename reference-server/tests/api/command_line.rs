//! The program itself, from its command line.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::PASSWORD;

fn admin_create(data: &Path, arguments: &[&str], input: &[u8]) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_reference-server"))
        .args(["admin", "create", "--data"])
        .arg(data)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // It may end before it has read everything.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().expect("ends");
    let said = [stdout, stderr].concat();
    (status.code().expect("a code"), String::from_utf8(said).expect("UTF-8"))
}

#[test]
fn an_admin_is_made_or_refused_with_every_fault_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let ada = ["--name", "Ada Root", "--email", "ada@example.org", "--password-stdin"];
    let password = format!("{PASSWORD}\n");
    for (arguments, input, named) in [
        (&ada[..4], password.as_bytes(), vec!["--password-stdin"]),
        (&ada[2..], password.as_bytes(), vec!["--name"]),
        (&ada[..], b"", vec!["password: "]),
        (&ada[..], b"short\n", vec!["password: "]),
        (&ada[..], b"\xff\xfe\n", vec!["password: "]),
        (&ada[..], &b"x".repeat(1 << 20), vec!["password: "]),
        (&["--name", "", "--email", "ada", "--password-stdin"], b"", vec!["name: ", "email: ", "password: "]),
        (&[&ada[..], &["--database", "mysql://x"]].concat(), password.as_bytes(), vec!["--database"]),
    ] {
        let (code, said) = admin_create(&data, arguments, input);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(named.iter().all(|name| said.contains(name)), "{arguments:?}: {said}");
        assert!(!data.exists(), "{arguments:?}: nothing is made for who is refused");
        let usage = said.lines().find(|line| line.contains("Usage:")).unwrap_or_default();
        assert!(!usage.contains("--data"), "it may be left out: {said}");
    }
    // The line may end as on Windows, or not at all.
    let (code, said) = admin_create(&data, &ada, format!("{PASSWORD}\r\nand more").as_bytes());
    let made = format!("ada@example.org is an administrator of {} now", data.join("complaints.db").display());
    assert!(code == 0 && said.contains(&made), "{said}");
    let (code, said) = admin_create(&data, &ada, PASSWORD.as_bytes());
    assert!(code == 1 && said.contains("another account has this e-mail address"), "{said}");
}
