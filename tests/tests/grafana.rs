//! The Grafana dashboard: every query in it, with its macros and variables filled in, runs against the real schema and gives
//! what its panel needs.

use crate::support::query;
use gridwarden_tests::packs;
use gridwarden_tests::parts::{Parts, clickhouse};
use serde_json::Value;

fn dashboard() -> Value {
    let file = packs::workspace().join("dashboards/grafana/city.json");
    serde_json::from_str(&std::fs::read_to_string(file).expect("the dashboard")).expect("JSON")
}

/// What Grafana would send: the plugin's time macro and the dashboard's variables as SQL strings.
fn filled(sql: &str) -> String {
    let mut text = sql.to_owned();
    while let Some((before, rest)) = text.split_once("$__timeFilter(") {
        let (column, after) = rest.split_once(')').expect("a closed macro");
        text = format!("{before}({column} >= now() - INTERVAL 6 HOUR AND {column} <= now()){after}");
    }
    for (name, value) in [("layer", "grid"), ("level", "cell"), ("metric", "air.pm25")] {
        text = text.replace(&format!("${{{name}:sqlstring}}"), &format!("'{value}'"));
    }
    assert!(!text.contains('$'), "a macro or variable is not known: {text}");
    assert!(!text.contains("_rows"), "it reads a table instead of its view: {text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboard_runs_on_the_real_schema() {
    let parts = Parts { kafka: gridwarden_bus::KafkaConfig::plain("127.0.0.1:1"), clickhouse: clickhouse("grafana") };
    gridwarden_store::migrate(&parts.clickhouse).await.expect("tables");
    let window = "INSERT INTO area_windows_rows (* EXCEPT written_at) SELECT 'grid', 'cell', 'a', 'air.pm25', 60, toStartOfMinute(now()), 2, 2, 30, \
                  10, 20, 20, now(), true";
    query(&parts, window).await;

    let board = dashboard();
    let panels = board["panels"].as_array().expect("panels");
    assert!(panels.len() >= 5, "{} panels", panels.len());
    for panel in panels {
        let (title, is_series) = (&panel["title"], panel["type"] == "timeseries");
        for target in panel["targets"].as_array().expect("targets") {
            let sql = filled(target["rawSql"].as_str().expect("SQL"));
            let columns = query(&parts, &format!("DESCRIBE ({sql}) FORMAT TSV")).await;
            let first = columns.lines().next().unwrap_or_else(|| panic!("{title} has no columns"));
            assert_eq!(first.starts_with("time\tDateTime"), is_series, "{title}: {columns}");
            assert_eq!(target["queryType"], if is_series { "timeseries" } else { "table" }, "{title}");
            query(&parts, &sql).await;
        }
    }
    for variable in board["templating"]["list"].as_array().expect("variables") {
        let Some(sql) = variable["query"]["rawSql"].as_str() else { continue };
        let found = query(&parts, &filled(sql)).await;
        assert!(!found.trim().is_empty(), "{} finds nothing", variable["name"]);
    }
    let mean = panels.iter().find(|panel| panel["title"] == "Mean per area").expect("the panel of means");
    let answer = query(&parts, &filled(mean["targets"][0]["rawSql"].as_str().expect("SQL"))).await;
    assert!(answer.trim().ends_with("a\t15"), "{answer}");
}
