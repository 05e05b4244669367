//! Real input, the whole way: the Los Angeles pack is replayed through Kafka, placed, archived and counted; every figure that
//! comes out equals the one counted from the files by code of this test alone.

use gridwarden_tests::{binary, packs, up::Up, wait};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

mod clusters;

const DATABASE: &str = "gridwarden";
const LIMIT: Duration = Duration::from_secs(120);

/// An area as drawn: its label and all its rings, read even–odd.
struct Drawn {
    label: String,
    rings: Vec<Vec<[f64; 2]>>,
}

fn drawn(file: &Path, label: &str) -> Vec<Drawn> {
    let text = std::fs::read_to_string(file).expect("layer");
    let parsed: Value = serde_json::from_str(&text).expect("GeoJSON");
    let areas = parsed["features"].as_array().expect("features").iter().map(|feature| {
        let polygons = feature["geometry"]["coordinates"].as_array().expect("a MultiPolygon");
        let rings = polygons.iter().flat_map(|polygon| polygon.as_array().expect("rings")).map(|ring| {
            let points = ring.as_array().expect("points").iter();
            points.map(|p| [p[0].as_f64().expect("lon"), p[1].as_f64().expect("lat")]).collect()
        });
        Drawn { label: feature["properties"][label].as_str().expect("label").to_owned(), rings: rings.collect() }
    });
    areas.collect()
}

/// Even–odd over all rings: how often a ray to the east crosses an edge.
fn contains(area: &Drawn, [x, y]: [f64; 2]) -> bool {
    let mut inside = false;
    for ring in &area.rings {
        for edge in ring.windows(2) {
            let ([ax, ay], [bx, by]) = (edge[0], edge[1]);
            if (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax {
                inside = !inside;
            }
        }
    }
    inside
}

/// Requests against a label the city gave them: the area it names holds them, only others do, none does.
#[derive(Default, Debug, PartialEq)]
struct Against {
    matching: usize,
    elsewhere: usize,
    nowhere: usize,
}

impl Against {
    fn count(&mut self, holding: &[String], label: &str) {
        match (holding.is_empty(), holding.iter().any(|area| area.as_str() == label)) {
            (true, _) => self.nowhere += 1,
            (false, true) => self.matching += 1,
            (false, false) => self.elsewhere += 1,
        }
    }

    fn numbers(&self) -> (usize, usize, usize) {
        (self.matching, self.elsewhere, self.nowhere)
    }
}

/// What the files say, counted here.
#[derive(Default, Debug, PartialEq)]
struct Truth {
    rows: usize,
    without_position: usize,
    without_district: usize,
    councils: Against,
    districts: Against,
    per_council: BTreeMap<String, i64>,
    per_district: BTreeMap<String, i64>,
    per_region: BTreeMap<String, i64>,
}

fn truth(pack: &Path) -> Truth {
    let councils = drawn(&pack.join("neighbourhood-councils.geojson"), "nc_id");
    let districts = drawn(&pack.join("council-districts.geojson"), "name");
    let regions: BTreeMap<String, String> = regions(pack);
    let mut truth = Truth::default();
    let mut rows = csv::Reader::from_path(pack.join("requests.csv")).expect("requests");
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let row = row.expect("row");
        truth.rows += 1;
        truth.without_district += usize::from(row["cd"].is_empty());
        let (Ok(lat), Ok(lon)) = (row["latitude"].parse::<f64>(), row["longitude"].parse::<f64>()) else {
            truth.without_position += 1;
            continue;
        };
        let inside = |areas: &[Drawn]| -> Vec<String> {
            areas.iter().filter(|area| contains(area, [lon, lat])).map(|area| area.label.clone()).collect()
        };
        let (in_councils, in_districts) = (inside(&councils), inside(&districts));
        truth.councils.count(&in_councils, &row["nc"]);
        truth.districts.count(&in_districts, &row["cd"]);
        let in_regions: BTreeSet<&String> = in_councils.iter().map(|council| &regions[council]).collect();
        for region in in_regions {
            *truth.per_region.entry(region.clone()).or_default() += 1;
        }
        for council in in_councils {
            *truth.per_council.entry(council).or_default() += 1;
        }
        for district in in_districts {
            *truth.per_district.entry(district).or_default() += 1;
        }
    }
    truth
}

