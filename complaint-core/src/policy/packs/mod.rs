//! Rule packs: what a law or a standard says, as data that is laid over the house rules.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Deserialize;
use toml::{Table, Value};

use super::{Policy, PolicyError};

/// What a law, a standard or a kind of organisation asks for: a part of a policy, of which every value says where it
/// comes from.
///
/// A pack is laid over the house rules: what it says replaces theirs, value by value, and what it does not say stays.
/// Lists of tables, such as the ladder, are laid over one another element by element, so that authority limits stay
/// when a pack sets the times of the levels. A promise of the law is replaced as a whole: it has one source.
///
/// A newer edition of a pack goes over the older one. What another law says is never replaced: two packs with a promise of
/// the same key, or the second one with words of its own about rights, do not go over one another, and the refusal
/// names what is in the way. Promises with keys of their own stand side by side; the one that is over first binds.
///
/// ```
/// use complaint_core::Policy;
///
/// let pack = Policy::pack("uk-fca-disp")?;
/// assert!(pack.title().contains("FCA") && !pack.notes().is_empty());
/// let policy = Policy::standard().under(&pack)?;
/// let final_response = &policy.statutory[&"final-response".parse()?];
/// assert_eq!(final_response.within.to_string(), "8 calendar weeks");
/// assert!(final_response.source.contains("DISP 1.6.2R"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RulePack {
    header: Header,
    rules: Table,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    title: String,
    as_of: NaiveDate,
    notes: String,
    #[serde(default)]
    sources: BTreeMap<String, String>,
}

/// A rule pack that cannot be used.
///
/// ```
/// let wrong = complaint_core::Policy::pack("iso-9001").unwrap_err();
/// assert!(wrong.to_string().starts_with("there is no rule pack `iso-9001`; these there are: iso-10002, "));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// No pack of this name comes with the library.
    #[error("there is no rule pack `{name}`; these there are: {}", RulePack::NAMES.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// It is no TOML, or its header is not as it should be.
    #[error("the rule pack cannot be read")]
    Unreadable(#[source] Box<toml::de::Error>),
    /// A value says nowhere where it comes from.
    #[error("`{path}` names no source; give it in `pack.sources`")]
    Unsourced {
        /// Where the value is, e.g. `targets.acknowledgement`.
        path: String,
    },
    /// A source is given for a value that is not there.
    #[error("`pack.sources` names `{path}`, which the pack does not say")]
    UnusedSource {
        /// The path it is given for.
        path: String,
    },
    /// It would replace what another pack, that of another law, says.
    #[error("the rule pack `{pack}` would replace `{path}` of the rule pack `{other}`, {}", Self::way_out(path))]
    OtherLaw {
        /// The name of the pack.
        pack: String,
        /// What both say, e.g. `statutory.final-response`.
        path: String,
        /// The pack that is there.
        other: String,
    },
    /// It sets times of levels that the house does not have.
    #[error(
        "the rule pack `{pack}` sets times of {needs} levels, and the ladder has {has}: first add levels with names of your own"
    )]
    ShortLadder {
        /// The name of the pack.
        pack: String,
        /// How many levels it sets times of.
        needs: usize,
        /// How many the house has.
        has: usize,
    },
    /// Laid over the policy it gives one that cannot be used.
    #[error("with the rule pack `{pack}`")]
    Policy {
        /// The name of the pack.
        pack: String,
        /// What is wrong with the policy then.
        #[source]
        error: Box<PolicyError>,
    },
}

impl PackError {
    fn way_out(path: &str) -> &'static str {
        match path {
            "rights" => {
                "of which customers must be told: lay it first and that one over it, or write one that says both"
            }
            _ => "and no law gives way to another: write one of your own, in place of the two, that says what holds",
        }
    }
}

const PACKS: [(&str, &str); 4] = [
    ("iso-10002", include_str!("iso-10002.toml")),
    ("municipal", include_str!("municipal.toml")),
    ("uk-fca-disp", include_str!("uk-fca-disp.toml")),
    ("us-cfpb", include_str!("us-cfpb.toml")),
];

impl RulePack {
    /// The packs that come with the library.
    pub const NAMES: [&str; PACKS.len()] = [PACKS[0].0, PACKS[1].0, PACKS[2].0, PACKS[3].0];

    /// Reads a pack: TOML in the form of a policy, of which any part may be missing, with a table `pack` that has
    /// `name`, `title`, `as_of` (the day on which the rules were as it says), `notes` and `sources` by path.
    ///
    /// # Errors
    /// If it cannot be read, if a value has no source, or if [`Policy::standard`] with it cannot be used.
    pub fn from_toml(text: &str) -> Result<Self, PackError> {
        let unreadable = |error| PackError::Unreadable(Box::new(error));
        let mut rules: Table = toml::from_str(text).map_err(unreadable)?;
        let header = rules.remove("pack").unwrap_or(Value::Table(Table::new()));
        let header: Header = header.try_into().map_err(unreadable)?;
        let pack = Self { header, rules };
        pack.sourced()?;
        Policy::standard().under(&pack)?;
        Ok(pack)
    }

    /// The name by which it is asked for.
    pub fn name(&self) -> &str {
        &self.header.name
    }

    /// What people read.
    pub fn title(&self) -> &str {
        &self.header.title
    }

    /// The day on which the rules were as the pack says.
    pub fn as_of(&self) -> NaiveDate {
        self.header.as_of
    }

    /// What the pack leaves to the house, and how it reads the rules.
    pub fn notes(&self) -> &str {
        &self.header.notes
    }

