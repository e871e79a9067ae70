//! Programs of others, in Python, that judge what leaves.

#![allow(dead_code, reason = "not every script is told something")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running script. Ends when dropped.
pub(crate) struct Script {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// Starts a script of this folder with the interpreter that `tests/run` prepares; or nothing and a line that says so. With
    /// `COMPLAINT_REQUIRE_PYTHON=1` the want of one is a failure.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Option<Self> {
        let Some(python) = std::env::var_os("COMPLAINT_TEST_PYTHON").map(PathBuf::from) else {
            let why =
                "COMPLAINT_TEST_PYTHON names no interpreter with aiosmtpd and standardwebhooks; tests/run makes one";
            assert!(std::env::var("COMPLAINT_REQUIRE_PYTHON").as_deref() != Ok("1"), "{why}");
            eprintln!("skipped: {why}");
            return None;
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
        let mut child = Command::new(python)
            .arg(folder.join(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Some(Self { _child: child, input, output: BufReader::new(output).lines() })
    }

    /// Tells it something.
    pub(crate) async fn tell(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// What it says next.
    pub(crate) async fn line(&mut self) -> String {
        self.output.next_line().await.unwrap().expect("it says something")
    }
}
