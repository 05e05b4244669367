//! What the console promises over a real broker and engine: its description is true, one look serves all viewers, a slow
//! viewer waits alone, and a ClickHouse that is away is told and not hidden.

mod door;
mod rules;
mod town;
mod viewer;

use gridwarden_tests::wait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
pub(crate) use town::TOKEN;
use town::Town;
use viewer::Viewer;

const SOON: Duration = Duration::from_secs(30);
const CELLS: &str = "?layer=grid&level=cell&metric=air.pm25&span=60";
/// Every tick begins with this question.
const FIRST_QUESTION: &str = "FROM entity_latest WHERE appended_at";

/// Questions asked in twelve whole ticks that follow each other: as many as every rhythm needs to come round.
async fn questions_of_twelve_ticks(town: &Town) -> usize {
    town.door.questions();
    let mut asked: Vec<String> = Vec::new();
    let begins = |asked: &[String]| -> Vec<usize> {
        asked.iter().enumerate().filter(|(_, sql)| sql.contains(FIRST_QUESTION)).map(|(at, _)| at).collect()
    };
    let found = wait::until_async("fourteen ticks", SOON, || {
        asked.extend(town.door.questions());
        let begins = begins(&asked);
        async move { if begins.len() >= 14 { Ok(begins) } else { Err(format!("{} ticks", begins.len())) } }
    })
    .await;
    found[13] - found[1]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_look_serves_all_viewers() {
    let town = Town::start("console_look", |_| {}).await;
    town.windows(60, 10.0, 30.0).await;
    town.entities(5, 0).await;
    town.archived().await;

    let mut alone = Viewer::open(&town.base, TOKEN, CELLS).await;
    alone.until("values", |data| data["ids"].as_array().is_some_and(|ids| ids.len() == 2)).await;
    let one = questions_of_twelve_ticks(&town).await;

    let mut crowd = Vec::new();
    for _ in 0..7 {
        let mut viewer = Viewer::open(&town.base, TOKEN, CELLS).await;
        viewer.until("values", |data| data["full"] == true).await;
        crowd.push(viewer);
    }
    let eight = questions_of_twelve_ticks(&town).await;
    assert_eq!(eight, one, "eight viewers cost ClickHouse as much as one");

    let mut other = Viewer::open(&town.base, TOKEN, &CELLS.replace("cell", "city")).await;
    other.until("values", |data| data["full"] == true).await;
    let two_maps = questions_of_twelve_ticks(&town).await;
    assert!(
        two_maps > one && two_maps <= one + 24,
        "another map is at most two more questions a tick: {one} {two_maps}"
    );
    drop((alone, crowd, other));
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_viewers_and_maps_are_served() {
    let town = Town::start("console_limits", |own| {
        own.limits.viewers = 2;
        own.limits.maps = 1;
    })
    .await;
    let _first = Viewer::open(&town.base, TOKEN, CELLS).await;
    let client = town.client();
    let (status, body) = client.get("/api/v1/live?layer=grid&level=city&metric=air.pm25").await.expect("answer");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("maps are watched"), "{body}");
    let _second = Viewer::open(&town.base, TOKEN, CELLS).await;
    let (status, body) = client.get("/api/v1/live").await.expect("answer");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("2 live streams"), "{body}");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_viewer_is_told_what_it_missed_and_makes_nobody_wait() {
    let town = Town::start("console_slow", |own| own.live.buffer = 4).await;
    town.entities(20_000, 0).await;

    let socket = TcpSocket::new_v4().expect("socket");
    socket.set_recv_buffer_size(8_192).expect("a small buffer");
    let mut slow =
        socket.connect(town.base.trim_start_matches("http://").parse().expect("address")).await.expect("connected");
    let request = format!("GET /api/v1/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    slow.write_all(request.as_bytes()).await.expect("asked");

    let (moves, gaps) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut quick = Viewer::open(&town.base, TOKEN, "").await;
    let reading = tokio::spawn({
        let (moves, gaps) = (Arc::clone(&moves), Arc::clone(&gaps));
        async move {
            loop {
                let (name, data) = quick.next().await;
                match name.as_str() {
                    "entities" if data["ids"].as_array().is_some_and(|ids| ids.len() == 20_000) => {
                        moves.fetch_add(1, Ordering::SeqCst);
                    }
                    "gap" => {
                        gaps.fetch_add(1, Ordering::SeqCst);
                    }
                    _ => {}
                }
            }
        }
    });
    // More than any buffer between console and a viewer that does not read holds: each round is over half a megabyte.
    for round in 1..=24 {
        town.entities(20_000, round).await;
        let seen = || moves.load(Ordering::SeqCst);
        wait::until_async("the quick viewer to see the moves", SOON, || async {
            if seen() >= round { Ok(()) } else { Err(format!("{} of {round}", seen())) }
        })
        .await;
    }
    assert_eq!(gaps.load(Ordering::SeqCst), 0, "who reads misses nothing");
    reading.abort();

    let mut heard = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    let told = async {
        while !String::from_utf8_lossy(&heard[heard.len().saturating_sub(1 << 17)..]).contains("event: gap") {
            let read = slow.read(&mut chunk).await.expect("a stream that goes on");
            assert!(read > 0, "the stream ended after {} bytes", heard.len());
            heard.extend_from_slice(&chunk[..read]);
        }
    };
    tokio::time::timeout(SOON, told).await.expect("the slow viewer hears of the gap");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_clickhouse_is_away_what_was_known_is_shown_and_said_to_be_old() {
    let mut town = Town::start("console_away", |_| {}).await;
    town.windows(60, 10.0, 30.0).await;
    town.entities(3, 0).await;
    town.alert("a1", 1, "raised").await;
    town.archived().await;
    let client = town.client();
    let mut viewer = Viewer::open(&town.base, TOKEN, CELLS).await;
    viewer.until("values", |data| data["values"] == json!([10.0, 30.0])).await;
    viewer.until("kpi", |data| data["open_alerts"]["major"] == 1).await;
    assert_eq!(client.json("/api/v1/metrics").await.expect("metrics")["metrics"][0]["metric"], "air.pm25");

    town.door.shut().await;
    let away = viewer.until("tick", |tick| tick["away_since"].is_i64()).await["away_since"].clone();

    for path in ["/", "/readyz", "/api/v1/city", "/api/v1/layers", "/api/v1/areas/grid/a"] {
        assert_eq!(client.get(path).await.expect(path).0, 200, "{path}");
    }
    let entities = client.json("/api/v1/entities").await.expect("entities");
    assert_eq!(entities["sources"], json!(["e0", "e1", "e2"]), "who is where stays known");
    let alerts = client.json("/api/v1/alerts?open=true").await.expect("alerts");
    assert_eq!(
        (&alerts["alerts"][0]["id"], &alerts["as_of"]),
        (&json!("a1"), &away),
        "alerts as last seen, and said so"
    );
    assert_eq!(client.json("/api/v1/metrics").await.expect("metrics")["metrics"][0]["metric"], "air.pm25");
    for path in
        ["/kpi", "/freshness", "/reports", "/rejects", "/entities/e0", "/metrics/areas?layer=grid&level=cell&metric=m"]
    {
        let (status, body) = client.get(&format!("/api/v1{path}")).await.expect(path);
        assert!(status == 503 && body.contains("ClickHouse does not answer"), "{path}: {status} {body}");
    }
    let metrics = client.get("/metrics").await.expect("figures").1;
    assert!(metrics.contains("gridwarden_console_clickhouse_up 0"), "operators see it too: {metrics}");

    // A page loaded now is not blank: what was last seen comes at once.
    drop(viewer);
    let mut late = Viewer::open(&town.base, TOKEN, CELLS).await;
    late.until("kpi", |data| data["open_alerts"]["major"] == 1).await;
    late.until("values", |data| data["values"] == json!([10.0, 30.0])).await;
    assert_eq!(late.until("tick", |_| true).await["away_since"], away, "since when does not move");

    town.alert("a1", 2, "cleared").await;
    town.windows(0, 50.0, 60.0).await;
    town.door.open_again().await;
    late.until("alerts", |news| news["alerts"][0]["open"] == false).await;
    late.until("tick", |tick| tick["away_since"].is_null()).await;
    let alerts = client.json("/api/v1/alerts?open=true").await.expect("alerts");
    assert_eq!((&alerts["total"], &alerts["as_of"]), (&json!(0), &Value::Null));
    assert_eq!(client.get("/api/v1/kpi").await.expect("kpi").0, 200);
    drop(late);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrawn_city_is_told_and_its_old_tiles_are_refused() {
    let town = Town::start("console_redrawn", |_| {}).await;
    town.windows(60, 10.0, 30.0).await;
    let client = town.client();
    let version = || async {
        let layers = client.json("/api/v1/layers").await.expect("layers");
        layers["layers"][0]["version"].as_str().expect("version").to_owned()
    };
    let old = version().await;
    let tile = |version: &str| format!("/api/v1/tiles/grid/cell/{version}/7/64/63.mvt");
    assert_eq!(client.get(&tile(&old)).await.expect("tile").0, 200);
    let mut viewer = Viewer::open(&town.base, TOKEN, CELLS).await;
    viewer.until("values", |data| data["values"] == json!([10.0, 30.0])).await;

    town.redraw().await;
    viewer.until("layers", |_| true).await;
    let new = version().await;
    assert_ne!(new, old);
    let values = viewer.until("values", |data| data["version"] == new.as_str()).await;
    assert_eq!((&values["full"], &values["values"]), (&json!(true), &json!([10.0])), "numbers of areas that are there");
    let (status, body) = client.get(&tile(&old)).await.expect("tile");
    assert!(status == 404 && body.contains(&new), "{status} {body}");
    assert_eq!(client.get(&tile(&new)).await.expect("tile").0, 200);
    drop(viewer);
    town.stop().await;
}

/// The schemas of the description, with nothing allowed that they do not name.
fn validator(description: &Value, of: &Value) -> jsonschema::Validator {
    let mut components = description["components"].clone();
    for (name, schema) in components["schemas"].as_object_mut().expect("schemas") {
        // What stands in a whole made of parts may have more beside it.
        let is_part = name == "AreaView";
        if schema["properties"].is_object() && schema["additionalProperties"].is_null() && !is_part {
            schema["additionalProperties"] = json!(false);
        }
    }
    let mut root = of.clone();
    root["components"] = components;
    jsonschema::validator_for(&root).expect("a schema")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_described() {
    let town = Town::start("console_described", |_| {}).await;
    town.windows(60, 10.0, 30.0).await;
    town.sketches(60).await;
    town.entities(3, 0).await;
    town.alert("a1", 1, "raised").await;
    town.alert("a2", 1, "raised").await;
    town.alert("a2", 2, "cleared").await;
    town.storm(7).await;
    town.storm(9).await;
    town.archived().await;
    let client = town.client();
    wait::until_async("the entities", SOON, || async {
        let known = client.json("/api/v1/entities").await?;
        if known["sources"].as_array().is_some_and(|all| all.len() == 3) { Ok(()) } else { Err(known.to_string()) }
    })
    .await;
    let description = client.json("/openapi.json").await.expect("description");
    let asked: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("/api/v1/city", &[""][..]),
        ("/api/v1/layers", &[""]),
        ("/api/v1/areas", &["?layer=grid", "?layer=grid&level=cell&q=a", "?layer=grid&parent=C&limit=1"]),
        ("/api/v1/areas/{layer}/{code}", &["/grid/C", "/grid/a"]),
        ("/api/v1/metrics", &[""]),
        (
            "/api/v1/metrics/areas",
            &["?layer=grid&level=cell&metric=air.pm25", "?layer=grid&level=city&metric=air.pm25&at=5"],
        ),
        (
            "/api/v1/metrics/series",
            &[
                "?layer=grid&code=a&metric=air.pm25",
                "?layer=grid&code=C&metric=none&window=10",
                "?layer=grid&code=C&metric=air.pm25&every=60",
                "?layer=grid&code=C&metric=air.pm25&statistic=p95",
                "?layer=grid&code=C&metric=air.pm25&statistic=p50&window=120&every=20",
            ],
        ),
        ("/api/v1/entities", &["", "?kind=vehicle&bbox=0,0,1,1"]),
        ("/api/v1/entities/{source}", &["/e0"]),
        ("/api/v1/alerts", &["", "?open=false&severity=major,minor"]),
        ("/api/v1/reports/summary", &["?layer=grid&level=cell", "?layer=grid&level=city&label=ward"]),
        ("/api/v1/reports", &["", "?layer=grid&area=a", "?limit=1"]),
        ("/api/v1/rejects", &["", "?limit=1"]),
        ("/api/v1/storms", &["", "?since=0&limit=1"]),
        ("/api/v1/session", &[""]),
        ("/api/v1/kpi", &[""]),
        ("/api/v1/freshness", &[""]),
    ]);
    let mut described = 0;
    for (path, item) in description["paths"].as_object().expect("paths") {
        // What is passed on to the stream is looked at where one runs ([`rules`]).
        if item["get"]["tags"][0] == "rules" {
            continue;
        }
        let Some(content) = item["get"]["responses"]["200"]["content"].get("application/json") else { continue };
        described += 1;
        let examples = asked.get(path.as_str()).unwrap_or_else(|| panic!("no example for {path}"));
        let (validator, stem) = (validator(&description, &content["schema"]), path.split("/{").next().unwrap_or(path));
        for example in *examples {
            let answer = client.json(&format!("{stem}{example}")).await.expect(path);
            let faults: Vec<String> =
                validator.iter_errors(&answer).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(faults.is_empty(), "{stem}{example}: {faults:?}\n{answer}");
        }
    }
    assert_eq!(described, asked.len());
    the_numbers_are_those_that_stand_there(&client).await;
    the_storm_is_the_one_that_stands_there(&town).await;
    town.stop().await;
}

/// Alerts, with what raised them.
async fn the_alerts_are_those_that_stand_there(client: &gridwarden_tests::http::Client) {
    let json = async |path: &str| client.json(path).await.expect(path);
    let alerts = json("/api/v1/alerts?open=true").await;
    assert_eq!((&alerts["total"], &alerts["alerts"][0]["areas"][0]["code"]), (&json!(1), &json!("a")), "{alerts}");
    assert_eq!(
        (&alerts["alerts"][0]["urgency"], &alerts["alerts"][0]["certainty"]),
        (&json!("expected"), &json!("likely"))
    );
    // What raised an alert is told by its raise alone, and stays known when it is cleared.
    let cleared = json("/api/v1/alerts?open=false").await;
    let evidence = json!(["0a/3/7", "0a/3/9"]);
    assert_eq!(
        (&alerts["alerts"][0]["evidence"], &cleared["alerts"][0]["evidence"]),
        (&evidence, &evidence),
        "{cleared}"
    );
}

/// A storm written again and again is one, as it stood last; those who watch are told of it.
async fn the_storm_is_the_one_that_stands_there(town: &Town) {
    let storms = town.client().json("/api/v1/storms").await.expect("storms");
    let found: Vec<(&Value, &Value)> =
        storms["storms"].as_array().expect("storms").iter().map(|one| (&one["held_back"], &one["until"])).collect();
    assert_eq!(found, [(&json!(9), &Value::Null)], "{storms}");
    let mut viewer = Viewer::open(&town.base, TOKEN, "").await;
    assert_eq!(viewer.until("storms", |_| true).await, storms);
}

async fn the_numbers_are_those_that_stand_there(client: &gridwarden_tests::http::Client) {
    let json = |path: &'static str| async move { client.json(path).await.expect(path) };
    let cells = json("/api/v1/metrics/areas?layer=grid&level=cell&metric=air.pm25").await;
    assert_eq!((&cells["codes"], &cells["values"]), (&json!(["a", "b"]), &json!([10.0, 30.0])));
    let city = json("/api/v1/metrics/areas?layer=grid&level=city&metric=air.pm25").await;
    assert_eq!((&city["codes"], &city["values"]), (&json!(["C"]), &json!([20.0])), "the mean of both");
    let most = json("/api/v1/metrics/areas?layer=grid&level=city&metric=air.pm25&statistic=max").await;
    assert_eq!(most["values"], json!([30.0]));
    let series = json("/api/v1/metrics/series?layer=grid&code=b&metric=air.pm25").await;
    assert_eq!(series["points"].as_array().map(Vec::len), Some(1), "{series}");
    let sliding = json("/api/v1/metrics/series?layer=grid&code=C&metric=air.pm25&every=60").await;
    let minute = json("/api/v1/metrics/series?layer=grid&code=C&metric=air.pm25").await;
    let begins = minute["points"][0]["start"].as_i64().expect("a minute") - 240_000;
    let window = json!({ "start": begins, "value": 20.0, "count": 2, "closed": true });
    assert_eq!((&sliding["window_s"], &sliding["every_s"], &sliding["error"]), (&json!(300), &json!(60), &json!(0.0)));
    assert_eq!(sliding["points"], json!([window]), "the newest that has come to its end");
    for (path, quantile) in [
        ("/api/v1/metrics/series?layer=grid&code=C&metric=air.pm25&statistic=p50", 10.05),
        ("/api/v1/metrics/series?layer=grid&code=C&metric=air.pm25&statistic=p90", 20.0),
        ("/api/v1/metrics/series?layer=grid&code=C&metric=air.pm25&statistic=p95&window=600&every=10", 30.0),
    ] {
        let series = json(path).await;
        let point = &series["points"][0];
        assert_eq!((&point["value"], &point["count"], &series["error"]), (&json!(quantile), &json!(10), &json!(0.01)));
    }
    let metrics = json("/api/v1/metrics").await;
    let kept = (&metrics["metrics"][0]["quantiles"], &metrics["metrics"][0]["sources"]);
    assert_eq!(kept, (&json!(true), &json!(false)), "{metrics}");
    let refused = client.get("/api/v1/metrics/series?layer=grid&code=C&metric=air.pm25&statistic=sources").await;
    assert_eq!(refused.expect("an answer").0, 400, "nobody asked for it");
    the_alerts_are_those_that_stand_there(client).await;
    let kpi = json("/api/v1/kpi").await;
    let figures = ["entities_known", "rejects_today", "reports_today", "nowhere_5m"].map(|name| kpi[name].as_u64());
    assert_eq!((&kpi["open_alerts"]["major"], figures), (&json!(1), [Some(3), Some(1), Some(2), Some(1)]), "{kpi}");
    let summary = json("/api/v1/reports/summary?layer=grid&level=cell&label=ward").await;
    assert_eq!(
        (&summary["total"], &summary["nowhere"], &summary["label"]["matching"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let of_a = json("/api/v1/reports?layer=grid&area=a").await;
    assert_eq!(of_a["reports"].as_array().map(Vec::len), Some(1), "{of_a}");
}
