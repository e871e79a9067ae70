//! The text of a scenario.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc, Weekday};
use serde_json::{Map, Value, json};

use super::instants::{instant, is_zone};
use super::samples;
use super::scenario::{
    Act, ClockState, Expected, Given, Holder, Line, Looked, Scenario, StaffChange, Step, Told, Until, verb,
};
use super::world::Role;
use crate::agent::Agent;
use crate::complaint::{Channel, Complaint, Event, RemedyKind};
use crate::deadline::{ClockKind, Ending, Span};
use crate::id::{AgentId, Area, CustomerId, Language, Level};
use crate::lifecycle::{Command, CommandName, Field, Status};
use crate::policy::{Category, Finding, Policy, Severity};

/// The longest text of a scenario, in bytes.
const TEXT_MAX: usize = 256 * 1024;

/// A text that is no scenario.
///
/// ```
/// use complaint_core::testing::Scenario;
///
/// let wrong = Scenario::parse("late.scenario", "customer John\nat noon John submits").unwrap_err();
/// assert_eq!((wrong.line, wrong.column), (2, 4));
/// assert!(wrong.to_string().starts_with("late.scenario:2:4: "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ScenarioError {
    /// The file that was read.
    pub file: String,
    /// The line at fault, from 1.
    pub line: usize,
    /// The character at fault, from 1.
    pub column: usize,
    /// What is wrong with it.
    pub message: String,
}

impl Scenario {
    /// Reads a scenario from its text. `file` is what errors call it. The grammar stands in the documentation of the
    /// [module](crate::testing).
    ///
    /// # Errors
    /// The first line that is none of the language, with its column.
    ///
    /// ```
    /// use complaint_core::testing::{DeskWorld, Scenario};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    ///
    /// let story = Scenario::parse("begins", r#"
    ///     category "Damaged goods"
    ///     agent Sarah skilled "damaged goods"
    ///     customer John
    ///     at Mon 2026-11-23 09:30 John submits "Broken kettle" about "Damaged goods" as C1
    ///     after 2 working hours Sarah begins C1
    ///     expect C1 in progress with Sarah
    /// "#)?;
    /// assert_eq!(story.play(&mut DeskWorld::in_memory()).await?.expectations, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let fault = |line, (column, message)| ScenarioError { file: file.to_owned(), line, column, message };
        if text.len() > TEXT_MAX {
            return Err(fault(1, (1, format!("a scenario has at most {TEXT_MAX} bytes"))));
        }
        let mut reader = Reader::new(file);
        for (number, raw) in (1..).zip(text.lines()) {
            reader.number = number;
            if let Err(it) = reader.line(raw) {
                return Err(fault(reader.number, it));
            }
        }
        let last = text.lines().count().max(1);
        reader.finish().map_err(|message| fault(last, (1, message)))
    }
}