    /// Where a value comes from, by its path, e.g. `targets.acknowledgement`. Promises of the law name their source
    /// themselves.
    pub fn source(&self, path: &str) -> Option<&str> {
        let covering =
            |known: &str| path == known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'));
        self.header.sources.iter().rev().find(|(known, _)| covering(known)).map(|(_, source)| source.as_str())
    }

    fn table(&self, key: &str) -> Option<&Table> {
        self.rules.get(key).and_then(Value::as_table)
    }

    /// What it says, with its name at each promise of the law and at the words about rights.
    fn signed(&self) -> Table {
        let mut rules = self.rules.clone();
        let sign = |part: &mut Value| {
            if let Some(part) = part.as_table_mut() {
                part.insert("pack".to_owned(), self.name().into());
            }
        };
        if let Some(promises) = rules.get_mut("statutory").and_then(Value::as_table_mut) {
            promises.iter_mut().for_each(|(_, promise)| sign(promise));
        }
        if let Some(rights) = rules.get_mut("rights") {
            sign(rights);
        }
        rules
    }

    fn sourced(&self) -> Result<(), PackError> {
        let mut said = Vec::new();
        for (key, value) in &self.rules {
            paths(key, value, &mut said);
        }
        let unsourced = said.iter().find(|path| !path.starts_with("statutory.") && self.source(path).is_none());
        if let Some(path) = unsourced {
            return Err(PackError::Unsourced { path: path.clone() });
        }
        let is_used = |path: &String| said.iter().any(|it| it == path || it.starts_with(&format!("{path}.")));
        match self.header.sources.keys().find(|path| !is_used(path)) {
            Some(path) => Err(PackError::UnusedSource { path: path.clone() }),
            None => Ok(()),
        }
    }
}

impl Policy {
    /// A rule pack that comes with the library: one of [`RulePack::NAMES`].
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn pack(name: &str) -> Result<RulePack, PackError> {
        let (_, text) =
            PACKS.iter().find(|(known, _)| *known == name).ok_or(PackError::Unknown { name: name.to_owned() })?;
        RulePack::from_toml(text)
    }

    /// These house rules under the rules of a pack.
    ///
    /// # Errors
    /// If the pack would replace what another law says, if it sets times of levels that these rules do not have, or if
    /// the two together give a policy that does not hold together.
    ///
    /// ```
    /// use complaint_core::Policy;
    ///
    /// let british = Policy::standard().under(&Policy::pack("uk-fca-disp")?)?;
    /// let refused = british.under(&Policy::pack("us-cfpb")?).unwrap_err().to_string();
    /// assert!(refused.contains("`us-cfpb` would replace `statutory.final-response` of the rule pack `uk-fca-disp`"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn under(&self, pack: &RulePack) -> Result<Self, PackError> {
        self.gives_way_to(pack)?;
        let unreadable = |error| PackError::Unreadable(Box::new(error));
        let text = |error: toml::ser::Error| unreadable(serde::de::Error::custom(error));
        let mut house: Table = toml::from_str(&self.to_toml().map_err(text)?).map_err(unreadable)?;
        // A promise has one source, so that none of its values is mixed with those of another.
        if let (Some(Value::Table(house)), Some(said)) = (house.get_mut("statutory"), pack.table("statutory")) {
            house.retain(|key, _| !said.contains_key(key));
        }
        lay_over(&mut house, &pack.signed());
        Self::from_toml(&toml::to_string(&house).map_err(text)?).map_err(|error| PackError::Policy {
            pack: pack.name().to_owned(),
            error: Box::new(error.without_places()),
        })
    }

    /// Whether nothing is in the way of this pack.
    fn gives_way_to(&self, pack: &RulePack) -> Result<(), PackError> {
        let other_law = |path: String, other: &str| PackError::OtherLaw {
            pack: pack.name().to_owned(),
            path,
            other: other.to_owned(),
        };
        let is_other = |name: &&str| *name != pack.name();
        for (key, promise) in &self.statutory {
            let said = pack.table("statutory").is_some_and(|promises| promises.contains_key(key.as_str()));
            if let Some(other) = promise.pack.as_deref().filter(|name| said && is_other(name)) {
                return Err(other_law(format!("statutory.{key}"), other));
            }
        }
        // A guideline without promises tells of rights too, and gives way to a law.
        let is_law = |name: &&str| self.statutory.values().any(|promise| promise.pack.as_deref() == Some(*name));
        let of_law = self.rights.pack.as_deref().filter(is_other).filter(is_law);
        if let Some(other) = of_law.filter(|_| pack.table("rights").is_some()) {
            return Err(other_law("rights".to_owned(), other));
        }
        let levels = pack.rules.get("levels").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if levels.iter().skip(self.levels.len()).any(|level| level.get("name").is_none()) {
            let (needs, has) = (levels.len(), self.levels.len());
            return Err(PackError::ShortLadder { pack: pack.name().to_owned(), needs, has });
        }
        Ok(())
    }
}

fn lay_over(below: &mut Table, above: &Table) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            (Some(Value::Array(below)), Value::Array(above)) if are_tables(below) && are_tables(above) => {
                for (at, value) in above.iter().enumerate() {
                    match (below.get_mut(at), value) {
                        (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
                        _ => below.push(value.clone()),
                    }
                }
            }
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}

fn are_tables(values: &[Value]) -> bool {
    !values.is_empty() && values.iter().all(Value::is_table)
}

/// The path of every value that is no table; an element of a list by its number.
fn paths(path: &str, value: &Value, said: &mut Vec<String>) {
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| paths(&format!("{path}.{key}"), value, said)),
        Value::Array(values) if are_tables(values) => {
            values.iter().enumerate().for_each(|(at, value)| paths(&format!("{path}.{at}"), value, said));
        }
        _ => said.push(path.to_owned()),
    }
}
