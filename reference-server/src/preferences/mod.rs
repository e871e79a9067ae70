//! What people choose about the notices to them, and the letters that list what came in a day. [`kept`] says what is kept.

pub mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use complaint_core::notice::{
    Notice, NoticeChannel, NoticeGroup, Preferences, PreferencesFaults, PreferencesProblem, PreferencesSpec,
    QuietHoursSpec, Recipient, When,
};
use complaint_core::{Notifier, NotifyError};
use complaint_notify::{EmailNotifier, StopLinks};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use url::Url;
use uuid::Uuid;

use crate::auth::AccountsError;
use crate::auth::accounts::MailOutcome;
use crate::clock::Clock;
use crate::error::{chain, printable};
use kept::{DeadDigest, KeptPreferences};

/// The most notices that one letter lists; what is left comes in the next.
const LISTED_MAX: u32 = 100;
/// How long a letter is held while it is sent.
const LEASE: TimeDelta = TimeDelta::minutes(30);
/// After how long the n-th try is followed by the next, in seconds, as with notices. After the last one the letter is dead.
const DELAYS: [i64; 7] = [30, 120, 600, 1800, 3600, 7200, 21_600];
/// The most dead letters of this kind that are shown.
pub const DEAD_MAX: u32 = 100;
/// The purpose of the key that signs links.
const PURPOSE: &str = "unsubscribe";
/// How often a change is tried again whose person changed something else meanwhile.
const TRIES: usize = 5;

/// Preferences with their rules. Cheap to clone.
#[derive(Clone)]
pub struct PreferencesService {
    kept: Arc<dyn KeptPreferences>,
    clock: Arc<dyn Clock>,
    links: Arc<UnsubscribeLinks>,
}

/// What a signed link stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscription {
    /// Whose letters.
    pub account_id: String,
    /// Of one group, or all that need not be sent.
    pub group: Option<NoticeGroup>,
}

impl Unsubscription {
    fn groups(&self) -> impl Iterator<Item = NoticeGroup> {
        let optional = NoticeGroup::ALL.into_iter().filter(|group| group.can_be_switched_off(NoticeChannel::Email));
        let only = self.group;
        optional.filter(move |group| only.is_none_or(|only| only == *group))
    }
}

impl PreferencesService {
    /// Puts the parts together; draws the key that signs links, if there is none yet.
    pub async fn open(
        kept: Arc<dyn KeptPreferences>,
        clock: Arc<dyn Clock>,
        base_url: &Url,
    ) -> Result<Self, AccountsError> {
        let key = kept.key(PURPOSE, rand::random()).await?;
        let links = UnsubscribeLinks { key, base_url: base_url.as_str().trim_end_matches('/').to_owned() };
        Ok(Self { kept, clock, links: Arc::new(links) })
    }

    /// The links that end letters.
    pub fn links(&self) -> Arc<dyn StopLinks> {
        Arc::clone(&self.links) as _
    }

    /// What somebody chose, with its version.
    pub async fn of(&self, account_id: &str) -> Result<(u64, Preferences), AccountsError> {
        self.kept.preferences(account_id).await
    }

    /// Keeps what somebody chose, if they saw the version that is there; returns the new one.
    pub async fn keep(
        &self,
        account_id: &str,
        seen: Option<u64>,
        preferences: &Preferences,
    ) -> Result<u64, AccountsError> {
        self.kept.keep_preferences(account_id, seen, preferences).await
    }

    /// What a link stops; `None` if we did not sign it.
    pub fn read_link(&self, token: &str) -> Option<Unsubscription> {
        self.links.read(token)
    }

    /// Stops what a link stops. Fine to repeat.
    pub async fn unsubscribe(&self, stopped: &Unsubscription) -> Result<(), AccountsError> {
        let mut conflict = AccountsError::NoSuchAccount;
        for _ in 0..TRIES {
            let (version, before) = self.of(&stopped.account_id).await?;
            let after = stopped.groups().fold(before.clone(), |it, group| it.without(group, NoticeChannel::Email));
            if after == before {
                return Ok(());
            }
            match self.keep(&stopped.account_id, Some(version), &after).await {
                Err(error @ AccountsError::Conflict { .. }) => conflict = error,
                kept => return kept.map(drop),
            }
        }
        Err(conflict)
    }

    /// Letters that list several notices and were given up, the latest first.
    pub async fn dead(&self) -> Result<Vec<DeadDigest>, AccountsError> {
        self.kept.dead_digests(DEAD_MAX).await
    }

    /// Has such a letter wait again; returns whether it was given up.
    pub async fn revive(&self, letter: &str) -> Result<bool, AccountsError> {
        self.kept.revive_digest(letter, self.clock.now()).await
    }

