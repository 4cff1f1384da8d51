//! Opening a store: a new study, or an old one rebuilt from its events.

use super::StudyError;
use super::builder::Study;
use super::tally::Tally;
use crate::accept::{Acceptor, Factorial, Guarded, Scout};
use crate::candidate::Candidate;
use crate::curate::Curation;
use crate::evaluate::Evaluator;
use crate::state::{Complexity, Event, StateError, StudyState, allowance};
use crate::store::Seq;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many events are read at a time.
const PAGE: usize = 1024;

/// A state that agrees with its store.
pub(super) struct Opened<C: Candidate> {
    pub(super) state: StudyState<C>,
    pub(super) seq: Seq,
    pub(super) tally: Tally,
    pub(super) resumed: bool,
}

/// Builds the state from the study's parts; the acceptor moves into it.
pub(super) async fn open<C: Candidate, A: Send + Sync + 'static>(
    study: &mut Study<C, A>,
) -> Result<Opened<C>, StudyError> {
    check(study)?;
    let compose = study.compose.take().or_else(|| study.proposer.composer());
    let identity = identity(study);
    let simplify = study.simplify.take();
    let curation = study.curation.take();
    let mut page = study.store.read(Seq(0), PAGE).await?;
    let mut tally = Tally::default();
    let begun_with = page.first().and_then(|(_, first)| match first {
        Event::Opened { policy, .. } => Some(policy.as_str()),
        _ => None,
    });
    let named = study.acceptor.take();
    let acceptor = named.unwrap_or_else(|| recommended(study, compose.is_some(), begun_with));
    let Some((_, first)) = page.first() else {
        let (baseline, settings) = (study.baseline.clone(), study.settings.clone());
        let state = StudyState::open_as(&new_id(), baseline, acceptor, compose, settings, identity)?;
        let state = curated(with(state, simplify)?, curation)?;
        return Ok(Opened { state, seq: Seq(0), tally, resumed: false });
    };
    let (baseline, settings) = (&study.baseline, &study.settings);
    let state = StudyState::reopen(first, baseline, acceptor, compose, settings, &identity)?;
    let mut state = curated(with(state, simplify)?, curation)?;
    let mut seq = Seq(0);
    let (store, checks) = (&study.store, &mut study.checks);
    while let Some((last, _)) = page.last() {
        // The next page is on its way while this one is replayed.
        let next = async { if page.len() < PAGE { Ok(Vec::new()) } else { store.read(*last, PAGE).await } };
        let replayed = async {
            for (at, event) in &page {
                if seq > Seq(0) {
                    state.replay(event)?;
                }
                tally.take(event);
                checks.heard(event);
                seq = *at;
            }
            checks.release(|run| state.needs_output(run));
            Ok::<_, StateError>(())
        };
        let (next, replayed) = tokio::join!(biased; next, replayed);
        replayed?;
        page = next?;
    }
    let (limits, in_flight) = (study.settings.limits.clone(), study.settings.in_flight);
    let moved = state.settings().limits != limits;
    let slots = state.settings().in_flight != in_flight;
    // A study that came to its end stays there unless its limits have moved; any other stop is taken up again.
    let go_on = match state.stopped() {
        Some(reason) => moved || !reason.is_final(),
        None => moved || slots,
    };
    study.checks.reopened(go_on);
    if go_on {
        state.resume(limits, in_flight)?;
    }
    tracing::info!(study = %state.id(), events = seq.0, "resumed from the store");
    Ok(Opened { state, seq, tally, resumed: true })
}

/// Tells a state, before its first fact, what is simpler.
fn with<C: Candidate>(
    state: StudyState<C>,
    simplify: Option<(f64, Arc<Complexity<C>>)>,
) -> Result<StudyState<C>, StateError> {
    match (simplify, state.settings().simplify) {
        (Some((margin, complexity)), _) => state.simplify(margin, move |candidate| complexity(candidate)),
        (None, None) => Ok(state),
        (None, stored) => Err(StateError::OtherStudy {
            what: "simplification",
            stored: allowance(stored),
            given: allowance(None),
        }),
    }
}

