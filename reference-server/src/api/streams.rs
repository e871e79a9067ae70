//! `/api/v1/live`: server-sent events. Only that something changed; what it looks like now is read as always.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, TimeDelta, Utc};
use complaint_core::complaint::Complaint;
use complaint_core::id::{ComplaintId, Version};
use complaint_core::reference::Reference;
use complaint_core::store::{Reach, Scope};
use complaint_core::{Actor, DeskError};
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::auth::viewer::{ShownBy, by_link, look_again};
use crate::auth::{Onlooker, Role, Viewer};
use crate::error::Problem;
use crate::extract::ApiPath;
use crate::live::{Changed, NoPlace, Place, STREAMS_OF_ONE_MAX, Told};
use crate::state::AppState;

/// Proxies cut what is silent for longer.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends at most this long after its session.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Who follows more than one complaint is told so often to look again, whatever was heard: who changed something may have died before
/// they could tell, or be a program beside the server.
const MISSED_EVERY: TimeDelta = TimeDelta::seconds(30);

/// What a browser that has too many streams is told to wait, in seconds.
const RETRY_AFTER_SECONDS: u64 = 30;

/// Follow one complaint: `changed` with `{complaint, reference, version, status}` at each change, `now` with the same at the start; `gone`
/// with `{complaint, reference}`, and nothing more, when the caller sees it no longer.
#[utoipa::path(get, path = "/api/v1/complaints/{id}/live", tag = "live", security(("bearer" = []), ("cookie" = [])),
    params(("id" = String, Path, description = "Id or reference")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "`too_many_streams`"),
    ))]
pub(super) async fn one(
    State(state): State<AppState>,
    Onlooker(viewer): Onlooker,
    ApiPath(id): ApiPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    one_of(state, &viewer, &id, headers).await
}

/// The stream of one complaint for a viewer who came with these headers, or by a signed link.
pub(crate) async fn one_of(
    state: AppState,
    viewer: &Viewer,
    id: &str,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Before reading: a change between the two is then seen twice rather than not at all.
    let changes = state.live.watch();
    let acting = state.acting(viewer).await?;
    let complaint = acting.find(id).await?;
    let first = Some(event("now", &complaint, acting.actor()));
    let version = complaint.version_for(acting.actor());
    let shown = Shown { complaint: complaint.id, reference: complaint.reference, version };
    follow(state, viewer, headers, changes, Some(shown), first)
}

/// Follow everything the caller may see: `changed` with `{complaint, reference, version, status}`; `gone` with
/// `{complaint, reference}` when an agent sees a complaint no longer; `missed` when too much came at once, and every half a minute, since
/// a change may have been told to nobody: look at the lists again.
#[utoipa::path(get, path = "/api/v1/live", tag = "live", security(("bearer" = []), ("cookie" = [])),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "`too_many_streams`"),
    ))]
pub(super) async fn all(
    State(state): State<AppState>,
    Onlooker(viewer): Onlooker,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    state.acting(&viewer).await?;
    let changes = state.live.watch();
    follow(state, &viewer, headers, changes, None, Some(Event::default().comment("watching")))
}

struct Watching {
    state: AppState,
    /// What the viewer came with, to look again whether it still counts: the key of a link, or else headers.
    key: Option<String>,
    headers: HeaderMap,
    changes: Receiver<Told>,
    only: Option<Shown>,
    /// Whether there is nothing more to tell.
    over: bool,
    /// The viewer, if it is a customer: an account never becomes another's, and its role ends its sessions with it.
    customer: Option<String>,
    first: Option<Event>,
    look: Interval,
    /// When it was told last that something may have been missed.
    missed_at: DateTime<Utc>,
    _place: Place,
}

/// The one complaint that is followed, and its version as far as it was told.
struct Shown {
    complaint: ComplaintId,
    reference: Reference,
    version: Version,
}

enum Next {
    Send(Event),
    Skip,
    End,
}

