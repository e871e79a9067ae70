//! Changes that come at once share a transaction and its way to the disk.
//!
//! A way to the disk takes longer than everything else about a change. Those that come while another is on it wait in
//! line, and then go all together, each in a savepoint of its own. How deliveries ended goes the same way.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use complaint_core::store::StoreError;
use tokio::sync::oneshot;

use super::complaints::{write, write_whole};
use super::outbox::Settled;
use super::{SqliteStore, fault};
use crate::rows::Rows;

/// The most that go together. More gain nothing: the way to the disk is a small part of their time by then, and the
/// first of them would wait for the last.
const TOGETHER: usize = 128;

/// Who waits for the writer.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    line: VecDeque<One>,
    /// Whether somebody takes from the line.
    served: bool,
}

struct One {
    work: Work,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

enum Work {
    Change(Box<Rows>),
    Settlement(Settled),
}

impl Line {
    /// Commits a change, with whatever else waits.
    pub(super) async fn commit(self: &Arc<Self>, store: &SqliteStore, rows: Rows) -> Result<(), StoreError> {
        self.join(store, Work::Change(Box::new(rows))).await
    }

    /// Commits how a delivery ended, with whatever else waits.
    pub(super) async fn settle(self: &Arc<Self>, store: &SqliteStore, settled: Settled) -> Result<(), StoreError> {
        self.join(store, Work::Settlement(settled)).await
    }

    async fn join(self: &Arc<Self>, store: &SqliteStore, work: Work) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let serve = {
            let mut waiting = self.waiting();
            waiting.line.push_back(One { work, answer });
            !std::mem::replace(&mut waiting.served, true)
        };
        if serve {
            // Not in the future of a caller: if that is dropped, the others' changes must not stay where they are.
            let serving = Serving { line: Arc::clone(self), ended: false };
            tokio::spawn(serving.take_until_empty(store.clone()));
        }
        // Only if the runtime ends meanwhile.
        answered.await.unwrap_or_else(|gone| Err(StoreError::OutcomeUnknown(Box::new(gone))))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes from the line until nobody waits, or until the runtime ends.
struct Serving {
    line: Arc<Line>,
    ended: bool,
}

impl Serving {
    async fn take_until_empty(mut self, store: SqliteStore) {
        loop {
            let together: Vec<One> = {
                let mut waiting = self.line.waiting();
                let many = waiting.line.len().min(TOGETHER);
                if many == 0 {
                    // Under the same lock, so that nobody comes to a line that is served no more.
                    waiting.served = false;
                    self.ended = true;
                    return;
                }
                waiting.line.drain(..many).collect()
            };
            commit_together(&store, together).await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // By the end of the runtime: who comes with another one finds an empty line.
        let mut waiting = self.line.waiting();
        waiting.line.clear();
        waiting.served = false;
    }
}

async fn commit_together(store: &SqliteStore, mut together: Vec<One>) {
    let mut tx = match store.begin().await {
        Ok(tx) => tx,
        Err(error) => return tell_all(together, &Trouble::from(error)),
    };
    // Who has gone before it began has nothing done.
    together.retain(|one| !one.answer.is_closed());
    let alone = together.len() == 1;
    let mut outcomes = Vec::with_capacity(together.len());
    for one in &together {
        let outcome = match &one.work {
            Work::Change(rows) if alone => write(&mut tx, rows).await,
            Work::Change(rows) => write_whole(&mut tx, rows).await,
            Work::Settlement(settled) => settled.write(&mut tx).await,
        };
        match outcome {
            Err(error) if !is_refusal(&error) => {
                // The engine may have rolled back everything before it, too.
                let _ = tx.rollback().await;
                if alone {
                    tell_all(together, &Trouble::from(error));
                } else {
                    commit_apart(store, together).await;
                }
                return;
            }
            outcome => outcomes.push(outcome),
        }
    }
    if outcomes.iter().all(Result::is_err) {
        let _ = tx.rollback().await;
        return tell(together, outcomes);
    }
    match tx.commit().await {
        Ok(()) => tell(together, outcomes),
        Err(error) => {
            let trouble = Trouble::from(fault::commit_meaning(error));
            // Who was refused may have been refused because of another that is in doubt now; nothing of theirs was done.
            let told = outcomes.into_iter().map(|outcome| match outcome {
                Ok(()) => Err(trouble.told()),
                Err(_) => Err(StoreError::Unavailable("what it was refused behind was not committed".into())),
            });
            tell(together, told.collect());
        }
    }
}

/// Each by itself, so that the trouble is told to the one who has it.
async fn commit_apart(store: &SqliteStore, together: Vec<One>) {
    for one in together {
        // Boxed, because it comes back to where it was called; never twice, for one alone is not taken apart.
        Box::pin(commit_together(store, vec![one])).await;
    }
}

/// What the rules of storage say, and not the engine: the transaction is as good as before.
fn is_refusal(error: &StoreError) -> bool {
    !matches!(error, StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_) | StoreError::Unusable(_))
}

fn tell(together: Vec<One>, outcomes: Vec<Result<(), StoreError>>) {
    for (one, outcome) in together.into_iter().zip(outcomes) {
        // Who has gone need not be told.
        let _ = one.answer.send(outcome);
    }
}

fn tell_all(together: Vec<One>, trouble: &Trouble) {
    for one in together {
        let _ = one.answer.send(Err(trouble.told()));
    }
}

/// An error that is told to several.
enum Trouble {
    Passing(Shared),
    Unknown(Shared),
    Lasting(String),
}

#[derive(Debug, Clone)]
struct Shared(Arc<dyn Error + Send + Sync>);

impl Trouble {
    fn told(&self) -> StoreError {
        match self {
            Self::Passing(shared) => StoreError::Unavailable(Box::new(shared.clone())),
            Self::Unknown(shared) => StoreError::OutcomeUnknown(Box::new(shared.clone())),
            Self::Lasting(why) => StoreError::Unusable(why.clone()),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(source) => Self::Passing(Shared(source.into())),
            StoreError::OutcomeUnknown(source) => Self::Unknown(Shared(source.into())),
            StoreError::Unusable(why) => Self::Lasting(why),
            other => Self::Lasting(other.to_string()),
        }
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Debug for One {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("One").finish_non_exhaustive()
    }
}
