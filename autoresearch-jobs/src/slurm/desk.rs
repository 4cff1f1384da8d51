//! Where launches are submitted and ended: one thread, so that what comes at the same time becomes one array and one call.

use super::client::Client;
use super::wire::{Phase, State};
use crate::cluster::{LaunchFolder, Poller, Watched};
use crate::error::LaunchError;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long launches are gathered for one array.
const GATHER: Duration = Duration::from_millis(30);
/// The most jobs that one call ends.
const AT_ONCE: usize = 500;
/// How long the last launcher's end waits for the end of what it has on the cluster.
const FAREWELL: Duration = Duration::from_secs(15);
/// How long what is to be ended is waited for before Slurm is told again.
const AGAIN: Duration = Duration::from_secs(10);

/// A launch to be submitted.
pub(super) struct Submit {
    pub(super) args: Vec<String>,
    pub(super) folder: LaunchFolder,
    /// Its id in the end.
    pub(super) reply: oneshot::Sender<Result<String, LaunchError>>,
}

/// A launch to be ended, with all that is left of it.
pub(super) struct End {
    pub(super) folder: LaunchFolder,
    /// It is known that Slurm has ended it.
    pub(super) ended: bool,
    /// Given back when nothing of it is left.
    pub(super) keep: Box<dyn Send>,
    pub(super) reply: Option<oneshot::Sender<Result<(), LaunchError>>>,
}

enum Order {
    Submit(Submit),
    End(End),
}

/// The way to it. When all are dropped it ends what is left to end, and then itself.
#[derive(Debug, Clone)]
pub(super) struct Desk(Sender<Order>);

/// The thread. Dropped, it waits a moment for what is being ended: a program that ends right away would leave jobs behind.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) poller: Arc<Poller<State>>,
    desk: Option<Desk>,
    over: Mutex<Receiver<()>>,
}

impl Office {
    pub(super) fn open(client: Client, poll: Duration, patience: Duration) -> std::io::Result<Self> {
        let looks = client.clone();
        let poller = Arc::new(Poller::new("slurm-poll", poll, move || looks.squeue())?);
        let ((send, orders), (tell, over)) = (channel(), channel::<()>());
        let (waiting, ending) = (Vec::new(), Vec::new());
        let work = Work { client, poller: Arc::clone(&poller), patience, waiting, ending, looks: None };
        std::thread::Builder::new().name("slurm-desk".into()).spawn(move || {
            work.run(&orders);
            drop(tell);
        })?;
        Ok(Self { poller, desk: Some(Desk(send)), over: Mutex::new(over) })
    }

    pub(super) fn desk(&self) -> Result<Desk, LaunchError> {
        self.desk.clone().ok_or_else(|| LaunchError::infrastructure("the launcher is gone"))
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.desk = None;
        let over = self.over.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever sent: it is gone when the thread is.
        if over.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(
                "Slurm has not ended all jobs within {FAREWELL:?}; they are ended in the background"
            );
        }
    }
}

impl Desk {
    pub(super) fn submit(&self, submit: Submit) {
        // Without the thread the reply never comes, which is told.
        let _ = self.0.send(Order::Submit(submit));
    }

    pub(super) fn end(&self, end: End) {
        let _ = self.0.send(Order::End(end));
    }
}

pub(super) struct Waiting {
    pub(super) submit: Submit,
    pub(super) since: Instant,
    pub(super) tries: u32,
    pub(super) next: Instant,
}

struct Ending {
    end: End,
    since: Instant,
    told: Option<Instant>,
}

pub(super) struct Work {
    pub(super) client: Client,
    pub(super) poller: Arc<Poller<State>>,
    pub(super) patience: Duration,
    pub(super) waiting: Vec<Waiting>,
    ending: Vec<Ending>,
    looks: Option<Watched<State>>,
}

