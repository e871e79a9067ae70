//! The place that keeps accounts, on each engine: what it promises, also to two servers at once.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use reference_server::auth::Role;
use reference_server::auth::accounts::{
    AccountChange, AccountFilter, AccountMailKind, Accounts, AccountsError, Admission, Asked, AttemptKind,
    AttemptLimits, Chosen, Confirmation, KNOWN_FOR, Made, MailOutcome, NewAccount, NewSession, SignUp, TokenPurpose,
};
use reference_server::auth::values::{EmailAddress, FullName};
use reference_server::config::DatabaseUrl;
use reference_server::database::Database;

use crate::postgres::postgres;

/// Two servers on one database.
struct Two {
    servers: [Database; 2],
    _folder: tempfile::TempDir,
}

impl Two {
    async fn on(url: Option<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = DatabaseUrl::of(url.as_deref(), folder.path()).expect("a database");
        let first = Database::open(&url, false).await.expect("opens");
        Self { servers: [first, Database::open(&url, false).await.expect("opens")], _folder: folder }
    }

    fn accounts(&self) -> &dyn Accounts {
        self.servers[0].accounts.as_ref()
    }

    /// The same asked so often at once, of the one and of the other; the answers.
    async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        times: usize,
        ask: impl Fn(Database, usize) -> F,
    ) -> Vec<T> {
        let asked = (0..times).map(|at| tokio::spawn(ask(self.servers[at % 2].clone(), at)));
        join_all(asked).await.into_iter().map(|answer| answer.expect("no panic")).collect()
    }
}

macro_rules! on_each_engine {
    ($($case:ident)+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Two::on(None).await).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let Some(url) = super::postgres() else { return };
                super::$case(super::Two::on(Some(url)).await).await;
            })+
        }
    };
}

on_each_engine! {
    of_racing_sign_ups_one_makes_the_account
    a_link_is_used_once_however_many_use_it_at_once
    tries_at_once_do_not_slip_under_the_limit
    couriers_at_once_never_hold_the_same_mail
    of_two_last_admins_who_go_at_once_one_stays
    of_versions_at_once_one_is_added
    accounts_are_found_and_listed_in_order
    what_ends_access_ends_it
    sessions_and_tokens_open_until_they_end
    a_mail_comes_back_until_it_is_settled
    sign_ups_with_different_passwords_ask_for_name_and_password
    what_was_made_is_kept_and_what_expired_goes
    an_id_that_cannot_be_kept_is_nobodys
}

fn now() -> DateTime<Utc> {
    "2026-03-02T09:00:00.123456Z".parse().expect("an instant")
}

fn person(id: &str, email: &str, role: Role) -> NewAccount {
    NewAccount {
        id: id.to_owned(),
        name: FullName::parse("John Miller").expect("a name"),
        email: email_of(email),
        phone: None,
        password_hash: Some("hash".to_owned()),
        role,
        email_verified: role.is_staff(),
    }
}

