//! Forms: what people typed, and fields that carry their label, their hint, their fault and what was typed before.

use std::fmt::Display;
use std::str::FromStr;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use sha2::{Digest as _, Sha256};

use crate::error::Problem;
use crate::extract::hex;

/// Longest body of a form without files: every text a complaint can hold, percent-encoded.
const FORM_MAX: usize = 1024 * 1024;
/// The most fields of a form, so that a made-up one costs little.
const FIELDS_MAX: usize = 500;

/// The fields of a sent form in its order, each given once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed(Vec<(String, String)>);

impl Typed {
    /// A form of at most so many bytes.
    pub(super) async fn within(request: Request, most: usize) -> Result<Self, Problem> {
        let is_form = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if !is_form {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "This kind of content is not accepted here.",
            ));
        }
        let body = axum::body::to_bytes(request.into_body(), most)
            .await
            .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large."))?;
        let mut typed = Self::default();
        for (at, pair) in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if at >= FIELDS_MAX {
                return Err(Problem::malformed("malformed_form", "The form has too many fields."));
            }
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(parts.next().unwrap_or_default())
                .ok_or_else(|| Problem::malformed("malformed_form", "The form is not UTF-8."))?;
            let value = decoded(parts.next().unwrap_or_default());
            typed.add(&name, value.ok_or_else(|| not_ours(&name, "not_utf8", "is not UTF-8"))?)?;
        }
        Ok(typed)
    }

    /// One more field.
    ///
    /// # Errors
    /// 400 if it was given already: which of two values was meant, nobody can say.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) -> Result<(), Problem> {
        let name = name.into();
        if self.sent(&name).is_some() {
            return Err(not_ours(&name, "duplicate", "is given twice"));
        }
        self.0.push((name, value.into()));
        Ok(())
    }

    /// These fields and one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// What was typed; empty if the field was not sent.
    pub fn raw(&self, name: &str) -> &str {
        self.sent(name).unwrap_or_default()
    }

    /// What was typed, if the field was sent.
    pub fn sent(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What was typed without blanks around it, if anything is left.
    pub fn get(&self, name: &str) -> Option<&str> {
        Some(self.raw(name).trim()).filter(|value| !value.is_empty())
    }

    /// Whether a box was ticked.
    ///
    /// # Errors
    /// 400 naming it if it was sent with a value no box of ours has.
    pub fn ticked(&self, name: &str) -> Result<bool, Problem> {
        match self.sent(name) {
            None => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(not_ours(name, "invalid", "is ticked or it is not")),
        }
    }

    /// Refuses fields the form does not have; browsers add none of their own, since no button of ours has a name.
    ///
    /// # Errors
    /// 400 naming the first such field.
    pub fn only(&self, known: impl Fn(&str) -> bool) -> Result<(), Problem> {
        match self.0.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(not_ours(name, "unknown_field", "is not a field of this form")),
            None => Ok(()),
        }
    }

    /// Refuses fields other than these, and forms without one of them that is not marked by a `?` at its end.
    ///
    /// # Errors
    /// 400 naming the field.
    pub fn exactly(&self, fields: &[&str]) -> Result<(), Problem> {
        self.only(|name| fields.iter().any(|field| field.trim_end_matches('?') == name))?;
        match fields.iter().find(|field| !field.ends_with('?') && self.sent(field).is_none()) {
            Some(field) => Err(not_ours(field, "missing", "is missing")),
            None => Ok(()),
        }
    }

    /// A field that our page fills in, read by the program.
    ///
    /// # Errors
    /// 400 naming it if it is missing or is no such value.
    pub fn machine<T: FromStr>(&self, name: &str) -> Result<T, Problem> {
        match self.sent(name).map(str::parse) {
            Some(Ok(value)) => Ok(value),
            Some(Err(_)) => Err(not_ours(name, "invalid", "is not what the page put there")),
            None => Err(not_ours(name, "missing", "is missing")),
        }
    }

    /// Tells one form filled in from another: what our page put there to know it again by is left out, and so is the key of a
    /// program, which may have got a new one meanwhile.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        for (name, value) in self.fields().filter(|(name, _)| !["key", "api_key"].contains(name)) {
            digest.update(format!("{}:{name}{}:{value}", name.len(), value.len()));
        }
        hex(&digest.finalize())
    }

    /// Every field with what was typed, in the order of the form.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A form no page of ours sends, however it was filled in.
