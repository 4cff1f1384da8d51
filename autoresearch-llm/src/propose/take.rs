//! Takes what can be used of an answer; explains the rest to the history and to the model.

use super::item::Item;
use super::read::{Found, find, without_thoughts};
use super::sift::{NOT_NEW, Sieve};
use super::talk::Talk;
use crate::chat::{ChatReply, Finish};
use crate::prompt::{cut, one_line, quote};
use autoresearch_core::{Candidate, Proposal, ProposeError};
use serde_json::Value;

/// Characters of an answer that are sent back with the complaints about it.
const SAID: usize = 8000;
/// Characters of what cannot be used that the history quotes, and of the reason.
const QUOTED: usize = 240;
const WHY: usize = 400;
/// How many parts of an answer the history explains one by one, and how many are sent back, with so much of the reason.
const EXPLAINED: usize = 50;
const SENT_BACK: usize = 8;
const WHY_BACK: usize = 1200;
/// How much more an answer may take than was planned, where it is cut off before it says anything.
const GROWTH: u32 = 4;
/// How many proposals of a call are taken at least, where there are more than were asked for.
const AT_LEAST: usize = 16;

/// How many calls begin with a part of what may be changed after one that could not get away from what was tried.
const NARROW: u32 = 4;

/// What cannot be used, and why.
struct Complaint {
    /// Which part of the answer.
    what: String,
    why: String,
    /// What it says.
    said: String,
}

type Labelled<C> = (String, Proposal<C>);

impl<C: Candidate> Talk<'_, C> {
    /// Takes what can be used of an answer, and says what is wrong with the rest.
    pub(super) async fn take(&mut self, reply: &ChatReply) -> Vec<String> {
        let before = self.made.len();
        let (fresh, mut complaints) = self.sort(reply);
        let fresh = self.criticise(fresh, &mut complaints).await;
        let most = (GROWTH as usize * self.target).max(AT_LEAST);
        for (what, proposal) in fresh {
            if self.made.len() < most {
                self.made.push(proposal);
            } else {
                let why = format!("{most} proposals of one call are the most that are taken");
                complaints.push(Complaint { what, why, said: proposal.hypothesis.title });
            }
        }
        let (name, answer) = (self.name().to_string(), self.answers);
        let few = complaints.iter().take(EXPLAINED);
        for Complaint { what, why, said } in few {
            let (why, said) = (one_line(why, WHY), quote(said, QUOTED));
            self.cx.remark(format!("{name}, answer {answer}: {what} is not used: {why}. It says {said}"));
        }
        // A model that went round in circles: hundreds of entries that say the same.
        let rest = complaints.get(EXPLAINED..).unwrap_or_default();
        if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
            let (n, first, last) = (rest.len(), &first.what, &last.what);
            self.cx
                .remark(format!("{name}, answer {answer}: {n} more, {first} to {last}, are not used either"));
        }
        if let Some(complaint) = complaints.last() {
            self.last = format!("{}: {}", complaint.what, complaint.why);
        }
        let nothing = self.made.len() == before;
        let repeats = nothing && complaints.iter().all(|complaint| complaint.why.ends_with(NOT_NEW));
        self.stuck = repeats && std::mem::replace(&mut self.repeats, repeats);
        self.repeats = repeats;
        if reply.finish == Finish::Length && nothing {
            self.short = true;
            self.grow();
        }
        let more = complaints.len().saturating_sub(SENT_BACK);
        let said = |complaint: &Complaint| format!("{}: {}", complaint.what, cut(&complaint.why, WHY_BACK));
        let mut back: Vec<String> = complaints.iter().take(SENT_BACK).map(said).collect();
        if more > 0 {
            back.push(format!("{more} more of the kind"));
        }
        back
    }

    /// Tells what can be used from what cannot.
    fn sort(&self, reply: &ChatReply) -> (Vec<Labelled<C>>, Vec<Complaint>) {
        let codec = &*self.own.codec;
        let mut sieve = Sieve::new(codec, &self.own.memory, self.cx);
        self.made.iter().for_each(|proposal| sieve.note(proposal));
        let whole = |why: String| Complaint { what: "the answer".into(), why, said: reply.text.clone() };
        let text = without_thoughts(&reply.text);
        let plain = || (codec.takes_text() && reply.finish != Finish::Refusal).then(|| Item::plain(text));
        let (items, why) = match find(&reply.text, "proposals", "change") {
            Found::Entries(entries, cut_off) => {
                let (fresh, mut complaints) = each(&mut sieve, &entries);
                // JSON within a change that is plain text can look like an entry.
                if fresh.is_empty()
                    && !text.starts_with(['{', '['])
                    && let Some(proposal) = plain().and_then(|item| sieve.take(&item).ok())
                {
                    return (vec![("the answer".into(), proposal)], Vec::new());
                }
                if cut_off {
                    complaints.push(broken(reply, entries.len()));
                } else if entries.is_empty() {
                    complaints.push(whole("its list of proposals is empty".into()));
                }
                return (fresh, complaints);
            }
            Found::Bare(change) => (plain().into_iter().chain([Item::bare(change)]).collect(), ""),
            Found::Text(_) => (plain().into_iter().collect(), no_proposals(&reply.finish)),
            Found::Nothing => (Vec::new(), nothing(&reply.finish)),
        };
        let mut errors = Vec::new();
        for item in &items {
            match sieve.take(item) {
                Ok(proposal) => return (vec![("the answer".into(), proposal)], Vec::new()),
                Err(error) => errors.push(error),
            }
        }
        (Vec::new(), vec![whole(errors.pop().unwrap_or_else(|| why.into()))])
    }

    /// Has the critic look at what can be used.
    async fn criticise(
        &mut self,
        fresh: Vec<Labelled<C>>,
        complaints: &mut Vec<Complaint>,
    ) -> Vec<Labelled<C>> {
        let Some(critic) = self.own.critic.as_mut().filter(|_| !fresh.is_empty()) else { return fresh };
        let (labels, proposals): (Vec<String>, Vec<Proposal<C>>) = fresh.into_iter().unzip();
        let brief = self.user.as_ref().map_or("", |(text, _)| text);
        let mut opinions = match critic.judge(self.cx, brief, &proposals).await {
            Ok(opinions) => opinions,
            Err(error) => {
                let error = one_line(&error.to_string(), WHY);
                self.cx.remark(format!(
                    "the critic failed, so all {} proposals are kept: {error}",
                    proposals.len()
                ));
                Vec::new()
            }
        }
        .into_iter();
        let mut kept = Vec::new();
        for (what, proposal) in labels.into_iter().zip(proposals) {
            match opinions.next().filter(|opinion| !opinion.keep) {
                Some(opinion) => {
                    let why = format!("a critic advises against it: {}", opinion.reason);
                    complaints.push(Complaint { what, why, said: proposal.hypothesis.title });
                }
                None => kept.push((what, proposal)),
            }
        }
        kept
    }

    /// Sends an answer back with what is wrong with it; where that has led to the
    /// same answer again, or to nothing new for the second time, begins anew.
    pub(super) fn send_back(&mut self, reply: &ChatReply, complaints: &[String]) -> Result<(), ProposeError> {
        let missing = self.target.saturating_sub(self.made.len()).max(1);
        let wanted = if self.short { 1 } else { missing };
        let back = self.own.templates.say_repair(complaints, self.made.len(), wanted, self.short);
        let back = back.map_err(|e| ProposeError::new(e.to_string()))?;
        let said = match without_thoughts(&reply.text) {
            "" => "…".into(), // no API takes an empty message
            said => cut(said, SAID),
        };
        if self.stuck
            || (self.repeats && self.focus.is_some())
            || self.turns.last().is_some_and(|(before, _)| *before == said)
        {
            // Small models copy what they see: what was said stands in the way of anything else.
            self.turns.clear();
            self.heat += 1;
            self.narrow();
            if self.focus.is_some() {
                self.own.learned.narrow = NARROW;
            }
        } else {
            self.turns.push((said, back));
        }
        Ok(())
    }

    /// Allows longer answers, where that is not much more than was planned.
    fn grow(&mut self) {
        let planned = self.planned_answer();
        let window = self.own.model.window().map_or(u32::MAX, |window| window / 2);
        let most = self.own.learned.answer_limit.unwrap_or(u32::MAX).min(window);
        let more = self.answer_tokens.saturating_mul(2).min(planned.saturating_mul(GROWTH)).min(most);
        if more > self.answer_tokens {
            self.answer_tokens = more;
            self.own.learned.answer_tokens = Some(more);
        }
    }
}

