//! Open311 `GeoReport` v2 under `/open311/v2`, as reporting apps and FixMyStreet speak it: a category is a *service*, a complaint a
//! *service request*, its reference the `service_request_id`.
//!
//! | address | |
//! |---|---|
//! | `GET discovery` | where this is, and in which formats |
//! | `GET services`, `GET services/{service_code}` | categories that can be chosen; the questions of one |
//! | `GET requests`, `GET requests/{service_request_id}` | complaints; `expected_datetime` is the date promised to the customer |
//! | `POST requests` | hands in a complaint, which comes by the channel `open311` |
//! | `GET tokens/{token}` | the number of a complaint by its id in the JSON API; `POST requests` itself answers with the number at once |
//! | `GET servicerequestupdates` | what the organisation said and decided in a span of time |
//! | `POST servicerequestupdates` | a message to whoever handles it |
//!
//! Every address ends in `.xml` or `.json`; the JSON follows the Spark convention of the specification. The parameter `api_key` is
//! an API token, which may also come as a bearer token; session cookies count for nothing here. A key shows what its account may
//! see, never names of staff or notes. Without one nothing of a complaint is shown, unless the operator lets anybody list them
//! (`--open311-public`): then number, service, whether it is open, and dates.
//!
//! The one who holds the key is the customer; whom they report for is kept as the contact. An agent's key hands in for the customer
//! whose account has the `email`. `device_id`, `account_id` and whatever says who somebody is at another program are taken and
//! not kept.
//!
//! Errors are lists of `code` (the HTTP status) and `description`, in the format that was asked for: 400 what is wrong with a value,
//! 403 a key that is missing or not good, 404 a service or request that is not there.
//!
//! It is not part of the description at `/api/openapi.json`: that one promises problem documents and JSON bodies at every door, while
//! here another specification says what is sent and answered.
//!
//! Sources: [GeoReport v2](https://wiki.open311.org/GeoReport_v2),
//! [Service discovery](https://wiki.open311.org/Service_Discovery), for updates
//! [FixMyStreet](https://github.com/mysociety/fixmystreet/wiki/Open311-FMS---Complete-Spec).

pub(crate) mod answer;
mod asked;
mod key;
mod requests;
mod services;
mod updates;

use axum::Router;
use axum::routing::get;

use crate::state::AppState;

/// Where all of it is.
pub(crate) const BELOW: &str = "/open311/v2";

/// Every address, each in both formats.
pub fn routes() -> Router<AppState> {
    let both = ["xml", "json"].into_iter().fold(Router::new(), |routes, format| {
        let at = |name: &str| format!("{BELOW}/{name}.{format}");
        routes
            .route(&at("discovery"), get(services::discovery))
            .route(&at("services"), get(services::list))
            .route(&at("requests"), get(requests::list).post(requests::submit))
            .route(&at("servicerequestupdates"), get(updates::list).post(updates::post))
    });
    both.route(&format!("{BELOW}/services/{{file}}"), get(services::definition))
        .route(&format!("{BELOW}/requests/{{file}}"), get(requests::show))
        .route(&format!("{BELOW}/tokens/{{file}}"), get(requests::of_token))
}
