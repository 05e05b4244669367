//! A stream whose checkpoints lie in a bucket, as a process of its own: killed, it goes on from there.

use super::*;
use gridwarden_runtime::clock::now_ms;
use gridwarden_tests::role::Ground;

pub(crate) async fn bucket_keeps_a_stream(test: &str, place: &str, environment: &[(String, String)]) {
    let parts = Parts::named(test);
    let (producer, city) = made(test, &parts, &[]).await;
    let mut settings = vec![("GRIDWARDEN_CHECKPOINTS__FOLDER", place), ("GRIDWARDEN_CHECKPOINTS__EVERY_MS", "200")];
    settings.extend(environment.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let ground = Ground { test, parts: &parts, city: &city.folder };
    let mut first = ground.start("stream", &[], &settings);
    for number in 0..20u32 {
        observe(&producer, &format!("s{number}"), now_ms(), 0.5, 1.0).await;
    }
    first.until("records_accepted_total", 20.0).await;
    first.until_checkpoint().await;
    first.kill();
    let mut second = ground.start("stream", &[], &settings);
    second.until("checkpoints_total", 1.0).await;
    assert_eq!(second.figure("records_read_total").await, Some(0.0), "nothing is read again");
    until_count(
        &parts,
        "SELECT sum(count) FROM area_metrics WHERE metric = 'air' AND window_s = 60 AND code = 'C'",
        20,
    )
    .await;
}
