//! The process's own figures from `/proc/self`, under the names Prometheus's own clients use.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Opts};
use std::sync::{Mutex, PoisonError};

/// Memory, file descriptors, processor time and start time of this process.
pub(super) struct ProcessFigures {
    gauges: [Gauge; 4],
    cpu: Counter,
    adding: Mutex<()>,
}

/// Kernel clock ticks per second; fixed at 100 for user space on every Linux architecture we build for.
const TICKS: f64 = 100.0;

impl ProcessFigures {
    pub(super) fn new() -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| Gauge::with_opts(Opts::new(name, help));
        Ok(Self {
            gauges: [
                gauge("process_resident_memory_bytes", "resident memory")?,
                gauge("process_open_fds", "open file descriptors")?,
                gauge("process_start_time_seconds", "start of the process since 1970")?,
                gauge("process_threads", "threads")?,
            ],
            cpu: Counter::with_opts(Opts::new("process_cpu_seconds_total", "processor time, user and system"))?,
            adding: Mutex::new(()),
        })
    }
}

#[derive(Default)]
struct Figures {
    resident: f64,
    start: f64,
    cpu: f64,
    threads: f64,
}

/// Reads the fields after the command name, which may itself hold spaces and parentheses.
fn figures(stat: &str, status: &str, system: &str) -> Figures {
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    let resident_kib = line("VmRSS:").and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let boot = system.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok()).unwrap_or(0.0);
    // Numbers as in proc(5), less 3: the fields before are the pid, the name and, at 0, the state.
    Figures {
        resident: resident_kib * 1024.0,
        start: boot + number(19) / TICKS,
        cpu: (number(11) + number(12)) / TICKS,
        threads: number(17),
    }
}

impl Collector for ProcessFigures {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges.iter().flat_map(Collector::desc).chain(self.cpu.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let seen = figures(&read("/proc/self/stat"), &read("/proc/self/status"), &read("/proc/stat"));
        let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let files = f64::from(u32::try_from(files).unwrap_or(u32::MAX));
        for (gauge, value) in self.gauges.iter().zip([seen.resident, files, seen.start, seen.threads]) {
            gauge.set(value);
        }
        {
            // Two readers at once would both add the same piece.
            let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
            self.cpu.inc_by((seen.cpu - self.cpu.get()).max(0.0));
        }
        self.gauges.iter().flat_map(Collector::collect).chain(self.cpu.collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a ) b) S 1 1 1 0 -1 4 1 1 1 1 250 50 0 0 20 0 3 0 1000 9 10 18446744073709551615";
        let seen = figures(stat, "VmSize:\t 90 kB\nVmRSS:\t      40 kB\n", "cpu 1\nbtime 1000000\n");
        assert_eq!((seen.resident, seen.start, seen.cpu, seen.threads), (40960.0, 1_000_010.0, 3.0, 3.0));
    }
}
