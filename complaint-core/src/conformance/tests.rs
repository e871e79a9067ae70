//! The model keeps every promise, and for each promise there is a store that breaks it and is found out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::broken::{Broken, Calls, Fault};
use super::chronicle::chronicle;
use super::{CASES, Case};
use crate::complaint::EventName;
use crate::lifecycle::Status;
use crate::store::{Change, Part, Store};

mod memory {
    use std::future::{Ready, ready};

    use crate::store::MemoryStore;

    fn fresh() -> Ready<Box<MemoryStore>> {
        ready(Box::new(MemoryStore::new()))
    }

    crate::store_conformance!(fresh);
}

mod behind_an_arc {
    use std::future::{Ready, ready};
    use std::sync::Arc;

    use crate::store::{MemoryStore, Store};

    fn fresh() -> Ready<Arc<dyn Store>> {
        ready(Arc::new(MemoryStore::new()))
    }

    crate::store_conformance!(fresh);
}

mod nowhere {
    use std::future::{Ready, ready};

    use crate::store::MemoryStore;

    fn fresh() -> Ready<Option<Box<MemoryStore>>> {
        ready(None)
    }

    crate::store_conformance!(fresh?);
}

/// Which fault is found by which case; every case is here.
const FOUND: &[(Fault, &str)] = &[
    (Fault::LoadsWhatWas, "what_is_committed_is_loaded"),
    (Fault::FindsNoReference, "what_is_committed_is_loaded"),
    (Fault::FindsNoReferenceOfTheFinished, "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("segments"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("promises of the law"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("remedies"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("attachments"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("exclusions"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("proposal"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("question"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("routing"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("feedback"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("dismissal"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("end elsewhere"), "what_is_committed_is_loaded"),
    (Fault::ForgetsOfComplaints("consents"), "what_is_committed_is_loaded"),
    (Fault::LosesWords("after 255 characters", "load"), "words_come_back_to_the_last_character"),
    (Fault::LosesWords("after 4000 characters", "load"), "words_come_back_to_the_last_character"),
    (Fault::LosesWords("blanks before", "by_reference"), "words_come_back_to_the_last_character"),
    (Fault::LosesWords("after 255 characters", "log"), "words_come_back_to_the_last_character"),
    (Fault::LosesWords("blanks behind", "log"), "words_come_back_to_the_last_character"),
    (Fault::LosesWords("after 4000 characters", "search"), "words_come_back_to_the_last_character"),
    (Fault::LosesWords("blanks behind", "search"), "words_come_back_to_the_last_character"),
    (Fault::LosesWords("after 65535 bytes", "claim"), "words_come_back_to_the_last_character"),
    (Fault::LosesTheSecondPart, "a_change_is_committed_whole"),
    (Fault::LosesTheLog, "a_change_is_committed_whole"),
    (Fault::LosesTheOutbox, "a_change_is_committed_whole"),
    (Fault::LosesTheWorkload, "a_change_is_committed_whole"),
    (Fault::ForgetsKeys, "a_change_is_committed_whole"),
    (Fault::CommitsHalf, "a_refused_change_leaves_nothing"),
    (Fault::KeepsKeysOfTheRefused, "a_refused_change_leaves_nothing"),
    (Fault::IgnoresVersions, "a_stale_version_is_a_conflict"),
    (Fault::MistakesTheVersion, "a_stale_version_is_a_conflict"),
    (Fault::OpensAgain, "a_stale_version_is_a_conflict"),
    (Fault::IgnoresVersions, "one_of_many_writers_wins"),
    (Fault::ChecksVersionsTooEarly, "one_of_many_writers_wins"),
    (Fault::SwallowsTakenReferences, "a_taken_reference_is_refused"),
    (Fault::CallsTakenReferencesConflicts, "a_taken_reference_is_refused"),
    (Fault::ChecksPartsTooEarly, "a_taken_reference_is_refused"),
    (Fault::ChecksReferencesTooEarly, "a_reference_is_given_once_among_many_writers"),
    (Fault::IgnoresCeilings, "a_ceiling_is_not_exceeded"),
    (Fault::AssumesCeilings, "a_ceiling_is_not_exceeded"),
    (Fault::RefusesToFall, "a_ceiling_is_not_exceeded"),
    (Fault::ChecksCeilingsTooEarly, "a_ceiling_holds_against_many_writers"),
    (Fault::IgnoresOpenLimits, "a_limit_of_open_complaints_is_kept"),
    (Fault::CountsTheOpenOfOthers, "a_limit_of_open_complaints_is_kept"),
    (Fault::CountsTheFinished, "a_limit_of_open_complaints_is_kept"),
    (Fault::ChecksOpenLimitsTooEarly, "a_limit_of_open_complaints_holds_against_many_writers"),
    (Fault::AcceptsUnknownAgents, "an_agent_never_saved_is_given_nothing"),
    (Fault::ForgetsKeys, "a_used_key_is_refused_first"),
    (Fault::LooksAtKeysLast, "a_used_key_is_refused_first"),
    (Fault::ForgetsKeys, "a_key_recalls_what_was_committed"),
    (Fault::RecallsLate, "a_key_recalls_what_was_committed"),
    (Fault::MixesOwnersOfKeys, "a_key_recalls_what_was_committed"),
    (Fault::JoinsOwnersAndKeys, "a_key_recalls_what_was_committed"),
    (Fault::FoldsTheCaseOfKeys, "a_key_recalls_what_was_committed"),
    (Fault::ReversesLogs, "the_log_is_in_order_without_gaps"),
    (Fault::LeavesGapsInLogs, "the_log_is_in_order_without_gaps"),
    (Fault::LogsFromTheBeginning, "the_log_is_in_order_without_gaps"),
    (Fault::IgnoresTheLogLimit, "the_log_is_in_order_without_gaps"),
    (Fault::LogsFiftyAtMost, "the_log_is_in_order_without_gaps"),
    (Fault::MixesLogs, "the_log_is_in_order_without_gaps"),
    (Fault::RewritesLogs, "the_log_never_changes"),
    (Fault::ErasesWords, "the_log_rebuilds_the_state"),
    (Fault::ForgetsCandidates, "the_log_rebuilds_the_state"),
    (Fault::IgnoresScopes, "a_list_is_what_matches"),
    (Fault::IgnoresInstants, "a_list_is_what_matches"),
    (Fault::Ignores("statuses"), "a_list_is_what_matches"),
    (Fault::Ignores("category"), "a_list_is_what_matches"),
    (Fault::Ignores("handlers"), "a_list_is_what_matches"),
    (Fault::Ignores("customer"), "a_list_is_what_matches"),
    (Fault::Ignores("level"), "a_list_is_what_matches"),
    (Fault::Ignores("promised_before"), "a_list_is_what_matches"),
    (Fault::Ignores("missed"), "a_list_is_what_matches"),
    (Fault::Ignores("text"), "a_list_is_what_matches"),
    (Fault::IgnoresTheOrder, "a_list_is_what_matches"),
    (Fault::OmitsAComplaint, "a_list_is_what_matches"),
    (Fault::OmitsTheMerged, "a_list_is_what_matches"),
    (Fault::ListsWithoutRemedies, "a_list_is_what_matches"),
    (Fault::LosesTies, "pages_give_each_complaint_once"),
    (Fault::IgnoresThePageLimit, "pages_give_each_complaint_once"),
    (Fault::OmitsAComplaint, "pages_give_each_complaint_once"),
    (Fault::PromisesAnotherPage, "pages_give_each_complaint_once"),
    (Fault::SearchesAsciiOnly, "words_are_found_by_their_beginnings"),
    (Fault::SearchesAsTyped, "words_are_found_by_their_beginnings"),
    (Fault::SearchesNoProducts, "words_are_found_by_their_beginnings"),
    (Fault::RanksNothing, "what_matches_better_comes_first"),
    (Fault::LosesDueWork, "due_work_is_complete_and_oldest_first"),
    (Fault::ReversesDueWork, "due_work_is_complete_and_oldest_first"),
    (Fault::IgnoresTheInstantOfDueWork, "due_work_is_complete_and_oldest_first"),
    (Fault::NeverMovesDueWork, "due_work_is_complete_and_oldest_first"),
    (Fault::IgnoresTheDueLimit, "due_work_is_complete_and_oldest_first"),
    (Fault::CountsEverything, "a_summary_counts_what_a_search_finds"),
    (Fault::CountsNothingMissed, "a_summary_counts_what_a_search_finds"),
    (Fault::CountsAnonymousRatings, "a_summary_counts_what_a_search_finds"),
    (Fault::FoldsTheCaseOfCustomers, "a_summary_counts_what_a_search_finds"),
    (Fault::ForgetsOfAgents("name"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("level"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("skills"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("areas"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("languages"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("capacity"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("enabled"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("absence"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("reports_to"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("shift"), "an_agent_comes_back_whole"),
    (Fault::ForgetsOfAgents("conflicts"), "an_agent_comes_back_whole"),
    (Fault::ForgetsAssignments, "an_agent_comes_back_whole"),
    (Fault::HidesTheDisabled, "an_agent_comes_back_whole"),
    (Fault::HidesTheDisabled, "the_roster_is_in_the_order_of_ids"),
    (Fault::SavesAgentsOnce, "saving_an_agent_keeps_what_they_hold"),
    (Fault::SavesAgentsAnew, "saving_an_agent_keeps_what_they_hold"),
    (Fault::SavesWorkloadsAnew, "saving_an_agent_keeps_what_they_hold"),
    (Fault::SavesWhatWasRead, "saving_an_agent_keeps_what_they_hold"),
    (Fault::SkipsWhatAddsNothing, "saving_an_agent_keeps_what_they_hold"),
    (Fault::OnlyAddsWorkload, "a_workload_is_the_sum_of_open_weights"),
    (Fault::FindsNobody, "the_roster_is_in_the_order_of_ids"),
    (Fault::OmitsAnAgent, "the_roster_is_in_the_order_of_ids"),
    (Fault::ReversesTheRoster, "the_roster_is_in_the_order_of_ids"),
    (Fault::ClaimsTooEarly, "a_notice_is_held_by_one_courier"),
    (Fault::ClaimsTheNewest, "a_notice_is_held_by_one_courier"),
    (Fault::ClaimsAsTheyCame, "a_notice_is_held_by_one_courier"),
    (Fault::IgnoresTheClaimLimit, "a_notice_is_held_by_one_courier"),
    (Fault::LeasesNothing, "a_notice_is_held_by_one_courier"),
    (Fault::LeasesForEver, "an_unsettled_notice_returns"),
    (Fault::CountsNoAttempts, "an_unsettled_notice_returns"),
    (Fault::RetriesAtOnce, "a_retry_waits_for_its_instant"),
    (Fault::SettlesNothing, "delivered_and_dead_are_final"),
    (Fault::BuriesNothing, "delivered_and_dead_are_final"),
    (Fault::RevivesTheSettled, "delivered_and_dead_are_final"),
    (Fault::SettlesForAnybody, "whoever_comes_late_settles_nothing"),
    (Fault::SettlesNothingLate, "whoever_comes_late_settles_nothing"),
    (Fault::HidesTheHeld, "what_waits_is_listed_in_the_order_of_ids"),
    (Fault::ListsFromTheBeginning, "what_waits_is_listed_in_the_order_of_ids"),
    (Fault::IgnoresTheWaitingLimit, "what_waits_is_listed_in_the_order_of_ids"),
    (Fault::ReversesTheOutbox, "what_waits_is_listed_in_the_order_of_ids"),
    (Fault::CountsWhatIsHeld, "what_is_held_back_keeps_its_tries"),
    (Fault::HoldsNothingBack, "what_is_held_back_keeps_its_tries"),
    (Fault::ListsTheDeadFromTheBeginning, "what_was_given_up_is_listed"),
    (Fault::IgnoresTheDeadLimit, "what_was_given_up_is_listed"),
    (Fault::ForgetsWhy, "what_was_given_up_is_listed"),
    (Fault::RevivesNothing, "what_was_given_up_can_be_revived"),
    (Fault::RevivesLeases, "what_was_given_up_can_be_revived"),
    (Fault::BuriesAnew, "what_was_given_up_elsewhere_is_kept"),
    (Fault::BuriesTheLiving, "what_was_given_up_elsewhere_is_kept"),
];

/// Which of equally many notices a claim takes is left to a store, so a sequence asks for all of them, and at no moment before
/// they are planned; agents are looked up by the roster, and nothing
/// comes from another store.
const BY_CASES_ALONE: &[Fault] = &[
    Fault::ClaimsTheNewest,
    Fault::ClaimsAsTheyCame,
    Fault::IgnoresTheClaimLimit,
    Fault::FindsNobody,
    Fault::BuriesAnew,
    Fault::BuriesTheLiving,
    // Whose letters and signs differ in nothing but these, who rates anonymously, and what is of a product is in no sequence.
    Fault::JoinsOwnersAndKeys,
    Fault::FoldsTheCaseOfKeys,
    Fault::FoldsTheCaseOfCustomers,
    Fault::CountsAnonymousRatings,
    Fault::SearchesNoProducts,
    Fault::ChecksPartsTooEarly,
    // A sequence does one thing after the other.
    Fault::ChecksReferencesTooEarly,
    Fault::SavesWhatWasRead,
    // What these lose, the short life of a complaint in a sequence does not bring.
    Fault::ForgetsCandidates,
    Fault::LogsFiftyAtMost,
    Fault::OmitsTheMerged,
    Fault::ListsWithoutRemedies,
];

#[tokio::test]
async fn each_promise_broken_on_purpose_is_found() {
    let covered: BTreeSet<&str> = FOUND.iter().map(|(_, case)| *case).collect();
    assert_eq!(covered, CASES.iter().map(|case| case.name).collect(), "a case that nothing proves able to fail");
    for (fault, case) in FOUND {
        assert!(fails(Broken::by(*fault), case).await, "{case} did not find {fault:?}");
    }
}

#[tokio::test]
async fn together_the_cases_reach_every_method() {
    let methods: [fn(&Calls) -> &AtomicUsize; 17] = [
        |c| &c.load,
        |c| &c.by_reference,
        |c| &c.commit,
        |c| &c.log,
        |c| &c.search,
        |c| &c.due,
        |c| &c.recall,
        |c| &c.summary,
        |c| &c.save,
        |c| &c.find,
        |c| &c.roster,
        |c| &c.claim,
        |c| &c.settle,
        |c| &c.waiting,
        |c| &c.dead,
        |c| &c.revive,
        |c| &c.bury,
    ];
    let calls = Arc::new(Calls::default());
    for case in CASES {
        case.run(&Broken::by(Fault::None).counted_by(&calls)).await;
    }
    for (at, method) in methods.iter().enumerate() {
        assert!(method(&calls).load(Ordering::Relaxed) > 0, "method {at} is never called");
    }
}

#[tokio::test]
async fn random_sequences_agree_with_the_model_and_find_what_is_broken() {
    for seed in 0..50 {
        super::agrees_with_the_model(&Broken::by(Fault::None), seed, 60).await;
    }
    let by_cases_alone = |fault| {
        // Neither a long life nor a long text is in any sequence.
        BY_CASES_ALONE.contains(fault) || matches!(fault, Fault::ForgetsOfComplaints(_) | Fault::LosesWords(..))
    };
    for (fault, _) in FOUND.iter().filter(|(fault, _)| !by_cases_alone(fault)) {
        let mut found = false;
        for seed in 0..80 {
            let store = Broken::by(*fault);
            let trial = async move { super::agrees_with_the_model(&store, seed, 60).await };
            // On a task of its own, because a difference panics.
            if tokio::spawn(trial).await.is_err() {
                found = true;
                break;
            }
        }
        assert!(found, "no sequence found {fault:?}");
    }
}

#[test]
fn the_chronicle_has_been_through_everything() {
    let changes = chronicle();
    let parts = || changes.iter().flat_map(Change::parts);
    let entries = || parts().flat_map(Part::entries);
    let statuses: BTreeSet<Status> = parts().map(|part| part.after().status).collect();
    assert_eq!(statuses, Status::ALL.into());
    let events: BTreeSet<EventName> = entries().map(|entry| entry.event.name()).collect();
    assert_eq!(
        EventName::ALL.iter().filter(|name| !events.contains(name)).collect::<Vec<_>>(),
        [&EventName::Submitted; 0]
    );
    let windings: BTreeSet<_> =
        entries().flat_map(|entry| &entry.clocks).map(std::mem::discriminant).map(|it| format!("{it:?}")).collect();
    assert_eq!(
        windings.len(),
        fields(include_str!("../deadline/mod.rs"), "enum ClockChange", "    ").len(),
        "{windings:?}"
    );
    let most = parts().flat_map(|part| &part.after().deadlines).map(|deadline| deadline.segments.len()).max();
    assert!(most >= Some(5), "no clock that paused twice");

    let mut filled = BTreeSet::new();
    for part in parts() {
        gather(&serde_json::to_value(part.after()).expect("JSON"), "", &mut filled);
    }
    let state = include_str!("../complaint/state.rs");
    let decision = include_str!("../complaint/decision.rs");
    let remedy = include_str!("../complaint/remedy.rs");
    let deadline = include_str!("../deadline/mod.rs");
    let routing = include_str!("../routing/mod.rs");
    for (source, name, path) in [
        (state, "Complaint", ""),
        (state, "Contact", "/contact"),
        (state, "Exclusion", "/exclusions/*"),
        (state, "Escalation", "/escalations/*"),
        (state, "Question", "/question"),
        (decision, "Proposal", "/proposal"),
        (decision, "Decision", "/resolutions/*"),
        (decision, "Dismissal", "/dismissal"),
        (remedy, "RemedyPromise", "/remedies/*"),
        (remedy, "Remedy", "/remedies/*/remedy"),
        (remedy, "RemedyStep", "/remedies/*/failed"),
        (include_str!("../complaint/feedback.rs"), "Feedback", "/feedback/*"),
        (include_str!("../complaint/submission.rs"), "Attachment", "/attachments/*"),
        (include_str!("../complaint/submission.rs"), "Item", "/items/*"),
        (deadline, "Deadline", "/deadlines/*"),
        (deadline, "LegalPromise", "/deadlines/*/promise"),
        (deadline, "Ended", "/deadlines/*/ended"),
        (deadline, "Segment", "/deadlines/*/segments/*"),
        (routing, "Routing", "/routing"),
        (routing, "Candidate", "/routing/candidates/*"),
    ] {
        let fields = fields(source, &format!("struct {name}"), "    pub ");
        assert!(!fields.is_empty(), "{name}");
        for field in fields {
            assert!(filled.contains(&format!("{path}/{field}")), "{name}.{field} is never filled");
        }
    }
}

/// The names that a declaration has, each on a line that begins so.
fn fields<'a>(source: &'a str, declaration: &str, begin: &str) -> Vec<&'a str> {
    let body = source.split_once(&format!("pub {declaration} {{\n")).map_or("", |(_, body)| body);
    let body = body.split_once("\n}").map_or("", |(body, _)| body);
    let name = |line: &'a str| line.strip_prefix(begin)?.split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
    body.lines().filter_map(name).filter(|name| !name.is_empty()).collect()
}

/// The paths at which something is said, with `*` for any place of a list.
fn gather(value: &Value, path: &str, filled: &mut BTreeSet<String>) {
    let says_something = match value {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::Number(it) => it.as_f64() != Some(0.0),
        Value::String(it) => !it.is_empty(),
        Value::Array(items) => {
            for item in items {
                gather(item, &format!("{path}/*"), filled);
            }
            !items.is_empty()
        }
        Value::Object(members) => {
            for (key, member) in members {
                gather(member, &format!("{path}/{key}"), filled);
            }
            !members.is_empty()
        }
    };
    if says_something {
        filled.insert(path.to_owned());
    }
}

async fn fails(store: Broken, case: &str) -> bool {
    let case = Case::named(case).expect("a case of this name");
    // On a task of its own, because a broken promise panics.
    tokio::spawn(async move { case.run(&store as &dyn Store).await }).await.is_err()
}
