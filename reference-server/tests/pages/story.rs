use crate::browser::{Browser, Chosen};
use crate::house::{House, at};

/// The smallest PNG and PDF that are what they say.
const PHOTO: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";
const INVOICE: &[u8] = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n";

/// With everything that can be filled in.
async fn complain_fully(john: &mut Browser<'_>, subject: &str) -> String {
    john.open("/complaints/new").await;
    assert!(john.says("Damaged goods") && john.says("Late delivery"), "{}", john.text());
    john.open("/complaints/new?category=damaged-goods").await;
    let typed = [
        ("subject", subject),
        ("description", "The lid is cracked.\nI want to use it."),
        ("answers.which-parcel", "The small one"),
        ("product", "Kettle 3000"),
        ("order_number", "A-1009"),
        ("purchase_date", "2026-11-02"),
        ("wish", "replacement"),
        ("contact.phone", "+49 30 1234567"),
    ];
    let files = [
        Chosen { field: "files", name: "lid.png", bytes: PHOTO },
        Chosen { field: "files", name: "C:\\docs\\invoice.pdf", bytes: INVOICE },
    ];
    john.press_with("/complaints/new", &typed, &files).await;
    assert!(john.says("We have your complaint"), "{}", john.text());
    assert!(john.says("with 2 files") && john.says("Sarah deals with it"), "{}", john.text());
    john.reference()
}

