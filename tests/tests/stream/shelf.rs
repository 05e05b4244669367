//! `SHF-1…3`: rules written, changed, taken back and retired over the API and by command, while the stream runs; tried on the past and
//! explained over the API.

use super::recompute::file;
use super::*;
use crate::support::Archive;
use gridwarden_runtime::clock::now_ms;
use gridwarden_runtime::secrets::Secret;
use gridwarden_tests::binary;
use serde_json::{Value, json};

const TOKEN: &str = "rules-token";

const HOT: &str = "\
title: {en: Hot, zh: 热}
severity: major
urgency: expected
certainty: likely
state: draft
storm_per_minute: 600
changed: {by: anna, why: a first try}
threshold:
  value: t
  side: above
  level: 90
";

/// The API of rules.
struct Desk {
    client: reqwest::Client,
    base: String,
}

impl Desk {
    async fn ask(&self, method: &str, path: &str, body: Option<&str>, headers: &[(&str, &str)]) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.expect("a body")).unwrap_or_default())
    }

    async fn with_token(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        self.ask(method, path, body, &[("authorization", &format!("Bearer {TOKEN}"))]).await
    }
}

async fn in_force() {
    tokio::time::sleep(Duration::from_millis(2_100)).await;
}

fn command(file: &std::path::Path, args: &[&str]) -> std::process::Output {
    let mut command = binary::gridwarden();
    command.args(["rules"]).args(args).arg("--config").arg(file);
    command.output().expect("gridwarden starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_written_tried_changed_taken_back_and_retired_while_the_stream_runs() {
    const TEST: &str = "stream_shelf";
    let parts = Parts::named(TEST);
    let (producer, city) = made(TEST, &parts, &[]).await;
    let archive = Archive::start(&parts, &city).await;
    let stream = Stream::with(&parts, &city, |config| {
        config.auth.admin_token = Some(Secret::literal(TOKEN));
        config.checkpoints.every_ms = 3_600_000;
    })
    .await;
    let desk = Desk { client: reqwest::Client::new(), base: stream.base.clone() };
    wait::until_async("the stream to be ready", SOON, || async {
        let ready = stream.get("/readyz").await;
        if ready.contains("\"ok\":true") { Ok(()) } else { Err(ready) }
    })
    .await;

    // Nobody may without the token; what is no rule is refused with field and line.
    let document: Value = serde_json::from_str(&stream.get("/openapi.json").await).expect("a document");
    for path in document["paths"].as_object().expect("paths").keys() {
        let path = path.replace("{id}", "hot").replace("{version}", "1").replace("{number}", "1");
        let method = if path.ends_with("check")
            || path.ends_with("explain")
            || path.ends_with("state")
            || path.ends_with("rollback")
        {
            "POST"
        } else {
            "GET"
        };
        assert_eq!(desk.ask(method, &path, None, &[]).await.0, 401, "{path}");
    }
    let wrong = HOT.replace("level: 90", "level: high");
    let (status, said) = desk.with_token("POST", "/v1/rules/check", Some(&format!("id: hot\n{wrong}"))).await;
    assert_eq!((status, said["errors"][0]["field"].as_str()), (422, Some("threshold.level")));
    assert!(said["detail"].as_str().expect("words").starts_with("line 12: "), "{said}");
    let (status, said) = desk.with_token("PUT", "/v1/rules/hot", Some(&HOT.replace("changed:", "chanced:"))).await;
    assert_eq!((status, said["errors"][0]["field"].as_str()), (422, Some("chanced")));

    // A draft raises nothing; explained, it says what it would see.
    let (status, said) = desk.with_token("PUT", "/v1/rules/hot", Some(HOT)).await;
    assert_eq!((status, said["version"].as_u64(), said["state"].as_str()), (201, Some(1), Some("draft")), "{said}");
    assert_eq!(
        desk.with_token("PUT", "/v1/rules/hot", Some(HOT)).await,
        (200, json!({"id":"hot","version":1,"unchanged":true}))
    );
    in_force().await;
    let begin = now_ms();
    observe(&producer, "s", begin, 0.5, 95.0).await;
    stream.until_conserved(1).await;
    assert_eq!(stream.figure("gridwarden_stream_alerts_total").await, 0.0);
    let (_, rule) = desk.with_token("GET", "/v1/rules/hot", None).await;
    let asked = json!({ "observation": serde_json::from_str::<Value>(&observation("s", begin, 0.5, 95.0)).expect("json"), "rules": [rule] });
    let (status, said) = desk.with_token("POST", "/v1/explain", Some(&asked.to_string())).await;
    assert_eq!(status, 200, "{said}");
    let of = &said["rules"][0];
    assert_eq!(
        (of["rule"].as_str(), of["matches"].as_bool(), of["why"].as_str()),
        (Some("hot"), Some(true), Some("t = 95 is above 90"))
    );

    // Active, it raises; another title changes nothing of what is open; another level ends it.
    let turn = |state: &str| json!({ "state": state, "by": "ben" }).to_string();
    let (status, said) = desk.with_token("POST", "/v1/rules/hot/state", Some(&turn("active"))).await;
    assert_eq!((status, said["version"].as_u64()), (201, Some(2)), "{said}");
    in_force().await;
    observe(&producer, "s", begin + 1, 0.5, 95.0).await;
    let found = until_alerts(&parts, &stream, 1).await;
    assert_eq!(found[0].rule_version, 2);
    assert_eq!(serde_json::to_value(&found[0]).expect("json")["urgency"], "expected");
    assert_eq!((found[0].evidence.as_slice(), found[0].storm_per_minute), ([found[0].cause].as_slice(), Some(600)));
    let titled = HOT.replace("Hot", "Heat").replace("draft", "active");
    let stale = [("authorization", "Bearer rules-token"), ("if-match", "\"1\"")];
    assert_eq!(desk.ask("PUT", "/v1/rules/hot", Some(&titled), &stale).await.0, 409);
    assert_eq!(desk.with_token("PUT", "/v1/rules/hot", Some(&titled)).await.1["version"], 3);
    in_force().await;
    observe(&producer, "s", begin + 2, 0.5, 96.0).await;
    stream.until_conserved(3).await;
    assert_eq!(alerts_of(&parts).await.len(), 1);
    let higher = titled.replace("level: 90", "level: 97");
    assert_eq!(desk.with_token("PUT", "/v1/rules/hot", Some(&higher)).await.1["version"], 4);
    in_force().await;
    observe(&producer, "s", begin + 3, 0.5, 96.0).await;
    until_alerts(&parts, &stream, 2).await;

    // What differs, and back to what was; then by command, out of force.
    let (_, said) = desk.with_token("GET", "/v1/rules/hot/diff?from=3", None).await;
    let fields: Vec<&str> =
        said["differences"].as_array().expect("a list").iter().filter_map(|one| one["field"].as_str()).collect();
    assert_eq!(fields, ["threshold.level", "version"]);
    let (status, said) = desk.with_token("POST", "/v1/rules/hot/rollback", Some(r#"{"to":3,"by":"ben"}"#)).await;
    assert_eq!((status, said["version"].as_u64(), said["state"].as_str()), (201, Some(5), Some("active")));
    assert_eq!(desk.with_token("POST", "/v1/rules/hot/rollback", Some(r#"{"to":9,"by":"ben"}"#)).await.0, 404);
    in_force().await;
    observe(&producer, "s", begin + 4, 0.5, 96.0).await;
    until_alerts(&parts, &stream, 3).await;
    let file = file(TEST, &parts, &city);
    let retired = command(&file, &["retire", "hot", "--by", "cleo", "--why", "winter"]);
    assert!(retired.status.success(), "{}", binary::stderr(&retired));
    in_force().await;
    observe(&producer, "s", begin + 5, 0.5, 99.0).await;
    until_alerts(&parts, &stream, 4).await;
    let history = command(&file, &["history", "hot"]);
    let history = String::from_utf8(history.stdout).expect("text");
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!(lines.len(), 6, "{history}");
    assert!(
        lines[0].contains("version 1, draft, by anna: a first try")
            && lines[5].ends_with("version 6, retired, by cleo: winter")
    );
    let (_, said) = desk.with_token("GET", "/v1/rules?state=retired", None).await;
    assert_eq!((said["rules"][0]["id"].as_str(), said["rules"][0]["version"].as_u64()), (Some("hot"), Some(6)));

    // Tried on what is archived by now.
    wait::until_async("everything archived", SOON, || async {
        let held = count(&parts, "SELECT count() FROM observations_rows").await;
        if held == 6 { Ok(()) } else { Err(held.to_string()) }
    })
    .await;
    let mut candidate = rule;
    candidate["state"] = "active".into();
    let happened = json!({ "id": "fire", "from": begin, "to": begin + 10, "source": "s" });
    let asked = json!({ "rules": [candidate], "from": begin - 60_000, "incidents": [happened] });
    let (status, said) = desk.with_token("POST", "/v1/backtests", Some(&asked.to_string())).await;
    assert_eq!(status, 202, "{said}");
    let path = format!("/v1/backtests/{}", said["number"]);
    let outcome = wait::until_async("the back-test", SOON, || async {
        let (_, said) = desk.with_token("GET", &path, None).await;
        if said["state"] == "done" { Ok(said["outcome"].clone()) } else { Err(said.to_string()) }
    })
    .await;
    assert_eq!(
        (outcome["records"].as_u64(), outcome["after"]["alerts"].as_u64(), outcome["before"]["alerts"].as_u64()),
        (Some(6), Some(1), Some(0))
    );
    assert_eq!(outcome["incidents"]["won"], json!(["fire"]));
    let bad = json!({ "rules": [], "incidents": [{ "id": "x", "from": 5, "to": 1, "source": "s" }] });
    assert_eq!(desk.with_token("POST", "/v1/backtests", Some(&bad.to_string())).await.0, 400);
    stream.stop().await;
    archive.stop().await;
}
