//! One way to say no: problem documents (RFC 9457) for programs, a page for people, nothing internal for either.

use std::num::NonZeroU32;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use complaint_core::DeskError;
use complaint_core::id::Version;
use complaint_core::lifecycle::{Refusal, RefusalCategory};
use complaint_core::policy::PolicyError;
use complaint_core::store::StoreError;
use complaint_notify::inbound::Unreadable;

use crate::auth::accounts::AccountsError;
use crate::auth::service::AuthError;
use crate::auth::viewer::look_again;
use crate::catalogue::CatalogueError;
use crate::files::FilesError;
use crate::identities::IdentityError;
use crate::intake::IntakeError;
#[cfg(feature = "oidc")]
use crate::oidc::{Declined, OidcError};
use crate::open311::{self, answer::Format};
use crate::pages::Me;
use crate::state::AppState;
use crate::webhooks::{WEBHOOKS_MAX, WebhooksError};

/// One wrong value of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where: the field's name, further down with `.name` and `.index` from 0, as in `remedies.0.kind`; empty for the whole.
    #[schema(example = "email")]
    pub field: String,
    /// Stable, for programs.
    #[schema(example = "invalid")]
    pub code: String,
    /// For people.
    pub message: String,
    /// What would satisfy it, where the rules of the lifecycle refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Why a request was refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// A URN naming the kind of problem, from its code.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "urn:complaint:problem:invalid_body")]
    pub kind: Box<str>,
    /// The same sentence for every problem of this code.
    #[schema(value_type = String)]
    pub title: Box<str>,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16, example = 422)]
    pub status: StatusCode,
    /// Stable, for programs.
    #[schema(value_type = String, example = "invalid_body")]
    pub code: Box<str>,
    /// What was wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub detail: Option<Box<str>>,
    /// Every wrong value, if values were wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Further members that belong to the code.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub more: serde_json::Map<String, serde_json::Value>,
    /// Seconds after which trying again makes sense; sent as `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<NonZeroU32>,
}

/// What is wrong, in one text.
fn said_of(errors: &[FieldError]) -> String {
    let said = errors.iter().map(|error| match &*error.field {
        "" => error.message.clone(),
        field => format!("{field}: {}", error.message),
    });
    in_sentences(said)
}

/// Texts one after the other, each with an end that can be seen.
fn in_sentences(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.collect();
    let Some((last, all)) = texts.split_last() else { return String::new() };
    let ended = |text: &String| if text.ends_with(['.', '!', '?']) { format!("{text} ") } else { format!("{text}. ") };
    all.iter().map(ended).collect::<String>() + last
}

