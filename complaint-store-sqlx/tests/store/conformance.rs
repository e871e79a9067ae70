//! Every promise of the storage traits, each on a file or in a schema of its own.

use std::ops::Deref;

use complaint_store_sqlx::SqliteStore;

/// A store and the folder it lives in, which goes when the test ends.
struct InFolder {
    store: SqliteStore,
    _folder: tempfile::TempDir,
}

impl Deref for InFolder {
    type Target = SqliteStore;

    fn deref(&self) -> &SqliteStore {
        &self.store
    }
}

async fn fresh() -> InFolder {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let store = SqliteStore::open(&url).await.expect("open");
    store.migrate().await.expect("migrate");
    InFolder { store, _folder: folder }
}

mod sqlite {
    complaint_core::store_conformance!(super::fresh);
}

#[cfg(feature = "postgres")]
mod postgres {
    use crate::cluster::fresh;

    complaint_core::store_conformance!(fresh?);
}
