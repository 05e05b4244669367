//! Tools that work beside a running stream: its configuration, or the data folder of an `up`.

use crate::up::ports::Ports;
use anyhow::{Result, bail};
use gridwarden_stream::Config;
use std::path::PathBuf;

/// Where the stream is.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct BesideArgs {
    /// The stream's configuration (TOML), as `gridwarden stream` takes it
    #[arg(long)]
    config: Option<PathBuf>,
    /// Data folder of an `up` that runs
    #[arg(long, conflicts_with = "config")]
    data: Option<PathBuf>,
    /// City folder, when `up` was given one
    #[arg(long, requires = "data")]
    city: Option<PathBuf>,
}

impl BesideArgs {
    /// The stream's configuration.
    ///
    /// # Errors
    /// A configuration that cannot be read, a folder without an `up`, a city that is not there.
    pub(crate) fn config(&self) -> Result<Config> {
        let mut config = gridwarden_stream::config(self.config.as_deref())?;
        let Some(data) = &self.data else { return Ok(config) };
        let ports = Ports::kept(data)?;
        config.kafka.bootstrap = ports.address("kafka").to_string();
        config.clickhouse.url = ports.url("clickhouse");
        config.checkpoints.folder = data.join("checkpoints").display().to_string();
        config.city.folder = self.city.clone().unwrap_or_else(|| data.join("city"));
        if !config.city.folder.join("city.toml").is_file() {
            bail!("{} holds no city.toml; --city names the folder `up` was given", config.city.folder.display());
        }
        Ok(config)
    }
}
