//! Byte-level BPE by the `tokenizers` crate, with the symbols in an order of our own: bytes first, then the joined ones
//! as they were learned.

use super::{BYTES, TokenizerError};
use crate::corpus::Corpus;
use std::collections::HashMap;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, TokenizerImpl};

/// Text that a vocabulary is learned from: more changes little, and the counts of all words are kept in memory.
const MOST_BYTES: usize = 64 << 20;

type Library = TokenizerImpl<BPE, NormalizerWrapper, ByteLevel, PostProcessorWrapper, DecoderWrapper>;

pub(super) struct Bpe {
    merges: Vec<[u32; 2]>,
    pieces: Vec<Box<[u8]>>,
    library: Library,
}

fn failed(error: impl std::fmt::Display) -> TokenizerError {
    TokenizerError::Library(error.to_string())
}

/// GPT-2's way of cutting a text into words. No space is put before the first.
fn words() -> ByteLevel {
    ByteLevel::new(false, false, true)
}

/// The letter that stands for each byte in GPT-2's alphabet: itself where it can be seen, one from 256 on where not.
fn alphabet() -> [char; 256] {
    let mut hidden = 256;
    std::array::from_fn(|byte| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => char::from(byte as u8),
        _ => {
            hidden += 1;
            char::from_u32(hidden - 1).unwrap_or_default()
        }
    })
}

/// Learns the pairs to join, in order, as our symbols.
pub(super) fn train(corpus: &Corpus, size: u32) -> Result<Vec<[u32; 2]>, TokenizerError> {
    let letters = alphabet();
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(size as usize)
        .min_frequency(2)
        .initial_alphabet(letters.into_iter().collect())
        .build();
    let mut library = Library::new(BPE::default());
    library.with_pre_tokenizer(Some(words()));

    let (mut texts, mut bytes) = (Vec::new(), 0);
    for document in corpus.documents().iter().take_while(|document| {
        bytes += document.len();
        bytes <= MOST_BYTES || bytes == document.len()
    }) {
        texts.push(document.text()?);
    }
    library.train(&mut trainer, texts.iter()).map_err(failed)?;

    let learned = serde_json::to_value(library.get_model()).map_err(failed)?;
    let learned: Vec<[String; 2]> = serde_json::from_value(learned["merges"].clone()).map_err(failed)?;
    let mut ids: HashMap<String, u32> =
        (0..).zip(letters).map(|(id, letter)| (letter.to_string(), id)).collect();
    let mut merges = Vec::with_capacity(learned.len());
    for pair in &learned {
        let [Some(&left), Some(&right)] = [ids.get(&pair[0]), ids.get(&pair[1])] else {
            return Err(TokenizerError::Library(format!("{pair:?} is joined before its parts are")));
        };
        merges.push([left, right]);
        let next = ids.len() as u32;
        ids.entry(pair.concat()).or_insert(next);
    }
    Ok(merges)
}

impl Bpe {
    pub(super) fn new(size: u32, merges: &[[u32; 2]]) -> Result<Self, TokenizerError> {
        let letters = alphabet();
        let mut pieces: Vec<String> = letters.iter().map(char::to_string).collect();
        let mut ids: HashMap<String, u32> =
            (0..).zip(&pieces).map(|(id, piece)| (piece.clone(), id)).collect();
        let mut pairs = Vec::with_capacity(merges.len());
        for &[left, right] in merges {
            let part = |id: u32| {
                let known = pieces.get(id as usize).cloned();
                known.ok_or_else(|| {
                    TokenizerError::Damaged(format!("it joins symbol {id} before there is one"))
                })
            };
            let (left, right) = (part(left)?, part(right)?);
            let whole = format!("{left}{right}");
            // Two pairs may spell the same piece.
            if !ids.contains_key(&whole) {
                ids.insert(whole.clone(), pieces.len() as u32);
                pieces.push(whole);
            }
            pairs.push((left, right));
        }
        if pieces.len() > size as usize {
            return Err(TokenizerError::Damaged(format!("{} symbols, not {size}", pieces.len())));
        }
        let bytes: HashMap<char, u8> =
            (0..).zip(letters).map(|(byte, letter)| (letter, byte as u8)).collect();
        let bytes_of =
            |piece: &String| piece.chars().filter_map(|letter| bytes.get(&letter).copied()).collect();
        let vocabulary: Vec<(String, u32)> = ids.into_iter().collect();
        let model = BPE::builder()
            .vocab_and_merges(vocabulary.into_iter().collect::<tokenizers::models::bpe::Vocab>(), pairs)
            .build()
            .map_err(failed)?;
        let mut library = Library::new(model);
        library.with_pre_tokenizer(Some(words()));
        library.with_decoder(Some(DecoderWrapper::ByteLevel(words())));
        Ok(Self { merges: merges.to_vec(), pieces: pieces.iter().map(bytes_of).collect(), library })
    }

    pub(super) fn merges(&self) -> &[[u32; 2]] {
        &self.merges
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoded = self.library.encode_fast(text, false).map_err(failed)?;
        Ok(encoded.get_ids().to_vec())
    }

    pub(super) fn piece(&self, symbol: u32) -> &[u8] {
        self.pieces.get(symbol as usize).map_or(&[], |piece| piece)
    }

    pub(super) fn to_json(&self) -> Result<String, TokenizerError> {
        self.library.to_string(false).map_err(failed)
    }
}

const _: () = assert!(BYTES == 256);
