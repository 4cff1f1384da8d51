//! What all launches on one cluster share: a thread of their own, one poller, and who holds which run.

use super::Settings;
use super::client::{Client, Trouble};
use super::poll::{self, Snapshot};
use super::wire::Status;
use crate::error::LaunchError;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, OnceCell, watch};

/// How long a run is waited for whose launch goes on.
const BUSY: Duration = Duration::from_secs(2);
/// How long the last launcher's end waits for the end of what it has on the cluster.
pub(super) const FAREWELL: Duration = Duration::from_secs(15);
/// How long a cluster is waited for that was never there.
const NEVER_SEEN: Duration = Duration::from_secs(30);

/// The thread, and what it works on. Dropped, it waits a moment for what is being ended.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) core: Arc<Core>,
    handle: Handle,
    over: Mutex<Receiver<()>>,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) client: Client,
    pub(super) snapshots: watch::Sender<Snapshot>,
    pub(super) wake: Notify,
    pub(super) closing: AtomicBool,
    seen: AtomicBool,
    in_flight: AtomicUsize,
    /// Runs that are held, and whether their launches are about to end.
    held: Mutex<BTreeMap<String, bool>>,
    doomed: Mutex<BTreeMap<String, Doom>>,
    /// The jobs that this launcher has on the cluster: submitted or adopted, and not taken back.
    mine: Mutex<BTreeSet<String>>,
    /// Who uploads each package.
    uploads: Mutex<BTreeMap<String, Weak<tokio::sync::Mutex<()>>>>,
    /// What was in the folder when the first launch began.
    pub(super) before: OnceCell<Vec<String>>,
}

impl Engine {
    pub(super) fn start(settings: Settings) -> Result<Self, LaunchError> {
        let address = settings.address.clone();
        if address.is_open() && !settings.insecure {
            return Err(LaunchError::Setup(format!(
                "{address} would be asked over plain http, where others can read along and change what is run: use https, a \
                 tunnel to this machine, or say `.insecure_http()` if the network between is yours"
            )));
        }
        let client = Client::new(address, &settings.headers).map_err(LaunchError::Setup)?;
        let core = Arc::new(Core {
            settings,
            client,
            snapshots: watch::Sender::new(Snapshot::default()),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
            seen: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            held: Mutex::default(),
            doomed: Mutex::default(),
            mine: Mutex::default(),
            uploads: Mutex::default(),
            before: OnceCell::new(),
        });
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(LaunchError::io("no runtime for the launcher's thread"))?;
        let (handle, (tell, over), polled) = (runtime.handle().clone(), sync_channel(1), Arc::clone(&core));
        let thread = std::thread::Builder::new().name("autoresearch-ray".into()).spawn(move || {
            runtime.block_on(poll::poll(&polled));
            runtime.shutdown_background();
            let _ = tell.send(());
        });
        thread.map_err(LaunchError::io("cannot start the launcher's thread"))?;
        Ok(Self { core, handle, over: Mutex::new(over) })
    }

    /// Runs a launch on the thread. It goes on when nobody waits for it.
    pub(super) fn spawn(&self, launch: impl Future<Output = ()> + Send + 'static) {
        self.core.in_flight.fetch_add(1, Ordering::SeqCst);
        let counted = Counted(Arc::clone(&self.core));
        self.handle.spawn(async move {
            launch.await;
            drop(counted);
        });
        self.core.wake.notify_one();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.core.closing.store(true, Ordering::SeqCst);
        self.core.wake.notify_one();
        let over = self.over.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = over.recv_timeout(FAREWELL + Duration::from_secs(1));
    }
}

struct Counted(Arc<Core>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.0.wake.notify_one();
    }
}

