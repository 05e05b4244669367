//! Logs and the registry of metrics. Logs go to stderr: level by `GRIDWARDEN_LOG` (default `info`), one JSON object per
//! line with `GRIDWARDEN_LOG_FORMAT=json`.

mod process;

pub use prometheus;
use prometheus::{IntGaugeVec, Opts, Registry};
use tracing_subscriber::EnvFilter;

/// Levels when `GRIDWARDEN_LOG` is not set.
const LEVELS: &str = "info,librdkafka=warn,rdkafka=warn,hyper=warn,timely=warn";

/// Starts logging. A second call in one process changes nothing.
pub fn init(service: &'static str) {
    init_at(service, LEVELS);
}

/// The same with other levels when `GRIDWARDEN_LOG` is not set; for programs that talk to a person instead.
pub fn init_at(service: &'static str, levels: &str) {
    let wanted = std::env::var("GRIDWARDEN_LOG").ok().filter(|text| !text.is_empty());
    let filter = wanted.as_deref().map(EnvFilter::try_new);
    let (filter, bad) = match filter {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(levels), Some(error.to_string())),
        None => (EnvFilter::new(levels), None),
    };
    let json = std::env::var("GRIDWARDEN_LOG_FORMAT").is_ok_and(|format| format == "json");
    // A log that cannot be written, on a full disk, is let go: saying so on the same stderr would end the process.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let started = if json { builder.json().try_init() } else { builder.try_init() };
    if started.is_ok() {
        tracing::debug!(service, version = VERSION, "logging");
    }
    if let Some(error) = bad {
        tracing::warn!(error, "GRIDWARDEN_LOG is not understood");
    }
}

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A registry that already holds the process's own figures and `gridwarden_build_info{service,version}`.
pub fn registry(service: &'static str) -> Registry {
    let registry = Registry::new();
    let info = IntGaugeVec::new(Opts::new("gridwarden_build_info", "what runs here"), &["service", "version"]);
    if let Ok(info) = info {
        info.with_label_values(&[service, VERSION]).set(1);
        registry.register(Box::new(info)).ok();
    }
    if let Ok(process) = process::ProcessFigures::new() {
        registry.register(Box::new(process)).ok();
    }
    registry
}

/// The registry in Prometheus's text format.
pub fn render(registry: &Registry) -> prometheus::Result<String> {
    prometheus::TextEncoder::new().encode_to_string(&registry.gather())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_tells_who_runs_and_how_big_it_is() {
        let text = render(&registry("x")).expect("text");
        assert!(text.contains("# TYPE process_cpu_seconds_total counter"), "{text}");
        assert!(text.contains("gridwarden_build_info{service=\"x\""), "{text}");
        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_start_time_seconds",
            "process_cpu_seconds_total",
        ] {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            let value: f64 = line.rsplit(' ').next().and_then(|v| v.parse().ok()).unwrap_or(-1.0);
            assert!(value > 0.0 || name.ends_with("total") && value >= 0.0, "{name}: {line}");
        }
    }
}
