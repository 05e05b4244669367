//! Back-tests by HTTP: begun, looked at, stopped. One runs at a time: it reads the past as fast as it can.

use super::{Api, ask::documents, rules::object};
use crate::backtest::{Against, Asked, Candidates, Incident, Outcome, Source, backtest};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use gridwarden_domain::rule::Calendars;
use gridwarden_runtime::{clock::now_ms, http::Problem};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::task::AbortHandle;

/// So many that are over can still be looked at.
const KEPT: usize = 16;

/// All back-tests of this process.
#[derive(Default)]
pub(super) struct Tries {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    tries: BTreeMap<u64, Try>,
}

struct Try {
    begun_ms: i64,
    records: Arc<AtomicU64>,
    state: Progress,
}

enum Progress {
    Runs(AbortHandle),
    Done(Arc<Outcome>),
    Failed(String),
    Stopped,
}

impl Try {
    fn view(&self, number: u64, whole: bool) -> Value {
        let mut view =
            json!({ "number": number, "begun_at": self.begun_ms, "records": self.records.load(Ordering::Relaxed) });
        let (state, more) = match &self.state {
            Progress::Runs(_) => ("running", None),
            Progress::Done(outcome) => ("done", whole.then(|| ("outcome", json!(outcome)))),
            Progress::Failed(why) => ("failed", Some(("why", json!(why)))),
            Progress::Stopped => ("stopped", None),
        };
        if let Value::Object(fields) = &mut view {
            fields.insert("state".to_owned(), state.into());
            fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
        }
        view
    }
}

impl Tries {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, number: u64, state: Progress) {
        if let Some(of) = self.inner().tries.get_mut(&number).filter(|of| matches!(of.state, Progress::Runs(_))) {
            of.state = state;
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    rules: Vec<Value>,
    #[serde(default)]
    whole: bool,
    against: Option<String>,
    source: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    #[serde(default)]
    incidents: Vec<Incident>,
    warm_up_s: Option<u32>,
}

impl Wanted {
    fn asked(self, calendars: &Calendars) -> Result<Asked, Problem> {
        let against = match self.against.as_deref() {
            None | Some("active") => Against::Active,
            Some("nothing") => Against::Nothing,
            Some(_) => return Err(Problem::bad_request("against must be active or nothing")),
        };
        let source = match self.source.as_deref() {
            None | Some("archive") => Source::Archive,
            Some("topic") => Source::Topic,
            Some(_) => return Err(Problem::bad_request("source must be archive or topic")),
        };
        let (from_ms, to_ms) = (self.from.unwrap_or(0), self.to.unwrap_or_else(now_ms));
        if from_ms >= to_ms {
            return Err(Problem::bad_request("from must lie before to (epoch ms)"));
        }
        Ok(Asked {
            candidates: Candidates { rules: documents(self.rules, calendars)?, whole: self.whole },
            against,
            source,
            from_ms,
            to_ms,
            incidents: self.incidents,
            warm_up_ms: i64::from(self.warm_up_s.unwrap_or(3_600)) * 1000,
        })
    }
}

/// Begins one.
pub(super) async fn begin(State(api): State<Arc<Api>>, body: String) -> Result<Response, Problem> {
    let wanted = object::<Wanted>(&body)?;
    let asked = wanted.asked(&api.city().await?.calendars)?;
    let mut inner = api.tries.inner();
    if inner.tries.values().any(|of| matches!(of.state, Progress::Runs(_))) {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS).detail("a back-test runs; one at a time");
        return Err(problem.retry_after(10));
    }
    inner.next += 1;
    let number = inner.next;
    let records = Arc::new(AtomicU64::new(0));
    let (config, told, of) = (api.config.clone(), Arc::clone(&records), Arc::clone(&api));
    let task = tokio::spawn(async move {
        let outcome = backtest(config, asked, |count| told.store(count, Ordering::Relaxed)).await;
        let state = match outcome {
            Ok(outcome) => {
                told.store(outcome.records, Ordering::Relaxed);
                Progress::Done(Arc::new(outcome))
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "a back-test failed");
                Progress::Failed(format!("{error:#}"))
            }
        };
        of.tries.ended(number, state);
    });
    let state = Progress::Runs(task.abort_handle());
    inner.tries.insert(number, Try { begun_ms: now_ms(), records, state });
    while inner.tries.len() > KEPT {
        inner.tries.pop_first();
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "number": number, "state": "running" }))).into_response())
}

/// All that are remembered, without what they found.
pub(super) async fn list(State(api): State<Arc<Api>>) -> Response {
    let views: Vec<Value> = api.tries.inner().tries.iter().map(|(number, of)| of.view(*number, false)).collect();
    Json(json!({ "backtests": views })).into_response()
}

fn missing(number: u64) -> Problem {
    Problem::not_found(format!("there is no back-test {number}; the last {KEPT} are remembered"))
}

/// One, with what it found.
pub(super) async fn look(State(api): State<Arc<Api>>, Path(number): Path<u64>) -> Result<Response, Problem> {
    let view = api.tries.inner().tries.get(&number).map(|of| of.view(number, true));
    Ok(Json(view.ok_or_else(|| missing(number))?).into_response())
}

/// Stops one that runs.
pub(super) async fn stop(State(api): State<Arc<Api>>, Path(number): Path<u64>) -> Result<StatusCode, Problem> {
    let mut inner = api.tries.inner();
    let of = inner.tries.get_mut(&number).ok_or_else(|| missing(number))?;
    if let Progress::Runs(task) = &of.state {
        task.abort();
        of.state = Progress::Stopped;
    }
    Ok(StatusCode::NO_CONTENT)
}
