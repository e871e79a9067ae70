//! What becomes of a complaint, as a list of deeds with the time before each.

use complaint_core::complaint::Outcome;

use super::chance::Chance;
use super::situations::{
    CONTESTS, DECLINES, DISMISSALS, ESCALATIONS, FAILURES, GREETINGS, NOTES, RATINGS, REASSIGNMENTS, REFERRALS,
    REMARKS, REMEDY_DECLINES, REPLIES, WITHDRAWALS,
};

/// How much time passes before a deed, in minutes.
#[derive(Debug, Clone, Copy)]
pub enum Wait {
    /// Of opening time.
    Work(i64, i64),
    /// Of any time; customers write when they are awake.
    Wall(i64, i64),
}

/// Something somebody does.
#[derive(Debug, Clone)]
pub enum Deed {
    /// The handler starts.
    Begin,
    /// The handler writes to the customer.
    Write(&'static str),
    /// The handler writes a note.
    Note(&'static str),
    /// The handler asks what the situation asks.
    Ask,
    /// The customer answers.
    Answer,
    /// The customer writes by themself.
    Remark(&'static str),
    /// The handler waits for somebody else.
    Hold,
    /// The handler goes on.
    Resume,
    /// The handler passes it up.
    Escalate(&'static str),
    /// The handler passes it down again.
    HandBack,
    /// The handler does not take it.
    Decline(&'static str),
    /// A supervisor gives it to somebody else.
    Reassign(&'static str),
    /// The handler finds it urgent.
    Triage,
    /// The handler decides.
    Resolve(Outcome),
    /// The handler proposes more money than they may decide.
    Propose,
    /// A supervisor does not approve.
    SendBack,
    /// A supervisor approves.
    Approve,
    /// The handler settles it with the customer on the telephone.
    SettleAtOnce,
    /// The customer agrees.
    Accept,
    /// Somebody delivers what was promised.
    Fulfil,
    /// The customer does not want what was promised.
    DeclineRemedy(&'static str),
    /// The handler finds that what was promised cannot be delivered.
    FailRemedy(&'static str),
    /// The customer rates it.
    Rate(u8, &'static str),
    /// The customer disagrees.
    Contest(&'static str),
    /// The customer takes it back.
    Withdraw(&'static str),
    /// The customer takes it up again.
    Reinstate,
    /// A supervisor does not take it up.
    Dismiss(&'static str, &'static str),
    /// A supervisor passes it to another body.
    Refer(&'static str, &'static str),
    /// The other body gives it back.
    ReturnReferral,
    /// A supervisor opens it again.
    Reopen,
    /// The customer hands the same thing in once more; a supervisor joins the second to the first.
    Repeat,
    /// A supervisor joins it to the one before.
    Join,
    /// The customer files another one about what came after.
    FollowUp,
}

/// When it is handed in, in minutes before the present.
#[derive(Debug, Clone, Copy)]
pub enum Since {
    /// Some days ago, between these.
    Days(i64, i64),
    /// This much opening time ago.
    Work(i64, i64),
}

impl Since {
    /// Whether it can still be going on.
    pub fn is_recent(self) -> bool {
        match self {
            Self::Days(_, most) => most < 30,
            Self::Work(..) => true,
        }
    }
}

/// A kind of course, how often it is taken, and when.
pub struct Fate {
    /// How many take it.
    pub count: usize,
    /// When they were handed in.
    pub since: Since,
    /// Only about this category, where it matters.
    pub category: Option<&'static str>,
    /// The deeds.
    pub course: fn(&mut Chance) -> Vec<(Wait, Deed)>,
}

/// All courses. Together about two hundred complaints.
pub const FATES: &[Fate] = &[
    // The finished past.
    Fate { count: 42, since: Since::Days(8, 89), category: None, course: plain },
    Fate { count: 16, since: Since::Days(30, 88), category: None, course: silent },
    Fate { count: 9, since: Since::Days(3, 80), category: None, course: at_once },
    Fate { count: 10, since: Since::Days(20, 85), category: None, course: approved },
    Fate { count: 12, since: Since::Days(25, 85), category: None, course: escalated },
    Fate { count: 9, since: Since::Days(26, 85), category: None, course: neglected },
    Fate { count: 7, since: Since::Days(26, 85), category: None, course: contested },
    Fate { count: 5, since: Since::Days(40, 89), category: None, course: contested_twice },
    Fate { count: 6, since: Since::Days(4, 60), category: None, course: withdrawn },
    Fate { count: 3, since: Since::Days(12, 50), category: None, course: reinstated },
    Fate { count: 6, since: Since::Days(3, 80), category: None, course: dismissed },
    Fate { count: 2, since: Since::Days(20, 70), category: None, course: dismissed_then_contested },
    Fate { count: 5, since: Since::Days(6, 80), category: Some("streets"), course: referred },
    Fate { count: 2, since: Since::Days(25, 70), category: None, course: returned },
    Fate { count: 4, since: Since::Days(5, 70), category: None, course: repeated },
    Fate { count: 3, since: Since::Days(30, 80), category: None, course: reopened },
    Fate { count: 3, since: Since::Days(20, 70), category: None, course: handed_back },
    Fate { count: 3, since: Since::Days(10, 80), category: None, course: declined },
    Fate { count: 3, since: Since::Days(10, 80), category: None, course: reassigned },
    Fate { count: 2, since: Since::Days(50, 80), category: None, course: followed_up },
    Fate { count: 4, since: Since::Days(16, 80), category: None, course: not_wanted },
    Fate { count: 3, since: Since::Days(30, 80), category: Some("billing"), course: delivered_after_all },
    Fate { count: 4, since: Since::Days(30, 80), category: None, course: too_little },
    // What is going on now.
    Fate { count: 2, since: Since::Days(6, 10), category: Some("damaged-goods"), course: failed },
    Fate { count: 5, since: Since::Days(21, 27), category: Some("damaged-goods"), course: owed },
    Fate { count: 4, since: Since::Days(4, 7), category: Some("waste"), course: owed },
    Fate { count: 8, since: Since::Days(4, 9), category: None, course: decided },
    Fate { count: 6, since: Since::Work(900, 2000), category: None, course: asked },
    Fate { count: 5, since: Since::Work(900, 2000), category: None, course: held },
    Fate { count: 4, since: Since::Work(680, 760), category: Some("billing"), course: proposed },
    Fate { count: 10, since: Since::Work(300, 1300), category: None, course: begun },
    Fate { count: 3, since: Since::Work(1500, 2300), category: None, course: begun_above },
    Fate { count: 7, since: Since::Work(20, 330), category: None, course: nothing },
    // Nobody is there who knows about noise.
    Fate { count: 4, since: Since::Work(10, 420), category: Some("noise"), course: nothing },
];

type Course = Vec<(Wait, Deed)>;

fn opening(by: &mut Chance) -> Course {
    let mut course = vec![(Wait::Work(15, 280), Deed::Begin), (Wait::Work(8, 150), Deed::Write(by.pick(GREETINGS)))];
    if by.percent(20) {
        course.push((Wait::Work(5, 200), Deed::Note(by.pick(NOTES))));
    }
    if by.percent(8) {
        course.push((Wait::Work(1, 30), Deed::Triage));
    }
    course
}

fn looking_into_it(by: &mut Chance) -> Course {
    let mut course = opening(by);
    if by.percent(45) {
        course.push((Wait::Work(20, 500), Deed::Ask));
        course.push((Wait::Wall(40, 5000), Deed::Answer));
    } else if by.percent(30) {
        course.push((Wait::Wall(300, 2500), Deed::Remark(by.pick(REMARKS))));
        course.push((Wait::Work(30, 300), Deed::Write(by.pick(REPLIES))));
    }
    if by.percent(25) {
        course.push((Wait::Work(20, 400), Deed::Hold));
        course.push((Wait::Work(600, 2400), Deed::Resume));
    }
    course
}

fn decision(by: &mut Chance) -> Deed {
    Deed::Resolve(by.pick(&[
        Outcome::Upheld,
        Outcome::Upheld,
        Outcome::Upheld,
        Outcome::PartlyUpheld,
        Outcome::Goodwill,
        Outcome::NotUpheld,
    ]))
}

fn agreement(by: &mut Chance) -> Course {
    let mut course = vec![(Wait::Wall(60, 6000), Deed::Accept), (Wait::Work(200, 2500), Deed::Fulfil)];
    if by.percent(65) {
        let (score, words) = by.pick(RATINGS);
        course.push((Wait::Wall(20, 3000), Deed::Rate(score, words)));
    }
    course
}

fn plain(by: &mut Chance) -> Course {
    let mut course = looking_into_it(by);
    course.push((Wait::Work(60, 1500), decision(by)));
    course.extend(agreement(by));
    course
}

fn silent(by: &mut Chance) -> Course {
    let mut course = looking_into_it(by);
    course.push((Wait::Work(60, 1200), Deed::Resolve(Outcome::NotUpheld)));
    course
}

fn at_once(by: &mut Chance) -> Course {
    vec![
        (Wait::Work(10, 200), Deed::Begin),
        (Wait::Work(5, 60), Deed::SettleAtOnce),
        (Wait::Wall(30, 3000), Deed::Accept),
        (Wait::Wall(10, 400), Deed::Rate(by.pick(&[4, 5, 5]), "Settled in one call.")),
    ]
}

fn approved(by: &mut Chance) -> Course {
    let mut course = looking_into_it(by);
    course.push((Wait::Work(60, 600), Deed::Propose));
    if by.percent(35) {
        course.push((Wait::Work(20, 300), Deed::SendBack));
        course.push((Wait::Work(60, 400), Deed::Propose));
    }
    course.push((Wait::Work(20, 400), Deed::Approve));
    course.extend(agreement(by));
    course
}

fn escalated(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(100, 1200), Deed::Escalate(by.pick(ESCALATIONS))));
    course.push((Wait::Work(60, 400), Deed::Note(by.pick(NOTES))));
    course.push((Wait::Work(100, 900), decision(by)));
    course.extend(agreement(by));
    course
}

/// Nobody begins until clocks have moved it up.
fn neglected(by: &mut Chance) -> Course {
    let mut course = vec![
        (Wait::Work(3000, 3600), Deed::Begin),
        (Wait::Work(10, 100), Deed::Write(by.pick(GREETINGS))),
        (Wait::Work(60, 700), decision(by)),
    ];
    course.extend(agreement(by));
    course
}

fn contested(by: &mut Chance) -> Course {
    let mut course = looking_into_it(by);
    course.push((Wait::Work(60, 900), Deed::Resolve(Outcome::NotUpheld)));
    course.push((Wait::Wall(400, 9000), Deed::Contest(by.pick(CONTESTS))));
    course.push((Wait::Work(30, 300), Deed::Begin));
    course.push((Wait::Work(100, 1200), Deed::Resolve(by.pick(&[Outcome::Upheld, Outcome::PartlyUpheld]))));
    course.extend(agreement(by));
    course
}

fn contested_twice(by: &mut Chance) -> Course {
    let mut course = opening(by);
    for contested in [true, true, false] {
        course.push((Wait::Work(60, 500), Deed::Begin));
        course.push((Wait::Work(60, 700), Deed::Resolve(Outcome::NotUpheld)));
        if contested {
            course.push((Wait::Wall(300, 4000), Deed::Contest(by.pick(CONTESTS))));
        }
    }
    course.push((
        Wait::Wall(60, 1000),
        Deed::Rate(1, "Three people have now said the same to me. I see it differently."),
    ));
    course
}

fn withdrawn(by: &mut Chance) -> Course {
    let mut course = if by.percent(60) { opening(by) } else { Vec::new() };
    course.push((Wait::Wall(60, 3000), Deed::Withdraw(by.pick(WITHDRAWALS))));
    course
}

fn reinstated(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Wall(60, 2000), Deed::Withdraw(by.pick(WITHDRAWALS))));
    course.push((Wait::Wall(1500, 5000), Deed::Reinstate));
    course.push((Wait::Work(30, 300), Deed::Begin));
    course.push((Wait::Work(60, 500), decision(by)));
    course.extend(agreement(by));
    course
}

fn dismissed(by: &mut Chance) -> Course {
    let (ground, text) = by.pick(DISMISSALS);
    vec![(Wait::Work(30, 500), Deed::Dismiss(ground, text))]
}

fn dismissed_then_contested(by: &mut Chance) -> Course {
    let mut course = vec![
        (Wait::Work(30, 500), Deed::Dismiss("out_of_scope", DISMISSALS[1].1)),
        (Wait::Wall(600, 4000), Deed::Contest("The contract is with you; I have enclosed its first page.")),
        (Wait::Work(30, 300), Deed::Begin),
        (Wait::Work(60, 600), Deed::Resolve(Outcome::Upheld)),
    ];
    course.extend(agreement(by));
    course
}

fn referred(by: &mut Chance) -> Course {
    let (body, text) = by.pick(REFERRALS);
    vec![
        (Wait::Work(20, 280), Deed::Begin),
        (Wait::Work(10, 200), Deed::Note("Looks as if it was not ours at all; asked Maria.")),
        (Wait::Work(30, 400), Deed::Refer(body, text)),
    ]
}

fn returned(by: &mut Chance) -> Course {
    let mut course = referred(by);
    course.push((Wait::Work(1500, 3000), Deed::ReturnReferral));
    course.push((Wait::Work(30, 300), Deed::Begin));
    course.push((Wait::Work(60, 700), decision(by)));
    course.extend(agreement(by));
    course
}

fn repeated(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Wall(300, 2000), Deed::Repeat));
    course.push((Wait::Work(900, 1500), decision(by)));
    course.extend(agreement(by));
    course
}

/// The second complaint of a customer about the same thing.
pub fn joined(_: &mut Chance) -> Course {
    vec![(Wait::Work(30, 300), Deed::Join)]
}

fn reopened(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(60, 700), Deed::Resolve(Outcome::NotUpheld)));
    course.push((Wait::Wall(60, 2000), Deed::Accept));
    course.push((Wait::Work(600, 3000), Deed::Reopen));
    course.push((Wait::Work(20, 300), Deed::Begin));
    course.push((Wait::Work(60, 500), Deed::Resolve(Outcome::Upheld)));
    course.extend(agreement(by));
    course
}

fn handed_back(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(60, 400), Deed::Escalate(by.pick(ESCALATIONS))));
    course.push((Wait::Work(60, 300), Deed::HandBack));
    course.push((Wait::Work(60, 300), Deed::Begin));
    course.push((Wait::Work(60, 600), decision(by)));
    course.extend(agreement(by));
    course
}

fn declined(by: &mut Chance) -> Course {
    let mut course = vec![(Wait::Work(10, 100), Deed::Decline(by.pick(DECLINES)))];
    course.extend(plain(by));
    course
}

fn reassigned(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(30, 300), Deed::Reassign(by.pick(REASSIGNMENTS))));
    course.extend(plain(by));
    course
}

