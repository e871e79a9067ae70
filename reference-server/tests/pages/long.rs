//! Long conversations and logs: a page shows the end, a plain link leads to what is before it.

use complaint_core::Actor;
use complaint_core::lifecycle::{Command, CommandName};

use crate::browser::Browser;
use crate::house::House;

const POSTED: usize = 70;
const NOTED: usize = 60;

/// A complaint about which much was written: its reference.
async fn much_was_written(house: &House, john: &mut Browser<'_>) -> String {
    john.open("/complaints/new?category=damaged-goods").await;
    let typed = [
        ("subject", "Broken kettle"),
        ("description", "The lid is cracked."),
        ("answers.which-parcel", "The small one"),
    ];
    john.press_with("/complaints/new", &typed, &[]).await;
    let reference = john.reference();
    let state = house.server.state();
    let account = state.accounts.account_at("john@example.org").await.expect("an account");
    let customer = state.desk.acting_as(Actor::customer(account.id.as_str()).expect("an id"));
    let id = customer.find(&reference).await.expect("a complaint").id;
    let roster = state.desk.store().roster().await.expect("agents");
    let sarah = roster.iter().find(|member| member.agent.name == "Sarah").expect("Sarah");
    let sarah = state.desk.acting_as(Actor::agent(&sarah.agent));
    for number in 1..=POSTED {
        customer.post(id, format!("message {number}!")).await.expect("posts");
        if number <= NOTED {
            let note = Command::with_text(CommandName::Note, format!("note {number}!"));
            sarah.perform(id, note).await.expect("notes");
        }
    }
    reference
}

/// Reads a part from its end to its start by its links, and gives back how many of each page were there.
async fn back_to_the_start(reader: &mut Browser<'_>, part: &str, row: &str) -> Vec<usize> {
    let mut pages = Vec::new();
    loop {
        pages.push((1..1000).take_while(|at| reader.has(&format!("#{part} ol > {row}:nth-child({at})"))).count());
        let link = format!("#{part} ol");
        assert!(reader.has(&link), "{}", reader.text());
        let Some(earlier) = reader.attribute(&format!("#{part} > p:first-child > a"), "href") else { return pages };
        assert!(earlier.ends_with(&format!("#{part}")), "{earlier}");
        reader.open(&earlier).await;
        assert_eq!(reader.status(), 200, "{}", reader.text());
        assert!(reader.has(&format!("#{part} > p:last-child > a")), "a way back: {}", reader.text());
    }
}

#[tokio::test]
async fn a_page_shows_the_end_and_leads_to_the_start() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    let reference = much_was_written(&house, &mut john).await;
    let page = format!("/complaints/{reference}");

    john.open(&page).await;
    assert!(john.says("message 70!") && john.says("message 21!"), "{}", john.text());
    assert!(!john.says("message 20!"), "{}", john.text());
    assert_eq!(back_to_the_start(&mut john, "talk", "li").await, [50, 20]);
    assert!(john.says("message 1!") && john.says("message 20!"), "{}", john.text());
    john.open(&page).await;
    assert_eq!(back_to_the_start(&mut john, "log", "li").await, [50, 23], "received, confirmed, given, and his own");
    assert!(john.says("Complaint received") && !john.says("note"), "{}", john.text());

    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    assert_eq!(back_to_the_start(&mut sarah, "talk", "li").await, [50, 50, 30]);
    // The other part stays where it was put.
    let back = sarah.attribute("#talk > p:last-child > a", "href").expect("a link");
    sarah.open(&sarah.attribute("#log > p:first-child > a", "href").expect("a link")).await;
    assert!(sarah.says("message 1!") && sarah.has("#log > p:last-child > a"), "{}", sarah.text());
    sarah.open(&back).await;
    assert!(sarah.says("message 70!") && !sarah.has("#talk > p:last-child > a"), "{}", sarah.text());

    admin.open(&page).await;
    assert_eq!(back_to_the_start(&mut admin, "log", "li").await, [50, 50, 33]);
    for wrong in ["messages_before=x", "log_before=-1", "log_before=4294967296"] {
        john.open(&format!("{page}?{wrong}")).await;
        assert_eq!(john.status(), 400, "{wrong}");
    }
    john.open(&format!("{page}?messages_before=0&log_before=0")).await;
    assert!(john.status() == 200 && john.has("#talk > p:last-child > a"), "{}", john.text());
}
