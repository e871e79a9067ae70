use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt as _;

use crate::browser::{Browser, Chosen};
use crate::house::{House, PASSWORD, at};

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_and_names_every_fault() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=late-delivery").await;
    let typed = [
        ("subject", " "),
        ("description", "Weeks late."),
        ("wish", "refund"),
        ("contact.email", "john"),
        ("purchase_date", "2031-01-01"),
    ];
    john.press_with("/complaints/new", &typed, &[Chosen { field: "files", name: "x.exe", bytes: b"MZ\x90\0" }]).await;
    assert_eq!(john.status(), 422);
    assert!(john.says("x.exe") && john.says("of a kind we cannot take in"), "{}", john.text());
    assert!(john.html().contains("Weeks late."), "what was typed is kept");
    assert_eq!(john.attribute("#wish option[selected]", "value").as_deref(), Some("refund"), "what was chosen too");
    for id in ["subject", "contact-email", "purchase_date", "files"] {
        assert!(john.has(&format!("#faults a[href='#{id}']")), "{id}: {}", john.text());
        assert!(john.has(&format!("#{id}[aria-invalid=true][aria-describedby~='{id}-fault']")), "{id}");
    }
    john.open("/complaints").await;
    assert!(john.says("You have not complained about anything yet"), "nothing half done: {}", john.text());
}

