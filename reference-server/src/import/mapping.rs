//! The mapping file: what the columns of a foreign table mean.
//!
//! Read by hand instead of by derived serde, because an operator who writes a mapping wants to hear of every fault at
//! once and where it stands, and derived code stops at the first.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use complaint_core::Agent;
use complaint_core::id::{CategoryKey, Level, Skill};
use complaint_core::policy::Category;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::template::Template;
use crate::auth::values::{EmailAddress, FullName};

/// Longest source name: the keys of its rows must fit behind it.
const SOURCE_MAX: usize = 32;
/// The most agents one mapping may bring.
const AGENTS_MAX: usize = 500;

/// What the columns mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Where the rows come from, e.g. `cfpb`; together with the key it names a row for ever.
    pub source: String,
    /// The column whose value is unique within the source.
    pub key: Column,
    /// Values that stand for nothing, beside the empty one, e.g. `None`.
    pub blank: Vec<String>,
    /// Whether categories the policy does not have are added to it.
    pub create_categories: bool,
    /// The column that holds the category.
    pub category: Column,
    /// Other names for some of its values.
    pub renames: BTreeMap<String, String>,
    /// The category of rows whose column is blank; without it they are skipped.
    pub category_when_blank: Option<String>,
    /// The subject: the first template whose columns are all filled.
    pub subject: Vec<Template>,
    /// The description, likewise.
    pub description: Vec<Template>,
    /// The day it went wrong.
    pub incident_date: Option<DateColumn>,
    /// The day it was bought.
    pub purchase_date: Option<DateColumn>,
    /// Whose complaint it is.
    pub customer: CustomerOf,
    /// The product, in the customer's words.
    pub product: Vec<Template>,
    /// The order, contract or booking number.
    pub order_number: Vec<Template>,
    /// The customer's name.
    pub contact_name: Vec<Template>,
    /// The customer's e-mail address.
    pub contact_email: Vec<Template>,
    /// The customer's telephone number.
    pub contact_phone: Vec<Template>,
    /// Things of the host it concerns.
    pub items: Vec<ItemOf>,
    /// Rows to leave out.
    pub skip: Vec<SkipRule>,
    /// Agents to enrol if they are absent.
    pub agents: Vec<AgentEntry>,
}

/// A column by its name in the header, and the line of the mapping that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As in the header.
    pub name: String,
    /// Where the mapping names it, from 1.
    pub line: usize,
}

/// A column that holds a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateColumn {
    /// Which.
    pub column: Column,
    /// How days are written there, tried in order: `strftime` letters, e.g. `%Y-%m-%d`.
    pub formats: Vec<String>,
}

/// Whose complaint a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerOf {
    /// Nobody knows: each row has a customer of its own.
    Row,
    /// One customer stands for the whole source.
    Source,
    /// The value of a column.
    Column(Column),
}

/// A thing of the host that a row concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemOf {
    /// What sort of thing.
    pub kind: String,
    /// Its key; no item where none of the templates is filled.
    pub key: Vec<Template>,
}

/// Rows to leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkipRule {
    /// The column that is looked at.
    pub column: Column,
    /// For which values.
    pub when: SkipWhen,
    /// What the report says about them.
    pub reason: String,
}

/// For which values a row is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipWhen {
    /// One of these.
    Equals(Vec<String>),
    /// Any but these.
    NotEquals(Vec<String>),
    /// Nothing in it.
    Blank,
}

/// An agent to enrol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentEntry {
    /// Full name.
    pub name: String,
    /// E-mail address of the account.
    pub email: String,
    /// What they know.
    pub skills: Vec<Skill>,
    /// The greatest workload they are given automatically.
    pub capacity: u32,
    /// The step of the ladder they work at.
    pub level: Level,
}

/// One fault of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MappingFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what would put it right.
    pub message: String,
}

/// Every fault of a mapping, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MappingFaults(pub Vec<MappingFault>);

impl fmt::Display for MappingFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mapping cannot be used:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  line {}: {}", fault.line, fault.message))
    }
}

impl Mapping {
    /// Reads a mapping and names every fault at once.
    pub fn from_toml(text: &str) -> Result<Self, MappingFaults> {
        let (document, unreadable) = DeTable::parse_recoverable(text);
        let mut reader = Reader { text, faults: Vec::new() };
        for error in unreadable {
            reader.fault(error.span().unwrap_or_default(), error.message().to_owned());
        }
        if !reader.faults.is_empty() {
            // What follows a broken line is guesswork: its other faults would mislead.
            return Err(reader.refusal());
        }
        let span = document.span();
        let mapping = reader.mapping(Table::new(document.get_ref(), span));
        match mapping {
            Some(mapping) if reader.faults.is_empty() => Ok(mapping),
            _ => Err(reader.refusal()),
        }
    }

