//! A browser without script. What it shows is checked, each time.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::{Body, to_bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request};
use scraper::{ElementRef, Html, Selector};
use tower::ServiceExt as _;

use crate::house::House;

const BOUNDARY: &str = "----boundary7d1f";

#[derive(Clone)]
pub(crate) struct Browser<'a> {
    house: &'a House,
    /// By their names.
    cookies: BTreeMap<String, String>,
    pub(crate) address: String,
    status: u16,
    html: String,
}

/// A file to be chosen in a form.
pub(crate) struct Chosen<'a> {
    pub(crate) field: &'a str,
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Browser<'a> {
    pub(crate) fn new(house: &'a House) -> Self {
        Self { house, cookies: BTreeMap::new(), address: String::new(), status: 0, html: String::new() }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn html(&self) -> &str {
        &self.html
    }

    /// What a person reads, blanks joined.
    pub(crate) fn text(&self) -> String {
        let page = Html::parse_document(&self.html);
        let main = page.select(&selector("main")).next();
        let text: String = main.map_or_else(|| self.html.clone(), |main| main.text().collect::<Vec<_>>().join(" "));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn says(&self, words: &str) -> bool {
        self.text().contains(words)
    }

    pub(crate) fn has(&self, css: &str) -> bool {
        Html::parse_document(&self.html).select(&selector(css)).next().is_some()
    }

    /// The first value of an attribute.
    pub(crate) fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let page = Html::parse_document(&self.html);
        page.select(&selector(css)).next()?.value().attr(name).map(str::to_owned)
    }

    /// What stands in each of these.
    pub(crate) fn texts(&self, css: &str) -> Vec<String> {
        let page = Html::parse_document(&self.html);
        page.select(&selector(css)).map(|found| found.text().collect()).collect()
    }

    /// The reference shown on the page.
    pub(crate) fn reference(&self) -> String {
        let page = Html::parse_document(&self.html);
        let found = page.select(&selector(".reference")).next().expect("a reference on the page");
        found.text().collect::<String>().trim().to_owned()
    }

    pub(crate) async fn open(&mut self, address: &str) {
        self.go(Request::get(address), Body::empty(), address).await;
    }

    /// Fills in the form that is posted to `action` and presses its button. What is not given stays as it stands.
    pub(crate) async fn press(&mut self, action: &str, typed: &[(&str, &str)]) {
        self.press_with(action, typed, &[]).await;
    }

    /// Posts what no page of ours sends.
    pub(crate) async fn post(&mut self, action: &str, body: &str) {
        let request = Request::post(action)
            .header("sec-fetch-site", "same-origin")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.go(request, Body::from(body.to_owned()), action).await;
    }

    pub(crate) async fn press_with(&mut self, action: &str, typed: &[(&str, &str)], files: &[Chosen<'_>]) {
        let (fields, multipart) = self.fields(action, typed);
        let request = Request::post(action).header("sec-fetch-site", "same-origin");
        if multipart {
            let mut body = Vec::new();
            for (name, value) in fields {
                let part =
                    format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
                body.extend_from_slice(part.as_bytes());
            }
            for file in files {
                let head = format!(
                    "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{}\"; filename=\"{}\"\r\ncontent-type: application/octet-stream\r\n\r\n",
                    file.field, file.name
                );
                body.extend_from_slice(head.as_bytes());
                body.extend_from_slice(file.bytes);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
            let kind = format!("multipart/form-data; boundary={BOUNDARY}");
            self.go(request.header(CONTENT_TYPE, kind), Body::from(body), action).await;
        } else {
            assert!(files.is_empty(), "this form sends no files");
            let mut body = url::form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(fields);
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            self.go(request, Body::from(body.finish()), action).await;
        }
    }

    /// Where the forms of the page are posted to, but for the one that logs out.
    pub(crate) fn actions(&self) -> Vec<String> {
        let page = Html::parse_document(&self.html);
        let forms = selector("main form[method=post]");
        page.select(&forms).filter_map(|form| form.value().attr("action").map(str::to_owned)).collect()
    }

    /// Forgets who it is, as when a session has ended.
    pub(crate) fn forget(&mut self) {
        self.cookies.clear();
    }

    /// What a header sets; what lasts no longer is forgotten.
    fn keep(&mut self, set: &str) {
        let mut parts = set.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|cookie| cookie.split_once('=')).expect("a cookie");
        if parts.any(|part| part.eq_ignore_ascii_case("max-age=0")) {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The successful controls of a form, with what is typed now, in the order of the page.
    fn fields(&self, action: &str, typed: &[(&str, &str)]) -> (Vec<(String, String)>, bool) {
        let page = Html::parse_document(&self.html);
        let form = page
            .select(&selector("form[method=post]"))
            .find(|form| form.value().attr("action") == Some(action))
            .unwrap_or_else(|| panic!("no form for {action} at {}: {}", self.address, self.text()));
        let mut fields = Vec::new();
        let mut asked = BTreeSet::new();
        for control in form.select(&selector("input, select, textarea")) {
            let element = control.value();
            let Some(name) = element.attr("name") else { continue };
            let given = typed.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let value = match (element.name(), element.attr("type").unwrap_or("text")) {
                ("input", "file") => continue,
                ("input", "radio") => {
                    let own = element.attr("value").unwrap_or_default();
                    let chosen = given.as_deref().map_or(element.attr("checked").is_some(), |given| given == own);
                    chosen.then(|| own.to_owned())
                }
                // A box that is to be empty is not sent.
                ("input", "checkbox") => given
                    .or_else(|| element.attr("checked").map(|_| "true".to_owned()))
                    .filter(|value| !value.is_empty()),
                ("select", _) => {
                    let options: Vec<ElementRef<'_>> = control.select(&selector("option")).collect();
                    if let Some(given) = &given {
                        assert!(
                            options.iter().any(|option| option.value().attr("value") == Some(given)),
                            "{name} does not offer {given}"
                        );
                    }
                    let chosen = options.iter().find(|option| option.value().attr("selected").is_some());
                    let first = chosen.or(options.first()).and_then(|option| option.value().attr("value"));
                    Some(given.unwrap_or_else(|| first.unwrap_or_default().to_owned()))
                }
                ("textarea", _) => Some(given.unwrap_or_else(|| control.text().collect())),
                _ => Some(given.unwrap_or_else(|| element.attr("value").unwrap_or_default().to_owned())),
            };
            asked.insert(name.to_owned());
            fields.extend(value.map(|value| (name.to_owned(), value)));
        }
        for (name, _) in typed {
            assert!(asked.contains(*name), "the form for {action} does not ask for {name}");
        }
        (fields, form.value().attr("enctype") == Some("multipart/form-data"))
    }

    async fn go(&mut self, request: axum::http::request::Builder, body: Body, address: &str) {
        let (status, headers, html) = self.ask(request, body).await;
        address.clone_into(&mut self.address);
        if (300..400).contains(&status) {
            assert_eq!(status, 303, "after a form comes a page, by GET");
            let to = headers.get(LOCATION).and_then(|to| to.to_str().ok()).expect("an address").to_owned();
            assert!(to.starts_with('/') && !to.starts_with("//"), "{to} is elsewhere");
            return Box::pin(self.open(&to)).await;
        }
        self.status = status;
        self.html = html;
        assert!(status < 500, "{} answered {status}: {}", self.address, self.text());
        if headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
            assert_eq!(headers.get(CACHE_CONTROL).map(axum::http::HeaderValue::as_bytes), Some(&b"no-store"[..]));
            check(&self.html, &self.address);
        }
    }

    async fn ask(&mut self, request: axum::http::request::Builder, body: Body) -> (u16, HeaderMap, String) {
        let mut request = request.header("host", "127.0.0.1:8080").header("accept", "text/html");
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, cookies.join("; "));
        }
        let mut request = request.body(body).expect("a request");
        let peer: std::net::SocketAddr = "203.0.113.5:40000".parse().expect("an address");
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        let response = self.house.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        for set in parts.headers.get_all(SET_COOKIE) {
            self.keep(set.to_str().expect("text"));
        }
        let body = to_bytes(body, 8 << 20).await.expect("a body");
        (parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&body).into_owned())
    }
}

