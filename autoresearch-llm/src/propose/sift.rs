//! Which proposals of an answer can be used.

use super::digest::{self, signed};
use super::item::Item;
use super::memory::{Memory, print};
use crate::codec::{Codec, CodecError};
use crate::prompt::{cut, one_line, quote};
use autoresearch_core::{Candidate, Fate, Proposal, ProposeContext};
use serde_json::Value;
use std::collections::HashMap;

/// Characters of a change that are stored with a proposal.
const CHANGE: usize = 4000;

/// How a complaint about something that is not new ends.
pub(crate) const NOT_NEW: &str = "; propose something that has not been tried";

/// Knows what is not new.
pub(crate) struct Sieve<'a, C: Candidate> {
    codec: &'a dyn Codec<C>,
    memory: &'a Memory,
    cx: &'a ProposeContext<'a, C>,
    /// What is not in the memory: what stands, what is being judged, what this call has given.
    here: HashMap<u64, String>,
}

impl<'a, C: Candidate> Sieve<'a, C> {
    pub(crate) fn new(codec: &'a dyn Codec<C>, memory: &'a Memory, cx: &'a ProposeContext<'a, C>) -> Self {
        let mut here = HashMap::new();
        for pending in &cx.pending {
            let title = quote(&pending.hypothesis.title, 80);
            let print = print(&codec.identity(&pending.candidate));
            here.insert(print, format!("the same as {title}, which is being judged now"));
        }
        here.insert(print(&codec.identity(&cx.baseline)), "the same as the baseline".into());
        here.insert(
            print(&codec.identity(cx.incumbent)),
            "the same as what stands now: nothing changes".into(),
        );
        Self { codec, memory, cx, here }
    }

    /// Takes note of what this call has given already.
    pub(crate) fn note(&mut self, given: &Proposal<C>) {
        let print = print(&self.codec.identity(&given.candidate));
        self.here.insert(print, already(&given.hypothesis.title));
    }

    /// The proposal that an item is.
    ///
    /// # Errors
    /// It does not apply, or is not new; the text is for the model.
    pub(crate) fn take(&mut self, item: &Item) -> Result<Proposal<C>, String> {
        let base = self.cx.incumbent;
        let candidate = self.apply(&item.change).map_err(|e| {
            let end = if e.is_unchanged() { NOT_NEW } else { "" };
            format!("{}{end}", cut(&e.to_string(), CHANGE))
        })?;
        let print = print(&self.codec.identity(&candidate));
        let same = self.here.get(&print).cloned().or_else(|| self.tried(print));
        if let Some(same) = same {
            return Err(format!("it is {same}{NOT_NEW}"));
        }
        let difference = self.codec.difference(base, &candidate);
        let title = match item.title.as_str() {
            "" => one_line(difference.lines().next().unwrap_or("a change"), 120),
            title => title.into(),
        };
        self.here.insert(print, already(&title));
        let mut proposal = Proposal::new(candidate)
            .title(title)
            .changing(cut(difference.trim_end(), CHANGE))
            .rationale(item.rationale.as_str());
        if let Some(expected) = item.expected {
            proposal = proposal.expecting(expected);
        }
        Ok(item.tags.iter().fold(proposal, |proposal, tag| proposal.tag(tag.as_str())))
    }

    /// Applies a change; where it is text, perhaps the JSON that is written in it.
    fn apply(&self, change: &Value) -> Result<C, CodecError> {
        let applied = self.codec.apply(self.cx.incumbent, change);
        match (&applied, change) {
            (Err(_), Value::String(text)) => match serde_json::from_str::<Value>(text.trim()) {
                Ok(inner) if !inner.is_string() => self.codec.apply(self.cx.incumbent, &inner),
                _ => applied,
            },
            _ => applied,
        }
    }

    /// The earlier trial of the same candidate, and what became of it.
    fn tried(&self, print: u64) -> Option<String> {
        let known = self.memory.known(print)?;
        let record = self.cx.history.get(known.at).filter(|record| record.id == known.id);
        let title = record.map(|r| format!(" ({})", quote(&r.proposal.hypothesis.title, 80)));
        let effect = record.and_then(|r| r.effect).filter(|_| known.fate != Fate::HeldBack);
        let measured = match effect {
            Some(effect) => format!(", with an effect of {}", digest::effect(&effect)),
            None => {
                known.mean.map_or_else(String::new, |mean| format!(", with an effect of {}", signed(mean)))
            }
        };
        let became = match known.fate {
            Fate::Kept => "kept",
            Fate::Rejected => "found not better",
            Fate::HeldBack => "held back",
            Fate::SetAside => "set aside and may be taken up again",
            Fate::Undecided => "left undecided",
            Fate::Failed => "tried and failed to run",
            Fate::Conflict => "tried and did not apply any more",
            Fate::Revoked => "kept and then taken back",
            _ => "judged",
        };
        Some(format!("the same as {}{}, which was {became}{measured}", known.id, title.unwrap_or_default()))
    }
}

fn already(title: &str) -> String {
    format!("the same as {}, which you have proposed already", quote(title, 80))
}