/// Where the faults above a form lead to, in their order.
fn faults(browser: &Browser<'_>) -> Vec<String> {
    let html = browser.html();
    let (_, list) = html.split_once("id=\"faults\"").unwrap_or_else(|| panic!("no faults: {}", browser.text()));
    let list = list.split("</ul>").next().unwrap_or_default();
    list.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn what_cannot_be_read_and_what_the_rules_refuse_is_told_at_once() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    john.open("/complaints/new?category=late-delivery").await;
    let typed = [("subject", " "), ("description", ""), ("purchase_date", "last week"), ("contact.phone", "after six")];
    john.press("/complaints/new", &typed).await;
    assert_eq!(
        (john.status(), faults(&john)),
        (422, ["subject", "description", "purchase_date", "contact-phone"].map(str::to_owned).to_vec())
    );

    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    sarah.press(&at(&reference, "begin"), &[]).await;
    let typed = [("outcome", "upheld"), ("remedies.0.kind", "refund"), ("remedies.0.amount", "much")];
    sarah.press(&at(&reference, "resolve"), &typed).await;
    let told = ["resolve-explanation", "resolve-apology", "resolve-remedies-0-amount"];
    let mut said = faults(&sarah);
    said.sort_by_key(|id| told.iter().position(|known| known == id));
    assert_eq!((sarah.status(), said), (422, told.map(str::to_owned).to_vec()));
    sarah.press(&at(&reference, "hold"), &[("until", "soon")]).await;
    assert_eq!((sarah.status(), faults(&sarah)), (422, ["hold-party", "hold-until"].map(str::to_owned).to_vec()));
    let exe = [Chosen { field: "files", name: "x.exe", bytes: b"MZ\x90\0" }];
    sarah.press_with(&at(&reference, "post"), &[], &exe).await;
    assert_eq!((sarah.status(), faults(&sarah)), (422, vec!["post-files".to_owned()]), "nobody forgot to write");

    let mut admin = house.browser_of("ada@example.org").await;
    admin.open("/admin/agents/new").await;
    let typed = [
        ("name", ""),
        ("email", "sarah"),
        ("phone", "after six"),
        ("skills", "tea, <b>"),
        ("capacity", "many"),
        ("languages", "en, of the hills"),
    ];
    admin.press("/admin/agents/new", &typed).await;
    let told = ["name", "email", "phone", "skills", "capacity", "languages"];
    assert_eq!((admin.status(), faults(&admin)), (422, told.map(str::to_owned).to_vec()));
    admin.open("/admin/agents").await;
    let known = admin.attribute("main th a[href^='/admin/agents/u_']", "href").expect("an agent");
    admin.open(&known).await;
    admin
        .press(&known, &[("name", " "), ("phone", "after six"), ("capacity", "many"), ("languages", "of the hills")])
        .await;
    let told = ["name", "phone", "capacity", "languages"];
    assert_eq!((admin.status(), faults(&admin)), (422, told.map(str::to_owned).to_vec()));

    admin.open("/admin/categories/new").await;
    admin.press("/admin/categories/new", &[("name", "-"), ("weight", "0"), ("targets.resolution", "soon")]).await;
    let told = ["name", "weight", "targets-resolution"];
    assert_eq!((admin.status(), faults(&admin)), (422, told.map(str::to_owned).to_vec()));
    let typed = [("name", "Late Delivery"), ("weight", "0"), ("targets.resolution", "soon")];
    admin.press("/admin/categories/new", &typed).await;
    assert_eq!(faults(&admin), told.map(str::to_owned).to_vec(), "that there is one already, too");
    admin.open("/admin/categories/late-delivery").await;
    let typed = [("name", "Damaged goods"), ("weight", "0"), ("targets.resolution", "soon")];
    admin.press("/admin/categories/late-delivery", &typed).await;
    assert_eq!(faults(&admin), told.map(str::to_owned).to_vec());

    admin.open(&known).await;
    let typed = [("absence.from", "2026-05-02T09:00"), ("absence.until", "2026-05-01T09:00")];
    admin.press(&known, &typed).await;
    assert!(admin.says("The end of the absence must be later than the beginning."), "{}", admin.text());

    admin.open("/admin/users/new").await;
    admin.press("/admin/users/new", &[("email", "x"), ("role", "customer")]).await;
    let told = ["name", "email", "password"];
    assert_eq!((admin.status(), faults(&admin)), (422, told.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn pressing_twice_makes_one_complaint() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    let mut seen = Vec::new();
    john.open("/complaints/new?category=late-delivery").await;
    let key = john.attribute("input[name=key]", "value").expect("a key");
    for _ in 0..2 {
        john.open("/complaints/new?category=late-delivery").await;
        john.press("/complaints/new", &[("subject", "Late"), ("description", "Weeks late."), ("key", &key)]).await;
        assert!(john.says("We have your complaint"), "{}", john.text());
        seen.push(john.reference());
    }
    assert_eq!(seen[0], seen[1]);
    john.open("/complaints/new?category=late-delivery").await;
    john.press("/complaints/new", &[("subject", "Late"), ("description", "And wet."), ("key", &key)]).await;
    assert_eq!(john.status(), 409);
    john.press("/complaints/new", &[]).await;
    assert_ne!(john.reference(), seen[0], "with its new key it is another complaint");
}

#[tokio::test]
async fn a_stale_form_changes_nothing_and_keeps_the_words() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=late-delivery").await;
    john.press("/complaints/new", &[("subject", "Late"), ("description", "Weeks late.")]).await;
    let reference = john.reference();
    let page = format!("/complaints/{reference}");
    let mut ben = house.browser_of("ben@example.org").await;
    ben.open(&page).await;
    john.open(&page).await;
    ben.press(&format!("{page}/commands/begin"), &[]).await;
    john.press(&format!("{page}/commands/withdraw"), &[("reason", "It came at last.")]).await;
    assert_eq!(john.status(), 409);
    assert!(john.says("Changed meanwhile") && john.says("In progress"), "{}", john.text());
    assert!(john.html().contains("It came at last.") && !john.says("with its version"), "{}", john.text());
    john.press(&format!("{page}/commands/withdraw"), &[]).await;
    assert!(john.says("Withdrawn"), "{}", john.text());
    john.open(&format!("/complaints/new?category=late-delivery&follows={reference}")).await;
    assert!(john.says(&format!("It follows {reference}")), "{}", john.text());
    john.press("/complaints/new", &[("subject", "Late again"), ("description", "It went back.")]).await;
    assert!(john.says("We have your complaint") && john.reference() != reference, "{}", john.text());
}

#[tokio::test]
async fn what_was_typed_into_a_form_that_is_gone_is_shown() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open(&page).await;
    john.open(&page).await;
    john.press(&at(&reference, "withdraw"), &[]).await;
    maria.press(&at(&reference, "dismiss"), &[("reason", "spam"), ("text", "Not about <us>.\nReally.")]).await;
    assert_eq!(maria.status(), 409);
    assert!(maria.says("Changed meanwhile") && maria.says("cannot be done any more"), "{}", maria.text());
    assert!(!maria.says("still in the form") && !maria.has("form[action$='/dismiss']"), "{}", maria.text());
    assert!(maria.html().contains("Not about &#60;us&#62;.\nReally.</textarea>"), "{}", maria.html());
    assert!(maria.says("Text for the customer") && maria.html().contains("Spam</textarea>"), "{}", maria.html());
    assert!(!maria.has("[name='text'][id^='kept']"), "it is to be copied, not sent");

    // The same where the rules refuse it, and not the version.
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&page).await;
    assert!(!sarah.has("#kept-1"), "nothing was typed");
    let mut maria = house.browser_of("maria@example.org").await;
    john.press(&at(&reference, "reinstate"), &[]).await;
    maria.open(&page).await;
    john.press(&at(&reference, "withdraw"), &[]).await;
    maria.press(&at(&reference, "post"), &[("text", "We look at it today.")]).await;
    assert_eq!(maria.status(), 422);
    assert!(maria.says("This was not done") && maria.html().contains("We look at it today.</textarea>"));
}

