//! Everything at once: exports, copies, backups.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Running, program, run, serve};
use crate::postgres::postgres;

/// The small shop of the import, in a database and a data folder: 14 complaints with 24 entries.
fn shop(data: &Path, database: &str) {
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop");
    let (mapping, table) = (format!("{tables}.toml"), format!("{tables}.csv"));
    let import = ["import", "--not-durable", "--create", "--data", text(data), "--mapping", &mapping, &table];
    assert_eq!(run(&import, database, "").0, Some(0));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn json(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|_| panic!("no JSON: {said}"))
}

/// Exit code, standard output and standard error.
fn all(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = program().args(arguments).output().expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// An attachment as the server keeps it; gives its file.
fn attach(data: &Path, bytes: &[u8]) -> PathBuf {
    let name: String = reference_server::extract::hex(&Sha256::digest(bytes));
    let folder = data.join("attachments").join(&name[..2]);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(&name), bytes).expect("written");
    folder.join(name)
}

fn exported_and_copied(database: &str, target: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    shop(folder.path(), database);
    let file = folder.path().join("all.jsonl");
    let (code, out, said) = all(&["export", "--database", database, "--out", text(&file)]);
    assert!(code == Some(0) && out.is_empty() && said.contains("Complaints  14"), "{said}");
    let (code, out, _) = all(&["export", "--database", database]);
    let lines = std::fs::read_to_string(&file).expect("text");
    assert_eq!(code, Some(0));
    assert_eq!(out.lines().skip(1).collect::<Vec<_>>(), lines.lines().skip(1).collect::<Vec<_>>());
    let end = json(lines.lines().last().expect("a line"));
    assert_eq!((&end["kind"], &end["complaints"], &end["entries"]), (&"end".into(), &14.into(), &24.into()));
    let (code, _, said) = all(&["export", "--database", database, "--out", text(&file)]);
    assert!(code == Some(1) && said.contains("all.jsonl"), "nothing is written over: {said}");

    let copy = || all(&["copy", "--not-durable", "--from", database, "--to", target]);
    let (code, said, _) = copy();
    assert!(code == Some(0) && said.contains("Copied      14, with 24 entries"), "{said}");
    let (code, said, _) = copy();
    assert!(code == Some(0) && said.contains("Copied      0,") && said.contains("There       14"), "{said}");
    let (_, verified) = run(&["verify", "--json"], target, "");
    assert_eq!((&json(&verified)["intact"], &json(&verified)["entries"]), (&true.into(), &24.into()), "{verified}");
    let (_, out, _) = all(&["export", "--database", target]);
    assert_eq!(out.lines().skip(1).collect::<Vec<_>>(), lines.lines().skip(1).collect::<Vec<_>>());
    // What the target has beyond the source is told.
    let (code, said, _) = all(&["copy", "--not-durable", "--from", &empty(folder.path()), "--to", target]);
    assert!(code == Some(1) && said.contains("the counts of all complaints are not the same"), "{said}");
}

fn empty(folder: &Path) -> String {
    let url = format!("sqlite:{}", folder.join("empty.db").display());
    let ada = ["admin", "create", "--name", "Ada", "--email", "ada@example.org", "--password-stdin", "--data"];
    let made = run(&[&ada[..], &[text(folder)]].concat(), &url, "copper lantern winds 7 rivers\n");
    assert_eq!(made.0, Some(0));
    url
}