fn email_of(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

fn count<T>(answers: &[T], is: impl Fn(&T) -> bool) -> usize {
    answers.iter().filter(|answer| is(answer)).count()
}

async fn of_racing_sign_ups_one_makes_the_account(two: Two) {
    let outcomes = two
        .at_once(12, |server, at| async move {
            let new = person(&format!("u_{at}"), "John@example.org", Role::Customer);
            server.accounts.sign_up(new, now()).await.expect("signs up")
        })
        .await;
    assert_eq!(count(&outcomes, |outcome| *outcome == SignUp::Made), 1, "{outcomes:?}");
    assert_eq!(count(&outcomes, |outcome| matches!(outcome, SignUp::Unconfirmed { .. })), 11, "{outcomes:?}");
    let jobs = two.accounts().claim_mail(now(), TimeDelta::minutes(5), 20).await.expect("claims");
    assert_eq!(jobs.len(), 1, "one mail");
    let taken = two.accounts().insert(person("u_x", "john@EXAMPLE.org", Role::Admin), None, now()).await;
    assert!(matches!(taken, Err(AccountsError::EmailTaken)), "{taken:?}");
}

async fn a_link_is_used_once_however_many_use_it_at_once(two: Two) {
    let (accounts, expires) = (two.accounts(), now() + TimeDelta::hours(1));
    accounts.insert(person("u_john", "john@example.org", Role::Customer), None, now()).await.expect("made");
    let agent = NewAccount { email_verified: false, ..person("u_sarah", "sarah@example.org", Role::Agent) };
    accounts.insert(agent, None, now()).await.expect("made");
    accounts.add_token([1; 32], TokenPurpose::VerifyEmail, "u_john", now(), expires).await.expect("kept");
    accounts.add_token([2; 32], TokenPurpose::Invitation, "u_sarah", now(), expires).await.expect("kept");
    accounts.replace_setup_token([9; 32], now(), expires).await.expect("kept");
    accounts.replace_setup_token([3; 32], now(), expires).await.expect("kept");

    let confirmed =
        two.at_once(8, |server, _| async move { server.accounts.confirm_email([1; 32], None, now()).await });
    let confirmed: Vec<_> = confirmed.await.into_iter().map(|answer| answer.expect("answers")).collect();
    assert_eq!(count(&confirmed, |answer| matches!(answer, Confirmation::Done(_))), 1, "{confirmed:?}");
    assert_eq!(count(&confirmed, |answer| *answer == Confirmation::NotGood), 7, "{confirmed:?}");

    let accepted = two
        .at_once(8, |server, at| async move {
            server.accounts.accept_invitation([2; 32], &format!("hash {at}"), now()).await.expect("answers")
        })
        .await;
    assert_eq!(count(&accepted, Option::is_some), 1, "{accepted:?}");

    assert!(!accounts.setup_token_is_good([9; 32], now()).await.expect("answers"), "it was replaced");
    assert!(accounts.setup_token_is_good([3; 32], now()).await.expect("answers"));
    let made = two
        .at_once(8, |server, at| async move {
            let new = person(&format!("u_{at}"), &format!("ada{at}@example.org"), Role::Admin);
            server.accounts.set_up([3; 32], new, now()).await.expect("answers")
        })
        .await;
    assert_eq!(count(&made, Option::is_some), 1, "{made:?}");
    assert!(accounts.has_admin().await.expect("answers"));
    assert!(!accounts.setup_token_is_good([3; 32], now()).await.expect("answers"));
}

async fn tries_at_once_do_not_slip_under_the_limit(two: Two) {
    const LIMITS: AttemptLimits = AttemptLimits {
        per_subject_and_address: Some(5),
        per_subject: None,
        per_address: 9,
        window: TimeDelta::minutes(15),
    };
    let tried = two
        .at_once(30, |server, at| async move {
            let subject = [u8::from(at % 3 == 0); 32];
            server
                .accounts
                .admit_attempt(AttemptKind::LogIn, subject, "203.0.113.7", LIMITS, now())
                .await
                .expect("asks")
        })
        .await;
    let admitted: Vec<i64> = tried
        .iter()
        .filter_map(|admission| match admission {
            Admission::Admitted { attempt } => Some(*attempt),
            Admission::Refused { until } => {
                assert_eq!(*until, now() + LIMITS.window);
                None
            }
        })
        .collect();
    assert_eq!(admitted.len(), 9, "of both subjects from one address");
    let again = || two.accounts().admit_attempt(AttemptKind::LogIn, [7; 32], "203.0.113.7", LIMITS, now());
    assert!(matches!(again().await, Ok(Admission::Refused { .. })));
    two.accounts().forgive_attempt(admitted[0]).await.expect("forgives");
    assert!(matches!(again().await, Ok(Admission::Admitted { .. })));
}

async fn couriers_at_once_never_hold_the_same_mail(two: Two) {
    const MAILS: usize = 60;
    for at in 0..MAILS {
        let new = person(&format!("u_{at}"), &format!("john{at}@example.org"), Role::Customer);
        two.accounts().insert(new, Some(AccountMailKind::VerifyEmail), now()).await.expect("made");
    }
    let held = two
        .at_once(8, |server, _| async move {
            let mut held = Vec::new();
            loop {
                let jobs = server.accounts.claim_mail(now(), TimeDelta::minutes(5), 7).await.expect("claims");
                if jobs.is_empty() {
                    return held;
                }
                held.extend(jobs.into_iter().map(|job| job.id));
            }
        })
        .await;
    let mut ids: Vec<_> = held.into_iter().flatten().collect();
    assert_eq!(ids.len(), MAILS);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), MAILS, "some were held twice");
}

