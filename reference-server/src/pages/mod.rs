//! Pages, by audience. They work without script; every change is a form that is posted and answered with a redirect.

pub mod account;
pub mod admin;
pub mod assets;
pub mod batch;
pub mod commands;
pub mod complaint;
pub mod customer;
pub mod dead_letters;
pub mod documents;
mod ended;
pub mod form;
pub mod guest;
#[cfg(feature = "oidc")]
pub mod identities;
pub mod links;
pub mod mail;
pub mod myself;
pub mod preferences;
pub mod second_factor;
pub mod staff;
pub mod unsubscribe;
pub mod upload;
pub mod webhooks;
pub mod words;

use askama::Template;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use complaint_core::complaint::Complaint;
use complaint_core::desk::Acting;
use complaint_core::id::Level;
use complaint_core::reference::Reference;
use complaint_core::store::{Cursor, PAGE_MAX, Query};

use crate::auth::viewer::ShownBy;
use crate::auth::{AnyViewer, Role, Viewer};
use crate::error::Problem;
use crate::mail::organisation;
use crate::state::AppState;

/// How many pages of a list [`look_through`] reads: a thousand complaints.
pub const LOOKED_THROUGH_MAX: usize = 10;

/// Every page.
pub fn routes(state: &AppState) -> Router<AppState> {
    let for_people = customer::routes()
        .merge(complaint::routes())
        .merge(staff::routes())
        .merge(batch::routes())
        .merge(myself::routes())
        .merge(second_factor::routes())
        .merge(admin::routes())
        .merge(webhooks::routes())
        .merge(mail::routes())
        .merge(dead_letters::routes())
        .merge(preferences::routes())
        .merge(documents::routes());
    #[cfg(feature = "oidc")]
    let for_people = for_people.merge(identities::routes());
    let for_people = for_people
        .route_layer(from_fn_with_state(state.clone(), documents::accepted_first))
        .route_layer(from_fn_with_state(state.clone(), ended::session));
    let routes = Router::new();
    #[cfg(feature = "oidc")]
    let routes = routes.merge(identities::doors());
    routes
        .route("/static/{digest}/{name}", get(assets::serve))
        .merge(links::routes())
        .merge(mail::links())
        .merge(unsubscribe::routes())
        .merge(guest::routes(state))
        .merge(account::routes())
        .merge(documents::texts())
        .merge(for_people)
}

/// A page, or the problem shown in its place.
pub type Answer = Result<Response, Problem>;

/// The address of a complaint's page, or of what is `below` it, for this reader: guests carry the key of their link along.
pub fn complaint_address(reader: &Viewer, reference: Reference, below: &str, query: &[(&str, &str)]) -> String {
    let (root, key) = match &reader.shown_by {
        ShownBy::Link(key) => ("track", Some(("key", key.as_str()))),
        ShownBy::Session | ShownBy::ApiToken => ("complaints", None),
    };
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(key.iter().chain(query));
    let query = pairs.finish();
    format!("/{root}/{reference}{below}{}{query}", if query.is_empty() { "" } else { "?" })
}

/// Renders a page.
pub fn page(status: StatusCode, template: &impl Template) -> Answer {
    let html = template.render().map_err(|error| Problem::internal(&error))?;
    Ok((status, Html(html)).into_response())
}

/// After a change: to the page that shows it, by GET.
pub fn see(address: &str) -> Response {
    Redirect::to(address).into_response()
}

/// Who looks at a page, for its frame.
#[derive(Debug, Clone)]
pub struct Me {
    /// Nobody: a visitor.
    pub viewer: Option<Viewer>,
    /// The level of an agent.
    pub level: Option<Level>,
    /// What they are called here: the name of their level, or their role.
    pub role_name: String,
    /// The address of the section this page belongs to.
    pub here: &'static str,
    /// What the site is called.
    pub brand: String,
}

/// A link of the navigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where to.
    pub href: &'static str,
    /// What people read.
    pub label: &'static str,
    /// The sections it stands for; none: the one it leads to.
    pub sections: Vec<Link>,
}

impl Link {
    fn to(href: &'static str, label: &'static str) -> Self {
        Self { href, label, sections: Vec::new() }
    }

