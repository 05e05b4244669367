//! `explain` by HTTP: a single observation in, what every rule makes of it out.

use super::{Api, apart, rules::object, unreadable};
use crate::explain::explain as look;
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse, response::Response};
use gridwarden_domain::{
    control::RuleSet,
    decode::Decoder,
    rule::{self, DocumentError, Rule},
    time,
};
use gridwarden_runtime::{city, http::Problem};
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
pub(super) fn documents(documents: &[Value]) -> Result<Vec<Rule>, Problem> {
    let read = |(number, document): (usize, &Value)| {
        rule::read(document.to_string().as_bytes()).map_err(|error| {
            let field = format!("rules[{number}].{}", error.field);
            let detail = error.detail.split(" (line ").next().unwrap_or_default().to_owned();
            unreadable(&DocumentError::from(rule::RuleError { field, detail }))
        })
    };
    documents.iter().enumerate().map(read).collect()
}

/// What rules make of an observation.
pub(super) async fn explain(State(api): State<Arc<Api>>, body: String) -> Result<Response, Problem> {
    let Asked { observation, rules } = object(&body)?;
    let timeline = api.control()?.timeline();
    let rules = match rules.as_deref().map(documents).transpose()? {
        None => Arc::clone(timeline.rules_at(i64::MAX)),
        Some(rules) => Arc::new(RuleSet { revision: 1, rules: rules.into_iter().map(Arc::new).collect() }),
    };
    let (folder, fences_mib) = (api.config.city.folder.clone(), api.config.stream.fences_mib);
    let work = move || {
        let city = city::head(&folder).map_err(|error| Problem::unavailable(error.to_string()))?;
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