async fn of_two_last_admins_who_go_at_once_one_stays(two: Two) {
    for id in ["u_0", "u_1"] {
        let admin = person(id, &format!("{id}@example.org"), Role::Admin);
        two.accounts().insert(admin, None, now()).await.expect("made");
    }
    // Once more with warm connections: only then they really meet.
    for _ in 0..6 {
        let gone = two
            .at_once(2, |server, at| async move {
                let change = AccountChange { disabled: Some(true), ..AccountChange::default() };
                server.accounts.change(&format!("u_{at}"), change, now()).await
            })
            .await;
        assert_eq!(count(&gone, Result::is_ok), 1, "{gone:?}");
        assert_eq!(count(&gone, |answer| matches!(answer, Err(AccountsError::LastAdmin))), 1, "{gone:?}");
        for id in ["u_0", "u_1"] {
            let back = AccountChange { disabled: Some(false), ..AccountChange::default() };
            two.accounts().change(id, back, now()).await.expect("changed");
        }
    }
}

async fn of_versions_at_once_one_is_added(two: Two) {
    let policies = &two.servers[0].policies;
    assert_eq!((policies.newest().await.expect("reads"), policies.latest().await.expect("reads")), (0, None));
    for before in 0..6 {
        let added = two
            .at_once(8, move |server, at| async move {
                server.policies.append(before, &format!("at = {at}"), "u_ada", now()).await
            })
            .await;
        assert_eq!(count(&added, Result::is_ok), 1, "{added:?}");
        let told = |answer: &Result<_, _>| matches!(answer, Err(AccountsError::Conflict { current }) if *current == before + 1);
        assert_eq!(count(&added, told), 7, "{added:?}");
        let newest = added.into_iter().find_map(Result::ok);
        assert_eq!(policies.latest().await.expect("reads"), newest);
    }
    assert_eq!(two.servers[1].policies.newest().await.expect("reads"), 6);
}

async fn accounts_are_found_and_listed_in_order(two: Two) {
    let accounts = two.accounts();
    // In the order of bytes, whatever the language of the database is.
    for (id, role) in [("u_b", Role::Agent), ("u_B", Role::Customer), ("u_a", Role::Agent), ("u__", Role::Agent)] {
        let new = person(id, &format!("{}@example.org", id.replace('B', "Big")), role);
        accounts.insert(new, None, now()).await.expect("made");
    }
    let ids = async |role, after: Option<&str>, limit| {
        let filter = AccountFilter { role, after: after.map(str::to_owned), limit };
        let listed = accounts.list(filter).await.expect("lists");
        listed.into_iter().map(|account| account.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, None, 100).await, ["u_B", "u__", "u_a", "u_b"]);
    assert_eq!(ids(Some(Role::Agent), Some("u__"), 1).await, ["u_a"]);
    let known = accounts.by_email(&email_of("U_A@EXAMPLE.org")).await.expect("reads").expect("known");
    assert_eq!((known.account.id.as_str(), known.password_hash.as_deref()), ("u_a", Some("hash")));
    assert_eq!(accounts.by_id("u_a").await.expect("reads"), Some(known.account));
    assert!(accounts.by_email(&email_of("eve@example.org")).await.expect("reads").is_none());
    accounts.renew_password_hash("u_a", "another", "newer").await.expect("nothing to do");
    accounts.renew_password_hash("u_b", "hash", "newer").await.expect("renewed");
    for (id, hash) in [("u_a", "hash"), ("u_b", "newer")] {
        let known = accounts.by_email(&email_of(&format!("{id}@example.org"))).await.expect("reads").expect("known");
        assert_eq!(known.password_hash.as_deref(), Some(hash), "{id}");
    }
}

