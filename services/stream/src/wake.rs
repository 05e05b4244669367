//! Waking workers from other threads: for the end, for news from Kafka and from the control topics.

use std::sync::{Arc, Mutex, PoisonError};
use timely::scheduling::SyncActivator;

/// Activators of all operators that wait for something outside.
#[derive(Clone, Default)]
pub(crate) struct Wakers(Arc<Mutex<Vec<Arc<SyncActivator>>>>);

impl Wakers {
    /// Adds one, made on its worker's own thread.
    pub(crate) fn add(&self, activator: SyncActivator) -> Arc<SyncActivator> {
        let activator = Arc::new(activator);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&activator));
        activator
    }

    /// Wakes all. One whose worker has ended is past caring.
    pub(crate) fn wake(&self) {
        for activator in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            activator.activate().ok();
        }
    }
}
