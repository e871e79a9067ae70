//! The promises of the storage traits as tests, for whoever writes an adapter.
//!
//! ```
//! use std::sync::Arc;
//! # use complaint_core::store::MemoryStore as YourStore;
//! use complaint_core::store::Store;
//!
//! /// An empty store of its own for each test.
//! async fn fresh() -> Arc<dyn Store> {
//!     Arc::new(YourStore::new())
//! }
//!
//! complaint_core::store_conformance!(fresh);
//! ```
//!
//! expands to one `#[tokio::test]` per promise (the adapter needs `tokio` with `macros` and `rt-multi-thread` among its
//! dev-dependencies). `fresh` may return whatever dereferences to a store, so that it can carry a folder or a server
//! that must outlive the test. `store_conformance!(fresh?)` is for one that needs a server which is not there everywhere:
//! `fresh` returns an `Option` and says why, and with `None` the test ends.

#[cfg(test)]
mod broken;
mod cases;
mod chronicle;
mod model;
mod story;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::store::Store;

pub use model::agrees_with_the_model;
pub use story::{Opening, Story, agent_id, both, second, under_key, within};

/// One promise and how it is tried.
///
/// ```
/// use complaint_core::conformance::Case;
/// use complaint_core::store::MemoryStore;
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
///
/// let case = Case::named("the_log_never_changes").expect("a promise");
/// assert_eq!(case.promise, "Entries are unchanged for ever once committed.");
/// case.run(&MemoryStore::new()).await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Case {
    /// The name of the test.
    pub name: &'static str,
    /// What a store promises.
    pub promise: &'static str,
    trial: for<'a> fn(&'a dyn Store) -> Trial<'a>,
}

type Trial<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Case {
    /// Tries the promise on an empty store.
    ///
    /// # Panics
    /// If the store breaks it.
    pub async fn run(&self, store: &dyn Store) {
        (self.trial)(store).await;
    }

    /// The case of a name.
    pub fn named(name: &str) -> Option<&'static Case> {
        CASES.iter().find(|case| case.name == name)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("promise", &self.promise).finish_non_exhaustive()
    }
}

/// One test per promise of [`Store`], for the stores that `$fresh` makes. See the [module](crate::conformance).
#[macro_export]
macro_rules! store_conformance {
    ($fresh:ident ?) => {
        $crate::__each_store_promise! { [$crate::__store_conformance_tests] $fresh ? }
    };
    ($fresh:expr) => {
        $crate::__each_store_promise! { [$crate::__store_conformance_tests] $fresh }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_conformance_tests {
    ($fresh:ident ?; $($name:ident: $promise:literal,)+) => {
        $(
            #[doc = $promise]
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(store) = $fresh().await else { return };
                let case = $crate::conformance::Case::named(stringify!($name)).expect("a case of this name");
                case.run(&*store).await;
            }
        )+
    };
    ($fresh:expr; $($name:ident: $promise:literal,)+) => {
        $(
            #[doc = $promise]
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let store = ($fresh)().await;
                let case = $crate::conformance::Case::named(stringify!($name)).expect("a case of this name");
                case.run(&*store).await;
            }
        )+
    };
}

