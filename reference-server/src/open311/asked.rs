//! What is asked for: parameters, spans of time, names in addresses.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use crate::api::query::{parameters, wrong};
use crate::error::Problem;
use crate::extract::ApiPath;

/// The longest span of time that is looked through.
const SPAN_MAX: TimeDelta = TimeDelta::days(90);

/// The parameters of an address.
pub(super) struct Asked(BTreeMap<String, Vec<String>>);

impl Asked {
    /// Reads a query with these parameters; `jurisdiction_id` and `api_key` may always be there. One jurisdiction is served, so its
    /// name is passed over, as the specification allows.
    ///
    /// # Errors
    /// 400 for any other parameter, and for one that is given twice where it cannot be a list (which ends in `*` here).
    pub(super) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let lists: Vec<&str> = known.iter().filter_map(|name| name.strip_suffix('*')).collect();
        let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
        parameters(query, &lists, |name, value| {
            let is_known = known.iter().any(|it| it.trim_end_matches('*') == name);
            if !is_known && !["jurisdiction_id", "api_key"].contains(&name) {
                return Err(wrong(name, "unknown_field", "There is no such parameter."));
            }
            let values = value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
            let entry = asked.entry(name.to_owned()).or_default();
            if lists.contains(&name) {
                entry.extend(values);
            } else {
                entry.push(value.to_owned());
            }
            Ok(())
        })?;
        Ok(Self(asked))
    }

    /// A value.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    /// The values of a list, repeated or separated by commas.
    pub(super) fn list(&self, name: &str) -> &[String] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The key, if there is one.
    pub(super) fn key(&self) -> Option<&str> {
        self.one("api_key")
    }

    /// From `start_date` to `end_date`, both included; where one is left out, 90 days from or up to the other; without either the
    /// latest 90 days.
    ///
    /// # Errors
    /// 400 for what is no instant, for an end before the start and for more than 90 days.
    pub(super) fn span(&self, now: DateTime<Utc>) -> Result<Span, Problem> {
        let at = |name: &str| self.one(name).map(|value| instant(name, value)).transpose();
        let too_far = || wrong("start_date", "out_of_range", "There is no such time.");
        let (from, to) = match (at("start_date")?, at("end_date")?) {
            (Some(from), Some(to)) => (from, to),
            (Some(from), None) => (from, from.checked_add_signed(SPAN_MAX).ok_or_else(too_far)?),
            (None, to) => {
                let to = to.unwrap_or(now);
                (to.checked_sub_signed(SPAN_MAX).ok_or_else(too_far)?, to)
            }
        };
        // Instants are answered in whole seconds, so whoever asks on from one of them must find everything of that second.
        let (from, to) = (from.trunc_subsecs(0), to.trunc_subsecs(0));
        if to < from {
            return Err(wrong("end_date", "out_of_range", "It must not be before start_date."));
        }
        if to - from > SPAN_MAX {
            return Err(wrong("end_date", "out_of_range", "At most 90 days after start_date."));
        }
        let before = to.checked_add_signed(TimeDelta::seconds(1)).ok_or_else(too_far)?;
        Ok(Span { from, before })
    }
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: DateTime<Utc>,
    /// The first instant behind it.
    pub(super) before: DateTime<Utc>,
}

impl Span {
    pub(super) fn holds(self, at: DateTime<Utc>) -> bool {
        (self.from..self.before).contains(&at)
    }
}

/// An instant as the W3C's note on dates has it, with its offset from UTC.
pub(super) fn instant(name: &str, value: &str) -> Result<DateTime<Utc>, Problem> {
    let instant = DateTime::parse_from_rfc3339(value);
    let wanted = "An instant is written as in 2026-11-30T09:00:00Z, a + of its offset as %2B.";
    Ok(instant.map_err(|_| wrong(name, "invalid", wanted))?.to_utc())
}

/// The name of one thing, at the end of an address before the format.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ApiPath(file) = ApiPath::<String>::from_request_parts(parts, state).await?;
        let name = [".xml", ".json"].into_iter().find_map(|format| file.strip_suffix(format));
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
            Problem::not_found().detail("The address ends in the name of one thing and the format, .xml or .json.")
        })?;
        Ok(Self(name.to_owned()))
    }
}
