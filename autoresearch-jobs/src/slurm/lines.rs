//! What a job says while it runs.

use super::launch::blocking;
use crate::cluster::{Follow, LaunchFolder};
use crate::error::LaunchError;
use crate::launch::Watch;

/// Lines of output, where somebody wants them.
pub(super) struct Lines<'a> {
    watch: &'a Watch,
    folder: &'a LaunchFolder,
    follow: Option<Follow>,
    incarnation: Option<u32>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(watch: &'a Watch, folder: &'a LaunchFolder) -> Self {
        Self { watch, folder, follow: Some(Follow::default()), incarnation: None }
    }

    pub(super) async fn look(&mut self, last: bool) -> Result<(), LaunchError> {
        if !self.watch.wants_lines() {
            return Ok(());
        }
        let (folder, watch, was) = (self.folder.clone(), self.watch.clone(), self.incarnation);
        let mut follow = self.follow.take().unwrap_or_default();
        let (follow, now) = blocking(move || {
            let now = folder.incarnation();
            if now != was {
                follow = Follow::default();
            }
            if let Some(now) = now {
                // Not there yet, or not readable now: the next look tells more.
                let _ = follow.look(&folder.stdout(now), last, |line| watch.tell(line));
            }
            (follow, now)
        })
        .await?;
        (self.follow, self.incarnation) = (Some(follow), now);
        Ok(())
    }
}