#[tokio::test]
async fn a_button_pressed_twice_does_it_once() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let page = format!("/complaints/{reference}");
    let mut sarah = house.browser_of("sarah@example.org").await;
    let count = |browser: &Browser<'_>, words: &str| browser.html().matches(words).count();
    john.open(&page).await;
    sarah.open(&page).await;
    for (who, command, words, said) in [
        ("john", "post", "Is there any news?", "Your message is sent."),
        ("sarah", "note", "He called.", "Your note is kept."),
        ("sarah", "begin", "", "You have begun."),
        ("sarah", "ask", "Which kettle?", "Your question is sent."),
    ] {
        let who = if who == "john" { &mut john } else { &mut sarah };
        let typed = [("text", words)];
        let typed = if words.is_empty() { &[][..] } else { &typed[..] };
        let (mut twin, form) = (who.clone(), at(&reference, command));
        let before = twin.clone();
        tokio::join!(who.press(&form, typed), twin.press(&form, typed));
        for browser in [&*who, &twin] {
            assert!(browser.status() == 200 && browser.says(said), "{command}: {}", browser.text());
        }
        let mut again = before;
        again.press(&form, typed).await;
        assert!(again.says(said), "{command}, because the answer got lost: {}", again.text());
        if !words.is_empty() {
            assert_eq!(count(who, &format!("<p class=\"text\" dir=\"auto\">{words}</p>")), 1, "{command}");
        }
    }
    // Other words under the same key were meant as well, or not: only they can say.
    john.open(&page).await;
    let mut back = john.clone();
    john.press_with(&at(&reference, "answer"), &[("text", "The small one.")], &[]).await;
    back.press_with(&at(&reference, "answer"), &[("text", "The large one.")], &[]).await;
    assert_eq!(back.status(), 409);
    assert!(back.html().contains("The large one.</textarea>"), "{}", back.html());

    // Files, too.
    john.open(&page).await;
    let mut twin = john.clone();
    let (form, file) =
        (format!("{page}/attachments"), Chosen { field: "files", name: "a.txt", bytes: b"It is broken." });
    tokio::join!(
        john.press_with(&form, &[], std::slice::from_ref(&file)),
        twin.press_with(&form, &[], std::slice::from_ref(&file))
    );
    assert!(john.status() == 200 && twin.status() == 200, "{} {}", john.text(), twin.text());
    john.open(&page).await;
    assert!(john.has("#files li:nth-child(1)") && !john.has("#files li:nth-child(2)"), "{}", john.text());
}

#[tokio::test]
async fn a_form_that_no_page_of_ours_sends_is_refused_by_the_name_of_the_field() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=late-delivery").await;
    john.press("/complaints/new", &[("subject", "Late"), ("description", "Weeks late.")]).await;
    let page = format!("/complaints/{}", john.reference());
    let (withdraw, post) = (format!("{page}/commands/withdraw"), format!("{page}/commands/post"));
    for (action, body, field) in [
        (&withdraw, "version=x&reason=a", "version"),
        (&withdraw, "version=&reason=a", "version"),
        (&withdraw, "reason=a", "version"),
        (&withdraw, "version=2&reason=a%ff", "reason"),
        (&withdraw, "version=2&reason=a&reason=b", "reason"),
        (&withdraw, "version=2&reason=a&status=closed", "status"),
        (&post, "text=a&version=junk", "version"),
        (&post, "text=a&text=b", "text"),
    ] {
        john.post(action, body).await;
        assert!(john.status() == 400 && john.says(&format!("“{field}”")), "{body}: {}", john.text());
    }
    john.open(&page).await;
    assert!(!john.says("Withdrawn") && john.says("Nothing was written yet"), "{}", john.text());
    john.open("/complaints/new?category=late-delivery").await;
    let typed = [("subject", "Late"), ("description", "Weeks late.")];
    john.press_with("/complaints/new", &typed, &[Chosen { field: "photos", name: "a.txt", bytes: b"A note.\n" }]).await;
    assert!(john.status() == 400 && john.says("“photos”"), "{}", john.text());

    for (action, body, field) in [
        ("/admin/agents/new", "name=Zoe&email=zoe%40example.org&level=1&capacity=5&admin=true", "admin"),
        ("/admin/users/new", "name=Zoe&email=zoe%40example.org&role=auditor&enabled=true", "enabled"),
        ("/admin/categories/new", "name=Rude+staff&priority=normal&weight=1&key=x", "key"),
        ("/admin/categories/new", "name=Rude+staff&questions.0.key=x", "questions.0.key"),
        ("/admin/categories/late-delivery/active", "active=maybe", "active"),
        ("/admin/categories/late-delivery/active", "", "active"),
    ] {
        admin.post(action, body).await;
        assert!(admin.status() == 400 && admin.says(&format!("“{field}”")), "{body}: {}", admin.text());
    }
    admin.post("/admin/categories/new", "name=Rude+staff&priority=normal&weight=1&any_agent=maybe").await;
    assert!(admin.status() == 400 && admin.says("ticked or it is not"), "{}", admin.text());
    admin.open("/admin/categories").await;
    assert!(!admin.says("Rude staff") && !admin.says("Not in use"), "{}", admin.text());
    let mut visitor = house.visitor();
    for (action, body, field) in [
        ("/login", "email=john%40example.org&password=a&password=b", "password"),
        ("/login", "email=john%40example.org", "password"),
        ("/signup", "name=Eve&email=eve%40example.org&password=a&role=admin", "role"),
    ] {
        visitor.post(action, body).await;
        assert!(visitor.status() == 400 && visitor.says(&format!("“{field}”")), "{body}: {}", visitor.text());
    }
}

