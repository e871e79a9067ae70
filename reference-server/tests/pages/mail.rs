//! Mail that came in: what admins see of it and do with it, and the page behind the question whether it is one's own.

use crate::house::{House, PASSWORD};

const ADDRESS: &str = "complaints@example.org";

async fn house() -> House {
    House::with_args(|args| args.intake_address = Some(ADDRESS.to_owned())).await
}

/// Takes a message in; its id.
async fn came(house: &House, raw: &str) -> String {
    let state = house.server.state();
    let id = state.intake.take(state, raw.as_bytes()).await.expect("taken").id;
    state.take_in_mail().await.expect("looked into");
    id.to_string()
}

#[tokio::test]
async fn an_admin_looks_through_the_quarantine_and_decides() {
    let house = house().await;
    let mut admin = house.furnish().await;
    admin.open("/admin/mail").await;
    assert!(admin.says("Nothing is in quarantine"), "{}", admin.text());
    let script = "<script>alert(1)</script>";
    let first = came(&house, &format!("Subject: {script}\r\n\r\nBuy {script} http://evil.example/\r\n")).await;
    let second = came(&house, "From: a@elsewhere.example, b@elsewhere.example\r\nSubject: Two\r\n\r\nWe.\r\n").await;
    came(&house, "From: away@elsewhere.example\r\nAuto-Submitted: auto-replied\r\nSubject: Away\r\n\r\nAway.\r\n")
        .await;
    admin.open("/admin/mail").await;
    assert!(admin.says(script) && admin.says("Two") && !admin.says("Away"), "{}", admin.text());
    assert!(admin.says("does not say from whom it is"), "{}", admin.text());
    admin.open("/admin/mail?all=true").await;
    assert!(admin.says("away@elsewhere.example") && admin.says("A machine wrote it."), "{}", admin.text());
    assert!(!admin.says("Away") && admin.says("Two"), "no words but of what is in quarantine: {}", admin.text());
    admin.open(&format!("/admin/mail/{first}")).await;
    assert!(admin.says(&format!("Buy {script} http://evil.example/")), "{}", admin.text());
    assert!(!admin.has("main script") && !admin.has("main a[href*=evil]"), "{}", admin.html());

    admin.press(&format!("/admin/mail/{first}/discard"), &[]).await;
    admin.open(&format!("/admin/mail/{first}")).await;
    assert!(admin.says("Discarded") && admin.actions().is_empty(), "{}", admin.text());
    assert!(admin.says("only while it is in quarantine") && !admin.says("evil.example"), "{}", admin.text());
    // Nobody's name it could be in: it stays where it is.
    admin.open(&format!("/admin/mail/{second}")).await;
    admin.press(&format!("/admin/mail/{second}/retry"), &[]).await;
    assert!(admin.says("In quarantine") && admin.actions().len() == 2, "{}", admin.text());

    admin.open("/admin/users/new").await;
    let otto = [("name", "Otto"), ("email", "otto@example.org"), ("role", "auditor"), ("password", PASSWORD)];
    admin.press("/admin/users/new", &otto).await;
    let mut otto = house.browser_of("otto@example.org").await;
    otto.open(&format!("/admin/mail/{first}")).await;
    assert!(otto.says(&format!("Buy {script}")), "auditors read everything: {}", otto.text());
    otto.open(&format!("/admin/mail/{second}")).await;
    assert!(otto.says("We.") && otto.actions().is_empty(), "{}", otto.text());
    for act in ["retry", "discard"] {
        otto.post(&format!("/admin/mail/{second}/{act}"), "").await;
        assert_eq!(otto.status(), 403, "{act}");
    }
    let mut sarah = house.browser_of("sarah@example.org").await;
    for address in ["/admin/mail".to_owned(), format!("/admin/mail/{second}")] {
        sarah.open(&address).await;
        assert_eq!(sarah.status(), 403, "{address}");
    }
    for nowhere in ["/admin/mail/x", "/admin/mail/01900000-0000-7000-8000-000000000000"] {
        admin.open(nowhere).await;
        assert_eq!(admin.status(), 404, "{nowhere}");
    }
}

#[tokio::test]
async fn whoever_is_asked_says_what_is_theirs() {
    let house = house().await;
    house.furnish().await;
    let from = "From: Mary <mary@elsewhere.example>\r\n";
    came(&house, &format!("{from}Subject: No water <b>\r\n\r\nSince Monday.\r\n")).await;
    came(&house, &format!("{from}Subject: Pills\r\n\r\nCheap.\r\n")).await;
    let link = house.question();
    let mut mary = house.visitor();
    mary.open(&link).await;
    assert!(mary.says("No water <b>") && mary.says("Cheap."), "{}", mary.text());
    mary.press("/mail/confirm", &[]).await;
    assert!(mary.says("We have your complaint"), "{}", mary.text());
    assert!(mary.attribute("main a.button", "href").is_some_and(|href| href.starts_with("/track/")), "{}", mary.html());
    mary.open(&link).await;
    assert!(!mary.says("No water") && mary.says("Pills"), "{}", mary.text());
    mary.press("/mail/disown", &[]).await;
    assert!(mary.says("Nothing follows from it"), "{}", mary.text());
    mary.open(&link).await;
    assert!(mary.says("Nothing waits for your answer any more"), "{}", mary.text());
    mary.open("/signup").await;
    let typed =
        [("name", "Mary"), ("email", "mary@elsewhere.example"), ("password", PASSWORD), ("password_again", PASSWORD)];
    mary.press("/signup", &typed).await;
    let code = house.mailed_code("mary@elsewhere.example").await;
    mary.press("/verify", &[("code", &code)]).await;
    assert!(mary.status() == 422 && mary.says("the password that shall count"), "{}", mary.text());
    mary.press("/verify", &[("name", "Mary Poe"), ("password", PASSWORD), ("password_again", PASSWORD)]).await;
    assert!(mary.says("Your e-mail address is confirmed"), "{}", mary.text());
    let mut mary = house.browser_of("mary@elsewhere.example").await;
    mary.open("/complaints").await;
    assert!(mary.says("No water <b>") && !mary.says("Pills"), "{}", mary.text());

    for wrong in ["/mail/confirm", "/mail/confirm?token=x"] {
        mary.open(wrong).await;
        assert!(mary.status() == 422 && mary.says("does not work any more"), "{wrong}: {}", mary.text());
    }
    for (action, body) in [("/mail/confirm", "token=x&mail=y"), ("/mail/disown", "token=x"), ("/mail/confirm", "a=b")] {
        mary.post(action, body).await;
        assert!([400, 422].contains(&mary.status()), "{action} {body}: {}", mary.status());
    }
}