#[test]
fn complaints_are_exported_and_copied() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    exported_and_copied(&url("a.db"), &url("b.db"));
    let (code, _, said) = all(&["export", "--database", &url("none.db")]);
    assert!(code == Some(1) && said.contains("there is no database"), "{said}");
    assert!(!folder.path().join("none.db").exists(), "looking makes nothing");
    let (code, _, said) = all(&["copy", "--from", "mysql://a:secret@b/c", "--to", "x"]);
    assert!(code == Some(2) && said.contains("--from: mysql") && said.contains("--to: no scheme"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn complaints_are_exported_and_copied_between_engines() {
    let (Some(there), Some(back)) = (postgres(), postgres()) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    exported_and_copied(&url("a.db"), &there);
    exported_and_copied(&back, &url("b.db"));
}

/// From a backup beside a server to a data folder that another one starts on.
fn backed_up_and_restored(database: Option<&str>) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let file = format!("sqlite://{}", data.join("complaints.db").display());
    shop(&data, database.unwrap_or(&file));
    attach(&data, b"a receipt");
    attach(&data, b"a photograph");
    let server = match database {
        None => Running::on(&data),
        Some(url) => Running::start(serve(&data).args(["--not-durable", "--database", url])),
    };
    let named =
        |arguments: &[&str]| all(&[arguments, &database.map_or(vec![], |url| vec!["--database", url])].concat());
    let backup = folder.path().join("backup");
    let take = || named(&["backup", "--data", text(&data), "--to", text(&backup), "--json"]);
    let (code, said, why) = take();
    assert_eq!((code, &json(&said)["attachments"]), (Some(0), &2.into()), "{why}");
    let (code, _, why) = take();
    assert!(code == Some(1) && why.contains("is there already"), "{why}");

    let scratch = tempfile::tempdir().expect("a folder");
    let try_out = |more: &[&str]| {
        let given = ["drill", "--json", "--data", text(&data), "--scratch", text(scratch.path())];
        let (code, said, why) = named(&[&given[..], more].concat());
        assert_eq!(std::fs::read_dir(scratch.path()).expect("a folder").count(), 0, "a drill leaves nothing");
        (code, said, why)
    };
    let from = ["--from", text(&backup)];
    for more in [&[][..], &from[..]] {
        let (code, said, why) = try_out(more);
        assert_eq!(code, Some(0), "{why}");
        let answer = json(&said);
        assert_eq!(
            (&answer["intact"], &answer["complaints"], &answer["entries"]),
            (&true.into(), &14.into(), &24.into())
        );
        assert_eq!(answer["attachments"], 2);
        assert!(answer["age_seconds"].as_i64().expect("a number") < 600 && answer["seconds"].is_f64(), "{said}");
    }
    drop(server);

    // Each kind of damage by its file.
    let damaged = |file: &Path, what: &str| {
        let good = std::fs::read(file).expect("read");
        // It may be a second name of the server's own file.
        std::fs::remove_file(file).expect("removed");
        let mut bad = good.clone();
        *bad.last_mut().expect("a byte") ^= 1;
        std::fs::write(file, bad).expect("written");
        let (code, _, why) = try_out(&from);
        assert!(code == Some(1) && why.contains(text(file)) && why.contains(what), "{why}");
        let into = folder.path().join("nowhere");
        let (code, _, again) = named(&["restore", "--from", text(&backup), "--data", text(&into)]);
        assert!(code == Some(1) && again.contains(what), "{again}");
        assert!(!into.join("complaints.db").exists() && !into.join("attachments").exists(), "half of it was restored");
        std::fs::write(file, good).expect("written");
    };
    damaged(&backup.join(if database.is_some() { "complaints.dump" } else { "complaints.db" }), "not the bytes");
    damaged(&attach(&backup, b"a receipt"), "its content is not what its name says");
    damaged(&backup.join("backup.json"), "is damaged");
    let (code, _, why) = try_out(&["--from", text(folder.path())]);
    assert!(code == Some(1) && why.contains("is no whole backup"), "{why}");
    std::fs::remove_file(attach(&backup, b"a receipt")).expect("removed");
    let (code, _, why) = try_out(&from);
    assert!(code == Some(1) && why.contains("1 files where 2 were written"), "{why}");
    attach(&backup, b"a receipt");

    // The place that is there already is not touched; an emptied one takes all of it.
    let (code, _, why) = named(&["restore", "--from", text(&backup), "--data", text(&data)]);
    assert!(code == Some(1) && why.contains("is not empty"), "{why}");
    let place = folder.path().join("restored");
    if let Some(url) = database {
        let (code, _, why) = named(&["restore", "--from", text(&backup), "--data", text(&place)]);
        assert!(code == Some(1) && why.contains("is not empty"), "{why}");
        assert!(!place.join("attachments").exists(), "half of it was restored");
        dropped(url);
    }
    // As another one does that is at the same place.
    std::fs::create_dir_all(&place).expect("a folder");
    let other = std::fs::File::create(place.join("server.lock")).expect("a file");
    other.lock().expect("locked");
    let (code, _, why) = named(&["restore", "--from", text(&backup), "--data", text(&place)]);
    assert!(code == Some(1) && why.contains("on the data folder"), "{why}");
    drop(other);
    let (code, said, why) = named(&["restore", "--from", text(&backup), "--data", text(&place)]);
    assert!(code == Some(0) && said.contains("with 2 attachments"), "{why}");
    let (code, said, _) = named(&["verify", "--json", "--data", text(&place)]);
    assert_eq!((code, &json(&said)["complaints"]), (Some(0), &14.into()), "{said}");
    let receipt = attach(&data, b"a receipt");
    let receipt = place.join(receipt.strip_prefix(&data).expect("below it"));
    assert_eq!(std::fs::read(receipt).expect("read"), b"a receipt");
    drop(match database {
        None => Running::on(&place),
        Some(url) => Running::start(serve(&place).args(["--not-durable", "--database", url])),
    });
}

fn dropped(url: &str) {
    super::altered(async {
        let url = reference_server::config::DatabaseUrl::of(Some(url), Path::new("")).expect("a URL");
        let reference_server::config::DatabaseUrl::Postgres(url) = url else { panic!("no PostgreSQL") };
        let store = url.options.not_durable().open().await.expect("opens");
        let drop = sqlx::AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", store.schema()));
        sqlx::raw_sql(drop).execute(store.pool()).await.expect("dropped");
    });
}

#[test]
fn a_backup_is_taken_beside_a_server_tried_and_restored() {
    backed_up_and_restored(None);
}

#[test]
fn a_backup_of_postgresql_is_taken_beside_a_server_tried_and_restored() {
    let Some(url) = postgres() else { return };
    backed_up_and_restored(Some(&url));

    // Without the programs of PostgreSQL it is said what is missing.
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("backup");
    let mut backup = program();
    backup.args(["backup", "--database", &url, "--to"]).arg(&to).env("PATH", folder.path());
    let refused = backup.output().expect("runs");
    let said = super::said(&refused);
    assert!(refused.status.code() == Some(1) && said.contains("pg_dump cannot be started"), "{said}");
    assert!(said.contains("must be in the search path") && !to.exists(), "{said}");
}

/// What blocks whoever opens it, until somebody writes to it.
fn fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().expect("runs").success());
}

