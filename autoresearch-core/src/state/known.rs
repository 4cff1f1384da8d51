//! What is known already: ideas are recognised by what they change and to what, wherever they are made.

use super::idea::IdeaState;
use super::{StudyState, mix};
use crate::arm::{ProposalId, Version};
use crate::candidate::Candidate;
use crate::compose::{Compose, Level, is_seed};
use crate::propose::{Fate, Proposal};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How many of the latest ideas are compared word by word.
const WORDY: usize = 256;

/// By what an idea is recognised.
pub(super) struct Traits {
    /// What it switches; nothing where that is not known.
    pub(super) keys: Vec<Arc<str>>,
    /// The same wherever it is made, as far as the composer can tell.
    print: u128,
    /// Whether it changes nothing but seeds.
    is_void: bool,
    /// Places on the scales of its keys; and all else that must be equal for it to be near another.
    places: Vec<f64>,
    frame: u128,
    words: BTreeSet<String>,
}

#[derive(Default)]
pub(super) struct Known {
    prints: HashMap<u128, ProposalId>,
    frames: HashMap<u128, Vec<(ProposalId, Vec<f64>)>>,
    wordy: VecDeque<(ProposalId, BTreeSet<String>)>,
    /// The keys of what was kept, by the version that it made.
    kept: Vec<(Version, Vec<Arc<str>>)>,
}

impl Known {
    pub(super) fn remember(&mut self, idea: ProposalId, traits: &Traits) {
        self.prints.insert(traits.print, idea);
        if !traits.places.is_empty() {
            self.frames.entry(traits.frame).or_default().push((idea, traits.places.clone()));
        } else if traits.keys.is_empty() {
            self.wordy.push_back((idea, traits.words.clone()));
            if self.wordy.len() > WORDY {
                self.wordy.pop_front();
            }
        }
    }

    pub(super) fn kept(&mut self, version: Version, keys: Vec<Arc<str>>) {
        self.kept.push((version, keys));
    }

    /// The latest idea that is the same, or near.
    fn find(&self, traits: &Traits, near: f64) -> Option<ProposalId> {
        if let Some(same) = self.prints.get(&traits.print) {
            return Some(*same);
        }
        if near <= 0.0 {
            return None;
        }
        let close = |places: &[f64]| places.iter().zip(&traits.places).all(|(a, b)| (a - b).abs() <= near);
        if !traits.places.is_empty() {
            let alike = self.frames.get(&traits.frame)?;
            return alike.iter().rev().find(|(_, places)| close(places)).map(|(idea, _)| *idea);
        }
        // A title of a word or two says too little to tell ideas apart.
        if !traits.keys.is_empty() || traits.words.len() < 4 {
            return None;
        }
        let alike = |words: &BTreeSet<String>| {
            let common = words.intersection(&traits.words).count() as f64;
            common >= (1.0 - near) * words.union(&traits.words).count() as f64
        };
        self.wordy.iter().rev().find(|(_, words)| alike(words)).map(|(idea, _)| *idea)
    }

    /// Whether something was kept after that version that switches one of these keys.
    fn meddled(&self, since: Version, keys: &[Arc<str>]) -> bool {
        let later = self.kept.iter().rev().take_while(|(version, _)| *version > since);
        later.flat_map(|(_, kept)| kept).any(|key| keys.contains(key))
    }
}