#[tokio::test]
async fn from_submission_to_feedback_without_script() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    assert!(john.says("You have not complained about anything yet"), "{}", john.text());
    let reference = complain_fully(&mut john, "Broken kettle").await;
    let page = format!("/complaints/{reference}");

    john.open("/complaints").await;
    assert!(
        john.says("Broken kettle") && john.says("Assigned to Sarah") && john.says("promised by"),
        "{}",
        john.text()
    );
    assert!(john.has("main[data-live='/api/v1/live']"));

    let mut sarah = house.browser_of("sarah@example.org").await;
    assert!(sarah.address == "/work" && sarah.says("Broken kettle"), "{}", sarah.text());
    sarah.open(&page).await;
    assert!(sarah.says("Kettle 3000") && sarah.says("invoice.pdf") && sarah.says("The small one"), "{}", sarah.text());
    assert!(
        sarah.says("Ben") && sarah.says("lacks the skill “damaged-goods”"),
        "the routing is explained: {}",
        sarah.text()
    );
    sarah.press(&at(&reference, "begin"), &[]).await;
    assert!(sarah.says("You have begun."), "{}", sarah.text());
    sarah.press(&at(&reference, "note"), &[("text", "Third one this week.")]).await;
    sarah.press(&at(&reference, "ask"), &[("text", "Was the parcel damaged too?")]).await;
    assert!(sarah.says("Awaiting customer"), "{}", sarah.text());

    john.open("/complaints").await;
    assert!(john.says("1 complaint waits for you") && john.says("We need your answer"), "{}", john.text());
    john.open(&page).await;
    assert!(john.says("Was the parcel damaged too?") && !john.says("Third one this week."), "{}", john.text());
    assert!(john.says("do not answer our question"), "{}", john.text());
    // Neither a text nor a file: refused; a file alone is the answer.
    john.press(&at(&reference, "answer"), &[]).await;
    assert!(john.status() == 422 && john.has("#faults"), "{}", john.text());
    let photo = Chosen { field: "files", name: "parcel.png", bytes: PHOTO };
    john.press_with(&at(&reference, "answer"), &[], &[photo]).await;
    assert!(john.says("In progress"), "{}", john.text());
    let shown = john.attribute("#talk li:last-child a[href*='/attachments/']", "href").expect("the file in the answer");
    john.open(&shown).await;
    assert_eq!(john.status(), 200);
    sarah.open(&page).await;
    assert!(sarah.has("#talk a[href*='/attachments/']") && sarah.says("parcel.png"), "{}", sarah.text());
    sarah.press(&at(&reference, "ask"), &[("text", "Only the lid?")]).await;
    john.open(&page).await;
    john.press(&at(&reference, "answer"), &[("text", "No, only the kettle.")]).await;
    assert!(john.says("In progress"), "{}", john.text());
    john.press_with(
        &format!("/complaints/{reference}/attachments"),
        &[],
        &[Chosen { field: "files", name: "note.txt", bytes: b"A note.\n" }],
    )
    .await;
    let file = john.attribute("#files a[href*='/attachments/']", "href").expect("a file");
    assert!(john.says("note.txt"), "{}", john.text());
    john.open(&file).await;
    assert_eq!(john.status(), 200);

    sarah.open(&page).await;
    assert!(sarah.says("No, only the kettle.") && sarah.says("Unread message"), "{}", sarah.text());
    let resolve = at(&reference, "resolve");
    let typed = [
        ("outcome", "upheld"),
        ("explanation", "It left us with a cracked lid."),
        ("apology", "We are sorry for the trouble."),
        ("next_steps", "Keep the old one."),
        ("remedies.0.kind", "replacement"),
        ("remedies.0.instructions", "The new one comes on Friday."),
    ];
    sarah.press(&resolve, &typed).await;
    assert!(sarah.says("The customer has the decision."), "{}", sarah.text());

    john.open(&page).await;
    for words in
        ["Resolved: please confirm", "We are sorry for the trouble.", "The new one comes on Friday.", "Outstanding"]
    {
        assert!(john.says(words), "{words} is missing: {}", john.text());
    }
    john.press(&at(&reference, "accept"), &[]).await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "fulfil_remedy"), &[("evidence", "Parcel 17, signed for"), ("remedy", "1")]).await;
    john.open(&page).await;
    assert!(john.says("Closed") && john.says("Parcel 17, signed for"), "{}", john.text());
    john.press(&at(&reference, "rate"), &[("score", "5"), ("comment", "Quick and kind.")]).await;
    assert!(john.says("Rated 5 of 5"), "{}", john.text());

    // The form shows what was said; emptied, the comment is taken back, and a name can be taken off.
    assert!(john.html().contains("Quick and kind."), "the comment can be edited");
    john.press(&at(&reference, "rate"), &[("score", "4"), ("comment", "")]).await;
    assert!(john.html().contains("Rated <b>4 of 5</b></p>"), "{}", john.text());
    john.press(&at(&reference, "rate"), &[("score", "5"), ("comment", "Quick and kind."), ("anonymous", "true")]).await;
    assert!(john.says("Rated 5 of 5 without a name"), "{}", john.text());
    sarah.open(&page).await;
    assert!(!sarah.says("Rated") && !sarah.says("Quick and kind."), "{}", sarah.text());

    admin.open("/admin").await;
    // An anonymous one comes in with four more.
    assert!(admin.says("– of 5, satisfaction (0 ratings)"), "{}", admin.text());
    assert!(admin.says("Remedies and why they are owed") && admin.says("No cause named"), "{}", admin.text());
    admin.open(&page).await;
    for words in ["The lid is cracked", "Kettle", "John Miller", "Quick and kind", "Third one"] {
        assert!(!admin.html().contains(words), "an admin reads {words}");
    }
}

#[tokio::test]
async fn escalated_contested_and_finally_decided_without_script() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    sarah.press(&at(&reference, "escalate"), &[("reason", "I cannot decide this.")]).await;
    assert!(sarah.address.starts_with("/work") && sarah.says("is not with you any more"), "{}", sarah.text());
    sarah.open(&page).await;
    assert_eq!(sarah.status(), 404, "the former handler loses access at once");

    let decided = [("outcome", "not_upheld"), ("explanation", "It worked when we tried it.")];
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open(&page).await;
    maria.press(&at(&reference, "begin"), &[]).await;
    maria.press(&at(&reference, "resolve"), &decided).await;
    john.open(&page).await;
    assert!(john.says("You can contest the decision until"), "{}", john.text());
    john.press(&at(&reference, "contest"), &[("reason", "It does not work here.")]).await;
    assert!(john.says("Assigned to Omar") && john.says("Earlier decision"), "{}", john.text());

    let mut omar = house.browser_of("omar@example.org").await;
    omar.open(&page).await;
    omar.press(&at(&reference, "begin"), &[]).await;
    omar.press(&at(&reference, "resolve"), &decided).await;
    john.open(&page).await;
    john.press(&at(&reference, "contest"), &[("reason", "Still broken.")]).await;
    assert_eq!(john.status(), 422);
    assert!(john.text().to_lowercase().contains("final"), "{}", john.text());
    assert!(john.html().contains("Still broken."), "what was typed is kept");
}

