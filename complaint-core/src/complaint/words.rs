//! What people typed, kept apart from what happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Texts by name, e.g. `subject`, `reason`, `answer.serial-number`.
///
/// Words stand beside the facts of an [`Entry`](super::Entry), so that they can be erased one day without breaking
/// the log. Names are stable; the texts were checked when they came in.
///
/// ```
/// use complaint_core::complaint::Words;
///
/// let words = Words::of("subject", "No water").and("answer.meter", "0042").maybe("product", None::<&str>);
/// assert_eq!(words.get("subject"), Some("No water"));
/// assert_eq!(words.text("product"), "");
/// assert_eq!(words.under("answer.").collect::<Vec<_>>(), [("meter", "0042")]);
/// assert_eq!(words.without("subject").iter().count(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Words(BTreeMap<String, String>);

impl Words {
    /// No words.
    pub fn none() -> Self {
        Self::default()
    }

    /// One text.
    pub fn of(name: &str, text: impl Into<String>) -> Self {
        Self::none().and(name, text)
    }

    /// These words and one more.
    pub fn and(mut self, name: &str, text: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), text.into());
        self
    }

    /// These words and one more, if it was given.
    pub fn maybe(self, name: &str, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.and(name, text),
            None => self,
        }
    }

    /// These words without one of them.
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// A text by name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A text by name, or the empty text where it was never given or has been erased.
    pub fn text(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// The texts whose names start with `prefix`, names without it.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .range(prefix.to_owned()..)
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(move |(name, text)| (&name[prefix.len()..], text.as_str()))
    }

    /// All texts in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_come_in_the_order_of_their_names() {
        let words = Words::of("subject", "No water").and("answer.meter", "0042");
        assert_eq!(words.iter().collect::<Vec<_>>(), [("answer.meter", "0042"), ("subject", "No water")]);
    }
}
