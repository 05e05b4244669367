//! The demo, as a visitor meets it: a simulated city whose incidents reach a webhook receiver and the page.

use gridwarden_tests::{packs, up::Up, wait};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const DATABASE: &str = "gridwarden";
const LIMIT: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_city_lives_on_the_page_and_its_alerts_are_delivered() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let up = Up::start(&data, &["--demo", "--cells", "400", "--rate", "300"]);

    let page = reqwest::get(format!("{}/", up.address("console"))).await.expect("the page");
    assert_eq!(page.status(), 200, "the page needs no token");

    let store = up.client("clickhouse");
    for table in ["observations", "entity_latest", "alerts", "reports"] {
        wait::until_async(&format!("rows in {table}"), LIMIT, || async {
            let rows = store.number(DATABASE, &format!("SELECT count() FROM {table}")).await?;
            if rows > 0 { Ok(()) } else { Err("none".to_owned()) }
        })
        .await;
    }
    every_level_has_windows(&store).await;
    a_delivery_was_verified(&data);
    wait::until_async("a delivery in the ledger", LIMIT, || async {
        let query = "SELECT count() FROM deliveries WHERE state = 'delivered'";
        if store.number(DATABASE, query).await? > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
    everything_says_that_it_is_simulated(&store, &data).await;
    every_service_has_metrics(&up).await;
    the_page_works(&up, folder.path());
    assert!(up.stop().success());
}

/// City, districts, streets, communities, cells and duty grids all have figures.
async fn every_level_has_windows(store: &gridwarden_tests::http::Client) {
    let query = "SELECT uniqExact(layer, level) FROM area_metrics WHERE count > 0";
    wait::until_async("windows at every level", LIMIT, || async {
        let levels = store.number(DATABASE, query).await?;
        if levels == 6 { Ok(()) } else { Err(format!("{levels} levels")) }
    })
    .await;
}

/// The folder, every row, every alert; the page is looked at by the browser.
async fn everything_says_that_it_is_simulated(store: &gridwarden_tests::http::Client, data: &Path) {
    let head = std::fs::read_to_string(data.join("city/city.toml")).expect("city.toml");
    assert!(head.contains("simulated = true") && head.contains("Simulated City"), "{head}");
    for query in [
        "SELECT count() FROM observations WHERE attributes['simulated'] != 'true'",
        "SELECT count() FROM reports WHERE attributes['simulated'] != 'true' OR description NOT LIKE '%(simulated)'",
        "SELECT count() FROM alerts WHERE NOT simulated",
    ] {
        assert_eq!(store.number(DATABASE, query).await.expect("a count"), 0, "{query}");
    }
}

/// The receiver runs beside the city and prints what it has verified.
fn a_delivery_was_verified(data: &Path) {
    let log = data.join("log/receive.log");
    wait::until("a verified delivery", LIMIT, || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.contains("alert.raised").then_some(())
    });
}

async fn every_service_has_metrics(up: &Up) {
    let metrics = up.ready["metrics"].as_object().expect("metrics").clone();
    for service in ["gateway", "stream", "archive", "dispatch", "console"] {
        let base = metrics.get(service).and_then(Value::as_str).unwrap_or_else(|| panic!("no metrics of {service}"));
        let client = gridwarden_tests::http::Client::new(base, None);
        let (status, text) = client.get("/metrics").await.expect("metrics");
        assert_eq!(status, 200, "{service}");
        assert!(text.contains("# TYPE"), "{service} has no metrics: {text}");
        for path in ["/healthz", "/readyz"] {
            assert_eq!(client.get(path).await.expect("health").0, 200, "{service}{path}");
        }
    }
}

/// A real browser looks at the page: `tests/browser/console.mjs` says what it checks.
fn the_page_works(up: &Up, folder: &Path) {
    let root = packs::workspace();
    let engine = up.children().into_iter().find(|(name, _)| name == "clickhouse").map(|(_, pid)| pid);
    let engine = engine.expect("the engine runs");
    let output = Command::new(root.join("infra/with-node.sh"))
        .arg("node")
        .arg(root.join("tests/browser/console.mjs"))
        .current_dir(root.join("dashboards/web"))
        .env("CONSOLE_URL", up.address("console"))
        .env("TOKEN", up.address("token"))
        .env("CLICKHOUSE_PID", engine.to_string())
        .env("SHOTS", folder.join("shots"))
        .output()
        .expect("node starts");
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the page fails in the browser:\n{said}");
}
