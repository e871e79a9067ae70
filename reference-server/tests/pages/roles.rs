use crate::house::{House, PASSWORD};

/// Every address that can be opened without knowing an id.
const ADDRESSES: [&str; 52] = [
    "/",
    "/signup",
    "/login",
    "/track?reference=x",
    "/verify",
    "/invitation",
    "/setup",
    "/unsubscribe",
    "/complaints",
    "/complaints?q=kettle",
    "/complaints/new",
    "/complaints/new?category=late-delivery",
    "/complaints/new?category=unknown",
    "/work",
    "/team",
    "/search",
    "/search?status=open&level=1&sort=deadline",
    "/admin",
    "/admin/agents",
    "/admin/agents/new",
    "/admin/categories/late-delivery",
    "/admin/policy",
    "/account",
    "/account/notices",
    "/account/profile",
    "/account/email",
    "/account/password",
    "/account/sessions",
    "/account/deletion",
    "/account/identities",
    "/login/with/google",
    "/login/with/google/back?state=x",
    "/accept",
    "/terms",
    "/privacy",
    "/login/code",
    "/login/link?token=x",
    "/forgotten",
    "/reset?token=x",
    "/email?token=x",
    "/admin/dead-letters",
    "/admin/webhooks",
    "/admin/webhooks/new",
    "/admin/mail",
    "/admin/mail?all=true&below=9",
    "/mail/confirm?token=x",
    "/guest",
    "/guest/new?category=late-delivery",
    "/track?reference=C7KQ-2M9X-B",
    "/track/C7KQ-2M9X-B?key=x",
    "/work/batch",
    "/nowhere",
];

#[tokio::test]
async fn no_page_fails_for_anybody() {
    let house = House::new().await;
    let mut admin = house.furnish().await;
    admin.open("/admin/users/new").await;
    let otto = [("name", "Otto"), ("email", "otto@example.org"), ("role", "auditor"), ("password", PASSWORD)];
    admin.press("/admin/users/new", &otto).await;
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/complaints/new?category=late-delivery").await;
    john.press("/complaints/new", &[("subject", "Late"), ("description", "Weeks late.")]).await;
    let page = format!("/complaints/{}", john.reference());
    let mut everybody = vec![house.visitor(), john, admin];
    for name in ["ben", "maria", "omar", "otto"] {
        everybody.push(house.browser_of(&format!("{name}@example.org")).await);
    }
    for browser in &mut everybody {
        for address in ADDRESSES.into_iter().chain([page.as_str()]) {
            // The browser itself refuses a page that failed or is not what a page must be.
            browser.open(address).await;
            assert!([200, 403, 404, 422].contains(&browser.status()), "{address}: {}", browser.status());
        }
    }
}

#[tokio::test]
async fn the_navigation_shows_where_one_is() {
    let house = House::furnished().await;
    let mut admin = house.browser_of("ada@example.org").await;
    for address in ["/admin", "/admin/agents", "/admin/categories", "/admin/users", "/admin/policy"] {
        admin.open(address).await;
        assert!(admin.has(&format!("nav[aria-label=Main] a[href='{address}'][aria-current=page]")), "{address}");
        assert!(!admin.has("nav.within"), "{address}");
    }
    for address in ["/admin/mail", "/admin/webhooks", "/admin/webhooks/new", "/admin/dead-letters"] {
        admin.open(address).await;
        assert!(admin.has("nav[aria-label=Main] a[href='/admin/mail'][aria-current=true]"), "{address}");
        let section = address.trim_end_matches("/new");
        assert!(admin.has(&format!("nav.within a[href='{section}'][aria-current=page]")), "{address}");
    }
}

#[tokio::test]
async fn the_frame_is_the_same_on_every_page() {
    let house = House::furnished().await;
    for (name, called) in [("ben", "Representative"), ("maria", "Supervisor"), ("ada", "administrator")] {
        let mut browser = house.browser_of(&format!("{name}@example.org")).await;
        for address in ["/search", "/account", "/account/profile", "/account/sessions", "/account/notices"] {
            browser.open(address).await;
            assert!(browser.html().contains(&format!("({called})")), "{address} of {name}");
            assert_eq!(browser.has("nav[aria-label=Main] a[href='/team']"), name == "maria", "{address} of {name}");
        }
    }
}
