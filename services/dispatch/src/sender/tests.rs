//! The sender against real servers on this machine.

use super::*;
use crate::retry::{Schedule, Verdict};
use crate::sample;
use crate::signature::{Signed, TOLERANCE_S};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use gridwarden_domain::city::Endpoint;
use gridwarden_runtime::clock::now_ms;
use std::path::Path;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn target(url: &str, allow_private: bool) -> Target {
    let endpoint = Endpoint {
        id: "desk".into(),
        url: url.into(),
        secret: SECRET.into(),
        min_severity: None,
        updates: true,
        rules: Vec::new(),
        allow_private,
    };
    Target::of(&endpoint, Path::new("/nowhere")).expect("endpoint")
}

/// A server that answers as its paths say.
async fn server() -> String {
    let endless = || async {
        Body::from_stream(futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 4096]))))
            .into_response()
    };
    let routes = Router::new()
        .route("/verified", any(verified))
        .route("/busy", any(|| async { (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "60")], "busy\u{1b}[31m") }))
        .route("/moved", any(|| async { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/verified")]) }))
        .route("/gone", any(|| async { StatusCode::GONE }))
        .route("/endless", any(endless))
        .route("/never", any(|| async { std::future::pending::<StatusCode>().await }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    base
}

/// Says yes only to what a receiver must be able to verify.
async fn verified(headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let message = Signed {
        id: text(signature::ID),
        timestamp: text(signature::TIMESTAMP),
        signatures: text(signature::SIGNATURE),
        body: &body,
    };
    let secret = signature::SigningSecret::parse(SECRET).expect("secret");
    let ours = secret.verify(&message, now_ms() / 1000, TOLERANCE_S).is_ok();
    let json = text("content-type") == "application/json" && text("user-agent").starts_with("gridwarden/");
    let same = message.id == event::id(&sample::alert(1)) && body == event::body(&sample::alert(1)).expect("json");
    if ours && json && same { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED }.into_response()
}

async fn sent(url: &str, allow_private: bool) -> Attempt {
    let sender = Sender::new(Duration::from_secs(1), 2).expect("client");
    sender.send(&target(url, allow_private), &sample::alert(1), now_ms()).await
}

fn answered(status: u16, retry_after: Option<&str>) -> Outcome {
    Outcome::Answered { status, retry_after: retry_after.map(str::to_owned) }
}

#[tokio::test]
async fn what_is_sent_verifies() {
    let attempt = sent(&format!("{}/verified", server().await), true).await;
    assert_eq!((attempt.outcome, attempt.detail.as_str()), (answered(204, None), ""));
}

#[tokio::test]
async fn answers_are_taken_as_they_are() {
    let base = server().await;
    let busy = sent(&format!("{base}/busy"), true).await;
    assert_eq!(busy.outcome, answered(503, Some("60")));
    assert_eq!(busy.detail, "answered 503 busy [31m", "no control characters in logs and ledger");
    let verdict = Schedule::new(&[0, 5], 0.0).judge(&busy.outcome, 1, 1_000, 0.0);
    assert_eq!(verdict, Verdict::Again(61_000));
    assert_eq!(sent(&format!("{base}/gone"), true).await.outcome, answered(410, None));
    assert_eq!(sent(&format!("{base}/moved"), true).await.outcome, answered(307, None), "a redirect was followed");
}

#[tokio::test]
async fn nobody_can_hold_an_attempt_or_fill_memory() {
    let base = server().await;
    let endless = sent(&format!("{base}/endless"), true).await;
    assert_eq!(endless.outcome, answered(200, None));
    let never = sent(&format!("{base}/never"), true).await;
    assert_eq!(never.outcome, Outcome::Unanswered(Fault::TimedOut));
    let nobody = sent("http://127.0.0.1:1/", true).await;
    assert_eq!(nobody.outcome, Outcome::Unanswered(Fault::Connect));
    assert!(!nobody.detail.is_empty());
}

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_written() {
    let port = server().await.rsplit(':').next().expect("port").to_owned();
    let hosts = [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "169.254.169.254",
        "[64:ff9b::7f00:1]",
    ];
    for host in hosts {
        let attempt = sent(&format!("https://{host}:{port}/verified"), false).await;
        assert_eq!(attempt.outcome, Outcome::Unanswered(Fault::Refused), "{host}: {}", attempt.detail);
        assert!(attempt.detail.starts_with("webhooks may not go to this address"), "{}", attempt.detail);
    }
    // Whether this name is one depends on the machine; what it leads to does not.
    let rooted = sent(&format!("https://localhost.:{port}/verified"), false).await;
    assert!(
        matches!(rooted.outcome, Outcome::Unanswered(Fault::Refused | Fault::Connect)),
        "{:?} {}",
        rooted.outcome,
        rooted.detail
    );
}
