//! `gridwarden rules`: the shelf of rules on the command line. The stream's crate decides; this reads arguments and says what came of it.

mod words;

use crate::{
    beside::BesideArgs,
    documents,
    output::{answer, progress},
};
use anyhow::{Result, bail};
use clap::Subcommand;
use gridwarden_bus::KafkaConfig;
use gridwarden_domain::rule::{Changed, Rule, State};
use gridwarden_runtime::city;
use gridwarden_stream::shelf::{self, Refusal, Shelf, Wish, Written, decide, differences, state_name};
use std::path::PathBuf;

/// What to do with rules.
#[derive(Subcommand, Debug)]
pub(crate) enum RulesCommand {
    /// List all rules, each as it is now
    List(ListArgs),
    /// Show a rule's newest document, or a version
    Show(ShowArgs),
    /// Show a rule's history: versions, who wrote them when and why
    History(OneArgs),
    /// Show what differs between two versions
    Diff(DiffArgs),
    /// Say whether documents are rules; nothing is written
    Check(CheckArgs),
    /// Write documents (YAML or JSON), each as the next version of its rule
    Put(PutArgs),
    /// Put a rule in force
    Activate(TurnArgs),
    /// Make a draft of a rule: kept, and in force nowhere
    Draft(TurnArgs),
    /// Take a rule out of force, with its history kept
    Retire(TurnArgs),
    /// Put an earlier version on top again
    Rollback(RollbackArgs),
}

/// Arguments of `rules list`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ListArgs {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    beside: BesideArgs,
}

/// Arguments of `rules show`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ShowArgs {
    /// The rule
    id: String,
    /// The version; the newest when missing
    #[arg(long)]
    version: Option<u32>,
    #[command(flatten)]
    beside: BesideArgs,
}

/// Arguments of `rules history`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct OneArgs {
    /// The rule
    id: String,
    #[command(flatten)]
    beside: BesideArgs,
}

/// Arguments of `rules diff`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DiffArgs {
    /// The rule
    id: String,
    /// The version before
    from: u32,
    /// The version after; the newest when missing
    to: Option<u32>,
    #[command(flatten)]
    beside: BesideArgs,
}

/// Arguments of `rules check`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CheckArgs {
    /// Documents, YAML or JSON
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// City folder whose calendars the documents name; without it calendars are not looked at
    #[arg(long)]
    city: Option<PathBuf>,
}

/// Who writes, and why.
#[derive(clap::Args, Clone, Debug)]
struct Author {
    /// Who writes this
    #[arg(long)]
    by: String,
    /// Why
    #[arg(long)]
    why: Option<String>,
}

impl Author {
    fn changed(&self) -> Changed {
        Changed { by: self.by.clone(), why: self.why.clone() }
    }
}

/// Arguments of `rules put`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PutArgs {
    /// Documents, YAML or JSON
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    beside: BesideArgs,
}

/// Arguments of `rules activate`, `draft` and `retire`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct TurnArgs {
    /// The rule
    id: String,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    beside: BesideArgs,
}

/// Arguments of `rules rollback`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RollbackArgs {
    /// The rule
    id: String,
    /// The version that is put on top again
    #[arg(long)]
    to: u32,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    beside: BesideArgs,
}

impl RulesCommand {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::List(args) => list(&args).await,
            Self::Show(args) => show(&args).await,
            Self::History(args) => history(&args).await,
            Self::Diff(args) => diff(&args).await,
            Self::Check(args) => check(&args),
            Self::Put(args) => put(&args).await,
            Self::Activate(args) => turn(&args, State::Active).await,
            Self::Draft(args) => turn(&args, State::Draft).await,
            Self::Retire(args) => turn(&args, State::Retired).await,
            Self::Rollback(args) => {
                let kafka = args.beside.config()?.kafka;
                write(&kafka, &args.id, Wish::Back(args.to), args.author.changed()).await
            }
        }
    }
}

async fn read(kafka: &KafkaConfig) -> Result<(Shelf, i64)> {
    let kafka = kafka.clone();
    Ok(tokio::task::spawn_blocking(move || shelf::read(&kafka)).await??)
}

