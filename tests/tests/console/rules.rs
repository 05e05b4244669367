//! `CON-7`: rules seen and changed through the console, by the stream's API, in the name of who is signed in; and its page in a browser.

use super::TOKEN;
use super::town::Town;
use crate::stream::Stream;
use crate::support::{browser, query};
use gridwarden_runtime::secrets::Secret;
use gridwarden_tests::parts::free_address;
use gridwarden_tests::wait;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
const VIEWER: &str = "see";
/// The stream's own token, which no page ever holds.
const BEHIND: &str = "rules-token";

const HOT: &str = "\
title: {en: Hot, zh: 热}
severity: major
state: draft
changed: {by: ben, why: a first try}
threshold:
  value: t
  side: above
  level: 90
";

/// A console that may ask a stream at an address where none runs yet.
async fn town(test: &str) -> (Town, SocketAddr) {
    let address = free_address();
    let town = Town::start(test, |own| {
        own.stream.url = format!("http://{address}");
        own.stream.admin_token = Some(Secret::literal(BEHIND));
        own.auth.viewer_token = Some(Secret::literal(VIEWER));
    })
    .await;
    (town, address)
}

async fn stream(town: &Town, address: SocketAddr) -> Stream {
    let stream = Stream::with(&town.parts, &town.city, |config| {
        config.http.listen = address;
        config.auth.admin_token = Some(Secret::literal(BEHIND));
    })
    .await;
    wait::until_async("the rules through the console", SOON, || async {
        town.client().json("/api/v1/rules").await.map(drop)
    })
    .await;
    stream
}

/// Who asks, and how they prove it.
struct Desk<'t> {
    client: reqwest::Client,
    town: &'t Town,
    proof: (&'static str, String),
}

impl<'t> Desk<'t> {
    fn bearer(town: &'t Town, token: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("client");
        Self { client, town, proof: ("authorization", format!("Bearer {token}")) }
    }

    /// Signed in on a page, by name.
    async fn named(town: &'t Town, token: &str, name: &str) -> Self {
        let desk = Self::bearer(town, token);
        let asked = desk.client.post(format!("{}/api/v1/session", town.base)).bearer_auth(token);
        let answer = asked.json(&json!({ "name": name })).send().await.expect("an answer");
        let cookie = answer.headers()["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().expect("a value").to_owned();
        Self { proof: ("cookie", cookie), ..desk }
    }

    async fn ask(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}/api/v1{path}", self.town.base));
        for (name, value) in headers.iter().copied().chain([(self.proof.0, self.proof.1.as_str())]) {
            request = request.header(name, value);
        }
        let answer = request.body(body.to_owned()).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.expect("a body")).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, "", &[]).await
    }
}