#[tokio::test]
async fn a_search_by_what_does_not_exist_is_refused_by_name() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    for wrong in ["handler=%22%3E", "status=%27", "sort=x", "level=0", "missed=%22"] {
        admin.open(&format!("/search?{wrong}")).await;
        let name = wrong.split('=').next().expect("a name");
        assert!(admin.status() == 400 && admin.says(&format!("{name}: ")), "{wrong}: {}", admin.text());
    }
}

#[tokio::test]
async fn files_that_are_too_large_or_too_many_are_named() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=late-delivery").await;
    let mut large = b"%PDF-1.4\n".to_vec();
    large.resize(10 * 1024 * 1024 + 1, b' ');
    let typed = [("subject", "Late"), ("description", "Weeks late.")];
    john.press_with("/complaints/new", &typed, &[Chosen { field: "files", name: "scan.pdf", bytes: &large }]).await;
    assert!(john.status() == 422 && john.says("“scan.pdf” is larger than 10 MB."), "{}", john.text());
    let many: Vec<Chosen<'_>> =
        (0..11).map(|_| Chosen { field: "files", name: "note.txt", bytes: b"A note.\n" }).collect();
    john.press_with("/complaints/new", &typed, &many).await;
    assert!(john.status() == 422 && john.says("At most 10 files can be sent"), "{}", john.text());
    john.press_with("/complaints/new", &typed, &many[..10]).await;
    assert!(john.says("with 10 files"), "{}", john.text());
}

#[tokio::test]
async fn files_meet_the_rules_of_the_api_on_every_page() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=late-delivery").await;
    let typed = [("subject", "Late"), ("description", "Weeks late.")];
    for name in ["p\u{202E}gnp.exe", "p\u{200B}.txt"] {
        john.press_with("/complaints/new", &typed, &[Chosen { field: "files", name, bytes: b"A note.\n" }]).await;
        assert!(john.status() == 422 && john.says("a name that cannot be kept"), "{}", john.text());
    }
    let large = vec![b'x'; 17 * 512 * 1024];
    let three: Vec<Chosen<'_>> =
        ["1.txt", "2.txt", "3.txt"].map(|name| Chosen { field: "files", name, bytes: &large }).into();
    john.press_with("/complaints/new", &typed, &three).await;
    assert!(john.status() == 422 && john.says("larger than 25 MB together"), "{}", john.text());
    assert!(john.html().contains("Weeks late."), "what was typed is kept");
    let program = || vec![Chosen { field: "files", name: "photo.png.exe", bytes: b"\x89PNG\r\n\x1a\n0000" }];
    john.press_with("/complaints/new", &typed, &program()).await;
    assert!(john.status() == 422 && john.says("“photo.png.exe” is not taken in"), "{}", john.text());
    let hint = "text (.txt, .csv, .md, .log)";
    assert!(john.says(hint), "{}", john.text());
    john.press_with("/complaints/new", &typed, &[]).await;
    let page = format!("/complaints/{}", john.reference());
    let door = format!("{page}/attachments");
    for (files, says) in [
        (vec![Chosen { field: "files", name: "p\u{202E}gnp.exe", bytes: b"A note.\n" }], "a name that cannot be kept"),
        (three, "larger than 25 MB together"),
        (program(), "something that a computer or a browser runs"),
    ] {
        john.open(&page).await;
        john.press_with(&door, &[], &files).await;
        assert!(john.status() == 422 && john.says(says) && john.says(hint), "{}", john.text());
    }
    john.open(&page).await;
    assert!(!john.has("#files a[href*='/attachments/']"), "{}", john.text());
}

