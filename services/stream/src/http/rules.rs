//! The shelf by HTTP: looking at it, and putting versions on it.

use super::{Api, apart, unreadable};
use crate::shelf::{self, Refusal, Shelf, ShelfError, Version, Wish, Written, decide, differences, state_name};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use gridwarden_domain::{
    control::FORCE_DELAY_MS,
    rule::{Calendars, Changed, Document, DocumentError, Rule, Severity, State as RuleState},
    text::Text,
};
use gridwarden_runtime::http::Problem;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

type Answer = Result<Response, Problem>;

/// What is said of a rule in a list.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    /// What it is now: `draft`, `active`, `retired`, or `removed` (its file is gone).
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// Who wrote it, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<&'a Changed>,
    /// The document, where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a Rule>,
    /// When it was written, epoch ms.
    appended_at: i64,
}

impl<'a> Line<'a> {
    fn of(id: &'a str, version: &'a Version, documents: bool) -> Self {
        let rule = version.rule.as_ref();
        Self {
            id,
            state: version.state(),
            version: rule.map(|rule| rule.version),
            kind: rule.map(|rule| rule.condition.kind()),
            title: rule.map(|rule| &rule.title),
            severity: rule.map(|rule| rule.severity),
            changed: rule.and_then(|rule| rule.changed.as_ref()),
            rule: rule.filter(|_| documents),
            appended_at: version.appended_ms,
        }
    }
}

async fn read(api: &Api) -> Result<(Shelf, i64), Problem> {
    let kafka = api.config.kafka.clone();
    apart(move || shelf::read(&kafka)).await?.map_err(|error| unreachable(&error))
}

fn unreachable(error: &ShelfError) -> Problem {
    Problem::unavailable(error.to_string())
}

fn no_rule(id: &str) -> Problem {
    Problem::not_found(Refusal::Unknown(id.to_owned()).to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    documents: Option<bool>,
}

/// All rules, each as it is now.
pub(super) async fn list(State(api): State<Arc<Api>>, Query(query): Query<ListQuery>) -> Answer {
    let (shelf, _) = read(&api).await?;
    let documents = query.documents.unwrap_or(true);
    let lines = shelf.rules().map(|(id, version)| Line::of(id, version, documents));
    let lines: Vec<Line<'_>> =
        lines.filter(|line| query.state.as_deref().is_none_or(|state| line.state == state)).collect();
    let unread: Vec<Value> =
        shelf.unread().iter().map(|(offset, reason)| json!({ "offset": offset, "reason": reason })).collect();
    Ok(Json(json!({ "rules": lines, "unread": unread })).into_response())
}

/// A rule's newest document.
pub(super) async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answer {
    let (shelf, _) = read(&api).await?;
    let (rule, _) = shelf.newest(&id).ok_or_else(|| no_rule(&id))?;
    Ok(([(header::ETAG, tag(rule.version))], Json(rule)).into_response())
}

fn tag(version: u32) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionsQuery {
    documents: Option<bool>,
}

/// A rule's history, oldest first.
pub(super) async fn versions(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    Query(query): Query<VersionsQuery>,
) -> Answer {
    let (shelf, _) = read(&api).await?;
    let versions = shelf.versions(&id);
    if versions.is_empty() {
        return Err(no_rule(&id));
    }
    let documents = query.documents.unwrap_or(true);
    let lines: Vec<Line<'_>> = versions.iter().map(|version| Line::of(&id, version, documents)).collect();
    Ok(Json(json!({ "versions": lines })).into_response())
}

fn numbered<'s>(shelf: &'s Shelf, id: &str, version: u32) -> Result<&'s Rule, Problem> {
    let missing = || Problem::not_found(Refusal::NoVersion { id: id.to_owned(), version }.to_string());
    shelf.find(id, version).ok_or_else(missing)
}

