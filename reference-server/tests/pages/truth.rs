//! What a page says is so: counts, progress, promises, names.

use complaint_core::Actor;
use complaint_core::complaint::{Channel, Complaint};

use crate::browser::Browser;
use crate::house::{House, at, complain};

const REFUND: [(&str, &str); 6] = [
    ("outcome", "upheld"),
    ("explanation", "It left us with a cracked lid."),
    ("apology", "We are sorry."),
    ("remedies.0.kind", "refund"),
    ("remedies.0.amount", "12.50 EUR"),
    ("remedies.0.due_on", "2026-11-25"),
];

/// Sarah, once she has decided on a refund.
async fn refunded<'a>(house: &'a House, reference: &str) -> Browser<'a> {
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&format!("/complaints/{reference}")).await;
    sarah.press(&at(reference, "begin"), &[]).await;
    sarah.press(&at(reference, "resolve"), &REFUND).await;
    sarah
}

#[tokio::test]
async fn counts_are_those_of_the_store_and_every_cut_list_leads_on() {
    const HELD: usize = 120;
    let house = House::furnished().await;
    let desk = &house.server.state().desk;
    let roster = desk.store().roster().await.expect("agents");
    let ben = roster.iter().find(|member| member.agent.name == "Ben").expect("Ben").agent.clone();
    desk.enrol(ben.with_capacity(1000)).await.expect("a larger desk");
    for number in 0..HELD {
        let customer = Actor::customer(&*format!("u_{}", number % 10)).expect("an id");
        let submission = Complaint::about("Late delivery", format!("Parcel {number}"), "Weeks late.");
        desk.acting_as(customer).submit(submission.expect("right")).await.expect("handed in");
    }
    let mut ben = house.browser_of("ben@example.org").await;
    ben.open("/work").await;
    assert!(ben.says("120 open with me") && ben.says("0 late"), "{}", ben.text());
    let mut next = ben.attribute("#mine a[href^='/search']", "href");
    let mut listed = 0;
    while let Some(page) = next {
        ben.open(&page).await;
        listed += (1..=1000).take_while(|at| ben.has(&format!("ul.list > li:nth-child({at})"))).count();
        next = ben.attribute("main p > a.button[href^='/search?']", "href");
    }
    assert_eq!(listed, HELD, "by the links all are reached, once");
}

#[tokio::test]
async fn a_promised_remedy_that_is_late_is_a_promise_in_danger() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open("/team").await;
    assert!(maria.says("No promise is in danger."), "{}", maria.text());
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    sarah.press(&at(&reference, "resolve"), &REFUND).await;
    john.open(&page).await;
    john.press(&at(&reference, "accept"), &[]).await;
    assert!(john.says("Thank you. You have accepted the decision."), "{}", john.text());
    for address in [&*page, "/complaints"] {
        john.open(address).await;
        assert!(john.says("Resolved Accepted: we owe you a remedy"), "{}", john.text());
    }
    house.after(10).await;
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open("/team").await;
    assert!(!maria.says("No promise is in danger.") && maria.has(&format!("#pressing a[href='{page}']")));
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open("/work").await;
    assert!(sarah.says("0 open with me 0 late 1 owed late") && sarah.says("Late by"), "{}", sarah.text());
}

#[tokio::test]
async fn the_admin_s_count_of_missed_deadlines_leads_to_them() {
    let house = House::furnished().await;
    let (_, reference) = house.complaint().await;
    house.after(60).await;
    let mut john = house.browser_of("john@example.org").await;
    let fresh = complain(&mut john, "Broken cup").await;
    let mut admin = house.browser_of("ada@example.org").await;
    admin.open("/admin").await;
    assert!(admin.says("1 open with a missed deadline"), "{}", admin.text());
    admin.open(&admin.attribute("#counts a", "href").expect("a link")).await;
    assert!(admin.says(&reference) && !admin.says(&fresh), "{}", admin.text());
}

#[tokio::test]
async fn progress_runs_in_both_directions() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let reached = |john: &Browser<'_>| -> Vec<bool> {
        (1..=6).map(|step| john.has(&format!("ol.progress li:nth-child({step}).done"))).collect()
    };
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    john.open(&page).await;
    assert_eq!(reached(&john), [true, true, true, true, false, false]);
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open(&page).await;
    maria.press(&at(&reference, "release"), &[("reason", "She is ill.")]).await;
    john.open(&page).await;
    assert_eq!(reached(&john), [true, true, false, false, false, false], "{}", john.text());
    house.server.state().sweep().await.expect("sweeps");
    maria.open("/team").await;
    let omar = house.server.state().desk.store().roster().await.expect("agents");
    assert!(omar.iter().any(|member| member.agent.name == "Omar"));
    maria.open(&page).await;
    maria.press(&at(&reference, "escalate"), &[("reason", "I take it.")]).await;
    let mut omar = house.browser_of("omar@example.org").await;
    omar.open(&page).await;
    john.open(&page).await;
    assert_eq!(reached(&john), [true, true, true, false, false, false], "{}", john.text());
    assert!(john.says("Assigned again"), "{}", john.text());
}

