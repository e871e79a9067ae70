//! From a row of a table to a submission, or to the reason why not. Pure: the rules of the desk come later.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write as _};

use chrono::NaiveDate;
use complaint_core::Complaint;
use complaint_core::complaint::{Channel, Contact, Item, Submission};
use complaint_core::id::CustomerId;
use complaint_core::policy::Category;
use complaint_core::text::SUBJECT_MAX;
use csv::ByteRecord;
use sha2::{Digest as _, Sha256};

use super::mapping::{Column, CustomerOf, DateColumn, Mapping, MappingFault, MappingFaults, SkipWhen};
use super::template::Template;

/// Longest value that is repeated in an idempotency key or a customer id as it is; longer ones are repeated as a digest.
const READABLE_MAX: usize = 30;

/// A mapping bound to the header of one file.
pub struct Bound<'m> {
    mapping: &'m Mapping,
    places: HashMap<&'m str, usize>,
    width: usize,
}

/// What a row becomes.
pub struct Draft {
    /// Names the row for ever: source and key.
    pub key: String,
    /// Digest of the whole row, so that a changed row with a known key is noticed.
    pub fingerprint: String,
    /// The category as people read it.
    pub category: Category,
    /// What is handed in.
    pub submission: Submission,
}

/// Why a row was not taken over. Never holds a value of the row: tables hold people's words and addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Taken over by an earlier run, or a repetition within this one.
    AlreadyImported,
    /// The key was taken over with another content.
    ChangedSince,
    /// Fewer or more columns than the header.
    WrongColumnCount,
    /// Some column is no UTF-8.
    NotUtf8,
    /// No key.
    BlankKey,
    /// No category.
    BlankCategory,
    /// The category's name cannot be one.
    UnusableCategory,
    /// No template of the subject or description can be filled.
    NothingFor(&'static str),
    /// The day cannot be read by any of the formats.
    UnreadableDate(&'static str),
    /// The customer's key is blank.
    BlankCustomer,
    /// A rule of the mapping leaves it out.
    LeftOut(String),
    /// The desk refuses it: the field, and what is wrong with it.
    Refused(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyImported => f.write_str("already imported"),
            Self::ChangedSince => f.write_str("already imported, and different now"),
            Self::WrongColumnCount => f.write_str("not as many columns as the header"),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::BlankKey => f.write_str("no key"),
            Self::BlankCategory => f.write_str("no category"),
            Self::UnusableCategory => f.write_str("category: cannot be the name of one"),
            Self::NothingFor(field) => write!(f, "{field}: every template has a blank column"),
            Self::UnreadableDate(field) => write!(f, "{field}: not a day in any of the formats"),
            Self::BlankCustomer => f.write_str("customer: blank"),
            Self::LeftOut(reason) => write!(f, "left out by the mapping: {reason}"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl<'m> Bound<'m> {
    /// Finds every column of the mapping in the header of a table, or names all that are missing.
    pub fn to_header(mapping: &'m Mapping, table: &str, header: &ByteRecord) -> Result<Self, MappingFaults> {
        let names: Vec<Cow<'_, str>> = header
            .iter()
            .map(|name| match String::from_utf8_lossy(name) {
                // A byte order mark is no part of the first name.
                Cow::Borrowed(name) => Cow::Borrowed(name.trim_start_matches('\u{feff}').trim()),
                Cow::Owned(name) => Cow::Owned(name),
            })
            .collect();
        let mut places = HashMap::new();
        let mut faults = Vec::new();
        let mut wanted = mapping.columns();
        wanted.sort_by_key(|column| (column.line, &column.name));
        wanted.dedup();
        // What there is, once however much is missing.
        let mut there = Some(format!("; it has: {}", one_line(&names.join(", "))));
        for Column { name, line } in wanted {
            let mut found = names.iter().enumerate().filter(|(_, known)| *known == name).map(|(place, _)| place);
            let message = match (found.next(), found.next()) {
                (Some(place), None) => {
                    places.insert(name.as_str(), place);
                    continue;
                }
                (Some(_), Some(_)) => format!("column {name:?} is in {table} twice"),
                (None, _) => {
                    format!("there is no column {name:?} in {table}{}", there.take().unwrap_or_default())
                }
            };
            faults.push(MappingFault { line: *line, message });
        }
        if faults.is_empty() { Ok(Self { mapping, places, width: header.len() }) } else { Err(MappingFaults(faults)) }
    }

    /// What a row becomes.
    pub fn read(&self, row: &ByteRecord) -> Result<Draft, Reason> {
        if row.len() != self.width {
            return Err(Reason::WrongColumnCount);
        }
        let row: Vec<&str> =
            row.iter().map(std::str::from_utf8).collect::<Result<_, _>>().map_err(|_| Reason::NotUtf8)?;
        let row = Row { bound: self, fields: &row };
        let mapping = self.mapping;
        for rule in &mapping.skip {
            let value = row.value(&rule.column.name);
            let listed = |values: &[String]| value.is_some_and(|value| values.iter().any(|it| it.as_str() == value));
            let leave = match &rule.when {
                SkipWhen::Equals(values) => listed(values),
                SkipWhen::NotEquals(values) => !listed(values),
                SkipWhen::Blank => value.is_none(),
            };
            if leave {
                return Err(Reason::LeftOut(rule.reason.clone()));
            }
        }
        let key = row.value(&mapping.key.name).ok_or(Reason::BlankKey)?;
        let category = row
            .value(&mapping.category.name)
            .or(mapping.category_when_blank.as_deref())
            .ok_or(Reason::BlankCategory)?;
        let category = mapping.renames.get(category).map_or(category, String::as_str);
        let category = Category::named(category).map_err(|_| Reason::UnusableCategory)?;
        let subject =
            row.first(&mapping.subject).map(|subject| one_line(&subject)).ok_or(Reason::NothingFor("subject"))?;
        let description = row.first(&mapping.description).ok_or(Reason::NothingFor("description"))?;
        let customer = match &mapping.customer {
            CustomerOf::Row => named(&[&mapping.source, key], READABLE_MAX),
            CustomerOf::Source => mapping.source.clone(),
            CustomerOf::Column(column) => {
                let value = row.value(&column.name).ok_or(Reason::BlankCustomer)?;
                match CustomerId::new(value) {
                    Ok(customer) => customer.to_string(),
                    Err(_) => named(&[&mapping.source, "customer", value], 0),
                }
            }
        };
        let customer = CustomerId::new(customer).map_err(|error| Reason::Refused(error.to_string()))?;
        // The key was made from the category's own name just now.
        let mut submission = Complaint::about(category.key.as_str(), subject, description)
            .map_err(|_| Reason::UnusableCategory)?
            .on_behalf_of(customer, Channel::Import);
        submission.product = row.first(&mapping.product).map(|text| one_line(&text));
        submission.order_number = row.first(&mapping.order_number).map(|text| one_line(&text));
        submission.contact = Contact {
            name: row.first(&mapping.contact_name).map(|text| one_line(&text)),
            email: row.first(&mapping.contact_email),
            phone: row.first(&mapping.contact_phone).map(|text| one_line(&text)),
            address: None,
        };
        submission.incident_date = row.day("incident_date", mapping.incident_date.as_ref())?;
        submission.purchase_date = row.day("purchase_date", mapping.purchase_date.as_ref())?;
        submission.items = mapping
            .items
            .iter()
            .filter_map(|item| Some(Item { kind: item.kind.clone(), key: one_line(&row.first(&item.key)?) }))
            .collect();
        let fingerprint = digest(row.fields);
        Ok(Draft { key: format!("import:{}", named(&[&mapping.source, key], 180)), fingerprint, category, submission })
    }
}

struct Row<'b, 'm, 'r> {
    bound: &'b Bound<'m>,
    fields: &'r [&'r str],
}

impl<'r> Row<'_, '_, 'r> {
    /// The trimmed value of a column; `None` where it stands for nothing.
    fn value(&self, column: &str) -> Option<&'r str> {
        let value = self.fields.get(*self.bound.places.get(column)?)?.trim();
        let is_blank = value.is_empty() || self.bound.mapping.blank.iter().any(|blank| blank == value);
        (!is_blank).then_some(value)
    }

    fn first(&self, templates: &[Template]) -> Option<String> {
        templates.iter().find_map(|template| template.fill(|column| self.value(column)))
    }

    fn day(&self, field: &'static str, date: Option<&DateColumn>) -> Result<Option<NaiveDate>, Reason> {
        let Some(date) = date else { return Ok(None) };
        let Some(value) = self.value(&date.column.name) else { return Ok(None) };
        date.formats
            .iter()
            .find_map(|format| NaiveDate::parse_from_str(value, format).ok())
            .map(Some)
            .ok_or(Reason::UnreadableDate(field))
    }
}

/// White space joined, cut to what a line of the desk may hold.
fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > SUBJECT_MAX {
        line = line.chars().take(SUBJECT_MAX - 1).collect();
        line.push('…');
    }
    line
}