/// Looks at each entry of an envelope.
fn each<C: Candidate>(sieve: &mut Sieve<'_, C>, entries: &[Value]) -> (Vec<Labelled<C>>, Vec<Complaint>) {
    let (mut fresh, mut complaints) = (Vec::new(), Vec::new());
    for (i, entry) in entries.iter().enumerate() {
        let what = format!("proposal {} of {}", i + 1, entries.len());
        match Item::read(entry).and_then(|item| sieve.take(&item)) {
            Ok(proposal) => fresh.push((what, proposal)),
            Err(why) => complaints.push(Complaint { what, why, said: entry.to_string() }),
        }
    }
    (fresh, complaints)
}

/// An answer that is cut off or not valid JSON, after so many entries.
fn broken(reply: &ChatReply, entries: usize) -> Complaint {
    let what = if entries == 0 { "the answer" } else { "the rest of the answer" };
    let why = match reply.finish {
        Finish::Length => "it is cut off, since it is too long",
        _ => "it is not valid JSON from there on",
    };
    Complaint { what: what.into(), why: why.into(), said: reply.text.clone() }
}

fn no_proposals(finish: &Finish) -> &'static str {
    match finish {
        Finish::Refusal => "the model refuses",
        Finish::Length => "it is too long and cut off before any proposal",
        _ => "it holds no JSON object with a list of proposals",
    }
}

fn nothing(finish: &Finish) -> &'static str {
    match finish {
        Finish::Refusal => "the model refuses, and does not say why",
        Finish::Length => "it is cut off before it says anything: all of it may have been thinking",
        _ => "it is empty",
    }
}
