//! Where launches are submitted and ended: one thread, so that what comes at the same time becomes one array and one call.

use super::client::{Client, Refused};
use super::wire::{Phase, State};
use crate::cluster::{LaunchFolder, Poller, Watched, quoted};
use crate::error::LaunchError;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The most launches in one array: below what Slurm takes by default (`MaxArraySize=1001`).
const ARRAY: usize = 500;
/// How long what is to be ended is waited for before Slurm is told again.
const AGAIN: Duration = Duration::from_secs(10);
/// The longest pause before a submission is tried again.
const LONGEST: Duration = Duration::from_secs(30);

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

impl Desk {
    pub(super) fn open(
        client: Client,
        poller: Arc<Poller<State>>,
        gather: Duration,
        patience: Duration,
    ) -> std::io::Result<Self> {
        let (send, orders) = channel();
        let work = Work { client, poller, patience, waiting: Vec::new(), ending: Vec::new(), looks: None };
        std::thread::Builder::new().name("slurm-desk".into()).spawn(move || work.run(&orders, gather))?;
        Ok(Self(send))
    }

    pub(super) fn submit(&self, submit: Submit) {
        // Without the thread the reply never comes, which is told.
        let _ = self.0.send(Order::Submit(submit));
    }

    pub(super) fn end(&self, end: End) {
        let _ = self.0.send(Order::End(end));
    }
}

struct Waiting {
    submit: Submit,
    since: Instant,
    tries: u32,
    next: Instant,
}

struct Ending {
    end: End,
    since: Instant,
    told: Option<Instant>,
}

struct Work {
    client: Client,
    poller: Arc<Poller<State>>,
    patience: Duration,
    waiting: Vec<Waiting>,
    ending: Vec<Ending>,
    looks: Option<Watched<State>>,
}

impl Work {
    fn run(mut self, orders: &Receiver<Order>, gather: Duration) {
        let mut open = true;
        while open || !self.ending.is_empty() {
            open &= self.gather(orders, gather);
            self.submit();
            self.end();
        }
    }