#[tokio::test]
async fn names_are_those_of_accounts_and_every_pause_is_said() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    john.open(&page).await;
    assert!(john.says("We promise") && !john.says("does not count"), "{}", john.text());
    john.press(&at(&reference, "post"), &[("text", "Is there any news?")]).await;
    assert!(john.says("Your message is sent."), "{}", john.text());
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    assert!(sarah.says("Contact name Omar Oak (Manager)"), "{}", sarah.text());
    assert!(sarah.html().contains("<b>John Miller (customer)</b>"), "{}", sarah.text());
    assert!(!sarah.html().contains("<b>Omar Oak"), "{}", sarah.text());
    sarah.press(&at(&reference, "begin"), &[]).await;
    sarah.press(&at(&reference, "read"), &[]).await;
    sarah.press(&at(&reference, "ask"), &[("text", "Which kettle?")]).await;
    house.after(1).await;
    let mut john = house.browser_of("john@example.org").await;
    john.open(&page).await;
    john.press(&at(&reference, "answer"), &[("text", "The small one.")]).await;
    assert!(john.says("Time in which we waited for you or a partner does not count."), "{}", john.text());
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "read"), &[]).await;
    sarah.press(&at(&reference, "hold"), &[("party", "the archive"), ("until", "2026-12-01")]).await;
    john.open(&page).await;
    assert!(john.says("We wait for the archive, until 1 Dec 2026."), "{}", john.text());
    sarah.press(&at(&reference, "resume"), &[]).await;
    sarah.press(&at(&reference, "resolve"), &[("outcome", "not_upheld"), ("explanation", "It works.")]).await;
    john.open(&page).await;
    assert!(john.has("#decisions .tag-end") && !john.has("#decisions .tag-done"), "a no is not green");
}

#[tokio::test]
async fn joined_complaints_lead_to_the_one_that_goes_on() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    let first = complain(&mut john, "Broken kettle").await;
    let second = complain(&mut john, "Broken kettle again").await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&format!("/complaints/{second}")).await;
    sarah.press(&at(&second, "merge"), &[("into", &first)]).await;
    for address in ["/complaints".to_owned(), format!("/complaints/{second}")] {
        john.open(&address).await;
        assert!(john.says(&format!("Joined to {first}")) && !john.says("another complaint"), "{}", john.text());
    }
    assert!(john.has(&format!("#head a[href='/complaints/{first}']")), "{}", john.text());
    sarah.open(&format!("/complaints/{second}")).await;
    assert!(sarah.has(&format!("#head a[href='/complaints/{first}']")), "{}", sarah.text());
    assert!(sarah.says("Last held by Sarah"), "{}", sarah.text());
    sarah.open("/search?status=merged").await;
    assert!(sarah.says("last held by Sarah"), "{}", sarah.text());
    sarah.open("/search?status=open").await;
    assert!(sarah.says("held by Sarah") && !sarah.says("last held by"), "{}", sarah.text());
}

#[tokio::test]
async fn a_consent_is_asked_for_explained_and_read_by_whoever_gave_it() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    let mut jane = house.customer("Jane Hill", "jane@example.org").await;
    let his = complain(&mut john, "Broken kettle").await;
    let hers = complain(&mut jane, "Dented kettle").await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&format!("/complaints/{his}")).await;
    assert!(
        sarah.has("textarea[name='consent']") && sarah.says("only where the other complaint is of another customer")
    );
    sarah.press(&at(&his, "merge"), &[("into", &hers)]).await;
    assert!(sarah.status() == 422 && sarah.says("is of another customer. Consent of the customer"), "{}", sarah.text());
    sarah.press(&at(&his, "merge"), &[("into", &hers), ("consent", "On the phone: together is fine.")]).await;
    assert!(sarah.says("with the consent of this one"), "{}", sarah.text());
    john.open(&format!("/complaints/{his}")).await;
    assert!(
        john.says("Joined to another complaint") && john.says("On the phone: together is fine."),
        "{}",
        john.text()
    );
    assert!(!john.html().contains(&hers) && !john.says("Jane"), "{}", john.text());
    jane.open(&format!("/complaints/{hers}")).await;
    assert!(!jane.html().contains(&his) && !jane.says("joined") && !jane.says("John"), "{}", jane.text());
    sarah.open(&format!("/complaints/{hers}")).await;
    assert!(sarah.says("neither is told of the other"), "{}", sarah.text());
    sarah.press(&at(&hers, "begin"), &[]).await;
    sarah.press(&at(&hers, "resolve"), &[("outcome", "not_upheld"), ("explanation", "It works, Jane.")]).await;
    john.open(&format!("/complaints/{his}")).await;
    assert!(john.says("that yours goes on with has ended: not upheld") && !john.says("Jane"), "{}", john.text());
    assert!(john.says("Take it apart") && john.says("File a new complaint that follows this one"), "{}", john.text());
    john.press(&at(&his, "unmerge"), &[]).await;
    assert!(john.says("It stands by itself again.") && !john.says("Take it apart"), "{}", john.text());
}

