//! Starting and ending the service.

use crate::{
    alerts::{AlertQueue, Announcer, Reached},
    checkpoint::{self, Asked, Keeper, Lender, Loans, Order, Place},
    config::Config,
    ends::Asker,
    intern::{MetricNames, Views, Whereabouts},
    metrics::Metrics,
    pipeline::{self, Plan},
    prepare::{self, Prepared},
    restored, rollups,
    rules::{Books, Limits},
    shared::{Lore, Progress, Shared},
    sink::{Sink, Writer, make_tables, run_name},
    source::SourceContext,
    wake::Wakers,
    watchdog,
};
use anyhow::{Context, Result};
use gridwarden_bus::{Producer, ProducerOptions, control::ControlReader};
use gridwarden_runtime::{
    clock::now_ms,
    conservation::{Conservation, process_name},
    crashes::Crashes,
    health::Health,
    http,
    shutdown::{Shutdown, Tasks},
    telemetry,
};
use gridwarden_store::{BlockWriter, CountsWriter, Rollup, StoreMetrics, WriterOptions, rows::StreamCounts};
use prometheus::Registry;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Runs the stream until shutdown.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<()> {
    let health = Health::new("stream");
    let registry = telemetry::registry("stream");
    let metrics = Metrics::new(&registry).context("metrics")?;
    Crashes::open(&config.crashes)?.watch();
    let listener = http::bind(config.http.listen).await?;
    let router = http::status_router(health.clone(), registry.clone());
    let mut tasks = Tasks::new(&shutdown);
    let ending = shutdown.clone();
    tasks.spawn("http", async move { Ok(http::serve(listener, router, ending).await?) });
    let started = match prepare::until_ready(&config, &health, &shutdown).await {
        Ok(Some(prepared)) => start(&config, prepared, (&registry, metrics, &health), (&mut tasks, &shutdown)),
        // The end began before everything was there.
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = started {
        shutdown.trigger("the stream cannot start");
        tasks.finish().await.ok();
        return Err(error);
    }
    tasks.finish().await
}

type Outside<'a> = (&'a Registry, Metrics, &'a Health);

fn start(config: &Config, prepared: Prepared, outside: Outside<'_>, run: (&mut Tasks, &Shutdown)) -> Result<()> {
    let (registry, metrics, health) = outside;
    let (tasks, shutdown) = run;
    let workers = config.stream.worker_count();
    let Prepared { world, metas, control, known, reached, last, objects, names, restored, fence, .. } = prepared;
    let asker = Asker::new(&config.kafka, &world, &metas, (health, shutdown));
    let lore = Lore {
        names: Arc::new(MetricNames::restored(&names.kinds)),
        views: Views::restored(&names.areas),
        books: Books::restored(Limits { shapes_mib: config.stream.fences_mib }, &names.rules),
        whereabouts: Whereabouts::default(),
    };
    let progress = std::iter::repeat_with(Progress::in_the_past).take(workers).collect();
    let shared = Arc::new(Shared { world, lore, metrics, progress });

    let (pieces, said) = Keeper::channel();
    let (loans, wishes) = Loans::new(Duration::from_millis(config.checkpoints.every_ms));
    let order = Order::default();
    let (alerts, alerts_out) = AlertQueue::new();
    let announcer = Announcer {
        producer: Producer::new(&config.kafka, &ProducerOptions::named("gridwarden-stream"))?,
        known,
        reached: reached.clone(),
        generation: shared.world.generation,
        pieces: pieces.clone(),
        metrics: shared.metrics.clone(),
        shutdown: shutdown.clone(),
    };
    tasks.spawn("alerts", announcer.run(alerts.clone(), alerts_out));

    let store = StoreMetrics::new(registry).context("metrics")?;
    let writer = BlockWriter::new(&config.clickhouse, WriterOptions::default(), store.clone());
    let (tell, tables) = tokio::sync::watch::channel(false);
    tasks.spawn("tables", make_tables(config.clickhouse.clone(), tell, shutdown.clone()));
    let rollup = Rollup::new(&config.clickhouse, &shared.world.timezone);
    let every = Duration::from_secs(config.stream.rollup_s);
    tasks.spawn("rollups", rollups::run(rollup, every, (Arc::clone(&shared), tables.clone()), shutdown.clone()));
    let write = |name: String| Writer {
        tables: tables.clone(),
        shared: Arc::clone(&shared),
        writer: writer.clone(),
        shutdown: shutdown.clone(),
        name: run_name(&name),
    };
    let told = CountsWriter::<StreamCounts>::new(&config.clickhouse, store, &process_name());
    let (counted, ending, there) = (shared.metrics.clone(), shutdown.clone(), tables.clone());
    let conservation = Conservation::new("stream", registry, health).context("metrics")?;
    tasks.spawn("conservation", async move {
        let counts = || counted.counts();
        while let Some(seen) = conservation.next(&counts, &ending).await {
            if *there.borrow() {
                told.write(now_ms(), seen.row()).await;
            }
        }
        Ok(())
    });
    let mut rows = Vec::new();
    for worker in 0..workers {
        let (sink, out) = Sink::new();
        rows.push(sink);
        tasks.spawn("windows", write(format!("windows-{worker}")).windows(out));
    }
    let (entities, entities_out) = Sink::new();
    tasks.spawn("entities", write("entities".to_owned()).entities(entities_out));

    let wakers = Wakers::default();
    let waking = wakers.clone();
    control.on_move(move || waking.wake());
    let context = SourceContext {
        shared: Arc::clone(&shared),
        kafka: config.kafka.clone(),
        config: config.stream.clone(),
        control: Arc::clone(&control),
        ends: asker.board.clone(),
        alerts,
        entities,
        restored,
        order: order.clone(),
        pieces,
        loans: loans.clone(),
        fence,
        shutdown: shutdown.clone(),
    };
    let plan =
        Plan { context, rows, wakers: wakers.clone(), begun: Instant::now(), failure: Arc::new(Mutex::new(None)) };
    tasks.thread("timely", move || pipeline::run(&plan, workers))?;
    tasks.thread("ends", move || asker.run())?;
    let (watched, limit, ending) =
        (Arc::clone(&shared), Duration::from_secs(config.stream.watchdog_s), shutdown.clone());
    tasks.thread("watchdog", move || {
        watchdog::run(&watched, limit, &ending);
        Ok(())
    })?;
    let ending = shutdown.clone();
    let waking = wakers.clone();
    tasks.spawn("wake", async move {
        ending.wait().await;
        waking.wake();
        Ok(())
    });
    let lender = Lender {
        objects: objects.clone(),
        laid: loans.laid.clone(),
        wakers: wakers.clone(),
        shutdown: shutdown.clone(),
    };
    tasks.spawn("loans", lender.run(wishes));
    let keeper = Keeper {
        objects,
        last,
        every: Duration::from_millis(config.checkpoints.every_ms),
        workers,
        order,
        wakers,
        asked: asked(&shared, &control, reached),
        laid: loans.laid,
        topics: shared.world.topics.iter().map(|topic| (topic.name.clone(), topic.id.to_string())).collect(),
        metrics: shared.metrics.clone(),
        health: health.clone(),
        shutdown: shutdown.clone(),
    };
    tasks.spawn("checkpoints", keeper.run(said));
    tasks.spawn("control", watch_control(control, shared.metrics.clone(), health.clone(), shutdown.clone()));
    health.set_ready(true, "");
    tracing::info!(workers, partitions = shared.world.parts.len(), "reading");
    Ok(())
}

/// What a checkpoint asks for.
fn asked(shared: &Arc<Shared>, control: &Arc<ControlReader>, reached: Reached) -> Asked {
    let (shared, control) = (Arc::clone(shared), Arc::clone(control));
    let place = |(topic, next): (&'static str, i64)| Place { topic: topic.to_owned(), partition: 0, next };
    Asked {
        alerts: Box::new(move || reached.places()),
        control: Box::new(move || control.positions().map(place).collect()),
        names: Box::new(move || checkpoint::write("names", &restored::names(&shared))),
    }
}

/// How old the knowledge of the control topics may be before it is a reason not to be ready.
const STALE_MS: i64 = 10_000;

/// Without the control topics nothing may be read: that is shown, and the end when it is for good.
async fn watch_control(
    control: Arc<ControlReader>,
    metrics: Metrics,
    health: Health,
    shutdown: Shutdown,
) -> Result<()> {
    while shutdown.sleep(Duration::from_secs(1)).await {
        if let Some(error) = control.failure() {
            return Err(error).context("the control topics cannot be read");
        }
        let age_ms = now_ms().saturating_sub(control.covered_until_ms());
        metrics.control_lag.set(age_ms);
        metrics.control_skipped.set(i64::try_from(control.skipped()).unwrap_or(i64::MAX));
        let why =
            format!("the control topics are known up to {} s ago; records appended since wait for them", age_ms / 1000);
        health.set_part("control", age_ms < STALE_MS, &why);
    }
    Ok(())
}
