//! What is told outside of mail: the pages for a telephone number of one's own, and for webhooks.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;

use crate::house::{House, PASSWORD, complain};

/// Another program: what it was told, and whether it takes it.
#[derive(Clone, Default)]
struct Program {
    told: Arc<Mutex<Vec<String>>>,
    busy: Arc<Mutex<bool>>,
}

impl Program {
    /// Its address.
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}/", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/", post(Self::hear)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address
    }

    #[expect(clippy::unused_async, reason = "a handler is asynchronous")]
    async fn hear(State(program): State<Self>, body: String) -> StatusCode {
        program.told.lock().unwrap_or_else(PoisonError::into_inner).push(body);
        let busy = *program.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[tokio::test]
async fn a_customer_has_texts_sent_and_stops_them() {
    let gateway = Program::default();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.toml");
    let address = gateway.start().await;
    let described =
        format!("url = \"{address}\"\nnetworks = \"127.0.0.1\"\n[json]\nto = \"{{to}}\"\ntext = \"{{text}}\"\n");
    std::fs::write(&file, described).expect("written");
    let house = House::with_args(|args| args.sms = Some(file)).await;
    let mut admin = house.furnish().await;
    admin.open("/admin/agents/new").await;
    assert!(admin.says("it is sent text messages of what cannot wait"), "{}", admin.text());
    let mut john = house.customer("John Miller", "john@example.org").await;
    assert!(john.has("a[href='/account']"), "{}", john.html());
    john.open("/account").await;
    assert!(john.says("can also send as a text message") && !john.has("form[action='/account/phone/forget']"));
    john.press("/account/phone", &[("phone", "07700 900123")]).await;
    assert_eq!(john.status(), 422);
    assert!(john.has("#faults a[href='#phone']") && john.html().contains("07700 900123"), "{}", john.text());
    john.press("/account/phone", &[("phone", "+44 7700 900123")]).await;
    assert!(john.says("A code is on its way"), "{}", john.text());
    let text = gateway.taken().remove(0);
    let text: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let words = text["text"].as_str().expect("a text");
    let code: String = words.chars().filter(char::is_ascii_digit).collect();
    john.press("/account/phone/code", &[("code", "1234")]).await;
    assert_eq!(john.status(), 422);
    assert!(john.has("#faults a[href='#code']"), "{}", john.text());
    john.press("/account/phone/code", &[("code", &code)]).await;
    assert!(john.says("+447700900123"), "{}", john.text());
    let reference = complain(&mut john, "Broken kettle").await;
    house.server.state().deliver().await.expect("delivers");
    let texts = gateway.taken();
    assert!(texts.len() == 1 && texts[0].contains(&reference), "{texts:?}");
    john.open("/account").await;
    john.press("/account/phone/forget", &[]).await;
    assert!(!john.says("+447700900123"), "{}", john.text());
}

#[tokio::test]
async fn without_a_gateway_the_page_says_so() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/account").await;
    assert!(john.says("This site sends no text messages") && john.actions().is_empty(), "{:?}", john.actions());
}

#[tokio::test]
async fn an_admin_makes_tries_and_removes_a_webhook() {
    let program = Program::default();
    let address = program.start().await;
    let house = House::with_args(|args| args.webhook_network = vec!["127.0.0.1".to_owned()]).await;
    let mut admin = house.furnish().await;
    admin.open("/admin/webhooks").await;
    assert!(admin.says("No other program is told"), "{}", admin.text());
    admin.open("/admin/webhooks/new").await;
    let typed = [("name", "Shop <b>"), ("url", "http://10.0.0.1/"), ("events", "submitted, exploded")];
    admin.press("/admin/webhooks/new", &typed).await;
    assert_eq!(admin.status(), 422);
    for id in ["url", "events"] {
        assert!(admin.has(&format!("#faults a[href='#{id}']")), "{}", admin.text());
    }
    assert!(admin.says("There is no event “exploded”"), "{}", admin.text());
    let typed = [("name", "Shop <b>"), ("url", address.as_str()), ("events", "submitted, resolved")];
    admin.press("/admin/webhooks/new", &typed).await;
    assert!(admin.says("whsec_") && admin.says("shown this once"), "{}", admin.text());
    let page = admin.attribute("form[action$='/ping']", "action").expect("a form").replace("/ping", "");
    admin.open("/admin/webhooks").await;
    assert!(admin.says("Shop <b>") && admin.says("submitted, resolved") && admin.says("In use"), "{}", admin.text());
    admin.open(&page).await;
    assert!(!admin.says("whsec_"), "not again");
    *program.busy.lock().unwrap_or_else(PoisonError::into_inner) = true;
    admin.press(&format!("{page}/ping"), &[]).await;
    assert!(admin.says("Not taken") && admin.says("503") && admin.says("taken nothing since"), "{}", admin.text());
    *program.busy.lock().unwrap_or_else(PoisonError::into_inner) = false;
    let again = admin.attribute("form[action*='/deliveries/']", "action").expect("a form");
    admin.press(&again, &[]).await;
    assert!(admin.says("Taken") && !admin.says("Not taken"), "{}", admin.text());
    let told = program.taken();
    assert!(told.len() == 2 && told[0] == told[1], "{told:?}");
    admin.press(&page, &[("events", "")]).await;
    assert!(admin.says("Saved."), "{}", admin.text());
    admin.press(&page, &[("name", " ")]).await;
    assert!(admin.status() == 422 && admin.has("#faults a[href='#name']"), "{}", admin.text());
    admin.open(&page).await;
    admin.press(&format!("{page}/secret"), &[]).await;
    assert!(admin.says("whsec_"), "{}", admin.text());
    admin.open(&page).await;
    admin.press(&format!("{page}/enabled"), &[]).await;
    assert!(admin.says("Out of use."), "{}", admin.text());
    admin.press(&format!("{page}/enabled"), &[]).await;
    assert!(!admin.says("Out of use."), "{}", admin.text());
    admin.press(&format!("{page}/remove"), &[]).await;
    assert!(admin.says("No other program is told"), "{}", admin.text());
    admin.open(&page).await;
    assert_eq!(admin.status(), 404);

    admin.open("/admin/users/new").await;
    let otto = [("name", "Otto"), ("email", "otto@example.org"), ("role", "auditor"), ("password", PASSWORD)];
    admin.press("/admin/users/new", &otto).await;
    for name in ["otto", "sarah"] {
        let mut other = house.browser_of(&format!("{name}@example.org")).await;
        other.open("/admin/webhooks").await;
        assert_eq!(other.status(), 403, "{name}");
    }
}

