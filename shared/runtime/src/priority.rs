//! Who goes first when the cores of a machine are all busy: rules and alerts, then rows. On a machine of its own nothing changes
//! for anybody.

/// A third of the usual share, when others want all of it.
const NICENESS: i32 = 5;

/// The calling thread gives way to others from now on, and so do the threads it starts (Linux's niceness is a thread's own). Where
/// the system does not allow it nothing changes.
pub fn give_way() {
    rustix::process::nice(NICENESS).ok();
}
