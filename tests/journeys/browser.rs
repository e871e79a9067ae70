//! The story in a real browser: Chromium, one profile per person, driven through its own driver.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::prelude::*;

use crate::server::{PASSWORD, Server};

/// How long a page may take to show something.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running driver. Stopped when dropped, and its browsers with it.
pub(crate) struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    /// Starts the driver; `None` where there is none and the tests may do without.
    pub(crate) fn start() -> Option<Self> {
        let there = |program: &str| {
            let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success())
        };
        if !(there("chromium") && there("chromedriver")) {
            let required = std::env::var_os("COMPLAINT_REQUIRE_BROWSER").is_some();
            assert!(!required, "there is no browser: apt-get install chromium chromium-driver");
            eprintln!("skipped: there is no Chromium with its driver; ./tests/run installs them");
            return None;
        }
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("the driver says its port");
        Some(Self { child, url: format!("http://127.0.0.1:{port}") })
    }

    /// A browser of its own, with cookies of its own.
    pub(crate) async fn browser(&self, script: bool) -> WebDriver {
        let mut wanted = DesiredCapabilities::chrome();
        for argument in
            ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1200,1000"]
        {
            wanted.add_arg(argument).expect("an argument");
        }
        if !script {
            let off = serde_json::json!({"profile.managed_default_content_settings.javascript": 2});
            wanted.add_experimental_option("prefs", off).expect("an option");
        }
        let browser = WebDriver::new(&self.url, wanted).await.expect("a browser");
        browser.set_implicit_wait_timeout(Duration::ZERO).await.expect("set");
        browser
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What people do with a page.
pub(crate) struct Person {
    pub(crate) browser: WebDriver,
    url: String,
}

impl Person {
    pub(crate) async fn at(driver: &Driver, url: &str, script: bool) -> Self {
        Self { browser: driver.browser(script).await, url: url.to_owned() }
    }

    pub(crate) async fn open(&self, path: &str) {
        self.browser.goto(format!("{}{path}", self.url)).await.expect("a page");
    }

    /// Types into the field with this name, inside the form that goes to an address ending in `form`.
    pub(crate) async fn fill(&self, form: &str, name: &str, value: &str) {
        let typed = async |field: &WebElement| {
            field.clear().await?;
            field.send_keys(value).await
        };
        self.on(&field(form, name), typed).await;
    }

    /// Chooses the option with this value.
    pub(crate) async fn choose(&self, form: &str, name: &str, value: &str) {
        let option = format!("{} option[value='{value}']", field(form, name));
        self.on(&option, async |option| option.click().await).await;
    }

    /// Gives files to a field, with the paths they have here.
    pub(crate) async fn attach(&self, form: &str, name: &str, files: &[&std::path::Path]) {
        let paths: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        self.on(&field(form, name), async |field| field.send_keys(paths.join("\n")).await).await;
    }

    /// Presses the button of the form that goes to an address ending in `form`, and waits for the page that answers:
    /// whoever goes elsewhere before has not sent anything.
    pub(crate) async fn send(&self, form: &str) {
        let page = self.find("html").await;
        let button = format!("form[action$='{form}'] button[type='submit'], form[action$='{form}'] button:not([type])");
        self.on(&button, press).await;
        let answered = async {
            let mut look = tokio::time::interval(Duration::from_millis(50));
            while page.tag_name().await.is_ok() {
                look.tick().await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, answered).await.is_ok();
        assert!(in_time, "the form {form} was sent and nothing answered:\n{}", self.text().await);
    }

    /// Opens every folded part of the page that holds the form, so that a person could see it.
    pub(crate) async fn unfold(&self, form: &str) {
        let folds = self
            .browser
            .find_all(By::XPath(format!("//form[contains(@action, '{form}')]/ancestor::details[not(@open)]/summary")))
            .await
            .expect("a page");
        for fold in folds {
            press(&fold).await.expect("unfolded");
        }
    }

    /// Does something with an element, again if the page was refreshed under it.
    async fn on(&self, selector: &str, act: impl AsyncFn(&WebElement) -> WebDriverResult<()>) {
        let done = async {
            loop {
                let element = self.find(selector).await;
                match act(&element).await {
                    Err(error) if matches!(error.as_inner(), WebDriverErrorInner::StaleElementReference(_)) => {}
                    other => return other,
                }
            }
        };
        let done = tokio::time::timeout(PATIENCE, done).await.expect("an element that stays");
        done.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    pub(crate) async fn find(&self, selector: &str) -> WebElement {
        let found = self.browser.query(By::Css(selector)).wait(PATIENCE, Duration::from_millis(100)).first().await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("no {selector} on this page: {error}\n{}", self.text().await),
        }
    }

    /// All that can be read on the page.
    pub(crate) async fn text(&self) -> String {
        match self.browser.find(By::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    /// Waits until the page shows these words, by itself.
    pub(crate) async fn sees(&self, words: &str) {
        let shown = async {
            let mut look = tokio::time::interval(Duration::from_millis(100));
            loop {
                look.tick().await;
                if self.text().await.contains(words) {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, shown).await.is_ok();
        assert!(in_time, "the page never showed {words:?}:\n{}", self.text().await);
    }
}

/// Where the field with this name is, inside the form that goes to an address ending in `form`.
fn field(form: &str, name: &str) -> String {
    format!("form[action$='{form}'] [name='{name}']")
}

async fn press(element: &WebElement) -> WebDriverResult<()> {
    element.scroll_into_view().await?;
    element.click().await
}

/// John, Sarah and the others, each in a browser of their own, in one organisation.
struct House {
    server: Server,
    driver: Driver,
}

impl House {
    fn open() -> Option<Self> {
        Driver::start().map(|driver| Self { server: Server::start(), driver })
    }

    async fn person(&self, script: bool) -> Person {
        Person::at(&self.driver, &self.server.url, script).await
    }

    async fn logged_in(&self, email: &str, script: bool) -> Person {
        let person = self.person(script).await;
        person.log_in(email).await;
        person
    }

    /// Everything an admin does before the first complaint, by hand: the set-up link, categories, staff.
    async fn found(&self) -> Person {
        let admin = self.person(true).await;
        let token = self.server.setup_token.as_deref().expect("a set-up link");
        admin.open(&format!("/setup?token={token}")).await;
        for (name, value) in
            [("name", "Ada Admin"), ("email", "ada@shop.example"), ("password", PASSWORD), ("password_again", PASSWORD)]
        {
            admin.fill("/setup", name, value).await;
        }
        admin.send("/setup").await;
        admin.log_in("ada@shop.example").await;
        for name in ["Damaged goods", "Late delivery"] {
            admin.open("/admin/categories/new").await;
            admin.fill("/admin/categories/new", "name", name).await;
            admin.send("/admin/categories/new").await;
            admin.sees(name).await;
        }
        let staff = [
            ("Sarah Stone", "sarah@shop.example", "1", "damaged goods"),
            ("Ben Brook", "ben@shop.example", "1", "late delivery"),
            ("Maria Marsh", "maria@shop.example", "2", ""),
            ("Omar Oak", "omar@shop.example", "3", ""),
        ];
        for (name, email, level, skills) in staff {
            let form = "/admin/agents/new";
            admin.open(form).await;
            admin.fill(form, "name", name).await;
            admin.fill(form, "email", email).await;
            admin.choose(form, "level", level).await;
            admin.fill(form, "skills", skills).await;
            admin.fill(form, "capacity", "5").await;
            admin.send(form).await;
            admin.sees(name).await;
            let token = self.server.mail.wait_for(email, "").await.token().expect("an invitation");
            let invited = self.person(true).await;
            invited.open(&format!("/invitation?token={token}")).await;
            invited.fill("/invitation", "password", PASSWORD).await;
            invited.fill("/invitation", "password_again", PASSWORD).await;
            invited.send("/invitation").await;
            invited.leave().await;
        }
        admin
    }

    /// John signs up, is not let in, confirms his address, and is.
    async fn john(&self, script: bool) -> Person {
        let john = self.person(script).await;
        john.open("/signup").await;
        for (name, value) in [
            ("name", "John Field"),
            ("email", "john@home.example"),
            ("password", PASSWORD),
            ("password_again", PASSWORD),
        ] {
            john.fill("/signup", name, value).await;
        }
        john.send("/signup").await;
        let token = self.server.mail.wait_for("john@home.example", "").await.token().expect("a link");
        john.open("/login").await;
        john.fill("/login", "email", "john@home.example").await;
        john.fill("/login", "password", PASSWORD).await;
        john.send("/login").await;
        john.sees("confirm").await;
        john.open("/complaints").await;
        assert!(!john.text().await.contains("New complaint"), "an unconfirmed address was let in");
        john.open(&format!("/verify?token={token}")).await;
        john.send("/verify").await;
        john.log_in("john@home.example").await;
        john
    }

    /// John files his complaint by hand, with two files. Returns the reference.
    async fn complain(&self, john: &Person) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let (photo, invoice) = (folder.path().join("lid.png"), folder.path().join("invoice.pdf"));
        std::fs::write(&photo, crate::http::PNG).expect("written");
        std::fs::write(&invoice, crate::http::PDF).expect("written");
        john.open("/complaints/new").await;
        john.follow("Damaged goods").await;
        let form = "/complaints/new";
        let typed = [
            ("subject", "The kettle came with a cracked lid"),
            ("description", "I opened the parcel today and the lid of the kettle is cracked."),
            ("product", "Kettle K2"),
            ("order_number", "A-1009"),
            // A date field takes keystrokes in the order of the browser's language: month, day, year.
            ("purchase_date", "11022026"),
            ("contact.phone", "+44 20 7946 0000"),
        ];
        for (name, value) in typed {
            john.fill(form, name, value).await;
        }
        john.choose(form, "wish", "replacement").await;
        john.attach(form, "files", &[&photo, &invoice]).await;
        john.send(form).await;
        john.sees("We have your complaint").await;
        john.sees("Sarah Stone").await;
        john.find(".reference").await.text().await.expect("a reference").trim().to_owned()
    }
}

impl Person {
    async fn log_in(&self, email: &str) {
        self.open("/login").await;
        self.fill("/login", "email", email).await;
        self.fill("/login", "password", PASSWORD).await;
        self.send("/login").await;
        self.sees("Log out").await;
    }

    /// Follows the link with these words.
    async fn follow(&self, words: &str) {
        let link = format!("//main//a[contains(., '{words}')]");
        let found = self.browser.query(By::XPath(link)).wait(PATIENCE, Duration::from_millis(100)).first().await;
        found.unwrap_or_else(|error| panic!("no link {words}: {error}")).click().await.expect("followed");
    }

    /// Gives a command on the page of a complaint: fills its form in and sends it.
    async fn command(&self, name: &str, typed: &[(&str, &str)]) {
        let form = format!("/commands/{name}");
        self.find(&format!("form[action$='{form}']")).await;
        self.unfold(&form).await;
        for (field, value) in typed {
            let element = self.find(&self::field(&form, field)).await;
            let tag = element.tag_name().await.expect("a tag");
            let radio = element.attr("type").await.expect("readable").as_deref() == Some("radio");
            if tag == "select" {
                self.choose(&form, field, value).await;
            } else if radio {
                let choice = format!("{}[value='{value}']", self::field(&form, field));
                self.on(&choice, press).await;
            } else {
                self.fill(&form, field, value).await;
            }
        }
        self.send(&form).await;
    }

    async fn leave(self) {
        let _ = self.browser.quit().await;
    }
}

#[tokio::test]
async fn john_s_complaint_in_the_browser_live_in_every_window() {
    let Some(house) = House::open() else { return };
    let admin = house.found().await;
    let john = house.john(true).await;
    let reference = house.complain(&john).await;
    let page = format!("/complaints/{reference}");
    house.server.mail.wait_for("john@home.example", "Sarah Stone").await;

    let sarah = house.logged_in("sarah@shop.example", true).await;
    sarah.sees("The kettle came with a cracked lid").await;
    sarah.open(&page).await;
    for words in ["lid.png", "invoice.pdf", "A-1009", "2 Nov 2026", "lacks the skill “late-delivery”"] {
        if words.starts_with("lacks") {
            sarah.sees("Ben Brook").await;
        } else {
            sarah.sees(words).await;
        }
    }

    // Each sees what the other does without touching the page.
    john.open(&page).await;
    john.sees("Assigned").await;
    sarah.command("begin", &[]).await;
    john.sees("In progress").await;
    sarah.command("ask", &[("text", "Was the parcel damaged too?")]).await;
    john.sees("Was the parcel damaged too?").await;
    house.server.mail.wait_for("john@home.example", "Was the parcel damaged too?").await;
    sarah.sees("Awaiting customer").await;
    john.command("answer", &[("text", "No, only the kettle.")]).await;
    sarah.sees("No, only the kettle.").await;
    sarah.command("note", &[("text", "Third lid this week.")]).await;
    sarah.sees("Third lid this week.").await;
    let decision = [
        ("outcome", "upheld"),
        ("explanation", "The lid was cracked when it left us."),
        ("apology", "We are sorry."),
        ("remedies.0.kind", "replacement"),
        ("remedies.0.instructions", "Keep the old kettle; a new one arrives on Friday."),
    ];
    john.sees("Your answer is sent.").await;
    sarah.command("resolve", &decision).await;
    john.sees("a new one arrives on Friday").await;
    assert!(
        !john.text().await.contains("Your answer is sent."),
        "what was done last is old news above what came since"
    );
    assert!(!john.text().await.contains("Third lid"), "a note is for staff alone");
    john.command("accept", &[]).await;
    sarah.open(&page).await;
    sarah.command("fulfil_remedy", &[("evidence", "Parcel 17, signed for by John.")]).await;
    sarah.sees("Closed").await;
    john.sees("Closed").await;
    john.command("rate", &[("score", "5"), ("comment", "Quick and kind.")]).await;
    john.sees("Quick and kind.").await;
    john.open("/complaints").await;
    john.sees(&reference).await;
    admin.open("/admin").await;
    admin.sees("1 rating").await;
    house.server.replays().await;
    for person in [admin, john, sarah] {
        person.leave().await;
    }
}

#[tokio::test]
async fn escalated_and_contested_without_script() {
    let Some(house) = House::open() else { return };
    house.found().await.leave().await;
    let john = house.john(false).await;
    let reference = house.complain(&john).await;
    let page = format!("/complaints/{reference}");

    let sarah = house.logged_in("sarah@shop.example", false).await;
    sarah.open(&page).await;
    sarah.command("begin", &[]).await;
    sarah.command("escalate", &[("reason", "This is more than I can decide.")]).await;
    sarah.open(&page).await;
    assert!(!sarah.text().await.contains("cracked"), "the former handler has lost access");
    sarah.leave().await;

    let no = [("outcome", "not_upheld"), ("explanation", "It worked when we tried it.")];
    let maria = house.logged_in("maria@shop.example", false).await;
    maria.open(&page).await;
    maria.command("begin", &[]).await;
    maria.command("resolve", &no).await;
    maria.leave().await;
    john.open(&page).await;
    john.sees("It worked when we tried it.").await;
    john.command("contest", &[("reason", "It does not work here.")]).await;

    let omar = house.logged_in("omar@shop.example", false).await;
    omar.open(&page).await;
    omar.sees("Held by Omar Oak").await;
    omar.command("begin", &[]).await;
    omar.command("resolve", &no).await;
    omar.leave().await;
    john.open(&page).await;
    john.sees("This decision is final.").await;
    john.command("contest", &[("reason", "Still broken.")]).await;
    john.sees("final authority").await;
    john.sees("ombudsman").await;
    house.server.replays().await;
    john.leave().await;
}

#[tokio::test]
async fn nobody_acts_and_the_customer_sees_it_escalated() {
    let Some(house) = House::open() else { return };
    house.found().await.leave().await;
    let john = house.john(true).await;
    let reference = house.complain(&john).await;
    let admin = house.server.token("ada@shop.example").await;
    house.server.advance(&admin, 24 * 6).await;
    house.server.mail.wait_for("john@home.example", "has been escalated").await;
    // Six days later his session is over.
    john.log_in("john@home.example").await;
    john.open(&format!("/complaints/{reference}")).await;
    john.sees("Somebody higher up takes over: supervisor").await;
    john.sees("Given to Maria Marsh").await;
    house.server.replays().await;
    john.leave().await;
}

#[tokio::test]
async fn mary_complains_without_an_account_and_later_signs_up() {
    let Some(house) = House::open() else { return };
    house.found().await.leave().await;
    let (email, mail) = ("mary@home.example", &house.server.mail);
    let mary = house.person(true).await;
    mary.open("/").await;
    mary.follow("Complain without an account").await;
    mary.follow("Damaged goods").await;
    let typed = [
        ("subject", "The kettle came with a cracked lid"),
        ("description", "I opened the parcel today and the lid of the kettle is cracked."),
        ("contact.name", "Mary Poe"),
        ("contact.email", email),
    ];
    for (name, value) in typed {
        mary.fill("/guest/new", name, value).await;
    }
    mary.send("/guest/new").await;
    mary.sees("One step is left").await;
    let question = mail.wait_for(email, "").await;
    assert!(!question.text.contains("kettle"), "nobody knows yet whose address it is: {}", question.text);
    mary.open(&format!("/mail/confirm?token={}", question.token().expect("a link"))).await;
    mary.sees("cracked lid").await;
    mary.send("/mail/confirm").await;
    mary.sees("We have your complaint").await;
    let reference = mary.find(".reference").await.text().await.expect("a reference").trim().to_owned();
    mary.follow("Go to the complaint").await;
    mary.sees("Sarah Stone").await;

    let sarah = house.logged_in("sarah@shop.example", true).await;
    sarah.open(&format!("/complaints/{reference}")).await;
    sarah.command("begin", &[]).await;
    sarah.command("ask", &[("text", "Which shop was it?")]).await;
    let link = mail.wait_for(email, "Which shop was it?").await.link("/track/").expect("a link");
    let (_, key) = link.split_once('?').expect("a key");
    // On the telephone, where nobody is logged in and no script runs.
    let telephone = house.person(false).await;
    telephone.open(&link).await;
    telephone.command(&format!("answer?{key}"), &[("text", "The one in Mill Lane.")]).await;
    telephone.sees("The one in Mill Lane.").await;
    sarah.sees("The one in Mill Lane.").await;

    mary.open("/signup").await;
    let typed = [("name", "Mary Poe"), ("email", email), ("password", PASSWORD), ("password_again", PASSWORD)];
    for (name, value) in typed {
        mary.fill("/signup", name, value).await;
    }
    mary.send("/signup").await;
    let token = mail.wait_for(email, "An account for your complaints").await.token().expect("a link");
    mary.open(&format!("/verify?token={token}")).await;
    for (name, value) in [("name", "Mary Poe"), ("password", PASSWORD), ("password_again", PASSWORD)] {
        mary.fill("/verify", name, value).await;
    }
    mary.send("/verify").await;
    mary.open("/login").await;
    for (name, value) in [("email", email), ("password", PASSWORD)] {
        mary.fill("/login", name, value).await;
    }
    mary.send("/login").await;
    mary.sees("Log out").await;
    telephone.open(&link).await;
    telephone.sees("does not work any more").await;
    mary.open(&format!("/complaints/{reference}")).await;
    mary.sees("The one in Mill Lane.").await;
    house.server.replays().await;
    for person in [mary, sarah, telephone] {
        person.leave().await;
    }
}

#[tokio::test]
async fn what_one_may_not_see_any_more_leaves_the_open_page() {
    let Some(house) = House::open() else { return };
    let server = &house.server;
    let admin = server.founded().await;
    let token = server.john().await;
    let words = json!({"category": "Damaged goods", "subject": "Cracked lid", "description": "The lid is cracked."});
    let complaint = server.post("/api/v1/complaints", &token, words).await;
    let page = format!("/complaints/{}", complaint["reference"].as_str().expect("a reference"));
    let (john, sarah) =
        (house.logged_in("john@home.example", true).await, house.logged_in("sarah@shop.example", true).await);
    for person in [&john, &sarah] {
        person.open(&page).await;
        person.sees("The lid is cracked.").await;
    }

    let maria = server.token("maria@shop.example").await;
    let command = format!("/api/v1{page}/commands/escalate");
    server.post(&command, &maria, json!({"reason": "I take this one."})).await;
    sarah.sees("This complaint is no longer yours to see.").await;
    assert!(!sarah.text().await.contains("cracked"), "{}", sarah.text().await);

    john.sees("Somebody higher up takes over: supervisor").await;
    let account = server.get("/api/v1/me", &token).await["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/users/{account}");
    let disabled = server.request(Method::PATCH, &path, &admin).json(&json!({"enabled": false})).send().await;
    assert!(disabled.expect("an answer").status().is_success());
    john.sees("You are logged out.").await;
    assert!(!john.text().await.contains("cracked"), "{}", john.text().await);
    for person in [john, sarah] {
        person.leave().await;
    }
}

#[tokio::test]
async fn many_open_pages_leave_room_for_one_more() {
    let Some(house) = House::open() else { return };
    let server = &house.server;
    server.founded().await;
    let token = server.john().await;
    let words = json!({"category": "Damaged goods", "subject": "Cracked lid", "description": "The lid is cracked."});
    let complaint = server.post("/api/v1/complaints", &token, words).await;
    let page = format!("/complaints/{}", complaint["reference"].as_str().expect("a reference"));
    let john = house.logged_in("john@home.example", true).await;
    let first = john.browser.window().await.expect("a tab");
    john.open(&page).await;
    // A browser holds six connections to a site, and each of these pages wants one for as long as it is looked at.
    john.browser.set_page_load_timeout(PATIENCE).await.expect("set");
    for _ in 1..8 {
        let tab = john.browser.new_tab().await.expect("a tab");
        john.browser.switch_to_window(tab).await.expect("switched");
        john.open(&page).await;
        john.sees("The lid is cracked.").await;
    }
    let maria = server.token("maria@shop.example").await;
    server.post(&format!("/api/v1{page}/commands/escalate"), &maria, json!({"reason": "I take this one."})).await;
    john.sees("Somebody higher up takes over: supervisor").await;
    john.browser.switch_to_window(first).await.expect("switched");
    john.sees("Somebody higher up takes over: supervisor").await;
    john.leave().await;
}

#[tokio::test]
async fn what_was_typed_outlives_the_session() {
    let Some(house) = House::open() else { return };
    let server = &house.server;
    server.founded().await;
    server.john().await;
    server.customer("Jane Marsh", "jane@home.example").await;
    for script in [true, false] {
        let john = house.logged_in("john@home.example", script).await;
        john.open("/complaints/new").await;
        john.follow("Damaged goods").await;
        let form = "/complaints/new";
        john.fill(form, "subject", "Cracked lid").await;
        john.fill(form, "description", "The lid is cracked, and the handle too.").await;
        john.choose(form, "wish", "replacement").await;
        // He is called away, and his session runs out.
        john.browser.delete_all_cookies().await.expect("forgotten");
        john.send(form).await;
        john.sees("Nothing was sent").await;
        let kept = john.find("[data-name='description']").await.prop("value").await.expect("a field");
        assert_eq!(kept.as_deref(), Some("The lid is cracked, and the handle too."));

        john.fill("/login", "email", "john@home.example").await;
        john.fill("/login", "password", "not this one at all").await;
        john.send("/login").await;
        john.fill("/login", "password", PASSWORD).await;
        john.send("/login").await;
        john.sees("About Damaged goods").await;
        if script {
            john.sees("it was not sent").await;
            let wish = john.find("select[name='wish']").await.prop("value").await.expect("a field");
            assert_eq!(wish.as_deref(), Some("replacement"));
            john.send(form).await;
            john.sees("We have your complaint").await;
            john.sees("Cracked lid").await;
            john.open("/complaints/new?category=damaged-goods").await;
            let subject = john.find("input[name='subject']").await.prop("value").await.expect("a field");
            assert_eq!(subject.as_deref(), Some(""), "it is put back once");

            // Somebody else who logs in here gets nothing of it.
            john.fill(form, "subject", "Not for others").await;
            john.fill(form, "description", "It is mine alone.").await;
            john.browser.delete_all_cookies().await.expect("forgotten");
            john.send(form).await;
            john.sees("Nothing was sent").await;
            john.fill("/login", "email", "jane@home.example").await;
            john.fill("/login", "password", PASSWORD).await;
            john.send("/login").await;
            john.sees("About Damaged goods").await;
            let subject = john.find("input[name='subject']").await.prop("value").await.expect("a field");
            assert_eq!(subject.as_deref(), Some(""), "typed by another");
        }
        john.leave().await;
    }
}

#[tokio::test]
async fn what_cannot_be_done_any_more_says_so_beside_what_was_typed() {
    const OVER: &str = "this cannot be done any more";
    let Some(house) = House::open() else { return };
    let server = &house.server;
    server.founded().await;
    let token = server.john().await;
    let words = json!({"category": "Damaged goods", "subject": "Cracked lid", "description": "The lid is cracked."});
    let complaint = server.post("/api/v1/complaints", &token, words).await;
    let page = format!("/complaints/{}", complaint["reference"].as_str().expect("a reference"));
    let sarah = house.logged_in("sarah@shop.example", true).await;
    sarah.open(&page).await;
    sarah.command("begin", &[]).await;
    sarah.sees("You have begun.").await;
    sarah.unfold("/commands/resolve").await;
    sarah.fill("/commands/resolve", "explanation", "The lid was cracked before it left").await;
    sarah.find("form[action$='/commands/propose']").await;
    let john = house.logged_in("john@home.example", true).await;
    john.open(&page).await;
    john.find("form[action$='/attachments']").await;

    server.post(&format!("/api/v1{page}/commands/withdraw"), &token, json!({})).await;
    sarah.sees(OVER).await;
    sarah.sees("Withdrawn").await;
    let draft = sarah.find("form[action$='/resolve'] [name='explanation']").await.prop("value").await;
    assert_eq!(draft.expect("a field").as_deref(), Some("The lid was cracked before it left"));
    let button = sarah.find("form[action$='/resolve'] button").await;
    assert!(!button.is_enabled().await.expect("readable"), "it would be refused");
    let others = sarah.browser.find_all(By::Css("form[action$='/commands/propose']")).await.expect("readable");
    assert!(others.is_empty(), "where nothing was typed, nothing is left");
    john.sees("Withdrawn").await;
    let files = john.browser.find_all(By::Css("form[action$='/attachments']")).await.expect("readable");
    assert!(files.is_empty(), "files are not taken any more");
    john.leave().await;

    // What can be done again is.
    server.post(&format!("/api/v1{page}/commands/reinstate"), &token, json!({})).await;
    server.post(&format!("/api/v1{page}/commands/withdraw"), &token, json!({})).await;
    sarah.sees("Withdrawn").await;
    assert_eq!(sarah.text().await.matches(OVER).count(), 1, "said once");
    sarah.leave().await;
}

#[tokio::test]
async fn a_message_that_was_begun_when_a_question_came_is_sent_as_its_answer() {
    const DRAFT: &str = "By the way: it was in a blue box.";
    let Some(house) = House::open() else { return };
    let server = &house.server;
    server.founded().await;
    let (johns, sarahs) = (server.john().await, server.token("sarah@shop.example").await);
    let words = json!({"category": "Damaged goods", "subject": "Cracked lid", "description": "The lid is cracked."});
    let complaint = server.post("/api/v1/complaints", &johns, words).await;
    let page = format!("/complaints/{}", complaint["reference"].as_str().expect("a reference"));
    let command =
        async |name: &str, body: Value| server.post(&format!("/api/v1{page}/commands/{name}"), &sarahs, body).await;
    command("begin", json!({})).await;
    let john = house.logged_in("john@home.example", true).await;
    john.open(&page).await;
    john.fill("/commands/post", "text", DRAFT).await;
    command("ask", json!({"text": "Which box was it in?"})).await;
    john.sees("Which box was it in?").await;
    john.find("form[action$='/commands/answer'] button:enabled").await;
    john.send("/commands/answer").await;
    john.sees("In progress").await;
    let after = server.get(&format!("/api/v1{page}/messages"), &johns).await;
    assert_eq!(after["items"].as_array().expect("items").last().expect("a message")["text"], DRAFT);
    john.leave().await;
}

/// The places on a page where stacked signs are not held by a box of their own.
const LOOSE: &str = r"
    const loose = [];
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
      const text = words.currentNode;
      if (!/\u0301{9}/.test(text.data) || !text.parentElement.getClientRects().length) continue;
      let box = text.parentElement;
      const holds = (it) => { const style = getComputedStyle(it); return style.display !== 'inline' && style.overflowY !== 'visible'; };
      while (box && !holds(box)) box = box.parentElement;
      if (!box || box.getBoundingClientRect().height > 150) loose.push(text.parentElement.outerHTML.slice(0, 90));
    }
    return loose;
";

/// The controls that stand on paper, once the rules for it hold on the screen.
const PRINTED: &str = r"
    for (const sheet of document.styleSheets) for (const rule of sheet.cssRules) {
      if (rule.media?.mediaText === 'print') rule.media.mediaText = 'all';
    }
    const controls = [...document.querySelectorAll('form, input, textarea, select, button')];
    return controls.filter((it) => it.getClientRects().length).map((it) => it.outerHTML.slice(0, 90));
";

#[tokio::test]
async fn words_stay_in_their_boxes_and_forms_off_the_paper() {
    let Some(house) = House::open() else { return };
    let server = &house.server;
    server.founded().await;
    let token = server.john().await;
    let stacked = format!("Z{}", "\u{301}".repeat(150));
    let words = json!({
        "category": "Damaged goods", "subject": stacked, "description": stacked, "product": stacked, "contact": {"name": stacked},
    });
    let complaint = server.post("/api/v1/complaints", &token, words).await;
    let page = format!("/complaints/{}", complaint["reference"].as_str().expect("a reference"));
    server.post(&format!("/api/v1{page}/commands/post"), &token, json!({"text": stacked})).await;
    let john = house.logged_in("john@home.example", true).await;
    let sarah = house.logged_in("sarah@shop.example", true).await;
    for (who, address, least) in
        [(&john, "/complaints", 1), (&john, &page, 5), (&sarah, "/work", 1), (&sarah, &page, 5)]
    {
        who.open(address).await;
        who.sees("Z").await;
        let shown = who.find("main").await.prop("textContent").await.expect("readable").unwrap_or_default();
        assert!(shown.matches(&stacked).count() >= least, "{address}: {shown}");
        let loose = who.browser.execute(LOOSE, vec![]).await.expect("runs").convert::<Vec<String>>().expect("a list");
        assert!(loose.is_empty(), "{address}: {loose:#?}");
    }
    for who in [&john, &sarah] {
        who.find("form[action$='/commands/post'] button").await;
        let printed = who.browser.execute(PRINTED, vec![]).await.expect("runs").convert::<Vec<String>>();
        assert_eq!(printed.expect("a list"), Vec::<String>::new());
        who.sees("Z").await;
    }
    for person in [john, sarah] {
        person.leave().await;
    }
}

/// How many lines the head of a page takes, and whether the page is wider than its window.
const HEAD: &str = r"
    const tops = new Set([...document.querySelectorAll('.top > div > *')].map((it) => {
      const box = it.getBoundingClientRect();
      return Math.round((box.top + box.height / 2) / 20);
    }));
    return [tops.size, document.documentElement.scrollWidth > document.documentElement.clientWidth ? 1 : 0];
";

#[tokio::test]
async fn the_navigation_of_admins_stands_on_one_line() {
    let Some(house) = House::open() else { return };
    house.server.founded().await;
    let admin = house.logged_in("ada@shop.example", true).await;
    for (width, height, address, lines) in [
        (1280, 900, "/admin", Some(1)),
        (1280, 900, "/admin/policy", Some(1)),
        // Those that one label stands for come below.
        (1280, 900, "/admin/webhooks", Some(2)),
        (390, 844, "/admin", None),
        (390, 844, "/admin/dead-letters", None),
    ] {
        admin.browser.set_window_rect(0, 0, width, height).await.expect("resized");
        admin.open(address).await;
        admin.find("nav[aria-label='Main'] [aria-current]").await;
        let head = admin.browser.execute(HEAD, vec![]).await.expect("runs").convert::<Vec<usize>>().expect("figures");
        assert!(lines.is_none_or(|lines| head[0] == lines), "{address} at {width}: {head:?}");
        assert_eq!(head[1], 0, "{address} at {width} is wider than its window");
    }
    admin.leave().await;
}