/// Whether a place in a document is another one or a part of it.
pub(crate) fn is_within(part: &str, whole: &str) -> bool {
    part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Problem {
    /// A problem of this status and code.
    pub fn new(status: StatusCode, code: &str, title: &str) -> Self {
        Self {
            kind: format!("urn:complaint:problem:{code}").into(),
            title: title.into(),
            status,
            code: code.into(),
            detail: None,
            errors: Vec::new(),
            more: serde_json::Map::new(),
            retry_after: None,
        }
    }

    /// Says what was wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into().into());
        self
    }

    /// Names a wrong value.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            field: field.into(),
            code: code.to_owned(),
            message: message.into(),
            remedy: None,
        });
        self
    }

    /// This and what else is wrong, but for fields that are named already.
    #[must_use]
    pub fn and_more(mut self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        let mut more = other.errors;
        let all = more.len();
        more.retain(|error| self.errors.iter().all(|known| known.field != error.field));
        if more.is_empty() {
            return self;
        }
        let said = other.detail.filter(|_| more.len() == all).map_or_else(|| said_of(&more), String::from);
        let before = self.detail.map_or_else(|| said_of(&self.errors), String::from);
        self.detail = Some(in_sentences([before, said].into_iter().filter(|it| !it.is_empty())).into());
        self.errors.extend(more);
        self
    }

    /// This, and what the rules say of what could be read beside it. For what could not, something else stood in when they were asked, and
    /// what they say of that is not true of what was sent.
    #[must_use]
    pub fn and_of_rules(self, rules: Option<Self>) -> Self {
        let rules = rules.map(|rules| rules.without(&self.unread()));
        self.and_more(rules)
    }

    /// The same with what [`decide`](complaint_core::lifecycle::decide) refuses. Who may not do it at all, or saw another version, is told
    /// that first and alone.
    #[must_use]
    pub fn and_refused(self, refusal: Option<Refusal>) -> Self {
        let Some(refusal) = refusal else { return self };
        let comes_first = refusal.category().comes_first();
        let refused = Self::from(refusal);
        if comes_first { refused.without(&self.unread()) } else { self.and_of_rules(Some(refused)) }
    }

    /// The parts for which something else stood in: an element of a list as a whole, since of one that is half read nothing is known.
    fn unread(&self) -> Vec<String> {
        let as_sent = |error: &&FieldError| matches!(&*error.code, "unknown_field" | "duplicate" | "control_character");
        let part = |error: &FieldError| {
            let steps: Vec<&str> = error.field.split('.').collect();
            let element = steps.iter().rposition(|step| step.bytes().all(|byte| byte.is_ascii_digit()));
            steps[..element.map_or(steps.len(), |at| at + 1)].join(".")
        };
        self.errors.iter().filter(|error| !as_sent(error)).map(part).collect()
    }

    /// Without what is said of these parts, or of what they are part of.
    fn without(mut self, parts: &[String]) -> Self {
        let all = self.errors.len();
        self.errors.retain(|error| {
            let about = |part: &String| is_within(&error.field, part) || is_within(part, &error.field);
            error.field.is_empty() || !parts.iter().any(about)
        });
        if self.errors.len() < all {
            self.detail = Some(said_of(&self.errors).into());
        }
        self
    }

    /// Adds what else is wrong to what is known so far.
    pub(crate) fn add(wrong: &mut Option<Self>, more: Self) {
        *wrong = Some(match wrong.take() {
            Some(known) => known.and_more(Some(more)),
            None => more,
        });
    }

    /// Adds a member of its own; the standard members cannot be overwritten.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<serde_json::Value>) -> Self {
        if !["type", "title", "status", "code", "detail", "errors"].contains(&member) {
            self.more.insert(member.to_owned(), value.into());
        }
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = NonZeroU32::new(u32::try_from(seconds).unwrap_or(u32::MAX));
        self
    }

    /// 400: not even readable.
    pub fn malformed(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "The request cannot be read.").detail(detail)
    }

    /// 422: readable, but these values will not do. Add them with [`Problem::field`].
    pub fn invalid() -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", "Some values cannot be accepted.")
    }

    /// 422 for these values.
    pub(crate) fn of_fields(errors: Vec<FieldError>) -> Self {
        Self { detail: Some(said_of(&errors).into()), errors, ..Self::invalid() }
    }

    /// 401.
    pub fn not_logged_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_logged_in", "Please log in first.")
    }

    /// 403.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "You may not do this.")
    }

    /// 403: staff who have no second factor where staff need one can do nothing but set it up.
    pub fn second_factor_required() -> Self {
        Self::new(StatusCode::FORBIDDEN, "second_factor_required", "Staff here need a second factor.")
            .detail("Set it up first: POST /api/v1/me/second-factor, or the page /account/second-factor.")
    }

    /// 404, also for things that exist but are none of the caller's business.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.")
    }

    /// 408.
    pub fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The request did not arrive in time.")
            .detail("Its beginning came and then nothing more, or too slowly: send it again.")
    }

    /// 503.
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "This cannot be done at the moment; please try again.",
        )
        .retry_after(5)
    }

    /// 500: the chain of causes goes to the log, the caller learns nothing.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %chain(error), "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
    }
}

