//! Changes of source files.

mod apply;
mod nearest;
mod op;
mod place;
mod read_diff;
mod read_json;
mod read_text;
mod scope;
mod show;
mod text;

pub(crate) use show::difference as tree_difference;

use super::{Codec, CodecError};
use crate::tree::{Globs, SourceTree, TreeMerge};
use autoresearch_core::Compose;
use scope::Scope;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// Files that are too long to be shown and are named.
const UNSEEN: usize = 20;

/// In which form a model is asked for edits. Read is every one of them, whichever was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum EditFormat {
    /// Passages, each with what it becomes: short, and no line numbers to get wrong.
    #[default]
    SearchReplace,
    /// A unified diff.
    UnifiedDiff,
    /// Whole files, for small ones and small models.
    WholeFiles,
}

/// Changes of source files, for any [`SourceTree`], such as [`Files`](crate::Files).
///
/// Edits are read as JSON (`[{"file", "find", "replace"}]`, `[{"file", "text"}]`, a diff as a text) and as plain text:
/// search/replace blocks, unified diffs, whole files in fences that name them. All of an answer's edits are of the files as
/// they were shown, and all are made or none.
///
/// * A passage to be replaced must be in its file once. White space at the ends of lines may differ where that leaves one
///   place. Line numbers and counts of diffs may be wrong; hunks are found by their lines.
/// * Lines keep their ends (`\r\n` or `\n`), and a file without a newline at its end stays so unless the edit says otherwise.
/// * A fence that is a whole file names it in its first line (```` ```path ````). Below a line with a path alone it is one
///   only where whole files were asked for or the file is new: else it is taken for a quotation if it is one, and refused
///   if not. An edit below a line that speaks of another file than the last one named is refused, too.
/// * Only files that the globs name are changed. New files, deletions and renames are refused unless allowed.
///
/// ```
/// use autoresearch_llm::{Codec, EditCodec, Files};
/// use serde_json::json;
/// let base = Files::new([("train.py", "lr = 0.1\nsteps = 100\n"), ("eval.py", "print(loss)\n")])?;
/// let codec = EditCodec::new(["train.py"])?;
///
/// let changed = codec.apply(&base, &json!([{"file": "train.py", "find": "lr = 0.1", "replace": "lr = 0.3"}]))?;
/// assert_eq!(changed.get("train.py"), Some("lr = 0.3\nsteps = 100\n"));
///
/// let error = codec.apply(&base, &json!([{"file": "eval.py", "find": "loss", "replace": "0"}])).unwrap_err();
/// assert_eq!(error.to_string(), "`eval.py` may not be edited; what may is train.py");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct EditCodec {
    editable: Globs,
    shown: Option<Globs>,
    format: EditFormat,
    create: bool,
    delete: bool,
    most_bytes: usize,
    shown_bytes: usize,
    difference_bytes: usize,
}

impl EditCodec {
    /// Edits of the files that one of these globs matches: `train.py`, `src/**`, `*.rs`. `*` stays within a folder.
    ///
    /// # Errors
    /// A glob that is none.
    pub fn new<G: Into<String>>(editable: impl IntoIterator<Item = G>) -> Result<Self, CodecError> {
        Ok(Self {
            editable: Globs::new(editable).map_err(CodecError::new)?,
            shown: None,
            format: EditFormat::default(),
            create: false,
            delete: false,
            most_bytes: 1 << 20,
            shown_bytes: 48 << 10,
            difference_bytes: 2000,
        })
    }

    /// The form that is asked for (default: [`EditFormat::SearchReplace`]).
    #[must_use]
    pub fn format(mut self, format: EditFormat) -> Self {
        self.format = format;
        self
    }

    /// Allows new files, where the globs match. With [`deleting`](Self::deleting) files can be renamed too.
    #[must_use]
    pub fn creating(mut self) -> Self {
        self.create = true;
        self
    }

    /// Allows to delete files that may be edited.
    #[must_use]
    pub fn deleting(mut self) -> Self {
        self.delete = true;
        self
    }

    /// Shows these files to the model as well, though it may not edit them.
    ///
    /// # Errors
    /// A glob that is none.
    pub fn showing<G: Into<String>>(
        mut self,
        globs: impl IntoIterator<Item = G>,
    ) -> Result<Self, CodecError> {
        self.shown = Some(Globs::new(globs).map_err(CodecError::new)?);
        Ok(self)
    }

    /// The most bytes that an edited file may have, unless it was larger before (default 1 MiB).
    #[must_use]
    pub fn file_bytes(mut self, most: usize) -> Self {
        self.most_bytes = most;
        self
    }

    /// The most bytes of files that a description shows (default 48 KiB). Files that do not fit are named only, and a
    /// model cannot edit what it does not see: choose the globs so that all fits.
    #[must_use]
    pub fn shown_bytes(mut self, most: usize) -> Self {
        self.shown_bytes = most;
        self
    }

    /// The most bytes of a difference (default 2000).
    #[must_use]
    pub fn difference_bytes(mut self, most: usize) -> Self {
        self.difference_bytes = most;
        self
    }

    fn editable(&self) -> &Globs {
        &self.editable
    }

    fn may_create(&self) -> bool {
        self.create
    }

    fn may_delete(&self) -> bool {
        self.delete
    }

    fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    fn editable_paths<T: SourceTree>(&self, base: &T) -> Vec<String> {
        base.paths().into_iter().filter(|path| self.editable.matches(path)).collect()
    }