    /// Several sections under one label; it leads to the first.
    fn over(label: &'static str, sections: Vec<Self>) -> Self {
        Self { href: sections.first().map_or("", |first| first.href), label, sections }
    }

    fn leads_to(&self, section: &str) -> bool {
        self.href == section || self.sections.iter().any(|link| link.href == section)
    }

    /// What `aria-current` says of it in a section: `page` for the section itself, `true` for what stands for several.
    pub fn current(&self, section: &str) -> Option<&'static str> {
        self.leads_to(section).then_some(if self.sections.is_empty() { "page" } else { "true" })
    }
}

impl Me {
    /// A visitor.
    pub fn nobody(state: &AppState) -> Self {
        Self {
            viewer: None,
            level: None,
            role_name: String::new(),
            here: "",
            brand: organisation(&state.desk.policy()).to_owned(),
        }
    }

    /// Somebody logged in, in a section, as whom they act by now.
    pub async fn of(viewer: &Viewer, state: &AppState, here: &'static str) -> Self {
        let level = match viewer.role {
            // Who is an agent no more is still somebody.
            Role::Agent => state.acting(viewer).await.ok().and_then(|acting| acting.actor().level()),
            Role::Customer | Role::Admin | Role::Auditor => None,
        };
        Self::at(viewer, level, state, here)
    }

    /// The same where their level is known, or none can be theirs. Guests are nobody here: a link to one complaint opens nothing else.
    pub fn at(viewer: &Viewer, level: Option<Level>, state: &AppState, here: &'static str) -> Self {
        if matches!(viewer.shown_by, ShownBy::Link(_)) {
            return Self::nobody(state);
        }
        let role_name = match (viewer.role, level) {
            (Role::Agent, Some(level)) => state.desk.policy().level_name(level).to_owned(),
            (Role::Agent, None) => "Agent".to_owned(),
            (Role::Customer, _) => "customer".to_owned(),
            (Role::Admin, _) => "administrator".to_owned(),
            (Role::Auditor, _) => "auditor".to_owned(),
        };
        Self {
            viewer: Some(viewer.clone()),
            level,
            role_name,
            here,
            brand: organisation(&state.desk.policy()).to_owned(),
        }
    }

    /// What they are called.
    pub fn name(&self) -> Option<&str> {
        self.viewer.as_ref().map(|viewer| viewer.name.as_str())
    }

    /// A member of staff.
    pub fn is_staff(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.role.is_staff())
    }

    /// Leads others.
    pub fn is_supervisor(&self) -> bool {
        self.level.is_some_and(|level| level > Level::FIRST)
    }

    /// The main navigation. It fits beside a name on one line of 1280 pixels.
    pub fn links(&self) -> Vec<Link> {
        match self.viewer.as_ref().map(|viewer| viewer.role) {
            None => Vec::new(),
            Some(Role::Customer) => {
                vec![Link::to("/complaints", "My complaints"), Link::to("/complaints/new", "New complaint")]
            }
            Some(Role::Agent) => {
                let mut links = vec![Link::to("/work", "My work")];
                if self.is_supervisor() {
                    links.push(Link::to("/team", "Team"));
                }
                links.push(Link::to("/search", "Search"));
                links.push(Link::to("/work/batch", "Several at once"));
                links
            }
            Some(Role::Admin) => vec![
                Link::to("/admin", "Dashboard"),
                Link::to("/search", "Complaints"),
                Link::to("/admin/agents", "Agents"),
                Link::to("/admin/categories", "Categories"),
                Link::to("/admin/users", "Users"),
                Link::over(
                    "In and out",
                    vec![
                        Link::to("/admin/mail", "Mail"),
                        Link::to("/admin/webhooks", "Webhooks"),
                        Link::to("/admin/dead-letters", "Dead letters"),
                    ],
                ),
                Link::to("/admin/policy", "Policy"),
            ],
            Some(Role::Auditor) => vec![
                Link::to("/admin", "Dashboard"),
                Link::to("/search", "Complaints"),
                Link::over(
                    "In and out",
                    vec![Link::to("/admin/mail", "Mail"), Link::to("/admin/dead-letters", "Dead letters")],
                ),
                Link::to("/admin/policy", "Policy"),
            ],
        }
    }

    /// The link that stands for this section and others, if one does.
    pub fn within(&self) -> Option<Link> {
        self.links().into_iter().find(|link| !link.sections.is_empty() && link.leads_to(self.here))
    }
}