/// An error and its causes in one line, for the log. An error that says its cause already is not followed by it once more.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// A text from elsewhere as it may be printed on a terminal: controls but line ends and tabs are written out, as in `\u{1b}`.
pub fn printable(text: &str) -> String {
    let hidden = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        shown
    })
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid(faults) => {
                let mut said: Vec<&str> = faults.iter().map(|wrong| wrong.fault.message.as_str()).collect();
                // One sentence may be said of several fields.
                said.dedup();
                let problem = Self::invalid().detail(said.join(" "));
                faults
                    .into_iter()
                    .fold(problem, |problem, wrong| problem.field(wrong.field, wrong.fault.code, wrong.fault.message))
            }
            AuthError::InvalidCredentials => {
                Self::new(StatusCode::UNAUTHORIZED, "invalid_credentials", "E-mail address or password is wrong.")
            }
            AuthError::EmailUnverified => {
                Self::new(StatusCode::FORBIDDEN, "email_unverified", "Please confirm your e-mail address first.")
                    .detail("Open the link in the mail we sent you; POST /api/v1/accounts/verification sends it again.")
            }
            AuthError::SecondFactorNeeded { .. } => Self::new(
                StatusCode::UNAUTHORIZED,
                "second_factor_needed",
                "A code from your device is needed, too.",
            )
            .detail(
                "Send the same once more with second_factor: the six digits that the device shows, or a recovery code.",
            ),
            AuthError::SecondFactorThere => {
                Self::new(StatusCode::CONFLICT, "second_factor_there", "There is a second factor already.")
                    .detail("Remove it before you set up another one.")
            }
            AuthError::NoSecondFactor => {
                Self::new(StatusCode::CONFLICT, "no_second_factor", "There is no second factor.")
                    .detail("None is set up, or the secret was offered more than an hour ago.")
            }
            AuthError::InvalidToken => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_token", "This link does not work any more.")
                    .detail("It has been used, has expired, or was never given.")
                    .field("token", "invalid_token", "used, expired or unknown")
            }
            AuthError::AlreadySetUp => Self::new(StatusCode::CONFLICT, "already_set_up", "There is an admin already."),
            AuthError::TooMany { retry_after_seconds } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many tries; please wait.")
                    .retry_after(retry_after_seconds)
            }
            AuthError::EmailTaken => Self::new(
                StatusCode::CONFLICT,
                "email_taken",
                "Another account has this e-mail address.",
            )
            .field("email", "taken", "Another account has this e-mail address."),
            AuthError::LastAdmin => Self::new(StatusCode::CONFLICT, "last_admin", "The last admin must stay."),
            AuthError::NoSuchAccount => Self::not_found(),
            AuthError::TextsAway(error) => {
                tracing::error!(error = %chain(&error), "the gateway for text messages cannot be used");
                Self::unavailable().detail("The text message could not be sent. Please try again later.")
            }
            AuthError::Accounts(AccountsError::Unavailable(error)) => {
                tracing::error!(error = %chain(error.as_ref()), "the account database cannot be used");
                Self::unavailable()
            }
            other => Self::internal(&other),
        }
    }
}

impl From<AccountsError> for Problem {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::Conflict { current } => {
                Self::new(StatusCode::CONFLICT, "stale_version", "Somebody else changed it first.")
                    .with("current_version", current)
            }
            other => AuthError::from(other).into(),
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        let forbidden = |code, title| Self::new(StatusCode::FORBIDDEN, code, title);
        match error {
            IdentityError::EmailUnverified => {
                forbidden("provider_email_unverified", "There is no confirmed e-mail address with it.")
                    .detail("Where you came from, no e-mail address is confirmed as yours. Confirm it there, or sign up here with your address and a password.")
            }
            // The same for both: only whoever runs the site says which.
            IdentityError::Closed => forbidden("provider_closed", "This account cannot be opened by it.")
                .detail("It may be disabled, or one of staff, who log in with their password."),
            IdentityError::Taken => forbidden("identity_taken", "It is linked to another account here.")
                .detail("Log in with it, and take it from that account first."),
            IdentityError::OtherEmail => {
                forbidden("identity_other_email", "It has another e-mail address than your account.")
                    .detail("Only what has the same confirmed address can be linked. You can change the address of your account.")
            }
            IdentityError::LastWayIn => {
                Self::new(StatusCode::CONFLICT, "last_way_in", "Without it you could not log in any more.")
                    .detail("Choose a password first, by “Forgotten your password?”.")
            }
            IdentityError::NotFound => Self::not_found(),
            IdentityError::Auth(error) => error.into(),
        }
    }
}

#[cfg(feature = "oidc")]
impl From<OidcError> for Problem {
    fn from(error: OidcError) -> Self {
        // Not our fault, and not of whoever asks: 424 is what says so.
        match error {
            OidcError::Away(_) => {
                Self::new(StatusCode::FAILED_DEPENDENCY, "provider_away", "It cannot be asked at the moment.")
                    .detail("Please try again in a minute, or log in otherwise.")
            }
            OidcError::Declined(declined) => {
                let said = match declined {
                    Declined::NotAgreed => "You, or somebody there, did not agree.",
                    Declined::NotNow => "It cannot do it at the moment. Please try again in a minute, or log in otherwise.",
                    Declined::Otherwise => {
                        "It did not say why in a way that we understand. If it happens again, tell whoever runs this site."
                    }
                };
                Self::new(StatusCode::FORBIDDEN, "provider_declined", "You were not logged in there.").detail(said)
            }
            OidcError::Distrusted { said, .. } => Self::new(
                StatusCode::FAILED_DEPENDENCY,
                "provider_not_believed",
                "What came back from there cannot be believed.",
            )
            .detail(format!("{said} Nothing was changed. Begin again at the log-in; if it happens again, tell whoever runs this site.")),
        }
    }
}

