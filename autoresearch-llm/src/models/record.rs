//! A model whose calls are written down.

use super::transcript::{OutcomeOf, Recording, TranscriptError, read};
use crate::chat::{ChatError, ChatErrorKind, ChatModel, ChatReply, ChatRequest};
use autoresearch_core::{Cancellation, async_trait};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Writes every call to another model into a file, to be played again by [`ReplayModel`](crate::ReplayModel).
///
/// One line of JSON a call, appended when it is over and handed to the operating system at once: what was paid for
/// survives the end of this process (not a loss of power). Errors are written, too; cancelled calls are not. A line that a
/// crash has torn is taken off when the file is opened again. Requests and replies stand in it in full; keys are in
/// neither, unless you put one into a prompt.
///
/// ```
/// use autoresearch_llm::{ChatModel, ChatRequest, Message, RecordingModel, ReplayModel, ScriptedModel};
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("calls.jsonl");
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let request = ChatRequest::new(vec![Message::user("What is the answer?")]);
/// let model = RecordingModel::new(ScriptedModel::answers(["forty-two"]), &file)?;
/// model.chat(&request, &Default::default()).await?;
///
/// let again = ReplayModel::open(&file)?;                                   // the same for nothing
/// assert_eq!(again.chat(&request, &Default::default()).await?.text, "forty-two");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordingModel<M> {
    model: M,
    path: PathBuf,
    file: Mutex<Tape>,
}

struct Tape {
    file: File,
    /// Up to here the file is complete calls.
    length: u64,
    trouble: Option<String>,
}

impl<M: ChatModel> RecordingModel<M> {
    /// Records into this file; what is in it stays and is added to.
    ///
    /// # Errors
    /// The file cannot be opened, or holds something that is no transcript: that is left alone.
    pub fn new(model: M, path: impl AsRef<Path>) -> Result<Self, TranscriptError> {
        let path = path.as_ref();
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(TranscriptError::file(path))?;
        let (_, length) = read(path)?;
        file.set_len(length).map_err(TranscriptError::file(path))?;
        let tape = Tape { file, length, trouble: None };
        Ok(Self { model, path: path.into(), file: Mutex::new(tape) })
    }

    /// The first call that could not be written, if any: such a call is answered all the same, and the log warns.
    pub fn trouble(&self) -> Option<String> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    fn record(&self, request: &ChatRequest, outcome: OutcomeOf<'_>) {
        let recording = Recording { model: self.model.name(), window: self.model.window(), request, outcome };
        let line = serde_json::to_vec(&recording).map_err(std::io::Error::from);
        let mut tape = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = line.and_then(|mut line| {
            line.push(b'\n');
            tape.file.write_all(&line).map(|()| line.len() as u64)
        });
        match written {
            Ok(length) => tape.length += length,
            Err(e) => {
                tracing::warn!(path = %self.path.display(), error = %e, "a call to a model could not be recorded");
                let _ = tape.file.set_len(tape.length); // half a line would spoil those after it
                tape.trouble.get_or_insert_with(|| e.to_string());
            }
        }
    }
}

impl<M: fmt::Debug> fmt::Debug for RecordingModel<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingModel")
            .field("model", &self.model)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<M: ChatModel> ChatModel for RecordingModel<M> {
    fn name(&self) -> &str {
        self.model.name()
    }

    async fn chat(&self, request: &ChatRequest, cancel: &Cancellation) -> Result<ChatReply, ChatError> {
        let outcome = self.model.chat(request, cancel).await;
        match &outcome {
            Ok(reply) => self.record(request, OutcomeOf::Reply(reply)),
            Err(error) if error.kind == ChatErrorKind::Cancelled => {}
            Err(error) => self.record(request, OutcomeOf::Error(error)),
        }
        outcome
    }

    fn window(&self) -> Option<u32> {
        self.model.window()
    }

    fn count(&self, text: &str) -> u32 {
        self.model.count(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ScriptedModel;
    use crate::{Message, ReplayModel};

    #[tokio::test]
    async fn a_call_that_cannot_be_written_is_answered_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.jsonl");
        let model = RecordingModel::new(ScriptedModel::answers(["a", "b", "c"]), &path).unwrap();
        let request = ChatRequest::new(vec![Message::user("go")]);
        model.chat(&request, &Cancellation::new()).await.unwrap();
        let good = std::mem::replace(&mut model.file.lock().unwrap().file, File::open(&path).unwrap()); // for reading
        assert_eq!(model.chat(&request, &Cancellation::new()).await.unwrap().text, "b");
        assert!(model.trouble().is_some());
        model.file.lock().unwrap().file = good;
        model.chat(&request, &Cancellation::new()).await.unwrap();
        assert_eq!(ReplayModel::open(&path).unwrap().left(), 2);
    }
}
