//! Whether a service lives and whether it is ready, with the reason when not. Parts of a service report by name.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Default)]
struct State {
    /// What keeps a part from being ready; absent or `None` = ready.
    parts: BTreeMap<&'static str, Option<String>>,
    dead: Option<String>,
}

/// The health of one service; clones share it. Starts not ready ("starting").
#[derive(Clone)]
pub struct Health {
    service: &'static str,
    state: Arc<Mutex<State>>,
}

/// What `/healthz` and `/readyz` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Name of the service.
    pub service: &'static str,
    /// Whether all is well.
    pub ok: bool,
    /// What is not, by part.
    pub problems: BTreeMap<&'static str, String>,
}

impl Health {
    /// A service that is starting.
    pub fn new(service: &'static str) -> Self {
        let health = Self { service, state: Arc::default() };
        health.set_ready(false, "starting");
        health
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The service as a whole; `why` matters when it is not ready.
    pub fn set_ready(&self, ready: bool, why: &str) {
        self.set_part("service", ready, why);
    }

    /// A part, e.g. `kafka`; the service is ready when all its parts are.
    pub fn set_part(&self, part: &'static str, ready: bool, why: &str) {
        let problem = (!ready).then(|| why.to_owned());
        let changed = self.with(|state| {
            let changed = state.parts.get(part).is_none_or(|old| old.is_none() != ready);
            state.parts.insert(part, problem);
            changed
        });
        if changed {
            tracing::info!(part, ready, why = if ready { "" } else { why }, "readiness changed");
        }
    }

    /// The service cannot go on and wants to be restarted.
    pub fn set_dead(&self, why: &str) {
        self.with(|state| state.dead = Some(why.to_owned()));
    }

    /// `/healthz`.
    pub fn liveness(&self) -> Status {
        let problems: BTreeMap<_, _> =
            self.with(|state| state.dead.iter().map(|why| ("service", why.clone())).collect());
        Status { service: self.service, ok: problems.is_empty(), problems }
    }

    /// `/readyz`.
    pub fn readiness(&self) -> Status {
        let problems: BTreeMap<_, _> = self.with(|state| {
            let open = state.parts.iter().filter_map(|(part, why)| Some((*part, why.clone()?)));
            open.chain(state.dead.iter().map(|why| ("service", why.clone()))).collect()
        });
        Status { service: self.service, ok: problems.is_empty(), problems }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_part_is() {
        let health = Health::new("x");
        assert!(!health.readiness().ok && health.liveness().ok);
        health.set_ready(true, "");
        assert!(health.readiness().ok);
        health.set_part("kafka", false, "no broker");
        assert_eq!(health.readiness().problems.get("kafka").map(String::as_str), Some("no broker"));
        health.set_part("kafka", true, "");
        assert!(health.readiness().ok);
        health.set_dead("stuck");
        assert!(!health.liveness().ok && !health.readiness().ok);
    }
}
