//! The embedded engine alone: what `gridwarden clickhouse-engine` runs, for tests that need no more than this.

use gridwarden_embedded::clickhouse::{EngineOptions, run_engine};
use std::process::ExitCode;

const USAGE: &str =
    "usage: clickhouse-engine --data DIR --library FILE --listen ADDRESS [--memory-bytes N] [--address-file FILE]";

fn main() -> ExitCode {
    let ended = options().and_then(|options| run_engine(&options));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "the program's own last word")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn options() -> anyhow::Result<EngineOptions> {
    use anyhow::Context;
    let (mut data, mut library, mut listen) = (None, None, None);
    let (mut memory, mut address_file) = (EngineOptions::MEMORY_BYTES, None);
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().context(USAGE)?;
        match name.as_str() {
            "--data" => data = Some(value),
            "--library" => library = Some(value),
            "--listen" => listen = Some(value.parse().context("--listen takes an address like 127.0.0.1:8123")?),
            "--memory-bytes" => memory = value.parse().context("--memory-bytes takes a number")?,
            "--address-file" => address_file = Some(value.into()),
            _ => anyhow::bail!("unknown argument {name}; {USAGE}"),
        }
    }
    let mut options =
        EngineOptions::new(data.context(USAGE)?.into(), library.context(USAGE)?.into(), listen.context(USAGE)?);
    options.memory_bytes = memory;
    options.address_file = address_file;
    options.login = EngineOptions::login_from_environment();
    Ok(options)
}