#[tokio::test]
async fn a_rating_is_changed_from_the_one_there_is() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    refunded(&house, &reference).await;
    john.open(&page).await;
    assert!(john.says("Rate how we dealt with it") && !john.has("input[name='score'][checked]"), "{}", john.text());
    john.press(&at(&reference, "rate"), &[("score", "4"), ("comment", "Quick & <kind>.")]).await;
    assert!(john.says("Change your rating") && !john.says("Rate how we dealt with it"), "{}", john.text());
    assert!(john.has("input[name='score'][value='4'][checked]") && !john.has("input[value='5'][checked]"));
    assert_eq!(john.attribute("#rate-comment", "name").as_deref(), Some("comment"));
    assert!(john.html().contains("Quick &#38; &#60;kind&#62;.</textarea>"), "{}", john.html());
    // What is refused stands as it was typed, not as it was given.
    john.press(&at(&reference, "rate"), &[("score", ""), ("comment", "Slow.")]).await;
    assert!(john.status() == 422 && john.html().contains("Slow.</textarea>"), "{}", john.text());
}

#[tokio::test]
async fn who_withdraws_after_the_decision_learns_what_is_lost() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    john.open(&page).await;
    assert!(john.says("you get no decision"), "{}", john.text());
    refunded(&house, &reference).await;
    john.open(&page).await;
    assert!(
        john.says("you no longer get what we promised you") && !john.says("you get no decision"),
        "{}",
        john.text()
    );
    assert!(john.says("Our decision") && john.says("Outstanding"), "{}", john.text());
    john.press(&at(&reference, "withdraw"), &[]).await;
    assert!(john.says("Earlier decision") && john.says("Fell with the decision"), "{}", john.text());
    assert!(!john.says("Our decision") && !john.says("Outstanding"), "{}", john.text());
}

#[tokio::test]
async fn whom_an_escalation_takes_it_from_is_said() {
    let house = House::furnished().await;
    let (_, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    for (who, said) in [("maria", "It is taken from Sarah"), ("sarah", "It leaves your hands")] {
        let mut agent = house.browser_of(&format!("{who}@example.org")).await;
        agent.open(&page).await;
        if who == "sarah" {
            agent.press(&at(&reference, "begin"), &[]).await;
        }
        assert!(agent.says(said), "{who}: {}", agent.text());
    }
}

#[tokio::test]
async fn a_mistyped_reference_is_corrected_where_it_was_typed() {
    let house = House::furnished().await;
    let mut visitor = house.visitor();
    visitor.open("/track?reference=C7KQ").await;
    assert_eq!(visitor.status(), 422);
    assert!(visitor.has("input[name='reference'][value='C7KQ'][aria-invalid]"), "{}", visitor.html());
    assert!(visitor.says("No reference looks like this."), "{}", visitor.text());
}

#[tokio::test]
async fn who_contests_learns_what_falls_with_the_decision() {
    const WARNING: &str = "What we promised with it and have not delivered falls with it";
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = refunded(&house, &reference).await;
    john.open(&page).await;
    assert!(john.says(WARNING), "{}", john.text());
    john.press(&at(&reference, "accept_remedy"), &[]).await;
    assert!(john.says("Contest the decision") && john.says(WARNING), "wanted or not: {}", john.text());
    sarah.open(&page).await;
    sarah.press(&at(&reference, "fulfil_remedy"), &[("evidence", "Transfer 17"), ("on", "2026-11-23")]).await;
    john.open(&page).await;
    assert!(john.says("Contest the decision") && !john.says(WARNING), "delivered: {}", john.text());
}

#[tokio::test]
async fn the_policy_page_draws_the_lifecycle_with_what_is_where() {
    let house = House::furnished().await;
    let (_, reference) = house.complaint().await;
    let mut admin = house.browser_of("ada@example.org").await;
    admin.open("/admin/policy").await;
    assert!(
        admin.has(
            "#status-assigned a[href='/search?status=assigned'], a[href='/search?status=assigned'] #status-assigned"
        ),
        "{}",
        admin.html()
    );
    assert!(admin.has("#count-assigned") && admin.says("Approve"), "{reference}: {}", admin.text());
    for cell in admin.html().split("data-label=\"What must hold\">").skip(1) {
        let mut said: Vec<&str> = cell.split("</td>").next().unwrap_or_default().split("; ").collect();
        let count = said.len();
        said.sort_unstable();
        said.dedup();
        assert_eq!(said.len(), count, "said once: {said:?}");
    }
    admin.open("/search?status=assigned").await;
    assert!(admin.says(&reference), "{}", admin.text());
}

#[tokio::test]
async fn a_customer_s_log_is_in_their_words() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    john.open(&page).await;
    assert!(
        john.says("We confirmed that we have it") && !john.says("Receipt confirmed to the customer"),
        "{}",
        john.text()
    );
    house.after(60).await;
    let mut john = house.browser_of("john@example.org").await;
    john.open(&page).await;
    for jargon in ["keep the time for “", "time for “", "Escalated to"] {
        assert!(!john.says(jargon), "{jargon}: {}", john.text());
    }
    assert!(
        john.says("we missed the date for our decision") && john.says("Somebody higher up takes over: supervisor"),
        "{}",
        john.text()
    );
}

