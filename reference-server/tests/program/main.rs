//! The real program, as an operator meets it.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say where")]

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_reference-server"));
    program.env_remove("RUST_LOG").env_remove("COMPLAINT_SMTP").stdin(Stdio::null());
    program
}

fn serve(data: &Path) -> Command {
    let mut program = program();
    program.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    program
}

/// A server that has said where it listens, and to which somebody goes on listening: a closed pipe would end it. Killed when dropped.
struct Running(Child, Lines<BufReader<ChildStdout>>);

impl Running {
    fn on(data: &Path) -> Self {
        Self::start(serve(data).stderr(Stdio::null()))
    }

    fn start(program: &mut Command) -> Self {
        let mut child = program.stdout(Stdio::piped()).spawn().expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut running = Self(child, output.lines());
        let greeted = running.1.by_ref().map_while(Result::ok).any(|line| line.starts_with("Address"));
        assert!(greeted, "it serves");
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_data_folder_has_one_server_and_is_free_again_however_it_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let first = Running::on(&data);
    let mut second = serve(&data).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let greets = BufReader::new(second.stdout.take().expect("piped")).lines().next().is_some();
    // Should it serve after all, it would do so for ever.
    if greets {
        second.kill().expect("killed");
    }
    let second = second.wait_with_output().expect("ends");
    assert!(!greets && second.status.code() == Some(1), "{}", said(&second));
    assert!(said(&second).contains("another server is running on the data folder"), "{}", said(&second));

    let mut admin = program()
        .args(["admin", "create", "--name", "Ada Root", "--email", "ada@example.org", "--password-stdin", "--data"])
        .arg(&data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    admin.stdin.take().expect("piped").write_all(b"copper lantern winds 7 rivers\n").expect("written");
    assert!(admin.wait().expect("ends").success(), "an admin is made beside a running server");

    // Killed, it tidies nothing up.
    drop(first);
    drop(Running::on(&data));
}

#[test]
fn a_log_in_a_file_is_plain_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let file = std::fs::File::create(&log).expect("a file");
    drop(Running::start(serve(&folder.path().join("data")).env("RUST_LOG", "debug").stderr(file)));
    let log = std::fs::read_to_string(&log).expect("text");
    assert!(log.contains("DEBUG"), "something is logged: {log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[test]
fn a_file_that_is_no_database_is_named_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("complaints.db"), "no database, and long enough to be looked at. ".repeat(50))
        .expect("written");
    let refused = serve(folder.path()).output().expect("runs");
    assert_eq!(refused.status.code(), Some(1));
    let said = said(&refused);
    assert_eq!(said.matches("file is not a database").count(), 1, "{said}");
}
