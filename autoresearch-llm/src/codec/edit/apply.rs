//! Applies edits to a tree: all of them, or none.

use super::EditCodec;
use super::nearest::Effort;
use super::op::{Hunk, Op};
use super::place::{self, Splice};
use super::scope::Scope;
use super::text::Text;
use crate::codec::hint::{cut, did_you_mean};
use crate::tree::SourceTree;
use crate::tree::problem;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is to become of one file.
#[derive(Default)]
struct Wish {
    splices: Vec<Splice>,
    /// All of its text.
    whole: Option<String>,
    deleted: bool,
    /// The file whose text it begins with.
    from: Option<String>,
}

/// The files that change, with their new texts.
pub(super) fn apply<T: SourceTree>(
    codec: &EditCodec,
    base: &T,
    scope: &Scope<'_>,
    ops: Vec<Op>,
) -> Result<BTreeMap<String, Option<Arc<str>>>, String> {
    let mut work = Work { codec, base, scope, wishes: BTreeMap::new(), effort: Effort::default() };
    let (mut problems, mut more) = (Vec::new(), 0_usize);
    for problem in ops.into_iter().filter_map(|op| work.take(op).err()) {
        if problems.len() < PROBLEMS { problems.push(problem) } else { more += 1 }
    }
    if more > 0 {
        problems.push(format!("and {more} more edits cannot be made"));
    }
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    work.finish()
}

/// Edits whose problems are told.
const PROBLEMS: usize = 12;

struct Work<'a, T> {
    codec: &'a EditCodec,
    base: &'a T,
    scope: &'a Scope<'a>,
    wishes: BTreeMap<String, Wish>,
    effort: Effort,
}

