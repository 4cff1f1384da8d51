//! Edits in plain text: search/replace blocks, diffs, and whole files in fences.

use super::op::Op;
use super::read_diff;
use super::scope::Scope;
use crate::codec::hint::cut;

/// All edits of a text, in any mixture. What is around them is prose.
pub(super) fn ops(text: &str, scope: &Scope<'_>) -> Result<Vec<Op>, String> {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    let mut reader = Reader { lines: &lines, scope, path: None, open: None, out: Vec::new() };
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
    Ok(reader.out)
}

struct Reader<'a> {
    lines: &'a [&'a str],
    scope: &'a Scope<'a>,
    /// The file that was named last.
    path: Option<String>,
    /// Backticks of the fence that is being read in.
    open: Option<usize>,
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
            let unnamed = self.path.clone().or_else(|| self.scope.only().map(Into::into));
            let (op, after) = read_diff::file(self.lines, at, unnamed)?;
            self.out.extend(op);
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
        let named = self.path_of_info(&info).or_else(|| self.path_before(at));
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
                self.out.push(Op::Write { path, text });
                Ok(at + length + 2)
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
        let above = (0..at).rev().take(4).map(|i| self.line(i));
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
        let path = named.or_else(|| self.path_before(at)).or_else(|| self.path.clone());
        let Some(path) = path.or_else(|| self.scope.only().map(Into::into)) else {
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
        Ok(at + length + 2)
    }
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
