//! A visitor complains without an account and follows the complaint by the link they are mailed; an agent hands in a whole table.

use crate::browser::Chosen;
use crate::house::House;

/// The address of a form below the page of a link.
fn below(link: &str, what: &str) -> String {
    let (page, key) = link.split_once('?').expect("a key");
    format!("{page}/{what}?{key}")
}

#[tokio::test]
async fn a_visitor_complains_confirms_and_follows_it_without_an_account() {
    let house = House::furnished().await;
    let mut mary = house.visitor();
    mary.open("/").await;
    assert!(mary.has("a[href='/guest']"), "{}", mary.html());
    mary.open("/guest").await;
    assert!(mary.has("a[href='/guest/new?category=damaged-goods']"), "{}", mary.html());
    mary.open("/guest/new?category=damaged-goods").await;
    assert!(!mary.has("input[type=file]") && mary.says("we mail you a link"), "{}", mary.text());
    let typed = [("subject", "Broken kettle"), ("description", ""), ("contact.email", "mary")];
    mary.press("/guest/new", &typed).await;
    assert_eq!(mary.status(), 422);
    assert!(mary.says("Please look at these 3 points"), "name, address and text: {}", mary.text());
    assert_eq!(mary.attribute("[name=subject]", "value").as_deref(), Some("Broken kettle"), "what was typed is kept");
    let typed = [
        ("description", "The lid is cracked."),
        ("contact.name", "Mary Poe"),
        ("contact.email", "mary@elsewhere.example"),
    ];
    mary.press("/guest/new", &typed).await;
    assert!(mary.says("One step is left"), "{}", mary.text());
    mary.press("/guest/code", &[("code", "1234")]).await;
    assert!(mary.status() == 422 && mary.says("The code has eight digits"), "{}", mary.text());
    house.server.state().take_in_mail().await.expect("asks");
    let question = house.question();
    mary.open(&question).await;
    assert!(mary.says("Broken kettle") && mary.says("The lid is cracked."), "{}", mary.text());
    mary.press("/mail/confirm", &[]).await;
    assert!(mary.says("We have your complaint") && mary.says("You need no account"), "{}", mary.text());
    let reference = mary.reference();
    let link = mary.attribute("main a.button", "href").expect("the way on").replace("&amp;", "&");
    mary.open(&link).await;
    assert!(mary.says("The lid is cracked.") && mary.says("by a link that was mailed to you"), "{}", mary.text());
    assert!(!mary.has("a[href^='/complaints']"), "it opens nothing else: {}", mary.html());
    let live =
        mary.attribute("[data-live]", "data-live").expect("it is live").replace("&#38;", "&").replace("&amp;", "&");
    assert_eq!(live, below(&link, "live"));
    assert!(mary.has("a[href='/login']"), "nobody is logged in");
    for action in mary.actions() {
        assert!(action.starts_with("/track/") && action.contains("?key="), "{action}");
    }
    mary.press(&below(&link, "commands/post"), &[("text", "It leaks, too.")]).await;
    assert!(mary.says("It leaks, too.") && mary.says("Broken kettle"), "{}", mary.text());
    let photo = [Chosen { field: "files", name: "notes.txt", bytes: b"cracked" }];
    mary.press_with(&below(&link, "attachments"), &[], &photo).await;
    assert!(mary.says("notes.txt"), "{}", mary.text());

    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&format!("/complaints/{reference}")).await;
    assert!(sarah.says("It leaks, too.") && sarah.says("Mary Poe"), "{}", sarah.text());

    // Another visitor, or a link that has ended: the same page, on which a new one can be asked for.
    let mut eve = house.visitor();
    eve.open(&format!("/track/{reference}?key=x")).await;
    assert!(eve.status() == 422 && eve.says("does not work any more") && !eve.says("kettle"), "{}", eve.text());
    eve.open(&format!("/track?reference={reference}")).await;
    assert!(eve.status() == 200 && !eve.says("kettle"), "{}", eve.text());
    eve.press("/track", &[("email", "eve")]).await;
    assert_eq!(eve.status(), 422, "{}", eve.text());
    eve.press("/track", &[("email", "eve@evil.example")]).await;
    assert!(eve.says("Please look at your mail"), "{}", eve.text());
}