async fn what_ends_access_ends_it(two: Two) {
    let (accounts, later) = (two.accounts(), now() + TimeDelta::hours(1));
    accounts.insert(person("u_ada", "ada@example.org", Role::Admin), None, now()).await.expect("made");
    accounts.insert(person("u_sarah", "sarah@example.org", Role::Agent), None, now()).await.expect("made");
    let name = Some(FullName::parse("Sarah Cole").expect("a name"));
    for (change, ends) in [
        (AccountChange { name, ..AccountChange::default() }, false),
        (AccountChange { ends_access: true, ..AccountChange::default() }, true),
        (AccountChange { role: Some(Role::Auditor), ..AccountChange::default() }, true),
        (AccountChange { disabled: Some(true), ..AccountChange::default() }, true),
    ] {
        let session =
            NewSession { hash: [1; 32], account_id: "u_sarah".into(), idle_expires_at: later, expires_at: later };
        accounts.open_session(session, Some([1; 32]), now()).await.expect("opened");
        let token = [if ends { 2 } else { 3 }; 32];
        accounts.revoke_api_token(token, now()).await.expect("revoked");
        if !ends {
            accounts.add_api_token(token, "u_sarah", now(), later).await.expect("kept");
        }
        let changed = accounts.change("u_sarah", change.clone(), now()).await.expect("changed");
        assert_eq!(Some(changed), accounts.by_id("u_sarah").await.expect("reads"), "{change:?}");
        assert_eq!(accounts.session([1; 32], now()).await.expect("reads").is_none(), ends, "{change:?}");
        assert_eq!(accounts.api_token([3; 32], now()).await.expect("reads").is_none(), ends, "{change:?}");
    }
    let alone = AccountChange { role: Some(Role::Agent), ..AccountChange::default() };
    let refused = accounts.change("u_ada", alone, now()).await;
    assert!(matches!(refused, Err(AccountsError::LastAdmin)), "{refused:?}");
}

async fn sessions_and_tokens_open_until_they_end(two: Two) {
    let accounts = two.accounts();
    accounts.insert(person("u_john", "john@example.org", Role::Customer), None, now()).await.expect("made");
    let at = |minutes| now() + TimeDelta::minutes(minutes);
    let session = |hash| NewSession { hash, account_id: "u_john".into(), idle_expires_at: at(10), expires_at: at(25) };
    let is_open = async |hash, minutes| accounts.session(hash, at(minutes)).await.expect("reads").is_some();
    accounts.open_session(session([1; 32]), None, now()).await.expect("opened");
    assert!(is_open([1; 32], 9).await && !is_open([1; 32], 10).await);
    accounts.touch_session([1; 32], at(9), at(19)).await.expect("noted");
    assert!(is_open([1; 32], 18).await && !is_open([1; 32], 19).await);
    // However often it is used, it ends; and an older use than the one noted changes nothing.
    accounts.touch_session([1; 32], at(18), at(40)).await.expect("noted");
    accounts.touch_session([1; 32], at(17), at(18)).await.expect("noted");
    assert!(is_open([1; 32], 24).await && !is_open([1; 32], 25).await);
    let seen = accounts.session([1; 32], at(20)).await.expect("reads").expect("open");
    assert_eq!((seen.last_seen_at, seen.expires_at, seen.account.id.as_str()), (at(18), at(25), "u_john"));
    accounts.open_session(session([2; 32]), Some([1; 32]), now()).await.expect("opened");
    assert!(!is_open([1; 32], 1).await && is_open([2; 32], 1).await, "one replaces the other");
    accounts.close_session([2; 32]).await.expect("closed");
    accounts.close_session([2; 32]).await.expect("closed");
    assert!(!is_open([2; 32], 1).await);

    accounts.add_api_token([3; 32], "u_john", now(), at(10)).await.expect("kept");
    let whose = async |minutes| accounts.api_token([3; 32], at(minutes)).await.expect("reads").map(|john| john.id);
    assert_eq!((whose(9).await.as_deref(), whose(10).await), (Some("u_john"), None));
    accounts.revoke_api_token([3; 32], at(1)).await.expect("revoked");
    assert_eq!(whose(9).await, None);
}

