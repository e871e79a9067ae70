//! The real program, as an operator meets it.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say where")]

mod bulk;
mod intake;
#[path = "../postgres/mod.rs"]
mod postgres;
mod protected;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use reference_server::config::DatabaseUrl;

use crate::postgres::postgres;

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

/// A server that has said where it listens, and to which somebody goes on listening. Killed when dropped.
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

/// How a server ends that has to refuse to start. Should it serve after all, it would do so for ever.
fn refused(server: &mut Command) -> Output {
    let mut server = server.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let greets = BufReader::new(server.stdout.take().expect("piped")).lines().next().is_some();
    if greets {
        server.kill().expect("killed");
    }
    let ended = server.wait_with_output().expect("ends");
    assert!(!greets, "it serves: {}", said(&ended));
    ended
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_server_whose_greeting_nobody_reads_serves_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let mut child = program()
        .args(["serve", "--listen", &free.to_string(), "--data"])
        .arg(folder.path().join("data"))
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Closed before a word was read.
    drop(child.stdout.take());
    let mut connection = loop {
        match TcpStream::connect(free) {
            Ok(connection) => break connection,
            Err(_) => assert!(child.try_wait().expect("asked").is_none(), "it ended before it listened"),
        }
    };
    connection.write_all(b"GET /health/live HTTP/1.0\r\n\r\n").expect("sent");
    let answer = BufReader::new(connection).lines().next();
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(answer.is_some_and(|line| line.is_ok_and(|line| line.contains(" 200 "))), "it does not serve");
}

#[test]
fn a_data_folder_has_one_server_and_is_free_again_however_it_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let first = Running::on(&data);
    let second = refused(&mut serve(&data));
    assert_eq!(second.status.code(), Some(1), "{}", said(&second));
    assert!(said(&second).contains("another server is running on the data folder"), "{}", said(&second));

    // Nor has its file a second one, from wherever.
    let file = format!("sqlite:{}", data.join("complaints.db").display());
    let elsewhere = refused(serve(&folder.path().join("elsewhere")).args(["--database", &file]));
    assert!(said(&elsewhere).contains("another server is running on the database"), "{}", said(&elsewhere));
    assert!(!folder.path().join("elsewhere").exists(), "who is refused leaves nothing behind");
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "no database, but a file of some length ".repeat(100)).expect("written");
    let inner = folder.path().join("one/two");
    let refusal = refused(serve(&inner).args(["--database", &format!("sqlite:{}", notes.display())]));
    assert!(said(&refusal).contains("not a database"), "{}", said(&refusal));
    assert!(!folder.path().join("one").exists(), "nor do the folders around it stay");

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

/// The status line of an answer, as a probe reads it.
fn probed(address: SocketAddr, path: &str) -> String {
    let mut connection = TcpStream::connect(address).expect("it listens");
    connection.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).expect("sent");
    BufReader::new(connection).lines().next().expect("an answer").expect("a line")
}

#[test]
fn a_server_under_a_later_schema_is_not_ready_until_it_is_put_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let mut serve = program();
    serve.args(["serve", "--listen", &free.to_string(), "--data"]).arg(&data).stderr(Stdio::null());
    let _running = Running::start(&mut serve);
    let file = format!("sqlite://{}", data.join("complaints.db").display());
    let run = |sql: &'static str| {
        altered(async {
            let pool = sqlx::SqlitePool::connect(&file).await.expect("opens");
            sqlx::raw_sql(sql).execute(&pool).await.expect("done");
            pool.close().await;
        });
    };
    assert!(probed(free, "/health/ready").contains(" 200 "));
    run("INSERT INTO complaint_schema (version, name, hash, applied_at) VALUES (99, 'later', x'00', 0)");
    assert!(probed(free, "/health/ready").contains(" 503 "));
    run("DELETE FROM complaint_schema WHERE version = 99");
    assert!(probed(free, "/health/ready").contains(" 200 "));
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

