//! Three processes: with two that follow, what one of them does reaches the other by way of the one that leads.

use super::*;
use crate::stream::oracle::publish_beats;

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_write_what_one_does_end_together_and_go_on_as_three_or_two() {
    const TEST: &str = "stream_three";
    let parts = Parts::named(TEST);
    // More areas, so that each of the three owns some.
    publish_beats(&topics(&parts).await).await;
    let (producer, city) = made(TEST, &parts, &RULES).await;
    let ground = Ground { test: TEST, parts: &parts, city: &city };
    let mut load = Load { producer: &producer, begin: now_ms(), rounds: 0, beats: true };
    load.round().await;

    let mut three = ground.all::<3>().await;
    load.round().await;
    load.arrives(&parts).await;
    until_said(&parts, &load).await;
    each_has_its_share(&mut three).await;
    one_is_killed(&mut three).await;

    // As three: one that follows stands still, and goes on beside those who came after it.
    let mut three = ground.all::<3>().await;
    three[0].until_checkpoint().await;
    one_stands_still(&mut three, 2).await;
    let [_, _, mut stale] = three;
    let before = load.records() as f64;
    let mut others = ground.all::<3>().await;
    load.round().await;
    stale.signal(libc::SIGCONT);
    assert_eq!(stale.ended(AT_ONCE).await, Some(BROKEN), "{}", stale.words());
    load.arrives(&parts).await;
    until_said(&parts, &load).await;
    let again = read(&others).await;
    assert!(again < before, "it goes on from the checkpoint: {again} of {before}");
    one_is_told_to_end(&mut others, 1).await;

    // As two.
    let before = load.records() as f64;
    let two = ground.all::<2>().await;
    load.round().await;
    load.arrives(&parts).await;
    until_said(&parts, &load).await;
    let again = read(&two).await;
    assert!(again < before, "it goes on from the checkpoint: {again} of {before}");
    all_are_told_to_end(two).await;
    one_writes_the_same(&parts, &city, &load).await;
}
