//! What can be done to a complaint, and what is to be sent for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use complaint_core::complaint::{DismissalReason, Outcome, Priority, RemedyKind};
use complaint_core::lifecycle::{Availability, CommandName, Field};
use complaint_core::policy::Policy;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// One command, and whether the viewer may give it now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommandView {
    #[schema(example = "resolve")]
    name: &'static str,
    label: &'static str,
    allowed: bool,
    /// Every reason against it that does not depend on what is sent.
    refusals: Vec<RefusalView>,
    fields: Vec<FieldView>,
}

/// Why not now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RefusalView {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    message: String,
    /// What would satisfy it.
    remedy: String,
}

/// A field of a command's body.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldView {
    name: &'static str,
    label: &'static str,
    required: bool,
    #[serde(rename = "type")]
    kind: FieldKind,
    /// What can be chosen, where it is one of a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<ChoiceView>,
    /// The fields of each item, where the items of a list are objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    fields: Vec<FieldView>,
}

/// What is given in a field: text, a whole number, a day as in `2026-11-30`, true or false, a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// A day, as in `2026-11-30`.
    Day,
    /// True or false.
    Flag,
    /// A list: of texts, or of objects with the named fields.
    List,
}

/// One thing that can be chosen.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChoiceView {
    /// What is sent.
    #[schema(example = "upheld")]
    key: String,
    /// What people read.
    name: String,
}

/// The body of a command: every field that any command reads. Which reads which, `GET /api/v1/lifecycle` says.
pub struct CommandBody;

/// What an actor may do now, and why not the rest.
pub fn command(availability: &Availability, policy: &Policy) -> CommandView {
    let name = availability.command;
    CommandView {
        name: name.name(),
        label: name.label(),
        allowed: availability.allowed,
        refusals: availability
            .failed
            .iter()
            .map(|failed| RefusalView {
                code: failed.code,
                field: failed.field.clone(),
                message: failed.message.clone(),
                remedy: failed.remedy.clone(),
            })
            .collect(),
        fields: name
            .fields()
            .iter()
            .map(|field| field_view(*field, availability.required.contains(field), policy))
            .collect(),
    }
}

/// What a command reads, with what can be chosen. Categories and agents, which may be many, have lists of their own.
pub fn field_view(field: Field, required: bool, policy: &Policy) -> FieldView {
    let choices = match field {
        Field::Cause => {
            let active = policy.causes.iter().filter(|cause| cause.active);
            active.map(|cause| ChoiceView { key: cause.key.to_string(), name: cause.name.clone() }).collect()
        }
        Field::Outcome => choices(outcomes(), |it| (it.name(), it.label())),
        Field::Dismissal => choices(DismissalReason::ALL, |it| (it.name(), it.label())),
        Field::Priority => choices(Priority::ALL, |it| (it.name(), it.label())),
        _ => Vec::new(),
    };
    let kind = match field {
        Field::Until | Field::On => FieldKind::Day,
        Field::Remedy | Field::Weight | Field::Score => FieldKind::Number,
        Field::OverCapacity | Field::Anonymous => FieldKind::Flag,
        Field::Remedies | Field::Skills | Field::Files | Field::OptionalFiles => FieldKind::List,
        _ => FieldKind::Text,
    };
    let fields = if field == Field::Remedies { remedy_fields() } else { Vec::new() };
    FieldView { name: field.name(), label: field.label(), required, kind, choices, fields }
}

/// The outcomes that can be chosen: that of “Resolve at source” has a command of its own.
pub fn outcomes() -> impl Iterator<Item = &'static Outcome> {
    Outcome::ALL.iter().filter(|outcome| **outcome != Outcome::ResolvedAtSource)
}

fn remedy_fields() -> Vec<FieldView> {
    let part =
        |name, label, required, kind, choices| FieldView { name, label, required, kind, choices, fields: Vec::new() };
    vec![
        part("kind", "Kind", true, FieldKind::Text, choices(RemedyKind::ALL, |it| (it.name(), it.label()))),
        part("amount", "Amount, as in 12.50 EUR", false, FieldKind::Text, Vec::new()),
        part("due_on", "Promised for", false, FieldKind::Day, Vec::new()),
        part("instructions", "How the customer proceeds", false, FieldKind::Text, Vec::new()),
    ]
}

fn choices<'a, T: 'a>(
    all: impl IntoIterator<Item = &'a T>,
    said: impl Fn(&T) -> (&'static str, &'static str),
) -> Vec<ChoiceView> {
    let choice = |(key, name): (&str, &str)| ChoiceView { key: key.to_owned(), name: name.to_owned() };
    all.into_iter().map(|it| choice(said(it))).collect()
}

impl ToSchema for CommandBody {}

impl PartialSchema for CommandBody {
    fn schema() -> RefOr<Schema> {
        let policy = Policy::standard();
        let mut fields: BTreeMap<&str, Vec<(&str, FieldView)>> = BTreeMap::new();
        for command in CommandName::ALL {
            for field in command.fields() {
                let view = field_view(*field, field.is_required(), &policy);
                fields.entry(view.name).or_default().push((command.name(), view));
            }
        }
        let body = fields.into_iter().fold(ObjectBuilder::new(), |body, (name, read)| {
            let needed = |(command, view): &(&str, FieldView)| {
                format!("`{command}`{}", if view.required { " (needed)" } else { "" })
            };
            let mut said = format!("Read by {}.", read.iter().map(needed).collect::<Vec<_>>().join(", "));
            let lists = |view: &FieldView| view.choices.iter().map(|it| it.key.clone()).collect::<Vec<_>>();
            // One name with a list at one command and free words at another.
            let mixed = read.iter().any(|(_, view)| view.choices.is_empty());
            for (command, view) in read.iter().filter(|(_, view)| mixed && !view.choices.is_empty()) {
                let _ = write!(said, " At `{command}` one of {}.", lists(view).join(", "));
            }
            let first = read.into_iter().map(|(_, view)| view).next();
            let of_policy = name == Field::Cause.name();
            match first {
                Some(view) if mixed || of_policy => {
                    body.property(name, described(&FieldView { choices: Vec::new(), ..view }, said))
                }
                Some(view) => body.property(name, described(&view, said)),
                None => body,
            }
        });
        body.description(Some("Every field that any command reads; each command refuses those it does not.")).into()
    }
}

fn described(view: &FieldView, said: String) -> RefOr<Schema> {
    let plain = |kind| ObjectBuilder::new().schema_type(kind);
    let one = match view.kind {
        FieldKind::Number => plain(Type::Integer),
        FieldKind::Flag => plain(Type::Boolean),
        FieldKind::Day => plain(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))),
        FieldKind::Text if view.choices.is_empty() => plain(Type::String),
        FieldKind::Text => plain(Type::String).enum_values(Some(view.choices.iter().map(|choice| choice.key.clone()))),
        FieldKind::List if view.fields.is_empty() => {
            return ArrayBuilder::new().items(plain(Type::String)).description(Some(said)).into();
        }
        FieldKind::List => {
            let item = view.fields.iter().fold(ObjectBuilder::new(), |item, part| {
                let item = item.property(part.name, described(part, part.label.to_owned()));
                if part.required { item.required(part.name) } else { item }
            });
            return ArrayBuilder::new().items(item).description(Some(said)).into();
        }
    };
    one.description(Some(said)).into()
}
