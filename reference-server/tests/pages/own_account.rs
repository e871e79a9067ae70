//! Accounts as people go through them without script: sign up by code, forgotten password, log in by code, their own pages, invitations.

use crate::house::{House, PASSWORD, path_of};

const OTHER_PASSWORD: &str = "velvet anchor counts 9 owls";

#[tokio::test]
async fn signing_up_names_every_fault_and_is_confirmed_by_code() {
    let house = House::new().await;
    let mut john = house.visitor();
    john.open("/signup").await;
    let typed = [("name", ""), ("email", "john@home.example"), ("password", "short"), ("password_again", "shorter")];
    john.press("/signup", &typed).await;
    assert!(john.status() == 422 && john.says("The two passwords differ"), "{}", john.text());
    assert!(john.says("Please give your full name") && john.says("at least 15 characters"), "{}", john.text());
    assert!(john.has("a[href='#password_again']") && !john.html().contains("shorter"), "{}", john.html());
    let weak = [
        ("name", "John Miller"),
        ("password", "john miller john miller"),
        ("password_again", "john miller john miller"),
    ];
    john.press("/signup", &weak).await;
    assert!(john.says("easy to guess"), "the verdict stands on the form: {}", john.text());
    john.press("/signup", &[("password", PASSWORD), ("password_again", PASSWORD)]).await;
    assert!(john.says("Please look at your mail"), "{}", john.text());
    let code = house.mailed_code("john@home.example").await;
    john.press("/verify", &[("code", "0000 000")]).await;
    assert!(john.status() == 422 && john.says("The code has eight digits"), "{}", john.text());
    john.press("/verify", &[("code", &code)]).await;
    assert!(john.says("Your e-mail address is confirmed"), "{}", john.text());
    house.browser_of("john@home.example").await;
}

#[tokio::test]
async fn a_code_after_different_sign_ups_asks_for_name_and_password() {
    let house = House::new().await;
    let mut john = house.visitor();
    for password in [PASSWORD, OTHER_PASSWORD] {
        john.open("/signup").await;
        let typed =
            [("name", "Eve"), ("email", "john@example.org"), ("password", password), ("password_again", password)];
        john.press("/signup", &typed).await;
    }
    let code = house.mailed_code("john@example.org").await;
    john.press("/verify", &[("code", &code)]).await;
    assert!(john.status() == 422 && john.says("the password that shall count"), "{}", john.text());
    let typed = [("name", "John Miller"), ("password", PASSWORD), ("password_again", OTHER_PASSWORD)];
    john.press("/verify", &typed).await;
    assert!(john.says("The two passwords differ"), "{}", john.text());
    john.press("/verify", &[("password", PASSWORD), ("password_again", PASSWORD)]).await;
    assert!(john.says("Your e-mail address is confirmed"), "{}", john.text());
}

#[tokio::test]
async fn a_forgotten_password_is_chosen_anew_by_code_and_by_link() {
    let house = House::furnished().await;
    let mut open = house.browser_of("sarah@example.org").await;
    let mut sarah = house.visitor();
    sarah.open("/login").await;
    assert!(sarah.has("a[href='/forgotten']"), "{}", sarah.text());
    sarah.open("/forgotten").await;
    sarah.press("/forgotten", &[("email", "sarah")]).await;
    assert!(sarah.status() == 422 && sarah.has("a[href='#email']"), "{}", sarah.text());
    sarah.press("/forgotten", &[("email", "sarah@example.org")]).await;
    assert!(sarah.says("Please look at your mail"), "{}", sarah.text());
    let code = house.mailed_code("sarah@example.org").await;
    let new = [("code", code.as_str()), ("password", OTHER_PASSWORD), ("password_again", OTHER_PASSWORD)];
    sarah
        .press("/reset", &[("code", "99999999"), ("password", OTHER_PASSWORD), ("password_again", OTHER_PASSWORD)])
        .await;
    assert!(sarah.status() == 422 && sarah.says("This is not the code"), "{}", sarah.text());
    sarah.press("/reset", &new).await;
    assert!(sarah.says("Your password is set"), "{}", sarah.text());
    open.open("/work").await;
    assert!(open.has("form[action='/login']"), "logged out everywhere: {}", open.text());
    house.mails().await;

    sarah.open("/forgotten").await;
    sarah.press("/forgotten", &[("email", "sarah@example.org")]).await;
    let link = house.mailed_link().await;
    for _ in 0..2 {
        sarah.open(path_of(&link)).await;
        assert!(sarah.says("Choose another password"), "opening it changes nothing: {}", sarah.text());
    }
    sarah.press("/reset", &[("password", PASSWORD), ("password_again", PASSWORD)]).await;
    assert!(sarah.says("Your password is set"), "{}", sarah.text());
    sarah.open(path_of(&link)).await;
    assert!(sarah.status() == 422 && sarah.says("does not work any more"), "{}", sarah.text());
    house.browser_of("sarah@example.org").await;
}

