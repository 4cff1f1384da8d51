//! Edits in plain text: search/replace blocks, diffs, and whole files in fences.

use super::op::Op;
use super::read_diff;
use super::scope::Scope;
use crate::codec::hint::cut;

/// Lines `=======` in one block that are tried as its divider.
const DIVIDERS: usize = 16;

/// All edits of a text, in any mixture. What is around them is prose. They are of the file `within`, where that is given.
pub(super) fn ops(text: &str, scope: &Scope<'_>, within: Option<&str>) -> Result<Vec<Op>, String> {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    let mut reader =
        Reader { lines: &lines, scope, path: within.map(Into::into), open: None, done: 0, out: Vec::new() };
    let mut at = 0;
    while at < lines.len() {
        at = reader.step(at)?;
    }
    if reader.out.is_empty() {
        return Err(format!(
            "there is no edit in {:?}; write search/replace blocks, a unified diff, or whole files in fences that begin \
             with ```path",
            cut(text.trim(), 80)
        ));
    }
    match within.and_then(|path| Some((path, elsewhere(&reader.out, path)?))) {
        None => Ok(reader.out),
        Some((path, other)) => Err(format!(
            "the edit of `{}` holds one of `{}`: name each file with its own edits",
            cut(path, 120),
            cut(other, 120)
        )),
    }
}

/// A file that the edits are of and that is not this one.
fn elsewhere<'o>(ops: &'o [Op], this: &str) -> Option<&'o str> {
    ops.iter().find_map(|op| {
        let names = match op {
            Op::Replace { path, .. } | Op::Write { path, .. } | Op::Delete { path } => [Some(path), None],
            Op::Diff { old, new, .. } => [new.as_ref(), old.as_ref()],
        };
        // One side of a diff may have a prefix, and be nothing.
        let mut names = names.into_iter().flatten().map(String::as_str);
        if names.clone().any(|name| name == this) { None } else { names.next() }
    })
}

struct Reader<'a> {
    lines: &'a [&'a str],
    scope: &'a Scope<'a>,
    /// The file that was named last.
    path: Option<String>,
    /// Backticks of the fence that is being read in.
    open: Option<usize>,
    /// The line after the last edit.
    done: usize,
    out: Vec<Op>,
}

