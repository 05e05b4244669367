//! A crash in native code (the Kafka client, the C library) leaves a line that says where, before the process dies of its signal:
//! without it a supervisor sees "signal 11", and nobody can ever tell more.
//!
//! What is done here is more than a signal handler may rely on, for it takes memory: an alarm ends a process that hangs in it.
#![allow(unsafe_code, reason = "signal handlers are the C library's")]

use std::backtrace::Backtrace;

/// What native code dies of.
const SIGNALS: [libc::c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];
/// How long telling may take, in seconds.
const LIMIT_S: u32 = 10;
/// So many callers are named.
const MOST: usize = 24;

/// From now on a crash is told.
pub(crate) fn tell() {
    for signal in SIGNALS {
        // SAFETY: all zeros are an action without flags; the handler is there for as long as the process, and handles a signal once.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as extern "C" fn(libc::c_int) as usize;
            // On the thread's own stack: the one for signals is too small to tell anything. A stack that overflowed tells nothing.
            action.sa_flags = libc::SA_RESETHAND;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

extern "C" fn handle(signal: libc::c_int) {
    // SAFETY: both may be called at any time; the signal comes again once this returns, and ends the process.
    unsafe {
        libc::alarm(LIMIT_S);
        libc::raise(signal);
    }
    let thread = std::fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
    crate::output::crash(signal, thread.trim(), &callers(&Backtrace::force_capture().to_string()));
}

/// Names of the functions of a backtrace, the innermost first, without this module's.
fn callers(backtrace: &str) -> String {
    let name = |line: &str| {
        let (number, name) = line.trim_start().split_once(": ")?;
        number.bytes().all(|digit| digit.is_ascii_digit()).then(|| name.to_owned())
    };
    let names: Vec<String> = backtrace.lines().filter_map(name).collect();
    let own = names.iter().position(|name| name.rsplit("::").next() == Some("handle")).map_or(0, |own| own + 1);
    names.iter().skip(own).take(MOST).map(String::as_str).collect::<Vec<_>>().join(" < ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    const IN_CHILD: &str = "GRIDWARDEN_TEST_CRASHES";

    #[inline(never)]
    fn writes_to_nowhere() {
        // SAFETY: none; that is the test.
        unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
    }

    /// In a process of its own: in this one the test would end.
    #[test]
    fn a_crash_says_where_and_the_process_dies_of_it() {
        if std::env::var_os(IN_CHILD).is_some() {
            tell();
            let named = std::thread::Builder::new().name("rdk:broker1".to_owned());
            named.spawn(writes_to_nowhere).expect("a thread").join().expect("never comes back");
            return;
        }
        let own = std::env::current_exe().expect("a running test has a path");
        let name = "native_crash::tests::a_crash_says_where_and_the_process_dies_of_it";
        let output =
            Command::new(own).args(["--exact", name, "--nocapture"]).env(IN_CHILD, "1").output().expect("a child");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{said}");
        assert!(said.contains("signal 11 in native code, thread rdk:broker1: "), "{said}");
        assert!(said.contains(" < start_thread") && !said.contains("handle <"), "{said}");
    }

    #[test]
    fn callers_are_those_of_the_crash() {
        let text = "   0: std::backtrace::Backtrace::create\n             at /rustc/x.rs:1:2\n   1: gridwarden::native_crash::handle\n   \
                    2: <unknown>\n   3: rd_kafka_q_serve\n  10: main\n";
        assert_eq!(callers(text), "<unknown> < rd_kafka_q_serve < main");
        assert_eq!(callers(""), "");
    }
}