/// A program that waits for ever, unless it is killed.
struct Stuck(std::process::Child);

impl Stuck {
    fn begin(program: &mut std::process::Command) -> Self {
        Self(program.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("runs"))
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("ended");
    }
}

fn scratches(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    files.filter(|file| file.extension().is_none()).collect()
}

/// A drill that has made its folder and waits for its manifest.
fn drilling(data: &Path, scratch: &Path, stuck: &Path) -> Stuck {
    let mut drill = program();
    drill.args(["drill", "--data", text(data), "--scratch", text(scratch), "--from", text(stuck)]);
    let before = scratches(scratch);
    let child = Stuck::begin(&mut drill);
    while scratches(scratch) == before {
        std::thread::yield_now();
    }
    child
}

#[test]
fn what_a_killed_drill_left_is_removed_by_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let [data, scratch, stuck] = ["data", "scratch", "stuck"].map(|name| folder.path().join(name));
    shop(&data, &format!("sqlite://{}", data.join("complaints.db").display()));
    std::fs::create_dir_all(&scratch).expect("a folder");
    std::fs::create_dir_all(&stuck).expect("a folder");
    fifo(&stuck.join("backup.json"));
    let killed = drilling(&data, &scratch, &stuck);
    drop(killed);
    let left = scratches(&scratch);
    let alive = drilling(&data, &scratch, &stuck);
    // It makes its own and removes what was left, in whichever order.
    let begun = Instant::now();
    let its = loop {
        let its = scratches(&scratch);
        if its.len() == 1 && !left.contains(&its[0]) {
            break its;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "it is still there");
        std::thread::yield_now();
    };
    let (code, _, why) = all(&["drill", "--data", text(&data), "--scratch", text(&scratch)]);
    assert_eq!(code, Some(0), "{why}");
    assert_eq!(scratches(&scratch), its, "what is alive is left alone");
    drop(alive);
}

