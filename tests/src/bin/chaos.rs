//! `make chaos` and `make chaos-selftest`: see `gridwarden_tests::chaos`. The last line on stdout is one JSON object; the exit code is
//! not 0 when anything is not as it should be.
#![allow(clippy::print_stdout, reason = "the answer")]

use anyhow::{Context, Result, bail};
use gridwarden_tests::chaos::{Counts, Ground, Plan, run, selftest};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

const USAGE: &str = "chaos [--self-test] [--program PATH] [--seed N] [--rate N] [--pause-ms N] [--cut-every-ms N] [--only BUG] \
    [--stream N] [--archive N] [--clickhouse N] [--kafka N] [--zombie N] [--cut-before N] [--cut-after N] [--sigterm N]";

struct Wanted {
    plan: Plan,
    self_test: bool,
    only: Option<String>,
}

fn wanted() -> Result<Wanted> {
    let program = gridwarden_tests::binary::folder().join("gridwarden");
    let mut plan = Plan::named("chaos", &program);
    plan.rate = 20_000;
    plan.extreme_of_10000 = 20;
    plan.pause = Duration::from_secs(12);
    plan.cut_every = Duration::from_secs(3);
    plan.change_every = Duration::from_secs(20);
    plan.patience_s = 30;
    plan.counts = Counts {
        stream: 50,
        archive: 20,
        clickhouse: 20,
        kafka: 10,
        zombie: 20,
        cut_before: 200,
        cut_after: 200,
        sigterm: 50,
    };
    let mut wanted = Wanted { plan, self_test: false, only: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--self-test" {
            wanted.self_test = true;
            continue;
        }
        let value = arguments.next().context(USAGE)?;
        let number = || value.parse::<u64>().with_context(|| format!("{name} {value}"));
        let counts = &mut wanted.plan.counts;
        let count = match name.as_str() {
            "--stream" => &mut counts.stream,
            "--archive" => &mut counts.archive,
            "--clickhouse" => &mut counts.clickhouse,
            "--kafka" => &mut counts.kafka,
            "--zombie" => &mut counts.zombie,
            "--cut-before" => &mut counts.cut_before,
            "--cut-after" => &mut counts.cut_after,
            "--sigterm" => &mut counts.sigterm,
            other => {
                match other {
                    "--program" => wanted.plan.program = PathBuf::from(&value),
                    "--seed" => wanted.plan.seed = number()?,
                    "--rate" => wanted.plan.rate = number()?,
                    "--pause-ms" => wanted.plan.pause = Duration::from_millis(number()?),
                    "--cut-every-ms" => wanted.plan.cut_every = Duration::from_millis(number()?),
                    "--only" => wanted.only = Some(value),
                    _ => bail!("{USAGE}"),
                }
                continue;
            }
        };
        *count = u32::try_from(number()?)?;
    }
    Ok(wanted)
}

fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|commit| !commit.is_empty())
}

/// What every figure of the house carries.
fn common(plan: &Plan) -> Value {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let config = json!({ "rate": plan.rate, "seed": plan.seed, "partitions": 12, "checkpoint_ms": plan.checkpoint_ms,
        "pause_ms": plan.pause.as_millis() as u64, "program": plan.program });
    json!({ "machine": { "cores": std::thread::available_parallelism().map_or(0, |cores| cores.get()),
        "memory_mib": kib.map(|kib| kib / 1024) }, "version": env!("CARGO_PKG_VERSION"), "commit": commit(), "config": config })
}

fn main() -> Result<ExitCode> {
    let Wanted { plan, self_test, only } = wanted()?;
    let mut ground = Ground::start("chaos")?;
    let (mut answer, good) = if self_test {
        let outcome = selftest::run(&mut ground, &plan.program, only.as_deref())?;
        (outcome.json(), outcome.missed.is_empty())
    } else {
        let report = run(&mut ground, &plan)?;
        let all_made = report.kills == plan.counts;
        (report.json(), report.not_zero().is_empty() && report.in_time() && all_made)
    };
    if let (Some(answer), Value::Object(common)) = (answer.as_object_mut(), common(&plan)) {
        answer.extend(common);
    }
    println!("{answer}");
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
