//! The lifecycle as a picture, laid out by hand.
//!
//! Positions are part of the design: the main line runs down the left, what a complaint waits for stands beside it,
//! ends stand at the right, and no two lines cross. An automatic layout would move everything with every command, and
//! a page could not put counts and links on what moves. Colours are attributes with custom properties and fall-backs,
//! since the pages of a strict host take no inline style.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::Lifecycle;
use super::moves::{Move, authority, receipt};
use super::trail::{Trail, length};
use crate::complaint::Priority;
use crate::deadline::ClockKind;
use crate::lifecycle::{CommandName as C, LevelChange, Status};
use crate::policy::Policy;
use Status::{
    Assigned, AwaitingCustomer, AwaitingThirdParty, Closed, Dismissed, InProgress, Merged, PendingApproval, Queued,
    Referred, Resolved, Withdrawn,
};

/// What a picture of the lifecycle shows beside the statuses and changes.
///
/// ```
/// use std::collections::BTreeMap;
/// use complaint_core::Policy;
/// use chrono::DateTime;
/// use complaint_core::lifecycle::{Lifecycle, Status, SvgOptions, Trail};
///
/// let policy = Policy::standard();
/// let counts = BTreeMap::from([(Status::Queued, 41)]);
/// let picture = Lifecycle::of(&policy).to_svg(&SvgOptions::default().counting(&counts));
/// assert!(picture.contains("count-queued") && picture.contains(">41<"));
///
/// let way = Trail::of(&[], DateTime::UNIX_EPOCH); // the log of one complaint
/// let picture = Lifecycle::of(&policy).to_svg(&SvgOptions::default().walking(&way).linking("/list?status={status}").embedded());
/// assert!(picture.contains("/list?status=queued"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct SvgOptions<'a> {
    counts: Option<&'a BTreeMap<Status, u64>>,
    link: Option<&'a str>,
    trail: Option<&'a Trail>,
    embedded: bool,
}

impl<'a> SvgOptions<'a> {
    /// A number on each status, e.g. how many complaints are there now; the text of each has the id `count-STATUS`,
    /// so that a page can keep it up to date. A status that is not named has 0.
    pub fn counting(mut self, counts: &'a BTreeMap<Status, u64>) -> Self {
        self.counts = Some(counts);
        self
    }

    /// A link on each status; `{status}` stands for its name, e.g. `/complaints?status={status}`.
    pub fn linking(mut self, template: &'a str) -> Self {
        self.link = Some(template);
        self
    }

    /// The way of one complaint: the statuses it was in with the order and the time, and the changes it made.
    pub fn walking(mut self, trail: &'a Trail) -> Self {
        self.trail = Some(trail);
        self
    }

    /// For the inside of a page: it takes the text colour of what is around it. A file by itself follows the reader's
    /// light or dark scheme.
    pub fn embedded(mut self) -> Self {
        self.embedded = true;
        self
    }
}

impl Lifecycle<'_> {
    /// A picture of the lifecycle as SVG: statuses, changes with their commands, limits and windows, and a table of
    /// the limits by priority with the ladder. Needs no other program.
    ///
    /// Each status is a group with the id `status-NAME`; its place never changes. A status that this policy makes
    /// impossible is dashed. A page can set the custom properties `--chart-open`, `--chart-settled`,
    /// `--chart-finished` and `--chart-trail`.
    pub fn to_svg(&self, options: &SvgOptions<'_>) -> String {
        Drawing::of(*self, options).finish()
    }
}

