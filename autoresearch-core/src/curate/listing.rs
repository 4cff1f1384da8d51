//! The backlog in TOML: written for people, and read for what they changed.

use crate::arm::ProposalId;
use crate::propose::{Hypothesis, Source};
use crate::state::Move;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use toml::Spanned;

/// What the study says in the file; its own comments begin with `#=`.
const HEAD: &str = "\
#= What waits to be tried, kept up to date by the study; your changes are read while it runs.
#=   reorder: move an [[idea]] up or down; all down to the last that was moved are tried in this order
#=   pinned = true: next; state = \"vetoed\" or \"shelved\" with a reason: not, or not now; \"new\": waits again
#=   expected, spread, kept: the expected improvement, its standard deviation, the probability of being kept
#=   add: an [[add]] table with title and change = { field = value }; by, rationale, tags, pinned, cost and the above
#= Comments on lines of their own stay with the table below them. Deleting a table changes nothing.
";

/// One idea as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed {
    id: ProposalId,
    state: String,
    reason: String,
    pinned: bool,
    hypothesis: Hypothesis,
}

impl Listed {
    pub(crate) fn new(
        id: ProposalId,
        state: &str,
        reason: String,
        pinned: bool,
        hypothesis: Hypothesis,
    ) -> Self {
        Self { id, state: state.into(), reason, pinned, hypothesis }
    }
}

/// What somebody wants.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    Move(ProposalId, Move),
    Add { change: Value, hypothesis: Box<Hypothesis>, pinned: bool },
}