/// Where in the line, and what is wrong.
type Fault = (usize, String);
/// The fields of an agent that were given, each with its column.
type Columns = Vec<(&'static str, usize)>;

struct Reader {
    scenario: Scenario,
    title: Option<String>,
    /// The line that is read, or an earlier one that turned out to be at fault.
    number: usize,
    policy: toml::Table,
    policy_is_begun: bool,
    policy_is_read: bool,
    /// Where each part of the organisation was given: only all lines together show whether it holds together.
    places: Vec<Place>,
    started: bool,
    /// The latest instant that was named: a weekday without a date is after it.
    latest: DateTime<Utc>,
    /// What complaints are called, and what each is about.
    aliases: BTreeMap<String, String>,
}

/// Where something was given, by its path as findings have it, e.g. `targets.silence` or `agents.sarah.level`.
struct Place {
    path: String,
    line: usize,
    column: usize,
}

impl Reader {
    fn new(file: &str) -> Self {
        let mut scenario = Scenario::titled(file);
        scenario.file = Some(file.to_owned());
        Self {
            scenario,
            title: None,
            number: 1,
            policy: toml::Table::try_from(Policy::standard()).unwrap_or_default(),
            policy_is_begun: false,
            policy_is_read: false,
            places: Vec::new(),
            started: false,
            latest: samples::monday(),
            aliases: BTreeMap::new(),
        }
    }

    fn line(&mut self, raw: &str) -> Result<(), Fault> {
        let tokens = tokens(raw)?;
        let mut words = Words { tokens: &tokens, at: 0, end: raw.chars().count() + 1 };
        let Some(first) = words.peek() else { return Ok(()) };
        let setting = ["scenario", "policy", "category", "agent", "customer", "admin", "auditor"];
        if setting.contains(&first) {
            if self.started {
                return Err(words.fault(format!("`{first}` stands before the first `at`")));
            }
            return self.setting(words, raw);
        }
        self.complete_organisation()?;
        let timed = self.time(&mut words)?;
        if !self.started {
            let Some(Act::At(start)) = &timed else {
                return Err((1, "the first step says when it is: `at Mon 2026-11-23 09:30 …`".into()));
            };
            self.scenario.start = *start;
            self.started = true;
        }
        let had_time = timed.is_some();
        let number = self.number;
        self.scenario.lines.extend(timed.map(|act| Line { number, step: Step(act) }));
        if words.peek().is_some() || !had_time {
            let act = self.step(&mut words)?;
            self.scenario.lines.push(Line { number, step: Step(act) });
        }
        words.finish()
    }

    fn finish(mut self) -> Result<Scenario, String> {
        if let Some(title) = self.title {
            self.scenario.name = title;
        }
        let expects = |line: &Line| matches!(line.step.0, Act::Expect(_));
        if self.scenario.lines.iter().any(expects) {
            Ok(self.scenario)
        } else {
            Err("it expects nothing, so it could not fail: add `expect …`".into())
        }
    }

    // --- the organisation -----------------------------------------------------------------------------------------

    fn setting(&mut self, mut words: Words<'_>, raw: &str) -> Result<(), Fault> {
        match words.word("")?.as_str() {
            "scenario" => {
                if self.title.is_some() {
                    return Err(words.fault_before("it has a title already".into()));
                }
                self.title = Some(words.text("its title in quotes")?);
            }
            "policy" => return self.policy(raw),
            "category" => {
                let name = words.text("a name in quotes")?;
                let category = Category::named(&name).map_err(|it| words.fault_before(it.to_string()))?;
                let column = words.column_before();
                if words.token().is_some() {
                    words.expect(";")?;
                }
                return self.category(category, column, raw);
            }
            "agent" => {
                let name = words.word("a name")?;
                self.new_name(&words, &name)?;
                let (agent, columns) = agent(&mut words, &name)?;
                for (field, column) in columns {
                    self.note_place(format!("agents.{}.{field}", agent.id), column);
                }
                self.scenario = self.scenario.clone().given(Given::from(agent));
            }
            role => {
                let role = match role {
                    "customer" => Role::Customer,
                    "admin" => Role::Admin,
                    _ => Role::Auditor,
                };
                loop {
                    let name = words.word("a name")?;
                    self.new_name(&words, &name)?;
                    self.scenario.house.people.push(super::world::Person { name, role });
                    if !words.eat(",") {
                        break;
                    }
                }
            }
        }
        words.finish()
    }

    fn new_name(&self, words: &Words<'_>, name: &str) -> Result<(), Fault> {
        let is_name = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !is_name {
            return Err(words.fault_before(format!("`{name}` is no name: begin with a capital letter, e.g. Sarah")));
        }
        if self.scenario.house.people.iter().any(|known| known.key() == name.to_lowercase()) {
            return Err(words.fault_before(format!("there is a {name} already")));
        }
        Ok(())
    }

    /// `policy standard; CLAUSE; CLAUSE …`, where a clause is `path = value` or `office hours …`.
    fn policy(&mut self, raw: &str) -> Result<(), Fault> {
        let clauses = clauses(raw, "policy");
        if clauses.is_empty() {
            return Err((raw.chars().count() + 1, "say which: `standard`, or what is to be otherwise".into()));
        }
        for (column, clause) in clauses {
            let is_first = !std::mem::replace(&mut self.policy_is_begun, true);
            if clause == "standard" {
                if is_first {
                    continue;
                }
                return Err((column, "`standard` takes nothing back: it stands before everything else, once".into()));
            }
            let set = match clause.strip_prefix("office hours ") {
                Some(hours) => office_hours(&mut self.policy, hours),
                None => set(&mut self.policy, &clause),
            };
            self.note_place(set.map_err(|message| (column, message))?, column);
        }
        Ok(())
    }

    /// `category "NAME"; path = value; …`
    fn category(&mut self, category: Category, column: usize, raw: &str) -> Result<(), Fault> {
        let at = |message: String| (column, message);
        let mut table = toml::Table::try_from(category).map_err(|it| at(it.to_string()))?;
        let known = self.policy.entry("categories").or_insert_with(|| toml::Value::Array(Vec::new()));
        let number = known.as_array().map(Vec::len).ok_or_else(|| at("`categories` is no list".to_owned()))?;
        self.note_place(format!("categories.{number}"), column);
        for (column, clause) in clauses(raw, "category").into_iter().skip(1) {
            let path = set(&mut table, &clause).map_err(|message| (column, message))?;
            self.note_place(format!("categories.{number}.{path}"), column);
        }
        if let Some(toml::Value::Array(categories)) = self.policy.get_mut("categories") {
            categories.push(table.into());
        }
        Ok(())
    }

    fn note_place(&mut self, path: String, column: usize) {
        self.places.push(Place { path, line: self.number, column });
    }

    /// Line and column of what a finding is about: the narrowest place around it, else the last one inside it.
    fn place_of(&self, path: &str) -> Option<(usize, usize)> {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let around = self.places.iter().filter(|place| within(path, &place.path)).max_by_key(|place| place.path.len());
        let found = around.or_else(|| self.places.iter().rfind(|place| within(&place.path, path)));
        found.map(|place| (place.line, place.column))
    }

    fn fault_at(&mut self, place: Option<(usize, usize)>, message: String) -> Fault {
        let (line, column) = place.unwrap_or((self.number, 1));
        self.number = line;
        (column, message)
    }

    /// All that was said of the organisation, taken together.
    fn complete_organisation(&mut self) -> Result<(), Fault> {
        if self.policy_is_read {
            return Ok(());
        }
        let text = toml::to_string(&self.policy).map_err(|it| (1, it.to_string()))?;
        let errors = Policy::check(&text).into_iter().filter(|finding| finding.severity() == Severity::Error);
        let placed = errors.map(|finding| (self.place_of(&finding.path), finding));
        if let Some((place, finding)) = placed.min_by_key(|(place, _)| (place.is_none(), *place)) {
            let finding = Finding { place: None, ..finding }; // a place in a text that nobody sees
            return Err(self.fault_at(place, format!("the policy cannot be used: {finding}")));
        }
        let policy = Policy::from_toml(&text).map_err(|it| (1, it.to_string()))?;
        self.scenario = self.scenario.clone().given(policy);
        let house = &self.scenario.house;
        let wrong = house.agents.iter().find_map(|agent| {
            let is_known = |id: &AgentId| house.agents.iter().any(|known| known.id == *id);
            let (field, message) = match &agent.reports_to {
                _ if agent.level > house.policy.last_level() => ("level", beyond(&house.policy)),
                Some(superior) if !is_known(superior) => ("reports_to", format!("there is no agent `{superior}`")),
                _ => return None,
            };
            Some((self.place_of(&format!("agents.{}.{field}", agent.id)), message))
        });
        if let Some((place, message)) = wrong {
            return Err(self.fault_at(place, message));
        }
        self.policy_is_read = true;
        Ok(())
    }

    // --- time -----------------------------------------------------------------------------------------------------

    fn time(&mut self, words: &mut Words<'_>) -> Result<Option<Act>, Fault> {
        if words.eat("at") {
            self.latest = self.instant(words)?;
            return Ok(Some(Act::At(self.latest)));
        }
        if words.eat("after") {
            return Ok(Some(Act::After(span(words)?)));
        }
        Ok(None)
    }

    /// `[WEEKDAY] DATE TIME [ZONE]` or `WEEKDAY TIME [ZONE]`; without a zone, that of the policy's calendar.
    fn instant(&self, words: &mut Words<'_>) -> Result<DateTime<Utc>, Fault> {
        let weekday = words.peek().and_then(|word| word.parse::<Weekday>().ok());
        if weekday.is_some() {
            words.skip();
        }
        let is_time = |word: &str| word.parse::<NaiveTime>().is_ok();
        let date: Option<NaiveDate> = match words.peek() {
            Some(word) if weekday.is_some() && is_time(word) => None,
            _ => Some(words.parsed("a date, e.g. 2026-11-09")?),
        };
        if let Some((date, weekday)) =
            date.zip(weekday).filter(|(date, weekday)| *weekday != chrono::Datelike::weekday(date))
        {
            let real = chrono::Datelike::weekday(&date);
            return Err(words.fault_before(format!("{date} is no {weekday} but a {real}")));
        }
        let time: NaiveTime = words.parsed("a time, e.g. 16:40 or 16:40:01")?;
        let zone = match words.peek().filter(|word| is_zone(word)) {
            Some(zone) => {
                let zone = zone.to_owned();
                words.skip();
                zone
            }
            None => self.scenario.zone.clone(),
        };
        let at = |date| instant(date, time, &zone).map_err(|message| words.fault_before(message));
        match (date, weekday) {
            (Some(date), _) => at(date),
            (None, weekday) => {
                let yesterday = self.latest.date_naive() - chrono::Days::new(1);
                let days = yesterday.iter_days().take(9);
                let named = days.filter(|day| Some(chrono::Datelike::weekday(day)) == weekday);
                for day in named {
                    let candidate = at(day)?;
                    if candidate > self.latest {
                        return Ok(candidate);
                    }
                }
                Err(words.fault_before("that is no day after the instant before".into()))
            }
        }
    }

    // --- steps ----------------------------------------------------------------------------------------------------

    fn step(&mut self, words: &mut Words<'_>) -> Result<Act, Fault> {
        if words.eat("expect") {
            return Ok(Act::Expect(Box::new(self.expected(words)?)));
        }
        if words.eat("sweep") {
            if !words.eat("every") {
                return Ok(Act::Sweep);
            }
            let pause = span(words)?;
            let until = match words.word("`for` or `until`")?.as_str() {
                "for" => Until::For(span(words)?),
                "until" => Until::At(self.instant(words)?),
                other => return Err(words.fault_before(format!("`{other}` is neither `for` nor `until`"))),
            };
            return Ok(Act::SweepEvery { pause, until });
        }
        self.deed(words)
    }

    /// What somebody does: `NAME VERB …` or `NAME is absent until …`.
    fn deed(&mut self, words: &mut Words<'_>) -> Result<Act, Fault> {
        let by = self.name(words)?;
        if words.eat("is") {
            return self.staff(words, &by);
        }
        let command = command_name(words)?;
        match command {
            CommandName::Submit => self.submission(words, by, None),
            CommandName::FollowUp => {
                let finished = self.alias(words)?;
                self.submission(words, by, Some(finished))
            }
            name => {
                let complaint = self.alias(words)?;
                let command = self.command(words, name)?;
                Ok(Act::Give { by, complaint, command: Box::new(command) })
            }
        }
    }

    fn staff(&self, words: &mut Words<'_>, name: &str) -> Result<Act, Fault> {
        let agent = self.agent_named(name).map_err(|message| words.fault_before(message))?;
        let change = match words.word("absent, back, disabled or enabled")?.as_str() {
            "absent" => {
                words.expect("until")?;
                StaffChange::AbsentUntil(self.instant(words)?)
            }
            "back" => StaffChange::Back,
            "disabled" => StaffChange::Enabled(false),
            "enabled" => StaffChange::Enabled(true),
            other => {
                return Err(words.fault_before(format!("`{other}` is none of: absent, back, disabled, enabled")));
            }
        };
        Ok(Act::Staff { agent, change })
    }

    /// `"SUBJECT" [about "CATEGORY"] [saying "TEXT"] [against NAME] [for NAME by CHANNEL] [answering "Q" with "A"] as ALIAS`
    fn submission(&mut self, words: &mut Words<'_>, by: String, follows: Option<String>) -> Result<Act, Fault> {
        let subject = words.text("the subject in quotes")?;
        let mut category = follows.as_ref().and_then(|finished| self.aliases.get(finished).cloned());
        let mut submission = Complaint::about("to-be-said", subject, "It happened as it says above.")
            .map_err(|it| words.fault_before(it.to_string()))?;
        let mut alias = None;
        let mut given = BTreeSet::new();
        while let Some(word) = words.peek().map(str::to_owned) {
            words.skip();
            // Of questions there may be several.
            if word != "answering" {
                once(&mut given, &word, words)?;
            }
            match word.as_str() {
                "about" => category = Some(words.text("a category in quotes")?),
                "saying" => submission.description = words.text("the description in quotes")?,
                "against" => submission.against = Some(self.agent(words)?),
                "for" => {
                    let name = self.name(words)?;
                    let id = CustomerId::new(name.to_lowercase()).map_err(|it| words.fault_before(it.to_string()))?;
                    words.expect("by")?;
                    let channel: Channel = words.parsed("a channel, e.g. phone")?;
                    submission = submission.on_behalf_of(id, channel);
                }
                "answering" => {
                    let question = words.text("the key of a question in quotes")?;
                    if submission.answers.contains_key(&question) {
                        return Err(words.fault_before(format!("`{question}` is answered twice")));
                    }
                    words.expect("with")?;
                    submission = submission.answering(question, words.text("the answer in quotes")?);
                }
                "as" => {
                    let name = words.word("what to call it, e.g. C1")?;
                    if self.aliases.contains_key(&name) {
                        return Err(words.fault_before(format!("another complaint is called {name}")));
                    }
                    alias = Some(name);
                }
                other => {
                    return Err(
                        words.fault_before(format!("`{other}` is none of: about, saying, against, for, answering, as"))
                    );
                }
            }
        }
        let category = category.ok_or_else(|| words.fault("say what it is about: about \"…\"".into()))?;
        submission.category = category.parse().map_err(|it: crate::id::InvalidId| words.fault(it.to_string()))?;
        let alias = alias.ok_or_else(|| words.fault("say what to call it: as C1".into()))?;
        if self.scenario.house.person(&alias).is_some() {
            return Err(words.fault_before(format!("{alias} is a person")));
        }
        self.aliases.insert(alias.clone(), category);
        Ok(Act::Submit { by, submission: Box::new(submission), alias, follows })
    }

    /// The fields of a command, from the lifecycle itself: `FIELD VALUE`, in any order; a text in quotes without a
    /// field is the first text that the command reads.
    fn command(&self, words: &mut Words<'_>, name: CommandName) -> Result<Command, Fault> {
        let start = words.column();
        let mut body = Map::new();
        let mut files = Vec::new();
        loop {
            let parted = words.eat(",") || words.eat("with");
            let Some(token) = words.token() else {
                if parted {
                    return Err(
                        words.fault(format!("expected a field here: `{name}` reads {}", name.fields_in_words()))
                    );
                }
                break;
            };
            let field = match token {
                Token::Text(_) => free_text(name, &body)
                    .ok_or_else(|| words.fault(format!("`{name}` reads no (more) text: name the field")))?,
                Token::Word(word) => {
                    let word = word.clone();
                    let field = name
                        .fields()
                        .iter()
                        .copied()
                        .find(|field| field.name() == word || (word == "to" && field.name() == "agent"));
                    let field = field.ok_or_else(|| words.fault(not_read(name, &word)))?;
                    words.skip();
                    field
                }
            };
            if body.contains_key(field.name()) {
                return Err(words.fault(format!("`{}` is given twice", field.name())));
            }
            if matches!(field, Field::Files | Field::OptionalFiles) {
                files = list(words, "and", |words| words.text("the name of a file in quotes"))?;
                continue;
            }
            let value = self.value(words, field)?;
            body.insert(field.name().to_owned(), value);
        }
        if name == CommandName::Attach {
            return Ok(Command::attach(files.iter().map(|file| samples::file(file)).collect()));
        }
        let command = Command::from_json(name, &Value::Object(body)).map_err(|fault| (start, fault.to_string()))?;
        if files.is_empty() {
            return Ok(command);
        }
        let attached = files.iter().map(|file| samples::file(file)).collect();
        command.carrying(attached).map_err(|fault| (start, fault.to_string()))
    }

    fn value(&self, words: &mut Words<'_>, field: Field) -> Result<Value, Fault> {
        Ok(match field {
            Field::OverCapacity | Field::Anonymous => Value::Bool(true),
            Field::Agent | Field::OptionalAgent => json!(self.agent(words)?),
            Field::Into => match words.token() {
                Some(Token::Text(_)) => json!(words.text("")?),
                _ => json!(self.alias(words)?),
            },
            Field::Skills => json!(list(words, "and", |words| words.text("a skill in quotes"))?),
            Field::Remedies => Value::Array(list(words, "and", remedy)?),
            _ if matches!(words.token(), Some(Token::Text(_))) => json!(words.text("")?),
            _ => {
                let word = words.word(&format!("a value for `{}`", field.name()))?;
                word.parse::<u32>().map_or_else(|_| json!(word), |number| json!(number))
            }
        })
    }

    // --- expectations ---------------------------------------------------------------------------------------------

    fn expected(&mut self, words: &mut Words<'_>) -> Result<Expected, Fault> {
        if words.eat("refused") {
            words.expect("with")?;
            let code = words.word("a code, e.g. wrong_status")?;
            words.expect(":")?;
            return Ok(Expected::Refused { code, step: Step(self.deed(words)?) });
        }
        if words.eat("no") {
            words.expect("notices")?;
            words.expect("to")?;
            return Ok(Expected::Notices { to: self.told(words)?, kinds: Vec::new() });
        }
        if words.eat("notices") {
            words.expect("to")?;
            let to = self.told(words)?;
            words.expect(":")?;
            let kinds = list(words, ",", |words| Ok(words.run().join(" ")))?;
            return Ok(Expected::Notices { to, kinds });
        }
        if words.eat("log") {
            return self.expected_log(words);
        }
        if let Some(name) = words.peek().filter(|name| self.scenario.house.person(name).is_some()) {
            let name = name.to_owned();
            words.skip();
            return self.expected_of_person(words, name);
        }
        let complaint = self.alias(words)?;
        words.eat("is");
        if let Some(clock) = clock(words) {
            let state = self.clock_state(words)?;
            return Ok(Expected::Clock { complaint, clock, state });
        }
        self.place(words, complaint)
    }

    fn expected_log(&self, words: &mut Words<'_>) -> Result<Expected, Fault> {
        words.expect("of")?;
        let complaint = self.alias(words)?;
        if words.eat("has") {
            let event = event(words)?;
            let times = match words.word("never, once, twice or a number")?.as_str() {
                "never" => 0,
                "once" => 1,
                "twice" => 2,
                number => {
                    let times = number.parse().map_err(|_| {
                        words.fault_before(format!("`{number}` is none of: never, once, twice, 3 times"))
                    })?;
                    words.expect("times")?;
                    times
                }
            };
            return Ok(Expected::Count { complaint, event, times });
        }
        words.expect(":")?;
        let events = list(words, ",", event)?;
        Ok(Expected::Log { complaint, events })
    }

    fn expected_of_person(&self, words: &mut Words<'_>, name: String) -> Result<Expected, Fault> {
        match words.word("holds, sees or cannot see")?.as_str() {
            "holds" => {
                self.agent_named(&name).map_err(|message| words.fault_before(message))?;
                Ok(Expected::Holds { agent: name, weight: words.parsed("a number")? })
            }
            "sees" => {
                let complaint = self.alias(words)?;
                let label = if words.eat("as") { Some(words.text("a status in quotes")?) } else { None };
                Ok(Expected::Sees { by: name, complaint, label })
            }
            "cannot" => {
                words.expect("see")?;
                Ok(Expected::SeesNot { by: name, complaint: self.alias(words)? })
            }
            other => Err(words.fault_before(format!("`{other}` is none of: holds, sees, cannot see"))),
        }
    }

    /// `[STATUS] [to|with NAME|nobody] [at level N]`
    fn place(&self, words: &mut Words<'_>, complaint: String) -> Result<Expected, Fault> {
        let mut looked = Looked { complaint, status: None, level: None, handler: None };
        let statuses = Status::ALL.map(|status| (status.name().replace('_', " "), status));
        looked.status = words.longest(&statuses);
        if words.eat("with") || words.eat("to") {
            let nobody = words.eat("nobody");
            looked.handler = Some(if nobody { Holder::Nobody } else { Holder::Named(self.name(words)?) });
        }
        if words.eat("at") {
            words.expect("level")?;
            looked.level = Some(self.level(words)?);
        }
        if looked.status.is_none() && looked.handler.is_none() && looked.level.is_none() {
            let names: Vec<String> = statuses.into_iter().map(|(name, _)| name).collect();
            return Err(
                words.fault(format!("expected a clock, `with NAME`, `at level N` or a status: {}", names.join(", ")))
            );
        }
        Ok(Expected::Place(looked))
    }

    fn clock_state(&self, words: &mut Words<'_>) -> Result<ClockState, Fault> {
        Ok(match words.word("what the clock is, e.g. `due …` or `paused`")?.as_str() {
            "due" => ClockState::Due(self.instant(words)?),
            "running" => ClockState::Runs,
            "paused" => ClockState::Paused,
            "warned" => ClockState::Warned(words.parsed("75 or 90")?),
            "missed" => ClockState::Missed,
            "not" => {
                words.expect("missed")?;
                ClockState::NotMissed
            }
            "met" => ClockState::Ended(Ending::Met),
            "late" => ClockState::Ended(Ending::Late),
            "cancelled" => ClockState::Ended(Ending::Cancelled),
            "absent" => ClockState::Absent,
            other => {
                return Err(words.fault_before(format!(
                    "`{other}` is none of: due, running, paused, warned, missed, not missed, met, late, cancelled, absent"
                )));
            }
        })
    }

    // --- names ----------------------------------------------------------------------------------------------------

    fn told(&self, words: &mut Words<'_>) -> Result<Told, Fault> {
        if words.eat("level") {
            return Ok(Told::Level(self.level(words)?));
        }
        Ok(Told::Person(self.name(words)?))
    }

    fn level(&self, words: &mut Words<'_>) -> Result<Level, Fault> {
        let level = level(words)?;
        let policy = &self.scenario.house.policy;
        if level > policy.last_level() { Err(words.fault_before(beyond(policy))) } else { Ok(level) }
    }

    fn name(&self, words: &mut Words<'_>) -> Result<String, Fault> {
        let name = words.word("a name")?;
        if self.scenario.house.person(&name).is_some() {
            return Ok(name);
        }
        let known: Vec<&str> = self.scenario.house.people.iter().map(|person| person.name.as_str()).collect();
        Err(words.fault_before(format!("there is no `{name}`; there are: {}", known.join(", "))))
    }

    fn agent(&self, words: &mut Words<'_>) -> Result<AgentId, Fault> {
        let name = self.name(words)?;
        self.agent_named(&name).map_err(|message| words.fault_before(message))
    }

    fn agent_named(&self, name: &str) -> Result<AgentId, String> {
        let found = self.scenario.house.agents.iter().find(|agent| agent.name == name);
        found.map(|agent| agent.id.clone()).ok_or_else(|| format!("{name} is no agent"))
    }

    fn alias(&self, words: &mut Words<'_>) -> Result<String, Fault> {
        let alias = words.word("a complaint, e.g. C1")?;
        if self.aliases.contains_key(&alias) {
            return Ok(alias);
        }
        Err(words.fault_before(format!("no complaint is called `{alias}` yet: `… submits \"…\" as {alias}`")))
    }
}

fn beyond(policy: &Policy) -> String {
    format!("the ladder ends at level {}", policy.last_level())
}

/// `[level N] [skilled "S" and "S"] [capacity N] [reports to NAME] [in "AREA"] [speaking "L"]`; with the columns of what
/// can be wrong by what other lines say.
fn agent(words: &mut Words<'_>, name: &str) -> Result<(Agent, Columns), Fault> {
    let mut columns = Columns::new();
    let id = samples::agent_id(name).ok_or_else(|| words.fault_before(format!("`{name}` is no name")))?;
    let mut agent = Agent::named(id.as_str(), name).map_err(|it| words.fault_before(it.to_string()))?;
    let mut given = BTreeSet::new();
    while words.peek().is_some() {
        let word = words.word("")?;
        once(&mut given, &word, words)?;
        match word.as_str() {
            "level" => {
                agent.level = level(words)?;
                columns.push(("level", words.column_before()));
            }
            "capacity" => agent.capacity = words.parsed("a number")?,
            "skilled" => {
                let skills = list(words, "and", |words| {
                    let skill = words.text("a skill in quotes")?;
                    skill.parse().map_err(|it: crate::id::InvalidId| words.fault_before(it.to_string()))
                })?;
                agent.skills.extend(skills);
            }
            "reports" => {
                words.expect("to")?;
                let superior = words.word("a name")?;
                let id = samples::agent_id(&superior);
                let id = id.ok_or_else(|| words.fault_before(format!("`{superior}` is no name")))?;
                if id == agent.id {
                    return Err(words.fault_before("nobody reports to themself".into()));
                }
                agent.reports_to = Some(id);
                columns.push(("reports_to", words.column_before()));
            }
            "in" => agent.areas = keys::<Area>(words, "an area in quotes")?,
            "speaking" => agent.languages = keys::<Language>(words, "a language in quotes")?,
            other => {
                return Err(words.fault_before(format!(
                    "`{other}` is none of: level, skilled, capacity, reports to, in, speaking"
                )));
            }
        }
    }
    Ok((agent, columns))
}

/// Refuses what was given before: the word that was read last.
fn once(given: &mut BTreeSet<String>, word: &str, words: &Words<'_>) -> Result<(), Fault> {
    if given.insert(word.to_owned()) { Ok(()) } else { Err(words.fault_before(format!("`{word}` is given twice"))) }
}

fn keys<T>(words: &mut Words<'_>, what: &str) -> Result<BTreeSet<T>, Fault>
where
    T: std::str::FromStr<Err = crate::id::InvalidId> + Ord,
{
    let keys = list(words, "and", |words| {
        let key = words.text(what)?;
        key.parse::<T>().map_err(|it| words.fault_before(it.to_string()))
    })?;
    Ok(keys.into_iter().collect())
}

/// `KIND [AMOUNT CURRENCY] [due DATE] ["INSTRUCTIONS"]`
fn remedy(words: &mut Words<'_>) -> Result<Value, Fault> {
    let kind: RemedyKind = words.parsed("a kind of remedy, e.g. refund")?;
    let mut remedy = json!({ "kind": kind });
    if words.peek().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
        let amount = words.word("")?;
        remedy["amount"] = json!(format!("{amount} {}", words.word("a currency, e.g. EUR")?));
    }
    if words.eat("due") {
        remedy["due_on"] = json!(words.parsed::<NaiveDate>("a date")?);
    }
    if matches!(words.token(), Some(Token::Text(_))) {
        remedy["instructions"] = json!(words.text("")?);
    }
    Ok(remedy)
}

fn command_name(words: &mut Words<'_>) -> Result<CommandName, Fault> {
    let verbs: Vec<(String, CommandName)> = CommandName::ALL.iter().map(|name| (verb(*name), *name)).collect();
    words.longest(&verbs).ok_or_else(|| {
        let known: Vec<&str> = verbs.iter().map(|(verb, _)| verb.as_str()).collect();
        words.fault(format!("expected what they do, one of: {}", known.join(", ")))
    })
}

fn clock(words: &mut Words<'_>) -> Option<ClockKind> {
    words.longest(&ClockKind::ALL.map(|clock| (clock.name().replace('_', " "), clock)))
}

/// The name of an event, checked by how events are read: a typing error would make `never` true for ever.
fn event(words: &mut Words<'_>) -> Result<String, Fault> {
    let name = words.word("an event, e.g. assigned")?;
    match serde_json::from_value::<Event>(json!({ "type": name })) {
        Err(error) if error.to_string().starts_with("unknown variant") => Err(words.fault_before(error.to_string())),
        _ => Ok(name),
    }
}

/// The first text that a command reads and was not given yet; one that it cannot do without before others.
fn free_text(name: CommandName, given: &Map<String, Value>) -> Option<Field> {
    let is_text = |field: &Field| {
        matches!(
            field,
            Field::Text
                | Field::OptionalText
                | Field::Reason
                | Field::OptionalReason
                | Field::Comment
                | Field::OptionalComment
                | Field::Explanation
                | Field::Instruction
                | Field::Evidence
                | Field::Party
                | Field::Body
        ) && !given.contains_key(field.name())
    };
    let mut free = name.fields().iter().copied().filter(is_text);
    let first = free.clone().next();
    free.find(|field| field.is_required()).or(first)
}

fn not_read(name: CommandName, word: &str) -> String {
    format!("`{name}` does not read `{word}`; it reads: {}", name.fields_in_words())
}

fn level(words: &mut Words<'_>) -> Result<Level, Fault> {
    let number: u8 = words.parsed("a level, e.g. 2")?;
    Level::new(number).map_err(|it| words.fault_before(it.to_string()))
}

fn span(words: &mut Words<'_>) -> Result<Span, Fault> {
    let amount = words.word("an amount of time, e.g. 2 working hours")?;
    let mut unit = words.word("a unit of time, e.g. hours")?;
    if matches!(unit.as_str(), "working" | "calendar") {
        unit = format!("{unit} {}", words.word("a unit of time, e.g. hours")?);
    }
    format!("{amount} {unit}").parse().map_err(|it: crate::id::InvalidId| words.fault_before(it.to_string()))
}

fn list<T>(
    words: &mut Words<'_>,
    between: &str,
    mut item: impl FnMut(&mut Words<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut items = vec![item(words)?];
    while words.eat(between) {
        items.push(item(words)?);
    }
    Ok(items)
}

// --- clauses of TOML ----------------------------------------------------------------------------------------------

/// The clauses of a line after its keyword, split at `;` outside of quotes, each with its column.
fn clauses(raw: &str, keyword: &str) -> Vec<(usize, String)> {
    let mut clauses = vec![(0, String::new())];
    let mut quoted = false;
    let begin = raw.find(keyword).map_or(0, |at| at + keyword.len());
    for (at, c) in raw.char_indices().filter(|(at, _)| *at >= begin) {
        quoted ^= c == '"';
        match c {
            ';' if !quoted => clauses.push((at + 1, String::new())),
            '#' if !quoted => break,
            _ => {
                if let Some((_, clause)) = clauses.last_mut() {
                    clause.push(c);
                }
            }
        }
    }
    let place = |at: usize| raw.get(..at).map_or(at, |before| before.chars().count()) + 1;
    let trimmed = clauses.into_iter().map(|(at, clause)| {
        let blank = clause.len() - clause.trim_start().len();
        (place(at.max(begin) + blank), clause.trim().to_owned())
    });
    trimmed.filter(|(_, clause)| !clause.is_empty()).collect()
}

/// Sets `path.to.it = VALUE`, the value as TOML has it; a number in the path counts in a list, from 0. Answers with the
/// path.
fn set(table: &mut toml::Table, clause: &str) -> Result<String, String> {
    let (path, written) = clause.split_once('=').ok_or_else(|| {
        format!("`{clause}` is no clause: write `targets.contest_window = \"10 days\"` or `office hours Mon-Fri 09:00-17:00 Europe/London`")
    })?;
    let read: toml::Table = toml::from_str(&format!("value = {written}"))
        .map_err(|error| format!("`{}` is no value: {}", written.trim(), error.message()))?;
    let value = read.get("value").cloned().ok_or("nothing is given")?;
    let mut steps: Vec<&str> = path.trim().split('.').collect();
    let last = steps.pop().unwrap_or_default();
    let mut here = table;
    let mut steps = steps.into_iter();
    while let Some(step) = steps.next() {
        let next = here.entry(step).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        here = match next {
            toml::Value::Table(inner) => inner,
            toml::Value::Array(items) => {
                let index = steps.next().and_then(|index| index.parse::<usize>().ok());
                let item = index.and_then(|index| items.get_mut(index)).and_then(toml::Value::as_table_mut);
                item.ok_or_else(|| format!("`{path}` leads nowhere: say which of `{step}`, e.g. {step}.0.name"))?
            }
            _ => return Err(format!("`{path}` leads nowhere: `{step}` has no parts")),
        };
    }
    here.insert(last.to_owned(), value);
    Ok(path.trim().to_owned())
}

/// `Mon-Fri 09:00-17:00 Europe/London`. Answers with the path of the calendar.
fn office_hours(policy: &mut toml::Table, written: &str) -> Result<String, String> {
    const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let wrong = || format!("`{written}` are no office hours: write e.g. Mon-Fri 09:00-17:00 Europe/London");
    let [days, hours, zone] = written.split_whitespace().collect::<Vec<_>>()[..] else { return Err(wrong()) };
    let day = |name: &str| WEEK.iter().position(|day| *day == name.to_lowercase()).ok_or_else(wrong);
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let named = WEEK.get(day(first)?..=day(last)?);
    let open: toml::Table = named
        .ok_or_else(|| format!("`{days}` runs backwards: the week begins on Monday"))?
        .iter()
        .map(|day| ((*day).to_owned(), toml::Value::from(vec![hours])))
        .collect();
    let mut calendar = toml::Table::new();
    calendar.insert("zone".into(), zone.into());
    calendar.insert("hours".into(), open.into());
    let mut calendars = toml::Table::new();
    calendars.insert("office".into(), calendar.into());
    policy.insert("calendars".into(), calendars.into());
    policy.insert("calendar".into(), "office".into());
    Ok("calendars.office".to_owned())
}

// --- words --------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
}

/// Words, texts in quotes, and `,` `:` `;` by themselves; each with its column. `#` ends the line.
fn tokens(raw: &str) -> Result<Vec<(usize, Token)>, Fault> {
    let mut tokens = Vec::new();
    let mut chars = (1..).zip(raw.chars()).peekable();
    while let Some((column, c)) = chars.next() {
        match c {
            '#' => break,
            c if c.is_whitespace() => {}
            '"' => {
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some((_, '"')) => break,
                        Some((_, c)) => text.push(c),
                        None => return Err((column, "this quote is never closed".into())),
                    }
                }
                tokens.push((column, Token::Text(text)));
            }
            ',' | ';' => tokens.push((column, Token::Word(c.to_string()))),
            c => {
                let mut word = c.to_string();
                while let Some((_, c)) = chars.next_if(|(_, c)| !c.is_whitespace() && !",;\"".contains(*c)) {
                    word.push(c);
                }
                // `C1:` is a word and a colon, `16:40` is one word.
                match word.strip_suffix(':').filter(|stem| !stem.is_empty()).map(str::to_owned) {
                    Some(stem) => {
                        let colon = column + stem.chars().count();
                        tokens.push((column, Token::Word(stem)));
                        tokens.push((colon, Token::Word(":".into())));
                    }
                    None => tokens.push((column, Token::Word(word))),
                }
            }
        }
    }
    Ok(tokens)
}

