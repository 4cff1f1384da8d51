//! The desk's submissions: what asks for the same goes together, as an array.

use super::client::Refused;
use super::desk::{Submit, Waiting, Work, find};
use super::wire;
use crate::cluster::quoted;
use crate::error::LaunchError;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// The most launches in one array: below what Slurm takes by default (`MaxArraySize=1001`).
const ARRAY: usize = 500;
/// The longest pause before a submission is tried again.
const LONGEST: Duration = Duration::from_secs(30);

impl Work {
    /// Submits what is due, as few arrays as that takes.
    pub(super) fn submit(&mut self) {
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

    /// Whether all of them were taken, or refused for good.
    fn submit_together(&mut self, args: &[String], mut group: Vec<Waiting>) -> bool {
        // What was tried before may have been taken without our hearing of it.
        if group.iter().any(|one| one.tries > 0) {
            let jobs = match self.client.squeue() {
                Ok(jobs) => jobs,
                Err(why) => {
                    self.later(group, &why);
                    return false;
                }
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
        let Some(first) = group.first() else { return true };
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
                // Perhaps there are no arrays here, or none of this size, or one of them is too much.
                tracing::debug!("an array was refused: {why}");
                let size = if why.to_string().contains("array") { group.len().div_ceil(2) } else { 1 };
                let mut all = true;
                while !group.is_empty() {
                    let rest = group.split_off(size.min(group.len()));
                    all &= self.submit_together(args, std::mem::replace(&mut group, rest));
                }
                return all;
            }
            Err(Refused::Never(why)) => {
                for one in group {
                    let _ = one.submit.reply.send(Err(why.clone()));
                }
            }
            Err(Refused::Later(why)) if group.len() > 1 && wire::too_many(&why) => {
                // As many as are let in; when half of them is too much, so is the rest.
                let rest = group.split_off(group.len().div_ceil(2));
                if self.submit_together(args, group) {
                    return self.submit_together(args, rest);
                }
                self.later(rest, &why);
                return false;
            }
            Err(Refused::Later(why)) => {
                self.later(group, &why);
                return false;
            }
        }
        true
    }

    /// Tries them again in a while, unless that has been done for too long.
    fn later(&mut self, group: Vec<Waiting>, why: &str) {
        tracing::warn!("Slurm takes no more jobs now: {why}");
        // With its own jobs there, the site's limit passes when they end.
        let passes = wire::too_many(why) && self.poller.is_watching();
        for mut one in group {
            one.tries += 1;
            one.next =
                Instant::now() + (Duration::from_millis(500) * 2u32.saturating_pow(one.tries)).min(LONGEST);
            if one.since.elapsed() > self.patience && !passes {
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
        self.client.sbatch(&all, &script).inspect_err(|refused| {
            if matches!(refused, Refused::Never(_)) {
                group.iter().for_each(|one| one.submit.folder.not_asked());
            }
        })
    }
}

/// Tells a launch its id; one that has gone meanwhile is ended by the order that follows.
fn answer(submit: Submit, id: String) {
    if let Err(why) = submit.folder.submitted(&id) {
        tracing::debug!("{}: {why}", submit.folder.path().display());
    }
    let _ = submit.reply.send(Ok(id));
}
