//! What does not hold together in a policy.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::finding::{Code, Finding, Severity, nearest};
use super::structure::Machine;
use super::{Category, LevelPolicy, Policy, StatutoryPromise, TargetOverrides};
use crate::complaint::Priority;
use crate::deadline::{ClockKind, Span};
use crate::id::{CategoryKey, Level};
use crate::money::Money;
use crate::notice::NoticeChannel;
use crate::routing::Roster;
use crate::text;

/// Longest description of a category, in characters: it helps to choose, it is no handbook.
const DESCRIPTION_MAX: usize = 2000;
/// The least room a log may be given: a complaint that is submitted, routed, asked about and answered needs some.
const LOG_ENTRIES_MIN: u32 = 20;
/// The most questions of a category.
const QUESTIONS_MAX: usize = 30;
/// The greatest weight of a category.
const WEIGHT_MAX: u32 = 1000;

impl Policy {
    /// Everything that does not hold together in itself, errors and warnings, in the order of the policy.
    ///
    /// ```
    /// use complaint_core::Policy;
    /// use complaint_core::policy::Code;
    ///
    /// let mut policy = Policy::standard();
    /// assert!(policy.lint().is_empty());
    /// policy.targets.contest_window = "7 days".parse()?;
    /// let findings = policy.lint();
    /// assert_eq!(findings[0].code, Code::WindowsContradict);
    /// assert_eq!(findings[0].path, "targets.contest_window");
    /// # Ok::<(), complaint_core::id::InvalidId>(())
    /// ```
    pub fn lint(&self) -> Vec<Finding> {
        let mut report = Report { policy: self, findings: Vec::new() };
        report.house();
        report.spans();
        report.windows();
        report.law();
        report.rival_promises();
        report.orders();
        report.ladder();
        report.catalogue();
        report.causes();
        report.shape();
        report.findings
    }

    /// As [`Policy::lint`], and what does not fit the staff: levels without agents, categories that nobody can be
    /// given, misspelt skills, superiors who are never asked.
    ///
    /// ```
    /// use complaint_core::Policy;
    /// use complaint_core::policy::Code;
    /// use complaint_core::routing::Roster;
    ///
    /// let policy = Policy::standard();
    /// let findings = policy.lint_with(&Roster::of(Vec::new(), &policy));
    /// assert!(findings.iter().all(|finding| finding.code == Code::LevelUnstaffed));
    /// assert_eq!(findings.len(), policy.levels.len());
    /// ```
    pub fn lint_with(&self, roster: &Roster) -> Vec<Finding> {
        let mut report = Report { policy: self, findings: self.lint() };
        report.staff(roster);
        report.findings
    }

    /// What keeps the policy from being used: the errors of [`Policy::lint`]. An empty list means that it can be used.
    pub fn faults(&self) -> Vec<Finding> {
        self.lint().into_iter().filter(|finding| finding.severity() == Severity::Error).collect()
    }

    /// Whether one span is over later than another, whenever they start. Working and wall time cannot be compared by
    /// number: so several starts of a week are tried, and all must agree.
    pub(super) fn is_longer(&self, one: Span, other: Span) -> bool {
        let calendar = self.working_calendar();
        starts().all(|start| one.measure(&calendar, start).1 > other.measure(&calendar, start).1)
    }
}

fn starts() -> impl Iterator<Item = DateTime<Utc>> {
    // Seven days from Monday 2024-01-08, each at another hour.
    (0..7).filter_map(|day| DateTime::from_timestamp(1_704_672_000 + day * (86_400 + 3 * 3_600), 0))
}

/// The clocks whose targets may differ by priority and category.
const VARYING: [ClockKind; 3] = [ClockKind::FirstResponse, ClockKind::Resolution, ClockKind::Acceptance];

pub(super) struct Report<'a> {
    pub(super) policy: &'a Policy,
    findings: Vec<Finding>,
}

