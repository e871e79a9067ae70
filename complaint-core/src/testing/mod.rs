//! For the tests of whoever embeds us: a clock that is moved by hand, identifiers that are counted, a small
//! organisation ready to use ([`samples`]), stories told in virtual time ([`Scenario`]), and stores and notifiers that
//! fail on purpose ([`Faults`]).
//!
//! Examples: [`Scenario`], [`ManualClock`], [`samples`], [`Faults`].
//!
//! # The language of scenarios
//!
//! A scenario is also a text, one step a line, that is played in any [`World`]: against the core, a store, a server.
//!
//! ```text
//! scenario "Sarah answers in time"
//! policy standard; office hours Mon-Fri 09:00-17:00 Europe/London
//! category "Damaged goods"
//! agent Sarah level 1 skilled "damaged goods" capacity 5
//! customer John
//!
//! at Fri 2026-11-06 16:40 John submits "Cracked lid" about "Damaged goods" as C1
//! expect C1 assigned to Sarah
//! expect C1 acceptance due Mon 2026-11-09 16:40
//! expect notices to John: acknowledged, assigned
//! after 2 working hours Sarah begins C1
//! expect refused with wrong_status: John accepts C1
//! expect log of C1: submitted, acknowledged, assigned, begun
//! ```
//!
//! `WORD` stands for itself, `[ ]` may be left out, `|` separates choices, `…` repeats. `#` begins a comment.
//!
//! ```text
//! line       = setting | [ time ] step | time
//! time       = at INSTANT | after SPAN              the clock moves and nothing else happens
//! INSTANT    = [ Mon ] 2026-11-09 16:40[:01] [ ZONE ]   without a zone: that of the policy's calendar;
//!                                                   a wrong weekday is an error; in place of a zone also +01:00
//!            | Mon 16:40[:01] [ ZONE ]              the next one after the `at` above it, where the text begins
//!                                                   after `samples::monday`
//! SPAN       = 2 working hours | 3 days | …         as in a policy; working time runs on the policy's calendar
//!
//! setting    = scenario "TITLE"
//!            | policy [ standard ; ] CLAUSE ; …      several such lines add up; `standard` stands first, if at all
//!            | category "NAME" [ ; CLAUSE … ]
//!            | agent NAME [ level N ] [ skilled "S" and … ] [ capacity N ] [ reports to NAME ]
//!                         [ in "AREA" and … ] [ speaking "LANGUAGE" and … ]
//!            | customer NAME , …  |  admin NAME , …  |  auditor NAME , …
//! CLAUSE     = path.to.it = VALUE                   a key of the policy or category, and a value as TOML has it;
//!                                                   a number in a path counts in a list: levels.0.target = "1 day"
//!            | office hours Mon-Fri 09:00-17:00 ZONE
//!
//! step       = deed | sweep | expect expected
//! sweep      = sweep [ every SPAN ( for SPAN | until INSTANT ) ]
//! deed       = NAME submits "SUBJECT" about "CATEGORY" [ saying "TEXT" ] [ against NAME ]
//!                   [ for NAME by CHANNEL ] [ answering "KEY" with "TEXT" ] as ALIAS
//!            | NAME follows up ALIAS "SUBJECT" [ … as above ] as ALIAS
//!            | NAME VERB ALIAS [ "TEXT" ] [ FIELD VALUE … ]
//!            | NAME is ( absent until INSTANT | back | disabled | enabled )
//! VERB       = a command of the lifecycle in the third person: begins, sends back, fulfils remedy, …
//! FIELD      = a field that this command reads (`CommandName::fields`), and `to` for `agent`
//! VALUE      = "TEXT" | word | number | date | NAME | ALIAS; none for yes-or-no fields;
//!              remedies: refund 12.50 EUR [ due DATE ] [ "INSTRUCTIONS" ] and …;  files, skills: "A" and "B"
//!              a text without a field is the first text that the command cannot do without
//!
//! expected   = ALIAS [ is ] [ STATUS ] [ ( with | to ) ( NAME | nobody ) ] [ at level N ]
//!            | ALIAS CLOCK ( due INSTANT | running | paused | warned N | missed | not missed
//!                          | met | late | cancelled | absent )         the latest clock of that kind
//!            | refused with CODE : deed                                CODE is among those of the failed guards
//!            | notices to ( NAME | level N ) : KIND , …                exactly these, in any order, since last asked
//!            | no notices to ( NAME | level N )
//!            | log of ALIAS : EVENT , …                                exactly these, in order
//!            | log of ALIAS has EVENT ( never | once | twice | N times )
//!            | NAME holds N | NAME sees ALIAS [ as "STATUS" ] | NAME cannot see ALIAS
//! ```
//!
//! `STATUS`, `CLOCK` and `KIND` are the names of [`Status`](crate::lifecycle::Status),
//! [`ClockKind`](crate::deadline::ClockKind) and [`NoticeKind`](crate::notice::NoticeKind) in words: `in progress`,
//! `first response`; of a kind without to whom it goes: `assigned`, `escalated`, `missed level`. `EVENT` is a name of
//! [`Event`](crate::complaint::Event) as it is stored: `handed_back`.
//!
//! A text that is no scenario is refused with file, line and column; a world that differs, with file, line, what was
//! expected and what was there. After the last line every log must rebuild its complaint and every workload be a sum.

