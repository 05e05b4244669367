//! The one thread that starts children (`PRC-1`): the kernel sends a child its parent-death signal when the *thread* that
//! started it ends, and threads of an async runtime come and go.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

type Order = (Command, Sender<io::Result<Child>>);

static THREAD: OnceLock<Sender<Order>> = OnceLock::new();

fn thread() -> &'static Sender<Order> {
    THREAD.get_or_init(|| {
        let (sender, receiver) = channel::<Order>();
        // Should the thread not start, the receiver is gone and `spawn` says so.
        let started = std::thread::Builder::new().name("launcher".to_owned()).spawn(move || {
            for (command, answer) in receiver {
                answer.send(start(command)).ok();
            }
        });
        drop(started);
        sender
    })
}

/// Starts the command from the launcher's thread.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let (sender, receiver) = channel();
    let gone = || io::Error::other("the launcher's thread is gone");
    thread().send((command, sender)).map_err(|_| gone())?;
    receiver.recv().map_err(|_| gone())?
}

#[allow(unsafe_code, reason = "the parent-death signal can only be set between fork and exec")]
fn start(mut command: Command) -> io::Result<Child> {
    let parent = std::process::id();
    // A group of its own, so that Ctrl-C in a terminal reaches us alone and we end the children in order.
    command.process_group(0);
    // SAFETY: the closure runs in the forked child and makes two system calls; it allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // Should we have died before the call above, nobody would ever tell the child.
            if u32::try_from(libc::getppid()) == Ok(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        });
    }
    command.spawn()
}