#[tokio::test]
async fn a_customer_logs_in_without_a_password() {
    let house = House::new().await;
    house.customer("John Miller", "john@example.org").await;
    let mut john = house.visitor();
    john.open("/login").await;
    assert!(john.has("a[href='/login/code']"));
    john.open("/login/code").await;
    john.press("/login/code", &[("email", "john@example.org")]).await;
    let code = house.mailed_code("john@example.org").await;
    john.press("/login/link", &[("code", "99999999")]).await;
    assert!(john.status() == 422 && john.says("This is not the code"), "{}", john.text());
    john.press("/login/link", &[("code", &code)]).await;
    assert!(john.address == "/complaints" && john.has("form[action='/logout']"), "{}", john.text());

    let mut again = house.visitor();
    again.open("/login/code").await;
    again.press("/login/code", &[("email", "john@example.org")]).await;
    let link = house.mailed_link().await;
    again.open(path_of(&link)).await;
    assert!(!again.has("form[action='/logout']"), "opening it does nothing");
    again.press("/login/link", &[]).await;
    assert!(again.address == "/complaints" && again.has("form[action='/logout']"), "{}", again.text());
}

#[tokio::test]
async fn everybody_changes_what_is_theirs() {
    let house = House::new().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/account/profile").await;
    let home = [
        ("name", "Johnny Miller"),
        ("postal_addresses.0.lines", "12 Mill Lane\nFlat 3"),
        ("postal_addresses.0.town", "Millbrook"),
        ("postal_addresses.0.country", "Britain"),
    ];
    john.press("/account/profile", &home).await;
    assert!(john.status() == 422 && john.says("two capital letters"), "{}", john.text());
    assert!(john.html().contains("Flat 3"), "what was typed is there: {}", john.html());
    john.press("/account/profile", &[("postal_addresses.0.country", "gb")]).await;
    assert!(john.says("Your name and addresses are saved") && john.says("Johnny Miller"), "{}", john.text());
    john.open("/account/profile").await;
    assert!(john.html().contains("Millbrook") && john.has("[name='postal_addresses.1.town']"), "{}", john.html());
    let empty =
        ["lines", "postcode", "town", "country"].map(|part| (format!("postal_addresses.0.{part}"), String::new()));
    let empty: Vec<(&str, &str)> = empty.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    john.press("/account/profile", &empty).await;
    john.open("/account/profile").await;
    assert!(!john.html().contains("Millbrook"), "what is emptied is forgotten");

    john.open("/account/email").await;
    john.press("/account/email", &[("email", "j@home.example"), ("current_password", OTHER_PASSWORD)]).await;
    assert!(john.status() == 422 && john.says("This is not your present password"), "{}", john.text());
    john.press("/account/email", &[("current_password", PASSWORD)]).await;
    assert!(john.says("Please look at your mail"), "{}", john.text());
    let code = house.mailed_code("j@home.example").await;
    john.press("/account/email/code", &[("code", &code)]).await;
    assert!(john.says("Your e-mail address is changed") && john.says("j@home.example"), "{}", john.text());
    house.mails().await;

    let mut other = house.browser_of("j@home.example").await;
    john.open("/account/sessions").await;
    assert!(john.says("(this browser)") && john.has("form[action='/account/sessions/end']"), "{}", john.text());
    john.press("/account/sessions/end-others", &[]).await;
    assert!(john.says("It is logged out") && !john.has("form[action='/account/sessions/end']"), "{}", john.text());
    other.open("/complaints").await;
    assert!(other.has("form[action='/login']"), "{}", other.text());
    house.browser_of("j@home.example").await;
    john.open("/account/sessions").await;
    john.press("/account/sessions/end", &[]).await;
    assert!(!john.has("form[action='/account/sessions/end']"), "{}", john.text());

    john.open("/account/password").await;
    let new = [("current_password", PASSWORD), ("password", OTHER_PASSWORD), ("password_again", PASSWORD)];
    john.press("/account/password", &new).await;
    assert!(john.status() == 422 && john.says("The two passwords differ"), "{}", john.text());
    let new = [("current_password", PASSWORD), ("password", OTHER_PASSWORD), ("password_again", OTHER_PASSWORD)];
    john.press("/account/password", &new).await;
    assert!(john.says("Your password is changed"), "{}", john.text());
}

