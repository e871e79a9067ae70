//! The second factor as people go through it without script.

use chrono::TimeDelta;
use reference_server::auth::second_factor::SECOND_STEP_FOR;
use totp_rs::Totp;

use crate::browser::Browser;
use crate::house::{House, PASSWORD};

const HERE: &str = "/account/second-factor";

/// Sets it up in a browser; the device, and the recovery codes that were shown.
async fn guarded(house: &House, browser: &mut Browser<'_>) -> (Totp, Vec<String>) {
    browser.open(HERE).await;
    browser.press(HERE, &[]).await;
    assert!(browser.has("svg path") && browser.says("type the secret"), "{}", browser.text());
    let uri = browser.texts("main code").into_iter().find(|text| text.starts_with("otpauth:")).expect("an address");
    let device = Totp::from_url(uri).expect("an otpauth address");
    browser.press("/account/second-factor/confirm", &[("code", "1"), ("current_password", PASSWORD)]).await;
    assert!(browser.status() == 422 && browser.says("six digits") && browser.has("svg path"), "{}", browser.text());
    let code = code(house, &device);
    browser.press("/account/second-factor/confirm", &[("code", &code), ("current_password", PASSWORD)]).await;
    assert!(browser.says("Your recovery codes"), "{}", browser.text());
    let codes = browser.texts("main li code");
    assert_eq!(codes.len(), 10, "{codes:?}");
    (device, codes)
}

fn code(house: &House, device: &Totp) -> String {
    let seconds = house.server.state().clock.now().timestamp();
    device.generate(u64::try_from(seconds).expect("after 1970")).to_string()
}

#[tokio::test]
async fn it_is_set_up_asked_for_and_taken_away() {
    let house = House::new().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/account").await;
    assert!(john.has("a[href='/account/second-factor']"), "{}", john.text());
    let (device, codes) = guarded(&house, &mut john).await;
    john.open(HERE).await;
    assert!(john.says("Recovery codes left: 10") && !john.html().contains(&codes[0]), "shown once: {}", john.text());

    let mut elsewhere = house.visitor();
    elsewhere.open("/login?next=%2Faccount%2Fsessions").await;
    elsewhere.press("/login", &[("email", "john@example.org"), ("password", PASSWORD)]).await;
    assert!(elsewhere.says("One more step") && !elsewhere.has("form[action='/logout']"), "{}", elsewhere.text());
    assert!(!elsewhere.html().contains(PASSWORD), "the password is not sent back");
    elsewhere.press("/login/second-step", &[("second_factor", "1")]).await;
    assert!(elsewhere.status() == 422 && elsewhere.says("six digits"), "{}", elsewhere.text());
    elsewhere.press("/login/second-step", &[("second_factor", &code(&house, &device))]).await;
    assert!(elsewhere.status() == 422 && elsewhere.says("was used already"), "{}", elsewhere.text());
    elsewhere.press("/login/second-step", &[("second_factor", &codes[0])]).await;
    assert!(elsewhere.says("Where you are logged in"), "where they wanted to go: {}", elsewhere.text());

    house.mails().await;
    let mut by_mail = house.visitor();
    by_mail.open("/login/code").await;
    by_mail.press("/login/code", &[("email", "john@example.org")]).await;
    let mailed = house.mailed_code("john@example.org").await;
    by_mail.press("/login/link", &[("code", &mailed)]).await;
    assert!(by_mail.says("One more step"), "{}", by_mail.text());
    by_mail.press("/login/link", &[("second_factor", &codes[0])]).await;
    assert!(by_mail.status() == 422 && by_mail.says("was used already"), "{}", by_mail.text());
    by_mail.press("/login/link", &[("second_factor", &codes[1])]).await;
    assert!(by_mail.has("form[action='/logout']"), "{}", by_mail.text());

    john.open(HERE).await;
    let renew = "/account/second-factor/recovery-codes";
    john.press(renew, &[("current_password", "wrong"), ("second_factor", &codes[2])]).await;
    assert!(john.status() == 422 && john.has("a[href='#renewing-current_password']"), "{}", john.html());
    john.press(renew, &[("current_password", PASSWORD), ("second_factor", &codes[2])]).await;
    let fresh = john.texts("main li code");
    assert!(fresh.len() == 10 && !fresh.contains(&codes[3]), "{fresh:?}");
    john.open(HERE).await;
    let remove = "/account/second-factor/remove";
    john.press(remove, &[("current_password", PASSWORD), ("second_factor", &codes[3])]).await;
    assert!(john.status() == 422 && john.has("a[href='#removing-second_factor']"), "{}", john.html());
    john.press(remove, &[("current_password", PASSWORD), ("second_factor", &fresh[0])]).await;
    assert!(
        john.says("Your password is enough") && john.has("form[action='/account/second-factor']"),
        "{}",
        john.text()
    );
    house.browser_of("john@example.org").await;
}

#[tokio::test]
async fn the_second_step_has_its_time() {
    let house = House::new().await;
    // Two people: a log-in that succeeds ends the others that the same one has begun.
    let mut john = house.customer("John Miller", "john@example.org").await;
    let mut jane = house.customer("Jane Cooper", "jane@example.org").await;
    let (_, johns) = guarded(&house, &mut john).await;
    let (_, janes) = guarded(&house, &mut jane).await;
    let begins = async |email: &str| {
        let mut visitor = house.visitor();
        visitor.open("/login").await;
        visitor.press("/login", &[("email", email), ("password", PASSWORD)]).await;
        visitor
    };
    let (mut early, mut late) = (begins("john@example.org").await, begins("jane@example.org").await);
    house.passes(SECOND_STEP_FOR - TimeDelta::seconds(1));
    early.press("/login/second-step", &[("second_factor", &johns[0])]).await;
    assert_eq!(early.status(), 200, "{}", early.text());
    house.passes(TimeDelta::seconds(1));
    late.press("/login/second-step", &[("second_factor", &janes[0])]).await;
    assert!(late.status() == 401 && late.says("Please log in once more"), "{}", late.text());
    assert!(late.has("input[name='password']"), "{}", late.text());
}

#[tokio::test]
async fn staff_who_need_one_are_led_to_it_from_everywhere() {
    let house = House::with_args(|args| args.staff_second_factor = true).await;
    let mut ada = house.admin().await;
    for path in ["/admin", "/account", "/admin/users", "/account/password", "/search"] {
        ada.open(path).await;
        assert!(ada.says("Staff here need a second factor"), "{path}: {}", ada.text());
    }
    guarded(&house, &mut ada).await;
    ada.open("/admin/users").await;
    assert!(ada.says("Users"), "{}", ada.text());
}

#[tokio::test]
async fn admins_take_it_from_whoever_has_lost_it() {
    let house = House::new().await;
    let mut ada = house.admin().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    ada.open("/admin/users").await;
    assert!(!ada.says("Take it away"), "nobody has one");
    guarded(&house, &mut john).await;
    let id = house.server.state().accounts.account_at("john@example.org").await.expect("John").id;
    ada.open("/admin/users").await;
    ada.press(&format!("/admin/users/{id}/second-factor"), &[]).await;
    assert!(ada.says("Users") && !ada.says("Take it away"), "{}", ada.text());
    john.open("/account").await;
    assert!(john.has("form[action='/login']"), "logged out: {}", john.text());
    house.browser_of("john@example.org").await;
}