async fn a_mail_comes_back_until_it_is_settled(two: Two) {
    let accounts = two.accounts();
    let at = |minutes| now() + TimeDelta::minutes(minutes);
    let agent = NewAccount { email_verified: false, ..person("u_sarah", "sarah@example.org", Role::Agent) };
    accounts.insert(agent, Some(AccountMailKind::Invitation), now()).await.expect("made");
    let claim = async |minutes| accounts.claim_mail(at(minutes), TimeDelta::minutes(5), 9).await.expect("claims");
    let first = claim(0).await;
    assert_eq!(first.len(), 1);
    let (id, job) = (first[0].id, &first[0]);
    assert_eq!((job.kind, job.attempts, job.asked_at), (AccountMailKind::Invitation, 0, now()));
    assert_eq!(job.account.id, "u_sarah");
    assert!(claim(4).await.is_empty(), "it is held");
    assert_eq!(claim(5).await[0].id, id, "whoever held it is gone");
    let retry = MailOutcome::Retry { at: at(20), error: "refused".into() };
    accounts.settle_mail(id, retry, at(6)).await.expect("settled");
    assert!(claim(19).await.is_empty());
    assert_eq!(claim(20).await[0].attempts, 1);
    accounts.settle_mail(id, MailOutcome::Done, at(21)).await.expect("settled");
    assert!(claim(60).await.is_empty());
    accounts.invite_again("u_sarah", at(60)).await.expect("asked");
    let again = claim(60).await;
    assert_ne!(again[0].id, id);
    accounts.settle_mail(again[0].id, MailOutcome::GivenUp { error: "no".into() }, at(61)).await.expect("settled");
    assert!(claim(120).await.is_empty());
}

async fn sign_ups_with_different_passwords_ask_for_name_and_password(two: Two) {
    let (accounts, expires) = (two.accounts(), now() + TimeDelta::hours(1));
    let new = |id| person(id, "john@example.org", Role::Customer);
    assert_eq!(accounts.sign_up(new("u_1"), now()).await.expect("signs up"), SignUp::Made);
    accounts.add_token([1; 32], TokenPurpose::VerifyEmail, "u_1", now(), expires).await.expect("kept");
    assert_eq!(accounts.confirmation([1; 32], now()).await.expect("reads"), Some(Asked::Nothing));
    let again = accounts.sign_up(new("u_2"), now()).await.expect("signs up");
    assert_eq!(again, SignUp::Unconfirmed { id: "u_1".into() });
    accounts.sign_up_again("u_1", Some("another hash"), now()).await.expect("noted");
    assert_eq!(accounts.confirmation([1; 32], now()).await.expect("reads"), Some(Asked::NameAndPassword));
    assert_eq!(accounts.confirm_email([1; 32], None, now()).await.expect("answers"), Confirmation::Asks);
    let whose = accounts.token_is_good([1; 32], TokenPurpose::VerifyEmail, now()).await.expect("reads");
    assert_eq!(whose.expect("good").id, "u_1");
    assert!(accounts.token_is_good([1; 32], TokenPurpose::Invitation, now()).await.expect("reads").is_none());
    assert!(accounts.token_is_good([1; 32], TokenPurpose::VerifyEmail, expires).await.expect("reads").is_none());
    let chosen = Chosen { name: FullName::parse("John Field").expect("a name"), password_hash: "chosen".into() };
    let done = accounts.confirm_email([1; 32], Some(&chosen), now()).await.expect("answers");
    let Confirmation::Done(account) = done else { panic!("{done:?}") };
    assert_eq!((account.name.as_str(), account.email_verified_at), ("John Field", Some(now())));
    assert_eq!(accounts.by_id("u_1").await.expect("reads"), Some(account));
    // The owner is told of another sign-up, once a day.
    for _ in 0..2 {
        assert_eq!(accounts.sign_up(new("u_3"), now()).await.expect("signs up"), SignUp::Known);
    }
    let kinds = accounts.claim_mail(now(), TimeDelta::minutes(5), 9).await.expect("claims");
    let kinds: Vec<_> = kinds.into_iter().map(|job| job.kind).collect();
    assert_eq!(count(&kinds, |kind| *kind == AccountMailKind::VerifyEmail), 1, "{kinds:?}");
    assert_eq!(count(&kinds, |kind| *kind == AccountMailKind::AlreadyRegistered), 1, "{kinds:?}");
}