    /// Sends the letters that are due; returns how many were taken and how many were given up.
    pub async fn deliver_digests(&self, email: &EmailNotifier) -> Result<(u32, u32), AccountsError> {
        let (mut sent, mut dead) = (0, 0);
        loop {
            let now = self.clock.now();
            let fresh = Uuid::from_u128(rand::random()).to_string();
            let Some(digest) = self.kept.claim_digest(&fresh, now, now + LEASE, LISTED_MAX).await? else {
                return Ok((sent, dead));
            };
            let delivered = match digest.notices.first() {
                Some(first) => email.deliver_together(&digest.letter, &first.recipient, &digest.notices).await,
                None => Err(NotifyError::Never("none of its notices can be read".to_owned())),
            };
            let outcome = match delivered {
                Ok(()) | Err(NotifyError::Nobody(_)) => MailOutcome::Done,
                Err(error @ NotifyError::Never(_)) => MailOutcome::GivenUp { error: printable(&chain(&error)) },
                Err(error) => match DELAYS.get(digest.attempt.saturating_sub(1) as usize) {
                    Some(seconds) => {
                        let at = self.clock.now() + TimeDelta::seconds(*seconds);
                        MailOutcome::Retry { at, error: printable(&chain(&error)) }
                    }
                    None => MailOutcome::GivenUp { error: printable(&chain(&error)) },
                },
            };
            sent += u32::from(matches!(outcome, MailOutcome::Done));
            dead += u32::from(matches!(outcome, MailOutcome::GivenUp { .. }));
            self.kept.settle_digest(&digest.letter, outcome, self.clock.now()).await?;
        }
    }
}

/// Delivers notices when, and if, whoever they are for wants them.
pub struct AsPreferred<N> {
    notifier: N,
    preferences: PreferencesService,
}

impl<N: Notifier> AsPreferred<N> {
    /// Asks `preferences` before `notifier` delivers.
    pub fn over(notifier: N, preferences: PreferencesService) -> Self {
        Self { notifier, preferences }
    }
}

#[async_trait]
impl<N: Notifier> Notifier for AsPreferred<N> {
    async fn deliver(&self, notice: &Notice) -> Result<(), NotifyError> {
        let account_id = match &notice.recipient {
            Recipient::Customer(id) => id.as_str(),
            Recipient::Agent(id) => id.as_str(),
            Recipient::Level { .. } | Recipient::Admins | Recipient::Endpoint(_) => {
                return self.notifier.deliver(notice).await;
            }
        };
        let later = |error: AccountsError| NotifyError::Later(Box::new(error));
        let (_, preferences) = self.preferences.of(account_id).await.map_err(later)?;
        let timing = preferences.timing(notice, self.preferences.clock.now());
        match timing.when {
            When::Now => self.notifier.deliver(notice).await,
            When::At(until) => Err(NotifyError::Held { until, why: timing.because.to_string() }),
            When::Digest(due_at) => {
                let kept = self.preferences.kept.add_to_digest(account_id, &listed(notice), due_at).await;
                kept.map_err(later)
            }
            When::Never => Err(NotifyError::Nobody(timing.because.to_string())),
        }
    }
}

/// A notice as it is listed: without words of people, and to staff, who may not see the complaint any more by then, without its subject.
fn listed(notice: &Notice) -> Notice {
    let subject = match notice.recipient {
        Recipient::Customer(_) => notice.subject.clone(),
        _ => notice.reference.to_string(),
    };
    Notice { subject, text: None, address: None, ..notice.clone() }
}

/// Links of ours that stop letters: whose and which, signed. They open nothing else, so they do not end.
struct UnsubscribeLinks {
    key: [u8; 32],
    base_url: String,
}

impl UnsubscribeLinks {
    fn token(&self, stopped: &Unsubscription) -> String {
        let said = said(stopped);
        let signature = self.signed(&said).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&said), URL_SAFE_NO_PAD.encode(signature))
    }

    fn read(&self, token: &str) -> Option<Unsubscription> {
        let (said, signature) = token.split_once('.')?;
        let said = String::from_utf8(URL_SAFE_NO_PAD.decode(said).ok()?).ok()?;
        self.signed(&said).verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        let (group, account_id) = said.split_once(' ')?;
        let group = if group == ALL { None } else { Some(group.parse().ok()?) };
        Some(Unsubscription { account_id: account_id.to_owned(), group })
    }

    fn signed(&self, said: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length will do");
        mac.update(PURPOSE.as_bytes());
        mac.update(b" ");
        mac.update(said.as_bytes());
        mac
    }
}

