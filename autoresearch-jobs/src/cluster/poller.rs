//! One look at the engine for all launches of a launcher.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The shortest time between two looks.
const SOONEST: Duration = Duration::from_millis(200);
/// A look that takes long is not taken often: of the time at most one part in so many goes into looking.
const SHARE: u32 = 5;

/// What a look has shown.
#[derive(Debug, Clone)]
pub(crate) struct Looked<T> {
    /// When the look began; what was submitted later it may not have seen.
    pub(crate) begun: Instant,
    /// The jobs by the engine's name of them; or since when the engine has not answered, and what it said last.
    pub(crate) jobs: Result<Arc<HashMap<String, T>>, (Instant, String)>,
}

type Look<T> = Box<dyn Fn() -> Result<HashMap<String, T>, String> + Send>;

/// Looks at the engine from a thread of its own while anything is watched: soon after something was submitted or has changed, then
/// less and less often.
#[derive(Debug)]
pub(crate) struct Poller<T> {
    shared: Arc<Shared>,
    looks: watch::Receiver<Option<Looked<T>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many watch each name.
    watched: BTreeMap<String, usize>,
    /// How many wait for any look at all.
    waiting: usize,
    soon: bool,
    closed: bool,
    looks: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: PartialEq + Clone + Send + Sync + 'static> Poller<T> {
    /// Looks with this, which blocks, at least every `longest`.
    pub(crate) fn new(
        name: &str,
        longest: Duration,
        look: impl Fn() -> Result<HashMap<String, T>, String> + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (send, looks) = watch::channel(None);
        let thread = (Arc::clone(&shared), Box::new(look) as Look<T>);
        let run = move || poll(&thread.0, &send, &thread.1, longest.max(SOONEST));
        std::thread::Builder::new().name(name.into()).spawn(run)?;
        Ok(Self { shared, looks })
    }

    /// Watches a job, or with `None` only wants looks to be taken.
    pub(crate) fn watch(&self, name: Option<&str>) -> Watched<T> {
        let mut state = self.shared.state();
        match name {
            Some(name) => *state.watched.entry(name.into()).or_default() += 1,
            None => state.waiting += 1,
        }
        state.soon = true;
        self.shared.changed.notify_all();
        drop(state);
        let looks = self.looks.clone();
        Watched { shared: Arc::clone(&self.shared), looks, name: name.map(Into::into), since: Instant::now() }
    }

    /// Whether any job is watched.
    pub(crate) fn is_watching(&self) -> bool {
        !self.shared.state().watched.is_empty()
    }

    /// How many looks were taken.
    #[cfg(test)]
    pub(crate) fn looks(&self) -> u64 {
        self.shared.state().looks
    }
}

impl<T> Drop for Poller<T> {
    fn drop(&mut self) {
        // What is still watched goes on to be looked at; the thread ends with the last of it.
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
    }
}

/// Somebody who watches. Dropped, nobody does any more.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    shared: Arc<Shared>,
    looks: watch::Receiver<Option<Looked<T>>>,
    name: Option<String>,
    since: Instant,
}

impl<T: Clone> Watched<T> {
    /// The next look that began after this was made.
    pub(crate) async fn next(&mut self) -> Option<Looked<T>> {
        loop {
            self.looks.changed().await.ok()?;
            if let Some(looked) = self.fresh() {
                return Some(looked);
            }
        }
    }

    /// A look that began after this was made and was not told yet, if there is one.
    pub(crate) fn now(&mut self) -> Option<Looked<T>> {
        if self.looks.has_changed().ok()? { self.fresh() } else { None }
    }

    fn fresh(&mut self) -> Option<Looked<T>> {
        let looked = self.looks.borrow_and_update().clone();
        looked.filter(|looked| looked.begun >= self.since)
    }

    /// Has the next look taken soon.
    pub(crate) fn soon(&self) {
        self.shared.state().soon = true;
        self.shared.changed.notify_all();
    }
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        match &self.name {
            Some(name) => {
                if let Some(n) = state.watched.get_mut(name) {
                    *n -= 1;
                    if *n == 0 {
                        state.watched.remove(name);
                    }
                }
            }
            None => state.waiting -= 1,
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

fn poll<T: PartialEq + Clone>(
    shared: &Shared,
    send: &watch::Sender<Option<Looked<T>>>,
    look: &Look<T>,
    longest: Duration,
) {
    let (mut pause, mut away, mut before) = (SOONEST, None::<Instant>, HashMap::new());
    loop {
        let names: HashSet<String> = {
            let mut state = shared.state();
            while state.watched.is_empty() && state.waiting == 0 {
                if state.closed {
                    return;
                }
                // How long it was away while nobody looked is not known.
                away = None;
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.looks += 1;
            if std::mem::take(&mut state.soon) {
                pause = SOONEST;
            }
            state.watched.keys().cloned().collect()
        };
        let begun = Instant::now();
        let seen = look();
        let took = begun.elapsed();
        let jobs = match seen {
            Ok(jobs) => {
                away = None;
                let ours = |(name, _): &(&String, &T)| names.contains(*name);
                let now: HashMap<String, T> =
                    jobs.iter().filter(ours).map(|(name, job)| (name.clone(), job.clone())).collect();
                pause = if now == before { (pause * 3 / 2).min(longest) } else { SOONEST };
                before = now;
                Ok(Arc::new(jobs))
            }
            Err(why) => {
                pause = (pause * 2).min(longest);
                Err((*away.get_or_insert(begun), why))
            }
        };
        send.send_replace(Some(Looked { begun, jobs }));
        // Whatever comes in between shortens the pause to the shortest one.
        let (least, until) = (begun + SOONEST.max(took * SHARE), Instant::now() + pause);
        let mut state = shared.state();
        loop {
            let until = if state.soon { least } else { until.max(least) };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || (state.closed && state.watched.is_empty() && state.waiting == 0) {
                break;
            }
            let woken = shared.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn many_share_a_look_and_an_engine_that_is_away_is_told() {
        let n = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&n);
        let look = move || match counter.fetch_add(1, Ordering::SeqCst) {
            0 => Err("away".to_owned()),
            n => Ok(HashMap::from([("job".to_owned(), n.min(2))])),
        };
        let poller = Poller::new("test", Duration::from_secs(1), look).unwrap();
        let all: Vec<_> = (0..500).map(|_| poller.watch(Some("job"))).collect();
        let all = all.into_iter().map(|mut watched| {
            tokio::spawn(async move {
                let first = watched.next().await.unwrap();
                if let Err((_, why)) = &first.jobs {
                    assert_eq!(why, "away");
                }
                let seen = watched.next().await.unwrap();
                assert!(seen.jobs.is_ok_and(|jobs| jobs.contains_key("job")));
                watched
            })
        });
        let mut kept = Vec::new();
        for one in all.collect::<Vec<_>>() {
            kept.push(one.await.unwrap());
        }
        assert!(n.load(Ordering::SeqCst) < 10, "{n:?} looks for 500 that wait for two");
        assert_eq!(poller.looks(), n.load(Ordering::SeqCst));
        drop(kept);
        tokio::time::sleep(SOONEST * 2).await;
        let idle = n.load(Ordering::SeqCst);
        tokio::time::sleep(SOONEST * 3).await;
        assert_eq!(n.load(Ordering::SeqCst), idle, "nobody watches, and looks are taken");
    }
}