/// The file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Listing {
    ideas: Vec<(usize, Listed)>,
    added: Vec<(usize, Wanted)>,
    /// People's comments, by the idea that they are about; and those about none.
    comments: BTreeMap<ProposalId, Vec<String>>,
    /// The same of what is added, in order.
    on_added: Vec<Vec<String>>,
    others: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    idea: Vec<Spanned<IdeaTable>>,
    #[serde(default)]
    add: Vec<Spanned<AddTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdeaTable {
    id: u64,
    /// Told, not asked.
    #[serde(default, rename = "title")]
    _title: String,
    #[serde(default, rename = "by")]
    _by: String,
    state: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    pinned: bool,
    expected: Option<f64>,
    spread: Option<f64>,
    kept: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddTable {
    title: String,
    change: Value,
    by: Option<String>,
    #[serde(default)]
    rationale: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    pinned: bool,
    expected: Option<f64>,
    spread: Option<f64>,
    kept: Option<f64>,
    cost: Option<f64>,
}

impl Listing {
    pub(crate) fn new(ideas: Vec<Listed>) -> Self {
        Self { ideas: ideas.into_iter().map(|idea| (0, idea)).collect(), ..Self::default() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// With the line.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
        let document: Document = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            format!("line {}: {}", line(at), error.message())
        })?;
        let mut listing = Self::default();
        let (mut ids, mut starts) = (BTreeSet::new(), Vec::new());
        for table in document.idea {
            let at = line(table.span().start);
            let table = table.into_inner();
            let refuse = |why: &str| Err(format!("line {at}: {why}"));
            let id = ProposalId(table.id);
            if !ids.insert(id) {
                return refuse(&format!("idea {} is listed twice", id.0));
            }
            let state = table.state.unwrap_or_else(|| "new".into());
            match state.as_str() {
                "new" => {}
                "shelved" | "vetoed" if !table.reason.trim().is_empty() => {}
                "shelved" | "vetoed" => return refuse(&format!("an idea that is {state} has a `reason`")),
                _ => return refuse(&format!("`state` is new, shelved or vetoed, not {state}")),
            }
            check(table.expected, table.spread, table.kept).map_err(|why| format!("line {at}: {why}"))?;
            let (expected, spread, kept) = (table.expected, table.spread, table.kept);
            let hypothesis = Hypothesis { expected, spread, kept, ..Hypothesis::default() };
            starts.push((at, Some(id)));
            listing.ideas.push((at, Listed::new(id, &state, table.reason, table.pinned, hypothesis)));
        }
        for table in document.add {
            let at = line(table.span().start);
            let table = table.into_inner();
            let refuse = |why: String| Err(format!("line {at}: {why}"));
            check(table.expected, table.spread, table.kept).map_err(|why| format!("line {at}: {why}"))?;
            if table.title.trim().is_empty() {
                return refuse("an idea has a title".into());
            }
            if table.cost.is_some_and(|cost| !(cost.is_finite() && cost > 0.0)) {
                return refuse("`cost` is a positive number of runs".into());
            }
            let hypothesis = Hypothesis {
                title: table.title,
                rationale: table.rationale,
                expected: table.expected,
                spread: table.spread,
                kept: table.kept,
                tags: table.tags,
                source: Some(Source::person(table.by.unwrap_or_else(|| "somebody".into()))),
                cost: table.cost,
                ..Hypothesis::default()
            };
            let (change, pinned) = (table.change, table.pinned);
            starts.push((at, None));
            listing.added.push((at, Wanted::Add { change, hypothesis: Box::new(hypothesis), pinned }));
        }
        starts.sort_unstable();
        listing.take_comments(text, &starts);
        Ok(listing)
    }

    /// Comments on lines of their own belong to the table below them, or around them.
    fn take_comments(&mut self, text: &str, starts: &[(usize, Option<ProposalId>)]) {
        self.on_added = vec![Vec::new(); self.added.len()];
        let headers = starts.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        let (mut table, mut block): (Option<usize>, Vec<String>) = (None, Vec::new());
        let give = |this: &mut Self, table: Option<usize>, block: &mut Vec<String>| {
            let lines = block.drain(..);
            match table.and_then(|i| Some((i, starts.get(i)?.1))) {
                Some((_, Some(id))) => this.comments.entry(id).or_default().extend(lines),
                Some((i, None)) => {
                    let nth = starts.iter().take(i).filter(|(_, id)| id.is_none()).count();
                    this.on_added[nth].extend(lines);
                }
                None => this.others.extend(lines),
            }
        };
        for (number, line) in (1..).zip(text.lines()) {
            let trimmed = line.trim();
            if trimmed.starts_with("[[") {
                // A header's table begins at its line, or at the one below it.
                let next = headers.partition_point(|at| *at < number);
                table = (next < headers.len()).then_some(next);
                give(self, table, &mut block);
            } else if trimmed.starts_with('#') && !trimmed.starts_with("#=") {
                block.push(line.to_string());
            } else if !trimmed.is_empty() && !trimmed.starts_with('#') {
                give(self, table, &mut block);
            } else if table.is_none() && trimmed.is_empty() {
                give(self, None, &mut block);
            }
        }
        give(self, table, &mut block);
    }

    /// What somebody changed since `base` was written, with the lines.
    ///
    /// # Errors
    /// An idea is listed that there was not.
    pub(crate) fn wanted(&self, base: &Self) -> Result<Vec<(usize, Wanted)>, String> {
        let before: BTreeMap<ProposalId, &Listed> =
            base.ideas.iter().map(|(_, idea)| (idea.id, idea)).collect();
        let mut wanted = Vec::new();
        for (at, now) in &self.ideas {
            let Some(was) = before.get(&now.id) else {
                let id = now.id.0;
                return Err(format!(
                    "line {at}: there is no idea {id} here; what is new goes into an [[add]] table"
                ));
            };
            let mut want = |to: Move| wanted.push((*at, Wanted::Move(now.id, to)));
            let reason = now.reason.clone();
            match now.state.as_str() {
                "vetoed" if was.state != "vetoed" || was.reason != reason => want(Move::Vetoed { reason }),
                "shelved" if was.state != "shelved" || was.reason != reason => want(Move::Shelved { reason }),
                "new" if was.state != "new" => want(Move::Restored),
                _ => {}
            }
            if now.pinned != was.pinned {
                want(Move::Pinned(now.pinned));
            }
            let said = |h: &Hypothesis| (h.expected, h.spread, h.kept);
            let (expected, spread, kept) = said(&now.hypothesis);
            if said(&was.hypothesis) != (expected, spread, kept) {
                want(Move::Expected { expected, spread, kept });
            }
        }
        let new = |idea: &Listed| idea.state == "new";
        let here: BTreeSet<ProposalId> = self
            .ideas
            .iter()
            .filter(|(_, i)| new(i) && before.get(&i.id).is_some_and(|b| new(b)))
            .map(|(_, i)| i.id)
            .collect();
        let places: BTreeMap<ProposalId, usize> =
            base.ideas.iter().map(|(_, i)| i.id).filter(|id| here.contains(id)).zip(0..).collect();
        let order: Vec<(usize, ProposalId)> =
            self.ideas.iter().filter(|(_, i)| here.contains(&i.id)).map(|(at, i)| (*at, i.id)).collect();
        let places: Vec<usize> = order.iter().filter_map(|(_, id)| places.get(id).copied()).collect();
        for (place, (at, id)) in (0..).zip(order.into_iter().take(moved(&places))) {
            wanted.push((at, Wanted::Move(id, Move::Placed(Some(place)))));
        }
        wanted.extend(self.added.iter().cloned());
        Ok(wanted)
    }

    /// What was added has numbers now.
    pub(crate) fn adopt(&mut self, added: &[ProposalId]) {
        for (id, comments) in added.iter().zip(self.on_added.drain(..)) {
            self.comments.insert(*id, comments);
        }
        self.added.clear();
    }

    pub(crate) fn keep_comments_of(&mut self, base: &Self) {
        (self.comments, self.others) = (base.comments.clone(), base.others.clone());
    }

    /// The file's text.
    pub(crate) fn write(&self) -> String {
        let mut text = String::from(HEAD);
        for line in &self.others {
            _ = writeln!(text, "{line}");
        }
        for (_, idea) in &self.ideas {
            text.push('\n');
            for line in self.comments.get(&idea.id).into_iter().flatten() {
                _ = writeln!(text, "{line}");
            }
            let hypothesis = &idea.hypothesis;
            _ = writeln!(text, "[[idea]]\nid = {}\ntitle = {}", idea.id.0, quoted(&hypothesis.title));
            if let Some(source) = &hypothesis.source {
                _ = writeln!(text, "by = {}", quoted(&source.to_string()));
            }
            _ = writeln!(text, "state = {}", quoted(&idea.state));
            if !idea.reason.is_empty() {
                _ = writeln!(text, "reason = {}", quoted(&idea.reason));
            }
            if idea.pinned {
                text.push_str("pinned = true\n");
            }
            let numbers =
                [("expected", hypothesis.expected), ("spread", hypothesis.spread), ("kept", hypothesis.kept)];
            for (name, number) in numbers {
                if let Some(number) = number {
                    _ = writeln!(text, "{name} = {number:?}");
                }
            }
        }
        text
    }
}

