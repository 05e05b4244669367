//! `gridwarden city check` and `gridwarden city publish`.

use crate::city_check::{self, Outcome};
use crate::output::answer;
use crate::publish;
use anyhow::{Result, bail};
use gridwarden_bus::KafkaConfig;
use gridwarden_runtime::city::City;
use std::path::PathBuf;

/// What to do with a city folder.
#[derive(clap::Subcommand, Clone, Debug)]
pub(crate) enum CityCommand {
    /// Read the folder as everybody else does; tell what is in it, what is odd, what is wrong
    Check {
        /// Folder with city.toml
        folder: PathBuf,
        /// Fail when anything is odd, too
        #[arg(long)]
        strict: bool,
    },
    /// Bring the control topics to what the folder says; what they say already is not sent again
    Publish {
        /// Folder with city.toml
        folder: PathBuf,
        /// Kafka, host:port[,host:port]
        #[arg(long)]
        kafka: String,
        /// Put before every topic name
        #[arg(long, default_value = "")]
        topic_prefix: String,
    },
}

impl CityCommand {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Check { folder, strict } => {
                let mut out = Vec::new();
                let outcome = city_check::check(&folder, &mut out)?;
                answer(String::from_utf8_lossy(&out).trim_end());
                match outcome {
                    Outcome::Usable { warnings } if strict && warnings > 0 => {
                        bail!("city folder {}: {}", folder.display(), city_check::counted(warnings, "warning"))
                    }
                    Outcome::Usable { .. } => Ok(()),
                    Outcome::Broken { problems } => {
                        bail!("city folder {}: {}", folder.display(), city_check::counted(problems, "problem"))
                    }
                }
            }
            Self::Publish { folder, kafka, topic_prefix } => {
                let city = City::load(&folder)?;
                let kafka = KafkaConfig { topic_prefix, ..KafkaConfig::plain(&kafka) };
                let done = publish::publish(&city, &kafka).await?;
                answer(&format!(
                    "published {} layers, {} rules, {} entities; {} ended",
                    done.layers, done.rules, done.entities, done.ended
                ));
                Ok(())
            }
        }
    }
}