#[tokio::test]
async fn a_broken_promise_is_past_and_apologised_for_and_the_next_date_is_ahead() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    john.open(&page).await;
    assert!(john.says("A person writes to you by") && !john.says("We had promised"), "{}", john.text());
    house.after(5).await;
    let mut john = house.browser_of("john@example.org").await;
    john.open(&page).await;
    assert!(john.says("We had promised to write to you by") && john.says("We are sorry."), "{}", john.text());
    assert!(john.says("You get our decision by") && !john.says("Late by"), "{}", john.text());
    john.open("/complaints").await;
    assert!(john.says("and not kept, for which we are sorry") && !john.says("Late by"), "{}", john.text());
    house.after(500).await;
    let mut john = house.browser_of("john@example.org").await;
    john.open(&page).await;
    assert!(john.says("We had promised to give you a final answer by"), "{}", john.text());
    assert!(!john.says("You get our decision by") && !john.says("Late by"), "{}", john.text());
}

const TWO: [(&str, &str); 3] =
    [("remedies.1.kind", "replacement"), ("remedies.1.due_on", "2026-11-25"), ("next_steps", "Keep the old one.")];

#[tokio::test]
async fn of_several_remedies_one_is_chosen_and_a_single_one_is_chosen_already() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    let both: Vec<(&str, &str)> = REFUND.iter().chain(&TWO).copied().collect();
    sarah.press(&at(&reference, "resolve"), &both).await;
    john.open(&page).await;
    sarah.open(&page).await;
    for (person, commands) in
        [(&john, &["accept_remedy", "decline_remedy"][..]), (&sarah, &["fulfil_remedy", "fail_remedy"])]
    {
        for command in commands {
            let field = format!("#{command}-remedy");
            assert!(person.has(&format!("{field}[required]")), "{command}: {}", person.html());
            assert!(person.has(&format!("{field} option[value='']")) && person.says("Choose …"), "{command}");
            assert!(person.has(&format!("{field} option:nth-child(3)")) && !person.says("The only one"), "{command}");
        }
    }
    john.press(&at(&reference, "decline_remedy"), &[("remedy", "1")]).await;
    assert!(
        john.has("#decline_remedy-remedy option[value='2']") && !john.has("#decline_remedy-remedy option[value='']")
    );
    john.press(&at(&reference, "decline_remedy"), &[]).await;
    assert!(john.says("We have noted that you do not want it."), "{}", john.text());
}

#[tokio::test]
async fn a_late_remedy_is_named_and_apologised_for() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    let both: Vec<(&str, &str)> = REFUND.iter().chain(&TWO).copied().collect();
    sarah.press(&at(&reference, "resolve"), &both).await;
    assert!(sarah.says("Remedy 1. Refund of 12.50 EUR") && sarah.says("Remedy 2. Replacement"), "{}", sarah.text());
    john.open(&page).await;
    john.press(&at(&reference, "accept"), &[]).await;
    assert!(!john.says("We are late"), "{}", john.text());
    sarah.open(&page).await;
    sarah.press(&at(&reference, "fulfil_remedy"), &[("remedy", "1"), ("evidence", "Transfer 17")]).await;
    house.after(10).await;
    let mut john = house.browser_of("john@example.org").await;
    john.open(&page).await;
    for words in [
        "We are late with what we promised you",
        "2. Replacement was to be with you by 25 Nov 2026",
        "We are sorry. We still owe it to you",
        "get a mail as soon as it is delivered",
        "a supervisor have been told",
    ] {
        assert!(john.says(words), "{words} is missing: {}", john.text());
    }
    assert!(!john.says("Refund of 12.50 EUR was to be"), "{}", john.text());
    let mut sarah = house.browser_of("sarah@example.org").await;
    for address in ["/work", &page] {
        sarah.open(address).await;
        assert!(sarah.says("Remedy 2. Replacement"), "{address}: {}", sarah.text());
    }
    assert!(sarah.says("Alarm: the time for “remedy 2” ran out"), "{}", sarah.text());
    sarah.press(&at(&reference, "fail_remedy"), &[("remedy", "2"), ("reason", "It is out of stock.")]).await;
    john.open(&page).await;
    assert!(john.says("What we promised you has not reached you 2. Replacement We are sorry."), "{}", john.text());
    assert!(!john.says("We are late with what we promised you"), "{}", john.text());
}

