//! The HTTP shell of every service: bind, serve until shutdown, `/healthz` `/readyz` `/metrics`, problems after RFC 9457.

mod idle;
mod problem;

pub use problem::{FieldError, Problem};

use crate::{health::Health, shutdown::Shutdown, telemetry};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::{Router, middleware, routing};
use futures::StreamExt;
use idle::Patient;
use prometheus::Registry;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long open requests may go on once the shutdown began. Event streams end at once.
const GRACE: Duration = Duration::from_secs(3);
/// How long a connection may be silent, between requests or within one: any answer must begin sooner, and event streams must
/// send heartbeats.
pub const SILENCE: Duration = Duration::from_secs(120);

/// Prometheus's text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why no listener could be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Someone else listens there.
    #[error("the address {0} is already in use: stop what listens there or choose another port")]
    Used(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {listen}")]
    Other {
        /// The address.
        listen: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
}

/// Listens on an address; port 0 takes a free one (`listener.local_addr()` tells which).
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(listen).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => BindError::Used(listen),
        _ => BindError::Other { listen, source },
    })
}

/// Serves until shutdown. New connections are refused then, event streams end, other requests get a few seconds.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> std::io::Result<()> {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening");
    }
    let ending = shutdown.clone();
    let router = router.layer(middleware::from_fn(move |request: Request, next: middleware::Next| {
        let ending = ending.clone();
        async move { end_event_streams(next.run(request).await, &ending) }
    }));
    let server = axum::serve(Patient::new(listener, SILENCE), router).with_graceful_shutdown(shutdown.waiting());
    let late = async {
        shutdown.wait().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = server.into_future() => result,
        () = late => {
            tracing::warn!("requests were still open and were cut off");
            Ok(())
        }
    }
}

/// An open event stream would hold a graceful shutdown up for ever (hyper #2787), so it ends with the switch.
fn end_event_streams(response: Response, shutdown: &Shutdown) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let body = Body::from_stream(body.into_data_stream().take_until(shutdown.waiting()));
    Response::from_parts(parts, body)
}

/// `/healthz`, `/readyz` (503 with the reasons while not ready) and `/metrics`.
pub fn status_router(health: Health, registry: Registry) -> Router {
    let live = health.clone();
    Router::new()
        .route("/healthz", routing::get(move || async move { status(&live.liveness()) }))
        .route("/readyz", routing::get(move || async move { status(&health.readiness()) }))
        .route(
            "/metrics",
            routing::get(move || async move {
                match telemetry::render(&registry) {
                    Ok(text) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
                    Err(error) => Problem::internal(&error.into()).into_response(),
                }
            }),
        )
}

fn status(status: &crate::health::Status) -> Response {
    let code = if status.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(status)).into_response()
}

/// The token of `Authorization: Bearer <token>`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::sse::{Event, Sse};
    use std::convert::Infallible;

    async fn running(router: Router) -> (String, Shutdown, tokio::task::JoinHandle<std::io::Result<()>>) {
        let listener = bind("127.0.0.1:0".parse().expect("address")).await.expect("port");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        let shutdown = Shutdown::new();
        let server = tokio::spawn(serve(listener, router, shutdown.clone()));
        (base, shutdown, server)
    }

    #[tokio::test]
    async fn a_used_port_is_a_sentence() {
        let first = bind("127.0.0.1:0".parse().expect("address")).await.expect("port");
        let address = first.local_addr().expect("address");
        let error = bind(address).await.expect_err("used");
        assert!(error.to_string().starts_with(&format!("the address {address} is already in use")), "{error}");
    }

    #[tokio::test]
    async fn readiness_follows_health() {
        let health = Health::new("x");
        let (base, shutdown, server) = running(status_router(health.clone(), telemetry::registry("x"))).await;
        assert_eq!(reqwest::get(format!("{base}/readyz")).await.expect("answer").status(), 503);
        assert_eq!(reqwest::get(format!("{base}/healthz")).await.expect("answer").status(), 200);
        health.set_ready(true, "");
        assert_eq!(reqwest::get(format!("{base}/readyz")).await.expect("answer").status(), 200);
        let metrics = reqwest::get(format!("{base}/metrics")).await.expect("answer").text().await.expect("text");
        assert!(metrics.contains("gridwarden_build_info"));
        shutdown.trigger("test");
        server.await.expect("task").expect("server");
    }

    #[tokio::test]
    async fn an_open_event_stream_ends_with_the_shutdown() {
        let endless = || async {
            Sse::new(
                futures::stream::once(async { Ok::<_, Infallible>(Event::default().data("hello")) })
                    .chain(futures::stream::pending()),
            )
        };
        let (base, shutdown, server) = running(Router::new().route("/live", routing::get(endless))).await;
        let mut answer = reqwest::get(format!("{base}/live")).await.expect("answer");
        assert!(answer.chunk().await.expect("chunk").is_some());
        shutdown.trigger("test");
        let ended = tokio::time::timeout(Duration::from_secs(2), server).await;
        ended.expect("in time").expect("task").expect("server");
        assert!(answer.chunk().await.expect("a clean end").is_none());
    }

    #[test]
    fn the_bearer_token() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer abc".parse().expect("value"));
        assert_eq!(bearer(&headers), Some("abc"));
        headers.insert(header::AUTHORIZATION, "Basic abc".parse().expect("value"));
        assert_eq!(bearer(&headers), None);
    }
}
