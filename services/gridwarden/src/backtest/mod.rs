//! `gridwarden backtest`: rules tried on the past. Arguments in, a table or JSON out; the stream's crate decides.

mod incidents;
mod words;

use crate::beside::BesideArgs;
use crate::documents;
use crate::moment;
use crate::output::{answer, progress};
use anyhow::Result;
use gridwarden_runtime::clock::now_ms;
use gridwarden_stream::{Against, Asked, Candidates, Source};
use std::path::PathBuf;

/// Arguments of `gridwarden backtest`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct BacktestArgs {
    /// A rule document, a list of them, or a folder of documents (YAML or JSON); may be given several times
    #[arg(long, required = true)]
    rules: Vec<PathBuf>,
    /// The documents are the whole set, but for retired ones; without it they are put into the set in force, in place of those with
    /// their ids
    #[arg(long)]
    whole: bool,
    /// What is compared with
    #[arg(long, value_enum, default_value = "active")]
    against: AgainstArg,
    /// Where the records come from
    #[arg(long, value_enum, default_value = "archive")]
    source: SourceArg,
    /// First append time whose alerts count: RFC 3339 or epoch ms; the begin of the archive, or of the topics, when missing
    #[arg(long, value_parser = moment::read)]
    from: Option<i64>,
    /// The moment after the last; now when missing
    #[arg(long, value_parser = moment::read)]
    to: Option<i64>,
    /// What truly happened, one JSON object a line: {"id","from","to"} with "source", "area" {"layer","code"} or "position" and "radius_m"
    #[arg(long)]
    incidents: Option<PathBuf>,
    /// So many seconds before are read as well, for what entities did before
    #[arg(long, default_value_t = 3_600)]
    warm_up: u32,
    #[command(flatten)]
    beside: BesideArgs,
    /// Differences shown in the table
    #[arg(long, default_value_t = 20)]
    show: usize,
    /// One JSON object on stdout, with every difference
    #[arg(long)]
    json: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum AgainstArg {
    /// The rules in force now
    Active,
    /// No rule at all
    Nothing,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum SourceArg {
    /// The archive in ClickHouse
    Archive,
    /// What Kafka's topics still hold
    Topic,
}

/// Tries rules, and says what they would have said.
///
/// # Errors
/// A document that cannot be read, Kafka or ClickHouse out of reach.
pub(crate) async fn run(args: BacktestArgs) -> Result<()> {
    let config = args.beside.config()?;
    let rules = documents::of_city(&args.rules, &config.city.folder)?;
    let incidents = args.incidents.as_deref().map(incidents::read).transpose()?.unwrap_or_default();
    let against = match args.against {
        AgainstArg::Active => Against::Active,
        AgainstArg::Nothing => Against::Nothing,
    };
    let asked = Asked {
        candidates: Candidates { rules, whole: args.whole },
        against,
        source: match args.source {
            SourceArg::Archive => Source::Archive,
            SourceArg::Topic => Source::Topic,
        },
        from_ms: args.from.unwrap_or(0),
        to_ms: args.to.unwrap_or_else(now_ms),
        incidents,
        warm_up_ms: i64::from(args.warm_up) * 1000,
    };
    let outcome =
        gridwarden_stream::backtest(config, asked, |records| progress(&format!("{records} records read"))).await?;
    words::unseen(&outcome.unseen).iter().for_each(|line| progress(line));
    if args.json {
        answer(&serde_json::to_string(&outcome)?);
    } else {
        words::lines(&outcome, args.show).iter().for_each(|line| answer(line));
    }
    progress(&format!("{} records in {:.1} s", outcome.records, outcome.read_s));
    Ok(())
}