const WIDTH: i32 = 1020;
/// Where the table under the chart begins.
const TABLE_TOP: i32 = 1060;
/// Size of the type, in pixels.
const TYPE: i32 = 13;
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
/// A generous guess of the width of a letter, in parts of the size of the type: for wrapping and clipping alone.
const LETTER: f64 = 0.58;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Area {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

/// Where a status stands.
fn area(status: Status) -> Area {
    let (x, y, width, height) = match status {
        Queued => (150, 186, 160, 50),
        Assigned => (150, 310, 160, 50),
        InProgress => (150, 430, 160, 226),
        AwaitingCustomer => (488, 430, 174, 50),
        AwaitingThirdParty => (488, 518, 174, 50),
        PendingApproval => (488, 606, 174, 50),
        Resolved => (150, 770, 512, 50),
        Closed => (60, 920, 270, 50),
        Merged => (840, 186, 150, 50),
        Referred => (840, 311, 150, 50),
        Dismissed => (840, 436, 150, 50),
        Withdrawn => (840, 770, 150, 50),
    };
    Area { x, y, width, height }
}

/// The frame around the open statuses. A line that leaves it starts from each of them, one that ends at it leads to
/// its first, as in a state chart.
const FRAME: Area = Area { x: 30, y: 150, width: 664, height: 536 };

/// A line and the changes that it stands for.
struct Route {
    from: &'static [Status],
    to: Status,
    commands: &'static [C],
    line: &'static str,
    label: Label,
    /// What the commands do not say by themselves.
    remark: Option<&'static str>,
}

#[derive(Clone, Copy)]
struct Label {
    x: i32,
    /// The base of its first line, or of its last where it grows upward.
    y: i32,
    anchor: Anchor,
    upward: bool,
    /// Room, in pixels.
    width: i32,
    /// Room, in lines. Commands that do not fit below each other follow each other.
    rows: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

const fn label(x: i32, y: i32, anchor: Anchor, upward: bool, width: i32, rows: usize) -> Label {
    Label { x, y, anchor, upward, width, rows }
}

const OPEN: &[Status] = &Status::OPEN;

/// Every change of status, on one line each. A test holds them equal to the table.
#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route { from: &[Queued], to: Assigned, commands: &[C::Assign], line: "M200 236V303", label: label(192, 277, Anchor::End, false, 126, 2), remark: None },
    Route { from: &[Assigned], to: Queued, commands: &[C::Decline, C::Release], line: "M260 310V243", label: label(270, 262, Anchor::Start, false, 300, 3), remark: None },
    Route { from: &[Assigned], to: InProgress, commands: &[C::Begin], line: "M200 360V423", label: label(192, 386, Anchor::End, false, 128, 3), remark: None },
    Route { from: &[InProgress], to: Assigned, commands: &[C::Reassign], line: "M260 430V367", label: label(270, 400, Anchor::Start, false, 150, 1), remark: None },
    Route { from: &[InProgress], to: Queued, commands: &[C::Release, C::HandBack], line: "M150 450H54V211H143", label: label(62, 246, Anchor::Start, false, 86, 4), remark: None },
    Route { from: &[InProgress], to: AwaitingCustomer, commands: &[C::Ask], line: "M310 446H481", label: label(397, 439, Anchor::Middle, true, 172, 1), remark: None },
    Route { from: &[AwaitingCustomer], to: InProgress, commands: &[C::Answer, C::Resume, C::Post], line: "M488 464H317", label: label(401, 480, Anchor::Middle, false, 166, 2), remark: None },
    Route { from: &[InProgress], to: AwaitingThirdParty, commands: &[C::Hold], line: "M310 534H481", label: label(397, 527, Anchor::Middle, true, 172, 1), remark: None },
    Route { from: &[AwaitingThirdParty], to: InProgress, commands: &[C::Resume], line: "M488 552H317", label: label(401, 568, Anchor::Middle, false, 172, 1), remark: None },
    Route { from: &[InProgress], to: PendingApproval, commands: &[C::Propose], line: "M310 622H481", label: label(397, 615, Anchor::Middle, true, 172, 2), remark: None },
    Route { from: &[PendingApproval], to: InProgress, commands: &[C::SendBack], line: "M488 640H317", label: label(401, 656, Anchor::Middle, false, 172, 1), remark: None },
    Route { from: &[AwaitingCustomer, AwaitingThirdParty, PendingApproval], to: Queued, commands: &[C::Release, C::SendBack], line: "M662 455H678M662 543H678M662 631H678V211H317", label: label(496, 203, Anchor::Middle, true, 350, 2), remark: Some("(when the handler is gone)") },
    Route { from: OPEN, to: Queued, commands: &[C::Escalate], line: "M680 150V94H470V143", label: label(575, 86, Anchor::Middle, true, 560, 1), remark: Some("(when a limit runs out, or by hand)") },
    Route { from: &[Queued, Assigned, InProgress], to: Resolved, commands: &[C::Resolve, C::ResolveAtSource], line: "M200 656V763", label: label(208, 708, Anchor::Start, false, 240, 4), remark: Some("(also before work begins)") },
    Route { from: &[PendingApproval], to: Resolved, commands: &[C::Approve], line: "M600 656V763", label: label(608, 708, Anchor::Start, false, 170, 3), remark: None },
    Route { from: &[Resolved], to: Queued, commands: &[C::Contest, C::Reopen], line: "M455 770V693", label: label(463, 708, Anchor::Start, false, 131, 4), remark: None },
    Route { from: &[Resolved], to: Withdrawn, commands: &[C::Withdraw], line: "M662 795H833", label: label(746, 788, Anchor::Middle, true, 160, 1), remark: None },
    Route { from: OPEN, to: Withdrawn, commands: &[C::Withdraw], line: "M694 664H890V763", label: label(792, 681, Anchor::Middle, false, 180, 1), remark: None },
    Route { from: &[Withdrawn], to: Queued, commands: &[C::Reinstate], line: "M940 770V638H701", label: label(820, 631, Anchor::Middle, true, 230, 2), remark: None },
    Route { from: OPEN, to: Merged, commands: &[C::Merge], line: "M694 202H833", label: label(764, 195, Anchor::Middle, true, 136, 1), remark: None },
    Route { from: &[Merged], to: Queued, commands: &[C::Unmerge], line: "M840 220H701", label: label(770, 237, Anchor::Middle, false, 136, 1), remark: None },
    Route { from: OPEN, to: Referred, commands: &[C::Refer], line: "M694 327H833", label: label(764, 320, Anchor::Middle, true, 136, 1), remark: None },
    Route { from: &[Referred], to: Queued, commands: &[C::ReturnReferral], line: "M840 345H701", label: label(770, 362, Anchor::Middle, false, 136, 1), remark: None },
    Route { from: &[Queued, Assigned, InProgress], to: Dismissed, commands: &[C::Dismiss], line: "M694 452H833", label: label(764, 445, Anchor::Middle, true, 136, 2), remark: Some("(not while waiting)") },
    Route { from: &[Dismissed], to: Queued, commands: &[C::Contest, C::Reopen], line: "M840 470H701", label: label(770, 487, Anchor::Middle, false, 136, 6), remark: None },
    Route { from: &[Resolved], to: Closed, commands: &[C::Accept, C::Close, C::FulfilRemedy, C::DeclineRemedy], line: "M260 820V913", label: label(268, 846, Anchor::Start, false, 420, 4), remark: Some("(the last one owed)") },
    Route { from: &[Closed], to: Resolved, commands: &[C::FailRemedy], line: "M330 945H640V827", label: label(490, 938, Anchor::Middle, true, 280, 1), remark: None },
    Route { from: &[Closed], to: Queued, commands: &[C::Contest, C::Reopen], line: "M90 920V693", label: label(98, 842, Anchor::Start, false, 156, 5), remark: None },
];

const HEAD: &str = "lifecycle-head";
const TRAIL_HEAD: &str = "lifecycle-trail-head";

struct Drawing<'a> {
    policy: &'a Policy,
    options: &'a SvgOptions<'a>,
    moves: Vec<Move>,
    body: String,
    /// What was drawn, to see that nothing covers anything else.
    #[cfg(test)]
    placed: Vec<(String, Area)>,
    height: i32,
    /// Width of a column of the table.
    column: i32,
}

