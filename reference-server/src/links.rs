//! Signed links to one complaint, for customers without a password: they see it, and do what its customer may do.
//!
//! A link is for one complaint and nothing else, ends by itself, and is never a session. It counts only as long as its customer has no
//! password: from then on they log in.

use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::complaint::Complaint;
use complaint_core::id::ComplaintId;
use complaint_core::notice::Notice;
use complaint_core::reference::Reference;
use complaint_notify::SignedLinks;
use url::Url;

use crate::auth::secret::Seal;

/// How long a link works, from the notice that brings it.
pub const LINK_FOR: TimeDelta = TimeDelta::days(30);
/// The purpose of the key that signs links.
pub const PURPOSE: &str = "links to complaints";

/// Signs links, and reads them.
pub struct ComplaintLinks {
    seal: Seal,
    base_url: String,
}

impl ComplaintLinks {
    /// Links below `base_url`, signed with a key of this installation.
    pub fn new(key: [u8; 32], base_url: &Url) -> Self {
        Self { seal: Seal::new(key, PURPOSE), base_url: base_url.as_str().trim_end_matches('/').to_owned() }
    }

    /// The address of a complaint's page for its customer, below the root of the site.
    pub fn address(&self, complaint: &Complaint, now: DateTime<Utc>) -> String {
        self.signed(complaint.id, complaint.reference, now)
    }

    /// The whole link that [`ComplaintLinks::address`] is the end of.
    pub fn whole(&self, complaint: &Complaint, now: DateTime<Utc>) -> String {
        format!("{}{}", self.base_url, self.address(complaint, now))
    }

    /// Which complaint a key opens now, if we signed it.
    pub fn read(&self, key: &str, now: DateTime<Utc>) -> Option<ComplaintId> {
        let said = self.seal.read(key)?;
        let (complaint, until) = said.split_once(' ')?;
        let until = DateTime::from_timestamp(until.parse().ok()?, 0)?;
        if until > now { complaint.parse().ok() } else { None }
    }

    fn signed(&self, complaint: ComplaintId, reference: Reference, since: DateTime<Utc>) -> String {
        let until = (since + LINK_FOR).timestamp();
        format!("/track/{reference}?key={}", self.seal.token(&format!("{complaint} {until}")))
    }
}

impl SignedLinks for ComplaintLinks {
    fn link(&self, notice: &Notice) -> String {
        format!("{}{}", self.base_url, self.signed(notice.complaint, notice.reference, notice.planned_at))
    }
}
