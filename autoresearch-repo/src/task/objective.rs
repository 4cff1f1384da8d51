//! Where a number stands in what a command leaves behind.

use autoresearch_core::Direction;
use regex::Regex;
use serde::{Deserialize, Serialize};

/// Which of several places counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// There must be one; several are a failure that says so.
    #[default]
    Only,
    /// The last one, for programs that print their number again and again.
    Last,
}

/// Where a number stands: in a line, behind a key of a JSON object, in the group of a regular expression, or in a file; and,
/// for the objective, whether lower or higher is better.
///
/// ```
/// use autoresearch_repo::Objective;
/// let printed = Objective::line("val_bpb:").minimize();       // val_bpb: 0.9979
/// let json = Objective::json("accuracy").maximize();          // {"accuracy": 0.91, "values": [1, 0, 1]}
/// let found = Objective::regex(r"loss=(\S+)").take_last();
/// let file = Objective::file("result.json").key("val.bpb");   // {"val": {"bpb": 0.9979}}
/// ```
///
/// A JSON object that is a whole line (or a whole file) may bring more: `values`, one number a unit (document, task), with
/// `weights` and `clusters` as [`Measurement`](autoresearch_core::Measurement) has them, and other numbers, which become metrics.
/// With `values` the study can tell the split's own noise; the holdout needs them for that. The objective is then their weighted
/// mean, and a key that says otherwise is a failure.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table that says where the number stands, as in `{ line = \"loss:\", direction = \"minimize\" }`"
)]
pub struct Objective {
    /// What stands before the number in its line, such as `val_bpb:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The key of a JSON object that is a line of its own; dots lead into objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
    /// A regular expression with one group, which is the number; `^` and `$` are ends of lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// A file, relative to the folder of the run; with a key it is JSON, without one it has a number and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The key in the file; dots lead into objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Which of several places counts.
    pub take: Take,
    /// Whether lower or higher is better; of the objective it has to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
}

impl Objective {
    /// What stands behind these characters in a line of standard output.
    pub fn line(prefix: impl Into<String>) -> Self {
        Self { line: Some(prefix.into()), ..Self::default() }
    }

    /// The key of a JSON object that is a line of standard output.
    pub fn json(key: impl Into<String>) -> Self {
        Self { json: Some(key.into()), ..Self::default() }
    }

    /// The one group of a regular expression, in standard output.
    pub fn regex(expression: impl Into<String>) -> Self {
        Self { regex: Some(expression.into()), ..Self::default() }
    }

    /// A file that the command leaves in its folder.
    pub fn file(path: impl Into<String>) -> Self {
        Self { file: Some(path.into()), ..Self::default() }
    }

    /// The key in the file.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The last of several places counts.
    #[must_use]
    pub fn take_last(self) -> Self {
        Self { take: Take::Last, ..self }
    }

    /// Lower is better.
    #[must_use]
    pub fn minimize(self) -> Self {
        Self { direction: Some(Direction::Minimize), ..self }
    }

    /// Higher is better.
    #[must_use]
    pub fn maximize(self) -> Self {
        Self { direction: Some(Direction::Maximize), ..self }
    }

    /// Whether lower or higher is better; lower unless said.
    pub(crate) fn direction(&self) -> Direction {
        self.direction.unwrap_or_default()
    }

    /// The place, checked.
    ///
    /// # Errors
    /// In words: none or several places, an expression that is none or has another number of groups than one.
    pub(crate) fn place(&self) -> Result<Place, String> {
        let given = [&self.line, &self.json, &self.regex, &self.file];
        if given.iter().filter(|place| place.is_some()).count() != 1 {
            return Err("say one of `line`, `json`, `regex` and `file`: where does the number stand?".into());
        }
        if self.key.is_some() && self.file.is_none() {
            return Err(
                "`key` belongs to `file`; for a JSON object in a line say `json = \"the key\"`".into()
            );
        }
        if given.into_iter().chain([&self.key]).flatten().any(|text| text.trim().is_empty()) {
            return Err("an empty text finds nothing; say what stands there".into());
        }
        if let Some(prefix) = &self.line {
            return Ok(Place::Line(prefix.clone()));
        }
        if let Some(key) = &self.json {
            return Ok(Place::Json(key.clone()));
        }
        if let Some(expression) = &self.regex {
            let built = regex::RegexBuilder::new(expression).multi_line(true).build();
            let built = built.map_err(|why| format!("{expression:?} is no regular expression: {why}"))?;
            return match built.captures_len() {
                2 => Ok(Place::Regex(built)),
                n => Err(format!(
                    "{expression:?} has {} groups, and must have one: the number; `(?:…)` groups without counting",
                    n - 1
                )),
            };
        }
        let path = self.file.clone().unwrap_or_default();
        if let Some(problem) = autoresearch_llm::path_problem(&path) {
            return Err(format!("`{path}` is no path of a file of the run: {problem}"));
        }
        if path.contains(['*', '?', '[', ']', '{', '}']) {
            return Err(format!("`{path}` is a pattern; name one file"));
        }
        Ok(Place::File { path, key: self.key.clone() })
    }
}

/// Where to look.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Line(String),
    Json(String),
    Regex(Regex),
    File { path: String, key: Option<String> },
}
