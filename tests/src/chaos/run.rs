//! One run: the load begins, faults happen, the load ends, everything comes to rest, the oracle says what it found.

use super::service::{COMES_BACK, Recipe, Service};
use super::town::Town;
use super::{Counts, Dice, Fault, Ground, Report, oracle, schedule};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a stopped process may take to see that it is over, once it goes on.
const ZOMBIE_ENDS: Duration = Duration::from_secs(30);
/// What the stream logs of a record that comes behind its watermark.
const CLOCKS_APART: &str = "clocks are too far apart";
/// The metric the city keeps sketches of: few values, so that the oracle can count each.
const SKETCHED: &str = "noise.u";

/// A run as it is wanted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names topics, database and folder: letters, digits and `_`.
    pub name: String,
    /// `gridwarden`.
    pub program: PathBuf,
    /// Decides what happens when.
    pub seed: u64,
    /// Records a second.
    pub rate: u64,
    /// Of 10,000 readings so many are extreme, either way: how many alerts there are.
    pub extreme_of_10000: u64,
    /// Random faults.
    pub counts: Counts,
    /// Faults in a given order, before the random ones.
    pub first: Vec<Fault>,
    /// Longest pause between two faults.
    pub pause: Duration,
    /// How long after the other it is between two cuts, about.
    pub cut_every: Duration,
    /// How often a layer or a rule changes.
    pub change_every: Duration,
    /// How often a checkpoint is taken, in ms.
    pub checkpoint_ms: u64,
    /// Age of a full block of the archive, in ms.
    pub block_ms: u64,
    /// How long the oracle waits for things to come right, in seconds.
    pub patience_s: u64,
    /// A bug to be awake in the services.
    pub bug: Option<String>,
    /// A bug in the schema: statements before the services make their tables, and once they have.
    pub schema: (Option<String>, Vec<String>),
}

impl Plan {
    /// Quiet, to be filled in.
    pub fn named(name: &str, program: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_path_buf(),
            seed: 1,
            rate: 2_000,
            extreme_of_10000: 100,
            counts: Counts::default(),
            first: Vec::new(),
            pause: Duration::from_millis(1_500),
            cut_every: Duration::from_secs(5),
            change_every: Duration::from_secs(7),
            checkpoint_ms: 200,
            block_ms: 500,
            patience_s: 60,
            bug: None,
            schema: (None, Vec::new()),
        }
    }
}

/// A run under way.
struct Run<'g> {
    ground: &'g mut Ground,
    dice: Dice,
    pause: u64,
    stream: Service,
    archive: Service,
    recipes: (Recipe, Recipe),
    report: Report,
}

