//! Learned triage at work in a desk: suggestions, complaints without a category, and learning from what was resolved.

use std::sync::{Arc, Mutex, RwLock};

use complaint_core::complaint::Submission;
use complaint_core::desk::Observer;
use complaint_core::id::CategoryKey;
use complaint_core::lifecycle::Status;
use complaint_core::notice::NoticeKind;
use complaint_core::policy::Category;
use complaint_core::store::Change;
use complaint_core::triage::{Classifier, Clues, Confidence, Evidence, IntakeRule, LearnedClassifier, Suggestion};
use complaint_core::{Actor, Complaint, Desk, Policy, Resolution};

use crate::house::{House, agents, customer, names, policy};

fn key(name: &str) -> CategoryKey {
    CategoryKey::new(name).unwrap()
}

fn unsorted() -> CategoryKey {
    key("not yet sorted")
}

fn rule() -> IntakeRule {
    IntakeRule::for_uncategorised(unsorted())
}

/// The two categories of the house, one that is no longer used, and one for what arrives without.
fn catalogue() -> Policy {
    let mut gone = Category::named("Gone").unwrap();
    gone.active = false;
    policy().with_category(gone).with_category(Category::named("Not yet sorted").unwrap())
}

/// Names what it is told to name, in that order; 1000 without a reason.
struct Says(Vec<(&'static str, u16)>);

impl Classifier for Says {
    fn classify(&self, _: &Clues<'_>) -> Vec<Suggestion> {
        let said = |(category, confidence): &(&str, u16)| Suggestion {
            category: key(category),
            confidence: Confidence::new(*confidence).unwrap(),
            spoke: match confidence {
                1000 => Vec::new(),
                _ => vec![Evidence { what: "lid".into(), weight: 900 }],
            },
        };
        self.0.iter().map(said).collect()
    }
}

/// Learns from every change, as a host would.
struct Learner(Arc<RwLock<LearnedClassifier>>, Mutex<u32>);

impl Observer for Learner {
    fn committed(&self, change: &Change) {
        *self.1.lock().unwrap() += self.0.write().unwrap().learn_from(change, &unsorted()).unwrap();
    }
}

async fn arrives(desk: &Desk, submission: Submission) -> Complaint {
    desk.acting_as(customer("john")).submit(submission).await.unwrap().complaint().clone()
}

fn about(category: &str, text: &str) -> Submission {
    Complaint::about(category, "Trouble", text).unwrap()
}

#[tokio::test]
async fn a_sure_suggestion_is_taken_before_it_is_acknowledged_and_routed() {
    let house = House::new(catalogue()).await;
    let desk = house.desk.clone().suggesting(Says(vec![("damaged goods", 800), ("late delivery", 100)]), rule());
    let complaint = arrives(&desk, about("not yet sorted", "The lid is cracked.")).await;
    assert_eq!(complaint.category, key("damaged goods"));
    assert_eq!(complaint.status, Status::Assigned, "it went to somebody skilled for the category found");
    let log = desk.whole_log(complaint.id).await.unwrap();
    assert_eq!(names(&log), ["submitted", "triaged", "revised", "acknowledged", "assigned"]);
    let changes = house.changes.0.lock().unwrap().clone();
    let told = changes.iter().flat_map(complaint_core::store::Change::notices).map(|notice| notice.kind);
    assert!(!told.collect::<Vec<_>>().contains(&NoticeKind::Revised), "nothing else was said before the receipt");
    assert_eq!(log[1].by, *Actor::system().party());
    assert!(log[1].words.text("reason").starts_with("Suggested by the classifier (80 %): lid"));
    assert!(log.iter().all(|entry| entry.version.get() == 1), "all of it is one change");
    assert!(desk.replays(complaint.id).await.unwrap());
}

#[tokio::test]
async fn an_unsure_suggestion_leaves_it_to_people() {
    let house = House::new(catalogue()).await;
    let desk = house.desk.clone().suggesting(Says(vec![("damaged goods", 799)]), rule());
    let complaint = arrives(&desk, about("not yet sorted", "Hm.")).await;
    assert_eq!((complaint.category, complaint.status), (unsorted(), Status::Queued));
    let groundless = house.desk.clone().suggesting(Says(vec![("damaged goods", 1000)]), rule());
    assert_eq!(arrives(&groundless, about("not yet sorted", "Hm.")).await.category, unsorted());
    let bolder = house
        .desk
        .clone()
        .suggesting(Says(vec![("damaged goods", 799)]), rule().at_least(Confidence::new(700).unwrap()));
    assert_eq!(arrives(&bolder, about("not yet sorted", "Hm.")).await.category, key("damaged goods"));
}

#[tokio::test]
async fn a_chosen_category_is_never_changed() {
    let house = House::new(catalogue()).await;
    let desk = house.desk.clone().suggesting(Says(vec![("damaged goods", 999)]), rule());
    let chosen = about("late delivery", "The lid is cracked.");
    assert_eq!(desk.suggest(&chosen)[0].category, key("damaged goods"), "it is only suggested");
    assert_eq!(arrives(&desk, chosen).await.category, key("late delivery"));
}

#[tokio::test]
async fn only_what_can_be_chosen_is_suggested() {
    let house = House::new(catalogue()).await;
    let says = Says(vec![("gone", 990), ("unheard of", 980), ("not yet sorted", 970), ("late delivery", 100)]);
    let desk = house.desk.clone().suggesting(says, rule());
    let submission = about("not yet sorted", "Hm.");
    let names: Vec<CategoryKey> = desk.suggest(&submission).into_iter().map(|it| it.category).collect();
    assert_eq!(names, [key("late delivery")]);
    assert_eq!(arrives(&desk, submission.clone()).await.category, unsorted());
    assert_eq!(house.desk.suggest(&submission), [], "without a classifier there are no suggestions");
}

#[tokio::test]
async fn a_desk_learns_from_what_was_resolved_once_each() {
    let house = House::with(catalogue(), agents()).await;
    let model = Arc::new(RwLock::new(LearnedClassifier::new()));
    let learner = Arc::new(Learner(model.clone(), Mutex::new(0)));
    let desk = house.desk.clone().suggesting(model.clone(), rule()).watched_by(learner.clone());
    let texts = [("damaged goods", "The lid is cracked."), ("late delivery", "The parcel has not come.")];
    for _ in 0..30 {
        for (category, text) in texts {
            let id = arrives(&desk, about(category, text)).await.id;
            let handler = house.state(id).await.handler.unwrap();
            let handler = desk.acting_as(crate::house::agent(handler.as_str()));
            handler.begin(id).await.unwrap();
            handler.resolve(id, Resolution::upheld("So it is.").apologising()).await.unwrap();
            desk.acting_as(customer("john")).accept(id).await.unwrap();
        }
    }
    assert_eq!(*learner.1.lock().unwrap(), 60);
    assert_eq!(model.read().unwrap().lessons(), 60);
    let found = arrives(&desk, about("not yet sorted", "My parcel has not come!")).await;
    assert_eq!(found.category, key("late delivery"));
    let reason = desk.whole_log(found.id).await.unwrap()[1].words.text("reason");
    assert!(reason.contains("parcel"), "{reason}");
    let odd = arrives(&desk, about("not yet sorted", "Quite another thing.")).await;
    assert_eq!(odd.category, unsorted(), "nothing speaks for either");
}
