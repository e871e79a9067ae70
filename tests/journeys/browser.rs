//! The story in a real browser: Chromium, one profile per person, driven through its own driver.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use thirtyfour::prelude::*;

/// How long a page may take to show something.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running driver. Stopped when dropped, and its browsers with it.
pub(crate) struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    /// Starts the driver; `None` where there is none and the tests may do without.
    pub(crate) fn start() -> Option<Self> {
        let child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = child else {
            let required = std::env::var_os("COMPLAINT_REQUIRE_BROWSER").is_some();
            assert!(!required, "chromedriver is missing: apt-get install chromium chromium-driver");
            eprintln!("skipped: there is no chromedriver; ./tests/run installs it");
            return None;
        };
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
        let field = self.field(form, name).await;
        field.clear().await.expect("cleared");
        field.send_keys(value).await.expect("typed");
    }

    /// Chooses the option with this value.
    pub(crate) async fn choose(&self, form: &str, name: &str, value: &str) {
        let selector = format!("form[action$='{form}'] [name='{name}'] option[value='{value}']");
        self.find(&selector).await.click().await.expect("chosen");
    }

    /// Gives files to a field, with the paths they have here.
    pub(crate) async fn attach(&self, form: &str, name: &str, files: &[&std::path::Path]) {
        let field = self.field(form, name).await;
        let paths: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        field.send_keys(paths.join("\n")).await.expect("given");
    }

    /// Presses the button of the form that goes to an address ending in `form`.
    pub(crate) async fn send(&self, form: &str) {
        let button = self.find(&format!("form[action$='{form}'] button[type='submit'], form[action$='{form}'] button:not([type])")).await;
        self.press(&button).await;
    }

    /// Opens every folded part of the page that holds the form, so that a person could see it.
    pub(crate) async fn unfold(&self, form: &str) {
        let folds = self
            .browser
            .find_all(By::XPath(format!("//form[contains(@action, '{form}')]/ancestor::details[not(@open)]/summary")))
            .await
            .expect("a page");
        for fold in folds {
            self.press(&fold).await;
        }
    }

    async fn press(&self, element: &WebElement) {
        element.scroll_into_view().await.expect("seen");
        element.click().await.expect("pressed");
    }

    async fn field(&self, form: &str, name: &str) -> WebElement {
        self.find(&format!("form[action$='{form}'] [name='{name}']")).await
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
        if tokio::time::timeout(PATIENCE, shown).await.is_err() {
            panic!("the page never showed {words:?}:\n{}", self.text().await);
        }
    }
}