/// What was found by looking through a list.
pub struct Found {
    /// Those that were wanted, in the order of the list.
    pub items: Vec<Complaint>,
    /// Where to look on, if the list is longer than what is looked through at once.
    pub next: Option<Cursor>,
}

impl Found {
    /// How many there are; `100+` where there may be more.
    pub fn count(&self, counts: impl Fn(&Complaint) -> bool) -> String {
        let count = self.items.iter().filter(|complaint| counts(complaint)).count();
        format!("{count}{}", if self.next.is_some() { "+" } else { "" })
    }
}

/// Looks through a list for those that are wanted: what no filter of the store tells apart. Stops after [`LOOKED_THROUGH_MAX`]
/// pages of the list, or when `enough` are found.
pub async fn look_through(
    acting: &Acting,
    mut query: Query,
    enough: usize,
    wanted: impl Fn(&Complaint) -> bool,
) -> Result<Found, Problem> {
    query.limit = PAGE_MAX;
    let mut items = Vec::new();
    for _ in 0..LOOKED_THROUGH_MAX {
        let page = acting.list(query.clone()).await?;
        for complaint in page.items {
            let place = query.place_of(&complaint);
            if wanted(&complaint) {
                if items.len() == enough {
                    return Ok(Found { items, next: query.after });
                }
                items.push(complaint);
            }
            query.after = Some(place);
        }
        if page.next.is_none() {
            return Ok(Found { items, next: None });
        }
    }
    Ok(Found { items, next: query.after })
}

/// Where somebody starts.
pub fn start_of(role: Role) -> &'static str {
    match role {
        Role::Customer => "/complaints",
        Role::Agent => "/work",
        Role::Admin | Role::Auditor => "/admin",
    }
}

/// Somebody logged in; a visitor is led to the login page and back, and whoever must set up a second factor first to where that is done.
#[derive(Debug, Clone)]
pub struct Person(pub Viewer);

/// [`Person`], or somebody who must set up a second factor first: for the page where that is done.
#[derive(Debug, Clone)]
pub struct EnrollingPerson(pub Person);

impl FromRequestParts<AppState> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let EnrollingPerson(person) = EnrollingPerson::from_request_parts(parts, state).await?;
        if person.0.must_enrol { Err(see("/account/second-factor")) } else { Ok(person) }
    }
}

impl FromRequestParts<AppState> for EnrollingPerson {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        // Whoever sent a form was looked up before; see `ended`.
        if let Some(person) = parts.extensions.get::<Person>() {
            return Ok(Self(person.clone()));
        }
        let maybe = AnyViewer::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        if let Some(viewer) = maybe.0 {
            return Ok(Self(Person(viewer)));
        }
        let back = parts.uri.path_and_query().map_or("/", |it| it.as_str());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("next", back);
        Err(see(&format!("/login?{}", query.finish())))
    }
}

impl Person {
    /// Refuses everybody but these roles.
    pub fn must_be(&self, roles: &[Role]) -> Result<(), Problem> {
        if roles.contains(&self.0.role) { Ok(()) } else { Err(Problem::forbidden()) }
    }
}

/// An address of ours to go to, if `wanted` is one: never to another host, never by another scheme.
pub fn local_address(wanted: &str) -> Option<&str> {
    let local = wanted.starts_with('/') && !wanted.starts_with("//");
    let harmless = wanted.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'\\');
    (local && harmless && wanted.len() <= 2000).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_ours_are_gone_to() {
        for good in ["/", "/complaints/C7KQ-2M9X-B?done=ask", "/search?q=a%20b"] {
            assert_eq!(local_address(good), Some(good));
        }
        for bad in
            ["", "//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y"]
        {
            assert_eq!(local_address(bad), None, "{bad}");
        }
    }
}