impl From<WebhooksError> for Problem {
    fn from(error: WebhooksError) -> Self {
        match error {
            WebhooksError::Invalid(faults) => AuthError::Invalid(faults).into(),
            WebhooksError::NotFound => Self::not_found(),
            WebhooksError::TooMany => {
                Self::new(StatusCode::CONFLICT, "too_many_webhooks", "There are as many webhooks as there may be.")
                    .detail(format!("At most {WEBHOOKS_MAX}; remove one that is not needed any more."))
            }
            WebhooksError::Kept(error) => error.into(),
            WebhooksError::Policy(error) => error.into(),
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Closed => {
                Self::forbidden().detail("Mail is not taken in here; the server runs without --intake-address.")
            }
            IntakeError::NotFound => Self::not_found(),
            IntakeError::State(state) => {
                Self::new(StatusCode::CONFLICT, "wrong_state", "The message is not in quarantine any more.")
                    .detail(format!("It is {} by now.", state.as_str()))
            }
            IntakeError::Unreadable(why @ Unreadable::TooLarge { .. }) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large.")
                    .detail(why.to_string())
            }
            IntakeError::Unreadable(why) => Self::invalid().detail(why.to_string()),
            IntakeError::Kept(error) => error.into(),
            IntakeError::Accounts(error) => error.into(),
            IntakeError::Desk(error) => error.into(),
            error @ IntakeError::Files(_) => {
                tracing::error!(error = %chain(&error), "the files of a message cannot be kept");
                Self::unavailable()
            }
        }
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Refused(refusal) => Self::from(refusal),
            DeskError::NotFound => Self::not_found(),
            DeskError::Contended { current } => stale(current),
            DeskError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key was used with another request.",
            ),
            DeskError::Invalid(invalid) => Self::invalid().detail(invalid.to_string()),
            DeskError::Policy(policy) => CatalogueError::from(policy).into(),
            DeskError::Store(StoreError::Conflict { current, .. }) => stale(current),
            DeskError::Store(StoreError::OutcomeUnknown(cause)) => {
                tracing::error!(error = %chain(cause.as_ref()), "it is not known whether a change was committed");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "outcome_unknown",
                    "It is not known whether this was done; look before you repeat it.",
                )
                .retry_after(5)
            }
            DeskError::Store(StoreError::Unavailable(cause)) => {
                tracing::error!(error = %chain(cause.as_ref()), "the store is not available");
                Self::unavailable()
            }
            other => Self::internal(&other),
        }
    }
}

impl From<Refusal> for Problem {
    /// Every failed guard becomes an error with its code, the field at fault where one is, and what would satisfy it.
    fn from(refusal: Refusal) -> Self {
        let (status, title) = match refusal.category() {
            RefusalCategory::Stale => (StatusCode::CONFLICT, "Somebody else changed it first."),
            RefusalCategory::Forbidden => (StatusCode::FORBIDDEN, "You may not do this."),
            RefusalCategory::State | RefusalCategory::Input => {
                (StatusCode::UNPROCESSABLE_ENTITY, "This is not possible now, or not with these values.")
            }
        };
        let mut problem = Self::new(status, refusal.code(), title)
            .detail(refusal.to_string())
            .with("command", refusal.command.name());
        if refusal.version != Version::NONE {
            problem = problem.with("current_version", refusal.version.get());
        }
        if let Some(at) = refusal.status {
            problem = problem.with("complaint_status", at.name());
        }
        problem.errors = refusal
            .failed
            .into_iter()
            .map(|failed| FieldError {
                field: failed.field.unwrap_or_default(),
                code: failed.code.to_owned(),
                message: failed.message,
                remedy: Some(failed.remedy),
            })
            .collect();
        problem
    }
}

impl From<CatalogueError> for Problem {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Kept(error) => error.into(),
            CatalogueError::Policy(PolicyError::Faulty(findings)) => {
                findings.into_iter().fold(Self::invalid(), |problem, finding| {
                    let message = format!("{}; {}", finding.message, finding.remedy);
                    problem.field(finding.path, finding.code.name(), message)
                })
            }
            other => Self::internal(&other),
        }
    }
}

impl From<FilesError> for Problem {
    fn from(error: FilesError) -> Self {
        if matches!(error, FilesError::TooLarge) {
            return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", "A file is larger than 10 MB.");
        }
        tracing::error!(error = %chain(&error), "attachments cannot be read or written");
        Self::unavailable()
    }
}