#[tokio::test]
async fn a_form_sent_again_adds_the_files_that_got_lost() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=late-delivery").await;
    let key = john.attribute("input[name=key]", "value").expect("a key");
    let typed = [("subject", "Late"), ("description", "Weeks late."), ("key", key.as_str())];
    let note = |name| [Chosen { field: "files", name, bytes: b"A note.\n" }];
    john.press_with("/complaints/new", &typed, &[]).await;
    let reference = john.reference();
    for name in ["first.txt", "second.txt"] {
        john.open("/complaints/new?category=late-delivery").await;
        john.press_with("/complaints/new", &typed, &note(name)).await;
        assert_eq!(john.reference(), reference);
        assert!(john.says("with 1 file"), "{}", john.text());
    }
    john.open(&format!("/complaints/{reference}")).await;
    assert!(john.says("first.txt") && !john.says("second.txt"), "{}", john.text());
}

#[tokio::test]
async fn strangers_learn_nothing_and_nothing_changes_by_get() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=late-delivery").await;
    john.press("/complaints/new", &[("subject", "Late"), ("description", "Weeks late.")]).await;
    let page = format!("/complaints/{}", john.reference());
    let mut eve = house.customer("Eve", "eve@example.org").await;
    for address in [page.clone(), format!("{page}/receipt"), "/complaints/C7KQ-2M9X-4".to_owned()] {
        eve.open(&address).await;
        assert_eq!(eve.status(), 404, "{address}");
        assert!(!eve.says("Late"), "{}", eve.text());
    }
    for address in ["/work", "/team", "/search", "/admin", "/admin/agents", "/admin/users", "/admin/policy"] {
        eve.open(address).await;
        assert_eq!(eve.status(), 403, "{address}");
    }
    john.open(&format!("{page}/commands/withdraw")).await;
    assert!(john.address.ends_with(&page) && !john.says("Withdrawn"), "{}", john.text());
    let mut visitor = house.visitor();
    visitor.open(&page).await;
    assert!(visitor.address.starts_with("/login?next=%2Fcomplaints%2F"), "{}", visitor.address);
    visitor.press("/login", &[("email", "john@example.org"), ("password", PASSWORD)]).await;
    assert_eq!(visitor.address, page, "and back to where one wanted to go");
}

#[tokio::test]
async fn wrong_passwords_and_odd_ways_back() {
    let house = House::new().await;
    house.customer("John Miller", "john@example.org").await;
    let mut visitor = house.visitor();
    visitor.open("/login?next=//evil.example/").await;
    visitor.press("/login", &[("email", "john@example.org"), ("password", "not this one at all")]).await;
    assert_eq!(visitor.status(), 401);
    assert!(visitor.says("E-mail address or password is wrong.") && !visitor.html().contains("not this one"));
    visitor.press("/login", &[("password", PASSWORD)]).await;
    assert_eq!(visitor.address, "/complaints", "the address was kept, the way elsewhere was not taken");
    visitor.press("/logout", &[]).await;
    assert!(visitor.has("a[href='/login']"), "{}", visitor.text());
    visitor.open("/login?next=/complaints/new").await;
    for _ in 0..10 {
        visitor.press("/login", &[("email", "john@example.org"), ("password", "not this one at all")]).await;
    }
    visitor.press("/login", &[("password", "not this one at all")]).await;
    assert!(visitor.status() == 429 && visitor.says("Please wait 16 minutes"), "{}", visitor.text());
    assert_eq!(visitor.attribute("input[name=email]", "value").as_deref(), Some("john@example.org"));
    assert_eq!(visitor.attribute("input[name=next]", "value").as_deref(), Some("/complaints/new"));
    visitor.open("/track?reference=C7KQ-2M9X-5").await;
    assert!(visitor.status() == 422 && visitor.says("No reference looks like this."), "{}", visitor.text());
}

