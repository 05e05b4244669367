//! `gridwarden explain`: what every rule makes of one observation, and why. Rules and places are those of a city's folder.

use crate::{documents, output::answer, publish};
use anyhow::{Context, Result, anyhow};
use gridwarden_domain::{control::RuleSet, decode::Decoder, time};
use gridwarden_runtime::city::City;
use gridwarden_stream::explain;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// Arguments of `gridwarden explain`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ExplainArgs {
    /// The observation, JSON, in a file; - for standard input
    observation: PathBuf,
    /// City folder: its layers, registry and rules
    #[arg(long)]
    city: PathBuf,
    /// Rule documents instead of the city's
    #[arg(long)]
    rules: Vec<PathBuf>,
    /// Only rules that look at it
    #[arg(long)]
    looking: bool,
    /// One JSON object a rule
    #[arg(long)]
    json: bool,
}

/// Memory for an index of fences that is asked once.
const FENCES_MIB: usize = 64;

/// Explains.
///
/// # Errors
/// A city, a document or an observation that cannot be read.
pub(crate) async fn run(args: ExplainArgs) -> Result<()> {
    tokio::task::spawn_blocking(move || told(&args)).await?
}

fn told(args: &ExplainArgs) -> Result<()> {
    let city = City::load(&args.city)?;
    let zone = time::zone(&city.file.timezone).context("the city's time zone is not known")?;
    let timeline = publish::in_force(&city)?;
    let rules = match args.rules.as_slice() {
        [] => Arc::clone(timeline.rules_at(i64::MAX)),
        paths => {
            let rules = documents::of_city(paths, &args.city)?;
            Arc::new(RuleSet { revision: 1, rules: rules.into_iter().map(Arc::new).collect() })
        }
    };
    let name = args.observation.display().to_string();
    let mut text = Vec::new();
    if name == "-" {
        std::io::stdin().read_to_end(&mut text)?;
    } else {
        text = std::fs::read(&args.observation).with_context(|| format!("{name} cannot be read"))?;
    }
    let decoder = Decoder::observations();
    let observation = decoder.observation(text.trim_ascii()).map_err(|reason| anyhow!("{name}: {reason}"))?;
    for one in explain(&observation, &rules, (&timeline, &zone), FENCES_MIB) {
        if args.looking && !one.looks {
            continue;
        }
        answer(&if args.json {
            serde_json::to_string(&one)?
        } else {
            format!("{} {:<32} {}", one.sign(), one.rule, one.why)
        });
    }
    Ok(())
}
