//! What people type is text, on every page and for every reader. The browser refuses any page on which it became more.

use crate::house::{House, PASSWORD};

const PAYLOADS: [&str; 4] = [
    "</textarea><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "<svg/onload=alert(1)>{{7*7}}</title><base href=//evil.example>",
];

#[tokio::test]
async fn nothing_typed_becomes_markup() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    for (number, payload) in PAYLOADS.into_iter().enumerate() {
        let name = format!("Odd {number}");
        admin.open("/admin/categories/new").await;
        let typed =
            [("name", &*name), ("description", payload), ("questions.0.label", payload), ("skills", "damaged goods")];
        admin.press("/admin/categories/new", &typed).await;
        assert!(admin.says(&name), "{}", admin.text());
        let email = format!("agent{number}@example.org");
        admin.open("/admin/agents/new").await;
        let typed = [
            ("name", payload),
            ("email", &*email),
            ("skills", "damaged goods"),
            ("password", PASSWORD),
            ("level", "2"),
        ];
        admin.press("/admin/agents/new", &typed).await;
        admin.open("/admin/agents").await;
        assert!(admin.says(payload), "{}", admin.text());

        let mut customer = house.customer(payload, &format!("c{number}@example.org")).await;
        customer.open("/complaints/new").await;
        assert!(customer.says(payload), "the description helps to choose: {}", customer.text());
        let form = format!("/complaints/new?category=odd-{number}");
        customer.open(&form).await;
        let answer = customer.attribute("textarea[name^='answers.']", "name").expect("the question");
        let typed = [
            ("subject", payload),
            ("description", payload),
            ("product", payload),
            ("order_number", payload),
            ("contact.name", payload),
            ("contact.phone", payload),
            ("contact.address", payload),
            ("contact.email", payload),
            (&answer, payload),
        ];
        customer.press("/complaints/new", &typed).await;
        assert_eq!(customer.status(), 422, "that is no e-mail address, and no phone number");
        assert!(customer.has("#faults a[href='#contact-phone']"), "{}", customer.text());
        assert!(customer.html().contains("alert(1)"), "what was typed is kept");
        let mended = [("contact.email", "a@example.org"), ("contact.phone", "112")];
        customer.press("/complaints/new", &mended).await;
        assert!(customer.says(payload), "{}", customer.text());
        let reference = customer.reference();
        let page = format!("/complaints/{reference}");
        let at = |command: &str| format!("{page}/commands/{command}");

        let mut sarah = house.browser_of("sarah@example.org").await;
        sarah.open("/work").await;
        assert!(sarah.says(payload), "{}", sarah.text());
        sarah.open(&page).await;
        sarah.press(&at("begin"), &[]).await;
        for command in ["note", "post", "ask"] {
            sarah.press(&at(command), &[("text", payload)]).await;
            assert!(sarah.says(payload), "{}", sarah.text());
        }
        customer.open(&page).await;
        customer.press(&at("answer"), &[("text", payload)]).await;
        sarah.open(&page).await;
        sarah.press(&at("hold"), &[("party", payload), ("until", "2026-12-01")]).await;
        sarah.press(&at("resume"), &[("reason", payload)]).await;
        let typed = [
            ("outcome", "upheld"),
            ("explanation", payload),
            ("apology", payload),
            ("next_steps", payload),
            ("remedies.0.kind", "repair"),
            ("remedies.0.instructions", payload),
            ("remedies.1.amount", payload),
        ];
        sarah.press(&at("resolve"), &typed).await;
        assert_eq!(sarah.status(), 422, "that is no amount");
        sarah.press(&at("resolve"), &[("remedies.1.amount", "")]).await;
        assert!(sarah.says("The customer has the decision."), "{}", sarah.text());
        sarah.press(&at("fulfil_remedy"), &[("evidence", payload)]).await;
        customer.open(&page).await;
        assert!(customer.says(payload), "{}", customer.text());
        customer.press(&at("rate"), &[("score", "1"), ("comment", payload)]).await;
        customer.press(&at("contest"), &[("reason", payload)]).await;
        assert!(customer.says("Earlier decision"), "{}", customer.text());
        customer.open("/complaints").await;

        let mut omar = house.browser_of("omar@example.org").await;
        for address in ["/work", "/team", "/search", &page, "/search?q=%3Cscript%3E&after=%22%3E"] {
            omar.open(address).await;
            assert_eq!(omar.status(), 200, "{address}");
        }
        for address in ["/admin", "/admin/categories", "/admin/users", "/admin/policy", "/search", &page] {
            admin.open(address).await;
            assert_eq!(admin.status(), 200, "{address}");
        }
    }
    let mut visitor = house.visitor();
    for address in [
        "/track?reference=%3Cscript%3Ealert(1)%3C/script%3E",
        "/login?next=%22%3E%3Cscript%3E",
        "/verify?token=%22%3E%3Cscript%3E",
    ] {
        visitor.open(address).await;
    }
}
