//! What dispatch promises, on a real broker, a real engine and real receivers: nothing missed, nothing twice, in order,
//! nobody waits for anybody.

mod post_office;
mod process;
mod receiver;

use crate::support::query;
use gridwarden_bus::topics::{ALERTS, ensure};
use gridwarden_bus::{Message, Producer, ProducerOptions, headers, topic_meta};
use gridwarden_domain::alert::Alert;
use gridwarden_embedded::clickhouse::ClickHouseProcess;
use gridwarden_embedded::kafka::KafkaProcess;
use gridwarden_tests::parts::{self, Parts};
use gridwarden_tests::{metrics, wait};
use post_office::{Dispatch, alert, id};
use process::Process;
use receiver::{Answer, Receiver};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
/// How RFC 9110 writes dates.
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

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

/// The same, of a process of some generation.
async fn raise_of(producer: &Producer, generation: u32, number: u32) {
    let alert = Alert { generation, ..alert(number, 1) };
    let payload = serde_json::to_vec(&alert).expect("json");
    producer.send(ALERTS, Some(alert.id.as_bytes()), Some(&payload), &[]).await.expect("acknowledged");
}

/// A process of a generation begins to write.
async fn fence(parts: &Parts, producer: &Producer, generation: u32) {
    let digits = generation.to_string();
    for partition in 0..topic_meta(&parts.kafka, ALERTS).expect("topic").partitions {
        let headers: &[(&str, &[u8])] = &[(headers::FENCE, digits.as_bytes())];
        let message = Message { topic: ALERTS, key: None, payload: None, headers, partition: Some(partition) };
        producer.submit(&message).await.expect("queued").await.expect("acknowledged");
    }
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
    // Who fails three times has to wait for longer than the test takes.
    let change = |config: &mut gridwarden_dispatch::Config| config.webhooks.schedule_s = vec![0, 1, 1, 600];
    let dispatch = Dispatch::start("isolation", &parts, &endpoints, change).await;
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
    let text = dispatch.text("/metrics").await;
    assert_eq!(metrics::faults(&text), Vec::<String>::new(), "{text}");
    assert!(text.contains(r#"gridwarden_dispatch_deliveries_total{endpoint="good",state="delivered"} 40"#), "{text}");
    dispatch.stop().await;
}

/// `GEN-1`
#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_that_is_over_writes_behind_a_fence_is_not_heard() {
    let (parts, producer) = made("dispatch_fence").await;
    let good = Receiver::start(|_| Answer::status(204)).await;
    let dispatch = Dispatch::start("fence", &parts, &[("good", good.url())], |_| {}).await;
    fence(&parts, &producer, 1).await;
    raise_of(&producer, 1, 1).await;
    fence(&parts, &producer, 2).await;
    raise_of(&producer, 1, 2).await;
    // The same alert, found again by the process that went on; and one more.
    raise_of(&producer, 2, 2).await;
    raise_of(&producer, 1, 3).await;
    raise_of(&producer, 2, 4).await;
    let mut seen = until_received(&good, 3);
    seen.sort();
    assert_eq!(seen, [1, 2, 4].map(|number| format!("{}.1", id(number))));
    let sql = "SELECT concat(toString(count()), ' ', toString(max(generation))) FROM alerts";
    dispatch.until_query("the rows", sql, "3 2").await;
    assert_eq!(good.seen().len(), 3, "nothing more came");
    dispatch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_9_nothing_is_missing_and_only_what_was_under_way_comes_again() {
    const ALERTS: usize = 120;
    const UNDER_WAY: usize = 8;
    let (parts, producer) = made("dispatch_kill").await;
    // Answers a quarter of all, and then nobody until after the kill.
    let (asked, open) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let opened = Arc::clone(&open);
    let good = Receiver::start(move |_| {
        let answers = asked.fetch_add(1, Ordering::Relaxed) < ALERTS / 4 || opened.load(Ordering::Relaxed);
        if answers { Answer::status(200) } else { Answer::after(Duration::from_secs(600)) }
    })
    .await;
    let gone = Receiver::start(|_| Answer::status(410)).await;
    let later = Receiver::start(|earlier| Answer::status(if earlier == 0 { 500 } else { 200 })).await;
    let endpoints = [("good", good.url()), ("gone", gone.url()), ("later", later.url())];
    let process = Process::start("kill", &parts, &endpoints).await;
    for number in 0..ALERTS {
        raise(&producer, u32::try_from(number).expect("few"), 1).await;
    }
    // Once it knows that the endpoint is gone, and every answer of that endpoint is in, nothing more goes there.
    process.until_metrics(|| r#"gridwarden_dispatch_endpoint_gone{endpoint="gone"} 1"#.to_owned()).await;
    let answers =
        || format!(r#"gridwarden_dispatch_attempts_total{{endpoint="gone",result="gone"}} {}"#, gone.seen().len());
    process.until_metrics(answers).await;
    until_received(&good, ALERTS / 4);
    until_received(&later, 1);
    process.kill();
    let (had, refusals) = (good.seen().len(), gone.seen().len());
    assert!(had <= ALERTS / 4 + UNDER_WAY, "{had} were sent, more than {UNDER_WAY} at once");
    assert!(refusals <= UNDER_WAY, "an endpoint that said 410 was asked {refusals} times");

    open.store(true, Ordering::Relaxed);
    let process = Process::start("kill", &parts, &endpoints).await;
    for receiver in [&good, &later] {
        wait::until("every alert at every endpoint that lives", SOON, || {
            let all: BTreeSet<String> = receiver.seen().into_iter().collect();
            (all.len() == ALERTS).then_some(())
        });
    }
    // Each was refused once and taken once; what was under way at the kill may have come once more.
    let twice = wait::until("the second attempts", SOON, || {
        let seen = later.seen();
        let all: BTreeSet<&String> = seen.iter().collect();
        let taken = all.iter().all(|id| seen.iter().filter(|each| each == id).count() >= 2);
        taken.then_some(seen.len())
    });
    assert!(twice <= ALERTS * 2 + UNDER_WAY, "{twice} attempts");
    let repeated = good.seen().len() - ALERTS;
    assert!(repeated <= UNDER_WAY, "{repeated} were delivered twice");
    process.stop();
    assert_eq!(good.seen().len(), ALERTS + repeated, "something came after all had come");
    assert_eq!(gone.seen().len(), refusals, "410 was forgotten");
    assert_eq!(good.refused() + gone.refused() + later.refused(), 0, "a signature did not verify");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_has_no_room_for_is_said_and_counted() {
    let (parts, producer) = made("dispatch_full").await;
    let slow = Receiver::start(|_| Answer::after(Duration::from_secs(60))).await;
    let small = |config: &mut gridwarden_dispatch::Config| {
        (config.webhooks.queue, config.webhooks.concurrency) = (1, 1);
    };
    let dispatch = Dispatch::start("full", &parts, &[("slow", slow.url())], small).await;
    for seq in 1..=5 {
        raise(&producer, 1, seq).await;
    }
    // One is under way, one waits.
    let lines = dispatch.until_deliveries("three skips", |all| all.len() >= 3).await;
    let told: BTreeSet<_> = lines.iter().map(|each| (each["seq"].as_u64(), each["detail"].as_str())).collect();
    assert_eq!(told, [3, 4, 5].map(|seq| (Some(seq), Some("queue_full"))).into());
    let counted = r#"gridwarden_dispatch_skipped_total{endpoint="slow",reason="queue_full"} 3"#;
    assert!(dispatch.text("/metrics").await.contains(counted));
    dispatch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_time_gets_it_in_seconds_and_as_a_date() {
    let (parts, producer) = made("dispatch_retry_after").await;
    let seconds = Receiver::start(|earlier| match earlier {
        0 => Answer::busy("3".into()),
        _ => Answer::status(200),
    })
    .await;
    let date = Receiver::start(|earlier| match earlier {
        // A date has whole seconds: this one lies 3 to 4 s ahead.
        0 => {
            Answer::busy((jiff::Timestamp::now() + jiff::SignedDuration::from_secs(4)).strftime(HTTP_DATE).to_string())
        }
        _ => Answer::status(200),
    })
    .await;
    let endpoints = [("seconds", seconds.url()), ("date", date.url())];
    let dispatch = Dispatch::start("retry_after", &parts, &endpoints, |_| {}).await;
    raise(&producer, 1, 1).await;
    for receiver in [&seconds, &date] {
        until_received(receiver, 2);
        let times = receiver.times();
        let waited = times[1] - times[0];
        // The schedule alone would have asked after one second.
        assert!(waited > Duration::from_millis(2_900), "{waited:?}");
    }
    dispatch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_away_it_says_so_and_goes_on_once_it_is_back() {
    let options = parts::kafka_options("dispatch_kafka_away");
    let broker = KafkaProcess::start(options.clone()).expect("Kafka starts");
    let kafka = gridwarden_bus::KafkaConfig::plain(&broker.bootstrap());
    ensure(&kafka, &[]).await.expect("topics");
    let parts = Parts { kafka, clickhouse: parts::config_of("http://127.0.0.1:1", "none") };
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer");
    let good = Receiver::start(|_| Answer::status(200)).await;
    let dispatch = Dispatch::start("kafka_away", &parts, &[("good", good.url())], |_| {}).await;
    raise(&producer, 1, 1).await;
    until_received(&good, 1);
    dispatch.until_deliveries("its line", |all| all.len() == 1).await;
    // Dropping is SIGKILL.
    drop(broker);
    assert!(dispatch.until_ready(false).await.contains("kafka"));
    let broker = KafkaProcess::start(options).expect("Kafka starts again");
    raise(&producer, 2, 1).await;
    until_received(&good, 2);
    dispatch.until_ready(true).await;
    assert_eq!(good.seen(), [format!("{}.1", id(1)), format!("{}.1", id(2))]);
    dispatch.stop().await;
    tokio::task::spawn_blocking(|| broker.stop()).await.expect("thread").expect("stops");
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
    let change = |config: &mut gridwarden_dispatch::Config| (config.stream.keep, config.stream.heartbeat_s) = (2, 1);
    let dispatch = Dispatch::start("stream", &parts, &[], change).await;
    let mut first = dispatch.stream(None).await;
    let hello = first.next().await;
    assert_eq!((hello.kind.as_str(), hello.data["open"].as_u64()), ("hello", Some(0)));
    assert!(first.block().await.starts_with(':'), "no heartbeat");
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
async fn without_clickhouse_webhooks_go_out_all_the_same_and_the_tables_catch_up() {
    let options = parts::clickhouse_options("dispatch_no_tables");
    let (kafka, url) = (parts::kafka("dispatch_no_tables"), format!("http://{}", options.engine.listen));
    ensure(&kafka, &[]).await.expect("topics");
    let parts = Parts { kafka, clickhouse: parts::config_of(&url, "dispatch_no_tables") };
    let producer = Producer::new(&parts.kafka, &ProducerOptions::named("test")).expect("producer");
    let good = Receiver::start(|_| Answer::status(200)).await;
    let dispatch = Dispatch::start("no_tables", &parts, &[("good", good.url())], |_| {}).await;
    raise(&producer, 1, 1).await;
    until_received(&good, 1);
    dispatch.until_deliveries("its line", |all| all.len() == 1).await;
    let engine = tokio::task::spawn_blocking(move || ClickHouseProcess::start(&options));
    let engine = engine.await.expect("thread").expect("ClickHouse starts");
    gridwarden_store::migrate(&parts.clickhouse).await.expect("tables");
    let sql = "SELECT concat((SELECT toString(count()) FROM alerts), ' ', \
        (SELECT toString(countIf(state = 'delivered')) FROM deliveries))";
    dispatch.until_query("both tables have caught up", sql, "1 1").await;
    dispatch.stop().await;
    tokio::task::spawn_blocking(|| engine.stop()).await.expect("thread").expect("stops");
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

/// Waits until so much of a minute of the wall clock is left, so that what follows lies in one.
async fn within_a_minute(left: Duration) {
    wait::until_async("a minute with time left", Duration::from_secs(60), || async {
        let left_ms = 60_000 - gridwarden_runtime::clock::now_ms().rem_euclid(60_000);
        if left_ms >= left.as_millis() as i64 { Ok(()) } else { Err(left_ms.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_told_once_and_what_it_holds_back_is_counted() {
    const ALL: u32 = 12;
    let (parts, producer) = made("dispatch_storm").await;
    let good = Receiver::start(|_| Answer::status(200)).await;
    let endpoints = [("good", good.url())];
    let dispatch = Dispatch::start("storm", &parts, &endpoints, |_| {}).await;
    within_a_minute(Duration::from_secs(10)).await;
    for seq in 1..=2 {
        for number in 0..ALL {
            let alert = Alert { storm_per_minute: Some(4), ..alert(number, seq) };
            let payload = serde_json::to_vec(&alert).expect("json");
            producer.send(ALERTS, Some(alert.id.as_bytes()), Some(&payload), &[]).await.expect("acknowledged");
        }
        // The ends come once it is known who was told of what.
        let known = if seq == 1 { ALL as usize + 1 } else { ALL as usize * 2 + 1 };
        dispatch.until_deliveries("a line for each", |all| all.len() >= known).await;
    }
    let lines = dispatch.until_deliveries("every line", |all| all.len() == ALL as usize * 2 + 1).await;
    let with = |state: &str, detail: &str| {
        lines
            .iter()
            .filter(|line| line["state"] == state && line["detail"].as_str().unwrap_or_default() == detail)
            .count()
    };
    // Four raises, their ends, and the storm itself; the others are written down with their reason.
    assert_eq!((with("delivered", ""), with("skipped", "storm"), with("skipped", "untold")), (9, 8, 8));
    assert_eq!(good.seen().len(), 9);
    let metrics = dispatch.text("/metrics").await;
    assert_eq!(metrics::sum(&metrics, "gridwarden_dispatch_storms"), 1.0);
    let open = dispatch.json("/v1/alerts").await;
    let storm: Vec<&Value> =
        open["alerts"].as_array().expect("a list").iter().filter(|alert| alert["kind"] == "storm").collect();
    assert_eq!(storm.len(), 1, "{open}");
    assert_eq!(
        (&storm[0]["subject"]["place"], &storm[0]["level"], &storm[0]["value"]),
        (&"r".into(), &4.0.into(), &5.0.into())
    );
    // It stands in its table too, once, with what it held back.
    let sql = "SELECT concat(rule, ' ', toString(per_minute), ' ', toString(held_back), ' ', toString(isNull(until))) FROM storms";
    dispatch.until_query("the storm in its table", sql, "r 4 8 1").await;
    let ids = query(&parts, "SELECT id, since FROM storms").await;
    dispatch.stop().await;

    // A restart reads history again: nobody is told anything twice, and the table's row is the same.
    let dispatch = Dispatch::start("storm", &parts, &endpoints, |_| {}).await;
    raise(&producer, 99, 1).await;
    until_received(&good, 10);
    assert_eq!(good.seen().len(), 10);
    wait::until_async("the storm written again", SOON, || async {
        let written =
            metrics::sum(&dispatch.text("/metrics").await, "gridwarden_dispatch_table_rows_total{table=\"storms\"}");
        if written >= 1.0 { Ok(()) } else { Err(written.to_string()) }
    })
    .await;
    assert_eq!(query(&parts, "SELECT id, since FROM storms").await, ids);
    let held = query(&parts, "SELECT held_back FROM storms").await;
    assert_eq!(held.trim(), "8");
    dispatch.stop().await;
}