impl<C: Candidate> StudyState<C> {
    /// By what an idea is recognised, made on `parent`.
    pub(super) fn recognise(&self, parent: &C, idea: &Proposal<C>) -> Traits {
        let edited = &idea.candidate;
        let units = self.split(parent, edited);
        let value = |key: &str| {
            let asked = catch_unwind(AssertUnwindSafe(|| self.compose.as_ref()?.value(edited, key)));
            asked.ok().flatten()
        };
        let has_keys = units.iter().all(|unit| !unit.key.is_empty());
        let said: Option<Vec<(&str, Option<f64>, String)>> = units
            .iter()
            .filter(|unit| !is_seed(&unit.key))
            .map(|unit| {
                let place = match unit.level {
                    Some(Level::Number(place)) => Some(place),
                    _ => None,
                };
                value(&unit.key).map(|value| (unit.key.as_str(), place, value))
            })
            .collect();
        let mut traits = Traits {
            keys: Vec::new(),
            print: 0,
            is_void: false,
            places: Vec::new(),
            frame: 0,
            words: BTreeSet::new(),
        };
        if let Some(mut said) = said.filter(|_| has_keys) {
            said.sort_by(|a, b| a.0.cmp(b.0));
            traits.is_void = said.is_empty();
            let (mut print, mut frame) = (String::new(), String::new());
            for (key, place, value) in said {
                print += &format!("{key}={value}\n");
                match place {
                    Some(_) => frame += &format!("{key}\n"),
                    None => frame += &format!("{key}={value}\n"),
                }
                traits.places.extend(place);
                traits.keys.push(key.into());
            }
            (traits.print, traits.frame) = (fold(&print), fold(&frame));
        } else {
            // What it makes of the baseline is the same wherever it was made.
            let on_baseline = self.compose.as_ref().and_then(|compose| {
                let base = &*self.incumbents[0];
                catch_unwind(AssertUnwindSafe(|| compose.apply(base, parent, edited))).ok()?.ok()
            });
            traits.print = fold(&self.canonical(on_baseline.as_ref().unwrap_or(edited)));
            let text = format!("{} {}", idea.hypothesis.title, idea.hypothesis.change).to_lowercase();
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            traits.words = words.map(String::from).collect();
        }
        traits
    }

    /// What is known of an idea, and of which one it is known: then it is not tried again.
    pub(super) fn answer(
        &self,
        parent: &C,
        idea: &Proposal<C>,
        traits: &Traits,
    ) -> Option<(Option<ProposalId>, String)> {
        if traits.is_void
            || self.is_same(&idea.candidate, parent)
            || self.is_same(&idea.candidate, self.newest())
        {
            return Some((None, "it changes nothing but what leaves the candidate the same".into()));
        }
        let backlog = self.backlog.as_ref()?;
        let of = backlog.known.find(traits, backlog.rules.near)?;
        let earlier = backlog.ideas.get(&of)?;
        let found = match &earlier.state {
            IdeaState::Settled(_, Fate::Conflict) => return None,
            IdeaState::Settled(..) => {
                let moved = self.ledger.version.0.saturating_sub(earlier.settled.0);
                if earlier.near && moved >= backlog.rules.comes_back_after
                    || backlog.known.meddled(earlier.settled, &earlier.keys)
                {
                    return None;
                }
                earlier.found.clone()
            }
            // It applies again, or it would not have been made.
            IdeaState::Shelved(_)
                if !backlog.passed_over.contains(&of) && earlier.version != self.ledger.version =>
            {
                return None;
            }
            state => state.to_string(),
        };
        Some((Some(of), format!("as idea {}, {found}", of.0)))
    }

    /// Whether two candidates are the same but for what makes no difference.
    pub(super) fn is_same(&self, one: &C, other: &C) -> bool {
        self.canonical(one) == self.canonical(other)
    }

    fn canonical(&self, candidate: &C) -> String {
        let compose = self.compose.as_deref();
        let asked = catch_unwind(AssertUnwindSafe(|| compose.and_then(|c| Compose::canonical(c, candidate))));
        asked.ok().flatten().unwrap_or_else(|| format!("{candidate:?}"))
    }
}

/// A number for a text: that two texts have the same is next to impossible.
fn fold(text: &str) -> u128 {
    let (mut a, mut b) = (text.len() as u64, 71);
    for chunk in text.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        (a, b) = (mix(a, word), mix(b ^ word, a));
    }
    u128::from(a) << 64 | u128::from(b)
}