impl<'a> Drawing<'a> {
    fn of(lifecycle: Lifecycle<'a>, options: &'a SvgOptions<'a>) -> Self {
        let mut drawing = Self {
            policy: lifecycle.policy,
            options,
            moves: lifecycle.moves(),
            body: String::new(),
            #[cfg(test)]
            placed: Vec::new(),
            height: TABLE_TOP,
            column: COLUMN,
        };
        drawing.heading();
        drawing.frame();
        drawing.routes();
        for status in Status::ALL {
            drawing.status(status);
        }
        drawing.table();
        drawing
    }

    fn finish(self) -> String {
        let mut svg = String::new();
        // Links are found by those who listen only if the picture is not one thing.
        let role = if self.options.link.is_some() { "group" } else { "img" };
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"lifecycle\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"{role}\" aria-labelledby=\"lifecycle-title lifecycle-desc\" font-family=\"{FONT}\" \
             font-size=\"{TYPE}\" fill=\"currentColor\">",
            height = self.height,
        );
        let _ = writeln!(svg, "<title id=\"lifecycle-title\">{}</title>", escaped(&self.title()));
        let _ = writeln!(svg, "<desc id=\"lifecycle-desc\">{}</desc>", escaped(&self.description()));
        if !self.options.embedded {
            svg.push_str(
                "<style>svg.lifecycle{color:#1f2328}@media (prefers-color-scheme:dark){svg.lifecycle{color:#e6edf3}}</style>\n",
            );
        }
        for (id, colour) in [(HEAD, "currentColor"), (TRAIL_HEAD, TRAIL)] {
            let _ = writeln!(
                svg,
                "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"1\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
                 markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8Z\" fill=\"{colour}\"/></marker>"
            );
        }
        svg.push_str(&self.body);
        svg.push_str("</svg>\n");
        svg
    }

    fn title(&self) -> String {
        match self.options.trail {
            Some(_) => "The way of one complaint through its lifecycle".to_owned(),
            None => format!("The lifecycle of a complaint under the policy {}", self.policy.name),
        }
    }

    /// The picture in words, for those who do not see it.
    fn description(&self) -> String {
        let mut sentences = Vec::new();
        if let Some(trail) = self.options.trail {
            let visits = trail.visits.iter().map(|it| format!("{} {}", it.status.label(), length(it.seconds)));
            sentences.push(format!("It was: {}.", visits.collect::<Vec<_>>().join(", ")));
        }
        for from in Status::ALL {
            let ways = Status::ALL.into_iter().filter_map(|to| {
                let between = self.moves.iter().filter(|it| it.from == from && it.to == to);
                let labels: Vec<String> = between.map(|it| it.label(self.policy)).collect();
                (!labels.is_empty()).then(|| format!("to {} by {}", to.label(), labels.join(" or ")))
            });
            let ways: Vec<String> = ways.collect();
            if !ways.is_empty() {
                sentences.push(format!("{}: {}.", from.label(), ways.join("; ")));
            }
        }
        sentences.join(" ")
    }

    fn heading(&mut self) {
        let (title, under) = match self.options.trail {
            Some(trail) => {
                let all: u64 = trail.visits.iter().fold(0, |sum, visit| sum.saturating_add(visit.seconds));
                let now = trail.last().map_or("", Status::label);
                ("The way of a complaint", format!("{} places in {}; now {now}", trail.visits.len(), length(all)))
            }
            None => ("How a complaint moves", format!("Policy: {}, version {}", self.policy.name, self.policy.version)),
        };
        self.text(title, 30, 38, Anchor::Start, 20, "600", 1.0);
        let under = clipped(&under, 13, 380);
        self.text(&under, 30, 60, Anchor::Start, 13, "400", 0.75);
        self.body.push_str("<circle cx=\"230\" cy=\"116\" r=\"6\"/>\n");
        let _ = writeln!(self.body, "{}", line("M230 122V179", HEAD, "currentColor", self.dimmed()));
        let words = [("submit", receipt(self.policy))];
        self.label(label(242, 112, Anchor::Start, false, 215, 3), &words, self.dimmed());
        self.legend();
    }

    fn legend(&mut self) {
        for (at, (name, colour)) in (0..).zip([("open", OPEN_COLOUR), ("settled", SETTLED), ("finished", FINISHED)]) {
            let x = 60 + at * 100;
            let _ = writeln!(
                self.body,
                "<rect x=\"{x}\" y=\"984\" width=\"14\" height=\"14\" rx=\"4\" fill=\"{colour}\" fill-opacity=\"0.14\" stroke=\"{colour}\"/>"
            );
            self.text(name, x + 22, 996, Anchor::Start, TYPE, "400", 0.85);
        }
        let first = format!("Lines from the frame start at every open status, lines to it lead to {}.", Queued.label());
        self.text(&first, 60, 1022, Anchor::Start, TYPE, "400", 0.85);
    }

    fn dimmed(&self) -> f64 {
        if self.options.trail.is_some() { 0.45 } else { 0.85 }
    }

    fn frame(&mut self) {
        let Area { x, y, width, height } = FRAME;
        let _ = writeln!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"14\" fill=\"{OPEN_COLOUR}\" \
             fill-opacity=\"0.05\" stroke=\"{OPEN_COLOUR}\" stroke-opacity=\"0.6\" stroke-dasharray=\"2 4\"/>"
        );
        self.text("Open", x + 14, y + 22, Anchor::Start, 13, "600", 0.75);
    }

    fn routes(&mut self) {
        for route in ROUTES {
            let moves: Vec<Move> = self.moves.iter().filter(|it| route.draws(it)).cloned().collect();
            if moves.is_empty() {
                continue;
            }
            let walked =
                self.options.trail.is_some_and(|trail| trail.changes().any(|change| self.takes(route, change)));
            let (head, colour, strength) =
                if walked { (TRAIL_HEAD, TRAIL, 1.0) } else { (HEAD, "currentColor", self.dimmed()) };
            let words = route.words(&moves, self.policy);
            let said: Vec<String> = words.iter().map(|(command, rest)| format!("{command} {rest}")).collect();
            let sources: Vec<&str> = route.from.iter().map(|status| status.label()).collect();
            let title = format!("{} to {}: {}", sources.join(", "), route.to.label(), said.join(", "));
            let commands: Vec<&str> = words.iter().map(|(command, _)| *command).collect();
            let _ = writeln!(
                self.body,
                "<g class=\"change\" data-commands=\"{}\"><title>{}</title>{}",
                commands.join(" "),
                escaped(&title),
                line(route.line, head, colour, strength)
            );
            self.label(route.label, &words, strength);
            self.body.push_str("</g>\n");
        }
    }

    /// Whether a change was made along this line: of several between two statuses, the one that moves the level so.
    fn takes(&self, route: &Route, (from, to, step): (Status, Status, LevelChange)) -> bool {
        let between: Vec<&Move> = self.moves.iter().filter(|it| it.from == from && it.to == to).collect();
        let exact = between.iter().any(|it| it.level == step);
        between.iter().any(|it| route.draws(it) && (it.level == step || !exact))
    }

    fn label(&mut self, label: Label, words: &[(&'static str, String)], strength: f64) {
        let stacked: Vec<Line> = words.iter().flat_map(|words| wrapped(&[words], label.width)).collect();
        let lines =
            if stacked.len() <= label.rows { stacked } else { wrapped(&words.iter().collect::<Vec<_>>(), label.width) };
        let count = i32::try_from(lines.len()).unwrap_or(0);
        let first = if label.upward { label.y - (count - 1) * LINE } else { label.y };
        for (at, words) in (0..).zip(&lines) {
            self.line(words, label.x, first + at * LINE, label.anchor, strength);
        }
    }

    /// One line of a label; the commands in it stand out.
    fn line(&mut self, words: &Line, x: i32, y: i32, anchor: Anchor, strength: f64) {
        #[cfg(test)]
        self.placed.push((words.plain(), text_area(&words.plain(), x, y, anchor, TYPE)));
        let anchor =
            if anchor == Anchor::Start { String::new() } else { format!(" text-anchor=\"{}\"", anchor.name()) };
        let _ = write!(self.body, "<text x=\"{x}\" y=\"{y}\"{anchor} fill-opacity=\"{strength}\">");
        for (at, (word, is_command)) in words.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            let _ = match is_command {
                true => write!(self.body, "{space}<tspan font-weight=\"600\">{}</tspan>", escaped(word)),
                false => write!(self.body, "{space}{}", escaped(word)),
            };
        }
        self.body.push_str("</text>\n");
    }

    fn status(&mut self, status: Status) {
        let Area { x, y, width, height } = area(status);
        let colour = colour_of(status);
        let reached = status == super::moves::START || self.moves.iter().any(|it| it.to == status);
        let stay = self.options.trail.and_then(|trail| trail.stays().remove(&status));
        let walked = stay.is_some();
        let faint = self.options.trail.is_some() && !walked;
        let (stroke, width_of_line) = if walked { (TRAIL, 2.5) } else { (colour, 1.5) };
        let dash = if reached { "" } else { " stroke-dasharray=\"5 4\"" };
        let strength = if faint || !reached { 0.5 } else { 1.0 };
        let _ = write!(self.body, "<g id=\"status-{}\" class=\"status\" opacity=\"{strength}\">", status.name());
        let note = if reached { "" } else { ": impossible under this policy" };
        let _ = write!(self.body, "<title>{}{note}</title>", status.label());
        if let Some(link) = self.options.link {
            let _ = write!(self.body, "<a href=\"{}\">", escaped(&link.replace("{status}", status.name())));
        }
        let _ = writeln!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"{colour}\" fill-opacity=\"0.14\" \
             stroke=\"{stroke}\" stroke-width=\"{width_of_line}\"{dash}/>"
        );
        let (middle, centre) = (x + width / 2, y + height / 2);
        let second = stay.map(|(visits, seconds)| (order_of(&visits), length(seconds)));
        let base = if second.is_some() { centre - 3 } else { centre + 5 };
        self.text(status.label(), middle, base, Anchor::Middle, 14, "600", 1.0);
        if let Some((order, stay)) = second {
            self.text(&stay, middle, base + 17, Anchor::Middle, TYPE, "400", 1.0);
            self.badge(x - BEYOND, y, &order, TRAIL, None);
        }
        if let Some(counts) = self.options.counts {
            let count = counts.get(&status).copied().unwrap_or(0).to_string();
            self.badge(x + width + BEYOND - badge_width(&count), y, &count, colour, Some(status));
        }
        self.body.push_str(if self.options.link.is_some() { "</a></g>\n" } else { "</g>\n" });
    }

    /// A pill on a corner of a status.
    fn badge(&mut self, x: i32, y: i32, words: &str, colour: &str, counted: Option<Status>) {
        let width = badge_width(words);
        let id = counted.map(|status| format!(" id=\"count-{}\"", status.name())).unwrap_or_default();
        let _ = writeln!(
            self.body,
            "<rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"20\" rx=\"10\" fill=\"{colour}\"/>\
             <text{id} x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"600\" fill=\"#fff\">{}</text>",
            y - 10,
            x + width / 2,
            y + 5,
            escaped(words)
        );
    }

    /// The limits by priority, and the ladder.
    fn table(&mut self) {
        let policy = self.policy;
        let varying = policy.priorities.keys().chain(policy.levels.iter().flat_map(|level| level.priorities.keys()));
        let mut columns: Vec<Priority> = varying.copied().collect();
        columns.sort_unstable();
        columns.dedup();
        self.column = COLUMN.min(600 / i32::try_from(columns.len() + 1).unwrap_or(1));
        let mut y = TABLE_TOP + 20;
        self.text("Limits", 30, y, Anchor::Start, 14, "600", 1.0);
        self.cell(0, "usually", y, "600");
        for (at, priority) in (1..).zip(&columns) {
            self.cell(at, priority.name(), y, "600");
        }
        for clock in [ClockKind::FirstResponse, ClockKind::Resolution, ClockKind::Acceptance, ClockKind::Statutory] {
            let Some(usual) = policy.targets.of(clock) else { continue };
            y += ROW;
            self.rule(y);
            self.text(clock.label(), 30, y, Anchor::Start, TYPE, "400", 1.0);
            self.cell(0, &usual.to_string(), y, "400");
            for (at, priority) in (1..).zip(&columns) {
                let own = policy.priorities.get(priority).and_then(|targets| targets.of(clock));
                self.cell(at, &own.map_or_else(|| "the same".to_owned(), |span| span.to_string()), y, "400");
            }
        }
        for (number, level) in (1..).zip(&policy.levels) {
            y += ROW;
            self.rule(y);
            let name = clipped(&format!("Level {number}: {}", level.name), TYPE, 340);
            self.text(&name, 30, y, Anchor::Start, TYPE, "600", 1.0);
            self.cell(0, &level.target.to_string(), y, "400");
            for (at, priority) in (1..).zip(&columns) {
                let own = level.priorities.get(priority);
                self.cell(at, &own.map_or_else(|| "the same".to_owned(), ToString::to_string), y, "400");
            }
            y += LINE + 2;
            let may = clipped(&authority(level), TYPE, 950);
            self.text(&may, 30, y, Anchor::Start, TYPE, "400", 0.75);
        }
        self.height = y + 24;
    }

    fn cell(&mut self, column: i32, words: &str, y: i32, weight: &str) {
        let words = clipped(words, TYPE, self.column - 6);
        let strength = if words == "the same" { 0.55 } else { 1.0 };
        self.text(&words, 390 + column * self.column, y, Anchor::Start, TYPE, weight, strength);
    }

    fn rule(&mut self, y: i32) {
        let y = y - 17;
        let _ = writeln!(self.body, "<path d=\"M30 {y}H990\" stroke=\"currentColor\" stroke-opacity=\"0.15\"/>");
    }

    #[expect(clippy::too_many_arguments, reason = "what a text is: words, place, anchor, size, weight, strength")]
    fn text(&mut self, words: &str, x: i32, y: i32, anchor: Anchor, size: i32, weight: &str, strength: f64) {
        #[cfg(test)]
        self.placed.push((words.to_owned(), text_area(words, x, y, anchor, size)));
        let _ = write!(self.body, "<text x=\"{x}\" y=\"{y}\"");
        if anchor != Anchor::Start {
            let _ = write!(self.body, " text-anchor=\"{}\"", anchor.name());
        }
        if size != TYPE {
            let _ = write!(self.body, " font-size=\"{size}\"");
        }
        if weight != "400" {
            let _ = write!(self.body, " font-weight=\"{weight}\"");
        }
        if strength < 1.0 {
            let _ = write!(self.body, " fill-opacity=\"{strength}\"");
        }
        let _ = writeln!(self.body, ">{}</text>", escaped(words));
    }
}

