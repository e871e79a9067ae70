//! A small organisation ready to use: Sarah and Ben handle, Maria supervises, Omar manages, John complains.
//!
//! ```
//! use complaint_core::testing::samples;
//!
//! let policy = samples::policy();
//! assert_eq!(policy.categories.len(), 2);
//! assert!(samples::staff().iter().all(|agent| policy.level(agent.level).is_some()));
//! assert_eq!(samples::broken_kettle().category.as_str(), "damaged-goods");
//! ```

use chrono::{DateTime, Utc};

use crate::agent::Agent;
use crate::complaint::{Attachment, Complaint, Submission};
use crate::id::{AgentId, AttachmentId, CategoryKey, Level};
use crate::policy::{Category, Policy};

/// Monday, 23 November 2026, 09:30 UTC: within office hours of [`policy`].
///
/// Example: the [module](self).
pub fn monday() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_426_200, 0).unwrap_or_default()
}

/// The standard policy with [`damaged_goods`] and [`late_delivery`].
///
/// Example: the [module](self).
pub fn policy() -> Policy {
    Policy::standard().with_category(damaged_goods()).with_category(late_delivery())
}

/// The category *Damaged goods*.
///
/// Example: the [module](self).
pub fn damaged_goods() -> Category {
    category("Damaged goods")
}

/// The category *Late delivery*.
///
/// Example: the [module](self).
pub fn late_delivery() -> Category {
    category("Late delivery")
}

/// Sarah, a representative who knows damaged goods and has room for five.
///
/// Example: the [module](self).
pub fn sarah() -> Agent {
    agent("Sarah", 1, &["damaged goods"]).with_capacity(5)
}

/// Ben, a representative who knows late deliveries.
///
/// Example: the [module](self).
pub fn ben() -> Agent {
    agent("Ben", 1, &["late delivery"])
}

/// Maria, a supervisor.
///
/// Example: the [module](self).
pub fn maria() -> Agent {
    agent("Maria", 2, &["damaged goods", "late delivery"])
}

/// Omar, a manager: the last level of the standard policy.
///
/// Example: the [module](self).
pub fn omar() -> Agent {
    agent("Omar", 3, &["damaged goods", "late delivery"])
}

/// Sarah, Ben, Maria and Omar.
///
/// Example: the [module](self).
pub fn staff() -> Vec<Agent> {
    vec![sarah(), ben(), maria(), omar()]
}

/// *Broken kettle*, about damaged goods.
///
/// Example: the [module](self).
pub fn broken_kettle() -> Submission {
    about(&damaged_goods(), "Broken kettle", "The lid is cracked.")
}

/// *Parcel is late*, about late delivery.
///
/// Example: the [module](self).
pub fn late_parcel() -> Submission {
    about(&late_delivery(), "Parcel is late", "It was promised for Monday.")
}

/// The facts of a file of this name, with a kind that fits the name; the same name gives the same facts.
///
/// `.pdf` and `.txt` are what they say; everything else is a PNG picture.
///
/// ```
/// use complaint_core::testing::samples;
///
/// assert_eq!(samples::file("receipt.pdf").media_type, "application/pdf");
/// assert_eq!(samples::file("receipt.pdf"), samples::file("receipt.pdf"));
/// ```
pub fn file(name: &str) -> Attachment {
    // FNV-1a: any spread will do, and it needs no crate.
    let id = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let media_type = match extension {
        Some("pdf") => "application/pdf",
        Some("txt") => "text/plain",
        _ => "image/png",
    };
    Attachment {
        id: AttachmentId::from_uuid(uuid::Builder::from_random_bytes(u128::from(id).to_be_bytes()).into_uuid()),
        file_name: name.to_owned(),
        media_type: media_type.to_owned(),
        size: 17,
        sha256: format!("{id:064x}"),
    }
}

fn category(name: &str) -> Category {
    #[expect(clippy::expect_used, reason = "the names are constants of this file and a test reads them")]
    Category::named(name).expect("a name")
}

fn agent(name: &str, level: u8, skills: &[&str]) -> Agent {
    #[expect(clippy::expect_used, reason = "the names are constants of this file and a test reads them")]
    let agent = Agent::named(name.to_lowercase(), name).expect("a name");
    agent.skilled_in(skills.iter().copied()).at_level(Level::new(level).unwrap_or(Level::FIRST))
}

fn about(category: &Category, subject: &str, description: &str) -> Submission {
    let key: &CategoryKey = &category.key;
    #[expect(clippy::expect_used, reason = "a key is a key")]
    Complaint::about(key.as_str(), subject, description).expect("a key")
}

/// The id that a scenario gives an agent of this name.
pub(super) fn agent_id(name: &str) -> Option<AgentId> {
    AgentId::new(name.to_lowercase()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_fit_each_other() {
        let policy = policy();
        assert_eq!(policy.lint(), []);
        assert_eq!(monday().to_rfc3339(), "2026-11-23T09:30:00+00:00");
        assert!(policy.working_calendar().is_open(monday()));
        for category in [damaged_goods(), late_delivery()] {
            let needed = category.needed_skills();
            for level in 1..=3 {
                let able = staff().into_iter().filter(|it| it.level.get() == level && it.skills.is_superset(&needed));
                assert_eq!(able.count(), 1, "one agent of level {level} for {}", category.name);
            }
        }
        assert_eq!(agent_id("Sarah"), Some(sarah().id));
        assert_ne!(file("a.png").id, file("b.png").id);
        assert!(crate::lifecycle::MEDIA_TYPES.contains(&file("letter.pdf").media_type.as_str()));
    }
}
