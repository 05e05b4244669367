//! The API of rules: what stands on the shelf, what may be put there, and what rules would have said. Everything else the stream does is
//! asked of nobody.
//!
//! Whoever has the administrator's token may; who it was stands in each version (`changed.by`). Errors are problems after RFC 9457.

mod ask;
mod rules;
mod tries;

use crate::config::Config;
use anyhow::anyhow;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::header,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use gridwarden_bus::control::ControlReader;
use gridwarden_domain::{city::CityFile, rule::DocumentError};
use gridwarden_runtime::{city, http::Problem};
use std::sync::{Arc, OnceLock};
use tries::Tries;

/// Longest body: a rule may have 100,000 vertices, a back-test some of them.
const LONGEST: usize = 32 * 1024 * 1024;

const OPENAPI: &str = include_str!("../../../../infra/schema/openapi/rules.json");

/// What the API stands on.
pub(crate) struct Api {
    config: Config,
    /// What is in force; unknown until the stream has begun.
    control: OnceLock<Arc<ControlReader>>,
    /// One writes at a time.
    writing: tokio::sync::Mutex<()>,
    tries: Tries,
}

impl Api {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            config: config.clone(),
            control: OnceLock::new(),
            writing: tokio::sync::Mutex::new(()),
            tries: Tries::default(),
        })
    }

    /// From now on it is known what is in force.
    pub(crate) fn begin(&self, control: &Arc<ControlReader>) {
        drop(self.control.set(Arc::clone(control)));
    }

    fn control(&self) -> Result<&Arc<ControlReader>, Problem> {
        self.control.get().ok_or_else(|| Problem::unavailable("the stream begins; what is in force is not known yet"))
    }

    /// The city as its folder says it now.
    async fn city(&self) -> Result<CityFile, Problem> {
        let folder = self.config.city.folder.clone();
        apart(move || city::head(&folder)).await?.map_err(|error| Problem::unavailable(error.to_string()))
    }
}

/// The routes; `status` are those of the shell (health and metrics).
pub(crate) fn router(api: Arc<Api>, status: Router) -> Router {
    Router::new()
        .route("/v1/rules", get(rules::list))
        .route("/v1/rules/check", post(rules::check))
        .route("/v1/rules/{id}", get(rules::one).put(rules::put))
        .route("/v1/rules/{id}/versions", get(rules::versions))
        .route("/v1/rules/{id}/versions/{version}", get(rules::version))
        .route("/v1/rules/{id}/diff", get(rules::diff))
        .route("/v1/rules/{id}/state", post(rules::turn))
        .route("/v1/rules/{id}/rollback", post(rules::rollback))
        .route("/v1/explain", post(ask::explain))
        .route("/v1/backtests", post(tries::begin).get(tries::list))
        .route("/v1/backtests/{number}", get(tries::look).delete(tries::stop))
        .layer(DefaultBodyLimit::max(LONGEST))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&api), guard))
        .route("/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }))
        .with_state(api)
        .merge(status)
        .fallback(|| async { Problem::not_found("there is no such path; /openapi.json names those there are") })
}

async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if api.config.auth.is_admin(request.headers()) {
        return next.run(request).await;
    }
    let why = match api.config.auth.admin_token {
        Some(_) => "this needs the administrator's token as a bearer token",
        None => "no administrator's token is configured (auth.admin_token), so nobody may ask this",
    };
    Problem::unauthorized(why).into_response()
}

/// A document that is none.
fn unreadable(error: &DocumentError) -> Problem {
    let problem = Problem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY).detail(error.to_string());
    problem.field(error.error.field.clone(), error.error.detail.clone())
}

/// Does what blocks elsewhere.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&anyhow!(error)))
}
