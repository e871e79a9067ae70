//! Random sequences give the same results and the same errors as the model.

use complaint_core::conformance::agrees_with_the_model;
use complaint_store_sqlx::SqliteStore;
use sqlx::Executor;

/// A failed sequence is told by its seed.
const STEPS: u32 = 60;

#[tokio::test]
async fn three_hundred_sequences_agree_with_the_model_on_sqlite() {
    for seed in 0..300 {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("complaints.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        // Neither power nor process is lost here.
        store.writer().execute("PRAGMA synchronous = OFF").await.unwrap();
        store.migrate().await.unwrap();
        agrees_with_the_model(&store, seed, STEPS).await;
        assert!(store.verify_all().await.unwrap().is_intact(), "seed {seed}");
        store.close().await;
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_hundred_sequences_agree_with_the_model_on_postgresql() {
    for seed in 1_000..1_100 {
        let Some(store) = crate::cluster::fresh().await else { return };
        agrees_with_the_model(&*store, seed, STEPS).await;
        assert!(store.verify_all().await.unwrap().is_intact(), "seed {seed}");
        store.close().await;
    }
}