#[tokio::test]
async fn static_files_rest_in_caches_and_posts_from_elsewhere_are_refused() {
    let house = House::new().await;
    let mut visitor = house.visitor();
    visitor.open("/").await;
    for (css, attribute) in [("link[rel=stylesheet]", "href"), ("script", "src"), ("link[rel=icon]", "href")] {
        let address = visitor.attribute(css, attribute).expect("an address");
        let request = Request::get(&address).body(Body::empty()).expect("a request");
        let answer = house.router.clone().oneshot(request).await.expect("infallible");
        assert_eq!(answer.status(), 200, "{address}");
        assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
        let old = address.replacen(|c: char| c.is_ascii_digit(), "x", 1);
        let request = Request::get(&old).body(Body::empty()).expect("a request");
        let answer = house.router.clone().oneshot(request).await.expect("infallible");
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["cache-control"].as_bytes()),
            (200, &b"public, max-age=60"[..]),
            "{old}"
        );
    }
    let request = Request::post("/login")
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("email=a&password=b"))
        .expect("a request");
    assert_eq!(house.router.clone().oneshot(request).await.expect("infallible").status(), 403);
}

#[tokio::test]
async fn an_admin_s_wrong_values_are_named() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    admin.open("/admin/agents/new").await;
    let typed = [("name", "Zoe"), ("email", "zoe"), ("capacity", "many"), ("skills", "a, <b>")];
    admin.press("/admin/agents/new", &typed).await;
    assert_eq!(admin.status(), 422);
    assert!(admin.has("#faults") && admin.html().contains("value=\"zoe\""), "{}", admin.text());
    admin.open("/admin/categories/new").await;
    admin.press("/admin/categories/new", &[("name", "Late delivery"), ("weight", "5")]).await;
    assert_eq!(admin.status(), 409);
    assert!(admin.has("#name[aria-invalid=true]"), "{}", admin.text());
    admin.press("/admin/categories/new", &[("name", "Rude staff"), ("weight", "0")]).await;
    assert!(admin.has("#weight[aria-invalid=true]"), "{}", admin.text());
    admin.press("/admin/categories/new", &[("weight", "2"), ("targets.resolution", "soon")]).await;
    assert!(admin.has("#targets-resolution[aria-invalid=true]"), "{}", admin.text());
    admin.press("/admin/categories/new", &[("targets.resolution", "3 working days")]).await;
    assert!(admin.says("Rude staff"), "{}", admin.text());
    admin.open("/admin/categories/rude-staff").await;
    assert_eq!(admin.attribute("#targets-resolution", "value").as_deref(), Some("3 working days"));
    admin.press("/admin/categories/rude-staff/active", &[]).await;
    assert!(admin.says("Put it back into use"), "{}", admin.text());
    admin.open("/admin/users/new").await;
    admin.press("/admin/users/new", &[("name", "Otto"), ("email", "ada@example.org"), ("role", "auditor")]).await;
    assert_eq!(admin.status(), 409);
    admin.press("/admin/users/new", &[("email", "otto@example.org"), ("password", PASSWORD)]).await;
    assert!(admin.says("Otto"), "{}", admin.text());
}

#[tokio::test]
async fn a_category_that_goes_out_of_use_takes_no_words_along() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=late-delivery").await;
    admin.open("/admin/categories/late-delivery").await;
    admin.press("/admin/categories/late-delivery/active", &[]).await;
    let question = john.attribute("textarea[name^='answers.']", "name").expect("a question");
    let typed = [
        ("subject", "Weeks late"),
        ("description", "It never came."),
        (&*question, "The blue one."),
        ("product", "Kettle"),
    ];
    john.press("/complaints/new", &typed).await;
    assert_eq!(john.status(), 422);
    assert!(john.says("is not offered any more") && john.has("#faults a[href='#category']"), "{}", john.text());
    assert!(john.html().contains("It never came.") && john.html().contains("The blue one."), "{}", john.html());
    assert!(john.has("input[name='subject'][value='Weeks late']") && john.has("input[name='product'][value='Kettle']"));
    assert!(!john.has("option[value='late-delivery']"), "{}", john.html());
    // Sent as it stands, it says so again; with another category it is handed in with all that was typed.
    john.press("/complaints/new", &[("category", "")]).await;
    assert!(john.status() == 422 && john.html().contains("The blue one."), "{}", john.text());
    john.press("/complaints/new", &[("category", "damaged-goods")]).await;
    assert!(john.says("We have your complaint"), "{}", john.text());
    john.open(&format!("/complaints/{}", john.reference())).await;
    assert!(john.says("Damaged goods") && john.says("It never came.") && john.says("The blue one."), "{}", john.text());
}

