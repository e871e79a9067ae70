//! What is known of a complaint before anybody has triaged it.

use crate::complaint::{Channel, Complaint, Item, Submission, Wish};
use crate::id::Language;

/// What is known of a complaint before anybody has triaged it: texts that people typed, and fields with closed values.
///
/// The same complaint must give the same clues when it comes in and when it is learned from, so only what is known at
/// intake belongs here: nothing a handler found out, decided or wrote.
///
/// ```
/// use complaint_core::Complaint;
/// use complaint_core::complaint::Wish;
/// use complaint_core::triage::Clues;
///
/// let about = Complaint::about("Not yet sorted", "Cracked lid", "Of the kettle.")?.wishing(Wish::Refund);
/// let clues = Clues::from(&about);
/// let by_hand = Clues::new().text("Cracked lid").text("Of the kettle.").text("");
/// assert_eq!(clues, by_hand.field("channel", "web").maybe("wish", Some("refund")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clues<'a> {
    pub(super) texts: Vec<&'a str>,
    pub(super) fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Clues<'a> {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text. Of all texts together the first 4096 words count.
    pub fn text(mut self, text: &'a str) -> Self {
        self.texts.push(text);
        self
    }

    /// Adds a field by name. Its value counts as a whole, in lower case; an empty one is no clue.
    pub fn field(mut self, name: &'a str, value: &'a str) -> Self {
        if !value.trim().is_empty() {
            self.fields.push((name, value));
        }
        self
    }

    /// Adds a field if it was given.
    pub fn maybe(self, name: &'a str, value: Option<&'a str>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }
}

impl<'a> From<&'a Submission> for Clues<'a> {
    fn from(it: &'a Submission) -> Self {
        of(&it.subject, &it.description, it.product.as_deref(), it.channel, it.language.as_ref(), it.wish, &it.items)
    }
}

/// What was known at intake. The area is left out because a category may have given it, and so are the answers, whose
/// questions belong to a category: both would tell the model what it is asked for.
impl<'a> From<&'a Complaint> for Clues<'a> {
    fn from(it: &'a Complaint) -> Self {
        of(&it.subject, &it.description, it.product.as_deref(), it.channel, it.language.as_ref(), it.wish, &it.items)
    }
}

/// One place for both, so that a complaint is learned by the clues it came in with.
fn of<'a>(
    subject: &'a str,
    description: &'a str,
    product: Option<&'a str>,
    channel: Channel,
    language: Option<&'a Language>,
    wish: Option<Wish>,
    items: &'a [Item],
) -> Clues<'a> {
    let clues = Clues::new()
        .text(subject)
        .text(description)
        .text(product.unwrap_or_default())
        .maybe("product", product)
        .field("channel", channel.name())
        .maybe("language", language.map(Language::as_str))
        .maybe("wish", wish.map(Wish::name));
    items.iter().fold(clues, |clues, item| clues.field("item", &item.kind))
}