    /// Every column it names, so that a header can be checked against all of them at once.
    pub fn columns(&self) -> Vec<&Column> {
        let templates = [
            &self.subject,
            &self.description,
            &self.product,
            &self.order_number,
            &self.contact_name,
            &self.contact_email,
            &self.contact_phone,
        ];
        let mut columns = vec![&self.key, &self.category];
        columns.extend(templates.into_iter().flatten().flat_map(Template::columns));
        columns.extend(self.items.iter().flat_map(|item| &item.key).flat_map(Template::columns));
        columns.extend(self.incident_date.iter().chain(&self.purchase_date).map(|date| &date.column));
        columns.extend(self.skip.iter().map(|rule| &rule.column));
        if let CustomerOf::Column(column) = &self.customer {
            columns.push(column);
        }
        columns
    }
}

/// A table of the document, from which known fields are taken; what is left is unknown.
struct Table<'d, 'i> {
    entries: &'d DeTable<'i>,
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'d, 'i> Table<'d, 'i> {
    fn new(entries: &'d DeTable<'i>, span: Range<usize>) -> Self {
        Self { entries, span, known: Vec::new() }
    }

    fn take(&mut self, name: &'static str) -> Option<&'d Spanned<DeValue<'i>>> {
        self.known.push(name);
        self.entries.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
    }
}

struct Reader<'t> {
    text: &'t str,
    faults: Vec<MappingFault>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        let fault = MappingFault { line: self.line(span.start), message: message.into() };
        self.faults.push(fault);
    }

    fn refusal(mut self) -> MappingFaults {
        self.faults.sort();
        self.faults.dedup();
        MappingFaults(self.faults)
    }

    fn mapping(&mut self, mut top: Table<'_, '_>) -> Option<Mapping> {
        let source = self.required_text(&mut top, "source");
        if let Some((source, span)) = &source {
            let fits = source.len() <= SOURCE_MAX && source.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !fits {
                self.fault(span.clone(), format!("source: must be 1 to {SOURCE_MAX} letters, digits or hyphens"));
            }
        }
        let key = self.required_column(&mut top, "key");
        let blank = top.take("blank").map(|value| self.texts("blank", value)).unwrap_or_default();
        let create_categories =
            top.take("create_categories").and_then(|value| self.flag("create_categories", value)).unwrap_or(false);
        let category = self.category(&mut top);
        let subject = self.required_templates(&mut top, "subject");
        let description = self.required_templates(&mut top, "description");
        let incident_date = self.date(&mut top, "incident_date");
        let purchase_date = self.date(&mut top, "purchase_date");
        let customer = self.customer(&mut top);
        let [product, order_number, contact_name, contact_email, contact_phone] =
            ["product", "order_number", "contact_name", "contact_email", "contact_phone"]
                .map(|name| top.take(name).map(|value| self.templates(name, value)).unwrap_or_default());
        let items = self.tables(&mut top, "item", Self::item);
        let skip = self.tables(&mut top, "skip", Self::skip);
        let agents = self.tables(&mut top, "agent", Self::agent);
        if agents.len() > AGENTS_MAX {
            self.fault(top.span.clone(), format!("agent: at most {AGENTS_MAX} agents"));
        }
        self.finish(&top);
        let (category, renames, category_when_blank) = category?;
        Some(Mapping {
            source: source?.0,
            key: key?,
            blank,
            create_categories,
            category,
            renames,
            category_when_blank,
            subject,
            description,
            incident_date,
            purchase_date,
            customer,
            product,
            order_number,
            contact_name,
            contact_email,
            contact_phone,
            items,
            skip,
            agents,
        })
    }

    fn category(&mut self, top: &mut Table<'_, '_>) -> Option<(Column, BTreeMap<String, String>, Option<String>)> {
        let Some(value) = top.take("category") else {
            self.fault(top.span.clone(), "category: must be there, as a table [category] with a `column`");
            return None;
        };
        let mut table = self.table("category", value)?;
        let column = self.required_column(&mut table, "column");
        let when_blank = self.optional_text(&mut table, "when_blank");
        let mut renames = BTreeMap::new();
        if let Some(mut names) = table.take("renames").and_then(|value| self.table("renames", value)) {
            for (from, to) in names.entries {
                if let Some(to) = self.text("renames", to) {
                    self.check_category(&to.0, to.1);
                    renames.insert(from.get_ref().to_string(), to.0);
                }
            }
            names.known.clear();
        }
        if let Some((name, span)) = &when_blank {
            self.check_category(name, span.clone());
        }
        self.finish(&table);
        Some((column?, renames, when_blank.map(|(name, _)| name)))
    }

    fn check_category(&mut self, name: &str, span: Range<usize>) {
        if let Err(error) = Category::named(name).and_then(|category| CategoryKey::new(category.key.as_str())) {
            self.fault(span, format!("{name:?} cannot be the name of a category: {error}"));
        }
    }

    fn customer(&mut self, top: &mut Table<'_, '_>) -> CustomerOf {
        let Some(value) = top.take("customer") else { return CustomerOf::Row };
        let Some(mut table) = self.table("customer", value) else { return CustomerOf::Row };
        let column = self.optional_text(&mut table, "column");
        let per = self.optional_text(&mut table, "per");
        self.finish(&table);
        match (column, per) {
            (Some((name, span)), None) => CustomerOf::Column(self.column(name, &span)),
            (None, Some((per, _))) if per == "row" => CustomerOf::Row,
            (None, Some((per, _))) if per == "source" => CustomerOf::Source,
            (None, Some((_, span))) => {
                self.fault(span, "customer.per: must be \"row\" or \"source\"");
                CustomerOf::Row
            }
            (Some((_, span)), Some(_)) => {
                self.fault(span, "customer: give either `column` or `per`, not both");
                CustomerOf::Row
            }
            (None, None) => {
                self.fault(table.span, "customer: give `column`, or `per` as \"row\" or \"source\"");
                CustomerOf::Row
            }
        }
    }

    fn date(&mut self, top: &mut Table<'_, '_>, name: &'static str) -> Option<DateColumn> {
        let value = top.take(name)?;
        let mut table = self.table(name, value)?;
        let column = self.required_column(&mut table, "column");
        let formats = table.take("formats").map(|value| (self.texts("formats", value), value.span()));
        let (formats, span) = formats.unwrap_or_else(|| (Vec::new(), table.span.clone()));
        for format in formats.iter().filter(|format| !is_day_format(format)) {
            let message = format!("{name}.formats: {format:?} does not write a day, as in \"%Y-%m-%d\"");
            self.fault(span.clone(), message);
        }
        if formats.is_empty() {
            self.fault(span, format!("{name}.formats: must name at least one, as in [\"%Y-%m-%d\"]"));
        }
        self.finish(&table);
        Some(DateColumn { column: column?, formats })
    }

    fn item(&mut self, mut table: Table<'_, '_>) -> Option<ItemOf> {
        let kind = self.required_text(&mut table, "kind");
        let key = self.required_templates(&mut table, "key");
        self.finish(&table);
        Some(ItemOf { kind: kind?.0, key })
    }

    fn skip(&mut self, mut table: Table<'_, '_>) -> Option<SkipRule> {
        let column = self.required_column(&mut table, "column");
        let reason = self.required_text(&mut table, "reason");
        let equals = table.take("equals").map(|value| self.texts("equals", value));
        let not_equals = table.take("not_equals").map(|value| self.texts("not_equals", value));
        let blank = table.take("blank").and_then(|value| self.flag("blank", value));
        self.finish(&table);
        let when = match (equals, not_equals, blank) {
            (Some(values), None, None) => SkipWhen::Equals(values),
            (None, Some(values), None) => SkipWhen::NotEquals(values),
            (None, None, Some(true)) => SkipWhen::Blank,
            _ => {
                self.fault(
                    table.span,
                    "skip: give exactly one of `equals = [..]`, `not_equals = [..]` and `blank = true`",
                );
                return None;
            }
        };
        Some(SkipRule { column: column?, when, reason: reason?.0 })
    }

    fn agent(&mut self, mut table: Table<'_, '_>) -> Option<AgentEntry> {
        let name = self.required_text(&mut table, "name");
        let email = self.required_text(&mut table, "email");
        if let Some((name, span)) = &name
            && let Some(message) = FullName::parse(name)
                .err()
                .map(|fault| fault.message)
                .or_else(|| Agent::named("any", name).err().map(|error| error.to_string()))
        {
            self.fault(span.clone(), format!("agent.name: {message}"));
        }
        if let Some((email, span)) = &email
            && let Err(fault) = EmailAddress::parse(email)
        {
            self.fault(span.clone(), format!("agent.email: {}", fault.message));
        }
        let mut skills = Vec::new();
        if let Some(value) = table.take("skills") {
            for skill in self.texts("skills", value) {
                match Skill::new(&skill) {
                    Ok(skill) => skills.push(skill),
                    Err(error) => self.fault(value.span(), format!("agent.skills: {skill:?}: {error}")),
                }
            }
        }
        let capacity = table.take("capacity").and_then(|value| self.number("capacity", value, 1, 1_000_000));
        let level = table.take("level").and_then(|value| self.number("level", value, 1, 9));
        self.finish(&table);
        Some(AgentEntry {
            name: name?.0,
            email: email?.0,
            skills,
            capacity: capacity.unwrap_or(10),
            level: level
                .and_then(|level| u8::try_from(level).ok())
                .and_then(|it| Level::new(it).ok())
                .unwrap_or(Level::FIRST),
        })
    }

    /// Every entry of an array of tables.
    fn tables<T>(
        &mut self,
        top: &mut Table<'_, '_>,
        name: &'static str,
        mut read: impl FnMut(&mut Self, Table<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(value) = top.take(name) else { return Vec::new() };
        let Some(entries) = value.get_ref().as_array() else {
            self.wrong_type(name, value, &format!("tables written as [[{name}]]"));
            return Vec::new();
        };
        entries
            .iter()
            .filter_map(|entry| {
                let table = self.table(name, entry)?;
                read(self, table)
            })
            .collect()
    }

    fn required_templates(&mut self, table: &mut Table<'_, '_>, name: &'static str) -> Vec<Template> {
        let Some(value) = table.take(name) else {
            self.fault(table.span.clone(), format!("{name}: must be there, as in [\"{{Column}}\"]"));
            return Vec::new();
        };
        let faults = self.faults.len();
        let templates = self.templates(name, value);
        if templates.is_empty() && self.faults.len() == faults {
            self.fault(value.span(), format!("{name}: must hold at least one template"));
        }
        templates
    }

    /// One template or a list of them, each tried when the one before it has a blank column.
    fn templates(&mut self, name: &'static str, value: &Spanned<DeValue<'_>>) -> Vec<Template> {
        let line = self.line(value.span().start);
        let texts = match value.get_ref() {
            DeValue::String(text) => vec![text.to_string()],
            _ => self.texts(name, value),
        };
        let mut templates = Vec::new();
        for text in texts {
            match Template::parse(&text, line) {
                Ok(template) => templates.push(template),
                Err(why) => self.fault(value.span(), format!("{name}: {text:?}: {why}")),
            }
        }
        templates
    }

    fn required_column(&mut self, table: &mut Table<'_, '_>, name: &'static str) -> Option<Column> {
        let (text, span) = self.required_text(table, name)?;
        Some(self.column(text, &span))
    }

    fn column(&self, name: String, span: &Range<usize>) -> Column {
        Column { name, line: self.line(span.start) }
    }

    fn required_text(&mut self, table: &mut Table<'_, '_>, name: &'static str) -> Option<(String, Range<usize>)> {
        let Some(value) = table.take(name) else {
            self.fault(table.span.clone(), format!("{name}: must be there"));
            return None;
        };
        self.filled(name, value)
    }

    fn optional_text(&mut self, table: &mut Table<'_, '_>, name: &'static str) -> Option<(String, Range<usize>)> {
        let value = table.take(name)?;
        self.filled(name, value)
    }

    fn filled(&mut self, name: &'static str, value: &Spanned<DeValue<'_>>) -> Option<(String, Range<usize>)> {
        let (text, span) = self.text(name, value)?;
        if text.trim().is_empty() {
            self.fault(span, format!("{name}: must not be empty"));
            return None;
        }
        Some((text, span))
    }

    fn texts(&mut self, name: &'static str, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        let Some(entries) = value.get_ref().as_array() else {
            self.wrong_type(name, value, "a list of texts");
            return Vec::new();
        };
        entries.iter().filter_map(|entry| self.text(name, entry)).map(|(text, _)| text).collect()
    }

    fn text(&mut self, name: &'static str, value: &Spanned<DeValue<'_>>) -> Option<(String, Range<usize>)> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(name, value, "a text");
        }
        Some((text?.to_owned(), value.span()))
    }

    fn flag(&mut self, name: &'static str, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(name, value, "true or false");
        }
        flag
    }

    fn number(&mut self, name: &'static str, value: &Spanned<DeValue<'_>>, least: u32, most: u32) -> Option<u32> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok())
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong_type(name, value, &format!("a whole number from {least} to {most}"));
        }
        number
    }

    fn table<'d, 'i>(&mut self, name: &'static str, value: &'d Spanned<DeValue<'i>>) -> Option<Table<'d, 'i>> {
        let entries = value.get_ref().as_table();
        if entries.is_none() {
            self.wrong_type(name, value, "a table");
        }
        Some(Table::new(entries?, value.span()))
    }

    fn wrong_type(&mut self, name: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        self.fault(value.span(), format!("{name}: must be {wanted}, not {}", value.get_ref().type_str()));
    }

    /// Names what the table has beyond what was asked of it.
    fn finish(&mut self, table: &Table<'_, '_>) {
        for (key, _) in table.entries {
            if !table.known.iter().any(|known| key.get_ref() == known) {
                let message = format!("{}: is not known here; known are: {}", key.get_ref(), table.known.join(", "));
                self.fault(key.span(), message);
            }
        }
    }
}

