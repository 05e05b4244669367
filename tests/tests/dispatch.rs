//! What dispatch promises, on a real broker, a real engine and real receivers: nothing missed, nothing twice, in order,
//! nobody waits for anybody.

mod post_office;

use gridwarden_bus::topics::{ALERTS, ensure};
use gridwarden_bus::{Producer, ProducerOptions};
use gridwarden_tests::parts::Parts;
use gridwarden_tests::wait;
use post_office::{Answer, Dispatch, Receiver, alert, id};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

async fn made(test: &str) -> (Parts, Producer) {
    let parts = Parts::named(test);
    ensure(&parts.kafka, &[]).await.expect("topics");
    gridwarden_store::migrate(&parts.clickhouse).await.expect("tables");
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer");
    (parts, producer)
}

async fn raise(producer: &Producer, number: u32, seq: u32) {
    let alert = alert(number, seq);
    let payload = serde_json::to_vec(&alert).expect("json");
    producer.send(ALERTS, Some(alert.id.as_bytes()), Some(&payload), &[]).await.expect("acknowledged");
}

/// Waits until a receiver has had this many requests.
fn until_received(receiver: &Receiver, count: usize) -> Vec<String> {
    wait::until(&format!("{count} deliveries"), SOON, || {
        let seen = receiver.seen();
        (seen.len() >= count).then_some(seen)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_and_a_dead_endpoint_delay_no_other_and_order_is_kept() {
    let (parts, producer) = made("dispatch_isolation").await;
    let good = Receiver::start(|_| Answer::status(204)).await;
    let slow = Receiver::start(|_| Answer::after(Duration::from_secs(60))).await;
    // Fails twice per message before it says yes.
    let flaky = Receiver::start(|earlier| Answer::status(if earlier < 2 { 503 } else { 200 })).await;
    let dead = "http://127.0.0.1:1/".to_owned();
    let endpoints = [("good", good.url()), ("slow", slow.url()), ("flaky", flaky.url()), ("dead", dead)];
    let dispatch = Dispatch::start("isolation", &parts, &endpoints, |_| {}).await;
    for number in 0..20 {
        raise(&producer, number, 1).await;
        raise(&producer, number, 2).await;
        // What a restarted stream writes again is known.
        raise(&producer, number, 1).await;
    }
    let seen = until_received(&good, 40);
    for number in 0..20 {
        let of =
            |seen: &[String]| seen.iter().filter(|each| each.starts_with(&id(number))).cloned().collect::<Vec<_>>();
        assert_eq!(of(&seen), [format!("{}.1", id(number)), format!("{}.2", id(number))]);
        let twice = || {
            wait::until("a flaky endpoint's six attempts", SOON, || {
                let attempts = of(&flaky.seen());
                (attempts.len() == 6).then_some(attempts)
            })
        };
        let attempts = twice();
        assert!(attempts[..3].iter().all(|each| each.ends_with(".1")), "a clear overtook its raise: {attempts:?}");
    }
    assert_eq!(good.seen().len(), 40, "something was delivered twice");
    assert_eq!(good.refused() + flaky.refused(), 0, "a signature did not verify");
    let shown = dispatch.json("/v1/endpoints").await;
    let pending: Vec<_> =
        shown["endpoints"].as_array().expect("list").iter().map(|each| each["pending"].clone()).collect();
    assert!(pending[0] == 0 && pending[1].as_u64() > Some(0) && pending[3].as_u64() > Some(0), "{shown}");
    dispatch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_repeats_nothing_and_goes_on_with_what_was_waiting() {
    let (parts, producer) = made("dispatch_restart").await;
    let good = Receiver::start(|_| Answer::status(200)).await;
    let gone = Receiver::start(|_| Answer::status(410)).await;
    let later = Receiver::start(|earlier| Answer::status(if earlier == 0 { 500 } else { 200 })).await;
    let endpoints = [("good", good.url()), ("gone", gone.url()), ("later", later.url())];
    let dispatch =
        Dispatch::start("restart", &parts, &endpoints, |config| config.webhooks.schedule_s = vec![0, 3]).await;
    raise(&producer, 1, 1).await;
    until_received(&good, 1);
    until_received(&gone, 1);
    until_received(&later, 1);
    dispatch.until_deliveries("each endpoint's line", |all| all.len() == 3).await;
    dispatch.stop().await;

    let dispatch =
        Dispatch::start("restart", &parts, &endpoints, |config| config.webhooks.schedule_s = vec![0, 3]).await;
    raise(&producer, 2, 1).await;
    until_received(&good, 2);
    let mine = |each: &&Value| each["endpoint"] == "later" && each["alert"] == id(1) && each["state"] == "delivered";
    let delivered = |all: &[Value]| all.iter().any(|each| mine(&each));
    let lines = dispatch.until_deliveries("the waiting one is delivered", delivered).await;
    assert_eq!(lines.iter().find(mine).expect("line")["attempts"], 2, "it began anew");
    assert_eq!(later.seen().iter().filter(|each| each.starts_with(&id(1))).count(), 2);
    let shown = dispatch.json("/v1/endpoints").await;
    assert_eq!(shown["endpoints"][1]["state"], "gone", "{shown}");
    assert_eq!((good.seen().len(), gone.seen().len()), (2, 1), "410 was asked again, or something was sent twice");
    let metrics = dispatch.text("/metrics").await;
    assert!(
        metrics.contains(r#"gridwarden_dispatch_skipped_total{endpoint="gone",reason="endpoint_gone"}"#),
        "{metrics}"
    );
    dispatch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_before_an_endpoints_first_day_is_skipped_and_said_so() {
    let (parts, producer) = made("dispatch_history").await;
    raise(&producer, 1, 1).await;
    let good = Receiver::start(|_| Answer::status(200)).await;
    let none = |config: &mut gridwarden_dispatch::Config| config.webhooks.deliver_max_age_s = 0;
    let dispatch = Dispatch::start("history", &parts, &[("good", good.url())], none).await;
    let lines = dispatch.until_deliveries("the skip", |all| all.len() == 1).await;
    assert_eq!((&lines[0]["state"], &lines[0]["detail"]), (&Value::from("skipped"), &Value::from("too_old")));
    assert_eq!(dispatch.json("/v1/alerts?open=true").await["total"], 1);
    assert!(good.seen().is_empty());
    dispatch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_stream_goes_on_where_a_client_was_and_tells_of_gaps() {
    let (parts, producer) = made("dispatch_stream").await;
    let dispatch = Dispatch::start("stream", &parts, &[], |config| config.stream.keep = 2).await;
    let mut first = dispatch.stream(None).await;
    let hello = first.next().await;
    assert_eq!((hello.kind.as_str(), hello.data["open"].as_u64()), ("hello", Some(0)));
    for seq in 1..=2 {
        raise(&producer, 1, seq).await;
        let event = first.next().await;
        assert_eq!((event.kind.as_str(), event.data["seq"].as_u64()), ("alert", Some(u64::from(seq))));
    }
    let mut second = dispatch.stream(Some(&hello.id)).await;
    let kinds = [second.next().await, second.next().await, second.next().await];
    assert_eq!(kinds.each_ref().map(|event| event.kind.as_str()), ["alert", "alert", "hello"]);
    raise(&producer, 2, 1).await;
    assert_eq!(second.next().await.data["id"], id(2));
    let mut third = dispatch.stream(Some(&hello.id)).await;
    assert_eq!(third.next().await.kind, "gap");
    let mut fourth = dispatch.stream(Some("another life-7")).await;
    assert_eq!(fourth.next().await.kind, "gap");
    assert_eq!(dispatch.status_without_token("/v1/alerts/stream").await, 401);
    dispatch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_deliveries_stand_in_clickhouse_once() {
    let (parts, producer) = made("dispatch_tables").await;
    let good = Receiver::start(|_| Answer::status(200)).await;
    let endpoints = [("good", good.url())];
    for round in 1..=2u32 {
        let dispatch = Dispatch::start("tables", &parts, &endpoints, |_| {}).await;
        raise(&producer, 1, round).await;
        let sql = "SELECT concat(toString(count()), ' ', toString(countIf(state = 'delivered'))) FROM deliveries";
        dispatch.until_query("the ledger's rows", sql, &format!("{round} {round}")).await;
        let sql = "SELECT arrayStringConcat(arraySort(groupArray(concat(toString(seq), transition))), ' ') FROM alerts";
        dispatch.until_query("the alert's rows", sql, if round == 1 { "1raised" } else { "1raised 2cleared" }).await;
        dispatch.stop().await;
    }
    assert_eq!(good.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_clickhouse_webhooks_go_out_all_the_same() {
    let (mut parts, producer) = made("dispatch_no_tables").await;
    parts.clickhouse.url = "http://127.0.0.1:1".into();
    let good = Receiver::start(|_| Answer::status(200)).await;
    let dispatch = Dispatch::start("no_tables", &parts, &[("good", good.url())], |_| {}).await;
    raise(&producer, 1, 1).await;
    until_received(&good, 1);
    dispatch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_refused_unless_allowed() {
    let (parts, producer) = made("dispatch_private").await;
    let good = Receiver::start(|_| Answer::status(200)).await;
    let port = good.url().rsplit(':').next().expect("port").to_owned();
    let endpoints = [("literal", format!("https://127.0.0.1:{port}")), ("named", format!("https://localhost:{port}"))];
    let dispatch = Dispatch::start("private", &parts, &endpoints, |_| {}).await;
    raise(&producer, 1, 1).await;
    let lines = dispatch.until_deliveries("both refusals", |all| all.len() >= 2).await;
    for line in lines {
        let detail = line["detail"].as_str().expect("detail");
        assert!(detail.contains("webhooks may not go to this address (loopback)"), "{line}");
    }
    assert_eq!(good.connections(), 0);
    dispatch.stop().await;
}