fn check(expected: Option<f64>, spread: Option<f64>, kept: Option<f64>) -> Result<(), String> {
    if !expected.is_none_or(f64::is_finite) {
        return Err("`expected` is a finite number".into());
    }
    if !spread.is_none_or(|spread| spread.is_finite() && spread >= 0.0) {
        return Err("`spread` is a number of 0 or more".into());
    }
    if !kept.is_none_or(|kept| (0.0..=1.0).contains(&kept)) {
        return Err("`kept` is a probability, from 0 to 1".into());
    }
    Ok(())
}

/// How many from the first on cover all that are out of order: what is not in a longest increasing subsequence was moved.
fn moved(places: &[usize]) -> usize {
    // Patience sorting: of each length the place where the best subsequence of it ends, and who comes before whom.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; places.len()];
    for (i, place) in places.iter().enumerate() {
        let length = ends.partition_point(|&end| places[end] < *place);
        before[i] = length.checked_sub(1).map(|shorter| ends[shorter]);
        if length == ends.len() {
            ends.push(i);
        } else {
            ends[length] = i;
        }
    }
    let mut stayed = vec![false; places.len()];
    let mut at = ends.last().copied();
    while let Some(i) = at {
        stayed[i] = true;
        at = before[i];
    }
    stayed.iter().rposition(|stayed| !stayed).map_or(0, |last| last + 1)
}