#[tokio::test]
async fn a_changed_score_says_nothing_anew() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    refunded(&house, &reference).await;
    john.open(&page).await;
    john.press(&at(&reference, "rate"), &[("score", "4"), ("comment", "Quick and kind.")]).await;
    let said = |john: &Browser<'_>| john.html().matches("Quick and kind.</p>").count();
    assert_eq!(said(&john), 1, "{}", john.text());
    john.press(&at(&reference, "rate"), &[("score", "2")]).await;
    assert!(john.says("Rated 2 of 5") && said(&john) == 1, "{}", john.text());
    assert_eq!(john.html().matches("Quick and kind.</blockquote>").count(), 1);
    john.press(&at(&reference, "rate"), &[("score", "2"), ("comment", "Slow.")]).await;
    assert!(john.html().contains("Slow.</p>"), "{}", john.text());
}

#[tokio::test]
async fn the_way_it_came_in_is_said_in_words() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    let mut maria = house.browser_of("maria@example.org").await;
    let state = house.server.state();
    let account = state.accounts.account_at("john@example.org").await.expect("an account");
    let john_s = state.desk.acting_as(Actor::customer(account.id.as_str()).expect("an id"));
    for (channel, words) in [
        (Channel::Web, "through our website"),
        (Channel::Api, "through a program that is connected to ours"),
        (Channel::Email, "by e-mail"),
        (Channel::Phone, "by phone"),
        (Channel::Counter, "at a counter"),
        (Channel::Letter, "by letter"),
        (Channel::SocialMedia, "through social media"),
        (Channel::Open311, "through a reporting app (Open311)"),
        (Channel::Import, "from another system"),
    ] {
        let mut submission = Complaint::about("Late delivery", "Parcel", "Weeks late.").expect("right");
        submission.channel = channel;
        let reference = john_s.submit(submission).await.expect("handed in").reference();
        for reader in [&mut john, &mut maria] {
            reader.open(&format!("/complaints/{reference}")).await;
            assert!(reader.says(&format!("Complaint received {words}, about")), "{}", reader.text());
        }
    }
}

#[tokio::test]
async fn a_supervisor_reads_what_the_figures_cover() {
    let house = House::furnished().await;
    for (who, words) in [
        (
            "maria",
            "What stands at the level “Supervisor” or below, and what you hold or held last; none that is about you.",
        ),
        ("omar", "All complaints; none that is about you."),
    ] {
        let mut agent = house.browser_of(&format!("{who}@example.org")).await;
        agent.open("/team").await;
        assert!(agent.says(words), "{}", agent.text());
    }
}

#[tokio::test]
async fn a_currency_without_a_limit_is_named() {
    let house = House::furnished().await;
    let (_, reference) = house.complaint().await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&format!("/complaints/{reference}")).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    let resolve = at(&reference, "resolve");
    let of = |amount: &'static str| {
        let mut typed = REFUND;
        typed[4].1 = amount;
        typed
    };
    sarah.press(&resolve, &of("700 JPY")).await;
    assert!(sarah.says("has no limit set for JPY, so it may decide no such amount alone"), "{}", sarah.text());
    sarah.press(&resolve, &of("700 EUR")).await;
    assert!(sarah.says("more than level “representative” may decide alone") && !sarah.says("no limit set"));
}

#[tokio::test]
async fn a_proposal_is_proposed_and_not_decided() {
    let house = House::furnished().await;
    let (_, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    sarah.press(&at(&reference, "propose"), &REFUND).await;
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open(&page).await;
    assert!(maria.says("proposed by Sarah") && !maria.says("decided by Sarah"), "{}", maria.text());
    maria.press(&at(&reference, "approve"), &[]).await;
    assert!(maria.says("decided by Sarah") && !maria.says("proposed by Sarah"), "{}", maria.text());
}

#[tokio::test]
async fn mail_goes_where_the_page_says() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=damaged-goods").await;
    let typed = [("subject", "Cracked lid"), ("description", "It leaks."), ("contact.email", "other@example.org")];
    john.press("/complaints/new", &typed).await;
    assert!(john.says("on its way to john@example.org") && !john.says("other@example.org"), "{}", john.text());
}

