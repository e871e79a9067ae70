//! The buttons of providers, and the page of what is linked; what they lead to is tried with the API.

use crate::house::House;

const GOOGLE: &str =
    "[[provider]]\nkey = \"google\"\nname = \"Google\"\nissuer = \"https://accounts.google.com\"\nclient_id = \"c\"\n";

#[tokio::test]
async fn a_provider_is_a_button_where_people_come_in_and_on_the_page_of_what_is_linked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("providers.toml");
    std::fs::write(&file, GOOGLE).expect("written");
    let house = House::with_args(|args| args.oidc = Some(file)).await;
    let mut john = house.visitor();
    for page in ["/login", "/signup"] {
        john.open(page).await;
        assert!(john.says("Continue with Google") && john.has("a[href='/login/with/google']"), "{}", john.html());
    }
    john.open("/account/identities").await;
    assert!(john.has("a[href='/login/with/google?next=%2Faccount%2Fidentities']"), "it goes on there: {}", john.html());
    let mut john = house.customer("John Miller", "john@example.org").await;
    john.open("/account").await;
    assert!(john.has("a[href='/account/identities']"), "{}", john.text());
    john.open("/account/identities").await;
    assert!(john.says("No other account is linked") && john.says("Continue with Google"), "{}", john.text());
    assert!(john.says("the same e-mail address, john@example.org"), "{}", john.text());
    john.post("/account/identities/link", "").await;
    assert!(john.status() == 403 && john.says("was not begun in this browser"), "{}", john.text());
    john.post("/account/identities/forget", "").await;
    assert!(john.says("It is not linked"), "{}", john.text());
    john.post("/account/identities/end", "identity=1&more=2").await;
    assert_eq!(john.status(), 400);
    for path in ["/account/identities/link", "/account/identities/forget", "/account/identities/end"] {
        john.open(path).await;
        assert!(john.says("Link another"), "{path} is the page: {}", john.text());
    }
    let mut ada = house.admin().await;
    ada.open("/account").await;
    assert!(!ada.has("a[href='/account/identities']"), "staff log in with their password: {}", ada.text());
    ada.open("/account/identities").await;
    assert_eq!(ada.status(), 403);
}

#[tokio::test]
async fn without_providers_there_are_no_buttons() {
    let house = House::new().await;
    let mut john = house.visitor();
    john.open("/login").await;
    assert!(!john.says("Continue with"), "{}", john.text());
    john.open("/login/with/google").await;
    assert_eq!(john.status(), 404);
}
