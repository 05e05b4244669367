//! `gridwarden rejects`: what could not be taken, why, and sending it again.
//!
//! It reads what `archive` wrote to ClickHouse and sends to Kafka; it decides nothing about what counts: that does whoever reads
//! the topic (`RPL-1`), so that it may be killed at any moment and run again.

mod choose;
mod reach;
mod replay;
mod show;
mod words;

use crate::output;
use crate::role;
use anyhow::Result;
use choose::Which;
use clap::Subcommand;
use reach::Reach;
use replay::ReplayArgs;
use show::ShowArgs;

/// What to do with rejects.
#[derive(Subcommand, Debug)]
pub(crate) enum RejectsCommand {
    /// List what could not be taken, the newest first
    List(ListArgs),
    /// Show one: why, when, what became of it, and the message itself
    Show(ShowArgs),
    /// Send them again to the topic they came from; each counts once, however often it is sent
    Replay(ReplayArgs),
}

impl RejectsCommand {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::List(args) => args.run().await,
            Self::Show(args) => args.run().await,
            Self::Replay(args) => {
                role::until_signal("rejects", |shutdown| async move { args.run(&shutdown).await }).await
            }
        }
    }
}

/// Arguments of `rejects list`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    which: Which,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

impl ListArgs {
    async fn run(self) -> Result<()> {
        let found = self.reach.open()?.reader.rejected(&self.which.filter(), self.which.limit).await?;
        for rejected in &found {
            output::answer(&if self.json { words::json(rejected).to_string() } else { words::line(rejected) });
        }
        if found.len() as u64 == self.which.limit {
            output::progress(&format!("rejects: the newest {} are listed; --limit lists more", found.len()));
        }
        Ok(())
    }
}
