//! `gridwarden receive`: a small webhook receiver that verifies, prints one line per delivery, and fails on request. For the
//! demo, for tests, and for whoever builds a receiver of their own and wants to see what comes.

use crate::output;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use gridwarden_dispatch::signature::{self, Signed, SigningSecret, TOLERANCE_S};
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http as shell;
use gridwarden_runtime::secrets;
use gridwarden_runtime::shutdown::Shutdown;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest body taken.
const MOST: usize = 1 << 20;

/// Arguments of `receive`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ReceiveArgs {
    /// Address to listen on; port 0 takes a free one and prints it
    #[arg(long, default_value = "127.0.0.1:8085")]
    pub(crate) listen: SocketAddr,
    /// Signing secret of the endpoint: `whsec_…` (several, separated by blanks, while one is changed), env:NAME or file:PATH
    #[arg(long, env = "GRIDWARDEN_RECEIVE_SECRET", hide_env_values = true)]
    pub(crate) secret: String,
    /// Answer 500 to this many deliveries first
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) fail_first: u64,
    /// Answer verified deliveries with this status
    #[arg(long, default_value_t = 204, value_name = "CODE", value_parser = clap::value_parser!(u16).range(200..=599))]
    pub(crate) status: u16,
    /// Wait before answering
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub(crate) delay_ms: u64,
    /// Print JSON, one object per line
    #[arg(long)]
    pub(crate) json: bool,
}

struct Receiver {
    secret: SigningSecret,
    args: ReceiveArgs,
    verified: AtomicU64,
}

/// Receives until the shutdown.
pub(crate) async fn run(args: ReceiveArgs, shutdown: Shutdown) -> Result<()> {
    let listener = shell::bind(args.listen).await?;
    if args.listen.port() == 0 {
        output::progress(&format!("receiving on http://{}/", listener.local_addr().context("no address")?));
    }
    shell::serve(listener, router(args)?, shutdown).await.context("the receiver stopped")
}