impl Report<'_> {
    pub(super) fn push(
        &mut self,
        code: Code,
        path: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.findings.push(Finding::new(code, path, message, remedy));
    }

    fn line(&mut self, path: String, value: &str) {
        if let Err(fault) = text::line(value, text::FIELD_MAX) {
            let code = match fault {
                text::TextFault::Empty => Code::MissingText,
                text::TextFault::TooLong { .. } => Code::TooLong,
                text::TextFault::LineEnd => Code::NotOneLine,
                text::TextFault::Control | text::TextFault::Direction => Code::ControlCharacters,
            };
            self.push(code, path, fault.to_string(), "write one line of 1 to 200 characters");
        }
    }

    fn house(&mut self) {
        let policy = self.policy;
        self.line("name".into(), &policy.name);
        if !policy.calendars.contains_key(&policy.calendar) {
            let known = nearest(&policy.calendar, policy.calendars.keys().map(String::as_str));
            let remedy = match known {
                Some(known) => format!("write `{known}`"),
                None => format!("add `[calendars.{}]`, or name one that is there", policy.calendar),
            };
            self.push(
                Code::UnknownCalendar,
                "calendar",
                format!("`{}` is not among `calendars`", policy.calendar),
                remedy,
            );
        }
        if policy.open_complaints_per_customer == 0 {
            self.push(
                Code::OutOfBounds,
                "open_complaints_per_customer",
                "with 0 nobody could complain",
                "allow at least 1",
            );
        }
        if policy.log_entries_per_complaint < LOG_ENTRIES_MIN {
            self.push(
                Code::OutOfBounds,
                "log_entries_per_complaint",
                format!("with {} people could hardly talk about a complaint", policy.log_entries_per_complaint),
                format!("allow at least {LOG_ENTRIES_MIN}"),
            );
        }
        if policy.low_rating > 5 {
            let message = format!("there is no score of {}", policy.low_rating);
            self.push(Code::OutOfBounds, "low_rating", message, "make it 1 to 5, or 0 for never");
        }
        if policy.channels.iter().all(|channel| *channel == NoticeChannel::Webhook) {
            self.push(Code::OutOfBounds, "channels", "notices have no way to travel", "name one, e.g. [\"email\"]");
        }
    }

    /// From text a span is never zero; from code it can be.
    fn spans(&mut self) {
        let calendar = self.policy.working_calendar();
        let now = DateTime::UNIX_EPOCH;
        for (path, span) in self.policy.spans() {
            if span.measure(&calendar, now).0.is_zero() {
                self.push(Code::OutOfBounds, path, "a limit of no time at all is missed at once", "allow some time");
            }
        }
    }

    fn windows(&mut self) {
        let policy = self.policy;
        let targets = &policy.targets;
        if policy.is_longer(targets.auto_close, targets.contest_window) {
            self.push(
                Code::WindowsContradict,
                "targets.contest_window",
                format!(
                    "it ends after {}, while a resolution waits {} for the customer to accept or contest",
                    targets.contest_window, targets.auto_close
                ),
                "make it at least as long as `auto_close`",
            );
        }
        if policy.is_longer(policy.rating_window, targets.contest_window) {
            self.push(
                Code::WindowsContradict,
                "rating_window",
                format!(
                    "a rating can be lowered for {}, and a low rating offers to contest, which ends after {}",
                    policy.rating_window, targets.contest_window
                ),
                "make it no longer than `targets.contest_window`",
            );
        }
        if let Some((key, law)) = policy.final_response()
            && policy.is_longer(policy.reinstate_window, law.within)
        {
            self.push(
                Code::WindowsContradict,
                "reinstate_window",
                format!(
                    "a complaint could come back after {}, when the {} that the law gives are over: they count from the receipt",
                    policy.reinstate_window, law.within
                ),
                format!("make it no longer than `statutory.{key}.within`"),
            );
        }
        let windows = [
            ("targets.contest_window", targets.contest_window),
            ("reinstate_window", policy.reinstate_window),
            ("rating_window", policy.rating_window),
        ];
        for (path, window) in windows {
            if let Some(retention) = policy.retention.filter(|retention| policy.is_longer(window, *retention)) {
                self.push(
                    Code::WindowBeyondRetention,
                    path,
                    format!("it ends after {window}, when the complaint need not be there any more: it is kept for {retention}"),
                    "make it no longer than `retention`",
                );
            }
        }
    }

    /// What the law promises, and the words about it.
    fn law(&mut self) {
        let policy = self.policy;
        for (path, message) in policy.statutory_faults() {
            self.push(Code::StatutoryFault, path, message, "correct it");
        }
        // A pack names categories that a house may not have; one that is nearly there is probably meant, and its
        // complaints would lack what the law promises, or get what it does not.
        let known: BTreeSet<&str> = policy
            .categories
            .iter()
            .flat_map(|category| std::iter::once(&category.key).chain(&category.groups))
            .map(CategoryKey::as_str)
            .collect();
        for (key, promise) in &policy.statutory {
            for (field, names) in [("categories", &promise.categories), ("except", &promise.except)] {
                for name in names.iter().filter(|name| !known.contains(name.as_str())) {
                    if let Some(meant) = nearest(name.as_str(), known.iter().copied()) {
                        self.push(
                            Code::LikelyTypo,
                            format!("statutory.{key}.{field}"),
                            format!("no category or group is called `{name}`, and one is called `{meant}`"),
                            format!("write `{meant}`, here or there"),
                        );
                    }
                }
            }
        }
    }

    /// Two promises of one source for one complaint: the later one can never be missed before the earlier one.
    fn rival_promises(&mut self) {
        let policy = self.policy;
        let calendar = policy.working_calendar();
        let later = |one: &StatutoryPromise, other: &StatutoryPromise| {
            starts().all(|start| one.due(&calendar, start) >= other.due(&calendar, start))
        };
        let promises: Vec<_> = policy.statutory.iter().collect();
        for (at, one) in promises.iter().enumerate() {
            for other in promises[at + 1..].iter().filter(|other| one.1.rivals(other.1, &policy.categories)) {
                let [(key, promise), (rival, binding)] =
                    if later(one.1, other.1) { [one, other] } else { [other, one] };
                let counts = if later(promise, binding) { "the shorter" } else { "whichever ends first" };
                self.push(
                    Code::RivalTargets,
                    format!("statutory.{key}.within"),
                    format!(
                        "a complaint can have these {} and the {} of `statutory.{rival}`, and {counts} binds",
                        promise.within, binding.within
                    ),
                    "keep one, or say in `categories`, `except`, `from` or `until` which complaints each is for",
                );
            }
        }
    }

    /// Limits whose order contradicts the order of the steps, or of the priorities.
    fn orders(&mut self) {
        let policy = self.policy;
        let targets = &policy.targets;
        if !policy.acknowledge_at_once && policy.is_longer(targets.acknowledgement, targets.first_response) {
            self.push(
                Code::InvertedLimits,
                "targets.acknowledgement",
                format!(
                    "the acknowledgement has {}, the first response only {}",
                    targets.acknowledgement, targets.first_response
                ),
                "acknowledge at once, or sooner than a person answers",
            );
        }
        let usual = |clock| policy.usual(clock, Priority::Normal);
        self.steps("targets", &|clock| policy.targets.of(clock), &usual);
        for (priority, overrides) in &policy.priorities {
            let at = format!("priorities.{}", priority.name());
            self.steps(&at, &|clock| overrides.of(clock), &|clock| policy.usual(clock, *priority));
        }
        for clock in VARYING {
            let set = |priority| policy.priorities.get(&priority).and_then(|targets| targets.of(clock));
            let path = |priority: Priority| format!("priorities.{}.{}", priority.name(), clock.name());
            self.urgency(&|priority| policy.usual(clock, priority), &set, &path, clock.label());
        }
        for (at, level) in policy.levels.iter().enumerate() {
            let set = |priority| level.priorities.get(&priority).copied();
            let path = |priority: Priority| format!("levels.{at}.priorities.{}", priority.name());
            let usual = |priority| Some(set(priority).unwrap_or(level.target));
            self.urgency(&usual, &set, &path, &format!("level {} ({})", at + 1, level.name));
        }
    }

    /// First response before resolution before what the law says. Said once, where one of the two is set.
    fn steps(&mut self, at: &str, set: &dyn Fn(ClockKind) -> Option<Span>, holds: &dyn Fn(ClockKind) -> Option<Span>) {
        let (response, resolution) = (holds(ClockKind::FirstResponse), holds(ClockKind::Resolution));
        let named = [ClockKind::FirstResponse, ClockKind::Resolution].into_iter().find(|clock| set(*clock).is_some());
        if let (Some(first), Some(second), Some(named)) = (response, resolution, named)
            && self.policy.is_longer(first, second)
        {
            self.push(
                Code::InvertedLimits,
                format!("{at}.{}", named.name()),
                format!("first_response has {first}, resolution only {second}"),
                "give `first_response` no more time than `resolution`",
            );
        }
        if let (Some(own), Some((key, law))) = (set(ClockKind::Resolution), self.policy.final_response())
            && self.policy.is_longer(own, law.within)
        {
            self.push(
                Code::InvertedLimits,
                format!("{at}.resolution"),
                format!("resolution has {own}, the law only {}", law.within),
                format!("give `resolution` no more time than `statutory.{key}.within`"),
            );
        }
        // A handler who does not begin in time is found by `acceptance`, unless the whole time is over by then.
        if let (Some(begin), Some(whole)) = (holds(ClockKind::Acceptance), holds(ClockKind::Resolution))
            && (set(ClockKind::Acceptance).is_some() || set(ClockKind::Resolution).is_some())
            && self.policy.is_longer(begin, whole)
        {
            self.push(
                Code::ClockNeverCounts,
                format!("{at}.acceptance"),
                format!("a handler has {begin} to begin, and the resolution is due after {whole}"),
                "give the handler less time to begin",
            );
        }
    }

    fn urgency(
        &mut self,
        holds: &dyn Fn(Priority) -> Option<Span>,
        set: &dyn Fn(Priority) -> Option<Span>,
        path: &dyn Fn(Priority) -> String,
        what: &str,
    ) {
        for pair in Priority::ALL.windows(2) {
            let [less, more] = [pair[0], pair[1]];
            let (Some(calm), Some(pressing)) = (holds(less), holds(more)) else { continue };
            let Some(named) = [more, less].into_iter().find(|priority| set(*priority).is_some()) else { continue };
            if self.policy.is_longer(pressing, calm) {
                self.push(
                    Code::UrgentSlower,
                    path(named),
                    format!("{what}: {} has {pressing}, {} only {calm}", more.name(), less.name()),
                    "give the more urgent no more time than the less urgent",
                );
            }
        }
    }

    fn ladder(&mut self) {
        let policy = self.policy;
        if policy.levels.is_empty() || policy.levels.len() > 9 {
            self.push(
                Code::OutOfBounds,
                "levels",
                format!("the ladder has {} levels", policy.levels.len()),
                "make it 1 to 9",
            );
        }
        let mut names = BTreeMap::new();
        for (at, level) in policy.levels.iter().enumerate() {
            self.line(format!("levels.{at}.name"), &level.name);
            self.same_name(&mut names, &level.name, format!("levels.{at}.name"));
            self.twice_limited(at, level);
            let begins = Priority::ALL.iter().copied().find_map(|priority| {
                let begin = policy.usual(ClockKind::Acceptance, priority)?;
                let stays = level.priorities.get(&priority).copied().unwrap_or(level.target);
                policy.is_longer(begin, stays).then_some((priority, begin, stays))
            });
            if let Some((priority, begin, stays)) = begins {
                let explicit = level.priorities.contains_key(&priority);
                let field = if explicit { format!("priorities.{}", priority.name()) } else { "target".to_owned() };
                self.push(
                    Code::ClockNeverCounts,
                    format!("levels.{at}.{field}"),
                    format!(
                        "a complaint of priority {} leaves this level after {stays}, before its handler's {begin} to begin are over",
                        priority.name()
                    ),
                    "give the level more time, or the handler less",
                );
            }
        }
        self.never_left_by_time();
        for (at, pair) in policy.levels.windows(2).enumerate() {
            let less = falls(pair[0].authority.as_deref(), pair[1].authority.as_deref());
            if let Some(less) = less {
                self.push(
                    Code::AuthorityFalls,
                    format!("levels.{}.authority", at + 1),
                    format!("level {} ({}) may decide {less}", at + 2, pair[1].name),
                    "give each level at least the authority of the level below",
                );
            }
        }
        if let Some((level, limits)) = policy.levels.last().and_then(|level| Some((level, level.authority.as_ref()?))) {
            self.push(
                Code::AuthorityEnds,
                format!("levels.{}.authority", policy.levels.len() - 1),
                format!("nobody may decide more than the last level, {} ({})", level.name, amounts(limits)),
                "leave the line out, so that the last level decides any amount",
            );
        }
    }

    fn twice_limited(&mut self, at: usize, level: &LevelPolicy) {
        let mut limits: BTreeMap<_, Money> = BTreeMap::new();
        for limit in level.authority.iter().flatten() {
            if let Some(first) = limits.insert(limit.currency(), *limit) {
                self.push(
                    Code::DuplicateKey,
                    format!("levels.{at}.authority"),
                    format!("there are two limits for {}: {first} and {limit}", limit.currency()),
                    "give each currency one",
                );
            }
        }
    }

    /// Times behind the end of what they are in. A level above the first may have more time than the resolution: a
    /// complaint that comes there late is not moved on by that clock again. At the last one nothing goes further by time.
    fn never_left_by_time(&mut self) {
        let policy = self.policy;
        let Some((_, below_last)) = policy.levels.split_last() else { return };
        let Some(first) = below_last.first() else { return };
        let stays = |level: &LevelPolicy, priority| level.priorities.get(&priority).copied().unwrap_or(level.target);
        let is_late = |priority| {
            let due = policy.usual(ClockKind::Resolution, priority);
            due.is_some_and(|due| policy.is_longer(stays(first, priority), due))
        };
        let (own, usual): (Vec<Priority>, Vec<Priority>) =
            Priority::ALL.iter().copied().partition(|priority| first.priorities.contains_key(priority));
        let mut late: Vec<String> =
            own.into_iter().filter(|it| is_late(*it)).map(|it| format!("priorities.{}", it.name())).collect();
        // The usual time may be too long for urgent ones alone.
        if !usual.is_empty() && usual.into_iter().all(is_late) {
            late.push("target".to_owned());
        }
        for field in late {
            self.push(
                Code::ClockNeverCounts,
                format!("levels.0.{field}"),
                "a complaint goes to the next level when its resolution is due, and that is before",
                "give the level no more time than the resolution",
            );
        }
        let approval = policy.targets.approval;
        let outlasts =
            |level: &LevelPolicy| Priority::ALL.iter().all(|it| policy.is_longer(approval, stays(level, *it)));
        if below_last.iter().all(outlasts) {
            self.push(
                Code::ClockNeverCounts,
                "targets.approval",
                format!("a second person has {approval} to decide, and every level below the last is over before"),
                "give the second person less time, or the levels more",
            );
        }
    }

    fn same_name(&mut self, names: &mut BTreeMap<String, String>, name: &str, path: String) {
        let folded = name.trim().to_lowercase();
        if let Some(first) = names.get(&folded) {
            let first = first.clone();
            self.push(
                Code::DuplicateName,
                path,
                format!("`{name}` is the name at `{first}` too"),
                "call them differently, so that people can tell them apart",
            );
        } else {
            names.insert(folded, path);
        }
    }

    fn catalogue(&mut self) {
        let policy = self.policy;
        if !policy.categories.is_empty() && policy.categories.iter().all(|category| !category.active) {
            self.push(Code::NothingToChoose, "categories", "none is active, so nobody can complain", "activate one");
        }
        let mut keys = BTreeSet::new();
        let mut names = BTreeMap::new();
        for (at, category) in policy.categories.iter().enumerate() {
            let at = format!("categories.{at}");
            if !keys.insert(&category.key) {
                self.push(
                    Code::DuplicateKey,
                    format!("{at}.key"),
                    format!("`{}` is used twice", category.key),
                    "choose another",
                );
            }
            self.line(format!("{at}.name"), &category.name);
            if category.active {
                self.same_name(&mut names, &category.name, format!("{at}.name"));
            }
            let length = category.description.chars().count();
            if length > DESCRIPTION_MAX {
                self.push(
                    Code::TooLong,
                    format!("{at}.description"),
                    format!("it has {length} characters"),
                    format!("write at most {DESCRIPTION_MAX}"),
                );
            }
            if category.weight == 0 || category.weight > WEIGHT_MAX {
                self.push(
                    Code::OutOfBounds,
                    format!("{at}.weight"),
                    format!("a weight of {} cannot be counted", category.weight),
                    format!("make it 1 to {WEIGHT_MAX}"),
                );
            }
            self.questions(&at, category);
            self.rivals(&at, category);
            let holds = |clock| category.targets.of(clock).or_else(|| policy.usual(clock, category.priority));
            self.steps(&format!("{at}.targets"), &|clock| category.targets.of(clock), &holds);
        }
    }

    fn causes(&mut self) {
        let policy = self.policy;
        if policy.cause_required && !policy.causes.iter().any(|cause| cause.active) {
            let remedy = "add `[[causes]]` with a key and a name, or leave it out";
            self.push(Code::NoCauseToChoose, "cause_required", "without a cause nothing could be decided", remedy);
        }
        let mut keys = BTreeSet::new();
        let mut names = BTreeMap::new();
        for (at, cause) in policy.causes.iter().enumerate() {
            if !keys.insert(&cause.key) {
                let message = format!("`{}` is used twice", cause.key);
                self.push(Code::DuplicateKey, format!("causes.{at}.key"), message, "choose another");
            }
            self.line(format!("causes.{at}.name"), &cause.name);
            if cause.active {
                self.same_name(&mut names, &cause.name, format!("causes.{at}.name"));
            }
        }
    }

    fn questions(&mut self, at: &str, category: &Category) {
        if category.questions.len() > QUESTIONS_MAX {
            self.push(
                Code::OutOfBounds,
                format!("{at}.questions"),
                format!("there are {}", category.questions.len()),
                format!("ask at most {QUESTIONS_MAX}"),
            );
        }
        let mut keys = BTreeSet::new();
        let mut labels = BTreeMap::new();
        for (number, question) in category.questions.iter().enumerate() {
            let at = format!("{at}.questions.{number}");
            let key_is_fine = !question.key.is_empty()
                && question.key.len() <= 64
                && question.key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !key_is_fine {
                self.push(
                    Code::BadKey,
                    format!("{at}.key"),
                    format!("`{}` cannot be a key", question.key),
                    "write 1 to 64 letters, digits, hyphens or underscores",
                );
            }
            if !keys.insert(&question.key) {
                self.push(
                    Code::DuplicateKey,
                    format!("{at}.key"),
                    format!("`{}` is used twice", question.key),
                    "choose another",
                );
            }
            self.line(format!("{at}.label"), &question.label);
            self.same_name(&mut labels, &question.label, format!("{at}.label"));
        }
    }

    /// A category's own target beside a priority's: both match a complaint of that category and priority.
    fn rivals(&mut self, at: &str, category: &Category) {
        for clock in VARYING {
            let Some(own) = category.targets.of(clock) else { continue };
            let rivals = self.policy.priorities.iter().filter_map(|(priority, targets)| {
                let rival = targets.of(clock).filter(|rival| *rival != own)?;
                Some(format!("{rival} for {}", priority.name()))
            });
            let rivals: Vec<String> = rivals.collect();
            if !rivals.is_empty() {
                self.push(
                    Code::RivalTargets,
                    format!("{at}.targets.{}", clock.name()),
                    format!(
                        "`{}` has {own} whatever the priority, although `priorities` promises {}",
                        category.key,
                        rivals.join(", ")
                    ),
                    "set it in one of the two places; the category's own counts",
                );
            }
        }
    }

    /// What the lifecycle becomes under this policy.
    fn shape(&mut self) {
        let policy = self.policy;
        if policy.levels.is_empty() {
            return;
        }
        for (at, level) in policy.levels.iter().enumerate() {
            let Some(number) = u8::try_from(at + 1).ok().and_then(|number| Level::new(number).ok()) else { return };
            let machine = Machine::of(policy, Some(number));
            if !machine.dead_ends().is_empty() {
                self.push(
                    Code::LevelWithoutExit,
                    format!("levels.{at}"),
                    format!(
                        "a complaint at level {number} ({}) can be neither decided nor escalated: {}",
                        level.name,
                        machine.closed_ways()
                    ),
                    if policy.four_eyes { "add a level, or do without `four_eyes`" } else { "add a level" },
                );
            }
        }
        // What is dead on the whole ladder is said once, and follows from its length.
        let found = Machine::of(policy, None).check().into_iter().filter(|finding| finding.code != Code::DeadEnd);
        self.findings.extend(found.map(|finding| Finding { path: "levels".into(), ..finding }));
    }
}

