//! Which child gets which command line and settings. Settings travel by environment, so that `ps` shows none of them.

use super::UpArgs;
use super::child::Command;
use super::contents::CityHome;
use super::crew::Post;
use super::folder::Folder;
use super::ports::Ports;
use crate::role::Role;
use anyhow::{Context, Result};
use gridwarden_bus::KafkaConfig;
use gridwarden_embedded::clickhouse;
use gridwarden_embedded::kafka::{KafkaOptions, KafkaPorts};
use gridwarden_embedded::process::ProcessOptions;
use gridwarden_store::ClickHouseConfig;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Database of everything `up` stores.
const DATABASE: &str = "gridwarden";

/// Ends of a child at which a start is given up: an engine's first end tells why; a role may have met an engine that is busy.
const ENGINE_PATIENCE: u32 = 1;
const ROLE_PATIENCE: u32 = 3;

/// Names of all children there may be.
pub(crate) fn children() -> Vec<&'static str> {
    let roles = Role::ALL.into_iter().map(Role::name);
    ["kafka", "clickhouse", "simulate", "receive"].into_iter().chain(roles).collect()
}

/// Everything that is decided before the first child is started.
pub(super) struct Plan<'a> {
    pub(super) ports: Ports,
    pub(super) token: String,
    folder: &'a Folder,
    city: PathBuf,
    cache: PathBuf,
    program: PathBuf,
    simulator: Option<f64>,
    receiver: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(args: &UpArgs, folder: &'a Folder, ports: Ports, city: &CityHome) -> Result<Self> {
        Ok(Self {
            ports,
            token: folder.token()?,
            folder,
            city: city.path.clone(),
            cache: cache()?,
            program: std::env::current_exe().context("the path of this program is not known")?,
            simulator: (!args.no_simulate && city.simulated).then_some(args.rate),
            receiver: args.demo,
        })
    }

    pub(super) fn kafka_config(&self) -> KafkaConfig {
        KafkaConfig::plain(&self.ports.address("kafka").to_string())
    }

    pub(super) fn clickhouse_config(&self) -> ClickHouseConfig {
        ClickHouseConfig {
            url: self.ports.url("clickhouse"),
            database: DATABASE.to_owned(),
            user: String::new(),
            password: String::new(),
        }
    }

    pub(super) fn kafka(&self) -> Post {
        let ports = KafkaPorts { client: self.ports.port("kafka"), controller: self.ports.port("kafka_controller") };
        let options = KafkaOptions {
            log: self.folder.log("kafka"),
            pid_file: Some(self.folder.pid_file("kafka")),
            ..KafkaOptions::under(self.folder.root(), &self.cache, ports)
        };
        let command = Command::Kafka(Box::new(options));
        Post { name: "kafka", command, patience: ENGINE_PATIENCE, engine: true }
    }

    pub(super) fn clickhouse(&self) -> Post {
        let data = self.folder.path("clickhouse");
        let mut args: Vec<OsString> = vec!["clickhouse-engine".into(), "--data".into()];
        args.push(data.clone().into());
        args.extend(["--listen".into(), self.ports.address("clickhouse").to_string().into()]);
        args.extend(["--cache".into(), self.cache.clone().into()]);
        let command =
            Command::ClickHouse { options: self.options("clickhouse", args, clickhouse::environment().into()), data };
        Post { name: "clickhouse", command, patience: ENGINE_PATIENCE, engine: true }
    }

    pub(super) fn roles(&self) -> Vec<Post> {
        let post = |role: Role| {
            let mut args: Vec<OsString> = vec![role.name().into()];
            if let Some(file) = self.folder.config(role.name()) {
                args.extend(["--config".into(), file.into()]);
            }
            let command = self.program(role.name(), args, self.settings(role));
            Post { name: role.name(), command, patience: ROLE_PATIENCE, engine: false }
        };
        Role::ALL.into_iter().map(post).collect()
    }

    /// What a role is told, by the sections it has.
    fn settings(&self, role: Role) -> Vec<(OsString, OsString)> {
        let token = format!("file:{}", self.folder.path("token").display());
        let sections = match role {
            Role::Gateway => "http kafka city auth",
            Role::Stream => "http kafka clickhouse city checkpoints crashes rasters auth",
            Role::Archive => "http kafka clickhouse city crashes rasters",
            Role::Dispatch => "http kafka clickhouse city auth",
            Role::Console => "http kafka clickhouse city auth stream",
        };
        let mut settings: Vec<(OsString, OsString)> = Vec::new();
        let mut set = |key: &str, value: &Path| settings.push((format!("GRIDWARDEN_{key}").into(), value.into()));
        for section in sections.split(' ') {
            match section {
                "http" => set("HTTP__LISTEN", Path::new(&self.ports.address(role.name()).to_string())),
                "kafka" => set("KAFKA__BOOTSTRAP", Path::new(&self.ports.address("kafka").to_string())),
                "clickhouse" => {
                    set("CLICKHOUSE__URL", Path::new(&self.ports.url("clickhouse")));
                    set("CLICKHOUSE__DATABASE", Path::new(DATABASE));
                }
                "stream" => set("STREAM__URL", Path::new(&self.ports.url(Role::Stream.name()))),
                "city" => set("CITY__FOLDER", &self.city),
                "rasters" => set("RASTERS__FOLDER", &self.folder.path("rasters")),
                "crashes" => set("CRASHES__FOLDER", &self.folder.path("crashes")),
                "checkpoints" => set("CHECKPOINTS__FOLDER", &self.folder.path("checkpoints")),
                _ => set("AUTH__ADMIN_TOKEN", Path::new(&token)),
            }
        }
        settings
    }

    /// The simulator and the receiver, where wanted.
    pub(super) fn extras(&self, city: &CityHome) -> Vec<Post> {
        let mut posts = Vec::new();
        let mut add = |name: &'static str, args: Vec<OsString>| {
            let command = self.program(name, args, Vec::new());
            posts.push(Post { name, command, patience: ROLE_PATIENCE, engine: false });
        };
        if self.receiver
            && let Some(receiver) = &city.receiver
        {
            let listen = self.ports.address("receive").to_string();
            let mut args: Vec<OsString> = vec!["receive".into(), "--listen".into(), listen.into()];
            args.extend(["--secret".into(), format!("file:{}", receiver.display()).into()]);
            add("receive", args);
        }
        if let Some(rate) = self.simulator {
            let mut args: Vec<OsString> = vec!["simulate".into(), "--city".into(), self.city.clone().into()];
            args.extend(["--kafka".into(), self.ports.address("kafka").to_string().into()]);
            args.extend(["--rate".into(), rate.to_string().into()]);
            add("simulate", args);
        }
        posts
    }

    fn program(&self, name: &str, args: Vec<OsString>, env: Vec<(OsString, OsString)>) -> Command {
        Command::Program(self.options(name, args, env))
    }

    fn options(&self, name: &str, args: Vec<OsString>, env: Vec<(OsString, OsString)>) -> Box<ProcessOptions> {
        Box::new(ProcessOptions {
            program: self.program.clone().into(),
            args,
            env,
            folder: None,
            log: self.folder.log(name),
            pid_file: Some(self.folder.pid_file(name)),
        })
    }
}

/// `$GRIDWARDEN_CACHE`, by default `~/.cache/gridwarden`.
pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(cache) = std::env::var_os("GRIDWARDEN_CACHE").filter(|cache| !cache.is_empty()) {
        return Ok(cache.into());
    }
    let home = std::env::var_os("HOME").context("neither GRIDWARDEN_CACHE nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cache/gridwarden"))
}
