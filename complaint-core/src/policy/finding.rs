//! What the linter and the reader of policies report.

use std::fmt;

/// One fault of a policy, or something in it that is probably not meant.
///
/// ```
/// use complaint_core::Policy;
/// use complaint_core::policy::{Severity, TextPlace};
///
/// let text = Policy::standard().to_toml()?.replace("calendar = \"office\"", "calendar = \"ofice\"");
/// let findings = Policy::check(&text);
/// let misspelt = &findings[0];
/// assert_eq!((misspelt.path.as_str(), misspelt.severity()), ("calendar", Severity::Error));
/// assert_eq!(misspelt.place.map(|place| place.column), Some("calendar = _".len()));
/// assert!(misspelt.to_string().starts_with("line "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which kind of fault.
    pub code: Code,
    /// Where, e.g. `levels.1.target`; list items count from 0. For what concerns an agent, `agents.ID.…`.
    pub path: String,
    /// Where in the text, if the policy was read from one.
    pub place: Option<TextPlace>,
    /// What is wrong.
    pub message: String,
    /// What would put it right.
    pub remedy: String,
}

/// A place in a text.
///
/// Example: [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextPlace {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// How bad a finding is.
///
/// Example: [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy cannot be used.
    Error,
    /// It can be used, and probably does something that nobody means.
    Warning,
}

impl Severity {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($variant:ident = $name:literal, $severity:ident, $meaning:literal;)*) => {
        /// Which kind of fault. The names are stable.
        ///
        /// ```
        /// use complaint_core::policy::{Code, Severity};
        ///
        /// assert_eq!(Code::DeadEnd.name(), "dead_end");
        /// assert_eq!(Code::DeadEnd.severity(), Severity::Error);
        /// assert_eq!(Code::DeadEnd.meaning(), "A status from which no end can be reached.");
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// All kinds.
            pub const ALL: &'static [Code] = &[$(Self::$variant,)*];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What it means, for people.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    Syntax = "syntax", Error, "The text is no TOML.";
    UnknownField = "unknown_field", Error, "A field that a policy does not have.";
    MissingField = "missing_field", Error, "A field that must be there.";
    WrongValue = "wrong_value", Error, "A value of the wrong type or form.";
    CalendarFault = "calendar_fault", Error, "A calendar that cannot be read.";
    CalendarWithoutHours = "calendar_without_hours", Error, "A calendar that never opens.";
    MissingText = "missing", Error, "A name or text that shows nothing.";
    TooLong = "too_long", Error, "A name or text that is too long.";
    NotOneLine = "not_one_line", Error, "A name of several lines.";
    ControlCharacters = "control_character", Error, "A name or text with characters that are no text.";
    BadKey = "invalid_key", Error, "A question without a key, or with one that cannot be used.";
    DuplicateKey = "duplicate", Error, "Two things with one key.";
    OutOfBounds = "out_of_range", Error, "A number or list that is too small or too large.";
    StatutoryFault = "statutory_fault", Error, "A promise of the law, or a text about rights, that does not hold together.";
    UnknownCalendar = "unknown_calendar", Error, "A calendar that is not among the calendars.";
    NoCauseToChoose = "no_cause_to_choose", Error, "A cause that every decision must name, and none to choose.";
    LevelWithoutExit = "level_without_exit", Error, "A level that a complaint can never leave by a decision or upward.";
    DeadEnd = "dead_end", Error, "A status from which no end can be reached.";
    UnknownName = "unknown_name", Error, "A state or move that is not among those there are.";
    TerminalWithExits = "terminal_with_exits", Error, "An end that is left by a move not meant to reopen.";
    ClockNeverStops = "clock_never_stops", Error, "A clock that nothing stops.";
    UnreachableStatus = "unreachable_status", Warning, "A status that nobody can bring a complaint into.";
    RoleNeverActs = "role_never_acts", Warning, "A role without a command that it can give.";
    RivalClocks = "rival_clocks", Warning, "Two clocks that run at once and lead to different statuses.";
    RivalTargets = "rival_targets", Warning, "Two target times that match one complaint.";
    ClockNeverCounts = "clock_never_counts", Warning, "A limit behind another that always comes first.";
    InvertedLimits = "inverted_limits", Warning, "A step that has more time than the step after it.";
    UrgentSlower = "urgent_slower", Warning, "A more urgent complaint that has more time than a less urgent one.";
    AuthorityFalls = "authority_falls", Warning, "A level with less authority than the level below.";
    AuthorityEnds = "authority_ends", Warning, "Money that nobody may decide.";
    WindowsContradict = "windows_contradict", Warning, "Two windows that cannot both be used.";
    WindowBeyondRetention = "window_beyond_retention", Warning, "A right that outlasts what is kept.";
    DuplicateName = "duplicate_name", Warning, "Two things that people cannot tell apart.";
    NothingToChoose = "nothing_to_choose", Warning, "Categories, none of which can be chosen.";
    LevelUnstaffed = "level_unstaffed", Warning, "A level without an agent.";
    NobodyApproves = "nobody_approves", Warning, "A level whose decisions wait for a second person, and there is none.";
    CategoryUnskilled = "category_unskilled", Warning, "A category whose complaints no agent can be given.";
    LikelyTypo = "likely_typo", Warning, "A skill, area or category that is probably misspelt.";
    SuperiorOutOfReach = "superior_out_of_reach", Warning, "A superior who can never be given what is escalated.";
    CalendarUnused = "calendar_unused", Warning, "A calendar by which nobody works and nothing is measured.";
    AgentBeyondLadder = "agent_beyond_ladder", Warning, "An agent of a level that the ladder does not have.";
}

impl Finding {
    pub(crate) fn new(
        code: Code,
        path: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { code, path: path.into(), place: None, message: message.into(), remedy: remedy.into() }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{place}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}; {}", self.message, self.remedy)
    }
}

impl fmt::Display for TextPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The known name that a word is probably meant to be: at most two letters different, and fewer in short words.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    known
        .into_iter()
        .map(|name| (distance(word, name), name))
        .filter(|(distance, _)| (1..=most).contains(distance))
        .min()
        .map(|(_, name)| name)
}

/// Letters to add, drop, replace, or swap with their neighbour (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least = (row[j] + usize::from(a != b)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_they_are_stored() {
        assert_eq!([Severity::Error, Severity::Warning].map(|it| it.to_string()), ["error", "warning"]);
        assert!(Code::ALL.iter().all(|code| code.to_string() == code.name()));
        assert_eq!(Code::DeadEnd.to_string(), "dead_end");
    }

    #[test]
    fn a_misspelt_word_is_recognised_and_another_one_is_not() {
        let known = ["damaged-goods", "billing", "area"];
        assert_eq!(nearest("damaged-good", known), Some("damaged-goods"));
        assert_eq!(nearest("biling", known), Some("billing"));
        assert_eq!(nearest("bililng", known), Some("billing"));
        assert_eq!(nearest("aera", known), Some("area"));
        assert_eq!(nearest("noise", known), None);
        assert_eq!(nearest("is", ["it"]), None);
        assert_eq!(
            (nearest("gaz", ["gas"]), nearest("gaz", ["gel"])),
            (Some("gas"), None),
            "one of up to five letters"
        );
    }

    #[test]
    fn a_distance_counts_letters_added_dropped_replaced_and_swapped() {
        let pairs =
            [("ab", "abc", 1), ("abc", "ab", 1), ("", "abc", 3), ("abc", "", 3), ("abc", "abd", 1), ("ca", "ac", 1)];
        for (one, other, expected) in pairs {
            assert_eq!(distance(one, other), expected, "{one:?} {other:?}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
