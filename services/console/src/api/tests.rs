//! The routes as a client meets them, on a console whose ClickHouse does not answer: everything that needs no numbers works,
//! the rest says so, and no answer is anything the description does not know.

use super::*;
use crate::atlas::tests::small_city;
use crate::config::{self, AuthConfig, DEFAULTS};
use crate::world::CityFacts;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method};
use gridwarden_runtime::secrets::Secret;
use gridwarden_runtime::telemetry;
use gridwarden_store::ClickHouseConfig;
use gridwarden_store::read::Reader;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tower::ServiceExt;

/// A port nobody listens on: bound and let go.
fn nobody() -> ClickHouseConfig {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    let (user, password) = (String::new(), String::new());
    ClickHouseConfig { url: format!("http://{port}"), database: "g".into(), user, password }
}

/// Written once for all tests of this process.
fn city_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("gridwarden-console-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("folder");
        let text = "name = { en = \"Test\" }\ntimezone = \"UTC\"\n";
        std::fs::write(folder.join("city.toml"), text).expect("city.toml");
        folder
    })
}

/// API and pages; cheap to clone.
fn console() -> Router {
    static ROUTER: OnceLock<Router> = OnceLock::new();
    ROUTER.get_or_init(build).clone()
}

fn build() -> Router {
    let own: config::Config =
        gridwarden_runtime::config::load_with("console", DEFAULTS, None, []).expect("the defaults");
    let world = World::new(CityFacts::read(city_folder()).expect("city"), Reader::new(&nobody()));
    world.atlas.store(Arc::new(small_city()));
    let api = Api {
        world: Arc::new(world),
        hub: Arc::new(Hub::new(own.live.buffer, own.limits.maps)),
        shelf: Arc::new(TileShelf::new(16)),
        relay: Arc::new(Relay::new(&own.stream, None).expect("client")),
        auth: AuthConfig { admin_token: Some(Secret::literal("root")), viewer_token: Some(Secret::literal("see")) },
        lasting: own.session.into(),
        limits: own.limits,
        metrics: Metrics::new(&telemetry::registry("console")).expect("metrics"),
    };
    crate::pages::secured(router(api).merge(crate::pages::router()))
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The parameter a problem names.
    fn names(&self) -> &str {
        self.body["errors"][0]["field"].as_str().unwrap_or_default()
    }
}

async fn send(console: &Router, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = console.clone().oneshot(request.body(Body::empty()).expect("request")).await.expect("answer");
    let (parts, body) = response.into_parts();
    let kind = parts.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A live stream never ends, a tile is not text.
    let is_json = kind.contains("json");
    let bytes = if is_json { to_bytes(body, usize::MAX).await.expect("body") } else { Bytes::new() };
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

async fn ask(console: &Router, path: &str) -> Answer {
    send(console, Method::GET, path, &[("authorization", "Bearer root")]).await
}

async fn description(console: &Router) -> Value {
    let answer = send(console, Method::GET, "/openapi.json", &[]).await;
    assert_eq!(answer.status, 200);
    answer.body
}

fn operations(description: &Value) -> Vec<(String, Method, Value)> {
    let paths = description["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("item").iter();
        item.map(|(method, one)| (path.clone(), method.to_uppercase().parse().expect("method"), one.clone()))
    });
    all.collect()
}

/// A path and query that hold everything required.
fn example(path: &str, operation: &Value) -> String {
    let value = |name: &str| match name {
        "layer" => "grid",
        "level" => "cell",
        "code" => "1",
        "metric" => "air.pm25",
        "source" => "air-1",
        "version" if path.contains("/rules/") => "1",
        "version" => "v1",
        "z" => "10",
        "x" => "856",
        "file" => "418.mvt",
        "id" => "hot",
        "number" | "from" => "1",
        other => panic!("an example for the parameter {other} is missing"),
    };
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().expect("name");
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{name}}}"), value(name)),
            Some("query") if parameter["required"] == true => query.push(format!("{name}={}", value(name))),
            _ => {}
        }
    }
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

