//! Starting and ending the service.

use crate::{
    alerts::{AlertQueue, Announcer, Reached},
    checkpoint::{self, Asked, Desk, Keeper, Lender, Loans, Order, Place, Scribe},
    company::{Company, Role},
    config::Config,
    ends::Asker,
    http::{self as api, Api},
    metrics::Metrics,
    pipeline::{self, Plan},
    prepare::{self, Prepared},
    rebuild::{self, feeders},
    restored, rollups,
    shared::Shared,
    sink::{RowSink, Sink, Turn, Writer, make_tables, run_name},
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
use std::time::Duration;

/// Somebody waits for an alert: it waits for others hardly at all.
fn of_alerts() -> ProducerOptions {
    ProducerOptions { linger: Duration::from_millis(1), ..ProducerOptions::named("gridwarden-stream") }
}

/// Runs what must not wait behind the runtime's other work: filling a block of rows takes one of its threads for a tenth of a second.
fn alone(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(work)
}

/// Runs the stream until shutdown.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<()> {
    let health = Health::new("stream");
    let registry = telemetry::registry("stream");
    let metrics = Metrics::new(&registry).context("metrics")?;
    Crashes::open(&config.crashes)?.watch();
    let listener = http::bind(config.http.listen).await?;
    let api = Api::new(&config);
    let router = api::router(Arc::clone(&api), http::status_router(health.clone(), registry.clone()));
    let mut tasks = Tasks::new(&shutdown);
    let ending = shutdown.clone();
    tasks.spawn("http", async move { Ok(http::serve(listener, router, ending).await?) });
    let started = match prepare::until_ready(&config, &metrics, &health, &shutdown).await {
        Ok(Some(prepared)) => {
            api.begin(&prepared.control);
            start(&config, prepared, (&registry, &health), (&mut tasks, &shutdown))
        }
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

type Outside<'a> = (&'a Registry, &'a Health);

fn start(config: &Config, prepared: Prepared, outside: Outside<'_>, run: (&mut Tasks, &Shutdown)) -> Result<()> {
    let (registry, health) = outside;
    let (tasks, shutdown) = run;
    let Prepared { shared, metas, control, known, reached, last, objects, restored, fence, pieces, company, .. } =
        prepared;
    let (lanes, look) = (prepared.lanes, prepared.look);
    let Company { seat, clock, ending, role, records, door } = company;
    let workers = seat.workers;
    let asker =
        Asker::new((&config.kafka, i64::from(config.stream.idle_margin_ms)), &shared.world, &metas, (health, shutdown));
    let (pieces, said) = pieces;
    tasks.spawn("cluster", ending.watch());
    if let Some(door) = door {
        tasks.thread("gate", move || door.stay_closed())?;
    }
    let (loans, wishes) = Loans::new(Duration::from_millis(config.checkpoints.every_ms));
    let order = Order::default();
    let (alerts, alerts_out) = AlertQueue::new();
    let announcer = Announcer {
        producer: Producer::new(&config.kafka, &of_alerts())?,
        known,
        reached: reached.clone(),
        generation: shared.world.generation,
        pieces: pieces.clone(),
        metrics: shared.metrics.clone(),
        shutdown: shutdown.clone(),
    };
    let queue = alerts.clone();
    tasks.thread("alerts", move || alone(announcer.run(queue, alerts_out)))?;

    let store = StoreMetrics::new(registry).context("metrics")?;
    let writer = BlockWriter::new(&config.clickhouse, WriterOptions::default(), store.clone());
    let (tell, tables) = tokio::sync::watch::channel(false);
    tasks.spawn("tables", make_tables(config.clickhouse.clone(), tell, shutdown.clone()));
    // What one process writes for all.
    if seat.leads() {
        let rollup = Rollup::new(&config.clickhouse, &shared.world.timezone);
        let every = Duration::from_secs(config.stream.rollup_s);
        tasks.spawn("rollups", rollups::run(rollup, every, (Arc::clone(&shared), tables.clone()), shutdown.clone()));
    }
    let write = |name: String| Writer {
        tables: tables.clone(),
        shared: Arc::clone(&shared),
        writer: writer.clone(),
        shutdown: shutdown.clone(),
        name: run_name(&name),
        leads: seat.leads(),
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
        let (sink, out) = RowSink::new();
        rows.push(sink);
        let name = format!("windows-{}", seat.process * workers + worker);
        tasks.spawn("windows", write(format!("{name}-first")).windows(out.first, Turn::Overtaking));
        tasks.spawn("windows", write(name).windows(out.others, Turn::InOrder));
    }
    let (entities, entities_out) = Sink::new();
    tasks.spawn(
        "entities",
        write(format!("entities{}", if seat.leads() { String::new() } else { format!("-{}", seat.process) }))
            .entities(entities_out),
    );

    let wakers = Wakers::default();
    let waking = wakers.clone();
    control.on_move(move || waking.wake());
    let (feeders, archived) = feeders(lanes, seat);
    for feeder in feeders {
        let ground = rebuild::Ground {
            clickhouse: config.clickhouse.clone(),
            slice_records: config.stream.rebuild_slice,
            look: look.clone(),
            shared: Arc::clone(&shared),
            wakers: wakers.clone(),
            shutdown: shutdown.clone(),
        };
        tasks.spawn("archived", feeder.run(ground));
    }
    let context = SourceContext {
        retentions_ms: metas.iter().map(|meta| meta.retention_ms).collect(),
        shared: Arc::clone(&shared),
        kafka: config.kafka.clone(),
        config: config.stream.clone(),
        control: Arc::clone(&control),
        ends: asker.board.clone(),
        alerts,
        entities,
        restored,
        archived: Arc::new(Mutex::new(archived)),
        order: order.clone(),
        pieces,
        loans: loans.clone(),
        fence,
        seat,
        shutdown: shutdown.clone(),
    };
    let plan = Plan { context, rows, wakers: wakers.clone(), clock, failure: Arc::new(Mutex::new(None)) };
    tasks.thread("timely", move || pipeline::run(&plan, records))?;
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
    let desk = Desk {
        objects,
        process: seat.process,
        workers,
        others: if seat.leads() { 1..seat.processes } else { 0..0 },
        health: health.clone(),
        shutdown: shutdown.clone(),
    };
    let laid = loans.laid;
    let metrics = shared.metrics.clone();
    match role {
        Role::Leads(links) => {
            let keeper = Keeper {
                desk,
                last,
                every: Duration::from_millis(config.checkpoints.every_ms),
                order,
                wakers,
                asked: asked(&shared, &control, reached),
                laid,
                topics: shared.world.topics.iter().map(|topic| (topic.name.clone(), topic.id.to_string())).collect(),
                metrics,
                tell: Box::new(move |ordered| links.order(ordered)),
            };
            tasks.spawn("checkpoints", keeper.run(said));
        }
        Role::Follows(lead, orders) => {
            let (reached, tell) = (Box::new(move || reached.told()), Box::new(move |part| lead.part(part)));
            let scribe = Scribe { desk, order, wakers, laid, reached, tell, metrics };
            tasks.spawn("checkpoints", scribe.run(orders, said));
        }
    }
    tasks.spawn("control", watch_control(control, shared.metrics.clone(), health.clone(), shutdown.clone()));
    health.set_ready(true, "");
    tracing::info!(
        workers,
        process = seat.process,
        processes = seat.processes,
        partitions = shared.world.parts.len(),
        "reading"
    );
    Ok(())
}

/// What a checkpoint asks for.
fn asked(shared: &Arc<Shared>, control: &Arc<ControlReader>, reached: Reached) -> Asked {
    let (shared, control, heard) = (Arc::clone(shared), Arc::clone(control), reached.clone());
    let place = |(topic, next): (&'static str, i64)| Place { topic: topic.to_owned(), partition: 0, next };
    Asked {
        alerts: Box::new(move || reached.places()),
        control: Box::new(move || control.positions().map(place).collect()),
        heard: Box::new(move |process, places, settled| heard.heard(process, places, settled)),
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