/// Makes it.
pub fn run(ground: &mut Ground, plan: &Plan) -> Result<Report> {
    let folder = crate::parts::folder(&plan.name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let prefix = format!("{}.", plan.name);
    let town = runtime.block_on(Town::found(&ground.kafka(&prefix))).context("the town")?;
    let orders = orders(ground, plan, &prefix, &folder)?;
    let recipes = (recipe(ground, plan, "stream", &folder)?, recipe(ground, plan, "archive", &folder)?);
    if let Some(sql) = &plan.schema.0 {
        ground.tell("default", &format!("CREATE DATABASE {}", plan.name))?;
        ground.tell(&plan.name, sql)?;
    }
    ground.door.cut(&plan.counts, plan.cut_every, plan.seed);
    let (stream, archive) = (Service::start(&recipes.0)?, Service::start(&recipes.1)?);
    let load = oracle::Load::start(&orders)?;
    let over = Arc::new(AtomicBool::new(false));
    let changing = runtime.spawn(town.change(plan.change_every, Arc::clone(&over)));
    let pause = plan.pause.as_millis() as u64;
    let (dice, report) = (Dice::new(plan.seed), Report::default());
    let mut run = Run { ground, dice, pause, stream, archive, recipes, report };
    run.all(plan)?;
    over.store(true, Ordering::Relaxed);
    runtime.block_on(changing)?.context("changes of the town")?;
    let sent = load.stop()?;
    eprintln!("{}: {sent} records sent, waiting for rest", plan.name);
    run.come_to_rest()?;
    run.report.found = oracle::check(&orders)?;
    run.end()?;
    run.report.clocks_apart = clocks_apart(&run.recipes.0.log)?;
    Ok(run.report)
}

fn orders(ground: &Ground, plan: &Plan, prefix: &str, folder: &Path) -> Result<PathBuf> {
    let ledger = folder.join("ledger");
    let orders = json!({
        "bootstrap": ground.kafka("").bootstrap, "prefix": prefix, "clickhouse": ground.engine(),
        "database": plan.name, "ledger": ledger, "seed": plan.seed, "rate": plan.rate, "sources": 600,
        "extreme_of_10000": plan.extreme_of_10000, "sketched": SKETCHED, "patience_s": plan.patience_s,
    });
    oracle::write(folder, &orders)
}

fn recipe(ground: &Ground, plan: &Plan, role: &'static str, folder: &Path) -> Result<Recipe> {
    let city = folder.join("city");
    std::fs::create_dir_all(&city)?;
    let text = format!(
        "name = {{ en = \"Chaos\" }}\ntimezone = \"UTC\"\n\
         [[sketches]]\nmetric = \"{SKETCHED}\"\nquantiles = true\ndistinct = \"source\"\n"
    );
    std::fs::write(city.join("city.toml"), text)?;
    let own = match role {
        "stream" => format!(
            "[checkpoints]\nfolder = {:?}\nevery_ms = {}\n[stream]\nworkers = 2\nfirst_ms = 200\nwrite_ms = 200\n",
            folder.join("checkpoints"),
            plan.checkpoint_ms
        ),
        _ => format!("[archive]\nblock_ms = {}\n", plan.block_ms),
    };
    let text = format!(
        "[kafka]\nbootstrap = {:?}\ntopic_prefix = \"{}.\"\n[clickhouse]\nurl = {:?}\ndatabase = {:?}\n[city]\nfolder = {city:?}\n[crashes]\nfolder = {:?}\n{own}",
        ground.kafka("").bootstrap,
        plan.name,
        ground.door.url(),
        plan.name,
        folder.join("crashes"),
    );
    let config = folder.join(format!("{role}.toml"));
    std::fs::write(&config, text)?;
    let log = folder.join(format!("{role}.log"));
    Ok(Recipe { program: plan.program.clone(), role, config, log, bug: plan.bug.clone() })
}

/// How often the stream said so.
fn clocks_apart(log: &Path) -> Result<u32> {
    let text = std::fs::read_to_string(log).context("the stream's log")?;
    Ok(u32::try_from(text.matches(CLOCKS_APART).count())?)
}

impl Run<'_> {
    fn all(&mut self, plan: &Plan) -> Result<()> {
        self.stream.until_live()?;
        self.archive.until_live()?;
        for sql in &plan.schema.1 {
            self.ground.tell(&plan.name, sql)?;
        }
        let faults: Vec<Fault> =
            plan.first.iter().copied().chain(schedule::random(&plan.counts, &mut self.dice)).collect();
        let all = faults.len();
        for (number, fault) in faults.into_iter().enumerate() {
            std::thread::sleep(self.dice.below(self.pause));
            eprintln!("{}: {}/{all} {fault:?}", plan.name, number + 1);
            self.make(fault).with_context(|| format!("fault {} {fault:?}", number + 1))?;
            self.stream.still_runs()?;
            self.archive.still_runs()?;
        }
        self.finish_cuts()
    }

    /// Cuts go on beside everything else; those that are left are waited for.
    fn finish_cuts(&mut self) -> Result<()> {
        let (mut last, mut since) = (u32::MAX, Instant::now());
        loop {
            let ((before, after), left) = self.ground.door.made();
            (self.report.kills.cut_before, self.report.kills.cut_after) = (before, after);
            if left == 0 {
                return Ok(());
            }
            if left < last {
                (last, since) = (left, Instant::now());
            }
            if since.elapsed() > COMES_BACK {
                bail!("{left} cuts were left, and nobody inserts");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn make(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Stream => self.kill_stream()?,
            Fault::StreamTwice => {
                self.kill_stream()?;
                std::thread::sleep(self.dice.below(900));
                self.kill_stream()?;
            }
            Fault::Archive => {
                self.archive.kill();
                self.report.kills.archive += 1;
                self.archive = Service::start(&self.recipes.1)?;
                return self.live("archive");
            }
            Fault::ClickHouse => return self.clickhouse_away(Duration::ZERO),
            Fault::ClickHouseAway(seconds) => return self.clickhouse_away(Duration::from_secs(seconds)),
            Fault::ClickHouseAndStream => {
                self.ground.kill_clickhouse();
                self.report.kills.clickhouse += 1;
                std::thread::sleep(self.dice.below(3_000));
                self.kill_stream()?;
                self.ground.start_clickhouse()?;
            }
            Fault::Kafka => return self.kafka_away(),
            Fault::KafkaAndStream => {
                self.ground.kill_kafka();
                self.report.kills.kafka += 1;
                std::thread::sleep(self.dice.below(1_500));
                self.stream.kill();
                self.report.kills.stream += 1;
                self.ground.start_kafka()?;
                self.stream = Service::start(&self.recipes.0)?;
            }
            Fault::ZombieStream => return self.zombie_stream(),
            Fault::ZombieArchive => return self.zombie_archive(),
            Fault::TermStream => {
                self.report.bad_ends += u32::from(!self.stream.term()?);
                self.report.kills.sigterm += 1;
                self.stream = Service::start(&self.recipes.0)?;
            }
            Fault::TermArchive => {
                self.report.bad_ends += u32::from(!self.archive.term()?);
                self.report.kills.sigterm += 1;
                self.archive = Service::start(&self.recipes.1)?;
                return self.live("archive");
            }
            Fault::Quiet(ms) => {
                std::thread::sleep(Duration::from_millis(ms));
                return Ok(());
            }
        }
        self.live("stream")
    }

    fn kill_stream(&mut self) -> Result<()> {
        self.stream.kill();
        self.report.kills.stream += 1;
        self.stream = Service::start(&self.recipes.0)?;
        Ok(())
    }

    /// Waits until the service that was restarted reads again.
    fn live(&mut self, what: &'static str) -> Result<()> {
        let service = if what == "archive" { &mut self.archive } else { &mut self.stream };
        let took = service.until_live()?;
        self.note(what, took);
        Ok(())
    }

    fn note(&mut self, what: &'static str, took: Duration) {
        self.report.live_again.entry(what).or_default().push(took.as_secs_f64());
    }

    /// Live again is when the archive's rows are taken again.
    fn clickhouse_away(&mut self, how_long: Duration) -> Result<()> {
        self.ground.kill_clickhouse();
        self.report.kills.clickhouse += 1;
        std::thread::sleep(how_long);
        let taken = self.archive.figure("accepted_total").unwrap_or(0.0);
        let begun = Instant::now();
        self.ground.start_clickhouse()?;
        self.archive.until("accepted_total", taken)?;
        self.note("clickhouse", begun.elapsed());
        Ok(())
    }

    /// Live again is when the stream reads what comes after.
    fn kafka_away(&mut self) -> Result<()> {
        self.ground.kill_kafka();
        self.report.kills.kafka += 1;
        let begun = Instant::now();
        // What the clients had fetched is read without the broker.
        std::thread::sleep(Duration::from_millis(500));
        let read = self.stream.read();
        self.ground.start_kafka()?;
        self.stream.until("records_read_total", read)?;
        self.note("kafka", begun.elapsed());
        Ok(())
    }

    /// Another process goes on with the work of one that stands still; that one must see it when it goes on.
    fn zombie_stream(&mut self) -> Result<()> {
        self.stream.signal(libc::SIGSTOP)?;
        self.report.kills.zombie += 1;
        std::thread::sleep(self.dice.below(500));
        let mut zombie = std::mem::replace(&mut self.stream, Service::start(&self.recipes.0)?);
        if self.dice.roll(2) == 0 {
            std::thread::sleep(self.dice.below(1_500));
        } else {
            self.stream.until_live()?;
        }
        zombie.signal(libc::SIGCONT)?;
        self.live("stream")?;
        if !zombie.ends_by_itself(ZOMBIE_ENDS)? {
            self.report.zombies_left += 1;
            zombie.kill();
        }
        Ok(())
    }

    /// Nothing ends an archive that goes on beside another: what both insert is seen once.
    fn zombie_archive(&mut self) -> Result<()> {
        self.archive.signal(libc::SIGSTOP)?;
        self.report.kills.zombie += 1;
        let mut zombie = std::mem::replace(&mut self.archive, Service::start(&self.recipes.1)?);
        self.live("archive")?;
        zombie.signal(libc::SIGCONT)?;
        std::thread::sleep(Duration::from_millis(500) + self.dice.below(1_500));
        zombie.kill();
        Ok(())
    }

    /// Until all that was sent is read and put away.
    fn come_to_rest(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let of_stream = self.stream.figure("behind_records");
            let of_archive = self.archive.figure("lag_records").zip(self.archive.figure("in_flight_records"));
            if of_stream == Some(0.0) && of_archive == Some((0.0, 0.0)) {
                return Ok(());
            }
            self.stream.still_runs()?;
            self.archive.still_runs()?;
            if begun.elapsed() > COMES_BACK {
                bail!("no rest: the stream is behind by {of_stream:?}, the archive by {of_archive:?}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn end(&mut self) -> Result<()> {
        self.report.bad_ends += u32::from(!self.stream.term()?) + u32::from(!self.archive.term()?);
        Ok(())
    }
}