#[tokio::test]
async fn a_customer_asks_to_be_deleted_and_takes_it_back() {
    let house = House::new().await;
    let mut admin = house.admin().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/account").await;
    assert!(john.has("a[href='/account/deletion']"), "{}", john.text());
    john.open("/account/deletion").await;
    john.press("/account/deletion", &[("current_password", OTHER_PASSWORD)]).await;
    assert!(john.status() == 422 && john.says("This is not your present password"), "{}", john.text());
    john.press("/account/deletion", &[("current_password", PASSWORD)]).await;
    assert!(john.says("An administrator has been asked"), "{}", john.text());
    assert_eq!(house.mails().await.len(), 1);
    admin.open("/admin/users").await;
    assert!(admin.says("Asks to be deleted"), "{}", admin.text());
    john.open("/account/deletion").await;
    john.press("/account/deletion/withdraw", &[]).await;
    assert!(john.says("Your account stays"), "{}", john.text());
    admin.open("/admin/users").await;
    assert!(!admin.says("Asks to be deleted"), "{}", admin.text());
    admin.open("/account/deletion").await;
    assert_eq!(admin.status(), 403);
}

#[tokio::test]
async fn a_customer_reads_and_accepts_before_they_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (terms, privacy) = (folder.path().join("terms.txt"), folder.path().join("privacy.txt"));
    std::fs::write(&terms, "1 December 2026\nBe kind.\n\nAlways.").expect("written");
    std::fs::write(&privacy, "2\n<b>We keep</b> what you write.").expect("written");
    let house = House::with_args(|args| {
        args.terms = Some(terms);
        args.privacy = Some(privacy);
    })
    .await;
    let mut visitor = house.visitor();
    visitor.open("/privacy").await;
    assert!(visitor.says("<b>We keep</b> what you write.") && visitor.says("Version: 2"), "{}", visitor.text());
    let mut john = house.customer("John Miller", "john@example.org").await;
    assert!(john.address.starts_with("/accept") && john.says("Be kind."), "{}", john.text());
    john.press("/accept", &[("accept.terms", "true")]).await;
    assert!(john.status() == 422 && john.has("a[href='#accept-privacy']"), "{}", john.text());
    assert!(!john.says("Be kind."), "what is accepted is not asked for again: {}", john.text());
    john.press("/accept", &[("accept.privacy", "true")]).await;
    assert_eq!((john.status(), john.address.as_str()), (200, "/complaints"), "{}", john.text());
}

#[tokio::test]
async fn staff_come_by_invitation_and_change_their_role() {
    let house = House::new().await;
    let mut admin = house.admin().await;
    admin.open("/admin/users/new").await;
    admin.press("/admin/users/new", &[("name", "Otto"), ("email", "otto@example.org"), ("role", "auditor")]).await;
    assert!(admin.says("Otto") && admin.says("Invited"), "{}", admin.text());
    let first = house.mailed_link().await;
    let again = admin.actions().into_iter().find(|action| action.ends_with("/invitation")).expect("a button");
    admin.press(&again, &[]).await;
    let link = house.mailed_link().await;
    let mut otto = house.visitor();
    otto.open(path_of(&link)).await;
    otto.press("/invitation", &[("password", PASSWORD), ("password_again", PASSWORD)]).await;
    assert!(otto.address == "/admin" && otto.has("form[action='/logout']"), "he is in: {}", otto.text());
    let mut late = house.visitor();
    late.open(path_of(&first)).await;
    assert_eq!(late.status(), 422);

    admin.open("/admin/users").await;
    assert!(!admin.actions().iter().any(|action| action.ends_with("/invitation")), "he has accepted it");
    let role = admin.actions().into_iter().find(|action| action.ends_with("/role")).expect("a form");
    admin.press(&role, &[("role", "agent")]).await;
    otto.open("/admin").await;
    assert!(otto.has("form[action='/login']"), "logged out at once: {}", otto.text());
    let otto = house.browser_of("otto@example.org").await;
    assert_eq!(otto.address, "/work");
}
