//! What a submission must have.

use super::{FailedGuard, Guard, Scene, fault, fits, given_line, latest_today, open_limit_faults};
use crate::actor::Party;
use crate::complaint::Submission;
use crate::text;

pub(super) fn look_at_submission(scene: &Scene<'_>, submission: &Submission, guard: Guard) -> Vec<FailedGuard> {
    let policy = scene.context.policy;
    match guard {
        Guard::CategoryKnown => match policy.category(&submission.category) {
            Some(category) if category.active => Vec::new(),
            _ => vec![FailedGuard::input(
                "unknown_category",
                "category",
                format!("`{}` cannot be complained about here", submission.category),
                "choose a category of the catalogue",
            )],
        },
        Guard::OpenComplaintLimit => open_limit_faults(scene),
        Guard::SubmissionComplete => submission_faults(scene, submission),
        _ => Vec::new(),
    }
}

#[expect(clippy::too_many_lines, reason = "one paragraph per field, in the order of the submission")]
fn submission_faults(scene: &Scene<'_>, submission: &Submission) -> Vec<FailedGuard> {
    let mut failed = Vec::new();
    let policy = scene.context.policy;
    if let Err(it) = text::line(&submission.subject, text::SUBJECT_MAX) {
        failed.push(fault("subject", it));
    }
    if let Err(it) = text::text(&submission.description) {
        failed.push(fault("description", it));
    }
    let contact = &submission.contact;
    let lines = [
        ("contact.name", &contact.name),
        ("contact.email", &contact.email),
        ("contact.phone", &contact.phone),
        ("product", &submission.product),
        ("order_number", &submission.order_number),
    ];
    for (field, value) in lines {
        if value.as_deref().is_some_and(|value| !value.trim().is_empty()) {
            failed.extend(given_line(field, value));
        }
    }
    // Of one that is no line the reason is told already.
    if let Some(phone) = contact.phone.as_deref().filter(|phone| !phone.trim().is_empty())
        && text::line(phone, text::FIELD_MAX).is_ok()
        && !text::is_phone(phone)
    {
        failed.push(FailedGuard::input(
            "not_a_phone_number",
            "contact.phone",
            "must be 3 to 40 digits, blanks and + ( ) - . /, with an extension as in ext. 12 or without",
            "write it as +44 20 7946 0000",
        ));
    }
    failed.extend(fits("contact.address", &contact.address));
    if contact.email.as_deref().is_some_and(|email| !email.trim().is_empty() && !looks_like_email(email.trim())) {
        failed.push(FailedGuard::input(
            "not_an_email",
            "contact.email",
            "is not written as one",
            "write it as name@example.org",
        ));
    }
    if submission.language.as_ref().is_some_and(|language| !language.is_tag()) {
        failed.push(FailedGuard::input(
            "not_a_language",
            "language",
            "must be the tag of a language",
            "write it as en, de or pt-br",
        ));
    }
    let today = latest_today(scene.context.now);
    for (field, date) in [("purchase_date", submission.purchase_date), ("incident_date", submission.incident_date)] {
        if date.is_some_and(|date| date > today) {
            failed.push(FailedGuard::input(
                "in_the_future",
                field,
                "must not be in the future",
                "give the day it happened",
            ));
        }
        if date.is_some_and(|date| date < chrono::NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default()) {
            failed.push(FailedGuard::input(
                "too_long_ago",
                field,
                "must not be before 1900",
                "give the day it happened",
            ));
        }
    }
    if submission.items.len() > 20 {
        failed.push(FailedGuard::input("too_many", "items", "must be at most 20", "name the most important ones"));
    }
    for (at, item) in submission.items.iter().enumerate() {
        failed.extend(given_line(&format!("items.{at}.kind"), &Some(item.kind.clone())));
        failed.extend(given_line(&format!("items.{at}.key"), &Some(item.key.clone())));
    }
    let questions = policy.category(&submission.category).map_or(&[][..], |category| &category.questions);
    for question in questions {
        let answer = submission.answers.get(&question.key);
        let blank = answer.is_none_or(|answer| answer.trim().is_empty());
        let field = format!("answers.{}", question.key);
        if question.required && blank {
            failed.push(FailedGuard::input(
                "missing",
                field,
                format!("`{}` must be answered", question.label),
                "answer it",
            ));
        } else if !blank {
            failed.extend(fits(&field, &answer.cloned()));
        }
    }
    for key in submission.answers.keys() {
        if !questions.iter().any(|question| question.key == *key) {
            failed.push(FailedGuard::input(
                "unknown_question",
                format!("answers.{key}"),
                "is no question of this category",
                "leave it out",
            ));
        }
    }
    match scene.actor.party() {
        Party::Customer(id) if submission.customer.as_ref().is_some_and(|customer| customer != id) => {
            failed.push(FailedGuard::input(
                "not_permitted",
                "customer",
                "a customer complains for themself",
                "leave it out",
            ));
        }
        Party::Agent(_) | Party::System if submission.customer.is_none() => {
            failed.push(FailedGuard::input("missing", "customer", "must say for whom", "give the customer's id"));
        }
        _ => {}
    }
    if submission.against.is_some() && submission.against.as_ref() == scene.actor.agent_id() {
        failed.push(FailedGuard::forbidden(
            "subject_of_complaint",
            "the complaint is against you",
            "somebody else must take it down",
        ));
    }
    failed
}

fn looks_like_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty()
        && !domain.is_empty()
        && text.len() <= 254
        && !text.contains(char::is_whitespace)
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !text.contains(['<', '>', ',', ';', '"'])
}