fn followed_up(by: &mut Chance) -> Course {
    let mut course = silent(by);
    course.push((Wait::Wall(46 * 1440, 48 * 1440), Deed::FollowUp));
    course
}

/// Decided and accepted; what was promised does not come.
fn owed(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(20, 200), Deed::Resolve(Outcome::Upheld)));
    course.push((Wait::Wall(60, 1000), Deed::Accept));
    course
}

/// Something is offered that the customer does not want.
fn not_wanted(by: &mut Chance) -> Course {
    let mut course = looking_into_it(by);
    course.push((Wait::Work(60, 900), Deed::Resolve(Outcome::Goodwill)));
    course.push((Wait::Wall(60, 3000), Deed::DeclineRemedy(by.pick(REMEDY_DECLINES))));
    course.push((Wait::Wall(5, 60), Deed::Accept));
    course
}

/// What was promised cannot be delivered at first.
fn delivered_after_all(by: &mut Chance) -> Course {
    let mut course = failed(by);
    course.push((Wait::Work(300, 1200), Deed::Fulfil));
    course.push((Wait::Wall(20, 3000), Deed::Rate(3, "It worked at the second try.")));
    course
}

/// What was promised cannot be delivered and is still owed.
fn failed(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(60, 300), Deed::Resolve(Outcome::Upheld)));
    course.push((Wait::Wall(60, 1000), Deed::Accept));
    course.push((Wait::Work(200, 700), Deed::FailRemedy(by.pick(FAILURES))));
    course
}