#[tokio::test]
async fn everybody_chooses_which_notices_reach_them() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/account").await;
    assert!(john.has("a[href='/account/notices']"), "{}", john.html());
    john.open("/account/notices").await;
    assert!(john.has("input[name='email.messages'][checked]") && john.has("input[name='email.handling'][checked]"));
    assert!(!john.has("input[name='email.decisions']"), "what is mandatory has no switch: {}", john.html());
    assert!(!john.has("input[name='email.news']") && !john.has("input[name^='sms.']"), "{}", john.html());
    let wrong = [("zone", "Europe/Berlln"), ("quiet_hours.from", "22:00"), ("digest_at", "8 Uhr")];
    john.press("/account/notices", &wrong).await;
    assert_eq!(john.status(), 422);
    for id in ["zone", "quiet_hours-to", "digest_at"] {
        assert!(john.has(&format!("#faults a[href='#{id}']")), "{id}: {}", john.html());
    }
    assert!(john.html().contains("Europe/Berlln") && john.says("“8 Uhr” is not a time of day"), "{}", john.text());
    let good = [
        ("language", "ar"),
        ("zone", "Europe/Berlin"),
        ("quiet_hours.from", "22:00"),
        ("quiet_hours.to", "07:00"),
        ("digest_at", ""),
        ("email.messages", ""),
    ];
    john.press("/account/notices", &good).await;
    assert!(john.says("Your choice is saved"), "{}", john.text());
    assert!(john.has("option[value='ar'][selected]") && john.has("input[name='quiet_hours.to'][value='07:00']"));
    assert!(!john.has("input[name='email.messages'][checked]"), "{}", john.html());
    assert!(john.has("input[name='email.handling'][checked]"), "{}", john.html());

    let mut elsewhere = house.browser_of("john@example.org").await;
    elsewhere.open("/account/notices").await;
    john.press("/account/notices", &[("language", "de")]).await;
    elsewhere.press("/account/notices", &[("language", "en")]).await;
    assert!(elsewhere.status() == 409 && elsewhere.says("You changed this elsewhere"), "{}", elsewhere.text());

    for (email, switches) in [("ben@example.org", 2), ("maria@example.org", 2), ("ada@example.org", 0)] {
        let mut other = house.browser_of(email).await;
        other.open("/account/notices").await;
        assert_eq!(other.status(), 200, "{email}");
        assert_eq!(other.html().matches("type=\"checkbox\"").count(), switches, "{email}: {}", other.html());
        other.press("/account/notices", &[("zone", "Asia/Kolkata")]).await;
        assert!(other.says("Your choice is saved"), "{email}: {}", other.text());
    }
}

#[tokio::test]
async fn dead_letters_are_shown_to_those_who_run_the_system() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    admin.open("/admin/dead-letters").await;
    assert!(admin.says("Everything was delivered"), "{}", admin.text());
    let mut john = house.customer("John Miller", "john@example.org").await;
    let reference = complain(&mut john, "Broken kettle").await;
    let state = house.server.state();
    let now = state.clock.now();
    let claimed = state.desk.store().claim(now, now, 100).await.expect("claims").remove(0);
    let dead = complaint_core::notice::Settlement::Dead { why: "550 no such mailbox <b>".into() };
    state.desk.store().settle(&claimed, dead, now).await.expect("settles");
    admin.open("/admin/dead-letters").await;
    assert!(admin.says(&reference) && admin.says("550 no such mailbox <b>"), "{}", admin.text());
    assert!(!admin.says("Broken kettle"), "words of people: {}", admin.text());
    let again = format!("/admin/dead-letters/{}/redeliver", claimed.notice.id);
    for email in ["ben@example.org", "maria@example.org", "john@example.org"] {
        let mut other = house.browser_of(email).await;
        other.open("/admin/dead-letters").await;
        assert_eq!(other.status(), 403, "{email}");
        other.post(&again, "").await;
        assert_eq!(other.status(), 403, "{email}");
    }
    admin.open("/admin/dead-letters").await;
    admin.press(&again, &[]).await;
    assert!(admin.says("Everything was delivered"), "{}", admin.text());
    assert_eq!(
        state
            .desk
            .store()
            .waiting(None, 100)
            .await
            .expect("waiting")
            .iter()
            .filter(|it| it.id == claimed.notice.id)
            .count(),
        1
    );
}