#[tokio::test]
async fn a_category_that_went_out_of_use_takes_no_words_of_a_guest_along() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    let mut mary = house.visitor();
    mary.open("/guest/new?category=damaged-goods").await;
    admin.open("/admin/categories/damaged-goods").await;
    admin.press("/admin/categories/damaged-goods/active", &[]).await;
    let typed = [
        ("subject", "Broken kettle"),
        ("description", "The lid is cracked."),
        ("contact.name", "Mary"),
        ("contact.email", "mary@elsewhere.example"),
    ];
    mary.press("/guest/new", &typed).await;
    assert!(mary.status() == 422 && mary.says("is not offered any more"), "{}", mary.text());
    mary.press("/guest/new", &[("category", "late-delivery")]).await;
    assert!(mary.says("One step is left"), "{}", mary.text());
}

#[tokio::test]
async fn an_agent_looks_at_a_table_before_it_is_handed_in() {
    let house = House::furnished().await;
    house.customer("John Miller", "john@example.org").await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open("/work/batch").await;
    let table = "key,customer,channel,category,subject,description\n\
        1,john@example.org,letter,Damaged goods,<b>Kettle</b>,\"The \"\"lid\"\" & more\"\n\
        2,nobody@example.org,letter,Damaged goods,Cup,Broken\n";
    let file = |bytes| [Chosen { field: "table", name: "letters.csv", bytes }];
    sarah.press_with("/work/batch", &[], &file(table.as_bytes())).await;
    assert!(sarah.says("Nothing wrong") && sarah.says("There is no such customer."), "{}", sarah.text());
    assert!(sarah.says("nobody@example.org") && sarah.says("<b>Kettle</b>"), "whose letter each is: {}", sarah.text());
    assert!(!sarah.has("td a"), "nothing is handed in");
    sarah.press("/work/batch/submit", &[]).await;
    assert!(sarah.says("1 of 2 are complaints now"), "{}", sarah.text());
    let made = sarah.attribute("td a", "href").expect("a complaint");
    sarah.open(&made).await;
    assert!(sarah.says("<b>Kettle</b>") && sarah.says("The \"lid\" & more"), "{}", sarah.text());

    sarah.open("/work/batch").await;
    sarah.press_with("/work/batch", &[], &file(table.as_bytes())).await;
    assert!(sarah.says("Was here before") && !sarah.has("form[action='/work/batch/submit']"), "{}", sarah.text());
    let with_semicolons = table.replace(',', ";");
    sarah.press_with("/work/batch", &[], &file(with_semicolons.as_bytes())).await;
    assert!(sarah.says("1 of 2 was handed in before") && sarah.says("Was here before"), "{}", sarah.text());
    for (wrong, said) in [
        (&b"key,color\n1,red\n"[..], "The column “color”"),
        (b"key\n", "There is nothing in it."),
        (b"\xff\xfe", "It is no table"),
        (b"key,subject\n1,\"open\n", "Line 2: a quotation mark"),
    ] {
        sarah.press_with("/work/batch", &[], &file(wrong)).await;
        assert!(sarah.status() == 422 && sarah.says(said), "{}", sarah.text());
    }
    // As a form it is three times as large.
    let long = |key| format!("{key},john@example.org,letter,Damaged goods,Cup,{}\n", "Ж".repeat(30_000));
    let large =
        format!("key,customer,channel,category,subject,description\n{}", (10..25).map(long).collect::<String>());
    let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("table", &large).finish();
    sarah.post("/work/batch/submit", &form).await;
    assert!(sarah.says("15 of 15 are complaints now"), "{}", sarah.status());
    let mut john = house.browser_of("john@example.org").await;
    john.open("/work/batch").await;
    assert_eq!(john.status(), 403);
}