#[tokio::test]
async fn the_description_is_true_to_the_routes() {
    let console = console();
    let description = description(&console).await;
    assert_eq!(description["info"]["license"]["identifier"], "Apache-2.0");
    let operations = operations(&description);
    assert!(operations.len() >= 19, "{} operations", operations.len());
    let mut ids: Vec<&str> = operations.iter().filter_map(|(_, _, one)| one["operationId"].as_str()).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!((ids.len(), all), (operations.len(), operations.len()), "operation ids are there, and unlike");

    for (path, method, operation) in &operations {
        let asked = example(path, operation);
        let answer = send(&console, method.clone(), &asked, &[("authorization", "Bearer root")]).await;
        let said = &operation["responses"][answer.status.to_string()];
        assert!(
            said.is_object(),
            "{method} {asked} answers {}, which is not described: {}",
            answer.status,
            answer.body
        );
        let kind = answer.header("content-type").split(';').next().unwrap_or_default().to_owned();
        let kinds: Vec<&String> = said["content"].as_object().map(|kinds| kinds.keys().collect()).unwrap_or_default();
        assert!(kinds.contains(&&kind) || kinds.is_empty() && kind.is_empty(), "{method} {asked}: {kind} of {kinds:?}");
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let is_typed = response["content"].as_object().is_some_and(|kinds| {
                kinds.iter().all(|(kind, content)| content["schema"].is_object() || kind.contains("vector-tile"))
            });
            assert!(is_typed || ["204", "304"].contains(&status.as_str()), "{method} {path} {status} has no type");
        }
    }
}

