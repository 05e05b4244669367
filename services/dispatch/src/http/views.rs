//! The plain answers. Times are RFC 3339 in UTC, but in alerts themselves, which stand as in the topic (epoch milliseconds).

use super::Api;
use crate::event::rfc3339;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use gridwarden_domain::alert::Alert;
use gridwarden_domain::delivery::{self, Delivery};
use gridwarden_runtime::http::Problem;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const MOST: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertsQuery {
    open: Option<bool>,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct AlertList {
    alerts: Vec<Arc<Alert>>,
    /// How many are open in all.
    total: usize,
}

pub(super) async fn alerts(
    State(api): State<Api>,
    query: Result<Query<AlertsQuery>, QueryRejection>,
) -> Result<Json<AlertList>, Problem> {
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    if query.open == Some(false) {
        return Err(Problem::bad_request("only open alerts are kept here")
            .field("open", "must be true; closed alerts stand in ClickHouse"));
    }
    let alerts = api.board.open(query.limit.unwrap_or(100).min(MOST));
    Ok(Json(AlertList { alerts, total: api.board.open_count() }))
}

#[derive(Serialize)]
pub(super) struct EndpointView {
    id: String,
    /// Scheme, host and port; the rest of the URL may hold a token.
    url: String,
    /// `active`, or `gone` after a 410.
    state: &'static str,
    pending: usize,
    in_flight: usize,
    failures_in_a_row: u64,
    last_success: Option<String>,
    last_failure: Option<String>,
    last_failure_detail: Option<String>,
}

#[derive(Serialize)]
pub(super) struct EndpointList {
    endpoints: Vec<EndpointView>,
}

pub(super) async fn endpoints(State(api): State<Api>) -> Json<EndpointList> {
    let view = |(target, status): &(Arc<crate::endpoint::Target>, Arc<crate::status::Status>)| {
        let shown = status.shown();
        let (failed_at, detail) = shown.last_failure.unzip();
        EndpointView {
            id: target.id.clone(),
            url: target.shown(),
            state: if shown.gone { "gone" } else { "active" },
            pending: shown.pending,
            in_flight: shown.in_flight,
            failures_in_a_row: shown.failures_in_a_row,
            last_success: shown.last_success_ms.map(rfc3339),
            last_failure: failed_at.map(rfc3339),
            last_failure_detail: detail,
        }
    };
    Json(EndpointList { endpoints: api.endpoints.iter().map(view).collect() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveriesQuery {
    endpoint: Option<String>,
    alert: Option<String>,
    state: Option<delivery::State>,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct DeliveryView {
    alert: String,
    seq: u32,
    endpoint: String,
    state: delivery::State,
    attempts: u32,
    status: u16,
    detail: String,
    first_at: String,
    last_at: String,
    next_at: Option<String>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            alert: delivery.alert,
            seq: delivery.seq,
            endpoint: delivery.endpoint,
            state: delivery.state,
            attempts: delivery.attempts,
            status: delivery.status,
            detail: delivery.detail,
            first_at: rfc3339(delivery.first_at),
            last_at: rfc3339(delivery.last_at),
            next_at: delivery.next_at.map(rfc3339),
        }
    }
}

#[derive(Serialize)]
pub(super) struct DeliveryList {
    /// Lines of the ledger this process has written, newest first, at most the last 1,000; all stand in ClickHouse.
    deliveries: Vec<DeliveryView>,
}

pub(super) async fn deliveries(
    State(api): State<Api>,
    query: Result<Query<DeliveriesQuery>, QueryRejection>,
) -> Result<Json<DeliveryList>, Problem> {
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let wanted = |delivery: &Delivery| {
        query.endpoint.as_ref().is_none_or(|id| *id == delivery.endpoint)
            && query.alert.as_ref().is_none_or(|id| *id == delivery.alert)
            && query.state.is_none_or(|state| state == delivery.state)
    };
    let deliveries = api.board.deliveries(query.limit.unwrap_or(100).min(MOST), wanted);
    Ok(Json(DeliveryList { deliveries: deliveries.into_iter().map(DeliveryView::from).collect() }))
}
