//! What every route does before and around its own work: who asks, is there room, the body, the idempotency key.

use super::{Gateway, answer};
use crate::body::{self, Packing};
use crate::feeds::{Number, Party, Refusal};
use crate::idempotency::{Claim, Fingerprint, Turn};
use crate::limits::{Memory, Place};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use gridwarden_domain::city::Intake;
use gridwarden_domain::crs::Crs;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::http::{Problem, bearer};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

const KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;
/// Bodies up to this length are unpacked and hashed where they are; longer ones would hold up other requests.
const SHORT: usize = 64 * 1024;

/// What a route takes.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) what: Intake,
    pub(super) types: &'static [&'static str],
    pub(super) limit: usize,
}

/// A request that was let in, body and all.
pub(super) struct Admitted {
    pub(super) gateway: Arc<Gateway>,
    pub(super) party: Number,
    pub(super) feed: String,
    pub(super) crs: Crs,
    /// The body, unpacked.
    pub(super) body: Bytes,
    pub(super) key: Option<String>,
    fingerprint: Fingerprint,
    _place: Place,
    _memory: Memory,
}

/// What is known of a request before its body is read.
struct Head<'a> {
    party: Number,
    of: &'a Party,
    key: Option<String>,
    packing: Packing,
    announced: Option<usize>,
    place: Place,
    memory: Memory,
}

/// Lets a request in and reads its body.
pub(super) async fn admit(
    gateway: &Arc<Gateway>,
    route: Route,
    headers: &HeaderMap,
    body: Body,
) -> Result<Admitted, Problem> {
    let head = match head(gateway, route, headers) {
        Ok(head) => head,
        Err(problem) => {
            body::discard(body).await;
            return Err(problem);
        }
    };
    let time = Duration::from_secs(u64::from(gateway.limits.body_timeout_s));
    let packed = body::read(body, head.announced, route.limit, time).await?;
    let (body, fingerprint) = opened(packed, head.packing, route).await?;
    let mut memory = head.memory;
    memory.shrink_to(body.len());
    gateway.metrics.bytes.inc_by(body.len() as u64);
    Ok(Admitted {
        gateway: Arc::clone(gateway),
        party: head.party,
        feed: head.of.feed.clone(),
        crs: head.of.crs,
        body,
        key: head.key,
        fingerprint,
        _place: head.place,
        _memory: memory,
    })
}

fn head<'a>(gateway: &'a Gateway, route: Route, headers: &HeaderMap) -> Result<Head<'a>, Problem> {
    let (party, of) = gateway.feeds.admit(bearer(headers), route.what).map_err(|refusal| match refusal {
        Refusal::Unknown => Problem::unauthorized("a feed's bearer token is needed"),
        Refusal::Forbidden => {
            let name = crate::writer::name_of(route.what);
            Problem::new(StatusCode::FORBIDDEN).detail(format!("this feed may not publish {name}"))
        }
    })?;
    let key = key(headers)?;
    let packing = body::packing(headers, route.types)?;
    let place = gateway.gates.enter(party)?;
    let announced = body::announced(headers);
    let length = announced.unwrap_or(route.limit).min(route.limit);
    // What a packed body becomes is known only afterwards, so the most is set aside beside it.
    let most = if packing == Packing::Plain { length } else { length.saturating_add(route.limit) };
    let memory = gateway.gates.memory(most)?;
    Ok(Head { party, of, key, packing, announced, place, memory })
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > LONGEST_KEY || values.next().is_some() {
        let detail = format!("must be there once, with 1 to {LONGEST_KEY} visible ASCII characters");
        return Err(Problem::bad_request("the idempotency key cannot be used").field("Idempotency-Key", detail));
    }
    Ok(Some(text.to_owned()))
}

/// Unpacks a body and takes its fingerprint. Of the unpacked bytes: the same text packed twice need not be the same bytes.
async fn opened(packed: Bytes, packing: Packing, route: Route) -> Result<(Bytes, Fingerprint), Problem> {
    let short = packing == Packing::Plain && packed.len() <= SHORT;
    let work = move || {
        let plain = body::unpack(packed, packing, route.limit)?;
        let mut hash = Sha256::new();
        for part in [route.path.as_bytes(), b"\n", &plain] {
            hash.update(part);
        }
        Ok((plain, hash.finalize().into()))
    };
    if short {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error.into()))?
}

impl Admitted {
    /// The feed's name in metrics.
    pub(super) fn feed_label(&self) -> &str {
        if self.feed.is_empty() { "admin" } else { &self.feed }
    }
}

/// What a route's work comes to: an answer that may be kept, or one that is given once.
pub(super) enum Done {
    /// 202: kept for the idempotency key.
    Taken(Arc<str>),
    /// Anything else.
    Once(Response),
}

/// Does `work` once per idempotency key. The work runs to its end even if the client goes away, so that its answer is there
/// when the client asks again.
pub(super) async fn once<W>(admitted: Admitted, work: W) -> Result<Response, Problem>
where
    W: AsyncWork,
{
    let turn = match turn(&admitted).await? {
        Ok(turn) => turn,
        Err(kept) => {
            admitted.gateway.metrics.replayed.inc();
            return Ok(answer::accepted(&kept, true));
        }
    };
    let running = tokio::spawn(async move {
        let done = work.run(admitted).await?;
        Ok(match done {
            Done::Taken(text) => {
                let response = answer::accepted(&text, false);
                if let Some(turn) = turn {
                    turn.done(text);
                }
                response
            }
            Done::Once(response) => response,
        })
    });
    running.await.map_err(|error| Problem::internal(&error.into()))?
}

/// A route's own work.
pub(super) trait AsyncWork: Send + 'static {
    fn run(self, admitted: Admitted) -> impl Future<Output = Result<Done, Problem>> + Send;
}

/// The right to answer (none without a key), or the answer given before.
async fn turn(admitted: &Admitted) -> Result<Result<Option<Turn>, Arc<str>>, Problem> {
    let Some(key) = &admitted.key else { return Ok(Ok(None)) };
    let gateway = &admitted.gateway;
    let wait = Duration::from_secs(u64::from(gateway.idempotency.wait_s));
    let end = tokio::time::Instant::now() + wait;
    loop {
        match gateway.answers.claim(admitted.party, key, admitted.fingerprint, now_ms()) {
            Claim::Yours(turn) => return Ok(Ok(Some(turn))),
            Claim::Answered(text) => return Ok(Err(text)),
            Claim::Mismatch => {
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY);
                let problem = problem.field("Idempotency-Key", "was used with another body");
                return Err(problem.detail("this idempotency key was used with another body"));
            }
            Claim::Wait(mut ended) => {
                // The sender never sends; that it is gone is the notice.
                if tokio::time::timeout_at(end, ended.changed()).await.is_err() {
                    let problem = Problem::new(StatusCode::CONFLICT).retry_after(1);
                    return Err(problem.detail("a request with this idempotency key is under way"));
                }
            }
        }
    }
}