/// Gives a state, before its first fact, its backlog.
fn curated<C: Candidate>(
    state: StudyState<C>,
    curation: Option<Curation>,
) -> Result<StudyState<C>, StateError> {
    match (curation, &state.settings().curation) {
        (Some(curation), _) => state.curate(curation),
        (None, None) => Ok(state),
        (None, Some(stored)) => {
            Err(StateError::OtherStudy { what: "curation", stored: stored.to_string(), given: "none".into() })
        }
    }
}

/// All that decides the numbers besides candidates, seeds and settings.
fn identity<C: Candidate, A: Send + Sync + 'static>(study: &Study<C, A>) -> String {
    let fidelity = study.fidelity.map(|f| f.to_string()).unwrap_or_default();
    let held = |e: &Option<Arc<dyn Evaluator<A>>>| e.as_ref().map(|e| e.identity()).unwrap_or_default();
    let parts = [
        ("executor", study.executor.identity()),
        ("fidelity", fidelity),
        ("validation", study.evaluator.identity()),
        ("holdout", held(&study.holdout)),
        ("test", held(&study.test)),
    ];
    let said = parts.iter().filter(|(_, text)| !text.is_empty());
    said.map(|(what, text)| format!("{what}: {text}")).collect::<Vec<_>>().join("; ")
}

/// The policy of a study that names none: that with which it began, whatever its limits are by now.
fn recommended<C: Candidate, A: Send + Sync + 'static>(
    study: &Study<C, A>,
    composes: bool,
    begun_with: Option<&str>,
) -> Box<dyn Acceptor> {
    let policies: [Box<dyn Acceptor>; 3] =
        [Box::new(Scout::new()), Box::new(Factorial::new()), Box::new(Guarded::new())];
    let setup = study.settings.setup(composes);
    // A certificate takes 72 runs or more: with few runs there is hardly any scouting before it.
    let scouting_pays = setup.runs.is_none_or(|runs| runs >= SCOUTING_PAYS);
    let suits = |policy: &dyn Acceptor, i: usize| policy.check(&setup).is_ok() && (i > 0 || scouting_pays);
    let chosen = policies
        .iter()
        .position(|policy| begun_with == Some(policy.describe().as_str()))
        .or_else(|| policies.iter().enumerate().position(|(i, policy)| suits(&**policy, i)));
    // Where none suits, Guarded says why.
    policies.into_iter().nth(chosen.unwrap_or(2)).unwrap_or_else(|| Box::new(Guarded::new()))
}

/// With fewer runs Factorial gains as much in simulation, or more.
const SCOUTING_PAYS: u64 = 150;

fn check<C: Candidate, A: Send + Sync + 'static>(study: &Study<C, A>) -> Result<(), StateError> {
    let missing = |what: &str, method: &str| {
        let why = format!("there are rules for the {what}, and no evaluator for it; call `.{method}(…)`");
        Err(StateError::Settings(why))
    };
    if study.settings.holdout.is_some() && study.holdout.is_none() {
        return missing("holdout", "holdout");
    }
    if study.curation.is_none() && study.people.is_there() {
        let why = "people are to act on the backlog, and there is none; call `.curate(…)`";
        return Err(StateError::Settings(why.into()));
    }
    if study.settings.test.is_some() && study.test.is_none() {
        return missing("test split", "test_split");
    }
    Ok(())
}

/// Where runs get their folders; the same after a restart.
pub(super) fn scratch<C: Candidate, A: Send + Sync + 'static>(study: &Study<C, A>, id: &str) -> PathBuf {
    let own = || std::env::temp_dir().join("autoresearch").join(id);
    // A folder of the user's may hold other things, and other studies: this one has its own in there.
    study.scratch.as_ref().map(|s| s.join(id)).or_else(|| study.store.scratch()).unwrap_or_else(own)
}

/// Unlike any other study's, for folders and displays; nothing is decided by it.
fn new_id() -> String {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    format!("{:012x}", crate::state::mix(nanos, u64::from(std::process::id())) >> 16)
}
