//! Who goes first when the cores of a machine are all busy: rules and alerts, then rows. On a machine of its own nothing changes
//! for anybody.

/// How far a thread stands behind those that alerts wait for, when all of them want the cores: as Linux's niceness.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behind {
    /// Rows, checkpoints and whoever asks over HTTP: a third of a share.
    Rows = 5,
    /// The embedded ClickHouse: a tenth. It has ten threads and more that want to run at once, and an alert passes nine threads on its
    /// way: at a third of a share each of them waited for all of those.
    Engine = 10,
}

/// The calling thread gives way to others from now on, and so do the threads it starts (niceness is a thread's own). Where the
/// system does not allow it nothing changes.
pub fn give_way(behind: Behind) {
    rustix::process::nice(behind as i32).ok();
}