/// The names that a statement lists in the database of a URL.
fn names(url: &str, statement: &'static str) -> Vec<String> {
    let mut found = Vec::new();
    super::altered(async {
        let url = reference_server::config::DatabaseUrl::of(Some(url), Path::new("")).expect("a URL");
        let reference_server::config::DatabaseUrl::Postgres(url) = url else { panic!("no PostgreSQL") };
        let store = url.options.not_durable().open().await.expect("opens");
        found = sqlx::query_scalar(statement).fetch_all(store.pool()).await.expect("lists");
    });
    found
}

fn drill_databases(url: &str) -> Vec<String> {
    names(url, "SELECT datname::text FROM pg_database WHERE starts_with(datname::text, 'complaint_drill_')")
}

/// Those of them whose drill is alive, as far as the server knows.
fn alive_drills(url: &str) -> Vec<String> {
    names(
        url,
        "SELECT datname::text FROM pg_database JOIN pg_locks ON locktype = 'advisory'
         AND (classid::bigint << 32 | objid::bigint) = hashtextextended(datname::text, 0)",
    )
}

#[test]
fn the_database_that_a_killed_drill_left_is_dropped_by_the_next_one() {
    let Some(url) = postgres() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let [data, scratch, programs] = ["data", "scratch", "programs"].map(|name| folder.path().join(name));
    shop(&data, &url);
    std::fs::create_dir_all(&scratch).expect("a folder");
    std::fs::create_dir_all(&programs).expect("a folder");
    // A pg_restore that never comes to an end by itself, and says where it is.
    let (held, at) = (programs.join("held"), programs.join("at"));
    fifo(&held);
    let stub = format!(
        "#!/bin/sh\necho \"$PGDATABASE\" > {at}.new && mv {at}.new {at}\nread go < {}\n",
        held.display(),
        at = at.display()
    );
    std::fs::write(programs.join("pg_restore"), stub).expect("written");
    std::fs::set_permissions(programs.join("pg_restore"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("set");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let drilling = || {
        let _ = std::fs::remove_file(&at);
        let mut drill = program();
        drill
            .args(["drill", "--data", text(&data), "--scratch", text(&scratch), "--database", &url])
            .env("PATH", &path);
        let child = Stuck::begin(&mut drill);
        while !at.exists() {
            std::thread::yield_now();
        }
        (child, std::fs::read_to_string(&at).expect("read").trim().to_owned())
    };
    let (killed, left) = drilling();
    assert!(drill_databases(&url).contains(&left) && alive_drills(&url).contains(&left));
    drop(killed);
    // The server notices a little later.
    while alive_drills(&url).contains(&left) {}
    let (alive, its) = drilling();
    let there = drill_databases(&url);
    assert!(!there.contains(&left) && there.contains(&its), "{left} {its} {there:?}");
    let (code, _, why) = all(&["drill", "--data", text(&data), "--scratch", text(&scratch), "--database", &url]);
    assert_eq!(code, Some(0), "{why}");
    assert!(drill_databases(&url).contains(&its), "what is alive is left alone");
    drop(alive);
    while alive_drills(&url).contains(&its) {}
    // Both programs that waited go on to their end, and the last drill clears up.
    std::fs::write(&held, "go\ngo\n").expect("written");
    let (code, _, why) = all(&["drill", "--data", text(&data), "--scratch", text(&scratch), "--database", &url]);
    assert_eq!((code, scratches(&scratch).len()), (Some(0), 0), "{why}");
    assert!(!drill_databases(&url).contains(&its));
}