impl Route {
    fn draws(&self, it: &Move) -> bool {
        it.to == self.to && self.commands.contains(&it.command) && self.from.contains(&it.from)
    }

    /// Each command that is possible here, with its limit.
    fn words(&self, moves: &[Move], policy: &Policy) -> Vec<(&'static str, String)> {
        let possible = self.commands.iter().filter_map(|command| moves.iter().find(|it| it.command == *command));
        let mut words: Vec<(&'static str, String)> = possible
            .map(|it| {
                let step = match it.level {
                    LevelChange::Up if it.command == C::Contest && policy.levels.len() > 1 => Some("one level up"),
                    LevelChange::Down => Some("one level down"),
                    _ => None,
                };
                let parts: Vec<String> = it.limit(policy).into_iter().chain(step.map(str::to_owned)).collect();
                (it.command.name(), parts.join(", "))
            })
            .collect();
        if let (Some(remark), Some((_, last))) = (self.remark, words.last_mut()) {
            let space = if last.is_empty() { "" } else { " " };
            let _ = write!(last, "{space}{remark}");
        }
        words
    }
}

/// A line of a label: its words, and which of them are commands.
struct Line(Vec<(String, bool)>);

impl Line {
    fn plain(&self) -> String {
        self.0.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(" ")
    }
}

const OPEN_COLOUR: &str = "var(--chart-open, #3b82c4)";
const SETTLED: &str = "var(--chart-settled, #2f9e6b)";
const FINISHED: &str = "var(--chart-finished, #7d8590)";
const TRAIL: &str = "var(--chart-trail, #d9622b)";

fn colour_of(status: Status) -> &'static str {
    if status.is_open() {
        OPEN_COLOUR
    } else if status.is_end() {
        FINISHED
    } else {
        SETTLED
    }
}

