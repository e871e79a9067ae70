//! The place that keeps accounts, on each engine: what it promises, also to two servers at once.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use reference_server::auth::Role;
use reference_server::auth::accounts::{
    AccountChange, AccountFilter, AccountMailKind, Accounts, AccountsError, Admission, Asked, AttemptKind,
    AttemptLimits, Chosen, Confirmation, Door, EmailAsked, KeptOpen, Made, MailOutcome, NewAccount, NewCode,
    NewSession, NewToken, Origin, SignUp, TokenPurpose,
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
    a_code_leads_to_its_link_until_it_was_guessed_at_too_often
    of_many_resets_at_once_one_counts_and_ends_the_rest
    couriers_at_once_never_hold_the_same_mail
    of_two_last_admins_who_go_at_once_one_stays
    of_versions_at_once_one_is_added
    accounts_are_found_and_listed_in_order
    what_ends_access_ends_it
    sessions_and_tokens_open_until_they_end
    a_log_in_from_elsewhere_is_told_once
    of_many_changes_of_address_at_once_one_counts
    another_password_shuts_everything_but_what_it_was_changed_with
    a_mail_comes_back_until_it_is_settled
    sign_ups_with_different_passwords_ask_for_name_and_password
    what_was_made_is_kept_and_what_expired_goes
    an_id_that_cannot_be_kept_is_nobodys
    of_many_uses_of_a_code_at_once_one_counts
    of_many_who_confirm_a_second_factor_one_does
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

/// A link for an hour.
fn token(hash: [u8; 32], purpose: TokenPurpose, account_id: &str) -> NewToken {
    NewToken {
        hash,
        purpose,
        account_id: account_id.to_owned(),
        expires_at: now() + TimeDelta::hours(1),
        sent_to: None,
        code: None,
    }
}

fn here(browser: Option<[u8; 32]>) -> Origin {
    Origin { device: "Firefox on Linux".to_owned(), address: "203.0.113.7".to_owned(), browser }
}

fn session(hash: [u8; 32], account_id: &str, idle: DateTime<Utc>, expires: DateTime<Utc>) -> NewSession {
    NewSession {
        hash,
        account_id: account_id.to_owned(),
        idle_expires_at: idle,
        expires_at: expires,
        door: Door::Password,
        origin: here(None),
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
    accounts.add_token(&token([1; 32], TokenPurpose::VerifyEmail, "u_john"), now()).await.expect("kept");
    accounts.add_token(&token([2; 32], TokenPurpose::Invitation, "u_sarah"), now()).await.expect("kept");
    accounts.replace_setup_token([9; 32], now(), expires).await.expect("kept");
    accounts.replace_setup_token([3; 32], now(), expires).await.expect("kept");

    let confirmed =
        two.at_once(8, |server, _| async move { server.accounts.confirm_email([1; 32], None, now()).await });
    let confirmed: Vec<_> = confirmed.await.into_iter().map(|answer| answer.expect("answers")).collect();
    assert_eq!(count(&confirmed, |answer| matches!(answer, Confirmation::Done(_))), 1, "{confirmed:?}");
    assert_eq!(count(&confirmed, |answer| *answer == Confirmation::NotGood), 7, "{confirmed:?}");

    let accepted = two
        .at_once(8, |server, at| async move {
            server
                .accounts
                .set_password([2; 32], TokenPurpose::Invitation, &format!("hash {at}"), now())
                .await
                .expect("answers")
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
                .admit_attempt(AttemptKind::LogIn, subject, "203.0.113.7", LIMITS, None, now())
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
    let again = || two.accounts().admit_attempt(AttemptKind::LogIn, [7; 32], "203.0.113.7", LIMITS, None, now());
    assert!(matches!(again().await, Ok(Admission::Refused { .. })));
    two.accounts().forgive_attempt(admitted[0]).await.expect("forgives");
    assert!(matches!(again().await, Ok(Admission::Admitted { .. })));
}

async fn a_code_leads_to_its_link_until_it_was_guessed_at_too_often(two: Two) {
    let accounts = two.accounts();
    for name in ["john", "mary"] {
        let new = person(&format!("u_{name}"), &format!("{name}@example.org"), Role::Customer);
        accounts.insert(new, None, now()).await.expect("made");
    }
    let soon = now() + TimeDelta::minutes(10);
    let with_code = |hash, code: u8| NewToken {
        code: Some(NewCode { hash: [code; 32], expires_at: soon }),
        ..token(hash, TokenPurpose::ResetPassword, "u_john")
    };
    accounts.add_token(&with_code([1; 32], 101), now()).await.expect("kept");
    let tried = async |account: &str, purpose, code: u8, at| {
        accounts.token_of_code(account, purpose, [code; 32], 5, at).await.expect("answers")
    };
    let reset = TokenPurpose::ResetPassword;
    assert_eq!(tried("u_mary", reset, 101, now()).await, None, "another's");
    assert_eq!(tried("", reset, 101, now()).await, None, "nobody's");
    assert_eq!(tried("u_john", TokenPurpose::VerifyEmail, 101, now()).await, None, "for something else");
    for _ in 0..9 {
        assert_eq!(tried("u_john", reset, 101, now()).await, Some([1; 32]), "what is right costs no try");
    }
    assert_eq!(tried("u_john", reset, 101, soon).await, None, "too late");
    // Guesses at once, at both servers: after five it is dead.
    let guessed = two
        .at_once(100, |server, at| async move {
            let code = u8::try_from(at).expect("few");
            server.accounts.token_of_code("u_john", TokenPurpose::ResetPassword, [code; 32], 5, now()).await
        })
        .await;
    assert!(guessed.iter().all(|answer| matches!(answer, Ok(None))), "{guessed:?}");
    assert_eq!(tried("u_john", reset, 101, now()).await, None, "guessed at too often");
    // The next mail has one of its own, and four wrong ones leave it good.
    accounts.add_token(&with_code([2; 32], 102), now()).await.expect("kept");
    for _ in 0..4 {
        assert_eq!(tried("u_john", reset, 9, now()).await, None);
    }
    assert_eq!(tried("u_john", reset, 101, now()).await, None, "the former is dead");
    assert_eq!(tried("u_john", reset, 102, now()).await, None, "and that was the fifth");
    accounts.add_token(&with_code([3; 32], 103), now()).await.expect("kept");
    assert_eq!(tried("u_john", reset, 103, now()).await, Some([3; 32]));
    accounts.set_password([3; 32], reset, "another hash", now()).await.expect("answers").expect("set");
    assert_eq!(tried("u_john", reset, 103, now()).await, None, "once");
}

async fn of_many_resets_at_once_one_counts_and_ends_the_rest(two: Two) {
    let accounts = two.accounts();
    accounts.insert(person("u_sarah", "sarah@example.org", Role::Agent), None, now()).await.expect("made");
    let later = now() + TimeDelta::hours(1);
    let reset = TokenPurpose::ResetPassword;
    for hash in [[1; 32], [2; 32]] {
        accounts.add_token(&token(hash, reset, "u_sarah"), now()).await.expect("kept");
    }
    accounts.add_token(&token([3; 32], TokenPurpose::Invitation, "u_sarah"), now()).await.expect("kept");
    accounts.open_session(session([4; 32], "u_sarah", later, later), None, now()).await.expect("opened");
    accounts.add_api_token([5; 32], "u_sarah", &here(None), now(), later).await.expect("kept");

    let set = two
        .at_once(50, |server, at| async move {
            let hash = [if at % 3 == 0 { 1 } else { 2 }; 32];
            server.accounts.set_password(hash, TokenPurpose::ResetPassword, &format!("hash {at}"), now()).await
        })
        .await;
    assert_eq!(count(&set, |answer| matches!(answer, Ok(Some(_)))), 1, "{set:?}");
    assert_eq!(count(&set, |answer| matches!(answer, Ok(None))), 49, "{set:?}");
    assert!(accounts.session([4; 32], now()).await.expect("reads").is_none());
    assert!(accounts.api_token([5; 32], now()).await.expect("reads").is_none());
    let invited = accounts.token_is_good([3; 32], TokenPurpose::Invitation, now()).await.expect("reads");
    assert!(invited.is_none(), "what else opens the account ended with it");
    let mails = accounts.claim_mail(now(), TimeDelta::minutes(5), 9).await.expect("claims");
    assert_eq!(mails.iter().map(|job| job.kind).collect::<Vec<_>>(), [AccountMailKind::PasswordChanged]);
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
        let session = session([1; 32], "u_sarah", later, later);
        accounts.open_session(session, Some([1; 32]), now()).await.expect("opened");
        let token = [if ends { 2 } else { 3 }; 32];
        accounts.revoke_api_token(token, now()).await.expect("revoked");
        if !ends {
            accounts.add_api_token(token, "u_sarah", &here(None), now(), later).await.expect("kept");
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
    let session = |hash| session(hash, "u_john", at(10), at(25));
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

    accounts.add_api_token([3; 32], "u_john", &here(None), now(), at(10)).await.expect("kept");
    let whose = async |minutes| accounts.api_token([3; 32], at(minutes)).await.expect("reads").map(|john| john.id);
    assert_eq!((whose(9).await.as_deref(), whose(10).await), (Some("u_john"), None));
    accounts.revoke_api_token([3; 32], at(1)).await.expect("revoked");
    assert_eq!(whose(9).await, None);
}

async fn a_log_in_from_elsewhere_is_told_once(two: Two) {
    let accounts = two.accounts();
    let later = now() + TimeDelta::hours(1);
    for name in ["john", "mary"] {
        let new = person(&format!("u_{name}"), &format!("{name}@example.org"), Role::Customer);
        accounts.insert(new, None, now()).await.expect("made");
    }
    let elsewhere = |browser| Origin { address: "198.51.100.1".to_owned(), ..here(browser) };
    let told = async |at: u8, account: &str, origin: Origin| {
        let new = NewSession { origin, ..session([at; 32], account, later, later) };
        accounts.open_session(new, None, now()).await.expect("opened");
        let jobs = accounts.claim_mail(now(), TimeDelta::minutes(5), 9).await.expect("claims");
        for job in &jobs {
            accounts.settle_mail(job.id, MailOutcome::Done, now()).await.expect("settled");
        }
        jobs.into_iter().map(|job| (job.kind, job.about.unwrap_or_default())).collect::<Vec<_>>()
    };
    assert_eq!(told(1, "u_john", here(Some([7; 32]))).await, [], "the first of all");
    assert_eq!(told(2, "u_john", here(None)).await, [], "the same device in the same network");
    assert_eq!(told(3, "u_john", elsewhere(Some([7; 32]))).await, [], "the same browser elsewhere");
    let phone = Origin { device: "Safari on iOS".to_owned(), ..here(Some([8; 32])) };
    let about = "Safari on iOS, from the network address 203.0.113.7".to_owned();
    assert_eq!(told(4, "u_john", phone.clone()).await, [(AccountMailKind::NewDevice, about)]);
    assert_eq!(told(5, "u_john", phone.clone()).await, [], "told once");
    assert_eq!(told(6, "u_mary", phone).await, [], "her first");
    assert_eq!(told(7, "u_mary", Origin { device: String::new(), ..elsewhere(None) }).await.len(), 1);
    accounts.add_api_token([9; 32], "u_mary", &here(Some([7; 32])), now(), later).await.expect("kept");
    let jobs = accounts.claim_mail(now(), TimeDelta::minutes(5), 9).await.expect("claims");
    assert_eq!(jobs.len(), 1, "his browser is not hers, and a program's log-in is one too");

    let open = accounts.sessions_of("u_john", now()).await.expect("lists");
    assert_eq!((open.len(), open[0].device.as_str(), open[0].address.as_str()), (5, "Firefox on Linux", "203.0.113.7"));
    let hash = open[0].hash;
    assert!(!accounts.close_session_of("u_mary", hash).await.expect("answers"), "another's");
    assert!(accounts.close_session_of("u_john", hash).await.expect("answers"));
    assert!(accounts.session(hash, now()).await.expect("reads").is_none());
    let kept = open[1].hash;
    assert_eq!(accounts.close_other_sessions("u_john", Some(kept)).await.expect("closes"), 3);
    let left = accounts.sessions_of("u_john", now()).await.expect("lists");
    assert_eq!(left.iter().map(|session| session.hash).collect::<Vec<_>>(), [kept]);
    assert_eq!(accounts.sessions_of("u_mary", now()).await.expect("lists").len(), 2);

    let first = accounts.log_ins_of("u_john", None, 2).await.expect("lists");
    assert_eq!(first.iter().map(|log_in| log_in.device.as_str()).collect::<Vec<_>>(), ["Safari on iOS"; 2]);
    let rest = accounts.log_ins_of("u_john", Some(first[1].id), 9).await.expect("lists");
    assert_eq!((rest.len(), rest[2].door, rest[2].at), (3, Door::Password, now()));
    assert_eq!(accounts.log_ins_of("u_mary", None, 9).await.expect("lists")[0].door, Door::ApiToken);
}

async fn of_many_changes_of_address_at_once_one_counts(two: Two) {
    let accounts = two.accounts();
    let ask = async |id: &str, email: &str| {
        accounts.ask_for_email(id, &email_of(email), 3, TimeDelta::hours(1), now()).await.expect("answers")
    };
    for name in ["john", "mary"] {
        let new = NewAccount {
            email_verified: true,
            ..person(&format!("u_{name}"), &format!("{name}@example.org"), Role::Customer)
        };
        accounts.insert(new, None, now()).await.expect("made");
    }
    accounts.insert(person("u_new", "new@example.org", Role::Customer), None, now()).await.expect("made");
    let mails = async || {
        let jobs = accounts.claim_mail(now(), TimeDelta::minutes(5), 9).await.expect("claims");
        let mut told: Vec<_> =
            jobs.into_iter().map(|job| (job.account.id, job.kind.as_str(), job.sent_to.unwrap_or_default())).collect();
        told.sort();
        told
    };
    let told = |id: &str, kind: &'static str, to: &str| (id.to_owned(), kind, to.to_owned());
    assert_eq!(ask("u_john", "J@home.example").await, EmailAsked::Asked);
    let asked = || told("u_john", "email_change_asked", "");
    assert_eq!(mails().await, [told("u_john", "change_email", "J@home.example"), asked()]);
    // Neither is told apart from one that can be had.
    assert_eq!(ask("u_john", "mary@example.org").await, EmailAsked::Asked);
    assert_eq!(mails().await, [asked(), told("u_mary", "address_wanted", "")]);
    assert_eq!(ask("u_john", "new@example.org").await, EmailAsked::Asked);
    assert_eq!(mails().await, [asked()]);
    let until = now() + TimeDelta::hours(1);
    assert_eq!(ask("u_john", "other@example.org").await, EmailAsked::Refused { until });
    assert_eq!(mails().await, []);

    let change = |hash, id: &str, to: &str| NewToken {
        sent_to: Some(to.to_owned()),
        ..token(hash, TokenPurpose::ChangeEmail, id)
    };
    for new in [change([1; 32], "u_john", "Same@home.example"), change([2; 32], "u_mary", "same@HOME.example")] {
        accounts.add_token(&new, now()).await.expect("kept");
    }
    accounts.add_token(&token([3; 32], TokenPurpose::ResetPassword, "u_john"), now()).await.expect("kept");
    let changed = two.at_once(8, |server, at| async move {
        server.accounts.change_email([if at < 4 { 1 } else { 2 }; 32], now()).await
    });
    let changed = changed.await;
    assert_eq!(count(&changed, |answer| matches!(answer, Ok(Some(_)))), 1, "{changed:?}");
    assert!(count(&changed, |answer| matches!(answer, Err(AccountsError::EmailTaken))) >= 1, "{changed:?}");
    let holder = accounts.by_email(&email_of("same@home.example")).await.expect("reads").expect("known").account;
    let before = if holder.id == "u_john" { "john@example.org" } else { "mary@example.org" };
    assert_eq!(mails().await, [told(&holder.id, "email_changed", ""), told(&holder.id, "email_changed", before)]);
    if holder.id == "u_john" {
        let reset = accounts.token_is_good([3; 32], TokenPurpose::ResetPassword, now()).await.expect("reads");
        assert!(reset.is_none(), "what was sent to the former address works no longer");
    }
}

async fn another_password_shuts_everything_but_what_it_was_changed_with(two: Two) {
    let (accounts, later) = (two.accounts(), now() + TimeDelta::hours(1));
    accounts.insert(person("u_john", "john@example.org", Role::Customer), None, now()).await.expect("made");
    for (kept, tokens, link) in [
        (KeptOpen::Session([1; 32]), [[5; 32], [6; 32]], [8; 32]),
        (KeptOpen::ApiToken([3; 32]), [[3; 32], [4; 32]], [9; 32]),
    ] {
        accounts.close_other_sessions("u_john", None).await.expect("closed");
        for hash in [[1; 32], [2; 32]] {
            accounts.open_session(session(hash, "u_john", later, later), None, now()).await.expect("opened");
        }
        for hash in tokens {
            accounts.add_api_token(hash, "u_john", &here(None), now(), later).await.expect("kept");
        }
        accounts.add_token(&token(link, TokenPurpose::ChangeEmail, "u_john"), now()).await.expect("kept");
        accounts.replace_password("u_john", "newer", kept, now()).await.expect("replaced");
        let mut open = Vec::new();
        for hash in [[1; 32], [2; 32]] {
            if accounts.session(hash, now()).await.expect("reads").is_some() {
                open.push(KeptOpen::Session(hash));
            }
        }
        for hash in [[3; 32], [4; 32], [5; 32], [6; 32]] {
            if accounts.api_token(hash, now()).await.expect("reads").is_some() {
                open.push(KeptOpen::ApiToken(hash));
            }
        }
        assert_eq!(open, [kept]);
        let begun = accounts.token_is_good(link, TokenPurpose::ChangeEmail, now()).await.expect("reads");
        assert!(begun.is_none(), "a change that was begun ends");
    }
    let mails = accounts.claim_mail(now(), TimeDelta::minutes(5), 9).await.expect("claims");
    assert_eq!(mails.iter().map(|job| job.kind).collect::<Vec<_>>(), [AccountMailKind::PasswordChanged; 2]);
}

async fn of_many_uses_of_a_code_at_once_one_counts(two: Two) {
    let accounts = two.accounts();
    accounts.insert(person("u_john", "john@example.org", Role::Customer), None, now()).await.expect("made");
    let session = KeptOpen::Session([1; 32]);
    assert!(accounts.offer_factor("u_john", [7; 20], now()).await.expect("offers"));
    let codes = [[1; 32], [2; 32]];
    assert!(accounts.confirm_factor("u_john", [7; 20], 100, &codes, session, now()).await.expect("confirms"));
    assert!(!accounts.take_step("u_john", 100).await.expect("asks"), "the one that confirmed it");
    for step in [101, 103] {
        let taken = two.at_once(50, move |it, _| async move { it.accounts.take_step("u_john", step).await });
        let taken: Vec<bool> = taken.await.into_iter().map(|taken| taken.expect("asks")).collect();
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{step}");
    }
    assert!(!accounts.take_step("u_john", 102).await.expect("asks"), "nor one before it");
    let taken = two.at_once(50, |it, _| async move { it.accounts.take_recovery_code("u_john", [1; 32], now()).await });
    let taken: Vec<bool> = taken.await.into_iter().map(|taken| taken.expect("asks")).collect();
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    assert_eq!(accounts.recovery_codes_left("u_john").await.expect("counts"), 1);
    let mails = accounts.claim_mail(now(), TimeDelta::minutes(5), 9).await.expect("claims");
    let mut told: Vec<_> = mails.iter().map(|job| (job.kind.as_str(), job.about.as_deref())).collect();
    told.sort_unstable();
    assert_eq!(told, [("recovery_code_used", Some("1")), ("second_factor_added", None)], "told once");
    let removed = two.at_once(6, |it, _| async move {
        it.accounts.remove_factor("u_john", AccountMailKind::SecondFactorReset, None, now()).await
    });
    let removed: Vec<bool> = removed.await.into_iter().map(|removed| removed.expect("asks")).collect();
    assert_eq!(removed.iter().filter(|removed| **removed).count(), 1);
    assert_eq!(accounts.recovery_codes_left("u_john").await.expect("counts"), 0);
    assert!(accounts.factor_of("u_john").await.expect("reads").is_none(), "nothing is left of it");
    assert!(!accounts.take_step("u_john", 200).await.expect("asks"));
}

async fn of_many_who_confirm_a_second_factor_one_does(two: Two) {
    let accounts = two.accounts();
    accounts.insert(person("u_john", "john@example.org", Role::Customer), None, now()).await.expect("made");
    let kept = KeptOpen::Session([1; 32]);
    assert!(!accounts.confirm_factor("u_john", [7; 20], 1, &[], kept, now()).await.expect("asks"), "none is offered");
    assert!(!accounts.offer_factor("u_nobody", [7; 20], now()).await.expect("asks"));
    accounts.offer_factor("u_john", [7; 20], now()).await.expect("offers");
    accounts.offer_factor("u_john", [8; 20], now()).await.expect("offers");
    assert!(!accounts.confirm_factor("u_john", [7; 20], 1, &[], kept, now()).await.expect("asks"), "it was replaced");
    let confirmed = two.at_once(10, move |it, at| async move {
        let codes = [[u8::try_from(at).expect("ten"); 32]];
        it.accounts.confirm_factor("u_john", [8; 20], 1, &codes, kept, now()).await
    });
    let confirmed: Vec<bool> = confirmed.await.into_iter().map(|confirmed| confirmed.expect("asks")).collect();
    let first = confirmed.iter().position(|confirmed| *confirmed).expect("one");
    assert_eq!(confirmed.iter().filter(|confirmed| **confirmed).count(), 1);
    let its = [u8::try_from(first).expect("ten"); 32];
    assert!(accounts.take_recovery_code("u_john", its, now()).await.expect("asks"), "its codes are the account's");
    assert!(!accounts.offer_factor("u_john", [9; 20], now()).await.expect("asks"), "it counts already");
    let john = accounts.by_id("u_john").await.expect("reads").expect("there");
    assert_eq!(john.second_factor_at, Some(now()));
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
    accounts.add_token(&token([1; 32], TokenPurpose::VerifyEmail, "u_1"), now()).await.expect("kept");
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

    accounts.add_token(&token([1; 32], TokenPurpose::Invitation, "u_ada"), now()).await.expect("kept");
    accounts.add_api_token([2; 32], "u_ada", &here(None), now(), expires).await.expect("kept");
    accounts.open_session(session([3; 32], "u_ada", expires, expires), None, now()).await.expect("opened");
    let limits = AttemptLimits {
        per_subject_and_address: None,
        per_subject: None,
        per_address: 9,
        window: TimeDelta::minutes(15),
    };
    accounts.admit_attempt(AttemptKind::SignUp, [4; 32], "203.0.113.7", limits, None, now()).await.expect("asks");
    assert_eq!(accounts.purge(now()).await.expect("purges"), 0);
    assert_eq!(accounts.purge(expires).await.expect("purges"), 3);
    assert_eq!(accounts.purge(now() + TimeDelta::days(1)).await.expect("purges"), 1);
    assert_eq!(
        accounts.purge(now() + TimeDelta::days(365)).await.expect("purges"),
        2,
        "log-ins of the session and of the token"
    );
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