    fn how(&self) -> String {
        let mut how = String::from(match self.format {
            EditFormat::SearchReplace => {
                "A change is a list of edits, [{\"file\": path, \"find\": ..., \"replace\": ...}]. `find` is text that is \
                 in the file exactly once, copied letter by letter with its indentation: quote as many lines as it takes. \
                 `replace` is what it becomes. All edits are of the files as shown above, and none may overlap another."
            }
            EditFormat::UnifiedDiff => {
                "A change is a unified diff with `--- a/path` and `+++ b/path`, and three lines of context around each hunk, \
                 copied letter by letter. Line numbers need not be right."
            }
            EditFormat::WholeFiles => {
                "A change is a list of whole files, [{\"file\": path, \"text\": ...}], each with all of its new text. Files \
                 that are not in the list stay as they are."
            }
        });
        let new = match self.format {
            EditFormat::SearchReplace => "An empty `find` makes a new file of `replace`.",
            EditFormat::UnifiedDiff => "New files come from `--- /dev/null`.",
            EditFormat::WholeFiles => "A path that is not there makes a new file.",
        };
        let gone = match self.format {
            EditFormat::SearchReplace => "An empty `find` with an empty `replace` deletes the file.",
            EditFormat::UnifiedDiff => "Deleted files become `+++ /dev/null`.",
            EditFormat::WholeFiles => "A `text` of null deletes the file.",
        };
        for (allowed, text, not) in
            [(self.create, new, "New files cannot be made."), (self.delete, gone, "Files cannot be deleted.")]
        {
            how.push(' ');
            how.push_str(if allowed { text } else { not });
        }
        let _ = write!(how, " Only these may be edited: {}.", self.editable);
        how
    }
}

impl<T: SourceTree> Codec<T> for EditCodec {
    fn composer(&self) -> Option<Arc<dyn Compose<T>>> {
        Some(Arc::new(TreeMerge::within(self.editable.clone())))
    }

    fn schema(&self, base: &T) -> Value {
        let paths = self.editable_paths(base);
        // Strict modes limit how many values there may be.
        let path = match paths.len() {
            1..=200 if !self.create => json!({"type": "string", "enum": paths}),
            _ => json!({"type": "string", "description": format!("one of {}", self.editable)}),
        };
        let list = |properties: Value| {
            let required: Vec<&String> = properties.as_object().into_iter().flat_map(|p| p.keys()).collect();
            let required = json!(required);
            json!({
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                },
            })
        };
        match self.format {
            // Models write properties in the order of the schema, which is that of their names here: what is looked for
            // must come before what it becomes.
            EditFormat::SearchReplace => list(json!({
                "file": path,
                "find": {"type": "string", "description": "text that is in the file exactly once"},
                "replace": {"type": "string", "description": "what it becomes"},
            })),
            EditFormat::UnifiedDiff => json!({"type": "string", "description": "a unified diff"}),
            EditFormat::WholeFiles => {
                let text = if self.delete { json!(["string", "null"]) } else { json!("string") };
                list(json!({"file": path, "text": {"type": text, "description": "the whole new text"}}))
            }
        }
    }

    fn describe(&self, base: &T) -> String {
        let mut out = String::new();
        let (mut left, mut unseen, mut more) = (self.shown_bytes, Vec::new(), 0_usize);
        let readable = |path: &String| self.shown.as_ref().is_some_and(|shown| shown.matches(path));
        let editable = self.editable_paths(base);
        let shown = base.paths().into_iter().filter(|path| !self.editable.matches(path) && readable(path));
        let all = editable.iter().map(|path| (path.clone(), "may be edited"));
        for (path, note) in all.chain(shown.map(|path| (path, "for reading only"))) {
            let text = base.text(&path).unwrap_or_default();
            if text.len() > left {
                match unseen.len() {
                    0..UNSEEN => unseen.push(format!("{path} ({} bytes, {note})", text.len())),
                    _ => more += 1,
                }
                continue;
            }
            left -= text.len();
            // Indented ones would close the fence as well.
            let ticks = |line: &str| line.len() - line.trim_start_matches('`').len();
            let longest = text.lines().map(|line| ticks(line.trim_start())).max();
            let ticks = "`".repeat(longest.unwrap_or(0).max(2) + 1);
            let plain = text.replace("\r\n", "\n");
            let end = if plain.is_empty() || plain.ends_with('\n') { "" } else { "\n" };
            let _ = write!(out, "{path} ({note}):\n{ticks}\n{plain}{end}{ticks}\n\n");
        }
        if !unseen.is_empty() {
            let more = if more == 0 { String::new() } else { format!(", and {more} more") };
            let _ = writeln!(out, "Not shown, being too long: {}{more}\n", unseen.join(", "));
        }
        out.push_str(&self.how());
        out
    }

    fn apply(&self, base: &T, change: &Value) -> Result<T, CodecError> {
        let scope = Scope::new(base, &self.editable, self.format == EditFormat::WholeFiles);
        let ops = read_json::ops(change, &scope).map_err(CodecError::new)?;
        let changes = apply::apply(self, base, &scope, ops).map_err(CodecError::new)?;
        base.with(changes).map_err(CodecError::new)
    }

    fn difference(&self, from: &T, to: &T) -> String {
        show::difference(from, to, self.difference_bytes)
    }

    /// A digest (SHA-256) of all paths and texts.
    fn identity(&self, candidate: &T) -> String {
        let mut all = Sha256::new();
        for path in candidate.paths() {
            let text = candidate.text(&path).unwrap_or_default();
            // Lengths, so that nothing can move from one to the next.
            for part in [path.as_bytes(), text.as_bytes()] {
                all.update((part.len() as u64).to_le_bytes());
                all.update(part);
            }
        }
        all.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn usable(&self, base: &T) -> Result<(), CodecError> {
        if self.editable_paths(base).is_empty() && !self.create {
            return Err(CodecError::new(format!(
                "no file of the tree may be edited: none matches {}",
                self.editable
            )));
        }
        Ok(())
    }

    fn takes_text(&self) -> bool {
        true
    }
}