/// What is offered falls with the decision that the customer contests.
fn too_little(by: &mut Chance) -> Course {
    let mut course = looking_into_it(by);
    course.push((Wait::Work(60, 900), Deed::Resolve(Outcome::Goodwill)));
    course.push((Wait::Wall(400, 5000), Deed::Contest("Half of the cost for what you did is not enough.")));
    course.push((Wait::Work(30, 300), Deed::Begin));
    course.push((Wait::Work(100, 1200), Deed::Resolve(Outcome::Upheld)));
    course.extend(agreement(by));
    course
}

fn decided(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(20, 400), decision(by)));
    course
}

fn asked(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(20, 200), Deed::Ask));
    course
}

fn held(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(20, 200), Deed::Hold));
    course
}

fn proposed(by: &mut Chance) -> Course {
    vec![
        (Wait::Work(20, 60), Deed::Begin),
        (Wait::Work(10, 40), Deed::Write(by.pick(GREETINGS))),
        (Wait::Work(300, 420), Deed::Propose),
    ]
}

fn begun(by: &mut Chance) -> Course {
    vec![(Wait::Work(10, 120), Deed::Begin), (Wait::Work(5, 100), Deed::Write(by.pick(GREETINGS)))]
}

fn begun_above(by: &mut Chance) -> Course {
    let mut course = opening(by);
    course.push((Wait::Work(60, 300), Deed::Escalate(by.pick(ESCALATIONS))));
    course.push((Wait::Work(30, 200), Deed::Begin));
    course
}

fn nothing(_: &mut Chance) -> Course {
    Vec::new()
}