pub(super) fn not_ours(field: &str, code: &str, what: &str) -> Problem {
    let shown: String = field.chars().take(60).collect();
    Problem::malformed("malformed_form", format!("“{shown}” {what}. Please open the page anew."))
        .field(field, code, what)
}

impl<S: Send + Sync> FromRequest<S> for Typed {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Self::within(request, FORM_MAX).await
    }
}

/// Undoes the encoding of forms (URL Standard, section 5.1). Not by a library: theirs replace what is not UTF-8, and nobody would notice.
fn decoded(part: &[u8]) -> Option<String> {
    let digit = |at: usize| part.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(part.len());
    let mut at = 0;
    while let Some(byte) = part.get(at) {
        let (byte, length) = match (byte, digit(at + 1), digit(at + 2)) {
            (b'+', ..) => (b' ', 1),
            (b'%', Some(high), Some(low)) => (u8::try_from(high * 16 + low).ok()?, 3),
            (byte, ..) => (*byte, 1),
        };
        bytes.push(byte);
        at += length;
    }
    String::from_utf8(bytes).ok()
}

/// What was typed into a field that the page does not have any more, to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The name of the field.
    pub name: String,
    /// What was asked.
    pub label: String,
    /// What was typed.
    pub text: String,
}

/// What was wrong with a field, or with the whole form where `field` is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The name of the field.
    pub field: String,
    /// A whole sentence.
    pub message: String,
}

impl Fault {
    /// A fault of one field.
    pub fn of(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// One entry of the summary above a form with faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The id to jump to, if the fault has a field on this page.
    pub target: Option<String>,
    /// A whole sentence.
    pub message: String,
}

/// One thing to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl Choice {
    /// A choice, chosen if its value is `now`.
    pub fn new(value: impl Display, label: impl Display, now: &str) -> Self {
        let value = value.to_string();
        let chosen = value == now;
        Self { value, label: label.to_string(), chosen }
    }
}

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// One line; the type of the input.
    Line(&'static str),
    /// Several lines.
    Area,
    /// One of a list.
    Select(Vec<Choice>),
    /// One of a few, all visible.
    Radios(Vec<Choice>),
    /// Yes or no.
    Tick(bool),
    /// Files.
    Files(String),
    /// Several fields that belong together.
    Set(Vec<Field>),
}

/// A field with everything around it. Rendered by its own template, so that every form ties label, hint and fault alike.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/field.html")]
pub struct Field {
    /// Unique on the page.
    pub id: String,
    /// What is sent.
    pub name: String,
    /// What is asked.
    pub label: String,
    /// What helps to answer.
    pub hint: String,
    /// What was wrong.
    pub fault: Option<String>,
    /// When it must be filled in, if not always.
    pub when: &'static str,
    /// Whether it must be filled in.
    pub required: bool,
    /// What is in it.
    pub value: String,
    /// How it is filled in.
    pub control: Control,
    /// The autofill purpose (WCAG 1.3.5), or empty.
    pub autocomplete: &'static str,
    /// The most characters, or 0.
    pub max: usize,
}

impl HtmlSafe for Field {}

impl Field {
    /// A field whose name is its id.
    pub fn new(name: impl Into<String>, label: impl Into<String>, control: Control) -> Self {
        let name = name.into();
        Self {
            id: id_of("", &name),
            name,
            label: label.into(),
            hint: String::new(),
            fault: None,
            when: "optional",
            required: false,
            value: String::new(),
            control,
            autocomplete: "",
            max: 0,
        }
    }

    /// One line of text.
    pub fn line(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(name, label, Control::Line("text")).max(complaint_core::text::FIELD_MAX)
    }

    /// Several lines of text.
    pub fn area(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(name, label, Control::Area)
    }

    /// A day.
    pub fn date(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(name, label, Control::Line("date"))
    }

    /// A password, which is never shown again.
    pub fn password(label: &str, autocomplete: &'static str) -> Self {
        Self::new("password", label, Control::Line("password"))
            .autocomplete(autocomplete)
            .required()
            .max(crate::auth::password::PASSWORD_MAX)
    }

    /// Makes ids unique where several forms stand on one page.
    #[must_use]
    pub fn within(mut self, form: &str) -> Self {
        self.id = id_of(form, &self.name);
        if let Control::Set(fields) = self.control {
            self.control = Control::Set(fields.into_iter().map(|field| field.within(form)).collect());
        }
        self
    }