fn regions(pack: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(pack.join("neighbourhood-councils.geojson")).expect("layer");
    let parsed: Value = serde_json::from_str(&text).expect("GeoJSON");
    let of = |feature: &Value, name: &str| feature["properties"][name].as_str().expect("property").to_owned();
    parsed["features"].as_array().expect("features").iter().map(|f| (of(f, "nc_id"), of(f, "service_re"))).collect()
}

#[test]
fn the_pack_has_the_ground_truth_it_states() {
    let Some(pack) = packs::pack("la") else { return };
    let truth = truth(&pack);
    assert_eq!((truth.rows, truth.without_position, truth.without_district), (10_000, 11, 11));
    assert_eq!(truth.councils.numbers(), (9_817, 33, 139));
    assert_eq!(truth.districts.numbers(), (9_953, 22, 14));
    assert_eq!((truth.per_region.len(), truth.per_district.len()), (12, 15));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_gives_the_ground_truth() {
    let Some(pack) = packs::pack("la") else { return };
    let truth = truth(&pack);
    let folder = tempfile::tempdir().expect("a folder");
    let city = packs::city(
        "la",
        &[
            (&pack.join("neighbourhood-councils.geojson"), "layers/neighbourhood-councils.geojson"),
            (&pack.join("council-districts.geojson"), "layers/council-districts.geojson"),
        ],
        folder.path(),
    );
    check_warns(&city);

    let up = Up::start(&folder.path().join("data"), &["--no-simulate", "--city", city.to_str().expect("path")]);
    replay(&up, &city, &pack.join("requests.csv"));

    let store = up.client("clickhouse");
    wait::until_async("all reports in the archive", LIMIT, || async {
        let there = store.number(DATABASE, "SELECT count() FROM reports").await?;
        if there == truth.rows as i64 { Ok(()) } else { Err(format!("{there} reports")) }
    })
    .await;
    archive_holds(&store, &truth).await;
    windows_hold(&store, &truth).await;
    clusters::clusters_hold(&store, &city, &pack.join("requests.csv")).await;
    console_says(&up.client("console"), &truth).await;
    published_again_changes_nothing(&up, &city);
    assert!(up.stop().success());
}

/// Two polygons are invalid as drawn: said, and read even–odd all the same.
fn check_warns(city: &Path) {
    let output = binary::run(&["city", "check", city.to_str().expect("path")]);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), binary::stderr(&output));
    assert!(output.status.success(), "{said}");
    let warned = said.lines().filter(|line| line.contains("neighbourhood-councils.geojson")).count();
    assert!(warned >= 2, "two invalid polygons should be warned of:\n{said}");
}

fn replay(up: &Up, city: &Path, file: &Path) {
    let kafka = up.address("kafka");
    let output = binary::gridwarden()
        .arg("replay")
        .arg(file)
        .arg("--city")
        .arg(city)
        .args(["--mapping", "requests", "--feed", "la311", "--speed", "max", "--kafka", &kafka])
        .output()
        .expect("replay starts");
    let said = binary::stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("requests.csv: 10000 rows read, 0 of them cannot be played"), "{said}");
    assert!(said.contains("10000 of 10000 rows sent to reports.v1, 0 could not be read"), "{said}");
}

/// The layers stand in Kafka as they stand in the folder, so there is nothing to send.
fn published_again_changes_nothing(up: &Up, city: &Path) {
    let kafka = up.address("kafka");
    let output = binary::run(&["city", "publish", city.to_str().expect("path"), "--kafka", &kafka]);
    assert!(output.status.success(), "{}", binary::stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.trim(), "published 0 layers, 0 rules, 0 entities; 0 ended");
}

