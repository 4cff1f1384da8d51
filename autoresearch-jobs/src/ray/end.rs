//! The end of a job, and of all that is left of it.

use super::core::Core;
use super::run::{Submitted, blocking};
use super::wire::{LAUNCH, Status};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long the end of a job is waited for that has begun; what takes longer is ended by the poller.
pub(super) const END: Duration = Duration::from_secs(60);
/// The same where the cluster is away, and for a job that has not begun: Ray does not end those before they do.
const NOT_YET: Duration = Duration::from_secs(2);

/// Ends a job and removes all that is left of it. One that Ray does not let go of yet is left to the poller.
pub(super) async fn end(core: &Core, there: &Submitted) {
    // From now on it finds nothing to do, should it only begin now.
    let folder = there.at.clone();
    let remove = move || {
        if let Some(folder) = folder {
            let _ = std::fs::remove_file(folder.join("spec.json"));
        }
    };
    let _ = blocking(remove).await;
    let (began, mut asked, mut missing) = (Instant::now(), None::<Instant>, 0);
    loop {
        match core.client.get(&there.submission).await {
            // A submission that was broken off may still come through.
            Ok(None) if !there.known && missing < 5 => missing += 1,
            Ok(None) if !there.known => {
                core.doom(&there.submission);
                break;
            }
            Ok(None) => break,
            // One of another driver's that has taken the name is not ours to end.
            Ok(Some(info)) if info.meta(LAUNCH).is_some_and(|launch| launch != there.launch) => return,
            Ok(Some(info)) if info.status.is_over() => {
                // Not at once: what Ray has not yet noticed the end of, it would bring back.
                core.doom(&there.submission);
                break;
            }
            Ok(Some(info)) => {
                if asked.is_none_or(|at| at.elapsed() > Duration::from_secs(3)) {
                    let _ = core.client.stop(&there.submission).await;
                    asked = Some(Instant::now());
                }
                // Nor does anybody know whether a status that is not known here ever changes.
                let waits = matches!(info.status, Status::Pending | Status::Other(_));
                if waits && began.elapsed() > NOT_YET {
                    core.doom(&there.submission);
                    break;
                }
            }
            Err(_) if began.elapsed() > NOT_YET => {
                core.doom(&there.submission);
                break;
            }
            Err(_) => {}
        }
        if began.elapsed() > END {
            core.doom(&there.submission);
            break;
        }
        sleep(Duration::from_millis(if missing > 0 { 300 } else { 50 })).await;
    }
    let folder = there.at.clone();
    let remove = move || {
        let Some(folder) = folder else { return };
        if let Err(why) = std::fs::remove_dir_all(&folder)
            && why.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(folder = %folder.display(), %why, "a job's folder could not be removed");
        }
    };
    let _ = blocking(remove).await;
}