#[tokio::test]
async fn nobody_is_promised_where_there_is_nobody() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    let page = format!("/complaints/{reference}");
    sarah.open(&page).await;
    sarah.press(&at(&reference, "decline"), &[("reason", "I know the sender.")]).await;
    john.open(&page).await;
    assert!(john.says("We are looking for somebody who can deal with it."), "{}", john.text());
    sarah.open("/work").await;
    assert!(!sarah.says("Take one from the queue below"), "she may not take it again: {}", sarah.text());
}

#[tokio::test]
async fn a_day_that_is_over_is_spoken_of_as_over() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    let page = format!("/complaints/{reference}");
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    sarah.press(&at(&reference, "ask"), &[("text", "Which lid?")]).await;
    john.open(&page).await;
    assert!(john.says("We need your answer by") && john.says("Our question to you"), "{}", john.text());
    assert!(john.says("Your answer (or send files)") && !john.says("Your answer (optional)"), "{}", john.text());
    john.open("/complaints").await;
    assert!(john.says("Answer our question"), "{}", john.text());
    house.after(40).await;
    let mut john = house.browser_of("john@example.org").await;
    john.open(&page).await;
    assert!(john.says("We needed your answer by") && john.says("You can still answer"), "{}", john.text());
    john.press(&at(&reference, "answer"), &[("text", "The one of the kettle.")]).await;
    assert_eq!(john.status(), 200, "{}", john.text());
}

#[tokio::test]
async fn where_nobody_can_take_it_no_date_is_given_and_that_is_said() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut admin = house.browser_of("ada@example.org").await;
    admin.open("/admin/agents").await;
    let omar = admin.attribute("table tbody tr:last-child a", "href").expect("a link to the only manager");
    admin.open(&omar).await;
    assert!(admin.says("Omar"), "{}", admin.text());
    admin.press(&format!("{omar}/enabled"), &[]).await;
    for who in ["sarah", "maria"] {
        john.open(&page).await;
        assert!(john.says("You get our decision by") || john.says("A person writes to you by"), "{}", john.text());
        let mut agent = house.browser_of(&format!("{who}@example.org")).await;
        agent.open(&page).await;
        agent.press(&at(&reference, "escalate"), &[("reason", "Not for me.")]).await;
    }
    john.open(&page).await;
    let looking = "We are looking for somebody who can deal with it. Until there is somebody, we give you no date";
    assert!(john.says(looking), "{}", john.text());
    for address in [page.clone(), "/complaints".to_owned(), format!("{page}/receipt")] {
        john.open(&address).await;
        for date in ["You get our decision by", "writes to you by", "promised by", "By 2", "wants a final answer"] {
            assert!(!john.says(date), "{address}: {date}: {}", john.text());
        }
    }
    assert!(john.says("As soon as somebody has it: a mail with their name"), "{}", john.text());
}

#[tokio::test]
async fn nobody_is_invited_to_what_is_over() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    refunded(&house, &reference).await;
    john.open("/complaints").await;
    assert!(john.says("Accept or contest the decision"), "{}", john.text());
    house.after(40).await;
    let mut john = house.browser_of("john@example.org").await;
    john.open("/complaints").await;
    assert!(john.says("Accept the decision") && !john.says("contest the decision"), "{}", john.text());
    john.open(&format!("/complaints/{reference}")).await;
    let offered = |command: &str| john.has(&format!("form[action='{}']", at(&reference, command)));
    assert!(offered("accept") && !offered("contest"), "{}", john.text());
}

#[tokio::test]
async fn what_the_customer_says_never_came_is_said_so() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = refunded(&house, &reference).await;
    sarah.press(&at(&reference, "fulfil_remedy"), &[("evidence", "Transfer 17"), ("on", "2026-11-23")]).await;
    john.open(&page).await;
    john.press(&at(&reference, "fail_remedy"), &[("reason", "No money on my account.")]).await;
    sarah.open(&page).await;
    for reader in [&john, &sarah] {
        for words in [
            "Did not arrive, still owed",
            "It did not arrive: No money on my account.",
            "Remedy 1 did not arrive",
            "what did not arrive",
        ] {
            assert!(reader.says(words), "{words} is missing: {}", reader.text());
        }
        for words in ["could not deliver", "It failed", "Remedy 1 failed", "why a remedy failed"] {
            assert!(!reader.says(words), "{words}: {}", reader.text());
        }
    }
    assert!(john.says("What we promised you has not reached you"), "{}", john.text());
}