/// Whether a format can be read back into the day it wrote.
fn is_day_format(format: &str) -> bool {
    use std::fmt::Write as _;

    let Some(day) = chrono::NaiveDate::from_ymd_opt(2023, 11, 28) else { return false };
    let mut written = String::new();
    write!(written, "{}", day.format(format)).is_ok()
        && chrono::NaiveDate::parse_from_str(&written, format).is_ok_and(|read| read == day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
source = "shop"
key = "No"
subject = "{Title}"
description = ["{Text}", "{Title}"]

[category]
column = "Kind"
"#;

    fn faults(text: &str) -> Vec<(usize, String)> {
        Mapping::from_toml(text).unwrap_err().0.into_iter().map(|fault| (fault.line, fault.message)).collect()
    }

    #[test]
    fn reads_a_small_mapping() {
        let mapping = Mapping::from_toml(SMALL).unwrap();
        assert_eq!(mapping.key, Column { name: "No".into(), line: 3 });
        assert_eq!(mapping.customer, CustomerOf::Row);
        assert_eq!(mapping.description.len(), 2);
        assert!(!mapping.create_categories);
        let columns: Vec<&str> = mapping.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, ["No", "Kind", "Title", "Text", "Title"]);
    }

    #[test]
    fn names_every_fault_with_its_line() {
        let found = faults(
            r#"
source = "two words"
key = 7
subject = "{Title"
colour = "blue"

[category]
column = " "
renames = { a = "<script>" }

[incident_date]
column = "Day"
formats = ["%Y-%q"]

[[agent]]
name = "Zoë Park"
email = "nobody"
capacity = 0

[[skip]]
column = "Kind"
reason = "not ours"
"#,
        );
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        let text = format!("{found:#?}");
        for (line, part) in [
            (2, "source: must be"),
            (3, "key: must be a text"),
            (4, "subject:"),
            (5, "colour: is not known here"),
            (8, "column: must not be empty"),
            (9, "cannot be the name of a category"),
            (13, "does not write a day"),
            (17, "agent.email"),
            (18, "capacity: must be a whole number"),
            (20, "skip: give exactly one"),
        ] {
            assert!(found.iter().any(|(at, message)| *at == line && message.contains(part)), "{line} {part}: {text}");
        }
        assert!(found.iter().any(|(_, message)| message.starts_with("description: must be there")), "{text}");
        assert!(lines.is_sorted());
    }

    #[test]
    fn an_empty_list_of_templates_is_no_template() {
        let found = faults(&SMALL.replace("\"{Title}\"\n", "[]\n").replace("source = \"shop\"", "source = 1"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[1], (4, "subject: must hold at least one template".to_owned()));
    }

    #[test]
    fn a_broken_line_is_named() {
        let found = faults("source = \"a\nkey = ");
        assert_eq!(found[0].0, 1, "{found:?}");
    }

    #[test]
    fn the_shipped_mappings_can_be_read() {
        for text in [
            include_str!("../../mappings/cfpb-mixed-products.toml"),
            include_str!("../../mappings/cfpb-payday.toml"),
            include_str!("../../mappings/nyc-council-casework.toml"),
        ] {
            let mapping = Mapping::from_toml(text).unwrap();
            assert!(mapping.create_categories && !mapping.agents.is_empty());
        }
    }
}
