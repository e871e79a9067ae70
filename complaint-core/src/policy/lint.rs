//! What does not hold together in a policy.

use std::collections::BTreeSet;
use std::fmt;

use super::Policy;
use crate::text;

/// Longest description of a category, in characters: it helps to choose, it is no handbook.
const DESCRIPTION_MAX: usize = 2000;
/// The least room a log may be given: a complaint that is submitted, routed, asked about and answered needs some.
const LOG_ENTRIES_MIN: u32 = 20;
/// The most questions of a category.
const QUESTIONS_MAX: usize = 30;
const LINE: &str = "must be one line of 1 to 200 characters";

/// One fault of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where, e.g. `levels.1.name`.
    pub path: String,
    /// Stable, for programs: `missing`, `not_one_line`, `too_long`, `too_many`, `out_of_range`, `duplicate`, `invalid`, …
    pub code: &'static str,
    /// What is wrong and what would put it right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl Policy {
    /// Names every fault, in the order of the policy. An empty list means that the policy can be used.
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut fault = |path: String, code, message: String| findings.push(Finding { path, code, message });

        if let Err(wrong) = text::line(&self.name, text::FIELD_MAX) {
            fault("name".into(), wrong.code(), LINE.into());
        }
        if !self.calendars.contains_key(&self.calendar) {
            fault(
                "calendar".into(),
                "unknown_value",
                format!("names the calendar `{}`, which is not among `calendars`", self.calendar),
            );
        }
        if self.open_complaints_per_customer == 0 {
            fault(
                "open_complaints_per_customer".into(),
                "out_of_range",
                "must be at least 1, or nobody could complain".into(),
            );
        }
        if self.log_entries_per_complaint < LOG_ENTRIES_MIN {
            let message = format!("must be at least {LOG_ENTRIES_MIN}, or people could hardly talk about a complaint");
            fault("log_entries_per_complaint".into(), message);
        }
        if self.channels.is_empty() {
            fault("channels".into(), "missing", "must name a way for notices to travel, e.g. [\"email\"]".into());
        }
        if self.levels.is_empty() || self.levels.len() > 9 {
            fault("levels".into(), "out_of_range", "must be a ladder of 1 to 9 levels".into());
        }
        for (at, level) in self.levels.iter().enumerate() {
            if let Err(wrong) = text::line(&level.name, text::FIELD_MAX) {
                fault(format!("levels.{at}.name"), wrong.code(), LINE.into());
            }
        }
        if self.four_eyes && self.levels.len() < 2 {
            fault("four_eyes".into(), "contradiction", "needs a level above the first, or nobody could approve".into());
        }
        for (path, message) in self.statutory_faults() {
            fault(path, message);
        }
        let mut seen = BTreeSet::new();
        for (at, category) in self.categories.iter().enumerate() {
            if !seen.insert(&category.key) {
                fault(format!("categories.{at}.key"), "duplicate", format!("`{}` is used twice", category.key));
            }
            if let Err(wrong) = text::line(&category.name, text::FIELD_MAX) {
                fault(format!("categories.{at}.name"), wrong.code(), LINE.into());
            }
            if category.description.chars().count() > DESCRIPTION_MAX {
                let most = format!("must be at most {DESCRIPTION_MAX} characters");
                fault(format!("categories.{at}.description"), "too_long", most);
            }
            if category.questions.len() > QUESTIONS_MAX {
                fault(format!("categories.{at}.questions"), "too_many", format!("must be at most {QUESTIONS_MAX}"));
            }
            if category.weight == 0 || category.weight > 1000 {
                fault(format!("categories.{at}.weight"), "out_of_range", "must be 1 to 1000".into());
            }
            let mut keys = BTreeSet::new();
            for (number, question) in category.questions.iter().enumerate() {
                let key_is_fine = !question.key.is_empty()
                    && question.key.len() <= 64
                    && question.key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
                if !key_is_fine {
                    fault(
                        format!("categories.{at}.questions.{number}.key"),
                        "invalid",
                        "must be 1 to 64 letters, digits, hyphens or underscores".into(),
                    );
                }
                if !keys.insert(&question.key) {
                    fault(
                        format!("categories.{at}.questions.{number}.key"),
                        "duplicate",
                        format!("`{}` is used twice", question.key),
                    );
                }
                if let Err(wrong) = text::line(&question.label, text::FIELD_MAX) {
                    fault(format!("categories.{at}.questions.{number}.label"), wrong.code(), LINE.into());
                }
            }
        }
        findings
    }
}
