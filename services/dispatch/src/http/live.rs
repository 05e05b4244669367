//! `GET /v1/alerts/stream`: transitions as they come, as server-sent events.
//!
//! First `hello` (the number of open alerts; its id is the place to come back to), then `alert` per transition. Whoever
//! comes back with `Last-Event-ID` gets what it missed; `gap` says that something is missing for good, so that the client
//! fetches `/v1/alerts` again.

use super::Api;
use crate::board::View;
use crate::ring::Event;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use futures::stream::{self, Stream, StreamExt};
use gridwarden_runtime::http::Problem;
use gridwarden_runtime::prometheus::IntGauge;
use std::convert::Infallible;
use tokio::sync::broadcast::error::RecvError;

/// Viewers at once; each holds a connection and a place in the stream.
const VIEWERS: i64 = 2_000;

/// Counts a viewer while its stream lives.
struct Viewer(IntGauge);

impl Viewer {
    fn new(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.dec();
    }
}

pub(super) async fn stream(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    if api.metrics.viewers.get() >= VIEWERS {
        return Err(Problem::unavailable("too many viewers"));
    }
    let heartbeat = api.heartbeat;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let view = api.board.view(last);
    let first = beginning(&api, &view);
    let state = (api.clone(), view.live, Viewer::new(api.metrics.viewers.clone()));
    let rest = stream::unfold(state, |(api, mut live, viewer)| async move {
        let event = match live.recv().await {
            Ok(event) => alert(&api, &event),
            Err(RecvError::Lagged(missed)) => gap(&api, &format!("{missed} events were missed")),
            Err(RecvError::Closed) => return None,
        };
        Some((event, (api, live, viewer)))
    });
    let events = stream::iter(first).chain(rest).map(Ok);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(heartbeat)))
}

fn beginning(api: &Api, view: &View) -> Vec<sse::Event> {
    let mut events = Vec::new();
    if view.resume.gap {
        events.push(gap(api, "events since the given id are not kept any more"));
    }
    events.extend(view.resume.missed.iter().map(|event| alert(api, event)));
    let hello = sse::Event::default().event("hello").id(&view.newest);
    events.push(hello.data(format!("{{\"open\":{}}}", view.open)));
    events
}

fn alert(api: &Api, event: &Event) -> sse::Event {
    sse::Event::default().event("alert").id(api.board.event_id(event.number)).data(&*event.data)
}

fn gap(api: &Api, detail: &str) -> sse::Event {
    api.metrics.gaps.inc();
    sse::Event::default().event("gap").data(format!("{{\"detail\":\"{detail}\"}}"))
}