#[tokio::test]
async fn a_rating_is_spoken_of_to_staff_as_the_customer_s() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    refunded(&house, &reference).await;
    john.open(&page).await;
    john.press(&at(&reference, "rate"), &[("score", "2")]).await;
    assert!(john.says("Take my name off the rating"), "{}", john.text());
    let mut admin = house.browser_of("ada@example.org").await;
    admin.open(&page).await;
    for words in ["my name", "you rated", "your"] {
        assert!(!admin.says(words), "{words}: {}", admin.text());
    }
    admin.press(&at(&reference, "anonymise_rating"), &[]).await;
    assert!(admin.says("The rating is anonymous now."), "{}", admin.text());
}

#[tokio::test]
async fn the_log_says_what_was_decided_to_be_done() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    let page = format!("/complaints/{reference}");
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    let both: Vec<(&str, &str)> = REFUND.iter().chain(&TWO).copied().collect();
    sarah.press(&at(&reference, "resolve"), &both).await;
    john.open(&page).await;
    for reader in [&john, &sarah] {
        let said = reader.says("Resolved: upheld, with refund of 12.50 EUR, replacement (decided by Sarah)");
        assert!(said, "{}", reader.text());
    }
}

#[tokio::test]
async fn a_search_for_signs_finds_nothing_and_says_why() {
    let house = House::furnished().await;
    let (mut john, _) = house.complaint().await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    let mut admin = house.browser_of("ada@example.org").await;
    for signs in ["*", "%25", "...", "%22%22"] {
        john.open(&format!("/complaints?q={signs}")).await;
        sarah.open(&format!("/search?q={signs}")).await;
        for reader in [&john, &sarah] {
            assert!(reader.says("A search needs letters or digits.") && !reader.says("Broken kettle"), "{signs}");
        }
    }
    john.open("/complaints?q=kettle").await;
    assert!(john.has("form[role=search] + #list"), "what narrows a list stands above it");
    sarah.open("/search?q=kettle").await;
    assert!(john.says("Broken kettle") && sarah.says("Broken kettle"), "{}", sarah.text());
    // By what customers wrote nothing is found for admins, so nothing else is shown in its place.
    admin.open("/search?q=kettle").await;
    assert!(admin.says("There is no complaint with this reference.") && !admin.has(".reference"), "{}", admin.text());
}

#[tokio::test]
async fn what_is_the_same_is_said_in_the_same_words_and_once() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    john.open(&format!("/complaints/{reference}")).await;
    assert_eq!(john.text().matches("MB each").count(), 1, "{}", john.text());
    for (reader, address) in [("maria@example.org", "/team"), ("ada@example.org", "/admin/agents")] {
        let mut reader = house.browser_of(reader).await;
        reader.open(address).await;
        assert!(reader.says("Has room") && !reader.says("At work"), "{address}: {}", reader.text());
    }
}

#[tokio::test]
async fn what_a_decision_delivers_by_itself_has_no_evidence_to_read() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    let page = format!("/complaints/{reference}");
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    let apology = [&REFUND[..3], &[("remedies.0.kind", "apology"), ("next_steps", "Nothing.")]].concat();
    sarah.press(&at(&reference, "resolve"), &apology).await;
    john.open(&page).await;
    assert!(john.says("Delivered on 23 Nov 2026") && !john.says("23 Nov 2026 :"), "{}", john.text());
    let place = |words: &str| john.text().rfind(words).unwrap_or_else(|| panic!("no {words}: {}", john.text()));
    let order = ["Explanation: It left us", "Apology: We are sorry", "What happens next: Nothing."].map(place);
    assert!(order.is_sorted(), "{}", john.text());
}