/// Nobody can confirm an address before then, and a letter is only given up hours later.
#[test]
fn a_relay_that_cannot_be_reached_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let free = || TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let (address, relay) = (free(), free());
    let mut serve = program();
    serve.args(["serve", "--listen", &address.to_string(), "--smtp", &format!("smtp://{relay}"), "--data"]);
    let mut server = Running::start(serve.arg(folder.path().join("data")).stderr(Stdio::piped()));
    let person = r#"{"name":"John Poe","email":"john@example.org","password":"copper lantern winds 7 rivers"}"#;
    let mut connection = TcpStream::connect(address).expect("it listens");
    let head =
        format!("POST /api/v1/accounts HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {}", person.len());
    connection.write_all(format!("{head}\r\n\r\n{person}").as_bytes()).expect("sent");
    let mut said = BufReader::new(server.0.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let told = said.find(|line| line.contains("mail cannot be handed on")).expect("it ended and never said so");
    assert!(told.contains("WARN") && told.contains("refused"), "with the reason: {told}");
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
    let file = folder.path().join("complaints.db");
    let named = format!("the database {} cannot be used", file.display());
    for arguments in [&["verify"][..], &["export"], &["admin", "reset-second-factor", "--email", "ada@example.org"]] {
        let refused = program().args(arguments).arg("--data").arg(folder.path()).output().expect("runs");
        assert!(
            refused.status.code() == Some(1) && self::said(&refused).contains(&named),
            "{arguments:?}: {}",
            self::said(&refused)
        );
    }
    assert!(said.contains(&named), "{said}");
}

/// Runs a command on a database, with a line for its standard input; its exit code and standard output.
fn run(arguments: &[&str], database: &str, input: &str) -> (Option<i32>, String) {
    let mut program = program();
    program.args(arguments).args(["--database", database]);
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    // One that reads none may have ended.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("ends");
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}