#[tokio::test]
async fn text_of_another_encoding_is_told_how_to_be_saved() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    let typed = [("subject", "Late"), ("description", "Weeks late.")];
    for (name, bytes) in [("caf.csv", &b"caf\xe9;1\r\n"[..]), ("note.txt", b"\xff\xfeh\0i\0\n\0")] {
        john.open("/complaints/new?category=late-delivery").await;
        john.press_with("/complaints/new", &typed, &[Chosen { field: "files", name, bytes }]).await;
        assert!(john.status() == 422 && john.says("Save it as UTF-8"), "{name}: {}", john.text());
    }
}

#[tokio::test]
async fn a_link_that_is_used_up_is_no_form_to_correct() {
    let house = House::furnished().await;
    let mut visitor = house.visitor();
    visitor.open("/verify?token=gone").await;
    assert!(visitor.status() == 422 && visitor.says("does not work any more"), "{}", visitor.text());
    assert!(!visitor.says("correct it"), "{}", visitor.text());
}

#[tokio::test]
async fn a_decision_that_needs_an_apology_asks_for_one() {
    let house = House::furnished().await;
    let (_, reference) = house.complaint().await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    sarah.open(&format!("/complaints/{reference}")).await;
    sarah.press(&crate::house::at(&reference, "begin"), &[]).await;
    assert!(sarah.says("Apology (if upheld, even in part)") && !sarah.says("Apology (optional)"), "{}", sarah.text());
}

#[tokio::test]
async fn what_was_typed_without_a_session_is_shown_and_not_sent() {
    let house = House::furnished().await;
    let (mut john, reference) = house.complaint().await;
    let form = format!("/complaints/new?category=damaged-goods&follows={reference}");
    john.open(&form).await;
    john.forget();
    let typed = [("subject", "Cracked <b>lid</b>"), ("description", "It leaks."), ("wish", "refund")];
    let photo = Chosen { field: "files", name: "lid.png", bytes: b"not looked at" };
    john.press_with("/complaints/new", &typed, &[photo]).await;
    assert_eq!(john.status(), 401);
    assert!(john.says("Nothing was sent") && john.says("Your files must be chosen again"), "{}", john.text());
    assert!(john.html().contains("Cracked &#60;b&#62;lid") && john.says("It leaks."), "{}", john.html());
    assert_eq!(john.attribute("[data-name=description]", "readonly").as_deref(), Some(""));
    assert!(!john.has("[data-name=key]") && !john.has("[data-name=follows]"), "{}", john.html());
    let place = |name: &str| john.html().find(&format!("data-name=\"{name}\"")).unwrap_or_else(|| panic!("no {name}"));
    let order = ["subject", "description", "wish", "contact.name", "contact.email"].map(place);
    assert!(order.is_sorted(), "as the form asks: {order:?}");
    john.press("/login", &[("email", "john@example.org"), ("password", PASSWORD)]).await;
    assert_eq!(john.address, form);
    john.open("/complaints").await;
    assert!(!john.says("Cracked"), "{}", john.text());

    let page = format!("/complaints/{reference}");
    john.open(&page).await;
    john.forget();
    john.press(&format!("{page}/commands/post"), &[("text", "Is anybody there?")]).await;
    assert!(john.status() == 401 && john.says("Is anybody there?"), "{}", john.text());
    john.press("/login", &[("email", "john@example.org"), ("password", PASSWORD)]).await;
    assert!(john.address == page && !john.says("Is anybody there?"), "{} {}", john.address, john.text());

    let mut admin = house.browser_of("ada@example.org").await;
    admin.open("/admin/users/new").await;
    admin.forget();
    let typed = [("name", "Zoe Zest"), ("email", "zoe@example.org"), ("password", "a secret of some length")];
    admin.press("/admin/users/new", &typed).await;
    assert!(admin.status() == 401 && admin.says("Zoe Zest") && !admin.html().contains("a secret"), "{}", admin.html());
    assert_eq!(admin.attribute("input[name=next]", "value").as_deref(), Some("/admin/users/new"));
}

