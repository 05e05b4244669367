//! What one endpoint still has to get, and when. Pure: time is a parameter.
//!
//! `DSP-4`: of one alert only the lowest `seq` is ever handed out, and the next only after that one was settled, so a clear
//! never overtakes its raise. Alerts do not wait for each other.

use crate::ledger::AlertKey;
use gridwarden_domain::alert::Alert;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// One delivery to be made.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to deliver.
    pub alert: Arc<Alert>,
    /// When the broker appended it, epoch milliseconds.
    pub appended_ms: i64,
    /// Attempts made before.
    pub attempts: u32,
    /// When it was first taken up, epoch milliseconds.
    pub first_at: i64,
    /// Not before this time, epoch milliseconds.
    pub due_ms: i64,
}

impl Job {
    fn key(&self) -> AlertKey {
        AlertKey::of(&self.alert.id)
    }
}

#[derive(Default)]
struct Lane {
    jobs: VecDeque<Job>,
    /// One of this alert's jobs is out.
    busy: bool,
}

/// The queue.
pub struct Queue {
    lanes: HashMap<AlertKey, Lane>,
    /// (due, alert) of every lane's first job that is not held up.
    due: BTreeSet<(i64, AlertKey)>,
    waiting: usize,
    limit: usize,
}

impl Queue {
    /// A queue for at most `limit` jobs.
    pub fn new(limit: usize) -> Self {
        Self { lanes: HashMap::new(), due: BTreeSet::new(), waiting: 0, limit }
    }

    /// Takes a job; gives it back when there is no room.
    pub fn push(&mut self, job: Job) -> Result<(), Job> {
        if self.waiting >= self.limit {
            Err(job)
        } else {
            self.put(job);
            Ok(())
        }
    }

    fn put(&mut self, job: Job) {
        let key = job.key();
        let lane = self.lanes.entry(key).or_default();
        if let (Some(first), false) = (lane.jobs.front(), lane.busy) {
            self.due.remove(&(first.due_ms, key));
        }
        let at = lane.jobs.partition_point(|other| other.alert.seq <= job.alert.seq);
        lane.jobs.insert(at, job);
        self.waiting += 1;
        self.ready(key);
    }

    fn ready(&mut self, key: AlertKey) {
        let Some(lane) = self.lanes.get(&key) else { return };
        match lane.jobs.front() {
            Some(first) if !lane.busy => {
                self.due.insert((first.due_ms, key));
            }
            None if !lane.busy => {
                self.lanes.remove(&key);
            }
            _ => {}
        }
    }

    /// The next job that is due; its alert is held up until [`Queue::settled`] or [`Queue::again`].
    pub fn next(&mut self, now_ms: i64) -> Option<Job> {
        let (due, key) = *self.due.first()?;
        if due > now_ms {
            return None;
        }
        self.due.pop_first();
        let lane = self.lanes.get_mut(&key)?;
        let job = lane.jobs.pop_front()?;
        lane.busy = true;
        self.waiting -= 1;
        Some(job)
    }

    /// The job handed out for this alert reached its end.
    pub fn settled(&mut self, job: &Job) {
        let key = job.key();
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.busy = false;
            self.ready(key);
        }
    }

    /// The job handed out failed and is to be tried again; it has room even in a full queue.
    pub fn again(&mut self, job: Job) {
        if let Some(lane) = self.lanes.get_mut(&job.key()) {
            lane.busy = false;
        }
        self.put(job);
    }

    /// When the next job is due, if none is due now.
    pub fn next_due(&self) -> Option<i64> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Number of jobs waiting.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Forgets everything that waits; how much that was.
    pub fn clear(&mut self) -> usize {
        self.due.clear();
        self.lanes.clear();
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use proptest::prelude::*;

    fn job(id: u128, seq: u32, due_ms: i64) -> Job {
        let alert = Alert { id: format!("{id:032x}"), ..sample::alert(seq) };
        Job { alert: Arc::new(alert), appended_ms: 0, attempts: 0, first_at: 0, due_ms }
    }

    #[test]
    fn a_clear_waits_for_its_raise_and_others_do_not() {
        let mut queue = Queue::new(10);
        for each in [job(1, 1, 0), job(1, 2, 0), job(2, 1, 5)] {
            queue.push(each).expect("room");
        }
        let raise = queue.next(10).expect("raise");
        let other = queue.next(10).expect("other");
        assert_eq!((raise.alert.seq, other.due_ms), (1, 5));
        assert!(queue.next(10).is_none() && queue.next_due().is_none());
        queue.again(Job { due_ms: 100, ..raise });
        assert!(queue.next(99).is_none());
        assert_eq!(queue.next_due(), Some(100));
        let raise = queue.next(100).expect("again");
        queue.settled(&raise);
        assert_eq!(queue.next(100).expect("clear").alert.seq, 2);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_full_queue_gives_back_but_takes_a_retry() {
        let mut queue = Queue::new(1);
        queue.push(job(1, 1, 0)).expect("room");
        assert_eq!(queue.push(job(2, 1, 0)).expect_err("full").alert.id, format!("{:032x}", 2));
        let out = queue.next(0).expect("job");
        queue.push(job(2, 1, 0)).expect("room");
        queue.again(out);
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.clear(), 2);
        assert!(queue.next_due().is_none());
    }

    proptest! {
        /// Whatever comes, in whatever order, with whatever failures: each job is settled once, each alert's in order.
        #[test]
        fn every_job_once_and_in_order(
            jobs in prop::collection::btree_set((0u128..4, 1u32..5), 1..16),
            dues in prop::collection::vec(0i64..50, 16),
            chances in prop::collection::vec(any::<bool>(), 200),
        ) {
            let mut queue = Queue::new(100);
            for ((id, seq), due) in jobs.iter().zip(&dues) {
                queue.push(job(*id, *seq, *due)).expect("room");
            }
            let (mut now, mut settled, mut out) = (0, Vec::new(), Vec::<Job>::new());
            let mut chances = chances.into_iter();
            while settled.len() < jobs.len() {
                while let Some(job) = queue.next(now) {
                    prop_assert!(job.due_ms <= now);
                    prop_assert!(out.iter().all(|other| other.alert.id != job.alert.id), "one at a time per alert");
                    out.push(job);
                }
                for job in out.drain(..) {
                    if chances.next().unwrap_or(true) {
                        queue.settled(&job);
                        settled.push((job.alert.id.clone(), job.alert.seq));
                    } else {
                        queue.again(Job { due_ms: now + 3, ..job });
                    }
                }
                now = queue.next_due().map_or(now, |due| due.max(now));
            }
            prop_assert!(queue.is_empty());
            for id in 0..4u128 {
                let id = format!("{id:032x}");
                let seqs: Vec<u32> = settled.iter().filter(|(of, _)| *of == id).map(|(_, seq)| *seq).collect();
                prop_assert!(seqs.is_sorted(), "{:?}", seqs);
            }
        }
    }
}
