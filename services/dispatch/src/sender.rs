//! One attempt: sign, POST, look at the answer. Follows no redirect, asks no proxy, reads no long answer.

use crate::address;
use crate::endpoint::Target;
use crate::event;
use crate::resolver::{AddressRefused, PublicOnly};
use crate::retry::{Fault, Outcome};
use crate::signature;
use gridwarden_domain::alert::Alert;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, redirect};
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use url::Host;

/// How much of an answer is read, for the ledger's detail and so that the connection can be used again.
const ANSWER_BYTES: usize = 8 * 1024;
/// How much of it is kept.
const DETAIL_CHARS: usize = 160;

/// Sends webhooks; cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    public: Client,
    any: Client,
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// For people: why it failed; empty when it did not.
    pub detail: String,
}

impl Sender {
    /// A sender whose attempts take at most `timeout`, answer included. Of each endpoint's connections so many as it has attempts
    /// at once are kept for the next ones: a new one costs round trips, with TLS several.
    pub fn new(timeout: Duration, concurrency: usize) -> Result<Self, reqwest::Error> {
        let builder = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                .no_proxy()
                .timeout(timeout)
                .connect_timeout(timeout.min(Duration::from_secs(10)))
                .pool_idle_timeout(Duration::from_secs(60))
                .pool_max_idle_per_host(concurrency)
        };
        Ok(Self { public: builder().dns_resolver(Arc::new(PublicOnly)).build()?, any: builder().build()? })
    }

    /// Makes one attempt at `now_ms`.
    pub async fn send(&self, target: &Target, alert: &Alert, now_ms: i64) -> Attempt {
        if let Some(why) = refused_literal(target) {
            return unanswered(Fault::Refused, AddressRefused(why).to_string());
        }
        let (id, seconds) = (event::id(alert), now_ms.div_euclid(1000));
        let Ok(body) = event::body(alert) else {
            return unanswered(Fault::Broken, "the alert cannot be written as JSON".to_owned());
        };
        let client = if target.allow_private { &self.any } else { &self.public };
        let answer = client
            .post(target.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("gridwarden/", env!("CARGO_PKG_VERSION")))
            .header(signature::ID, &id)
            .header(signature::TIMESTAMP, seconds)
            .header(signature::SIGNATURE, target.secret.sign(&id, seconds, &body))
            .body(body)
            .send()
            .await;
        match answer {
            Ok(answer) => read(answer).await,
            Err(error) => unanswered(fault_of(&error), words(&error)),
        }
    }
}

fn unanswered(fault: Fault, detail: String) -> Attempt {
    Attempt { outcome: Outcome::Unanswered(fault), detail }
}

/// A literal address never meets the resolver, so it is looked at here.
fn refused_literal(target: &Target) -> Option<address::Refused> {
    let literal = match target.url.host()? {
        Host::Ipv4(v4) => IpAddr::V4(v4),
        Host::Ipv6(v6) => IpAddr::V6(v6),
        Host::Domain(_) => return None,
    };
    if target.allow_private { None } else { address::refused(literal) }
}

async fn read(mut answer: reqwest::Response) -> Attempt {
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut text = Vec::new();
    // A status is an answer, whatever becomes of the body.
    while text.len() < ANSWER_BYTES {
        match answer.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    text.truncate(ANSWER_BYTES);
    let success = (200..300).contains(&status);
    let detail = if success { String::new() } else { format!("answered {status} {}", printable(&text)) };
    Attempt { outcome: Outcome::Answered { status, retry_after }, detail: detail.trim_end().to_owned() }
}

/// The first words of an answer without control characters, as it goes to logs and pages.
fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(DETAIL_CHARS).collect()
}

fn fault_of(error: &reqwest::Error) -> Fault {
    if causes(error).any(|cause| cause.is::<AddressRefused>()) {
        Fault::Refused
    } else if error.is_timeout() {
        Fault::TimedOut
    } else if error.is_connect() {
        Fault::Connect
    } else {
        Fault::Broken
    }
}

fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| {
        let cause: &'a (dyn Error + 'static) = *cause;
        cause.source()
    })
}

/// The innermost cause in words; the outer ones repeat the URL, which may hold a token.
fn words(error: &reqwest::Error) -> String {
    let innermost = causes(error).last().map_or_else(|| "no answer".to_owned(), ToString::to_string);
    printable(innermost.as_bytes())
}

#[cfg(test)]
mod tests;
