//! What GPTs are trained on: the symbols of the training split, made once for each vocabulary.

use super::packing::Packed;
use crate::corpus::Corpus;
use crate::shards::{Destination, ShardError, ShardKey, Tokens, Writer};
use crate::tokenizer::{BEGIN, SCHEME, Tokenizer, load_or_train, warn_and_remove};
use autoresearch_core::{Cancellation, RunFailure};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The documents, one after the other, a line end before each, as symbols of one vocabulary.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) tokenizer: Tokenizer,
    pub(super) tokens: Tokens,
    packed: Slots<u32, Packed>,
}

/// Values that are made when they are first asked for, each by one thread while others who want it wait.
type Slots<K, V> = Mutex<BTreeMap<K, Arc<Mutex<Option<Arc<V>>>>>>;

fn slot<K: Ord, V, E>(slots: &Slots<K, V>, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
    let slot = Arc::clone(slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    match &*slot {
        Some(value) => Ok(Arc::clone(value)),
        None => Ok(Arc::clone(slot.insert(Arc::new(make()?)))),
    }
}

impl Text {
    /// Its documents packed into windows of this many symbols.
    pub(super) fn packed(&self, context: u32) -> Arc<Packed> {
        let make = || Ok::<_, std::convert::Infallible>(Packed::new(self.tokens.starts(), context as usize));
        match slot(&self.packed, context, make) {
            Ok(packed) => packed,
            Err(never) => match never {},
        }
    }
}

/// The texts of one training split, in all vocabularies that were asked for so far.
#[derive(Debug)]
pub(super) struct Texts {
    corpus: Corpus,
    cache: Option<PathBuf>,
    texts: Slots<u32, Text>,
}

impl Texts {
    pub(super) fn new(corpus: Corpus, cache: Option<PathBuf>) -> Self {
        Self { corpus, cache, texts: Mutex::default() }
    }

    pub(super) fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// The text in the vocabulary of this size.
    pub(super) fn get(&self, vocabulary: u32) -> Result<Arc<Text>, RunFailure> {
        self.get_unless(vocabulary, &Cancellation::new())
    }

    /// The same, given up between two documents when `stop` goes up.
    pub(super) fn get_unless(&self, vocabulary: u32, stop: &Cancellation) -> Result<Arc<Text>, RunFailure> {
        slot(&self.texts, vocabulary, || self.make(vocabulary, stop))
    }

    // Nobody's model is to blame for a full disk.
    fn make(&self, vocabulary: u32, stop: &Cancellation) -> Result<Text, RunFailure> {
        let failed = |error: &dyn std::fmt::Display| RunFailure::infrastructure(error.to_string());
        let tokenizer =
            load_or_train(&self.corpus, vocabulary, self.cache.as_deref()).map_err(|e| failed(&e))?;
        let tokens = match &self.cache {
            None if !self.corpus.is_in_memory() => {
                let what = "the texts of the corpus are not in memory, and so its tokens must not be either";
                return Err(RunFailure::infrastructure(format!(
                    "{what}: name a folder with GptTrainer::token_cache"
                )));
            }
            None => self.tokenize(&tokenizer, Destination::Memory, stop)?,
            Some(cache) => self.cached(&tokenizer, cache, stop)?,
        };
        Ok(Text { tokenizer, tokens, packed: Mutex::default() })
    }

    /// The shards in the cache; they are written first if there are none, or if they are damaged.
    fn cached(&self, tokenizer: &Tokenizer, cache: &Path, stop: &Cancellation) -> Result<Tokens, RunFailure> {
        let hash =
            Sha256::new_with_prefix(SCHEME).chain_update(tokenizer.name()).chain_update(self.corpus.digest());
        let key = ShardKey(hash.finalize().into());
        let folder = cache.join(format!("tokens-{}-{}", tokenizer.name(), self.corpus.fingerprint()));
        match Tokens::open(&folder, &key) {
            Ok(tokens) => return Ok(tokens),
            Err(ShardError { missing: true, .. }) if !folder.exists() => (),
            // Too many open files or too little memory say nothing against what is there.
            Err(error @ ShardError { unread: true, .. }) => {
                return Err(RunFailure::infrastructure(error.to_string()));
            }
            Err(error) => warn_and_remove(&folder, &error),
        }
        self.tokenize(tokenizer, Destination::Folder(folder, key), stop)
    }

    /// One document at a time is in memory.
    fn tokenize(
        &self,
        tokenizer: &Tokenizer,
        to: Destination,
        stop: &Cancellation,
    ) -> Result<Tokens, RunFailure> {
        let failed = |error: &dyn std::fmt::Display| RunFailure::infrastructure(error.to_string());
        let mut writer = Writer::new(tokenizer.size(), to).map_err(|e| failed(&e))?;
        for document in self.corpus.documents() {
            if stop.is_cancelled() {
                return Err(RunFailure::cancelled()); // the writer takes what it has written along
            }
            let text = document.text().map_err(|e| failed(&e))?;
            let symbols = tokenizer.encode(&text).map_err(|e| failed(&e))?;
            writer.document(std::iter::once(BEGIN).chain(symbols)).map_err(|e| failed(&e))?;
        }
        writer.finish().map_err(|e| failed(&e))
    }
}

#[cfg(test)]
mod tests;