async fn what_was_made_is_kept_and_what_expired_goes(two: Two) {
    let (accounts, expires) = (two.accounts(), now() + TimeDelta::hours(1));
    accounts.insert(person("u_ada", "ada@example.org", Role::Admin), None, now()).await.expect("made");
    let made = Made { location: "/api/v1/users/u_1".into(), body: r#"{"id": "u_1"}"#.into() };
    assert_eq!(accounts.made_under_key("u_ada", "key").await.expect("reads"), None);
    accounts.keep_made("u_ada", "key", "print", &made, now()).await.expect("kept");
    accounts.keep_made("u_ada", "key", "print", &made, now()).await.expect_err("a key is used once");
    let kept = accounts.made_under_key("u_ada", "key").await.expect("reads");
    assert_eq!(kept, Some(("print".into(), made)));

    accounts.add_token([1; 32], TokenPurpose::Invitation, "u_ada", now(), expires).await.expect("kept");
    accounts.add_api_token([2; 32], "u_ada", now(), expires).await.expect("kept");
    let session =
        NewSession { hash: [3; 32], account_id: "u_ada".into(), idle_expires_at: expires, expires_at: expires };
    accounts.open_session(session, None, now()).await.expect("opened");
    let limits = AttemptLimits {
        per_subject_and_address: None,
        per_subject: None,
        per_address: 9,
        window: TimeDelta::minutes(15),
    };
    accounts.admit_attempt(AttemptKind::SignUp, [4; 32], "203.0.113.7", limits, now()).await.expect("asks");
    assert_eq!(accounts.purge(now()).await.expect("purges"), 0);
    assert_eq!(accounts.purge(expires).await.expect("purges"), 3);
    assert_eq!(accounts.purge(now() + TimeDelta::days(1)).await.expect("purges"), 1);
    accounts.let_in([4; 32], "203.0.113.7", now()).await.expect("noted");
    accounts.let_in([4; 32], "203.0.113.7", now() + TimeDelta::days(1)).await.expect("noted once");
    accounts.let_in([4; 32], "203.0.113.7", now()).await.expect("late");
    assert_eq!(accounts.purge(now() + KNOWN_FOR).await.expect("purges"), 0, "the last time counts");
    assert_eq!(accounts.purge(now() + TimeDelta::days(1) + KNOWN_FOR).await.expect("purges"), 1);
}

async fn an_id_that_cannot_be_kept_is_nobodys(two: Two) {
    let id = "u_a\0b";
    assert_eq!(two.accounts().by_id(id).await.expect("answers"), None);
    let changed = two.accounts().change(id, AccountChange::default(), now()).await;
    assert!(matches!(changed, Err(AccountsError::NoSuchAccount)), "{changed:?}");
    let invited = two.accounts().invite_again(id, now()).await;
    assert!(matches!(invited, Err(AccountsError::NoSuchAccount)), "{invited:?}");
}

#[tokio::test]
async fn postgresql_refuses_a_text_it_cannot_keep() {
    let Some(url) = postgres() else { return };
    let two = Two::on(Some(url)).await;
    let refused = two.servers[0].policies.append(0, "a = \"\0\"", "u_ada", now()).await.expect_err("refused");
    assert!(refused.to_string().contains("NUL"), "{refused}");
    assert_eq!(two.servers[0].policies.newest().await.expect("reads"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_migrate_once() {
    let Some(url) = postgres() else { return };
    let url = DatabaseUrl::of(Some(&url), std::path::Path::new("")).expect("a database");
    let opened = (0..6).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { Database::open(&url, false).await.map(drop) })
    });
    for opened in join_all(opened).await {
        opened.expect("no panic").expect("opens");
    }
}