fn stale(current: Version) -> Problem {
    Problem::new(StatusCode::CONFLICT, "stale_version", "Somebody else changed it first.")
        .with("current_version", current.get())
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        if self.detail.is_none() && !self.errors.is_empty() {
            self.detail = Some(said_of(&self.errors).into());
        }
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.get().into());
        }
        // The version to repeat with stands where it always stands.
        let current =
            (self.status == StatusCode::CONFLICT).then(|| self.more.get("current_version")?.as_u64()).flatten();
        if let Some(tag) = current.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok()) {
            headers.insert(ETAG, tag);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(askama::Template)]
#[template(path = "auth/problem.html")]
struct ProblemPage<'a> {
    me: Me,
    title: &'a str,
    detail: Option<&'a str>,
    status: u16,
    /// Whether it is about a link, with which nothing can be corrected.
    link: bool,
}

/// Turns a problem on its way out into a page where a person asked and into the form of Open311 where a reporting app did, and gives the framework's own bare refusals a body.
pub async fn present(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let open311 = request.uri().path().starts_with(open311::BELOW).then(|| Format::of(request.uri().path()));
    let for_person = open311.is_none() && wants_page(request.uri().path(), request.headers());
    let asked_with = if for_person { request.headers().clone() } else { HeaderMap::new() };
    let mut response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    if response.extensions().get::<Problem>().is_none() && is_bare(&response) {
        response = with_headers_of(&response, bare(status).into_response());
    }
    let problem = response.extensions().get::<Problem>().filter(|_| for_person || open311.is_some()).cloned();
    let Some(problem) = problem else { return response };
    if let Some(format) = open311 {
        return with_headers_of(&response, open311::answer::refused(format, &problem));
    }
    let page = ProblemPage {
        me: who(&state, &asked_with).await,
        title: &problem.title,
        detail: problem.detail.as_deref(),
        status: status.as_u16(),
        link: &*problem.code == "invalid_token",
    };
    match askama::Template::render(&page) {
        Ok(page) => with_headers_of(&response, (status, Html(page)).into_response()),
        Err(_) => response,
    }
}

/// An answer in the place of another one, which still says what may be asked for here, and when.
fn with_headers_of(replaced: &Response, mut answer: Response) -> Response {
    for name in [ALLOW, RETRY_AFTER] {
        if let Some(value) = replaced.headers().get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer
}

/// For whom the frame of a page is. A problem with finding out must not hide the problem there is.
async fn who(state: &AppState, headers: &HeaderMap) -> Me {
    match look_again(headers, state).await {
        Ok(Some(viewer)) => Me::of(&viewer, state, "").await,
        _ => Me::nobody(state),
    }
}

fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let is_page = !(path.starts_with("/api/") || path.starts_with("/health/") || path == "/metrics");
    is_page
        && headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"))
}

fn is_bare(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

fn bare(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(status, "method_not_allowed", "This cannot be done here."),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(status, "too_large", "The request is too large."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(status, "unsupported_media_type", "This kind of content is not accepted here.")
        }
        StatusCode::UNPROCESSABLE_ENTITY => Problem::invalid(),
        StatusCode::SERVICE_UNAVAILABLE => Problem::unavailable(),
        status if status.is_client_error() => Problem::new(status, "refused", "The request cannot be read."),
        status => Problem::new(status, "internal", "Something went wrong on our side."),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    #[test]
    fn what_is_wrong_in_several_places_is_told_in_sentences() {
        let level = Problem::invalid().field("level", "invalid", "level must be a number from 1 to 9");
        let name = Problem::invalid().field("name", "missing", "Please give your full name.");
        let capacity =
            Problem::invalid().detail("it is refused: too much").field("capacity", "out_of_range", "too much");
        let again = Problem::invalid().field("name", "invalid", "another word").field("area", "invalid", "no area");
        let problem = level.and_more(Some(name)).and_more(None).and_more(Some(capacity)).and_more(Some(again));
        assert_eq!(
            problem.detail.as_deref(),
            Some(
                "level: level must be a number from 1 to 9. name: Please give your full name. it is refused: too much. area: no area"
            )
        );
        assert_eq!(problem.errors.len(), 4);
    }

    #[test]
    fn nothing_printed_moves_the_cursor() {
        assert_eq!(printable("a\tü\n\u{1b}[2J\0\u{9b}"), "a\tü\n\\u{1b}[2J\\u{0}\\u{9b}");
    }

    #[test]
    fn a_chain_says_everything_once() {
        let cause = |said, source: Option<Said>| Said(said, source.map(Box::new));
        let file = cause("(code: 26) file is not a database", None);
        let database = cause("error returned from database: (code: 26) file is not a database", Some(file));
        let top = cause("the database cannot be opened", Some(database));
        assert_eq!(
            chain(&top),
            "the database cannot be opened: error returned from database: (code: 26) file is not a database"
        );
    }
}