mod faults;
mod instants;
mod language;
pub mod samples;
mod scenario;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::clock::{Clock, IdSource, to_micros};
use crate::reference::Reference;

pub use faults::{Call, Fault, Faults, FaultyNotifier, FaultyStore, Hook, KeptNotices, Method};
pub use language::ScenarioError;
pub use scenario::{
    Doer, Expectation, Failed, Given, Looked, LookedClock, Played, Scenario, Step, after, at, by, complaint,
    notices_to, sweep, sweep_every,
};
pub use world::{Answer, DeskWorld, House, Person, Role, SeenClock, Sight, World, audit, event_name, take_notices};

/// A clock that stands still until it is moved. Clones show the same time.
///
/// ```
/// use chrono::TimeDelta;
/// use complaint_core::clock::Clock;
/// use complaint_core::testing::{ManualClock, samples};
///
/// let clock = ManualClock::at(samples::monday());
/// let of_the_desk = clock.clone();
/// clock.advance(TimeDelta::hours(2));
/// assert_eq!(of_the_desk.now(), samples::monday() + TimeDelta::hours(2));
/// clock.set(samples::monday());
/// assert_eq!(of_the_desk.now(), samples::monday());
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<DateTime<Utc>>>,
}

impl ManualClock {
    /// A clock that shows this instant.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now: Arc::new(Mutex::new(to_micros(now))) }
    }

    /// Moves it on.
    pub fn advance(&self, by: TimeDelta) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = to_micros(*now + by);
    }

    /// Moves it to an instant.
    pub fn set(&self, to: DateTime<Utc>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = to_micros(to);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Identifiers that count up, spread so that they look like drawn ones: the same run gives the same ids.
///
/// ```
/// use complaint_core::clock::IdSource;
/// use complaint_core::testing::{CountedIds, samples};
///
/// let (one, other) = (CountedIds::default(), CountedIds::default());
/// assert_eq!(one.next_id(samples::monday()), other.next_id(samples::monday()));
/// assert_ne!(one.next_reference(), CountedIds::from(100).next_reference());
/// ```
#[derive(Debug, Default)]
pub struct CountedIds {
    drawn: AtomicU64,
}

impl CountedIds {
    /// Counts from this number, so that two sources do not meet.
    pub fn from(seed: u64) -> Self {
        Self { drawn: AtomicU64::new(seed) }
    }

    fn next(&self) -> u64 {
        // An odd multiplier visits every value once; the golden ratio spreads neighbours.
        self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl IdSource for CountedIds {
    fn next_id(&self, now: DateTime<Utc>) -> Uuid {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0).to_be_bytes();
        let drawn = self.next().to_be_bytes();
        let mut bytes = [0_u8; 16];
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6] = 0x70;
        bytes[8..].copy_from_slice(&drawn);
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uuid::from_bytes(bytes)
    }

    fn next_reference(&self) -> Reference {
        Reference::from_entropy(u128::from(self.next()))
    }
}