fn follow(
    state: AppState,
    viewer: &Viewer,
    headers: HeaderMap,
    changes: Receiver<Told>,
    only: Option<Shown>,
    first: Option<Event>,
) -> Result<Response, Problem> {
    let place = state.live.place(&viewer.id).map_err(|none| match none {
        NoPlace::AtAll => Problem::unavailable(),
        NoPlace::ForThisAccount => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", "Too many streams are open.")
                .detail(format!("At most {STREAMS_OF_ONE_MAX} at once; close one first."))
                .retry_after(RETRY_AFTER_SECONDS)
        }
    })?;
    let customer = (viewer.role == Role::Customer).then(|| viewer.id.clone());
    let key = match &viewer.shown_by {
        ShownBy::Link(key) => Some(key.clone()),
        ShownBy::Session | ShownBy::ApiToken => None,
    };
    let mut look = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let missed_at = state.clock.now();
    let over = false;
    let watching =
        Watching { state, key, headers, changes, only, over, customer, first, look, missed_at, _place: place };
    let events = unfold(watching, |mut watching| async move {
        loop {
            match watching.next().await {
                Next::Send(event) => return Some((Ok::<_, Infallible>(event), watching)),
                Next::Skip => {}
                Next::End => return None,
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

impl Watching {
    async fn next(&mut self) -> Next {
        if let Some(first) = self.first.take() {
            return Next::Send(first);
        }
        if self.over {
            return Next::End;
        }
        let mut stopping = self.state.stopping.clone();
        let stopped = async {
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        tokio::select! {
            () = stopped => Next::End,
            _ = self.look.tick() => self.look().await,
            change = self.changes.recv() => match change {
                Ok(Told::Changed(change)) => self.tell(&change).await,
                Ok(Told::Missed) | Err(RecvError::Lagged(_)) => missed(),
                Err(RecvError::Closed) => Next::End,
            },
        }
    }

    /// Nothing is told that the viewer could not read at this very moment.
    async fn tell(&mut self, change: &Changed) -> Next {
        // Spares looking at the database for every change of somebody else, and keeps from customers even that something
        // internal happened.
        let is_others =
            self.customer.as_ref().is_some_and(|customer| customer != change.customer.as_str() || !change.public);
        if is_others || self.only.as_ref().is_some_and(|only| only.complaint != change.complaint) {
            return Next::Skip;
        }
        let Some(viewer) = self.look_again().await else { return Next::End };
        let Ok(acting) = self.state.acting(&viewer).await else { return Next::End };
        match acting.read(change.complaint).await {
            Ok(complaint) => self.changed(&complaint, acting.actor()),
            Err(DeskError::NotFound) if self.only.is_some() || saw(&acting.scope(), change) => {
                self.gone(change.complaint, change.reference)
            }
            Err(DeskError::NotFound) => Next::Skip,
            Err(error) => {
                tracing::warn!(error = %crate::error::chain(&error), "a stream could not be continued");
                Next::End
            }
        }
    }

    /// Whether the viewer may still follow, and the one complaint still is as it was told: who changed it may have died before they could
    /// tell, or be a program beside the server.
    async fn look(&mut self) -> Next {
        let Some(viewer) = self.look_again().await else { return Next::End };
        let Some(only) = &self.only else {
            let now = self.state.clock.now();
            if now - self.missed_at < MISSED_EVERY {
                return Next::Skip;
            }
            self.missed_at = now;
            return missed();
        };
        let Ok(acting) = self.state.acting(&viewer).await else { return Next::End };
        match acting.read(only.complaint).await {
            Ok(complaint) if complaint.version_for(acting.actor()) > only.version => {
                self.changed(&complaint, acting.actor())
            }
            Err(DeskError::NotFound) => self.gone(only.complaint, only.reference),
            _ => Next::Skip,
        }
    }

    fn gone(&mut self, complaint: ComplaintId, reference: Reference) -> Next {
        self.over = self.only.is_some();
        let data = json!({ "complaint": complaint, "reference": reference });
        Next::Send(Event::default().event("gone").data(data.to_string()))
    }

    fn changed(&mut self, complaint: &Complaint, viewer: &Actor) -> Next {
        if let Some(only) = &mut self.only {
            only.version = complaint.version_for(viewer);
        }
        Next::Send(event("changed", complaint, viewer))
    }

    async fn look_again(&self) -> Option<Viewer> {
        match &self.key {
            Some(key) => by_link(key, &self.state).await.ok().flatten().map(|(_, guest)| guest),
            None => look_again(&self.headers, &self.state).await.ok().flatten(),
        }
    }
}

/// Whether a viewer who does not see a complaint saw it before this change: then it has left what is shown to them.
fn saw(scope: &Scope, change: &Changed) -> bool {
    let Scope::Agent { id, reach } = scope else { return false };
    change.concerned.contains(id) || change.taken_at.is_some_and(|level| *reach == Reach::Queue(level))
}

fn missed() -> Next {
    Next::Send(Event::default().event("missed").data("{}"))
}

fn event(name: &str, complaint: &Complaint, viewer: &Actor) -> Event {
    let data = json!({
        "complaint": complaint.id,
        "reference": complaint.reference,
        "version": complaint.version_for(viewer).get(),
        "status": complaint.status_for(viewer).name(),
    });
    Event::default().event(name).data(data.to_string())
}