#[tokio::test]
async fn who_agrees_learns_what_follows() {
    const OWED: &str = "stays open until you have got what we promised and we have read all that you wrote";
    const UNREAD: &str = "stays open until we have read what you wrote";
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = refunded(&house, &reference).await;
    john.open(&page).await;
    assert!(john.says(OWED) && !john.says("and the complaint closes."), "{}", john.text());
    assert!(!john.says("Accepted on"), "{}", john.text());
    john.press(&at(&reference, "accept_remedy"), &[]).await;
    assert!(john.says("Outstanding") && john.says("Accepted on 23 Nov 2026"), "his own word: {}", john.text());
    john.press(&at(&reference, "post"), &[("text", "When does it come?")]).await;
    sarah.open(&page).await;
    assert!(sarah.says("Accepted on 23 Nov 2026"), "{}", sarah.text());
    sarah.press(&at(&reference, "fulfil_remedy"), &[("evidence", "Transfer 17"), ("on", "2026-11-23")]).await;
    john.open(&page).await;
    assert!(john.says(UNREAD) && !john.says(OWED) && !john.says("and the complaint closes."), "{}", john.text());
    john.press(&at(&reference, "accept"), &[]).await;
    assert!(john.says(&format!("You have accepted our decision. The complaint {UNREAD}")), "{}", john.text());
    assert!(!john.says("The complaint closes on"), "{}", john.text());
    sarah.open(&page).await;
    sarah.press(&at(&reference, "read"), &[]).await;
    john.open(&page).await;
    assert!(john.says("You have accepted our decision. The complaint closes on"), "{}", john.text());
    assert!(!john.says(UNREAD), "{}", john.text());

    let mut jane = house.customer("Jane Marsh", "jane@example.org").await;
    let reference = complain(&mut jane, "Broken cup").await;
    let page = format!("/complaints/{reference}");
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    sarah.press(&at(&reference, "resolve"), &[("outcome", "not_upheld"), ("explanation", "It works.")]).await;
    jane.open(&page).await;
    assert!(jane.says("You agree with the decision, and the complaint closes."), "{}", jane.text());
    jane.press(&at(&reference, "accept"), &[]).await;
    assert!(jane.says("Closed") && !jane.says("The complaint stays open"), "{}", jane.text());
}

#[tokio::test]
async fn what_nobody_is_there_to_read_is_for_those_who_lead() {
    const TITLE: &str = "Decided, and nobody there to read what came after";
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    refunded(&house, &reference).await;
    john.open(&page).await;
    john.press(&at(&reference, "post"), &[("text", "It is broken again.")]).await;
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open("/team").await;
    assert!(!maria.says(TITLE), "Sarah is there: {}", maria.text());
    let desk = &house.server.state().desk;
    let roster = desk.store().roster().await.expect("agents");
    let sarah = roster.into_iter().find(|member| member.agent.name == "Sarah").expect("Sarah").agent;
    desk.enrol(complaint_core::Agent { enabled: false, ..sarah }).await.expect("disabled");
    maria.open("/team").await;
    assert!(maria.says(TITLE) && maria.has(&format!("#unread a[href='{page}']")), "{}", maria.text());
    maria.open(&page).await;
    maria.press(&at(&reference, "read"), &[]).await;
    maria.open("/team").await;
    assert!(!maria.says(TITLE), "{}", maria.text());
}

/// Without script: nothing of what was typed may be lost because the complaint went elsewhere meanwhile.
#[tokio::test]
async fn what_was_typed_for_a_complaint_that_left_is_shown() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    sarah.press(&at(&reference, "ask"), &[("text", "Which colour?")]).await;
    let mut other = house.browser_of("sarah@example.org").await;
    other.open(&page).await;
    john.open(&page).await;
    sarah.press(&at(&reference, "escalate"), &[("reason", "Beyond me.")]).await;
    other.press(&at(&reference, "note"), &[("text", "Rang him TWICE.")]).await;
    assert!(other.says("Nothing was sent") && other.says("Rang him TWICE."), "{}", other.text());
    // The question is open all the same, and what he typed answers it.
    john.press(&at(&reference, "answer"), &[("text", "BLUE, please.")]).await;
    assert!(john.says("BLUE, please.") && !john.says("was not done"), "{}", john.text());
    john.open(&page).await;
    assert!(john.says("BLUE, please."), "{}", john.text());
}

#[tokio::test]
async fn a_window_that_ran_out_is_over_and_nobody_is_late() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    sarah.press(&at(&reference, "resolve"), &[("outcome", "not_upheld"), ("explanation", "It works.")]).await;
    john.open(&page).await;
    john.press(&at(&reference, "accept"), &[]).await;
    house.after(31).await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    assert!(sarah.says("Contest window Over"), "{}", sarah.text());
    assert!(!sarah.says("Late by"), "{}", sarah.text());
}

#[tokio::test]
async fn a_question_waits_for_the_customer_wherever_the_complaint_is() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    sarah.press(&at(&reference, "ask"), &[("text", "Which lid?")]).await;
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open(&page).await;
    maria.press(&at(&reference, "release"), &[("reason", "She is needed elsewhere.")]).await;
    john.open("/complaints").await;
    assert!(john.says("Received") && john.says("Answer our question"), "{}", john.text());
    john.open(&page).await;
    john.press(&at(&reference, "answer"), &[("text", "The upper one.")]).await;
    assert!(john.says("Your answer is sent."), "{}", john.text());
    john.open("/complaints").await;
    assert!(!john.says("Answer our question"), "{}", john.text());
}