impl Work {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut open = true;
        while open || !self.ending.is_empty() {
            open &= self.gather(orders);
            self.submit();
            self.end();
        }
    }

    /// Takes what comes; after the first, what comes soon after. False when nothing can come any more.
    fn gather(&mut self, orders: &Receiver<Order>) -> bool {
        let busy = !self.ending.is_empty();
        let next = self.waiting.iter().map(|one| one.next).min();
        let mut longest = if busy { Duration::from_millis(50) } else { Duration::from_secs(3600) };
        if let Some(next) = next {
            longest = longest.min(next.saturating_duration_since(Instant::now()));
        }
        let mut until = None;
        loop {
            let left =
                until.map_or(longest, |until: Instant| until.saturating_duration_since(Instant::now()));
            match orders.recv_timeout(left) {
                Ok(Order::Submit(submit)) => {
                    let now = Instant::now();
                    self.waiting.push(Waiting { submit, since: now, tries: 0, next: now });
                }
                Ok(Order::End(end)) => self.begin_to_end(end),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => {
                    if busy {
                        std::thread::sleep(Duration::from_millis(50));
                    }
                    return false;
                }
            }
            until.get_or_insert_with(|| Instant::now() + GATHER);
        }
    }

    fn begin_to_end(&mut self, end: End) {
        end.folder.fence();
        let waits = |one: &Waiting| one.submit.folder.path() == end.folder.path();
        self.waiting.retain(|one| !waits(one));
        self.ending.push(Ending { end, since: Instant::now(), told: None });
    }

    /// Ends what is to be ended, and gives back what is left of what has ended.
    fn end(&mut self) {
        if self.ending.is_empty() {
            self.looks = None;
            return;
        }
        // What was never submitted, or is known to have ended, needs no look.
        self.finish(|end| end.ended || (end.folder.name().is_none() && end.folder.was_asked().is_none()));
        if self.ending.is_empty() {
            self.looks = None;
            return;
        }
        let due = |one: &Ending| one.told.is_none_or(|told| told.elapsed() > AGAIN);
        let now = Instant::now();
        let ids: Vec<String> =
            self.ending.iter().filter(|one| due(one)).filter_map(|one| one.end.folder.name()).collect();
        for ids in ids.chunks(AT_ONCE) {
            if let Err(why) = self.client.scancel(ids) {
                tracing::warn!("jobs could not be cancelled: {why}");
            }
        }
        self.ending.iter_mut().filter(|one| due(one)).for_each(|one| one.told = Some(now));
        let looks = self.looks.get_or_insert_with(|| self.poller.watch(None));
        looks.soon();
        let Some(looked) = looks.now() else { return };
        match looked.jobs {
            Ok(jobs) => {
                for one in &mut self.ending {
                    let late = one.told.is_none_or(|told| looked.begun < told);
                    match find(&one.end.folder, &jobs) {
                        Some(id) if one.end.folder.name().is_none() => {
                            // Asked for by a driver that did not live to hear the id.
                            let _ = one.end.folder.submitted(&id);
                            one.told = None;
                        }
                        Some(id) => {
                            one.end.ended |= jobs.get(&id).is_some_and(|job| job.phase() == Phase::Ended)
                        }
                        None => one.end.ended |= !late,
                    }
                }
            }
            Err((since, why)) => {
                let patience = self.patience;
                self.ending.retain_mut(|one| {
                    let over = since.elapsed().min(one.since.elapsed()) > patience;
                    if over {
                        // Its folder stays, so that the next attempt finds it.
                        let folder = one.end.folder.path().display();
                        let why = format!(
                            "Slurm has not answered for {} s and {folder} may still be running: {why}",
                            patience.as_secs()
                        );
                        tracing::warn!("{why}");
                        if let Some(reply) = one.end.reply.take() {
                            let _ = reply.send(Err(LaunchError::Infrastructure(why)));
                        }
                    }
                    !over
                });
            }
        }
        self.finish(|end| end.ended);
    }

    fn finish(&mut self, is_over: impl Fn(&End) -> bool) {
        let (over, left) = std::mem::take(&mut self.ending).into_iter().partition(|one| is_over(&one.end));
        self.ending = left;
        let over: Vec<Ending> = over;
        for one in over {
            let End { folder, keep, reply, .. } = one.end;
            folder.remove();
            drop(keep);
            if let Some(reply) = reply {
                let _ = reply.send(Ok(()));
            }
        }
    }
}

/// The job of a launch: by its id where that is known, else by the name that it was asked for with.
pub(super) fn find(folder: &LaunchFolder, jobs: &HashMap<String, State>) -> Option<String> {
    if let Some(id) = folder.name() {
        return jobs.contains_key(&id).then_some(id);
    }
    let asked = folder.was_asked()?;
    let (name, index) = asked.split_once(' ')?;
    let mut named = jobs.iter().filter(|(_, job)| &*job.job_name == name).map(|(id, _)| id);
    named.find(|id| id.split_once('_').map_or("", |(_, index)| index) == index).cloned()
}