/// The tokens of a line, read one after the other.
struct Words<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    end: usize,
}

impl<'a> Words<'a> {
    fn token(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn peek(&self) -> Option<&'a str> {
        match self.token()? {
            Token::Word(word) => Some(word),
            Token::Text(text) => Some(text),
        }
    }

    fn skip(&mut self) {
        self.at += 1;
    }

    fn eat(&mut self, wanted: &str) -> bool {
        let is_next = matches!(self.token(), Some(Token::Word(word)) if word == wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, wanted: &str) -> Result<(), Fault> {
        if self.eat(wanted) { Ok(()) } else { Err(self.fault(format!("expected `{wanted}` here"))) }
    }

    fn word(&mut self, what: &str) -> Result<String, Fault> {
        match self.token() {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word.clone())
            }
            _ => Err(self.fault(format!("expected {what} here"))),
        }
    }

    fn text(&mut self, what: &str) -> Result<String, Fault> {
        match self.token() {
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => Err(self.fault(format!("expected {what} here"))),
        }
    }

    fn parsed<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, Fault> {
        let word = self.word(what)?;
        word.parse().map_err(|_| self.fault_before(format!("`{word}` is not {what}")))
    }

    /// The words up to the next punctuation.
    fn run(&mut self) -> Vec<String> {
        let mut run = Vec::new();
        while let Some(Token::Word(word)) = self.token() {
            if [",", ";", ":"].contains(&word.as_str()) {
                break;
            }
            run.push(word.clone());
            self.at += 1;
        }
        run
    }

    /// The entry whose name, of one or more words, stands here; the longest of those that do.
    fn longest<T: Copy>(&mut self, known: &[(String, T)]) -> Option<T> {
        let stands_here = |name: &str| {
            name.split(' ').enumerate().all(|(offset, part)| {
                matches!(self.tokens.get(self.at + offset), Some((_, Token::Word(word))) if word == part)
            })
        };
        let found = known.iter().filter(|(name, _)| stands_here(name)).max_by_key(|(name, _)| name.len())?;
        self.at += found.0.split(' ').count();
        Some(found.1)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(column, _)| *column)
    }

    /// A fault of what stands here.
    fn fault(&self, message: String) -> Fault {
        (self.column(), message)
    }

    fn column_before(&self) -> usize {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.map_or(1, |(column, _)| *column)
    }

    /// A fault of what was read last.
    fn fault_before(&self, message: String) -> Fault {
        (self.column_before(), message)
    }

    fn finish(&self) -> Result<(), Fault> {
        match self.peek() {
            Some(left) => Err(self.fault(format!("`{left}` was not expected here"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &str = "\
policy standard; office hours Mon-Fri 09:00-17:00 Europe/London
category \"Damaged goods\"
agent Sarah level 1 skilled \"damaged goods\" capacity 5
agent Maria level 2
customer John
at Fri 2026-11-06 16:40 John submits \"Cracked lid\" about \"Damaged goods\" as C1
";

    fn read(line: &str) -> Result<Scenario, ScenarioError> {
        Scenario::parse("f", &format!("{HOUSE}{line}\nexpect C1 assigned\n"))
    }

    fn command(line: &str) -> Command {
        let scenario = read(line).unwrap();
        let given = scenario.lines.iter().find_map(|line| match &line.step.0 {
            Act::Give { command, .. } => Some(command.clone()),
            _ => None,
        });
        *given.unwrap()
    }

    #[test]
    fn a_weekday_alone_is_the_next_one() {
        let at = |line: &str| {
            let scenario = read(line).unwrap();
            scenario.lines.iter().rev().find_map(|line| match &line.step.0 {
                Act::At(at) => Some(at.to_rfc3339()),
                _ => None,
            })
        };
        for (line, expected) in [
            ("at Mon 17:00 sweep", "2026-11-09T17:00:00+00:00"),
            ("at Fri 16:41 sweep", "2026-11-06T16:41:00+00:00"),
            ("at Fri 16:40 sweep", "2026-11-13T16:40:00+00:00"),
            ("at Mon 09:00 Asia/Tokyo sweep", "2026-11-09T00:00:00+00:00"),
            ("at Fri 23:00 America/New_York sweep", "2026-11-07T04:00:00+00:00"),
            ("at Mon 09:00 sweep\nat Mon 09:00 sweep", "2026-11-16T09:00:00+00:00"),
        ] {
            assert_eq!(at(line).as_deref(), Some(expected), "{line}");
        }
        let fresh = HOUSE.replace("2026-11-06 ", "");
        let scenario = Scenario::parse("f", &format!("{fresh}expect C1 acceptance due Mon 16:40\n")).unwrap();
        assert_eq!(chrono::Datelike::weekday(&scenario.start), Weekday::Fri);
        assert!(scenario.start > samples::monday() && scenario.start < samples::monday() + chrono::TimeDelta::days(7));
        assert!(read("at 17:00 sweep").unwrap_err().to_string().contains("a date, e.g. 2026-11-09"));
    }

    #[test]
    fn every_command_can_be_written() {
        let mut written = 0;
        for name in CommandName::ALL.iter().filter(|name| !matches!(name, CommandName::Submit | CommandName::FollowUp))
        {
            let value = |field: &Field| match field {
                Field::Until | Field::On => "2026-11-20",
                Field::Remedy | Field::Score | Field::Weight => "3",
                Field::Outcome => "upheld",
                Field::Remedies => "refund 12.50 EUR and replacement due 2026-11-20 \"Keep it.\"",
                Field::Agent | Field::OptionalAgent => "Maria",
                Field::OverCapacity | Field::Anonymous => "",
                Field::Category => "\"Damaged goods\"",
                Field::Priority => "high",
                Field::Skills => "\"damaged goods\" and \"glass\"",
                Field::Area => "north",
                Field::Dismissal => "spam",
                Field::Into => "C1",
                Field::Files | Field::OptionalFiles => "\"a.png\" and \"b.pdf\"",
                _ => "\"Words.\"",
            };
            let fields: Vec<String> =
                name.fields().iter().map(|field| format!("{} {}", field.name(), value(field))).collect();
            let read = command(&format!("Sarah {} C1 {}", verb(*name), fields.join(", ")));
            assert_eq!(read.name(), *name);
            let body = serde_json::to_value(read.input()).unwrap();
            let blank = serde_json::to_value(crate::lifecycle::Input::default()).unwrap();
            for field in name.fields().iter().filter(|field| !matches!(field, Field::Files | Field::OptionalFiles)) {
                assert_ne!(body[field.name()], blank[field.name()], "{name} lost {}", field.name());
            }
            written += 1;
        }
        assert_eq!(written, CommandName::ALL.len() - 2);
        for line in [
            "John attaches C1 files \"a.png\"",
            "John posts C1 files \"a.png\"",
            "John posts C1 \"See.\" files \"a.png\"",
        ] {
            assert_eq!(command(line).input().attachments.len(), 1, "{line}");
        }
    }

    #[test]
    fn a_text_without_a_field_is_the_one_it_cannot_do_without() {
        assert_eq!(command("Sarah asks C1 \"When?\"").input().text.as_deref(), Some("When?"));
        assert_eq!(command("Sarah sends back C1 \"No.\"").input().comment.as_deref(), Some("No."));
        let resolved = command("Sarah resolves C1 \"So.\" outcome upheld apology \"Sorry.\"");
        assert_eq!(
            (resolved.input().explanation.as_deref(), resolved.input().apology.as_deref()),
            (Some("So."), Some("Sorry."))
        );
        assert_eq!(
            command("Maria refers C1 \"Ombudsman\" text \"Go there.\"").input().text.as_deref(),
            Some("Go there.")
        );
    }

    /// The message at its place, for a text that is wrong in one line.
    fn wrong(line: &str) -> String {
        read(line).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_line_and_column() {
        for (line, expected) in [
            ("Ben begins C1", "f:7:1: there is no `Ben`; there are: Sarah, Maria, John"),
            ("Sarah begin C1", "f:7:7: expected what they do, one of: submits, "),
            ("Sarah begins C2", "f:7:14: no complaint is called `C2` yet"),
            ("Sarah begins C1 twice", "f:7:17: `begin` does not read `twice`; it reads: nothing"),
            ("Sarah asks C1 \"When", "f:7:15: this quote is never closed"),
            ("Sarah asks C1 \"When?\" \"Where?\"", "f:7:23: `ask` reads no (more) text"),
            ("Sarah resolves C1 outcome splendid", "f:7:19: outcome: "),
            ("John rates C1 score 4, score 5", "f:7:30: `score` is given twice"),
            ("Sarah reassigns C1 to John", "f:7:23: John is no agent"),
            ("at Thu 2026-11-06 17:00", "f:7:8: 2026-11-06 is no Thu but a Fri"),
            ("at 2026-11-06 25:00", "f:7:15: `25:00` is not a time"),
            ("at 2026-11-06 17:00 Mars/Base", "f:7:21: `Mars/Base` is no zone"),
            ("after 2 fortnights", "f:7:9: span of time must be"),
            ("expect C1 happy", "f:7:11: expected a clock, "),
            ("expect C1 resolution soon", "f:7:22: `soon` is none of: due, "),
            ("expect log of C1 has escaladed never", "f:7:22: unknown variant `escaladed`"),
            ("expect Sarah sees", "f:7:18: expected a complaint, e.g. C1 here"),
            ("expect Maria is happy", "f:7:14: `is` is none of: holds, sees, cannot see"),
            ("Sarah is ill", "f:7:10: `ill` is none of: absent, back, disabled, enabled"),
            ("sweep every 1 hour during 3 days", "f:7:20: `during` is neither"),
            ("policy four_eyes = true", "f:7:1: `policy` stands before the first `at`"),
            ("John submits \"Another\" about \"Damaged goods\"", "f:7:45: say what to call it: as C1"),
            ("John submits \"Another\" about \"Damaged goods\" as C1", "f:7:49: another complaint is called C1"),
            ("expect C1 at level 4", "f:7:20: the ladder ends at level 3"),
            ("expect no notices to level 4", "f:7:28: the ladder ends at level 3"),
            ("Sarah begins C1 , , with with", "f:7:19: `begin` does not read `,`"),
            ("Sarah begins C1,", "f:7:17: expected a field here"),
            ("John submits \"A\" about \"Tin\" about \"Tin\" as C2", "f:7:30: `about` is given twice"),
            ("John submits \"A\" about \"Tin\" as C2 as C3", "f:7:36: `as` is given twice"),
            (
                "John submits \"A\" answering \"q\" with \"a\" answering \"q\" with \"b\"",
                "f:7:51: `q` is answered twice",
            ),
        ] {
            assert!(wrong(line).starts_with(expected), "`{line}` gave\n{}\nnot\n{expected}", wrong(line));
        }
    }

    #[test]
    fn the_organisation_is_checked_too() {
        let parse = |text: &str| Scenario::parse("f", text).unwrap_err().to_string();
        let then = "\nat Mon 2026-11-23 09:30 sweep";
        for (text, expected) in [
            ("policy standard; four_eyes", "f:1:18: `four_eyes` is no clause"),
            ("policy standard; levels.name = \"x\"", "f:1:18: `levels.name ` leads nowhere"),
            ("policy targets.silence = 3 days", "f:1:8: `3 days` is no value"),
            ("policy office hours Mon-Fri 9-5", "f:1:8: `Mon-Fri 9-5` are no office hours"),
            ("agent sarah", "f:1:7: `sarah` is no name"),
            ("agent Sarah\ncustomer Sarah", "f:2:10: there is a Sarah already"),
            ("agent Sarah rank 1", "f:1:13: `rank` is none of: level, "),
            ("agent Sarah level 1 level 2 capacity 3", "f:1:21: `level` is given twice"),
            ("agent Sarah capacity 3 capacity 4", "f:1:24: `capacity` is given twice"),
            ("agent Sarah reports to Sarah", "f:1:24: nobody reports to themself"),
            ("category \"Tin\" weight = 3", "f:1:16: expected `;` here"),
            ("category \"Tin\" nonsense and more nonsense", "f:1:16: expected `;` here"),
            ("category \"Tin\" \"Glass\"", "f:1:16: expected `;` here"),
            ("scenario \"a\"\nscenario \"b\"", "f:2:1: it has a title already"),
            ("policy", "f:1:7: say which"),
            ("policy ; # nothing", "f:1:19: say which"),
            ("policy four_eyes = true; standard", "f:1:26: `standard` takes nothing back"),
            ("policy four_eyes = true\npolicy standard", "f:2:8: `standard` takes nothing back"),
            ("customer John", "f:1:1: it expects nothing"),
            ("customer John\nsweep", "f:2:1: the first step says when it is"),
        ] {
            assert!(parse(text).starts_with(expected), "{text:?} gave\n{}\nnot\n{expected}", parse(text));
        }
        // What only all lines together show is told at the line that says it.
        for (text, expected) in [
            ("policy levels = []", "1:8: the policy cannot be used: levels: the ladder has 0 levels; "),
            (
                "policy standard; four_ears = true",
                "1:18: the policy cannot be used: four_ears: unknown field `four_ears`",
            ),
            (
                "policy standard\npolicy low_rating = 3; targets.contest_window = \"banana\"\ncategory \"Glass\"",
                "2:24: the policy cannot be used: targets.contest_window: ",
            ),
            ("\npolicy targets.contest_windw = \"1 day\"\n", "2:8: the policy cannot be used: targets.contest_windw: "),
            (
                "policy office hours Mon-Fri 09:00-17:00 Europe/Lundon\n",
                "1:8: the policy cannot be used: calendars.office",
            ),
            ("policy office hours Fri-Mon 09:00-17:00 UTC", "1:8: `Fri-Mon` runs backwards"),
            ("policy calendar = \"night\"\npolicy low_rating = 9", "1:8: the policy cannot be used: calendar: "),
            (
                "category \"Tin\"\ncategory \"Glass\"; weight = 0",
                "2:19: the policy cannot be used: categories.1.weight",
            ),
            ("category \"Glass\"; priority = \"hgh\"", "1:19: the policy cannot be used: categories.0.priority: "),
            ("category \"Glass\"\n\n category \"glass\"", "3:11: the policy cannot be used: categories.1.key: "),
            ("category \"\"", "1:10: "),
            ("agent Sarah reports to Nobdy\nagent Maria", "1:24: there is no agent `nobdy`"),
            ("agent Maria\nagent Sarah level 9", "2:19: the ladder ends at level 3"),
        ] {
            let told = parse(&format!("{text}{then}\nexpect C1 assigned"));
            assert!(told.starts_with(&format!("f:{expected}")), "{text:?} gave\n{told}\nnot\n{expected}");
        }
        let later = "policy calendar = \"night\"\npolicy calendars.night.hours.mon = [\"09:00-17:00\"]; \
                     calendars.night.zone = \"UTC\"\nagent Sarah reports to Maria\nagent Maria level 2\ncustomer John\n\
                     category \"X\"\nat Mon 2026-11-23 09:30 John submits \"X\" about \"X\" as C1\nexpect C1 queued";
        assert!(Scenario::parse("f", later).is_ok(), "what a later line says counts for an earlier one");
    }

    #[test]
    fn clauses_set_what_they_name() {
        let text = "policy standard; targets.contest_window = \"10 days\"; levels.1.name = \"Lead; of all\" # why not\n\
                    category \"Glass\"; weight = 3; targets.resolution = \"1 hour\"\nagent A\ncustomer John\n\
                    at Mon 2026-11-23 09:30 UTC John submits \"X\" about \"Glass\" as C1\nexpect C1 queued";
        let scenario = Scenario::parse("f", text).unwrap();
        let policy = &scenario.house().policy;
        assert_eq!(policy.targets.contest_window.to_string(), "10 days");
        assert_eq!(policy.levels[1].name, "Lead; of all");
        assert_eq!((policy.categories[0].weight, policy.categories.len()), (3, 1));
    }
}
