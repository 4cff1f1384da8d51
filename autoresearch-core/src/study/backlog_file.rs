//! The backlog as one plain file: what people change in it is told from what the study wrote there itself.

use crate::arm::ProposalId;
use crate::candidate::Candidate;
use crate::curate::{Listed, Listing, Wanted};
use crate::propose::Proposal;
use crate::state::{BacklogEntry, IdeaState, Move, StudyState};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// It is written no more often than this, but at the end.
const PAUSE: Duration = Duration::from_secs(1);
/// Of those that are shelved, so many of the latest are listed.
const SHELVED: usize = 100;

type Read<C> = dyn Fn(&C, &Value) -> Result<C, String> + Send + Sync;

pub(crate) struct BacklogFile<C> {
    path: PathBuf,
    read: Arc<Read<C>>,
    /// What is in it, as far as the study knows: what it wrote, or what it read and refused.
    seen: Option<String>,
    /// What the study wrote.
    base: Option<Listing>,
    /// Somebody has to mend it.
    broken: bool,
    stale: bool,
    written: Option<Instant>,
}

impl<C: Candidate> BacklogFile<C> {
    pub(super) fn new(path: PathBuf, read: Arc<Read<C>>) -> Self {
        Self { path, read, seen: None, base: None, broken: false, stale: true, written: None }
    }

    pub(super) fn is_stale(&mut self) {
        self.stale = true;
    }

    /// Whether it holds something that the study has not seen, or is to be written by now.
    pub(super) fn has_changed(&self) -> bool {
        let is_due = self.stale && !self.broken && self.written.is_none_or(|at| at.elapsed() >= PAUSE);
        is_due || contents(&self.path) != self.seen
    }

    /// Takes what people changed, all of it or nothing.
    pub(super) fn hear(&mut self, state: &mut StudyState<C>) {
        let now = contents(&self.path);
        let (true, Some(text)) = (now != self.seen, &now) else { return };
        let base = self.base.clone().unwrap_or_else(|| listing(state));
        let wanted = Listing::read(text).and_then(|listing| {
            let wanted = listing.wanted(&base)?;
            let mut made = Vec::with_capacity(wanted.len());
            for (line, wanted) in wanted {
                made.push(match wanted {
                    Wanted::Move(idea, to) => Done::Move(idea, to),
                    Wanted::Add { change, hypothesis, pinned } => {
                        let candidate = (self.read)(state.incumbent(), &change);
                        let candidate = candidate.map_err(|why| format!("line {line}: {why}"))?;
                        let mut idea = Proposal::new(candidate);
                        idea.hypothesis = *hypothesis;
                        Done::Add(Box::new(idea), pinned)
                    }
                });
            }
            Ok((listing, made))
        });
        self.seen = now.clone();
        let (mut listing, made) = match wanted {
            Ok(wanted) => wanted,
            Err(why) => {
                self.broken = true;
                let what = format!("{} is not read, and changes nothing: {why}", self.path.display());
                tracing::warn!("{what}");
                return state.remarked(what);
            }
        };
        (self.broken, self.stale) = (false, true);
        let mut added = Vec::new();
        for done in made {
            let outcome = match done {
                Done::Move(idea, to) => state.move_idea(idea, to),
                Done::Add(idea, pinned) => state.add_idea(*idea).and_then(|id| {
                    added.push(id);
                    // What is known already does not wait, and cannot be pinned.
                    let waits = state.backlog().any(|e| e.id == id && e.state == IdeaState::New);
                    if pinned && waits { state.move_idea(id, Move::Pinned(true)) } else { Ok(()) }
                }),
            };
            if let Err(error) = outcome {
                state.remarked(format!("what {} says comes too late: {error}", self.path.display()));
            }
        }
        listing.adopt(&added);
        self.base = Some(listing);
    }

    /// Writes what there is, unless somebody has changed the file meanwhile: that is heard first. Between the last look and
    /// the moment when the new file takes the old one's place a change can still be lost; that is a few microseconds.
    pub(super) fn tell(&mut self, state: &StudyState<C>) {
        let is_over = !state.is_searching();
        let is_early = self.written.is_some_and(|at| at.elapsed() < PAUSE) && !is_over;
        if !self.stale || self.broken || is_early || contents(&self.path) != self.seen {
            return;
        }
        let mut listing = listing(state);
        if let Some(base) = &self.base {
            listing.keep_comments_of(base);
        }
        let text = listing.write();
        match replace(&self.path, &text) {
            Ok(()) => {
                self.seen = Some(text);
                self.base = Some(listing);
                self.stale = false;
            }
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the backlog cannot be written")
            }
        }
        self.written = Some(Instant::now());
    }
}

enum Done<C> {
    Move(ProposalId, Move),
    Add(Box<Proposal<C>>, bool),
}

fn contents(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Puts a text in a file's place, whole or not at all.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = std::fs::File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

/// What waits, by hand first and then as it came, what is shelved, what is vetoed.
fn listing<C: Candidate>(state: &StudyState<C>) -> Listing {
    let (mut waiting, mut shelved, mut vetoed) = (Vec::new(), Vec::new(), Vec::new());
    for entry in state.backlog() {
        match entry.state {
            IdeaState::New => waiting.push(entry),
            IdeaState::Shelved(_) => shelved.push(entry),
            IdeaState::Vetoed(_) => vetoed.push(entry),
            _ => {}
        }
    }
    waiting.sort_by_key(|entry| (!entry.pinned, entry.place.unwrap_or(u64::MAX), entry.id));
    let latest = shelved.split_off(shelved.len().saturating_sub(SHELVED));
    Listing::new(waiting.into_iter().chain(latest).chain(vetoed).map(listed).collect())
}

fn listed(entry: BacklogEntry) -> Listed {
    let (state, reason) = match entry.state {
        IdeaState::Shelved(why) => ("shelved", why),
        IdeaState::Vetoed(why) => ("vetoed", why),
        _ => ("new", String::new()),
    };
    Listed::new(entry.id, state, reason, entry.pinned, entry.hypothesis)
}

/// The incumbent with other values in the fields that `change` names.
pub(crate) fn changed_fields<C: Serialize + DeserializeOwned>(
    incumbent: &C,
    change: &Value,
) -> Result<C, String> {
    let mut value = serde_json::to_value(incumbent).map_err(|error| error.to_string())?;
    put(&mut value, change, "")?;
    serde_json::from_value(value).map_err(|error| format!("`change` makes no candidate: {error}"))
}

fn put(value: &mut Value, change: &Value, path: &str) -> Result<(), String> {
    match (value, change) {
        (Value::Object(fields), Value::Object(changes)) => changes.iter().try_for_each(|(name, change)| {
            let field = fields.get_mut(name);
            let field = field.ok_or_else(|| format!("`change` names {path}{name}, which is no field"))?;
            put(field, change, &format!("{path}{name}."))
        }),
        (value, change) => {
            value.clone_from(change);
            Ok(())
        }
    }
}