fn router(args: ReceiveArgs) -> Result<Router> {
    let secret = secrets::resolve(&args.secret).context("--secret")?;
    let secret = SigningSecret::parse(secret.reveal()).context("--secret")?;
    let receiver = Receiver { secret, args, verified: AtomicU64::new(0) };
    Ok(Router::new().fallback(receive).with_state(Arc::new(receiver)))
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Body) -> Response {
    let Ok(body) = to_bytes(body, MOST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let message = Signed {
        id: header(signature::ID),
        timestamp: header(signature::TIMESTAMP),
        signatures: header(signature::SIGNATURE),
        body: &body,
    };
    let verified = receiver.secret.verify(&message, now_ms().div_euclid(1000), TOLERANCE_S);
    let status = match verified {
        Err(_) => StatusCode::UNAUTHORIZED,
        // What does not verify is no delivery and does not count as one of those to fail.
        Ok(()) if receiver.verified.fetch_add(1, Ordering::Relaxed) < receiver.args.fail_first => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        Ok(()) => StatusCode::from_u16(receiver.args.status).unwrap_or(StatusCode::NO_CONTENT),
    };
    let refusal = verified.err().map(|why| why.to_string());
    let seen = describe(message.id, refusal, status, &body);
    output::answer(&if receiver.args.json { seen.to_string() } else { line(&seen) });
    tokio::time::sleep(Duration::from_millis(receiver.args.delay_ms)).await;
    status.into_response()
}

/// What came, as JSON.
fn describe(id: &str, refusal: Option<String>, status: StatusCode, body: &[u8]) -> Value {
    let event: Value = serde_json::from_slice(body).unwrap_or_default();
    let at = Timestamp::from_millisecond(now_ms()).unwrap_or_default().to_string();
    json!({
        "at": at, "id": id, "verified": refusal.is_none(), "refusal": refusal, "status": status.as_u16(),
        "type": event.get("type"), "timestamp": event.get("timestamp"), "data": event.get("data"),
    })
}

/// The same for people: time, answer, what happened, whom it is about. Control characters do not come through.
fn line(seen: &Value) -> String {
    let text = |pointer: &str| seen.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let clock = text("/at").split(['T', '.']).nth(1).unwrap_or_default();
    let status = seen.get("status").and_then(Value::as_u64).unwrap_or_default();
    let head = format!("{clock} {status}");
    let line = match seen.get("refusal").and_then(Value::as_str) {
        Some(why) => format!("{head} NOT VERIFIED ({why}) {}", text("/id")),
        None => {
            let pair = [text("/data/subject/pair/0"), text("/data/subject/pair/1")].join(" | ");
            let named = ["entity", "area/code", "place"].map(|kind| text(&format!("/data/subject/{kind}")));
            let subject = named.into_iter().find(|name| !name.is_empty()).unwrap_or(&pair);
            let title = [text("/data/title/en"), text("/data/title/zh")].into_iter().find(|text| !text.is_empty());
            let simulated = seen.pointer("/data/simulated").and_then(Value::as_bool).unwrap_or_default();
            let (kind, severity) = (text("/type"), text("/data/severity"));
            let tail = if simulated { " (simulated)" } else { "" };
            format!("{head} {kind} {severity} {subject}: {}{tail} [{}]", title.unwrap_or_default(), text("/id"))
        }
    };
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn args() -> ReceiveArgs {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        ReceiveArgs { listen, secret: SECRET.into(), fail_first: 1, status: 204, delay_ms: 0, json: false }
    }

    async fn answer(base: &str, secret: &str, age_s: i64, body: &'static str) -> u16 {
        let seconds = now_ms().div_euclid(1000) - age_s;
        let signature = SigningSecret::parse(secret).expect("secret").sign("a.1", seconds, body.as_bytes());
        let request = reqwest::Client::builder().no_proxy().build().expect("client").post(base).body(body);
        let request = request.header(signature::ID, "a.1").header(signature::TIMESTAMP, seconds);
        request.header(signature::SIGNATURE, signature).send().await.expect("answer").status().as_u16()
    }

    #[tokio::test]
    async fn verifies_and_fails_as_asked() {
        let listener = shell::bind(args().listen).await.expect("port");
        let base = format!("http://{}/hook", listener.local_addr().expect("address"));
        let shutdown = Shutdown::new();
        tokio::spawn(shell::serve(listener, router(args()).expect("router"), shutdown.clone()));
        assert_eq!(answer(&base, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, "{}").await, 401);
        assert_eq!(answer(&base, SECRET, TOLERANCE_S + 5, "{}").await, 401, "an old message was believed");
        assert_eq!(answer(&base, SECRET, -TOLERANCE_S - 5, "{}").await, 401, "a message from the future was believed");
        let unsigned = reqwest::Client::builder().no_proxy().build().expect("client").post(&base).body("{}");
        assert_eq!(unsigned.send().await.expect("answer").status(), 401);
        assert_eq!(answer(&base, SECRET, 0, "{}").await, 500, "the first that verifies fails as asked");
        assert_eq!(answer(&base, SECRET, 5, "{}").await, 204);
        shutdown.trigger("test over");
    }

    #[test]
    fn a_line_says_what_happened_and_carries_no_control_characters() {
        let body = br#"{"type":"alert.raised","data":{"severity":"major","subject":{"entity":"air\u001b-1"},"title":{"en":"High"}}}"#;
        let seen = line(&describe("a.1", None, StatusCode::NO_CONTENT, body));
        assert!(seen.ends_with(" 204 alert.raised major air -1: High [a.1]"), "{seen}");
        let refused = line(&describe("a.1", Some("no".into()), StatusCode::UNAUTHORIZED, b"x"));
        assert!(refused.ends_with(" 401 NOT VERIFIED (no) a.1"), "{refused}");
    }
}