/// What every page must have, whatever is on it.
fn check(html: &str, address: &str) {
    assert!(html.len() < 100 * 1024, "{address} has {} bytes", html.len());
    let page = Html::parse_document(html);
    let one = |css: &str| {
        let count = page.select(&selector(css)).count();
        assert_eq!(count, 1, "{address}: {count} of {css}");
    };
    for css in [
        "html[lang]",
        "head > title",
        "main#main",
        "h1",
        "a.skip[href='#main']",
        "body > header",
        "meta[name=viewport]",
    ] {
        one(css);
    }
    let mut ids = BTreeSet::new();
    for element in page.select(&selector("[id]")) {
        let id = element.value().attr("id").unwrap_or_default();
        assert!(!id.is_empty() && !id.contains(char::is_whitespace), "{address}: id {id:?}");
        assert!(ids.insert(id.to_owned()), "{address}: id {id} is there twice");
    }
    for (css, attribute) in
        [("[aria-describedby]", "aria-describedby"), ("[aria-labelledby]", "aria-labelledby"), ("label[for]", "for")]
    {
        for element in page.select(&selector(css)) {
            for id in element.value().attr(attribute).unwrap_or_default().split_whitespace() {
                assert!(ids.contains(id), "{address}: {attribute} names {id}, which is not there");
            }
        }
    }
    for control in page.select(&selector("input:not([type=hidden]), select, textarea")) {
        let id = control.value().attr("id").unwrap_or_default();
        let label = page.select(&selector("label[for]")).find(|label| label.value().attr("for") == Some(id));
        let text: String = label.map(|label| label.text().collect()).unwrap_or_default();
        assert!(!text.trim().is_empty(), "{address}: {:?} has no label", control.value());
    }
    for button in page.select(&selector("button, a[href], summary, legend, th, h1, h2, h3")) {
        let text: String = button.text().collect();
        assert!(!text.trim().is_empty(), "{address}: {:?} says nothing", button.value());
    }
    for link in page.select(&selector("a[href^='#']")) {
        let target = link.value().attr("href").unwrap_or_default().trim_start_matches('#');
        assert!(target.is_empty() || ids.contains(target), "{address}: a link leads to #{target}, which is not there");
    }
    // Whoever moves from landmark to landmark tells them apart by their names.
    let mut landmarks = BTreeSet::new();
    for region in page.select(&selector("section[aria-labelledby], [role=region]")) {
        let of = |id: &str| {
            let named = page.select(&selector("[id]")).find(|it| it.value().attr("id") == Some(id));
            named.map(|it| it.text().collect::<String>()).unwrap_or_default()
        };
        let name = region.value().attr("aria-label").map(str::to_owned);
        let name = name.unwrap_or_else(|| of(region.value().attr("aria-labelledby").unwrap_or_default()));
        assert!(landmarks.insert(name.clone()), "{address}: two regions are called {name}");
    }
    for image in page.select(&selector("svg")) {
        let hidden = image.value().attr("aria-hidden") == Some("true");
        assert!(hidden || image.value().attr("aria-labelledby").is_some(), "{address}: a picture without words");
    }
    // Nothing but our own script and stylesheet, nothing inline: what people typed stays text.
    for css in ["style", "[style]", "iframe", "object", "embed", "img", "base", "form[target]"] {
        assert_eq!(page.select(&selector(css)).count(), 0, "{address}: {css}");
    }
    for script in page.select(&selector("script")) {
        let source = script.value().attr("src").unwrap_or_default();
        assert!(source.starts_with("/static/") && source.ends_with("/live.js"), "{address}: {script:?}");
    }
    for element in page.select(&selector("*")) {
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on"), "{address}: {name}={value}");
            if ["href", "src", "action", "data-live"].contains(&name) {
                let own =
                    value.is_empty() || value.starts_with('#') || (value.starts_with('/') && !value.starts_with("//"));
                assert!(own, "{address}: {name}={value} leads elsewhere");
            }
        }
    }
    for form in page.select(&selector("form")) {
        assert!(form.value().attr("action").is_some(), "{address}: {form:?}");
        let method = form.value().attr("method").unwrap_or_default();
        assert!(["get", "post"].contains(&method), "{address}: {form:?}");
    }
}

fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap_or_else(|error| panic!("{css}: {error}"))
}