    /// Must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Must be filled in only then.
    #[must_use]
    pub fn when(mut self, when: &'static str) -> Self {
        self.when = when;
        self
    }

    /// Says what helps.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// Says for the browser what it is.
    #[must_use]
    pub fn autocomplete(mut self, purpose: &'static str) -> Self {
        self.autocomplete = purpose;
        self
    }

    /// Says how many characters it may have.
    #[must_use]
    pub fn max(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    /// Puts a value in.
    #[must_use]
    pub fn value(mut self, value: impl Display) -> Self {
        let value = value.to_string();
        match &mut self.control {
            Control::Select(choices) | Control::Radios(choices) => {
                for choice in choices {
                    choice.chosen = choice.value == value;
                }
            }
            Control::Tick(ticked) => *ticked = !value.is_empty(),
            _ => {}
        }
        self.value = value;
        self
    }

    /// Puts back what was typed, and what was wrong with it.
    #[must_use]
    pub fn filled(mut self, typed: Option<&Typed>, faults: &[Fault]) -> Self {
        self.fault = faults.iter().find(|fault| fault.field == self.name).map(|fault| fault.message.clone());
        if let Control::Set(fields) = self.control {
            self.control = Control::Set(fields.into_iter().map(|field| field.filled(typed, faults)).collect());
            return self;
        }
        let never = matches!(self.control, Control::Files(_) | Control::Line("password"));
        match typed {
            Some(typed) if !never => {
                let value = typed.raw(&self.name).to_owned();
                self.value(value)
            }
            _ => self,
        }
    }

    /// What describes it: the ids of hint and fault.
    fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.id));
        let fault = self.fault.is_some().then(|| format!("{}-fault", self.id));
        hint.into_iter().chain(fault).collect::<Vec<_>>().join(" ")
    }

    /// Where the summary jumps to: a group has no focus of its own, its first choice has.
    fn target(&self) -> String {
        match &self.control {
            Control::Radios(choices) if !choices.is_empty() => format!("{}-1", self.id),
            Control::Set(fields) => fields.first().map_or_else(|| self.id.clone(), Field::target),
            _ => self.id.clone(),
        }
    }

    /// Where its faults lead to, and those of what belongs to it.
    fn targets(&self) -> Vec<String> {
        match &self.control {
            Control::Set(fields) => fields.iter().flat_map(Self::targets).collect(),
            _ => vec![self.target()],
        }
    }

    fn names(&self, name: &str) -> Option<String> {
        if self.name == name {
            return Some(self.target());
        }
        match &self.control {
            Control::Set(fields) => fields.iter().find_map(|field| field.names(name)),
            _ => None,
        }
    }
}

/// The summary of faults that stands above a form: each leads to its field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Template)]
#[template(path = "parts/faults.html")]
pub struct Summary {
    /// Every fault.
    pub faults: Vec<Pointer>,
}

impl HtmlSafe for Summary {}

impl Summary {
    /// Every fault in the order of its field among `fields`, with the way there; first those that have none.
    pub fn of(faults: &[Fault], fields: &[Field]) -> Self {
        let targets: Vec<String> = fields.iter().flat_map(Field::targets).collect();
        let mut placed: Vec<(Option<usize>, Pointer)> = faults
            .iter()
            .map(|fault| {
                let target = fields.iter().find_map(|field| field.names(&fault.field));
                let place = target.as_ref().and_then(|target| targets.iter().position(|known| known == target));
                (place, Pointer { target, message: fault.message.clone() })
            })
            .collect();
        placed.sort_by_key(|(place, _)| *place);
        Self { faults: placed.into_iter().map(|(_, pointer)| pointer).collect() }
    }
}

/// What is wrong with a form: what it found itself, and what the rules say beside that. A field has one fault, which is the form's own
/// where there is one: the rules did not see what could not be read.
pub fn and_more(mut faults: Vec<Fault>, more: Vec<Fault>) -> Vec<Fault> {
    for fault in more {
        if fault.field.is_empty() || faults.iter().all(|known| known.field != fault.field) {
            faults.push(fault);
        }
    }
    faults
}

