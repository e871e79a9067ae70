//! A file that is write-protected: changes are refused clearly, and taken again as soon as it is not, by the same process.

#![cfg(unix)]

use std::fs::{Permissions, metadata, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use complaint_core::agent::Agent;
use complaint_core::conformance::{Opening, Story};
use complaint_core::store::{AgentStore as _, ComplaintStore as _, StoreError};
use complaint_store_sqlx::SqliteStore;

use crate::process::{Process, STORE, arguments, told};

#[test]
fn a_file_is_written_to_as_soon_as_it_is_not_protected() {
    let folder = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    // No protection binds the superuser, until they give up the right to pass over it.
    let mut command = if metadata(folder.path()).unwrap().uid() == 0 {
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps=-all", "--bounding-set=-all"]).arg(this);
        command
    } else {
        Command::new(this)
    };
    command.args(arguments("protected::a_process_bound_by_protection"));
    let mut process = Process::of(command, &[(STORE, folder.path().display().to_string())]);
    assert_eq!(process.line().as_deref(), Some("done"));
    assert!(process.end().success());
}

#[tokio::test]
#[ignore = "a process of another test"]
async fn a_process_bound_by_protection() {
    let Some(folder) = told(STORE) else { return };
    let file = Path::new(&folder).join("complaints.db");
    let protect = |mode| set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    let open = async || SqliteStore::open(&format!("sqlite:{}", file.display())).await.unwrap();
    let refused = |answer: Result<(), StoreError>| match answer {
        Err(StoreError::Unusable(why)) => assert!(why.contains("readonly database"), "{why}"),
        other => panic!("{other:?} instead of unusable"),
    };
    let store = open().await;
    store.migrate().await.unwrap();
    store.commit(&Story::open(&Opening::numbered(1)).1).await.unwrap();
    store.close().await;

    for (number, is_tried) in [(2, false), (3, true)] {
        let (coming, opened) = Story::open(&Opening::numbered(number));
        protect(0o444);
        let store = open().await;
        assert!(store.due(coming.state().received_at, 10).await.is_ok(), "it can be read");
        if is_tried {
            refused(store.commit(&opened).await);
            refused(store.save(&Agent::named("asha", "Asha").unwrap()).await);
        }
        protect(0o644);
        store.commit(&opened).await.unwrap_or_else(|error| panic!("{number}: {error:?}"));
        store.save(&Agent::named("asha", "Asha").unwrap()).await.unwrap();
        // What the first of these processes left beside the file is as open as the file.
        let another = open().await;
        assert_eq!(another.load(coming.id()).await.unwrap().as_ref(), Some(coming.state()));
        another.commit(&Story::open(&Opening::numbered(number + 10)).1).await.unwrap();
        another.close().await;
        store.close().await;
    }
    crate::process::say("done");
}
