//! What a policy builds upon before it is proved.

use super::{Fold, Trial};
use autoresearch_core::stats::Moments;
use autoresearch_core::{Arm, Role, RunSpec};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A stack of edits that new proposals were made on, unproven: nothing of it need hold.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Stack {
    /// The incumbent that it stands on.
    pub version: u32,
    /// Runs that had ended when it was first built upon.
    pub at_run: u64,
    /// Seconds that the study had been running by then.
    pub at_time: f64,
    /// The proposals that it has something of.
    pub members: Vec<u64>,
    /// What it has of each of them, in the same order.
    pub parts: Vec<StackPart>,
    /// How many units of their changes that is; a change that counts as a whole is one.
    pub units: u64,
    /// The mean objective of the runs of exactly this stack. They helped to choose it: it looks better than it is. `None`:
    /// it never ran as it is.
    pub objective: Option<f64>,
    /// Runs behind that.
    pub runs: u64,
}

/// What a stack has of a proposal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StackPart {
    /// The proposal.
    pub proposal: u64,
    /// Which units of its change, from 0; empty: all of it.
    pub units: Vec<u16>,
    /// Runs that had ended when proposals were first made on a stack that had it, and had it ever since.
    pub since: u64,
}

/// An arm that proposals were made on, and when that began.
#[derive(Debug, Clone)]
pub(super) struct Stand {
    version: u32,
    arm: Arm,
    at_run: u64,
    at_time: f64,
}

impl Fold {
    /// Proposals were made on this arm.
    pub(super) fn stood(&mut self, version: u32, on: &Arm) {
        let same = |stand: &Stand| stand.version == version && stand.arm == *on;
        let known = self.stands.last().map_or(on.is_incumbent(), same);
        if !known {
            let (at_run, at_time) = (self.runs.len() as u64, self.cost.elapsed);
            self.stands.push(Stand { version, arm: on.clone(), at_run, at_time });
        }
    }

    /// Whether a run looks at something else with this proposal beneath it, as part of the stack.
    pub(super) fn carries(&self, run: &RunSpec, proposal: u64) -> bool {
        let stand = self.stands.last().filter(|stand| stand.version == run.version.0);
        run.role == Role::Screen && stand.is_some_and(|s| s.arm.proposals().any(|p| p.0 == proposal))
    }

    /// A run that looks, for the stack that it may be or become.
    pub(super) fn looked(&mut self, run: &RunSpec, objective: f64) {
        if run.role == Role::Screen && !run.arm.is_incumbent() {
            self.looks.entry((run.version.0, run.arm.clone())).or_default().push(objective);
        }
    }

    pub(super) fn stacks(&self) -> Vec<Stack> {
        let mut since: BTreeMap<u64, u64> = BTreeMap::new();
        let mut version = 0;
        let told = |stand: &Stand| {
            let members: BTreeSet<u64> = stand.arm.proposals().map(|p| p.0).collect();
            if stand.version != version {
                (version, since) = (stand.version, BTreeMap::new());
            }
            since.retain(|id, _| members.contains(id));
            let parts = members.iter().map(|id| {
                let own = stand.arm.parts().iter().filter(|part| part.proposal.0 == *id);
                let since = *since.entry(*id).or_insert(stand.at_run);
                StackPart { proposal: *id, units: own.filter_map(|part| part.unit).collect(), since }
            });
            let parts = parts.collect();
            let looks = self.looks.get(&(stand.version, stand.arm.clone()));
            Stack {
                version: stand.version,
                at_run: stand.at_run,
                at_time: stand.at_time,
                members: members.into_iter().collect(),
                parts,
                units: stand.arm.parts().len() as u64,
                objective: looks.map(Moments::mean),
                runs: looks.map_or(0, Moments::n),
            }
        };
        self.stands.iter().map(told).collect()
    }
}

/// The last stack before this one that ran as it was, and how many changes ago that is; 0: it is this one.
pub(crate) fn measured(stacks: &[Stack], now: &Stack) -> Option<(Stack, u64)> {
    let same = stacks.iter().rev().take_while(|s| s.version == now.version && !s.members.is_empty());
    (0..).zip(same).find(|(_, stack)| stack.objective.is_some()).map(|(ago, stack)| (stack.clone(), ago))
}

/// The stack that is built upon now, on this incumbent, as long as something of it is still to be judged.
pub(crate) fn standing<'a>(stacks: &'a [Stack], trials: &[Trial], version: u32) -> Option<&'a Stack> {
    let open = |id: &u64| {
        trials
            .binary_search_by_key(id, |t| t.id)
            .is_ok_and(|i| trials.get(i).is_some_and(|t| t.fate.is_none()))
    };
    stacks.last().filter(|stack| stack.version == version && stack.members.iter().any(open))
}