#[tokio::test]
async fn every_reference_in_the_description_leads_somewhere() {
    let description = description(&console()).await;
    let text = description.to_string();
    let references: Vec<&str> = text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(references.len() > 20, "{}", references.len());
    for reference in references {
        assert!(description.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_token_or_session() {
    let console = console();
    for (path, method, operation) in operations(&description(&console).await) {
        let asked = example(&path, &operation);
        let headers = [("authorization", "Bearer wrong"), ("cookie", "gridwarden_session=1.99999999999.00")];
        let answer = send(&console, method.clone(), &asked, &headers).await;
        if path == "/api/v1/session" && method == Method::DELETE {
            assert_eq!(answer.status, 204);
            continue;
        }
        assert_eq!(answer.status, 401, "{method} {asked}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_eq!(send(&console, Method::GET, "/", &[]).await.status, 200, "the page itself needs no token");
}

#[tokio::test]
async fn the_token_buys_a_cookie_that_opens_and_no_other_site_can_use() {
    let console = console();
    let opened = send(&console, Method::POST, "/api/v1/session", &[("authorization", "Bearer root")]).await;
    assert_eq!(opened.status, 204);
    let cookie = opened.header("set-cookie").to_owned();
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert!(!cookie.contains("root") && !cookie.contains("Secure"), "{cookie}");
    let value = cookie.split(';').next().expect("value");
    let answer = send(&console, Method::GET, "/api/v1/city", &[("cookie", value)]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("set-cookie"), "", "a fresh session is not renewed");
    assert_eq!(answer.header("access-control-allow-origin"), "", "no other origin reads answers");

    let by_https = [("authorization", "Bearer root"), ("x-forwarded-proto", "https")];
    assert!(send(&console, Method::POST, "/api/v1/session", &by_https).await.header("set-cookie").contains("; Secure"));
    for (site, status) in [("cross-site", 403), ("same-site", 403), ("same-origin", 204), ("none", 204)] {
        let headers = [("cookie", value), ("sec-fetch-site", site)];
        assert_eq!(send(&console, Method::DELETE, "/api/v1/session", &headers).await.status, status, "{site}");
    }
}

#[tokio::test]
async fn every_answer_lets_nothing_in_from_elsewhere() {
    let console = console();
    for path in ["/", "/api/v1/city", "/openapi.json", "/api/v1/nothing", "/favicon.svg"] {
        let answer = ask(&console, path).await;
        assert_eq!(answer.header("content-security-policy"), crate::pages::POLICY, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
    }
    for refused in ["unsafe-inline", "unsafe-eval", "http:", "https:", "*", "data:", "blob:"] {
        assert!(!crate::pages::POLICY.contains(refused), "{refused}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_a_problem_that_names_the_parameter() {
    let console = console();
    let cases = [
        ("/areas", 400, "layer"),
        ("/areas?layer=none", 404, "layer"),
        ("/areas?layer=grid&level=street", 400, "level"),
        ("/areas?layer=grid&limit=0", 400, "limit"),
        ("/areas?layer=grid&limit=10001", 400, "limit"),
        ("/areas?layer=grid&offset=-1", 400, "offset"),
        ("/areas?layer=grid&id=x", 400, "id"),
        ("/areas?layer=grid&layer=grid", 400, "layer"),
        ("/areas?layer=grid&lvel=cell", 400, "lvel"),
        ("/areas/none/1", 404, "layer"),
        ("/areas/grid/9", 404, "code"),
        ("/areas/%ff/1", 400, "layer"),
        ("/metrics/areas?layer=grid&level=cell", 400, "metric"),
        ("/metrics/areas?layer=grid&level=cell&metric=m&span=9", 400, "span"),
        ("/metrics/areas?layer=grid&level=cell&metric=m&window=30", 400, "window"),
        ("/metrics/areas?layer=grid&level=cell&metric=m&statistic=median", 400, "statistic"),
        ("/metrics/areas?layer=grid&level=cell&metric=m&at=noon", 400, "at"),
        ("/metrics/series?layer=grid&code=9&metric=m", 404, "code"),
        ("/metrics/series?layer=grid&code=1&metric=m&from=2000&to=1000", 400, "to"),
        ("/metrics/series?layer=grid&code=1&metric=m&window=300", 400, "window"),
        ("/metrics/series?layer=grid&code=1&metric=m&window=90&every=60", 400, "window"),
        ("/metrics/series?layer=grid&code=1&metric=m&window=7200&every=60", 400, "window"),
        ("/metrics/series?layer=grid&code=1&metric=m&every=15", 400, "every"),
        ("/metrics/series?layer=grid&code=1&metric=m&statistic=p95", 400, "statistic"),
        ("/metrics/series?layer=grid&code=1&metric=m&statistic=median", 400, "statistic"),
        ("/entities?bbox=1,2,x,4", 400, "bbox"),
        ("/alerts?severity=bad", 400, "severity"),
        ("/alerts?open=maybe", 400, "open"),
        ("/alerts?limit=5001", 400, "limit"),
        ("/storms?limit=0", 400, "limit"),
        ("/reports?area=1", 400, "layer"),
        ("/reports?layer=grid", 400, "area"),
        ("/reports?layer=none&area=1", 404, "layer"),
        ("/reports/summary?layer=grid", 400, "level"),
        ("/reports/summary?layer=grid&level=cell&from=-1", 400, "from"),
        ("/rejects?since=yesterday", 400, "since"),
        ("/live?layer=grid&level=cell", 400, "metric"),
        ("/live?metric=m", 400, "layer"),
        ("/tiles/grid/street/v1/10/0/0.mvt", 404, "level"),
        ("/tiles/grid/cell/v0/10/0/0.mvt", 404, "version"),
        ("/tiles/grid/cell/v1/ten/0/0.mvt", 400, "z"),
        ("/tiles/grid/cell/v1/10/-1/0.mvt", 400, "x"),
        ("/tiles/grid/cell/v1/2/0/9.mvt", 404, "file"),
        ("/tiles/grid/cell/v1/2/0/0.png", 404, "file"),
    ];
    for (path, status, field) in cases {
        let answer = ask(&console, &format!("/api/v1{path}")).await;
        assert_eq!((answer.status, answer.names()), (status, field), "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(answer.body["status"], status, "{path}");
    }
}

#[tokio::test]
async fn an_address_or_method_that_is_not_there_is_a_problem_too() {
    let console = console();
    for (method, path, status) in [
        (Method::GET, "/api/v1/nothing", 404),
        (Method::POST, "/api/v2/x", 404),
        (Method::POST, "/api/v1/city", 405),
        (Method::DELETE, "/api/v1/alerts", 405),
    ] {
        let answer = send(&console, method, path, &[("authorization", "Bearer root")]).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"), "{path}");
    }
}

#[tokio::test]
async fn without_clickhouse_the_map_is_there_and_numbers_are_refused_in_words() {
    let console = console();
    for path in
        ["/city", "/layers", "/areas?layer=grid", "/areas/grid/1", "/tiles/grid/cell/v1/10/856/418.mvt", "/live"]
    {
        assert_eq!(ask(&console, &format!("/api/v1{path}")).await.status, 200, "{path}");
    }
    let numbers = ["/metrics", "/metrics/areas?layer=grid&level=cell&metric=m", "/kpi", "/freshness", "/alerts"];
    for path in numbers.into_iter().chain(["/entities", "/entities/a", "/reports", "/rejects", "/storms"]) {
        let answer = ask(&console, &format!("/api/v1{path}")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{path}: {}", answer.body);
        assert!(answer.body["detail"].as_str().is_some_and(|text| text.contains("ClickHouse")), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_tile_is_compressed_known_again_and_kept_by_the_browser() {
    let console = console();
    let path = "/api/v1/tiles/grid/cell/v1/10/856/418.mvt";
    let bearer = ("authorization", "Bearer root");
    let first = send(&console, Method::GET, path, &[bearer, ("accept-encoding", "gzip")]).await;
    assert_eq!((first.status, first.header("content-encoding")), (200, "gzip"));
    assert!(first.header("cache-control").contains("private") && first.header("cache-control").contains("immutable"));
    let again = send(&console, Method::GET, path, &[bearer, ("if-none-match", first.header("etag"))]).await;
    assert_eq!(again.status, 304);
}

#[tokio::test]
async fn a_viewer_looks_and_changes_no_rule() {
    let console = console();
    let see = ("authorization", "Bearer see");
    let opened = send(&console, Method::POST, "/api/v1/session", &[see]).await;
    let cookie = opened.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    for who in [see, ("cookie", cookie.as_str())] {
        let session = send(&console, Method::GET, "/api/v1/session", &[who]).await;
        assert_eq!((&session.body["role"], &session.body["may_change_rules"]), (&"viewer".into(), &false.into()));
        assert_eq!(send(&console, Method::GET, "/api/v1/city", &[who]).await.status, 200);
        let mut refused = 0;
        for (path, method, operation) in operations(&description(&console).await) {
            if path.contains("/rules") || path.contains("/backtests") {
                // Nobody is configured here who could be asked.
                let wanted = if method == Method::GET { 501 } else { 403 };
                let answer = send(&console, method.clone(), &example(&path, &operation), &[who]).await;
                assert_eq!(answer.status, wanted, "{method} {path}: {}", answer.body);
                refused += usize::from(wanted == 403);
            }
        }
        assert_eq!(refused, 6, "check, put, state, rollback, begin and stop a back-test");
    }
}

#[tokio::test]
async fn who_signs_in_with_a_name_is_called_so() {
    let console = console();
    let request = |body: &'static str| {
        let request = Request::builder().method("POST").uri("/api/v1/session").header("authorization", "Bearer root");
        console.clone().oneshot(request.body(Body::from(body)).expect("request"))
    };
    for wrong in ["{\"name\":\"a\\u0007\"}", "{\"nam\":\"a\"}", "name"] {
        assert_eq!(request(wrong).await.expect("answer").status(), 400, "{wrong}");
    }
    let opened = request("{\"name\":\" 王芳 \"}").await.expect("answer");
    let cookie = opened.headers()["set-cookie"].to_str().expect("text").split(';').next().expect("value").to_owned();
    let session = send(&console, Method::GET, "/api/v1/session", &[("cookie", &cookie)]).await;
    let wanted =
        serde_json::json!({"role": "administrator", "name": "王芳", "has_rules": false, "may_change_rules": true});
    assert_eq!(session.body, wanted);
}
