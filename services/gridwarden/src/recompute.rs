//! `gridwarden recompute`: windows counted again from the archive. Arguments in, sentences out; the stream's crate counts.

use crate::beside::BesideArgs;
use crate::moment;
use crate::output::{answer, progress};
use anyhow::Result;
use gridwarden_domain::time;
use gridwarden_stream::{Done, Wanted};
use serde_json::json;
use std::time::Duration;

/// Arguments of `gridwarden recompute`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RecomputeArgs {
    /// First moment: RFC 3339 or epoch ms; whole minutes are counted, with the boundaries of today
    #[arg(long, value_parser = in_range, required_unless_present = "dirty", requires = "to")]
    from: Option<i64>,
    /// The moment after the last
    #[arg(long, value_parser = in_range, requires = "from")]
    to: Option<i64>,
    /// Only this layer
    #[arg(long, requires = "from")]
    layer: Option<String>,
    /// Instead: every minute for which records came too late for windows, with the boundaries it had
    #[arg(long, conflicts_with_all = ["from", "to", "layer"])]
    dirty: bool,
    #[command(flatten)]
    beside: BesideArgs,
    /// How long the archive may take to have everything, in seconds
    #[arg(long, default_value = "60")]
    wait: u64,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

fn in_range(text: &str) -> Result<i64, String> {
    let ms = moment::read(text)?;
    if time::in_range(ms) { Ok(ms) } else { Err("lies outside 1970 to 2105".to_owned()) }
}

/// Counts again, and says what.
///
/// # Errors
/// A span that cannot be counted yet, an archive that lacks records, Kafka or ClickHouse out of reach.
pub(crate) async fn run(args: RecomputeArgs) -> Result<()> {
    let config = args.beside.config()?;
    let wanted = match (args.from, args.to) {
        (Some(from_ms), Some(until_ms)) => Wanted::Span { from_ms, until_ms, layer: args.layer },
        _ => Wanted::Dirty,
    };
    let done = gridwarden_stream::recompute(config, wanted, Duration::from_secs(args.wait)).await?;
    say(&done, args.json);
    Ok(())
}

fn say(done: &Done, as_json: bool) {
    if as_json {
        let spans = done.spans.iter().map(|span| json!({"from_s": span.from_s, "until_s": span.until_s}));
        let object = json!({
            "generation": done.generation, "spans": spans.collect::<Vec<_>>(), "records": done.records,
            "repeats": done.repeats, "rows": done.rows, "emptied": done.emptied,
        });
        answer(&object.to_string());
        return;
    }
    let Some(generation) = done.generation else {
        progress("no record came too late for windows since they were counted last");
        return;
    };
    let minutes: u32 = done.spans.iter().map(|span| (span.until_s - span.from_s) / 60).sum();
    progress(&format!(
        "{minutes} minutes counted again from {} records ({} repeats left out): {} windows, {} of them empty now; generation {generation}",
        done.records, done.repeats, done.rows, done.emptied
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_in_one_of_two_ways() {
        assert_eq!(in_range("1780000000000"), Ok(1_780_000_000_000));
        assert_eq!(in_range("2026-05-28T20:26:40Z"), Ok(1_780_000_000_000));
        assert!(in_range("yesterday").expect_err("refused").contains("RFC 3339"));
        assert!(in_range("-1").is_err());
    }
}
