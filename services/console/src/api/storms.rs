//! Storms: rules that raise more alerts than are told.

use super::ask::Ask;
use super::model::{ProblemView, StormsView};
use super::{Api, reader, store};
use crate::views;
use axum::Json;
use axum::extract::State;
use gridwarden_runtime::http::Problem;

/// Storms: those that go on, then those that began lately, newest first.
#[utoipa::path(get, path = "/storms", tag = "alerts",
    params(("since" = Option<String>, Query, description = "began at or after (RFC 3339 or epoch ms), or going on; any when missing"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 when missing")),
    responses((status = 200, body = StormsView), (status = 400, body = ProblemView), (status = 503, body = ProblemView)))]
pub(super) async fn storms(State(api): State<Api>, ask: Ask) -> Result<Json<StormsView>, Problem> {
    ask.only(&["since", "limit"])?;
    let since = ask.moment("since")?.unwrap_or(0);
    let limit = ask.number("limit", 50u32, 1..=1_000)?;
    let found = reader(&api)?.storms(since, limit).await.map_err(store)?;
    Ok(Json(StormsView { storms: found.into_iter().map(views::storm).collect() }))
}
