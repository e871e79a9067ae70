//! Every promise of the storage traits, each on a file or in a schema of its own.

use std::ops::Deref;
use std::sync::Arc;

use complaint_core::store::Store;
use complaint_store_sqlx::SqliteStore;

/// A store and the folder it lives in, which goes when the test ends.
struct InFolder<S: ?Sized> {
    store: Arc<S>,
    _folder: tempfile::TempDir,
}

impl<S: ?Sized> Deref for InFolder<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.store
    }
}

async fn fresh() -> InFolder<SqliteStore> {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
    let store = SqliteStore::open(&url).await.expect("open");
    store.migrate().await.expect("migrate");
    InFolder { store: Arc::new(store), _folder: folder }
}

/// As a host keeps it that chooses the engine when it starts.
async fn chosen() -> InFolder<dyn Store> {
    let InFolder { store, _folder: folder } = fresh().await;
    InFolder { store, _folder: folder }
}

mod sqlite {
    complaint_core::store_conformance!(super::fresh);
}

mod sqlite_behind_an_arc {
    complaint_core::store_conformance!(super::chosen);
}

#[cfg(feature = "postgres")]
mod postgres {
    use crate::cluster::fresh;

    complaint_core::store_conformance!(fresh?);
}

#[cfg(feature = "postgres")]
mod postgres_in_a_box {
    use complaint_core::store::Store;

    async fn chosen() -> Option<Box<dyn Store>> {
        Some(crate::cluster::fresh().await?)
    }

    complaint_core::store_conformance!(chosen?);
}
