//! `explain` by HTTP: a single observation in, what every rule makes of it out.

use super::{Api, apart, rules::object, unreadable};
use crate::explain::explain as look;
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse, response::Response};
use gridwarden_domain::{
    control::RuleSet,
    decode::Decoder,
    rule::{Calendars, Document, DocumentError, Rule, RuleError},
    time,
};
use gridwarden_runtime::http::Problem;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The observation.
    observation: Box<RawValue>,
    /// Documents instead of the rules in force.
    rules: Option<Vec<Value>>,
}

/// Documents of a request; the error names which one.
pub(super) fn documents(documents: Vec<Value>, calendars: &Calendars) -> Result<Vec<Rule>, Problem> {
    let read = |(number, document): (usize, Value)| {
        Document::from(document).rule(Some(calendars)).map_err(|DocumentError { error, .. }| {
            let field = format!("rules[{number}].{}", error.field);
            unreadable(&DocumentError::from(RuleError { field, ..error }))
        })
    };
    documents.into_iter().enumerate().map(read).collect()
}

/// What rules make of an observation.
pub(super) async fn explain(State(api): State<Arc<Api>>, body: String) -> Result<Response, Problem> {
    let Asked { observation, rules } = object(&body)?;
    let timeline = api.control()?.timeline();
    let city = api.city().await?;
    let rules = match rules.map(|rules| documents(rules, &city.calendars)).transpose()? {
        None => Arc::clone(timeline.rules_at(i64::MAX)),
        Some(rules) => Arc::new(RuleSet { revision: 1, rules: rules.into_iter().map(Arc::new).collect() }),
    };
    let fences_mib = api.config.stream.fences_mib;
    let work = move || {
        let zone = time::zone(&city.timezone).unwrap_or(TimeZone::UTC);
        let decoder = Decoder::observations();
        let observation = decoder.observation(observation.get().as_bytes()).map_err(|reason| {
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY).detail(reason.to_string());
            problem.field(format!("observation.{}", reason.field), reason.detail.clone())
        })?;
        Ok::<_, Problem>(look(&observation, &rules, (&timeline, &zone), fences_mib))
    };
    let explained = apart(work).await??;
    Ok(Json(json!({ "rules": explained })).into_response())
}
