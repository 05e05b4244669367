//! Receivers that answer as told, verify what comes by code of their own, and remember what they had.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, serve::ListenerExt};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gridwarden_runtime::clock::now_ms;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The secret every test's endpoint signs with.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How a receiver answers.
pub struct Answer {
    status: u16,
    delay: Duration,
    retry_after: Option<String>,
}

impl Answer {
    /// At once with a status.
    pub fn status(status: u16) -> Self {
        Self { status, delay: Duration::ZERO, retry_after: None }
    }

    /// Yes, but late.
    pub fn after(delay: Duration) -> Self {
        Self { delay, ..Self::status(200) }
    }

    /// Not now, but later.
    pub fn busy(retry_after: String) -> Self {
        Self { retry_after: Some(retry_after), ..Self::status(503) }
    }
}

struct Desk {
    answer: Box<dyn Fn(usize) -> Answer + Send + Sync>,
    seen: Mutex<Vec<(String, Instant)>>,
    refused: AtomicUsize,
    connections: AtomicUsize,
}

/// A receiver.
pub struct Receiver {
    desk: Arc<Desk>,
    port: u16,
}

impl Receiver {
    /// Starts one; `answer` is told how often it had the same message before.
    pub async fn start(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let (seen, refused, connections) = (Mutex::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let desk = Arc::new(Desk { answer: Box::new(answer), seen, refused, connections });
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("port");
        let port = listener.local_addr().expect("address").port();
        let counting = Arc::clone(&desk);
        let listener = listener.tap_io(move |_| {
            counting.connections.fetch_add(1, Ordering::Relaxed);
        });
        let routes = Router::new().fallback(receive).with_state(Arc::clone(&desk));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { desk, port }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ids of the verified messages it had, in order.
    pub fn seen(&self) -> Vec<String> {
        self.desk.seen.lock().expect("lock").iter().map(|(id, _)| id.clone()).collect()
    }

    /// When it had them.
    pub fn times(&self) -> Vec<Instant> {
        self.desk.seen.lock().expect("lock").iter().map(|(_, at)| *at).collect()
    }

    /// Messages that did not verify.
    pub fn refused(&self) -> usize {
        self.desk.refused.load(Ordering::Relaxed)
    }

    /// Connections made to it.
    pub fn connections(&self) -> usize {
        self.desk.connections.load(Ordering::Relaxed)
    }
}

async fn receive(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    if !verifies(id, timestamp, header("webhook-signature"), &body) {
        desk.refused.fetch_add(1, Ordering::Relaxed);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let event: Value = serde_json::from_slice(&body).expect("json");
    assert_eq!(id, format!("{}.{}", event["data"]["id"].as_str().expect("id"), event["data"]["seq"]));
    let earlier = {
        let mut seen = desk.seen.lock().expect("lock");
        let earlier = seen.iter().filter(|(each, _)| *each == id).count();
        seen.push((id.to_owned(), Instant::now()));
        earlier
    };
    let answer = (desk.answer)(earlier);
    tokio::time::sleep(answer.delay).await;
    let mut response = StatusCode::from_u16(answer.status).expect("status").into_response();
    if let Some(when) = answer.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, when.parse().expect("value"));
    }
    response
}

/// As the Standard Webhooks specification says, without any code of dispatch.
fn verifies(id: &str, timestamp: &str, signatures: &str, body: &[u8]) -> bool {
    let sent: i64 = timestamp.parse().unwrap_or_default();
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
    mac.update(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    (now_ms() / 1000 - sent).abs() < 60 && signatures == expected
}