/// Whoever logs in after a session ended goes to the address their form was posted to.
#[tokio::test]
async fn the_address_of_a_form_leads_to_its_page() {
    let house = House::furnished().await;
    let (_, reference) = house.complaint().await;
    let mut admin = house.browser_of("ada@example.org").await;
    admin.open("/admin/agents").await;
    let agent = admin.attribute("table tbody a", "href").expect("an agent");
    for page in
        ["/admin/agents/new", "/admin/categories/new", "/admin/users/new", "/admin/categories/damaged-goods", &agent]
    {
        admin.open(page).await;
        let actions = admin.actions();
        assert!(!actions.is_empty(), "{page}");
        for action in actions {
            admin.open(&action).await;
            assert_eq!((admin.status(), &*admin.address), (200, page), "{action}");
        }
    }
    admin.open("/admin/users").await;
    for action in admin.actions() {
        admin.open(&action).await;
        assert_eq!((admin.status(), &*admin.address), (200, "/admin/users"), "{action}");
    }
    let page = format!("/complaints/{reference}");
    for who in ["john", "sarah"] {
        let mut person = house.browser_of(&format!("{who}@example.org")).await;
        person.open(&page).await;
        for action in person.actions() {
            person.open(&action).await;
            assert_eq!((person.status(), &*person.address), (200, &*page), "{action}");
        }
    }
}

#[tokio::test]
async fn a_form_without_files_may_come_in_either_encoding() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.post("/complaints/new", "category=late-delivery&subject=Late&description=").await;
    assert_eq!(john.status(), 422, "{}", john.text());
    assert!(john.has("#faults a[href='#description']"), "{}", john.text());
    john.post("/complaints/new", "category=late-delivery&subject=Late&description=Weeks+late.").await;
    assert!(john.says("We have your complaint"), "{}", john.text());
}

#[tokio::test]
async fn files_that_are_too_many_bytes_lose_nothing_that_was_typed() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=damaged-goods").await;
    let typed = [("subject", "Cracked lid"), ("description", "It leaks."), ("contact.phone", "+44 20 7946 0000")];
    let large = [b"%PDF-1.7\n".as_slice(), &vec![b'x'; 9 << 20]].concat();
    let files: Vec<Chosen<'_>> =
        ["a.pdf", "b.pdf", "c.pdf", "d.pdf"].map(|name| Chosen { field: "files", name, bytes: &large }).into();
    john.press_with("/complaints/new", &typed, &files).await;
    assert_eq!(john.status(), 422, "{}", john.text());
    assert!(john.says("The files are larger than 25 MB together") && john.html().contains("+44 20 7946 0000"));
    assert!(john.has("form[action='/logout']") && john.says("It leaks."), "{}", john.text());
}

#[tokio::test]
async fn a_problem_keeps_the_frame_of_the_site() {
    let house = House::furnished().await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    for (address, status) in [("/nowhere", 404), ("/work", 403)] {
        john.open(address).await;
        assert_eq!(john.status(), status, "{address}");
        assert!(john.has("nav a[href='/complaints']") && john.has("form[action='/logout']"), "{address}");
    }
    let mut visitor = house.visitor();
    visitor.open("/nowhere").await;
    assert!(visitor.has("a[href='/login']") && !visitor.has("form[action='/logout']"), "{}", visitor.text());
}

#[tokio::test]
async fn what_is_wrong_is_said_in_sentences() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    admin.open("/admin/agents/new").await;
    let typed = [("name", "Zoe"), ("email", "zoe@example.org"), ("languages", "en, !")];
    admin.press("/admin/agents/new", &typed).await;
    assert!(admin.says("A language must be 1 to 64 letters"), "{}", admin.text());
    admin.press("/admin/agents/new", &[("languages", "of the hills"), ("capacity", "many"), ("name", "")]).await;
    for said in
        ["“of-the-hills” is no tag of a language", "The capacity must be a whole number", "The name is missing."]
    {
        assert!(admin.says(said), "{said}: {}", admin.text());
    }
    admin.open("/admin/categories/new").await;
    let typed = [("name", "Noise"), ("targets.resolution", "soon"), ("targets.first_response", "sooner")];
    admin.press("/admin/categories/new", &typed).await;
    for said in ["The time until the decision must be an amount", "The time until a person answers must be an amount"] {
        assert!(admin.says(said), "{said}: {}", admin.text());
    }
    let (_, reference) = house.complaint().await;
    let mut sarah = house.browser_of("sarah@example.org").await;
    for (command, typed, said) in [
        ("triage", &[("reason", "So.")][..], "Category is not changed, and nothing else is."),
        ("merge", &[], "Reference of the other complaint"),
    ] {
        sarah.open(&format!("/complaints/{reference}")).await;
        sarah.press(&at(&reference, command), typed).await;
        assert!(sarah.says(said), "{said}: {}", sarah.text());
    }
    let mut maria = house.browser_of("maria@example.org").await;
    maria.open(&format!("/complaints/{reference}")).await;
    maria.press(&at(&reference, "dismiss"), &[("text", "No.")]).await;
    assert!(maria.says("Ground must be chosen."), "{}", maria.text());
}