/// A TOML string. JSON's escapes are TOML's, but for one character.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_moved_and_all_before_it_is_in_order() {
        assert_eq!(moved(&[0, 1, 2, 3]), 0);
        assert_eq!(moved(&[3, 0, 1, 2]), 1);
        assert_eq!(moved(&[1, 2, 0, 3]), 3);
        assert_eq!(moved(&[0, 3, 1, 2, 4]), 2);
        assert_eq!(moved(&[]), 0);
    }

    fn listing() -> Listing {
        let title =
            |title: &str| Hypothesis { title: title.into(), expected: Some(0.1), ..Hypothesis::default() };
        Listing::new(vec![
            Listed::new(ProposalId(1), "new", String::new(), false, title("a \"quote\"\n\u{7f} é")),
            Listed::new(ProposalId(2), "new", String::new(), true, title("b")),
            Listed::new(ProposalId(3), "vetoed", "no".into(), false, title("c")),
        ])
    }

    #[test]
    fn what_is_written_and_read_again_wants_nothing() {
        let written = listing();
        let read = Listing::read(&written.write()).expect("it is TOML");
        assert_eq!(read.wanted(&written), Ok(vec![]));
    }

    #[test]
    fn each_change_is_what_somebody_wants() {
        let base = listing();
        let text = base.write().replace("state = \"vetoed\"\nreason = \"no\"\n", "");
        let text = text
            .replacen("expected = 0.1", "# surely\nexpected = 0.5\nkept = 0.9", 1)
            .replace("pinned = true\n", "");
        let text = text + "\n# mine\n[[add]]\ntitle = \"d\"\nchange = { lr = 2 }\nby = \"Ada\"\n";
        let mut read = Listing::read(&text).expect("it is TOML");
        let wanted: Vec<Wanted> =
            read.wanted(&base).expect("ideas").into_iter().map(|(_, wanted)| wanted).collect();
        let expected = Move::Expected { expected: Some(0.5), spread: None, kept: Some(0.9) };
        assert_eq!(wanted[0], Wanted::Move(ProposalId(1), expected));
        assert_eq!(wanted[1], Wanted::Move(ProposalId(2), Move::Pinned(false)));
        assert_eq!(wanted[2], Wanted::Move(ProposalId(3), Move::Restored));
        assert!(
            matches!(&wanted[3], Wanted::Add { change, .. } if *change == serde_json::json!({ "lr": 2 }))
        );
        assert_eq!(wanted.len(), 4);
        // People's comments stay with what they are about.
        read.adopt(&[ProposalId(4)]);
        assert_eq!(read.comments[&ProposalId(1)], ["# surely"]);
        assert_eq!(read.comments[&ProposalId(4)], ["# mine"]);
    }

    #[test]
    fn what_is_broken_is_named_with_its_line() {
        let line = |text: &str| {
            let read = Listing::read(text).and_then(|read| read.wanted(&listing()));
            read.expect_err("refused").split(':').next().map(String::from)
        };
        for (text, at) in [
            ("[[idea]]\nid = 1\npinned = yes\n", 3),
            ("[[idea]]\nid = 1\n\n[[idea]]\nid = 1\n", 4),
            ("[[idea]]\nid = 1\npined = true\n", 3),
            ("\n\n[[idea]]\nid = 77\n", 3),
            ("[[idea]]\nid = 3\nstate = \"vetoed\"\n", 1),
            ("[[idea]]\nid = 3\nkept = 1.5\n", 1),
            ("# x\n[[add]]\ntitle = \"no change\"\n", 2),
        ] {
            assert_eq!(line(text), Some(format!("line {at}")), "{text}");
        }
    }
}