/// The operator's commands on a database: the import of a small shop, twice, and a log that is looked at before and after `tamper`.
fn commands_work_on(database: &str, tamper: impl FnOnce(&str)) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let ada =
        ["admin", "create", "--name", "Ada Root", "--email", "ada@example.org", "--password-stdin", "--not-durable"];
    let create = || run(&[&ada[..], &["--data", data]].concat(), database, "copper lantern winds 7 rivers\n");
    assert_eq!(create().0, Some(0));
    assert_eq!(create().0, Some(1), "the address is taken");

    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop");
    let (mapping, table) = (format!("{tables}.toml"), format!("{tables}.csv"));
    let import = || run(&["import", "--not-durable", "--data", data, "--mapping", &mapping, &table], database, "");
    let created = |said: &str| said.lines().find_map(|line| Some(line.strip_prefix("Created")?.trim().to_owned()));
    for expected in ["14", "0"] {
        let (code, said) = import();
        assert_eq!((code, created(&said).as_deref()), (Some(0), Some(expected)), "{said}");
    }

    let verify = |more: &[&str]| run(&[&["verify", "--data", data], more].concat(), database, "");
    let (code, said) = verify(&["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &answer["intact"], &answer["complaints"]), (Some(0), &true.into(), &14.into()), "{said}");
    assert_eq!(answer["entries"], 24, "each was received, and ten have a handler: {said}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("heads.jsonl");
    let heads = file.to_str().expect("UTF-8");
    assert_eq!(verify(&["--keep-heads", heads]).0, Some(0));
    assert_eq!(verify(&["--keep-heads", heads]).0, Some(1), "nothing is written over");
    assert_eq!(verify(&["--heads", heads]).0, Some(0));
    // As it is when a complaint that was there is gone.
    let one_more = r#"{"kind":"head","complaint":"ffffffff-ffff-4fff-bfff-ffffffffffff","entries":2,"hash":"HASH"}"#;
    let one_more = one_more.replace("HASH", &"5c".repeat(32));
    let kept = std::fs::read_to_string(&file).expect("text");
    let end = r#"{"kind":"end","heads":14}"#;
    assert!(kept.contains(end), "{kept}");
    let kept = kept.replace(end, &format!("{one_more}\n{}", end.replace("14", "15")));
    std::fs::write(&file, kept).expect("written");
    let (code, said) = verify(&["--heads", heads]);
    assert!(code == Some(1) && said.contains("ffff, entry 1: gone with its state and all of its log"), "{said}");
    tamper(database);
    let (code, said) = verify(&["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &answer["intact"], &answer["broken"]), (Some(1), &false.into(), &1.into()), "{said}");
    assert_eq!(answer["breaches"][0]["entry"], 2, "{said}");
    let (code, said) = verify(&[]);
    assert!(code == Some(1) && said.contains(answer["breaches"][0]["told"].as_str().expect("a sentence")), "{said}");
    assert!(said.contains(answer["breaches"][0]["complaint"].as_str().expect("an id")), "{said}");
}

#[test]
fn the_operator_s_commands_work_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.db");
    commands_work_on(&format!("sqlite:{}", file.display()), |url| {
        altered(async {
            let pool = sqlx::SqlitePool::connect(url).await.expect("opens");
            let triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'complaint_log'";
            let triggers: Vec<String> = sqlx::query_scalar(triggers).fetch_all(&pool).await.expect("lists");
            for trigger in triggers {
                let drop = sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"));
                sqlx::raw_sql(drop).execute(&pool).await.expect("dropped");
            }
            sqlx::raw_sql(ALTER).execute(&pool).await.expect("altered");
            pool.close().await;
        });
    });
    let nowhere = folder.path().join("none.db");
    let (code, _) = run(&["verify"], &format!("sqlite:{}", nowhere.display()), "");
    assert!(code == Some(1) && !nowhere.exists(), "looking makes nothing");
}

#[test]
fn the_operator_s_commands_work_on_postgresql() {
    let Some(url) = postgres() else { return };
    commands_work_on(&url, |url| {
        altered(async {
            let url = DatabaseUrl::of(Some(url), Path::new("")).expect("a URL");
            let DatabaseUrl::Postgres(url) = url else { panic!("no PostgreSQL") };
            let store = url.options.not_durable().open().await.expect("opens");
            sqlx::raw_sql("ALTER TABLE complaint_log DISABLE TRIGGER USER")
                .execute(store.pool())
                .await
                .expect("disabled");
            sqlx::raw_sql(ALTER).execute(store.pool()).await.expect("altered");
        });
    });
}

/// The clock of one entry is put back.
const ALTER: &str = "UPDATE complaint_log SET at = at - 1 WHERE seq = 2
    AND complaint = (SELECT complaint FROM complaint_log WHERE seq = 2 ORDER BY complaint LIMIT 1)";

fn altered(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work);
}

#[test]
fn a_postgresql_that_cannot_be_used_is_refused_without_its_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |url: &str, why: &str| {
        // Whatever is logged.
        let mut program = serve(&folder.path().join("data"));
        let refused = program.env("RUST_LOG", "trace").args(["--database", url]).output().expect("runs");
        let said = said(&refused);
        assert!(refused.status.code() == Some(1) && said.contains(why), "{url}: {said}");
        assert!(!said.contains("secret"), "{said}");
    };
    // Nobody listens on the first port.
    refused("postgres://u:secret@127.0.0.1:1/c", "Connection refused");
    refused("postgres://u:secret@localhost/c?host=/nowhere", "No such file or directory");
    let Ok(url) = std::env::var("COMPLAINT_TEST_POSTGRES") else { return };
    let url = url.replace("app@", "app:secret@");
    refused(&format!("{url}&sslmode=require"), "server does not support TLS");
    refused(&url.replace("app:", "nobody:"), "role \"nobody\" does not exist");
    refused(&url, "the server may lose what it acknowledged");
}

#[cfg(unix)]
#[test]
fn what_is_made_in_a_folder_of_everybody_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("opened to all");
    let _server = Running::on(folder.path());
    for name in ["complaints.db", "complaints.db-wal", "complaints.db-shm", "attachments", "mail"] {
        let mode = std::fs::metadata(folder.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[test]
fn a_data_folder_is_for_one_file_or_for_any_servers_on_one_postgresql() {
    let Some(url) = postgres() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let on_postgres = || Running::start(serve(&data).args(["--not-durable", "--database", &url]).stderr(Stdio::null()));
    let two = [on_postgres(), on_postgres()];
    let third = refused(&mut serve(&data));
    assert!(said(&third).contains("another server is running on the data folder"), "{}", said(&third));
    drop(two);
    drop(Running::on(&data));
}