impl Core {
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) == 0 && lock(&self.doomed).is_empty()
    }

    /// Whether all that there is to end has been told to, and has not begun: Ray keeps it in mind.
    pub(super) fn only_waits(&self) -> bool {
        let now = self.snapshots.borrow().clone();
        let waits = |id: &String| now.jobs.get(id).is_none_or(|job| job.status == Status::Pending);
        self.in_flight.load(Ordering::SeqCst) == 0 && lock(&self.doomed).keys().all(waits)
    }

    /// What the poller has seen after this moment.
    pub(super) async fn seen_after(&self, moment: Instant) -> Result<Snapshot, LaunchError> {
        let mut news = self.snapshots.subscribe();
        self.wake.notify_one();
        loop {
            let now = news.borrow_and_update().clone();
            match &now.away {
                None if now.asked >= moment => return Ok(now),
                // An earlier denial may be over: the token is another now, or the proxy was confused.
                Some((_, Trouble::Denied(why))) if now.tried >= moment => {
                    return Err(LaunchError::Setup(why.clone()));
                }
                Some((_, why)) if moment.elapsed() > self.patience() => {
                    let time = moment.elapsed().as_secs();
                    return Err(LaunchError::Infrastructure(format!("{why} (for {time} s)")));
                }
                _ => {}
            }
            if news.changed().await.is_err() {
                return Err(LaunchError::Infrastructure("the launcher is gone".into()));
            }
        }
    }

    pub(super) fn was_seen(&self) {
        self.seen.store(true, Ordering::SeqCst);
    }

    /// How long a cluster that is away is waited for.
    pub(super) fn patience(&self) -> Duration {
        match self.seen.load(Ordering::SeqCst) {
            true => self.settings.away,
            false => self.settings.away.min(NEVER_SEEN),
        }
    }

    /// Asks until there is an answer, or patience is at an end.
    pub(super) async fn ask<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, LaunchError> {
        let (began, mut pause) = (Instant::now(), Duration::from_millis(100));
        loop {
            let why = match call().await {
                Ok(done) => {
                    self.was_seen();
                    return Ok(done);
                }
                Err(why) => why,
            };
            match why {
                Trouble::Denied(why) => return Err(LaunchError::Setup(why)),
                Trouble::Refused { status: 400..500, .. } => return Err(LaunchError::Setup(why.to_string())),
                _ if began.elapsed() > self.patience() => {
                    let time = began.elapsed().as_secs();
                    return Err(LaunchError::Infrastructure(format!("{why} (for {time} s)")));
                }
                _ => tracing::debug!(%why, "Ray is asked again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// Takes a run, so that no other launch of this launcher makes it at the same time.
    pub(super) async fn hold(self: &Arc<Self>, key: &str) -> Result<Held, LaunchError> {
        let began = Instant::now();
        loop {
            {
                let mut held = lock(&self.held);
                match held.get(key) {
                    None => {
                        held.insert(key.into(), false);
                        return Ok(Held { core: Arc::clone(self), key: key.into() });
                    }
                    Some(false) if began.elapsed() > BUSY => {
                        let why = format!(
                            "the run {key} is being made by another launch; wait for that, or cancel it"
                        );
                        return Err(LaunchError::Infrastructure(why));
                    }
                    Some(_) => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// To be locked while this package is looked for and uploaded.
    pub(super) fn upload(&self, package: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut uploads = lock(&self.uploads);
        uploads.retain(|_, upload| upload.strong_count() > 0);
        if let Some(upload) = uploads.get(package).and_then(Weak::upgrade) {
            return upload;
        }
        let upload = Arc::default();
        uploads.insert(package.into(), Arc::downgrade(&upload));
        upload
    }

    /// From now on the job is one of this launcher's, or not any more.
    pub(super) fn has(&self, submission: &str, has: bool) {
        let mut mine = lock(&self.mine);
        match has {
            true => mine.insert(submission.into()),
            false => mine.remove(submission),
        };
    }

    pub(super) fn is_mine(&self, submission: &str) -> bool {
        lock(&self.mine).contains(submission)
    }

    pub(super) fn is_doomed(&self, submission: &str) -> bool {
        lock(&self.doomed).contains_key(submission)
    }

    /// The poller ends and deletes it as soon as Ray lets it.
    pub(super) fn doom(&self, submission: &str) {
        lock(&self.doomed).entry(submission.into()).or_default();
        self.wake.notify_one();
    }

    pub(super) fn doomed(&self) -> Vec<(String, Doom)> {
        lock(&self.doomed).iter().map(|(id, doom)| (id.clone(), *doom)).collect()
    }

    /// What has become of it; `None`: it is gone for good.
    pub(super) fn redoom(&self, submission: &str, doom: Option<Doom>) {
        let mut doomed = lock(&self.doomed);
        match doom {
            Some(doom) => doomed.insert(submission.into(), doom),
            None => doomed.remove(submission),
        };
    }
}

/// How far a job is that is to be gone.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Doom {
    /// When it was last told to stop.
    pub(super) told: Option<Instant>,
    /// Since when it is seen to be over.
    pub(super) over: Option<Instant>,
    /// Since when it is not seen any more.
    pub(super) absent: Option<Instant>,
}

/// A run that is held.
#[derive(Debug)]
pub(super) struct Held {
    core: Arc<Core>,
    key: String,
}

impl Held {
    /// From now on it is worth waiting for.
    pub(super) fn ends(&self) {
        lock(&self.core.held).insert(self.key.clone(), true);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.core.held).remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
