//! A job from its first process to its last.

use super::cgroup::Cgroup;
use super::claim::{Claim, END};
use super::hub::{Hub, Said};
use super::kin::Kin;
use super::{Confine, Places};
use crate::error::LaunchError;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a launch has on this machine. Dropped, all of it is gone.
pub(super) struct Running {
    pub(super) hub: Arc<Hub>,
    pub(super) key: u64,
    pub(super) kin: Kin,
    pub(super) claim: Claim,
    /// What confines it may hold what it looks at.
    pub(super) confine: Option<Arc<dyn Confine>>,
    /// Somebody else's only when all of it is gone.
    pub(super) _places: Places,
    /// Its first process has ended by itself.
    pub(super) headless: bool,
    pub(super) over: bool,
}

/// What is known when everything has ended.
pub(super) struct Over {
    pub(super) left_behind: u64,
    pub(super) said: Said,
    pub(super) cpu: Option<Duration>,
    pub(super) peak: Option<u64>,
    pub(super) ran_out: bool,
}

impl Running {
    /// Ends all processes, waits until they are gone, and takes the control groups away.
    pub(super) fn end(&mut self) -> Result<Over, LaunchError> {
        self.over = true;
        self.claim.is_ending();
        // Of a start that nobody has heard of yet, the child must be there before it can be ended.
        if !self.headless {
            self.hub.pass(END);
        }
        let (left_behind, gone) = self.kin.end(self.headless, self.confine.is_some(), END);
        let said = self.hub.finish(self.key, END);
        let groups = self.kin.groups();
        let peak = groups.iter().filter_map(Cgroup::peak).max();
        let cpu = groups.iter().find_map(Cgroup::cpu);
        let ran_out = groups.iter().any(Cgroup::ran_out);
        let Some(said) = said.filter(|_| gone) else {
            self.claim.is_unended();
            return Err(LaunchError::Infrastructure(format!(
                "processes of the job were killed and did not end within {END:?}, as happens while a disk or a driver of the \
                 system hangs"
            )));
        };
        groups.iter().for_each(Cgroup::remove);
        Ok(Over { left_behind, said, cpu, peak, ran_out })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over
            && let Err(why) = self.end()
        {
            tracing::warn!("{why}");
        }
    }
}