async fn list(args: &ListArgs) -> Result<()> {
    let (shelf, _) = read(&args.beside.config()?.kafka).await?;
    for (id, version) in shelf.rules() {
        answer(&if args.json { words::json(id, version).to_string() } else { words::line(id, version) });
    }
    for (offset, reason) in shelf.unread() {
        progress(&format!("rules.v1/0/{offset} is no rule: {reason}"));
    }
    Ok(())
}

async fn show(args: &ShowArgs) -> Result<()> {
    let (shelf, _) = read(&args.beside.config()?.kafka).await?;
    answer(&serde_json::to_string_pretty(one(&shelf, &args.id, args.version)?)?);
    Ok(())
}

/// A version, the newest when no number is given.
fn one<'s>(shelf: &'s Shelf, id: &str, version: Option<u32>) -> Result<&'s Rule> {
    let (newest, _) = shelf.newest(id).ok_or_else(|| Refusal::Unknown(id.to_owned()))?;
    let Some(version) = version else { return Ok(newest) };
    Ok(shelf.find(id, version).ok_or_else(|| Refusal::NoVersion { id: id.to_owned(), version })?)
}

async fn history(args: &OneArgs) -> Result<()> {
    let (shelf, _) = read(&args.beside.config()?.kafka).await?;
    let versions = shelf.versions(&args.id);
    if versions.is_empty() {
        return Err(Refusal::Unknown(args.id.clone()).into());
    }
    versions.iter().for_each(|version| answer(&words::of_version(version)));
    Ok(())
}

async fn diff(args: &DiffArgs) -> Result<()> {
    let (shelf, _) = read(&args.beside.config()?.kafka).await?;
    let (from, to) = (one(&shelf, &args.id, Some(args.from))?, one(&shelf, &args.id, args.to)?);
    let found = differences(&serde_json::to_value(from)?, &serde_json::to_value(to)?);
    found.iter().for_each(|one| answer(&words::difference(one)));
    Ok(())
}

fn check(args: &CheckArgs) -> Result<()> {
    let calendars = args.city.as_deref().map(city::head).transpose()?.map(|city| city.calendars);
    let mut wrong = 0;
    for path in &args.files {
        match documents::read(path, calendars.as_ref()) {
            Ok(rules) => rules.iter().for_each(|rule| {
                answer(&format!("{}: rule {}, {}", path.display(), rule.id, rule.condition.kind()));
            }),
            Err(error) => {
                wrong += 1;
                answer(&format!("error: {error:#}"));
            }
        }
    }
    if wrong > 0 { bail!("{wrong} of {} documents are no rules", args.files.len()) } else { Ok(()) }
}

async fn put(args: &PutArgs) -> Result<()> {
    let config = args.beside.config()?;
    // All of them are read before the first is written.
    for rule in documents::of_city(&args.files, &config.city.folder)? {
        let id = rule.id.clone();
        write(&config.kafka, &id, Wish::Put(Box::new(rule)), args.author.changed()).await?;
    }
    Ok(())
}

async fn turn(args: &TurnArgs, state: State) -> Result<()> {
    write(&args.beside.config()?.kafka, &args.id, Wish::Turn(state), args.author.changed()).await
}

async fn write(kafka: &KafkaConfig, id: &str, wish: Wish, changed: Changed) -> Result<()> {
    let (shelf, end) = read(kafka).await?;
    let rule = match decide(&shelf, id, wish, changed, None) {
        Err(Refusal::Same(_)) => {
            answer(&format!("{id}: says that already, nothing is written"));
            return Ok(());
        }
        decided => decided?,
    };
    match shelf::write(kafka, &rule, end).await? {
        Written::Newest { .. } => {
            answer(&format!(
                "{id}: version {}, {}; for records appended from 2 s on",
                rule.version,
                state_name(rule.state)
            ));
            Ok(())
        }
        Written::Crossed { offset, other } => {
            bail!(
                "{id} was written by two at once: this one stands at offset {offset}, the other's at {other}; look at its history"
            )
        }
    }
}
