//! A test of this binary as a process of its own, which can be killed.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// Set in the process: where its store is, a path or a URL.
pub(crate) const STORE: &str = "COMPLAINT_PROCESS_STORE";
/// And in which schema, on PostgreSQL.
#[cfg(feature = "postgres")]
pub(crate) const SCHEMA: &str = "COMPLAINT_PROCESS_SCHEMA";

/// What begins whatever is not said by the test harness.
const MARK: &str = "=> ";

/// What a process was told by the one who started it; nothing in a test that was not started as one.
pub(crate) fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Says a line to the one who started this process; after it they have it, however this process ends.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // In one piece: of a line in two pieces the second may never be written.
    out.write_all(format!("{MARK}{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Says that this process stands ready and waits for what it is to do; nothing when there is no more.
pub(crate) fn ready() -> Option<String> {
    say("ready");
    std::io::stdin().lines().next().map(Result::unwrap)
}

pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts an ignored test of this binary by its name.
    pub(crate) fn start(test: &str, told: &[(&str, String)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(arguments(test));
        Self::of(command, told)
    }

    /// Starts a command that ends in [`arguments`] of this binary.
    pub(crate) fn of(mut command: Command, told: &[(&str, String)]) -> Self {
        command.envs(told.iter().cloned()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it says next, if it says any more.
    pub(crate) fn line(&mut self) -> Option<String> {
        // A line that was cut off is no UTF-8 perhaps; nothing follows it. Before the first, the harness names the test.
        let said = |line: String| line.split_once(MARK).map(|(_, said)| said.to_owned());
        self.lines.by_ref().map_while(Result::ok).find_map(said)
    }

    /// Waits until it stands ready.
    pub(crate) fn wait_until_ready(&mut self) {
        assert_eq!(self.line().as_deref(), Some("ready"));
    }

    /// Tells one that stands ready what to do.
    pub(crate) fn tell(&mut self, what: &str) {
        self.child.stdin.as_mut().unwrap().write_all(format!("{what}\n").as_bytes()).unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(crate) fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves none behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What makes this binary run one ignored test and nothing else.
pub(crate) fn arguments(test: &str) -> [&str; 5] {
    ["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]
}