/// The one list. It becomes [`CASES`] here and tests in an adapter.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_store_promise {
    ([$($then:tt)+] $($with:tt)*) => {
        $($then)+! { $($with)*;
            what_is_committed_is_loaded: "Every commit that was acknowledged is seen whole by the next load, by id and by reference, whatever happened to the complaint.",
            words_come_back_to_the_last_character: "Words come back as they were committed, up to the longest that are let in, of any script and with what is blank around them, wherever they are read.",
            a_change_is_committed_whole: "A commit stores states, entries, notices, workloads and the key of all its parts.",
            a_refused_change_leaves_nothing: "A refused commit leaves no state, entry, notice, workload or key, whichever part was refused.",
            a_stale_version_is_a_conflict: "A version that is not the stored one is refused with the stored one; so is a new complaint whose id is stored.",
            one_of_many_writers_wins: "Of writers with one expected version exactly one wins.",
            a_taken_reference_is_refused: "A reference that another complaint has is refused as such, also where that one is of the same change.",
            a_reference_is_given_once_among_many_writers: "Of writers with one reference exactly one wins.",
            a_ceiling_is_not_exceeded: "A delta that would lift a workload above its ceiling is refused; without a ceiling, or falling, it is applied.",
            a_ceiling_holds_against_many_writers: "Concurrent assignments never exceed a ceiling together.",
            a_limit_of_open_complaints_is_kept: "A change that would leave a customer more open complaints than its limit is refused; what is settled and what others have does not count.",
            a_limit_of_open_complaints_holds_against_many_writers: "Concurrent submissions, and complaints that are taken up again at once, never exceed a limit together.",
            an_agent_never_saved_is_given_nothing: "A positive delta for an agent never saved is refused as such.",
            a_used_key_is_refused_first: "A used idempotency key is refused, before anything else is looked at, and nothing happens.",
            a_key_recalls_what_was_committed: "A key recalls the fingerprint, complaint and version committed under it, and keys of different owners never meet.",
            the_log_is_in_order_without_gaps: "A log is read in order and without gaps, from any place, in any portion, all of it where as much was asked for.",
            the_log_never_changes: "Entries are unchanged for ever once committed.",
            the_log_rebuilds_the_state: "Folding the log gives the stored complaint, bit for bit.",
            a_list_is_what_matches: "A list is exactly what the query matches, whole and in its order, for every scope and filter.",
            pages_give_each_complaint_once: "Following cursors to the end gives each complaint exactly once, whatever the size of a page.",
            words_are_found_by_their_beginnings: "A text finds the complaints in which each of its words begins some word, in any script.",
            what_matches_better_comes_first: "By relevance those come first whose heading has the words, then those whose heading has their beginnings, then those that have the words anywhere.",
            due_work_is_complete_and_oldest_first: "Due complaints come oldest first, and all of them when each batch is worked off.",
            a_summary_counts_what_a_search_finds: "A summary equals counting what a search finds for the scope.",
            an_agent_comes_back_whole: "An agent is found, and stands in the roster, with every field as it was saved last, what they hold, and when they were last given a complaint.",
            saving_an_agent_keeps_what_they_hold: "Saving an agent changes neither their workload nor when they were last given a complaint, which is told also where the workload stays the same.",
            a_workload_is_the_sum_of_open_weights: "A workload equals the sum of the weights of the open complaints an agent holds.",
            the_roster_is_in_the_order_of_ids: "The roster has every agent, the disabled and the absent ones too, in the order of their ids.",
            a_notice_is_held_by_one_courier: "A notice is claimed once while its lease lasts, oldest first, however many couriers there are.",
            an_unsettled_notice_returns: "A notice that was not settled by the end of its lease may be claimed again.",
            a_retry_waits_for_its_instant: "A notice to be retried later is not claimed before that instant.",
            delivered_and_dead_are_final: "A settled notice is never claimed again, and settling it again changes nothing.",
            whoever_comes_late_settles_nothing: "What a courier says of a notice that another one has claimed since changes nothing; as long as nobody has, it counts.",
            what_waits_is_listed_in_the_order_of_ids: "What is neither delivered nor given up is listed once, in the order of ids, whoever holds it.",
            what_is_held_back_keeps_its_tries: "A notice that is held back is not claimed before that instant, and the look at it counts as no attempt.",
            what_was_given_up_is_listed: "What was given up is listed once, from the highest id down, whole and with the reason.",
            what_was_given_up_can_be_revived: "A notice that was given up waits again once it is revived, as a new one does; nothing else is changed by that.",
            what_was_given_up_elsewhere_is_kept: "A notice that was given up in another store is kept as it was given up there, unless one with its id is here.",
        }
    };
}

macro_rules! table {
    (; $($name:ident: $promise:literal,)+) => {
        /// Every promise of [`Store`].
        pub const CASES: &[Case] = &[$(
            Case { name: stringify!($name), promise: $promise, trial: |store| Box::pin(cases::$name(store)) },
        )+];
    };
}

__each_store_promise! { [table] }