/// A version by its number.
pub(super) async fn version(State(api): State<Arc<Api>>, Path((id, version)): Path<(String, u32)>) -> Answer {
    let (shelf, _) = read(&api).await?;
    Ok(Json(numbered(&shelf, &id, version)?).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiffQuery {
    from: u32,
    to: Option<u32>,
}

/// What differs between two versions, the newest when none is named.
pub(super) async fn diff(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    Query(query): Query<DiffQuery>,
) -> Answer {
    let (shelf, _) = read(&api).await?;
    let (newest, _) = shelf.newest(&id).ok_or_else(|| no_rule(&id))?;
    let (from, to) = (numbered(&shelf, &id, query.from)?, numbered(&shelf, &id, query.to.unwrap_or(newest.version))?);
    let value = |rule: &Rule| serde_json::to_value(rule).unwrap_or_default();
    let found = differences(&value(from), &value(to));
    Ok(Json(json!({ "from": from.version, "to": to.version, "differences": found })).into_response())
}

/// Whether a document is a rule.
pub(super) async fn check(State(api): State<Arc<Api>>, body: String) -> Answer {
    let mut draft = Draft::read(&api, &body, None).await?;
    Ok(Json(draft.rule(1)?).into_response())
}

/// Who writes a document and why, in place of what its `changed` says: for whoever passes documents on as they came.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutQuery {
    by: Option<String>,
    why: Option<String>,
}

/// Puts a document on the shelf.
pub(super) async fn put(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    Query(query): Query<PutQuery>,
    headers: HeaderMap,
    body: String,
) -> Answer {
    let expected = expected(&headers)?;
    let mut draft = Draft::read(&api, &body, Some(&id)).await?;
    let wish = |next: u32| {
        let rule = draft.rule(next)?;
        let missing =
            || Problem::new(StatusCode::UNPROCESSABLE_ENTITY).field("changed.by", "is missing: who writes this");
        let changed = match &query.by {
            Some(by) => Changed { by: by.clone(), why: query.why.clone() },
            None => rule.changed.clone().ok_or_else(missing)?,
        };
        Ok((Wish::Put(Box::new(rule)), changed))
    };
    write(&api, &id, expected, wish).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    state: RuleState,
    by: String,
    why: Option<String>,
}

/// Puts a rule into another state.
pub(super) async fn turn(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Answer {
    let Turn { state, by, why } = object(&body)?;
    write(&api, &id, expected(&headers)?, |_| Ok((Wish::Turn(state), Changed { by, why }))).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rollback {
    to: u32,
    by: String,
    why: Option<String>,
}

/// Puts an earlier document on top again.
pub(super) async fn rollback(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Answer {
    let Rollback { to, by, why } = object(&body)?;
    let why = why.unwrap_or_else(|| format!("back to version {to}"));
    let changed = Changed { by, why: Some(why) };
    write(&api, &id, expected(&headers)?, |_| Ok((Wish::Back(to), changed))).await
}

pub(super) fn object<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, Problem> {
    serde_json::from_str(body).map_err(|error| Problem::bad_request(error.to_string()))
}

/// The version a wish was made on (`If-Match`), if that is said.
fn expected(headers: &HeaderMap) -> Result<Option<u32>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
    let wrong = || Problem::bad_request("If-Match must be the number of a version, as in \"3\"; \"0\" for a new rule");
    text.parse().map(Some).map_err(|_| wrong())
}

/// A document as it came: it may leave out its id and its number, and the days of the calendar it names.
struct Draft<'t> {
    document: Document<'t>,
    calendars: Calendars,
}

impl<'t> Draft<'t> {
    async fn read(api: &Api, body: &'t str, id: Option<&str>) -> Result<Self, Problem> {
        let mut document = Document::read(body).map_err(|error| unreadable(&error))?;
        if let Some(id) = id {
            of_id(&mut document, id)?;
        }
        Ok(Self { document, calendars: api.city().await?.calendars })
    }

    /// The rule, with this number where it has none.
    fn rule(&mut self, next: u32) -> Result<Rule, Problem> {
        // One that is no list of fields is refused by its reader.
        self.document.field("version", next);
        self.document.rule(Some(&self.calendars)).map_err(|error| unreadable(&error))
    }
}

fn of_id(document: &mut Document<'_>, id: &str) -> Result<(), Problem> {
    match document.field("id", id) {
        Some(said) if said.as_str() != Some(id) => {
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY).field("id", "differs from the one in the path"))
        }
        _ => Ok(()),
    }
}

/// Decides on a wish and appends what comes of it; `wish` makes it for the number of the next version.
async fn write(
    api: &Api,
    id: &str,
    expected: Option<u32>,
    wish: impl FnOnce(u32) -> Result<(Wish, Changed), Problem>,
) -> Answer {
    let _alone = api.writing.lock().await;
    let (shelf, end) = read(api).await?;
    let newest = shelf.newest(id).map_or(0, |(rule, _)| rule.version);
    let next = newest.saturating_add(1);
    let (wish, changed) = wish(next)?;
    if let Wish::Put(rule) = &wish
        && rule.version != next
    {
        let (expected, id) = (rule.version.saturating_sub(1), id.to_owned());
        return Err(refused(&Refusal::Moved { id, expected, newest }));
    }
    let rule = match decide(&shelf, id, wish, changed, expected) {
        Ok(rule) => rule,
        Err(Refusal::Same(_)) => {
            return Ok(Json(json!({ "id": id, "version": newest, "unchanged": true })).into_response());
        }
        Err(refusal) => return Err(refused(&refusal)),
    };
    match shelf::write(&api.config.kafka, &rule, end).await.map_err(|error| unreachable(&error))? {
        Written::Newest { offset } => {
            tracing::info!(
                rule = rule.id,
                version = rule.version,
                state = state_name(rule.state),
                "a rule was written"
            );
            let body = json!({ "id": rule.id, "version": rule.version, "state": state_name(rule.state),
                "offset": offset, "in_force_after_ms": FORCE_DELAY_MS });
            Ok((StatusCode::CREATED, [(header::ETAG, tag(rule.version))], Json(body)).into_response())
        }
        Written::Crossed { offset, other } => {
            let detail = format!(
                "{id} was written by two at once: this one stands at offset {offset}, the other's at {other}; look at the versions"
            );
            Err(Problem::new(StatusCode::CONFLICT).detail(detail))
        }
    }
}

fn refused(refusal: &Refusal) -> Problem {
    let status = match refusal {
        Refusal::Unknown(_) | Refusal::NoVersion { .. } => StatusCode::NOT_FOUND,
        Refusal::Moved { .. } | Refusal::Same(_) | Refusal::Full => StatusCode::CONFLICT,
        Refusal::Invalid(error) => return unreadable(&DocumentError::from(error.clone())),
    };
    Problem::new(status).detail(refusal.to_string())
}
