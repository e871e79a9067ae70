//! What is kept of accounts in a file that was write-protected is written again as soon as it is not, by the same process.

#![cfg(unix)]

use std::fs::{Permissions, metadata, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use reference_server::auth::SqliteAccounts;
use reference_server::preferences::kept::KeptPreferences as _;

/// Set in a process that is bound by protection: its folder.
const FOLDER: &str = "COMPLAINT_PROTECTED_FOLDER";

#[test]
fn accounts_are_kept_again_as_soon_as_their_file_is_not_protected() {
    let folder = tempfile::tempdir().expect("a folder");
    let this = std::env::current_exe().expect("a path");
    // No protection binds the superuser, until they give up the right to pass over it.
    let mut command = if metadata(folder.path()).expect("a folder").uid() == 0 {
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps=-all", "--bounding-set=-all"]).arg(this);
        command
    } else {
        Command::new(this)
    };
    command.args(["--exact", "protected::a_process_bound_by_protection", "--ignored", "--nocapture"]);
    let ended = command.env(FOLDER, folder.path()).output().expect("runs");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("=> done"), "{said}{}", String::from_utf8_lossy(&ended.stderr));
}

#[tokio::test]
#[ignore = "a process of another test"]
async fn a_process_bound_by_protection() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let file = Path::new(&folder).join("complaints.db");
    let protect = |mode| {
        for name in ["complaints.db", "complaints.db-wal", "complaints.db-shm"] {
            let file = Path::new(&folder).join(name);
            if file.exists() {
                set_permissions(file, Permissions::from_mode(mode)).expect("set");
            }
        }
    };
    SqliteAccounts::open_file(&file, true).await.expect("opens").close().await;
    protect(0o444);
    let accounts = SqliteAccounts::open_file(&file, true).await.expect("it can be read");
    let refused = accounts.key("trial", [7; 32]).await.expect_err("it is protected");
    let cause = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("readonly database"), "{refused:?}");
    protect(0o644);
    assert_eq!(accounts.key("trial", [7; 32]).await.expect("it is not protected any more"), [7; 32]);
    accounts.close().await;
    println!("=> done");
}