/// From base to base of two lines of a label.
const LINE: i32 = 16;
const ROW: i32 = 26;
const COLUMN: i32 = 150;

fn line(path: &str, head: &str, colour: &str, strength: f64) -> String {
    format!(
        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-opacity=\"{strength}\" \
         stroke-linejoin=\"round\" marker-end=\"url(#{head})\"/>"
    )
}

/// `1`, `1 4 7`; of many, the first and the last.
fn order_of(visits: &[usize]) -> String {
    match visits {
        [first, .., last] if visits.len() > 4 => format!("{first} … {last}"),
        _ => visits.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// How far a badge reaches beyond its corner.
const BEYOND: i32 = 14;

fn badge_width(words: &str) -> i32 {
    pixels(words, TYPE) + 14
}

fn pixels(words: &str, size: i32) -> i32 {
    let letters = u32::try_from(words.chars().count()).unwrap_or(u32::MAX);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "texts are clipped to what a picture holds; the cast saturates"
    )]
    let width = (f64::from(letters) * LETTER * f64::from(size)).ceil() as i32;
    width
}

#[cfg(test)]
fn text_area(words: &str, x: i32, y: i32, anchor: Anchor, size: i32) -> Area {
    let width = pixels(words, size);
    let x = match anchor {
        Anchor::Start => x,
        Anchor::Middle => x - width / 2,
        Anchor::End => x - width,
    };
    Area { x, y: y - size * 4 / 5, width, height: size }
}

