//! What breaks in the middle of reading the archive: the stream itself, and ClickHouse.

use super::cluster::at_rest;
use super::door::Door;
use super::*;
use gridwarden_embedded::clickhouse::{ClickHouseOptions, ClickHouseProcess};
use gridwarden_tests::parts;
use gridwarden_tests::role::{Ground, Role};

const FROM_ARCHIVE: &str = "gridwarden_stream_records_from_archive_total";

/// Starts a stream of two workers that stands in the middle of the archive.
async fn in_the_middle(ground: &Ground<'_>, door: &Door, every_ms: &str) -> Role {
    let settings = [
        ("GRIDWARDEN_CHECKPOINTS__EVERY_MS", every_ms),
        ("GRIDWARDEN_STREAM__WORKERS", "2"),
        ("GRIDWARDEN_STREAM__WRITE_MS", "100"),
        ("GRIDWARDEN_STREAM__REBUILD_SLICE", "500"),
    ];
    let mut stream = ground.start("stream", &[], &settings);
    door.until_held(2).await;
    stream.until("records_from_archive_total", 100.0).await;
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_the_archive_it_goes_on_from_its_checkpoint_or_anew() {
    const TEST: &str = "rebuilt_killed";
    let mut town = Town::make(TEST).await;
    let (recounted, undisturbed, archived) = town.much_from_the_archive().await;
    let before = open(&town.parts).await;

    let door = Door::narrow(&town.parts).await;
    let before_it = door.before(&town.parts);
    let ground = Ground { test: TEST, parts: &before_it, city: &town.city.folder };
    // Before there is a checkpoint, and behind one.
    in_the_middle(&ground, &door, "3600000").await.kill();
    door.until_held(0).await;
    let mut stream = in_the_middle(&ground, &door, "100").await;
    let taken = at_rest(std::slice::from_mut(&mut stream)).await;
    assert!(taken < archived, "{taken} of {archived}");
    stream.kill();

    door.widen();
    let stream = Stream::with_checkpoints(&before_it, &town.city, 3, 100).await;
    stream.until_conserved(town.sent - taken as u64).await;
    until_equal(&town.parts, &recounted).await;
    until_rows(&town.parts, &undisturbed).await;
    assert_eq!(stream.figure(FROM_ARCHIVE).await, archived - taken, "from the checkpoint on");
    assert_eq!(stream.figure("gridwarden_stream_records_lost_total").await, 0.0);
    until_all_said(&stream).await;
    let decided = stream.figure("gridwarden_stream_alerts_total").await;
    assert_eq!(stream.figure("gridwarden_stream_alerts_known_total").await, decided, "nothing is said again");
    assert!(!before.is_empty() && open(&town.parts).await == before);
    stream.stop().await;
    town.archive.stop().await;
}

async fn engine(options: &ClickHouseOptions) -> ClickHouseProcess {
    let options = options.clone();
    let started = tokio::task::spawn_blocking(move || ClickHouseProcess::start(&options)).await.expect("task");
    started.expect("ClickHouse starts")
}

/// Waits until it says that it waits for the archive.
async fn until_told(stream: &Stream) {
    wait::until_async("the reason", SOON, || async {
        let readiness = stream.get("/readyz").await;
        let told = readiness.contains("\"ok\":false") && readiness.contains("the archive cannot be read");
        if told { Ok(()) } else { Err(readiness) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clickhouse_may_be_away_before_and_while_the_archive_is_read_it_is_told_and_waited_for() {
    const TEST: &str = "rebuilt_without_clickhouse";
    let options = parts::clickhouse_options(TEST);
    let url = format!("http://{}", options.engine.listen);
    let mut clickhouse = engine(&options).await;
    let parts = Parts { kafka: parts::kafka(TEST), clickhouse: parts::config_of(&url, TEST) };
    let mut town = Town::over(TEST, parts).await;
    let (recounted, undisturbed, archived) = town.much_from_the_archive().await;
    let before = open(&town.parts).await;
    town.archive.stop().await;
    clickhouse.kill();
    drop(clickhouse);

    let door = Door::narrow(&town.parts).await;
    let stream = Stream::with(&door.before(&town.parts), &town.city, |config| {
        config.checkpoints.every_ms = 3_600_000;
        config.stream.workers = 2;
        config.stream.rebuild_slice = 500;
    })
    .await;
    until_told(&stream).await;
    let mut clickhouse = engine(&options).await;
    door.until_held(2).await;
    stream.until(FROM_ARCHIVE, 100.0).await;
    let readiness = stream.get("/readyz").await;
    assert!(readiness.contains("\"ok\":true"), "{readiness}");
    // What leaves the logs now is read from the archive: no loss is near, however old what was read last is.
    stream.until("gridwarden_stream_loss_in_seconds", 2.0 * 604_800.0).await;
    clickhouse.kill();
    drop(clickhouse);
    door.shut();
    until_told(&stream).await;
    assert!(stream.figure(FROM_ARCHIVE).await < archived);

    door.widen();
    let clickhouse = engine(&options).await;
    stream.until_conserved(town.sent).await;
    until_equal(&town.parts, &recounted).await;
    until_rows(&town.parts, &undisturbed).await;
    assert_eq!(counts(&stream).await, undisturbed.counts);
    assert_eq!(stream.figure(FROM_ARCHIVE).await, archived, "each once");
    assert_eq!(stream.figure("gridwarden_stream_records_lost_total").await, 0.0);
    until_all_said(&stream).await;
    assert_eq!(stream.figure("gridwarden_stream_alerts_total").await, undisturbed.decided);
    assert_eq!(stream.figure("gridwarden_stream_alerts_known_total").await, undisturbed.decided);
    assert!(!before.is_empty() && open(&town.parts).await == before);
    let readiness = stream.get("/readyz").await;
    assert!(readiness.contains("\"ok\":true"), "{readiness}");
    stream.stop().await;
    drop(clickhouse);
}