/// `source:key` where that is short and visible ASCII, else the source and a digest. The two never meet: a digest is
/// marked with a character that the readable form does not have.
fn named(parts: &[&str], readable_max: usize) -> String {
    let (source, rest) = parts.split_first().map_or(("", parts), |(source, rest)| (*source, rest));
    let readable = rest.concat();
    let fits = rest.len() == 1
        && readable.len() <= readable_max
        && readable.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'~');
    if fits { format!("{source}:{readable}") } else { format!("{source}~{}", &digest(rest)[..30]) }
}

/// SHA-256 over texts, each with its length, so that no two lists of texts look alike.
fn digest(texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.len().to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str = r#"
source = "shop"
key = "No"
blank = ["None"]
subject = ["{Title}", "{Kind}"]
description = "{Text}"
order_number = "{Order}"
[category]
column = "Kind"
renames = { "Late parcel" = "Late delivery" }
[incident_date]
column = "Day"
formats = ["%Y-%m-%d", "%d/%m/%Y"]
[[item]]
kind = "parcel"
key = "{Parcel}"
[[skip]]
column = "Kind"
equals = ["Praise"]
reason = "not a complaint"
"#;
    const HEADER: [&str; 7] = ["\u{feff}No", "Kind", "Title", "Text", "Order", "Day", "Parcel"];

    fn read(row: &[&str]) -> Result<Draft, Reason> {
        let mapping = Mapping::from_toml(MAPPING).unwrap();
        let header = ByteRecord::from(HEADER.to_vec());
        Bound::to_header(&mapping, "shop.csv", &header).unwrap().read(&ByteRecord::from(row.to_vec()))
    }

    fn refused(row: &[&str]) -> Reason {
        match read(row) {
            Ok(_) => panic!("{row:?} was taken"),
            Err(reason) => reason,
        }
    }

    #[test]
    fn a_row_becomes_a_submission() {
        let draft = read(&["17", "Late parcel", " None ", " It never\ncame. ", "", "28/11/2023", "P 1"]).unwrap();
        let submission = &draft.submission;
        assert_eq!((draft.key.as_str(), draft.category.name.as_str()), ("import:shop:17", "Late delivery"));
        assert_eq!(submission.category.as_str(), "late-delivery");
        assert_eq!(submission.subject, "Late parcel", "the next template stands in for a blank title");
        assert_eq!(submission.description, "It never\ncame.");
        assert_eq!(submission.customer.as_ref().unwrap().as_str(), "shop:17");
        assert_eq!(submission.channel, Channel::Import);
        assert_eq!(submission.incident_date, NaiveDate::from_ymd_opt(2023, 11, 28));
        assert_eq!(submission.order_number, None);
        assert_eq!(submission.items, [Item { kind: "parcel".into(), key: "P 1".into() }]);
    }

    #[test]
    fn what_cannot_be_taken_over_has_its_reason() {
        assert_eq!(refused(&["17", "Late parcel"]), Reason::WrongColumnCount);
        assert_eq!(refused(&["", "Late parcel", "t", "x", "", "", ""]), Reason::BlankKey);
        assert_eq!(refused(&["1", "None", "t", "x", "", "", ""]), Reason::BlankCategory);
        assert_eq!(refused(&["1", "<b>", "t", "x", "", "", ""]), Reason::UnusableCategory);
        assert_eq!(refused(&["1", "Late parcel", "t", "", "", "", ""]), Reason::NothingFor("description"));
        assert_eq!(
            refused(&["1", "Late parcel", "t", "x", "", "2023-02-30", ""]),
            Reason::UnreadableDate("incident_date")
        );
        assert_eq!(refused(&["1", "Praise", "t", "x", "", "", ""]), Reason::LeftOut("not a complaint".into()));
        let mapping = Mapping::from_toml(MAPPING).unwrap();
        let header = ByteRecord::from(HEADER.to_vec());
        let row = ByteRecord::from(vec![&b"1"[..], b"Late parcel", b"\xff", b"x", b"", b"", b""]);
        let refused = Bound::to_header(&mapping, "shop.csv", &header).unwrap().read(&row).err();
        assert_eq!(refused, Some(Reason::NotUtf8));
    }

    #[test]
    fn every_missing_column_is_named() {
        let mapping = Mapping::from_toml(MAPPING).unwrap();
        let header = ByteRecord::from(vec!["No", "Kind", "Kind", "Text", "Order", "Parcel"]);
        let Err(faults) = Bound::to_header(&mapping, "shop.csv", &header) else { panic!("bound") };
        let text = faults.to_string();
        for part in [
            "line 5: there is no column \"Title\"",
            "line 12: there is no column \"Day\"",
            "\"Kind\" is in shop.csv twice",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(text.matches("it has: No, Kind, Kind, Text, Order, Parcel").count(), 1, "{text}");
        let header = ByteRecord::from(vec!["x".repeat(100_000).as_str(), "a\nb"]);
        let Err(faults) = Bound::to_header(&mapping, "shop.csv", &header) else { panic!("bound") };
        assert!(faults.to_string().len() < 2000, "cut at a sensible length");
    }

    #[test]
    fn names_are_short_visible_and_never_meet() {
        assert_eq!(named(&["cfpb", "7523056"], 30), "cfpb:7523056");
        for odd in ["two words", "ü", &"x".repeat(300), "a~b"] {
            let name = named(&["cfpb", odd], 30);
            assert!(name.starts_with("cfpb~") && name.len() <= 64 && name.is_ascii(), "{name}");
        }
        assert_ne!(named(&["a", "two words"], 30), named(&["a", "two  words"], 30));
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }

    #[test]
    fn a_long_line_is_cut_with_a_mark() {
        let line = one_line(&"ü ".repeat(300));
        assert_eq!(line.chars().count(), SUBJECT_MAX);
        assert!(line.ends_with('…'));
    }
}