    /// Takes what comes; after the first, what comes soon after. False when nothing can come any more.
    fn gather(&mut self, orders: &Receiver<Order>, gather: Duration) -> bool {
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
            until.get_or_insert_with(|| Instant::now() + gather);
        }
    }

    fn begin_to_end(&mut self, end: End) {
        end.folder.fence();
        let waits = |one: &Waiting| one.submit.folder.path() == end.folder.path();
        self.waiting.retain(|one| !waits(one));
        self.ending.push(Ending { end, since: Instant::now(), told: None });
    }

    fn submit(&mut self) {
        let now = Instant::now();
        let (due, later): (Vec<Waiting>, Vec<Waiting>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|one| one.next <= now);
        self.waiting = later;
        let mut groups: BTreeMap<Vec<String>, Vec<Waiting>> = BTreeMap::new();
        for one in due.into_iter().filter(|one| !one.submit.reply.is_closed()) {
            groups.entry(one.submit.args.clone()).or_default().push(one);
        }
        for (args, group) in groups {
            let mut group = group.into_iter().peekable();
            while group.peek().is_some() {
                let part: Vec<Waiting> = group.by_ref().take(ARRAY).collect();
                self.submit_together(&args, part);
            }
        }
    }

    fn submit_together(&mut self, args: &[String], mut group: Vec<Waiting>) {
        // What was tried before may have been taken without our hearing of it.
        if group.iter().any(|one| one.tries > 0) {
            let jobs = match self.client.squeue() {
                Ok(jobs) => jobs,
                Err(why) => return self.later(group, &why),
            };
            let (found, left): (Vec<_>, Vec<_>) = group
                .into_iter()
                .map(|one| (find(&one.submit.folder, &jobs), one))
                .partition(|(found, _)| found.is_some());
            for (id, one) in found {
                answer(one.submit, id.unwrap_or_default());
            }
            group = left.into_iter().map(|(_, one)| one).collect();
        }
        let Some(first) = group.first() else { return };
        let name = format!("ar-{}", first.submit.folder.note.token);
        let outcome = self.ask(&name, args, &group);
        match outcome {
            Ok(id) if group.len() == 1 => group.into_iter().for_each(|one| answer(one.submit, id.clone())),
            Ok(id) => {
                for (index, one) in group.into_iter().enumerate() {
                    answer(one.submit, format!("{id}_{index}"));
                }
            }
            Err(Refused::Never(why)) if group.len() > 1 => {
                // Perhaps there are no arrays here, or one of them is too much: each for itself.
                tracing::debug!("an array was refused: {why}");
                for one in group {
                    self.submit_together(args, vec![one]);
                }
            }
            Err(Refused::Never(why)) => {
                for one in group {
                    let _ = one.submit.reply.send(Err(why.clone()));
                }
            }
            Err(Refused::Later(why)) => self.later(group, &why),
        }
    }

    /// Tries them again in a while, unless that has been done for too long.
    fn later(&mut self, group: Vec<Waiting>, why: &str) {
        tracing::warn!("Slurm takes no jobs now: {why}");
        for mut one in group {
            one.tries += 1;
            one.next =
                Instant::now() + (Duration::from_millis(500) * 2u32.saturating_pow(one.tries)).min(LONGEST);
            if one.since.elapsed() > self.patience {
                let waited = one.since.elapsed().as_secs();
                let why = format!("Slurm has taken no job for {waited} s: {why}");
                let _ = one.submit.reply.send(Err(LaunchError::Infrastructure(why)));
            } else {
                self.waiting.push(one);
            }
        }
    }

    fn ask(&self, name: &str, args: &[String], group: &[Waiting]) -> Result<String, Refused> {
        let failed = |why: LaunchError| Refused::Never(why);
        let mut script = String::from("#!/bin/sh\ncase \"${SLURM_ARRAY_TASK_ID:-0}\" in\n");
        for (index, one) in group.iter().enumerate() {
            let folder = &one.submit.folder;
            let _ = writeln!(script, "{index}) D={} ;;", quoted(folder.text().map_err(failed)?));
            // Before it is asked for, so that it is found again whatever happens now.
            let index = if group.len() > 1 { index.to_string() } else { String::new() };
            folder.asked(&format!("{name} {index}")).map_err(|why| {
                failed(LaunchError::Infrastructure(format!("{}: {why}", folder.path().display())))
            })?;
        }
        // What was just written may take a moment to be seen on another machine.
        script.push_str(
            "*) exit 96 ;;\nesac\nn=0\nwhile [ ! -r \"$D/run.sh\" ] && [ $n -lt 20 ]; do n=$((n + 1)); sleep 1; done\n\
             [ -r \"$D/run.sh\" ] || exit 96\nexec /bin/sh \"$D/run.sh\" \"$D\" \"${SLURM_RESTART_COUNT:-0}\"\n",
        );
        let own = ["--parsable", "--export=ALL", "--output=/dev/null", "--error=/dev/null", "--chdir=/"];
        let mut all: Vec<String> = own.map(String::from).into();
        all.push(format!("--job-name={name}"));
        if group.len() > 1 {
            all.push(format!("--array=0-{}", group.len() - 1));
        }
        all.extend_from_slice(args);
        self.client.sbatch(&all, &script)
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
        for ids in ids.chunks(ARRAY) {
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

/// Tells a launch its id; one that has gone meanwhile is ended by the order that follows.
fn answer(submit: Submit, id: String) {
    if let Err(why) = submit.folder.submitted(&id) {
        tracing::debug!("{}: {why}", submit.folder.path().display());
    }
    let _ = submit.reply.send(Ok(id));
}

/// The job of a launch: by its id where that is known, else by the name that it was asked for with.
pub(super) fn find(folder: &LaunchFolder, jobs: &HashMap<String, State>) -> Option<String> {
    if let Some(id) = folder.name() {
        return jobs.contains_key(&id).then_some(id);
    }
    let asked = folder.was_asked()?;
    let (name, index) = asked.split_once(' ')?;
    let mut named = jobs.iter().filter(|(_, job)| job.job_name == name).map(|(id, _)| id);
    named.find(|id| id.split_once('_').map_or("", |(_, index)| index) == index).cloned()
}