/// What the level above may not decide although the level below may.
fn falls(below: Option<&[Money]>, above: Option<&[Money]>) -> Option<String> {
    let above = above?;
    let Some(below) = below else {
        return Some(format!("up to {}, and the level below any amount", amounts(above)));
    };
    below.iter().find_map(|limit| {
        let own = above.iter().find(|own| own.currency() == limit.currency());
        match own {
            None => Some(format!("no {}, and the level below up to {limit}", limit.currency())),
            Some(own) if own.minor_units() < limit.minor_units() => {
                Some(format!("up to {own}, and the level below up to {limit}"))
            }
            Some(_) => None,
        }
    })
}

fn amounts(limits: &[Money]) -> String {
    if limits.is_empty() {
        return "no money".to_owned();
    }
    limits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Policy {
    /// The target of a clock for a priority, before a category's own.
    fn usual(&self, clock: ClockKind, priority: Priority) -> Option<Span> {
        let by_priority = self.priorities.get(&priority).and_then(|targets| targets.of(clock));
        by_priority.or_else(|| self.targets.of(clock))
    }

    /// Every limit and window with its path.
    fn spans(&self) -> Vec<(String, Span)> {
        let mut spans: Vec<(String, Span)> =
            vec![("reinstate_window".into(), self.reinstate_window), ("rating_window".into(), self.rating_window)];
        spans.extend(self.retention.map(|span| ("retention".into(), span)));
        let own = ClockKind::ALL.into_iter().filter_map(|clock| Some((clock, self.targets.of(clock)?)));
        spans.extend(own.map(|(clock, span)| (format!("targets.{}", clock.name()), span)));
        let within = |at: String, overrides: &TargetOverrides| -> Vec<(String, Span)> {
            let set = VARYING.into_iter().filter_map(|clock| Some((clock, overrides.of(clock)?)));
            set.map(|(clock, span)| (format!("{at}.{}", clock.name()), span)).collect()
        };
        for (priority, overrides) in &self.priorities {
            spans.extend(within(format!("priorities.{}", priority.name()), overrides));
        }
        for (at, level) in self.levels.iter().enumerate() {
            spans.push((format!("levels.{at}.target"), level.target));
            for (priority, span) in &level.priorities {
                spans.push((format!("levels.{at}.priorities.{}", priority.name()), *span));
            }
        }
        for (at, category) in self.categories.iter().enumerate() {
            spans.extend(within(format!("categories.{at}.targets"), &category.targets));
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, Timelike};

    use super::*;

    #[test]
    fn spans_are_compared_from_each_weekday_and_at_hours_of_day_and_night() {
        let starts: Vec<_> = starts().map(|at| (at.weekday().num_days_from_monday(), at.hour())).collect();
        assert_eq!(starts, (0..7).map(|day| (day, 3 * day)).collect::<Vec<_>>());
    }

    #[test]
    fn a_step_that_has_as_long_as_the_next_contradicts_nothing() {
        let mut category = Category::named("Water").unwrap();
        let span: Option<Span> = "9 days".parse().ok();
        (category.targets.first_response, category.targets.resolution) = (span, span);
        let findings = Policy::standard().with_category(category).lint();
        assert!(findings.iter().all(|finding| finding.code != Code::InvertedLimits), "{findings:?}");
    }
}