/// Puts what was typed and what was wrong into every field.
pub fn filled(fields: Vec<Field>, typed: Option<&Typed>, faults: &[Fault]) -> Vec<Field> {
    fields.into_iter().map(|field| field.filled(typed, faults)).collect()
}

fn id_of(form: &str, name: &str) -> String {
    let name = name.replace(['.', '[', ']', ' '], "-");
    if form.is_empty() { name } else { format!("{form}-{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_ties_label_hint_and_fault_to_its_control() {
        let field = Field::line("order_number", "Order number").hint("On the invoice.").filled(
            Some(&Typed::default().with("order_number", "\"><script>alert(1)</script>")),
            &[Fault::of("order_number", "The order number must be one line.")],
        );
        let html = field.render().expect("renders");
        for part in [
            "<label for=\"order_number\">",
            "id=\"order_number-hint\"",
            "id=\"order_number-fault\"",
            "aria-describedby=\"order_number-hint order_number-fault\"",
            "aria-invalid=\"true\"",
        ] {
            assert!(html.contains(part), "{part} is missing in {html}");
        }
        assert!(!html.contains("<script"), "{html}");
    }

    #[test]
    fn a_password_is_never_shown_again() {
        let typed = Typed::default().with("password", "copper lantern");
        let field = Field::password("Password", "new-password").filled(Some(&typed), &[]);
        assert!(!field.render().expect("renders").contains("copper"));
    }

    async fn sent(body: &'static [u8]) -> Result<Typed, Problem> {
        let request = Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.into());
        Typed::from_request(request.expect("a request"), &()).await
    }

    #[tokio::test]
    async fn a_form_is_read_as_it_was_sent_or_not_at_all() {
        let typed = sent("a=1+2%2B%c3%bc%E2%82%AC&b=&&c&d=50%&e=%zz=\u{fffd}".as_bytes()).await.expect("right");
        let fields: Vec<(&str, &str)> = typed.fields().collect();
        assert_eq!(fields, [("a", "1 2+ü€"), ("b", ""), ("c", ""), ("d", "50%"), ("e", "%zz=\u{fffd}")]);
        for (body, field, code) in [
            (&b"text=a%ff"[..], "text", "not_utf8"),
            (b"text=a\xffb", "text", "not_utf8"),
            (b"text=%c3", "text", "not_utf8"),
            (b"text=%ed%a0%80", "text", "not_utf8"),
            (b"text=a&text=b", "text", "duplicate"),
            (b"text=a&te%78t=a", "text", "duplicate"),
        ] {
            let problem = sent(body).await.expect_err("wrong");
            assert_eq!(problem.status, 400);
            assert_eq!((&*problem.errors[0].field, &*problem.errors[0].code), (field, code));
        }
        assert_eq!(sent(b"%ff=a").await.expect_err("wrong").status, 400);
    }

    #[test]
    fn a_form_has_its_own_fields_and_no_others() {
        let typed = Typed::default().with("token", "x").with("name", "");
        assert!(typed.exactly(&["token", "name?", "password?"]).is_ok());
        let codes = |fields: &[&str]| typed.exactly(fields).expect_err("wrong").errors[0].code.clone();
        assert_eq!(
            (codes(&["token"]), codes(&["token", "name", "password"])),
            ("unknown_field".into(), "missing".into())
        );
        assert_eq!(typed.machine::<u64>("name").expect_err("wrong").errors[0].code, "invalid");
        assert_eq!(typed.machine::<u64>("version").expect_err("wrong").errors[0].code, "missing");
    }

    #[test]
    fn the_summary_leads_into_groups_in_the_order_of_the_page() {
        let radios =
            Field::new("score", "Score", Control::Radios(vec![Choice::new(1, "1", ""), Choice::new(2, "2", "")]))
                .within("rate");
        let set = Field::new("remedies", "Remedies", Control::Set(vec![Field::line("remedies.0.amount", "Amount")]))
            .within("resolve");
        let faults = [
            Fault::of("remedies.0.amount", "Give an amount."),
            Fault::of("score", "Choose a score."),
            Fault::of("", "Nothing was changed."),
        ];
        let targets: Vec<Option<String>> =
            Summary::of(&faults, &[radios, set]).faults.into_iter().map(|fault| fault.target).collect();
        assert_eq!(targets, [None, Some("rate-score-1".to_owned()), Some("resolve-remedies-0-amount".to_owned())]);
    }
}
