//! An executor in the test's hands: the test decides how and in which order runs end.

use crate::arm::{Arm, RunId};
use crate::candidate::Candidate;
use crate::execute::{Executor, RunContext};
use crate::failure::RunFailure;
use async_trait::async_trait;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

type Answer = Result<f64, RunFailure>;
/// How runs of the incumbent itself end, once the test has said it.
type Script = Arc<Mutex<Option<Answer>>>;

/// How long [`MockRuns::next`] waits before it gives the test up.
const PATIENCE: Duration = Duration::from_secs(10);

/// An executor whose runs end when and how the test says, and the handle to say it with.
///
/// ```
/// use autoresearch_core::{testkit, Greedy, Limits, Proposal, Study};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (executor, mut runs) = testkit::mock_executor();
/// let idea = testkit::scripted([Proposal::new(2.0).title("double it")]);
/// let study = Study::new(1.0, idea, executor, testkit::loss()).acceptor(Greedy::new());
/// let study = tokio::spawn(study.run());
/// runs.baseline().finish(1.0);
/// let run = runs.next().await;
/// assert_eq!(*run.candidate(), 2.0);
/// run.finish(0.9);
/// assert_eq!(*study.await.unwrap().unwrap().stack(), 2.0);
/// # }
/// ```
pub fn mock_executor<C: Candidate>() -> (MockExecutor<C>, MockRuns<C>) {
    let (started, runs) = mpsc::unbounded_channel();
    let script = Script::default();
    (MockExecutor { started, script: Arc::clone(&script) }, MockRuns { runs, script, waiting: Vec::new() })
}

/// The executor half of [`mock_executor`]; its output is the loss.
pub struct MockExecutor<C> {
    started: mpsc::UnboundedSender<MockRun<C>>,
    script: Script,
}

impl<C> fmt::Debug for MockExecutor<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockExecutor")
    }
}

#[async_trait]
impl<C: Candidate> Executor<C> for MockExecutor<C> {
    type Output = f64;

    async fn execute(&self, candidate: C, cx: RunContext) -> Answer {
        let baseline = cx.arm.is_incumbent();
        if baseline && let Some(answer) = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return answer;
        }
        let (answer, answered) = oneshot::channel();
        let cancel = cx.cancel.clone();
        let run = MockRun { candidate, cx, answer: Some(answer) };
        if self.started.send(run).is_err() {
            return Err(RunFailure::candidate("the test dropped its MockRuns, so that this run cannot end"));
        }
        tokio::select! {
            answer = answered => {
                answer.unwrap_or_else(|_| Err(RunFailure::candidate("the test dropped this MockRun unanswered")))
            }
            () = cancel.cancelled() => Err(RunFailure::cancelled()),
        }
    }
}

/// The test's half of [`mock_executor`].
pub struct MockRuns<C> {
    runs: mpsc::UnboundedReceiver<MockRun<C>>,
    script: Script,
    /// Runs that were looked at and passed over.
    waiting: Vec<MockRun<C>>,
}

impl<C> fmt::Debug for MockRuns<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockRuns")
    }
}

impl<C: Candidate> MockRuns<C> {
    /// How runs of the incumbent itself (the empty arm) end, now and later. Until this is said they come out of
    /// [`next`](Self::next) like all others.
    pub fn baseline(&mut self) -> BaselineScript<'_, C> {
        BaselineScript(self)
    }

    /// The next run that starts.
    ///
    /// # Panics
    /// None starts within 10 s, or the study is over.
    ///
    /// # Cancel safety
    /// Dropping the future loses no run.
    pub async fn next(&mut self) -> MockRun<C> {
        loop {
            let run = match self.waiting.is_empty() {
                false => self.waiting.remove(0),
                true => match tokio::time::timeout(PATIENCE, self.runs.recv()).await {
                    Ok(Some(run)) => run,
                    Ok(None) => panic!("no run will start any more: the study is over"),
                    Err(_) => panic!(
                        "no run started within {PATIENCE:?}: does the study wait for another run to end?"
                    ),
                },
            };
            let scripted = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match scripted {
                Some(answer) if run.arm().is_incumbent() => run.end(answer),
                _ => return run,
            }
        }
    }

    fn script(&mut self, answer: Answer) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
        while let Ok(run) = self.runs.try_recv() {
            self.waiting.push(run);
        }
        let (baseline, others) =
            std::mem::take(&mut self.waiting).into_iter().partition(|r| r.arm().is_incumbent());
        self.waiting = others;
        let baseline: Vec<MockRun<C>> = baseline;
        baseline.into_iter().for_each(|run| run.end(answer.clone()));
    }
}

/// Says how runs of the incumbent itself end.
#[derive(Debug)]
pub struct BaselineScript<'a, C>(&'a mut MockRuns<C>);

impl<C: Candidate> BaselineScript<'_, C> {
    /// With this loss.
    pub fn finish(self, loss: f64) {
        self.0.script(Ok(loss));
    }

    /// With this failure.
    pub fn fail(self, failure: RunFailure) {
        self.0.script(Err(failure));
    }
}

/// A run under way. Dropping it unanswered fails it.
pub struct MockRun<C> {
    candidate: C,
    cx: RunContext,
    answer: Option<oneshot::Sender<Answer>>,
}

impl<C: fmt::Debug> fmt::Debug for MockRun<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockRun").field("candidate", &self.candidate).field("cx", &self.cx).finish()
    }
}

impl<C> MockRun<C> {
    /// What is being run.
    pub fn candidate(&self) -> &C {
        &self.candidate
    }

    /// Everything that the executor was told.
    pub fn context(&self) -> &RunContext {
        &self.cx
    }

    /// Its number.
    pub fn id(&self) -> RunId {
        self.cx.run
    }

    /// Its arm.
    pub fn arm(&self) -> &Arm {
        &self.cx.arm
    }

    /// Its seed.
    pub fn seed(&self) -> u64 {
        self.cx.seed
    }

    /// 0, or how often it was lost before.
    pub fn attempt(&self) -> u32 {
        self.cx.attempt
    }

    /// Ends it with this loss.
    pub fn finish(self, loss: f64) {
        self.end(Ok(loss));
    }

    /// Ends it with this failure.
    pub fn fail(self, failure: RunFailure) {
        self.end(Err(failure));
    }

    fn end(mut self, answer: Answer) {
        if let Some(sender) = self.answer.take() {
            // A study that has gone away does not mind.
            let _ = sender.send(answer);
        }
    }
}