fn words(said: &Value) -> &str {
    said["detail"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_changed_through_the_console_in_the_name_of_who_is_signed_in() {
    let (town, address) = town("console_rules").await;
    let anna = Desk::named(&town, TOKEN, "王芳").await;
    let (status, said) = anna.get("/rules").await;
    assert_eq!(status, 503, "{said}");
    assert!(words(&said).contains("the stream does not answer"), "{said}");
    let running = stream(&town, address).await;

    // What is no rule is refused with line and field, as the stream says it; nothing is written.
    let wrong = HOT.replace("level: 90", "level: high");
    let (status, said) = anna.ask("POST", "/rules/check", &format!("id: hot\n{wrong}"), &[]).await;
    assert_eq!((status, said["errors"][0]["field"].as_str()), (422, Some("threshold.level")), "{said}");
    assert!(words(&said).starts_with("line 9: "), "{said}");
    assert_eq!(anna.get("/rules").await.1["rules"], json!([]));

    // Whatever the request says, it is who is signed in.
    let (status, said) = anna.ask("PUT", "/rules/hot?by=ben&why=too%20many", HOT, &[("if-match", "\"0\"")]).await;
    assert_eq!((status, &said["version"], &said["state"]), (201, &json!(1), &json!("draft")), "{said}");
    let turn = json!({ "state": "active", "by": "ben", "why": "it is time" }).to_string();
    assert_eq!(anna.ask("POST", "/rules/hot/state", &turn, &[("if-match", "\"1\"")]).await.0, 201);
    let (_, history) = anna.get("/rules/hot/versions?documents=false").await;
    let by = |why: &str| json!({ "by": "王芳", "why": why });
    let lines: Vec<[&Value; 4]> = history["versions"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|line| ["version", "state", "changed", "rule"].map(|field| &line[field]))
        .collect();
    let wanted = [
        [json!(1), json!("draft"), by("too many"), json!(null)],
        [json!(2), json!("active"), by("it is time"), json!(null)],
    ];
    assert_eq!(lines, wanted.each_ref().map(|line| line.each_ref()));

    // Who was slower overwrites nothing; a program with the token says itself who it is.
    let (status, said) =
        anna.ask("POST", "/rules/hot/state", &turn.replace("active", "retired"), &[("if-match", "\"1\"")]).await;
    assert_eq!(status, 409, "{said}");
    let program = Desk::bearer(&town, TOKEN);
    let back = json!({ "to": 1, "by": "night shift" }).to_string();
    assert_eq!(
        program.ask("POST", "/rules/hot/rollback", &back, &[]).await.1["unchanged"],
        true,
        "the document is the same"
    );
    let hotter = HOT.replace("90", "95").replace("draft", "active");
    assert_eq!(program.ask("PUT", "/rules/hot", &hotter, &[]).await.1["version"], 3);
    let (_, rule) = program.get("/rules/hot").await;
    assert_eq!((&rule["changed"]["by"], &rule["threshold"]["level"]), (&json!("ben"), &json!(95.0)));
    let (_, diff) = program.get("/rules/hot/diff?from=2").await;
    assert!(diff["differences"].as_array().expect("differences").iter().any(|one| one["field"] == "threshold.level"));

    // A viewer looks, and writes nothing.
    let viewer = Desk::named(&town, VIEWER, "Vera").await;
    assert_eq!(viewer.get("/rules/hot/versions/3").await.0, 200);
    for (method, path) in [
        ("PUT", "/rules/hot"),
        ("POST", "/rules/hot/state"),
        ("POST", "/rules/hot/rollback"),
        ("POST", "/rules/check"),
        ("POST", "/backtests"),
    ] {
        let (status, said) = viewer.ask(method, path, &turn, &[]).await;
        assert_eq!(status, 403, "{method} {path}: {said}");
    }
    assert_eq!(anna.get("/rules/hot").await.1["version"], 3);
    as_described(&town).await;

    // A stream that restarts is told, and nothing is written meanwhile.
    running.stop().await;
    assert_eq!(anna.get("/rules").await.0, 503);
    let (status, said) = anna.ask("POST", "/rules/hot/state", &turn.replace("active", "retired"), &[]).await;
    assert_eq!(status, 503, "{said}");
    let again = stream(&town, address).await;
    assert_eq!(anna.get("/rules/hot").await.1["version"], 3);
    again.stop().await;
    town.stop().await;
}

/// The lists are as the console's description has them, taken over from the stream's.
async fn as_described(town: &Town) {
    let description = town.client().json("/openapi.json").await.expect("description");
    let text = description.to_string().replace("{\"$ref\":\"rule.schema.json\"}", "true");
    let description: Value = serde_json::from_str(&text).expect("JSON");
    for (path, asked) in [
        ("/api/v1/rules", "/api/v1/rules?documents=false"),
        ("/api/v1/rules/{id}/versions", "/api/v1/rules/hot/versions"),
    ] {
        let schema = &description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let answer = town.client().json(asked).await.expect(asked);
        let faults: Vec<String> =
            super::validator(&description, schema).iter_errors(&answer).map(|fault| fault.to_string()).collect();
        assert!(schema.is_object() && faults.is_empty(), "{asked}: {faults:?}\n{answer}");
    }
}

/// A storm that goes on, and one that is over.
async fn storms(town: &Town) {
    let row = |id: &str, since: u32, until: &str, held: u32| {
        format!(
            "SELECT '{id}', 'cold', 'major', 'Cold', '寒冷', 600, now64(3) - {since}, {until}, {held}, false, {held} * 2"
        )
    };
    let rows = [row("s1", 7_200, "now64(3) - 7020", 56), row("s2", 90, "NULL", 1_234)];
    query(&town.parts, &format!("INSERT INTO storms_rows {}", rows.join(" UNION ALL "))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_rules_works_in_a_browser() {
    let (town, address) = town("console_rules_page").await;
    town.windows(60, 10.0, 30.0).await;
    storms(&town).await;
    let running = stream(&town, address).await;
    let program = Desk::bearer(&town, TOKEN);
    assert_eq!(program.ask("PUT", "/rules/hot", HOT, &[]).await.0, 201);
    let cold = HOT.replace("Hot", "Cold").replace("热", "寒冷").replace("draft", "active").replace("above", "below");
    for (level, who) in [("0", "ben, why: winter"), ("-5", "anna, why: too many")] {
        let cold = cold.replace("90", level).replace("ben, why: a first try", who);
        assert_eq!(program.ask("PUT", "/rules/cold", &cold, &[]).await.0, 201);
    }
    let look = |what: &'static str| {
        let shots = town.city.folder.with_file_name("shots").display().to_string();
        let given =
            [("CONSOLE_URL", town.base.clone()), ("TOKEN", TOKEN.to_owned()), ("VIEWER_TOKEN", VIEWER.to_owned())];
        browser("rules.mjs", given.into_iter().chain([("LOOK", what.to_owned()), ("SHOTS", shots)]).collect())
    };
    look("all").await;
    running.stop().await;
    look("away").await;
    town.stop().await;
}