impl StopLinks for UnsubscribeLinks {
    fn link(&self, recipient: &Recipient, group: Option<NoticeGroup>) -> Option<String> {
        let account_id = match recipient {
            Recipient::Customer(id) => id.to_string(),
            Recipient::Agent(id) => id.to_string(),
            Recipient::Level { .. } | Recipient::Admins | Recipient::Endpoint(_) => return None,
        };
        Some(format!("{}/unsubscribe?token={}", self.base_url, self.token(&Unsubscription { account_id, group })))
    }
}

/// In a link: every letter that need not be sent.
const ALL: &str = "all";

fn said(stopped: &Unsubscription) -> String {
    format!("{} {}", stopped.group.map_or(ALL, NoticeGroup::name), stopped.account_id)
}

/// What somebody typed, field by field; what is empty is not chosen.
#[derive(Debug, Clone, Default)]
pub struct Typed<'a> {
    /// An IANA name.
    pub zone: Option<&'a str>,
    /// A BCP 47 tag.
    pub language: Option<&'a str>,
    /// Both or neither, as `HH:MM`.
    pub quiet_hours: Option<(&'a str, &'a str)>,
    /// As `HH:MM`.
    pub digest_at: Option<&'a str>,
    /// Names of groups by channel.
    pub off: Vec<(NoticeChannel, &'a str)>,
}

/// A value that cannot be accepted: its field, a stable code, a sentence.
pub type Wrong = (String, &'static str, String);

/// Reads what was typed and names every fault.
pub fn read(typed: &Typed<'_>) -> Result<Preferences, Vec<Wrong>> {
    let mut wrong: Vec<Wrong> = Vec::new();
    let mut off: BTreeMap<NoticeChannel, BTreeSet<NoticeGroup>> = BTreeMap::new();
    for (channel, name) in &typed.off {
        match name.parse::<NoticeGroup>() {
            Ok(group) => {
                off.entry(*channel).or_default().insert(group);
            }
            Err(problem) => {
                let shown: String = name.chars().take(60).collect();
                wrong.push((format!("off.{}", channel.name()), problem.code(), format!("“{shown}” {problem}.")));
            }
        }
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let spec = PreferencesSpec {
        zone: owned(typed.zone),
        language: owned(typed.language),
        quiet_hours: typed.quiet_hours.map(|(from, to)| QuietHoursSpec { from: from.to_owned(), to: to.to_owned() }),
        digest_at: owned(typed.digest_at),
        off,
    };
    match Preferences::new(&spec) {
        Ok(preferences) if wrong.is_empty() => Ok(preferences),
        Ok(_) => Err(wrong),
        Err(faults) => {
            wrong.extend(named(&faults));
            Err(wrong)
        }
    }
}

fn named(faults: &PreferencesFaults) -> impl Iterator<Item = Wrong> {
    faults.iter().map(|fault| {
        let shown: String = fault.value.chars().take(60).collect();
        let subject = match fault.problem {
            PreferencesProblem::NoZone => "A time zone".to_owned(),
            _ if shown.is_empty() => "An empty field".to_owned(),
            _ => format!("“{shown}”"),
        };
        (fault.field.clone(), fault.problem.code(), format!("{subject} {}.", fault.problem))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> UnsubscribeLinks {
        UnsubscribeLinks { key: [7; 32], base_url: "https://help.example.org".to_owned() }
    }

    #[test]
    fn a_link_says_whose_letters_it_stops_and_cannot_be_changed() {
        for group in [None, Some(NoticeGroup::Messages)] {
            let stopped = Unsubscription { account_id: "u_john doe".to_owned(), group };
            let token = links().token(&stopped);
            assert_eq!(links().read(&token), Some(stopped));
            let other = UnsubscribeLinks { key: [8; 32], ..links() };
            assert_eq!(other.read(&token), None, "signed by somebody else");
            for at in 0..token.len() {
                let mut spoilt = token.clone().into_bytes();
                spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
                let spoilt = String::from_utf8(spoilt).expect("ASCII");
                assert_eq!(links().read(&spoilt), None, "{spoilt}");
            }
        }
        for bad in ["", ".", "x", "YWxsIHU.", "é.é"] {
            assert_eq!(links().read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_link_stops_nothing_that_must_be_sent() {
        let mandatory = Unsubscription { account_id: "u_john".to_owned(), group: Some(NoticeGroup::Decisions) };
        assert_eq!(mandatory.groups().count(), 0);
        let all = Unsubscription { group: None, ..mandatory };
        assert!(all.groups().all(|group| !group.is_mandatory()) && all.groups().count() == 3);
    }
}