/// The areas of each layer against the label of its own.
async fn archive_holds(store: &gridwarden_tests::http::Client, truth: &Truth) {
    let labels = [("councils", "nc", truth.councils.numbers()), ("districts", "cd", truth.districts.numbers())];
    for (layer, label, counted) in labels {
        let areas = format!("arrayFilter((code, layer) -> layer = '{layer}', area_codes, area_layers)");
        let query = format!(
            "SELECT countIf(lat IS NULL) AS without, countIf(has({areas}, attributes['{label}'])) AS matching, \
             countIf(notEmpty({areas}) AND NOT has({areas}, attributes['{label}'])) AS elsewhere, \
             countIf(lat IS NOT NULL AND empty({areas})) AS nowhere FROM reports"
        );
        let rows = store.sql(DATABASE, &query).await.expect("archive");
        let of = |name: &str| rows[0][name].as_u64().unwrap_or_else(|| panic!("{name} in {rows:?}")) as usize;
        let held = (of("matching"), of("elsewhere"), of("nowhere"));
        assert_eq!((held, of("without")), (counted, truth.without_position), "{layer} against {label}");
    }
    let unlabelled = "SELECT countIf(attributes['cd'] = '') FROM reports";
    let unlabelled = store.number(DATABASE, unlabelled).await.expect("archive");
    assert_eq!(unlabelled, truth.without_district as i64);
    let rejected = store.number(DATABASE, "SELECT count() FROM rejects").await.expect("rejects");
    assert_eq!(rejected, 0);
}

/// The windows of the stream, summed per area, are the counts of the files at every level of every layer.
async fn windows_hold(store: &gridwarden_tests::http::Client, truth: &Truth) {
    let expected = [("councils", "council", &truth.per_council), ("councils", "region", &truth.per_region)];
    for (layer, level, counts) in expected.into_iter().chain([("districts", "district", &truth.per_district)]) {
        for window in [10, 60] {
            let query = format!(
                "SELECT code, toInt64(sum(count)) AS n FROM area_metrics \
                 WHERE layer = '{layer}' AND level = '{level}' AND metric = 'reports' AND window_s = {window} GROUP BY code"
            );
            wait::until_async("the windows of all reports", LIMIT, || async {
                let rows = store.sql(DATABASE, &query).await?;
                let held = rows.iter().map(|row| {
                    (row["code"].as_str().unwrap_or_default().to_owned(), row["n"].as_i64().unwrap_or_default())
                });
                let held: BTreeMap<String, i64> = held.collect();
                if &held == counts { Ok(()) } else { Err(format!("{layer}/{level} {window} s: {held:?}")) }
            })
            .await;
        }
    }
}

async fn console_says(console: &gridwarden_tests::http::Client, truth: &Truth) {
    for (layer, level, counts) in [
        ("councils", "council", &truth.per_council),
        ("councils", "region", &truth.per_region),
        ("districts", "district", &truth.per_district),
    ] {
        let path = format!(
            "/api/v1/reports/summary?layer={layer}&level={level}&from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z"
        );
        let summary = console.json(&path).await.expect("summary");
        let areas = summary["areas"].as_array().unwrap_or_else(|| panic!("no areas in {summary}"));
        let held = areas.iter().map(|area| {
            (area["code"].as_str().unwrap_or_default().to_owned(), area["count"].as_i64().unwrap_or_default())
        });
        let held: BTreeMap<String, i64> = held.filter(|(_, count)| *count > 0).collect();
        assert_eq!(&held, counts, "{layer}/{level}");
        assert_eq!(summary["total"].as_u64(), Some(truth.rows as u64), "{summary}");
        assert_eq!(summary["without_position"].as_u64(), Some(truth.without_position as u64), "{summary}");
    }
    for (layer, level, attribute, counted) in
        [("councils", "council", "nc", &truth.councils), ("districts", "district", "cd", &truth.districts)]
    {
        let path = format!(
            "/api/v1/reports/summary?layer={layer}&level={level}&from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z"
        );
        let labelled = console.json(&format!("{path}&label={attribute}")).await.expect("summary");
        let label =
            |name: &str| labelled["label"][name].as_u64().unwrap_or_else(|| panic!("no {name} in {labelled}")) as usize;
        let against = (label("matching"), label("elsewhere"), label("nowhere"));
        assert_eq!(against, counted.numbers(), "{layer} against the city's own labels");
        let summary = console.json(&path).await.expect("summary");
        let nowhere = (truth.without_position + counted.nowhere) as u64;
        assert_eq!(summary["nowhere"].as_u64(), Some(nowhere), "{summary}");
    }
}