#[tokio::test]
async fn nobody_acts_and_the_customer_sees_it_move_up() {
    let house = House::furnished().await;
    let (_, reference) = house.complaint().await;
    house.after(3).await;
    // The session of three days ago has ended.
    let mut john = house.browser_of("john@example.org").await;
    john.open(&format!("/complaints/{reference}")).await;
    assert!(
        john.says("Somebody higher up takes over: supervisor") && john.says("Assigned to Maria"),
        "{}",
        john.text()
    );
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open("/team").await;
    assert!(maria.says("Sarah") && maria.says("of 5"), "{}", maria.text());
    maria.open("/work").await;
    assert!(maria.says("Broken kettle"), "{}", maria.text());
}

#[tokio::test]
async fn by_hand_and_for_oneself() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    // Nobody is there, so it waits; then Ben learns it and takes it.
    admin.open("/admin/agents").await;
    let sarah = admin.attribute("tr th a[href^='/admin/agents/']", "href");
    let mut john = house.customer("John Miller", "john@example.org").await;
    let agents = {
        let members = house.server.state().desk.store().roster().await.expect("a roster");
        members.into_iter().map(|member| (member.agent.name.clone(), member.agent.id.to_string())).collect::<Vec<_>>()
    };
    let id = |name: &str| agents.iter().find(|(known, _)| known == name).expect("an agent").1.clone();
    assert!(sarah.is_some());
    let away = format!("/admin/agents/{}", id("Sarah"));
    admin.open(&away).await;
    admin.press(&away, &[("absence.from", "2026-11-23T00:00"), ("absence.until", "2026-12-23T00:00")]).await;
    assert!(admin.says("Saved."), "{}", admin.text());
    john.open("/complaints/new?category=damaged-goods").await;
    let typed = [("subject", "Broken cup"), ("description", "In two pieces.")];
    john.press("/complaints/new", &typed).await;
    assert!(john.says("We are looking for somebody who can deal with it"), "{}", john.text());
    let reference = john.reference();

    let mut maria = house.browser_of("maria@example.org").await;
    maria.open("/team").await;
    assert!(maria.says("Nobody fits: ") && maria.says("is absent until 23 Dec 2026, 00:00"), "{}", maria.text());
    maria.press(&at(&reference, "assign"), &[("agent", &id("Ben"))]).await;
    assert_eq!(maria.status(), 422, "Ben lacks the skill");
    assert!(maria.says("lacks damaged-goods"), "{}", maria.text());

    let ben = format!("/admin/agents/{}", id("Ben"));
    admin.open(&ben).await;
    admin.press(&ben, &[("capacity", "0")]).await;
    admin.press(&ben, &[("skills", "late delivery, damaged goods")]).await;
    let mut taker = house.browser_of("ben@example.org").await;
    assert!(taker.says("Broken cup") && taker.says("holds 0 of 0"), "{}", taker.text());
    maria.open("/team").await;
    maria
        .press(
            &at(&reference, "assign"),
            &[("agent", &id("Ben")), ("over_capacity", "true"), ("reason", "He has time.")],
        )
        .await;
    assert!(maria.says("It has a handler now."), "{}", maria.text());
    taker.open("/work").await;
    assert!(taker.says("Broken cup") && taker.says("1 open with me"), "{}", taker.text());
}