impl<T: SourceTree> Work<'_, T> {
    fn take(&mut self, op: Op) -> Result<(), String> {
        match op {
            Op::Replace { path, readings, whole_lines } => self.replace(path, readings, whole_lines),
            Op::Write { path, text } => self.write(path, text),
            Op::Delete { path } => self.delete(path),
            Op::Diff { old, new, hunks } => self.diff(old, new, &hunks),
        }
    }

    /// Whether the path may be touched at all.
    fn allowed(&self, path: &str) -> Result<(), String> {
        let shown = cut(path, 120);
        if let Some(problem) = problem(path) {
            return Err(format!("`{shown}` is no path of a file here: {problem}"));
        }
        if (self.scope.editable)(path) {
            return Ok(());
        }
        let (there, editable) = (self.scope.has(path), self.codec.editable());
        let hint = did_you_mean(path, self.editable());
        match there {
            true => Err(format!("`{shown}` may not be edited; what may is {editable}")),
            false => {
                let hint = if hint.is_empty() { ".".into() } else { hint };
                Err(format!("there is no file `{shown}` that may be edited{hint} What may is {editable}"))
            }
        }
    }

    fn editable(&self) -> impl Iterator<Item = &str> {
        self.scope.editable_paths()
    }

    /// The text of a file that may be edited and is there.
    fn existing(&self, path: &str) -> Result<Arc<str>, String> {
        self.allowed(path)?;
        self.base.text(path).ok_or_else(|| {
            let hint = did_you_mean(path, self.editable());
            format!("there is no file `{}`{hint}", cut(path, 120))
        })
    }

    fn may_create(&self, path: &str) -> Result<(), String> {
        self.allowed(path)?;
        if self.codec.may_create() {
            return Ok(());
        }
        let hint = did_you_mean(path, self.editable());
        Err(format!("there is no file `{}`, and new files may not be made{hint}", cut(path, 120)))
    }

    /// What is wanted of a file; an error if all of it was decided already.
    fn wish(&mut self, path: &str, whole: bool) -> Result<&mut Wish, String> {
        let wish = self.wishes.entry(path.to_string()).or_default();
        let taken = wish.deleted || wish.whole.is_some() || wish.from.is_some();
        if taken || (whole && !wish.splices.is_empty()) {
            return Err(format!(
                "`{path}` is written, renamed or deleted as a whole and changed besides: do one of it"
            ));
        }
        Ok(wish)
    }

    fn replace(
        &mut self,
        path: String,
        readings: Vec<(String, String)>,
        whole_lines: bool,
    ) -> Result<(), String> {
        let blank = |of: fn(&(String, String)) -> &String| readings.iter().all(|r| of(r).is_empty());
        if blank(|r| &r.0) {
            let text = readings.into_iter().next().map(|(_, text)| text).unwrap_or_default();
            // An empty search: a new file, or all of an empty one; nothing for something: no file any more.
            return match self.base.text(&path) {
                Some(old) if !old.is_empty() && text.is_empty() => self.delete(path),
                Some(old) if !old.is_empty() => {
                    self.allowed(&path)?;
                    Err(format!(
                        "`{path}`: the search text is empty, but the file is not: quote what is to be replaced"
                    ))
                }
                _ => self.write(path, text),
            };
        }
        let stored = self.existing(&path)?;
        let splice = place::replace(&Text::new(&stored), &readings, whole_lines, &mut self.effort);
        let splice = splice.map_err(|e| format!("`{path}`: {e}"))?;
        self.wish(&path, false)?.splices.push(splice);
        Ok(())
    }

    fn write(&mut self, path: String, text: String) -> Result<(), String> {
        let text = match self.base.text(&path) {
            Some(old) => {
                self.allowed(&path)?;
                Text::new(&old).ended(&text.replace("\r\n", "\n"))
            }
            None => {
                self.may_create(&path)?;
                text
            }
        };
        self.wish(&path, true)?.whole = Some(text);
        Ok(())
    }

    fn delete(&mut self, path: String) -> Result<(), String> {
        self.existing(&path)?;
        if !self.codec.may_delete() {
            return Err(format!("`{path}`: files may not be deleted"));
        }
        self.wish(&path, true)?.deleted = true;
        Ok(())
    }

    fn diff(&mut self, old: Option<String>, new: Option<String>, hunks: &[Hunk]) -> Result<(), String> {
        let (from, to) = match (old, new) {
            (None, None) => return Err("a diff from /dev/null to /dev/null says nothing".into()),
            (None, Some(path)) => return self.make(path, hunks),
            (Some(path), None) => return self.delete(path),
            (Some(old), Some(new)) => (old, new),
        };
        // Names with a prefix on one side alone, or that begin with a/ in truth.
        let from = self.known(from, "a/");
        let to = if self.scope.has(&to) || from == to { to } else { self.renamed(&from, to) };
        let stored = self.existing(&from)?;
        let text = Text::new(&stored);
        let mut splices = Vec::new();
        let mut problems = Vec::new();
        for hunk in hunks {
            match place::hunk(&text, hunk, &mut self.effort) {
                Ok(splice) => splices.push(splice),
                Err(e) => problems.push(format!("`{from}`: {e}")),
            }
        }
        if !problems.is_empty() {
            return Err(problems.join("\n"));
        }
        if from == to {
            self.wish(&to, false)?.splices.extend(splices);
            return Ok(());
        }
        if self.base.text(&to).is_some() {
            return Err(format!("`{from}` cannot become `{to}`: there is such a file"));
        }
        self.may_create(&to)?;
        if !self.codec.may_delete() {
            return Err(format!("`{from}` cannot become `{to}`: files may not be renamed"));
        }
        self.wish(&from, true)?.deleted = true;
        let wish = self.wish(&to, true)?;
        (wish.splices, wish.from) = (splices, Some(from));
        Ok(())
    }

    fn known(&self, path: String, prefix: &str) -> String {
        match path.strip_prefix(prefix) {
            Some(rest) if !self.scope.has(&path) && self.scope.has(rest) => rest.into(),
            None if !self.scope.has(&path) && self.scope.has(&format!("{prefix}{path}")) => {
                format!("{prefix}{path}")
            }
            _ => path,
        }
    }

    fn renamed(&self, from: &str, to: String) -> String {
        match to.strip_prefix("b/") {
            Some(rest) if rest == from => rest.into(),
            // The old one had its prefix in truth: so has the new one.
            None if from.strip_prefix("a/").is_some_and(|rest| rest == to) => from.into(),
            _ => to,
        }
    }

    /// A new file: the new side of its hunks.
    fn make(&mut self, path: String, hunks: &[Hunk]) -> Result<(), String> {
        if self.base.text(&path).is_some_and(|text| !text.is_empty()) {
            self.allowed(&path)?;
            return Err(format!(
                "`{path}`: the diff makes a new file, but there is one: give a diff of what changes"
            ));
        }
        let mut text = String::new();
        for hunk in hunks {
            let splice =
                place::hunk(&Text::new(""), hunk, &mut self.effort).map_err(|e| format!("`{path}`: {e}"))?;
            text.push_str(&splice.text);
        }
        self.write(path, text)
    }

    fn finish(self) -> Result<BTreeMap<String, Option<Arc<str>>>, String> {
        let (mut out, mut problems) = (BTreeMap::new(), Vec::new());
        for (path, wish) in self.wishes {
            if wish.deleted {
                out.insert(path, None);
                continue;
            }
            let text = match wish.whole {
                Some(text) => text,
                None => {
                    let stored = self.base.text(wish.from.as_ref().unwrap_or(&path)).unwrap_or_default();
                    let text = Text::new(&stored);
                    match in_order(&text, wish.splices) {
                        Ok(splices) => text.spliced(splices.iter().map(|s| (&s.range, s.text.as_str()))),
                        Err(e) => {
                            problems.push(format!("`{path}`: {e}"));
                            continue;
                        }
                    }
                }
            };
            let (size, most) = (text.len(), self.codec.most_bytes());
            if size > most && self.base.text(&path).is_none_or(|old| old.len() < size) {
                problems.push(format!("`{path}` would be {size} bytes; at most {most} are allowed"));
            }
            if self.base.text(&path).as_deref() != Some(text.as_str()) {
                out.insert(path, Some(text.into()));
            }
        }
        match (problems.is_empty(), out.is_empty()) {
            (false, _) => Err(problems.join("\n")),
            (true, true) => Err("the change changes nothing: every file is left as it was".into()),
            (true, false) => Ok(out),
        }
    }
}

/// Sorted; none over another.
fn in_order(text: &Text<'_>, mut splices: Vec<Splice>) -> Result<Vec<Splice>, String> {
    splices.sort_by_key(|s| (s.range.start, s.range.end));
    splices.dedup(); // said twice
    for pair in splices.windows(2) {
        if let [a, b] = pair
            && (b.range.start < a.range.end || a.range == b.range)
        {
            let line = text.line_of(b.range.start) + 1;
            return Err(format!("two edits change the same text at line {line}: make one of them"));
        }
    }
    Ok(splices)
}