/// Commands one after the other, in lines of a width.
fn wrapped(commands: &[&(&'static str, String)], width: i32) -> Vec<Line> {
    let mut words: Vec<(String, bool)> = Vec::new();
    for (at, (command, rest)) in commands.iter().enumerate() {
        words.push(((*command).to_owned(), true));
        words.extend(rest.split(' ').filter(|word| !word.is_empty()).map(|word| (word.to_owned(), false)));
        if let (Some((last, _)), true) = (words.last_mut(), at + 1 < commands.len()) {
            last.push(',');
        }
    }
    let mut lines: Vec<Line> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if pixels(&format!("{} {}", line.plain(), word.0), TYPE) <= width => line.0.push(word),
            _ => lines.push(Line(vec![word])),
        }
    }
    lines
}

fn clipped(words: &str, size: i32, width: i32) -> String {
    let mut short = words.to_owned();
    while pixels(&short, size) > width {
        short = short.trim_end_matches('…').to_owned();
        short.pop();
        short.push('…');
    }
    short
}

fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// A text inside XML, in content as well as in attributes. Control characters have no place in XML at all.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn policies() -> Vec<Policy> {
        let standard = Policy::standard();
        let mut policies = vec![standard.clone()];
        for length in [1, 2, 5, 9] {
            let mut policy = standard.clone();
            policy.levels = (0..length).map(|at| standard.levels[at % 3].clone()).collect();
            for four_eyes in [false, true] {
                policies.push(Policy { four_eyes, third_party_pauses: four_eyes, ..policy.clone() });
            }
        }
        let mut wordy = standard;
        let long = "5270400 working minutes".parse().unwrap();
        wordy.name = "N".repeat(200);
        wordy.acknowledge_at_once = false;
        wordy.reinstate_window = long;
        let targets = &mut wordy.targets;
        for target in [
            &mut targets.acknowledgement,
            &mut targets.acceptance,
            &mut targets.approval,
            &mut targets.silence,
            &mut targets.auto_close,
            &mut targets.contest_window,
            &mut targets.remedy,
            &mut targets.resolution,
        ] {
            *target = long;
        }
        for law in wordy.statutory.values_mut() {
            law.within = long;
        }
        for level in &mut wordy.levels {
            level.name = "A name that is much longer than a table has room for. ".repeat(3);
            level.target = long;
            level.authority = Some(vec!["90071992547409.91 EUR".parse().unwrap(); 30]);
            level.priorities = Priority::ALL.iter().map(|priority| (*priority, long)).collect();
        }
        policies.push(wordy);
        policies
    }

    #[test]
    fn what_just_fits_is_not_clipped() {
        let words = "Awaiting";
        assert_eq!(clipped(words, TYPE, pixels(words, TYPE)), words);
        assert_eq!(clipped(words, TYPE, pixels(words, TYPE) - 1), "Awaiti…");
    }

    #[test]
    fn every_change_of_the_table_is_on_one_line_and_no_line_is_invented() {
        for policy in policies() {
            for it in super::super::moves::moves(&policy, None) {
                assert_eq!(ROUTES.iter().filter(|route| route.draws(&it)).count(), 1, "{it:?}");
            }
        }
        let all = super::super::moves::moves(&Policy::standard(), None);
        for route in ROUTES {
            for command in route.commands {
                assert!(all.iter().any(|it| it.command == *command && route.draws(it)), "{command} on {}", route.line);
            }
        }
    }

    #[test]
    fn no_text_covers_another_or_a_status_or_leaves_the_picture() {
        for policy in policies() {
            let options = SvgOptions::default();
            let drawing = Drawing::of(Lifecycle::of(&policy), &options);
            let statuses = Status::ALL.map(|status| (status.label().to_owned(), area(status)));
            let overlap = |a: Area, b: Area| {
                a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
            };
            for (at, (words, place)) in drawing.placed.iter().enumerate() {
                assert!(place.x >= 0 && place.x + place.width <= WIDTH, "{words:?} leaves the picture: {place:?}");
                assert!(place.y >= 0 && place.y + place.height <= drawing.height, "{words:?} leaves the picture");
                for (others, other) in &drawing.placed[at + 1..] {
                    assert!(!overlap(*place, *other), "{words:?} covers {others:?} in {:?}", policy.levels.len());
                }
                for (status, other) in statuses.iter().filter(|(status, _)| status != words) {
                    assert!(!overlap(*place, *other), "{words:?} covers {status}");
                }
            }
        }
    }

    #[test]
    fn the_shape_is_well_formed_and_stays_what_it_is() {
        let counts = BTreeMap::from([(Queued, 7)]);
        for policy in policies() {
            let options =
                SvgOptions::default().counting(&counts).linking("/complaints?a=1&status={status}\"").embedded();
            let svg = Lifecycle::of(&policy).to_svg(&options);
            assert_eq!(svg, Lifecycle::of(&policy).to_svg(&options));
            let mut open = Vec::new();
            for tag in svg.split('<').skip(1) {
                let (tag, _) = tag.split_once('>').unwrap();
                if let Some(name) = tag.strip_prefix('/') {
                    assert_eq!(open.pop(), Some(name));
                } else if !tag.ends_with('/') {
                    open.push(tag.split(' ').next().unwrap());
                }
                assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            }
            assert!(open.is_empty(), "{open:?} are not closed");
            let ids: Vec<&str> = svg.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
            assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "an id is given twice");
            for status in Status::ALL {
                assert!(ids.contains(&format!("status-{}", status.name()).as_str()));
                assert!(ids.contains(&format!("count-{}", status.name()).as_str()));
                assert!(svg.contains(&format!("href=\"/complaints?a=1&amp;status={}&quot;\"", status.name())));
            }
            assert!(!svg.contains("style"), "a strict page takes no inline style");
        }
    }

    #[test]
    fn what_a_policy_makes_impossible_is_dashed_and_has_no_lines() {
        let mut policy = Policy::standard();
        policy.levels.truncate(1);
        let svg = Lifecycle::of(&policy).to_svg(&SvgOptions::default());
        assert!(svg.contains("Dismissed: impossible under this policy"));
        assert!(!svg.contains("data-commands=\"escalate\"") && !svg.contains("one level up"));
        let standard = Policy::standard();
        let svg = Lifecycle::of(&standard).to_svg(&SvgOptions::default());
        assert!(!svg.contains("impossible") && svg.contains("data-commands=\"escalate\""));
    }
}