impl<'a> Reader<'a> {
    fn line(&self, at: usize) -> &'a str {
        self.lines.get(at).copied().unwrap_or_default()
    }

    /// Reads what begins at this line; gives the line after it.
    fn step(&mut self, at: usize) -> Result<usize, String> {
        let line = self.line(at);
        if is_search(line) {
            return self.block(at);
        }
        if read_diff::begins(self.lines, at) {
            let unnamed = if read_diff::is_hunk(line) { self.path_above(at)? } else { None };
            let (op, after) = read_diff::file(self.lines, at, unnamed)?;
            if let Some(Op::Diff { old, new, .. }) = &op {
                self.path = new.clone().or(old.clone());
            }
            self.out.extend(op);
            self.done = after;
            return Ok(after);
        }
        if let Some((ticks, info)) = fence(line) {
            if info.is_empty() && self.open.take_if(|open| ticks >= *open).is_some() {
                return Ok(at + 1); // its end
            }
            return self.fenced(at, ticks, info.to_string());
        }
        Ok(at + 1)
    }

    /// A fence: a whole file, if it names one and holds no edits; prose, if it names none.
    fn fenced(&mut self, at: usize, ticks: usize, info: String) -> Result<usize, String> {
        let named = self.path_of_info(&info);
        let in_info = named.is_some();
        let named = named.or_else(|| self.path_before(at));
        let rest = self.lines.get(at + 1..).unwrap_or_default();
        let indent = |line: &str| line.len() - line.trim_start().len();
        let closes = |line: &&str| {
            indent(line) == indent(self.line(at))
                && fence(line).is_some_and(|(n, more)| n >= ticks && more.is_empty())
        };
        let length = rest.iter().position(closes);
        let body = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        // In a file, edits stand at its head, below their path perhaps; further down they are a text about edits.
        let looked_at = if named.is_some() { 2 } else { usize::MAX };
        let mut head = (0..body.len()).filter(|i| !body[*i].trim().is_empty()).take(looked_at);
        let edits = head.any(|i| is_search(body[i]) || read_diff::begins(body, i));
        if edits {
            self.path = named.or(self.path.take());
            self.open = Some(ticks);
            return Ok(at + 1);
        }
        match (named, length) {
            (Some(path), Some(length)) => {
                let text = whole(body);
                let after = at + length + 2;
                // Below a path, what is no whole file may be a passage of it.
                let sure = in_info || self.scope.whole;
                match (self.scope.text)(&path).filter(|now| !sure && !now.is_empty()) {
                    // Of the file as it is: the edits of it come below.
                    Some(now) if is_passage(&now, body) => self.path = Some(path),
                    Some(_) => {
                        return Err(format!(
                            "the fence below `{0}` is neither named as a whole file nor a passage that is in it: begin it with \
                             ```{0} if it is all of the file, and write a search/replace block or a diff if it is a part",
                            cut(&path, 120)
                        ));
                    }
                    None => {
                        self.out.push(Op::Write { path, text });
                    }
                }
                self.done = after;
                Ok(after)
            }
            (Some(path), None) => {
                Err(format!("the fence with the text of `{path}` is never closed: the answer may be cut off"))
            }
            (None, length) => Ok(at + length.unwrap_or(rest.len()) + 2),
        }
    }

    /// The path in a fence's first line: "```src/a.py", "```python src/a.py", "```python:src/a.py", "title=…".
    fn path_of_info(&self, info: &str) -> Option<String> {
        let clean = |word: &str| {
            let word = word.trim_matches(['"', '\'', '`', '{', '}']);
            word.strip_prefix("./").unwrap_or(word).to_string()
        };
        let parts = || info.split_whitespace();
        let tagged = parts().filter_map(|word| word.split_once([':', '=']).map(|(_, rest)| rest));
        let words: Vec<String> = tagged.chain(parts()).chain([info]).map(clean).collect();
        let there = words.iter().find(|word| self.scope.has(word));
        there.or_else(|| words.iter().find(|word| self.scope.path_like(word))).cloned()
    }

    /// The path in the nearest line above that says anything.
    fn path_before(&self, at: usize) -> Option<String> {
        let above = (self.done..at).rev().take(4).map(|i| self.line(i));
        let mut said =
            above.filter(|line| !line.trim().is_empty() && fence(line).is_none_or(|(_, i)| !i.is_empty()));
        let line = said.next()?;
        match fence(line) {
            Some((_, info)) => self.path_of_info(info).or_else(|| self.scope.path_in(said.next()?)),
            None => self.scope.path_in(line),
        }
    }

    fn block(&mut self, at: usize) -> Result<usize, String> {
        let beside = self.line(at).trim_start_matches('<').trim().trim_start_matches("SEARCH").trim();
        let named = Some(beside).filter(|word| self.scope.path_like(word)).map(Into::into);
        let path = if named.is_some() { named } else { self.path_above(at)? };
        let Some(path) = path else {
            return Err(format!(
                "the search/replace block at line {} names no file: put its path on the line before `<<<<<<< SEARCH`",
                at + 1
            ));
        };
        let rest = self.lines.get(at + 1..).unwrap_or_default();
        let Some(length) = rest.iter().position(|line| is_end(line)) else {
            return Err(format!(
                "the search/replace block for `{path}` is never closed by `>>>>>>> REPLACE`: the answer may be cut off"
            ));
        };
        let body = rest.get(..length).unwrap_or_default();
        let dividers: Vec<usize> = (0..body.len()).filter(|i| is_divider(body[*i])).collect();
        if dividers.len() > DIVIDERS {
            return Err(format!(
                "the search/replace block for `{path}` has {} lines `=======`, too many to tell which one divides it: give \
                 the edit as JSON",
                dividers.len()
            ));
        }
        if dividers.is_empty() {
            return Err(format!(
                "the search/replace block for `{path}` has no `=======` between the two texts"
            ));
        }
        let halves = dividers.iter().map(|d| {
            (whole(body.get(..*d).unwrap_or_default()), whole(body.get(d + 1..).unwrap_or_default()))
        });
        let readings = halves.collect();
        self.out.push(Op::Replace { path: path.clone(), readings, whole_lines: true });
        self.path = Some(path);
        self.done = at + length + 2;
        Ok(self.done)
    }

    /// The file of an edit that names none itself: the one on the line above, or the last one, or the only one; an error if
    /// the lines above speak of another than these.
    fn path_above(&self, at: usize) -> Result<Option<String>, String> {
        if let Some(path) = self.path_before(at) {
            return Ok(Some(path));
        }
        let Some(path) = self.path.clone().or_else(|| self.scope.only().map(Into::into)) else {
            return Ok(None);
        };
        let above = (self.done..at).rev().take(4).map(|i| self.line(i));
        // The nearest line that speaks of any file.
        let told = above.filter(|line| !line.trim().is_empty()).find_map(|line| {
            let (other, this) = (self.scope.other_in(line, &path), self.scope.other_in(line, ""));
            other.map(Some).or(this.map(|_| None))
        });
        match told.flatten() {
            None => Ok(Some(path)),
            Some(other) => Err(format!(
                "the edit at line {} names no file, and the text before it speaks of `{}` rather than `{}`: put the path of \
                 its file alone on the line before it",
                at + 1,
                cut(other, 120),
                cut(&path, 120)
            )),
        }
    }
}

/// Whether these are lines of the file, one after the other, with any indentation.
fn is_passage(text: &str, lines: &[&str]) -> bool {
    let clean = |line: &str| line.trim().to_string();
    let blank = |line: &&&str| line.trim().is_empty();
    let first = lines.iter().take_while(blank).count();
    let last = lines.len() - lines.iter().rev().take_while(blank).count();
    let wanted: Vec<String> = lines.get(first..last).unwrap_or_default().iter().map(|l| clean(l)).collect();
    let there: Vec<String> = text.lines().map(clean).collect();
    wanted.is_empty() || there.windows(wanted.len()).any(|passage| passage == wanted)
}

fn whole(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// The number of backticks and what follows them.
pub(super) fn fence(line: &str) -> Option<(usize, &str)> {
    let line = line.trim();
    let ticks = line.len() - line.trim_start_matches('`').len();
    let info = line.get(ticks..).unwrap_or_default().trim();
    (ticks >= 3 && !info.contains('`')).then_some((ticks, info))
}

fn run(line: &str, of: char) -> Option<&str> {
    let rest = line.trim_start_matches(of);
    (5..=9).contains(&(line.len() - rest.len())).then(|| rest.trim())
}

fn is_search(line: &str) -> bool {
    run(line, '<').is_some_and(|rest| rest.starts_with("SEARCH"))
}

fn is_divider(line: &str) -> bool {
    line.trim_end() == "======="
}

fn is_end(line: &str) -> bool {
    run(line, '>').is_some_and(|rest| rest.is_empty() || rest.starts_with("REPLACE"))
}
