//! The one binary: every service is a role of it, `up` runs them all on this machine, the rest are tools.
//!
//! It knows how parts are started and where they find each other; it refuses to know what they do.
//! A failure is one sentence on stderr and an exit code: 1 for a failure, 64 for a command line that is not understood, 101 for
//! a bug of ours.

mod allocators;
mod backtest;
mod bench;
mod bench_geo;
mod beside;
mod city_check;
mod city_command;
mod cli;
mod doctor;
mod documents;
mod explain;
mod moment;
mod native_crash;
mod output;
mod publish;
mod receive;
mod recompute;
mod rejects;
mod replay;
mod role;
mod rules;
mod simulate;
mod up;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    output::end_on_panic();
    native_crash::tell();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let wanted = !error.use_stderr();
            output::usage(&error);
            return if wanted { ExitCode::SUCCESS } else { ExitCode::from(USAGE) };
        }
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}
