//! Dealing documents into training, validation, holdout and test.

use super::{Corpus, CorpusError, Document};
use sha2::{Digest, Sha256};
use std::fmt;

/// One of the four parts of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SplitName {
    /// What models are trained on.
    Train,
    /// What steers the search.
    Validation,
    /// What answers yes or no about a proposal that already won.
    Holdout,
    /// What is opened once, at the end.
    Test,
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Holdout => "holdout",
            Self::Test => "test",
        })
    }
}

/// How to deal a corpus: by default 50 % training, 15 % validation, 20 % holdout, 15 % test.
///
/// The default suits short runs on little text, where knowing is dearer than training text; with much text give the
/// splits less. The holdout is larger than validation: its noise limits what can be confirmed.
///
/// **Rule.** A document's place depends on its own hash, the salt and the fractions, on nothing else. So it stays
/// where it is when files are renamed or reordered and when other documents come or go: what was holdout once is never
/// training text later. (A stored study is resumed only on the very documents that it began with.) The price is that the shares are those of a die, not
/// exact, and that a split of a small corpus can come out empty: that is an error, never a quiet re-deal, and the
/// error says what helps. Changing the share of a split moves no document into or out of the more guarded ones
/// (test, holdout, validation, in this order).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    validation: f64,
    holdout: f64,
    test: f64,
    salt: u64,
}

impl Default for Split {
    fn default() -> Self {
        Self { validation: 0.15, holdout: 0.20, test: 0.15, salt: 0 }
    }
}

impl Split {
    /// The share of validation; 0 for none.
    #[must_use]
    pub fn validation(mut self, fraction: f64) -> Self {
        self.validation = fraction;
        self
    }

    /// The share of the holdout; 0 for none.
    #[must_use]
    pub fn holdout(mut self, fraction: f64) -> Self {
        self.holdout = fraction;
        self
    }

    /// The share of the test split; 0 for none.
    #[must_use]
    pub fn test(mut self, fraction: f64) -> Self {
        self.test = fraction;
        self
    }

    /// Another deal of the same cards. Choose it before looking at any result.
    #[must_use]
    pub fn salt(mut self, salt: u64) -> Self {
        self.salt = salt;
        self
    }

    fn shares(&self) -> [(SplitName, f64); 4] {
        let train = 1.0 - self.test - self.holdout - self.validation;
        [
            (SplitName::Test, self.test),
            (SplitName::Holdout, self.holdout),
            (SplitName::Validation, self.validation),
            (SplitName::Train, train),
        ]
    }

    /// The part that a document falls to.
    pub fn place(&self, document: &Document) -> SplitName {
        let hash =
            Sha256::new().chain_update(self.salt.to_le_bytes()).chain_update(document.id().0).finalize();
        // 53 bits are what a float between 0 and 1 holds exactly.
        let high = hash[..8].iter().fold(0_u64, |high, &byte| high << 8 | u64::from(byte));
        let draw = (high >> 11) as f64 / (1_u64 << 53) as f64;
        let mut edge = 0.0;
        for (name, share) in self.shares() {
            edge += share;
            if draw < edge {
                return name;
            }
        }
        SplitName::Train
    }

    fn check(&self) -> Result<(), CorpusError> {
        for (name, share) in self.shares() {
            let least = if name == SplitName::Train { f64::EPSILON } else { 0.0 };
            if !(share >= least && share <= 1.0) {
                return Err(CorpusError::Fractions(format!(
                    "the {name} split cannot have a share of {share}"
                )));
            }
        }
        Ok(())
    }

    fn first_empty(&self, corpus: &Corpus) -> Option<(SplitName, f64)> {
        let places: Vec<_> = corpus.documents().iter().map(|d| self.place(d)).collect();
        self.shares().into_iter().find(|(name, share)| *share > 0.0 && !places.contains(name))
    }

    fn advice(&self, corpus: &Corpus) -> String {
        // A search over salts reads no result, only who would get a document: it cannot bias a study.
        match (1..1000).find(|&salt| self.salt(salt).first_empty(corpus).is_none()) {
            Some(salt) => format!("add documents, raise the fraction, or deal anew with .salt({salt})"),
            None => "add documents, or cut long ones into pieces with Corpus::cut".to_string(),
        }
    }

    pub(super) fn deal(self, corpus: &Corpus) -> Result<Splits, CorpusError> {
        self.check()?;
        if let Some((split, fraction)) = self.first_empty(corpus) {
            let advice = self.advice(corpus);
            return Err(CorpusError::EmptySplit { split, documents: corpus.len(), fraction, advice });
        }
        let part = |name| {
            let of_part = corpus.documents().iter().filter(|d| self.place(d) == name);
            Corpus { documents: of_part.cloned().collect() }
        };
        Ok(Splits {
            train: part(SplitName::Train),
            validation: part(SplitName::Validation),
            holdout: part(SplitName::Holdout),
            test: part(SplitName::Test),
        })
    }
}

/// A corpus dealt into its four parts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Splits {
    train: Corpus,
    validation: Corpus,
    holdout: Corpus,
    test: Corpus,
}

impl Splits {
    /// What models are trained on.
    pub fn train(&self) -> &Corpus {
        &self.train
    }

    /// What steers the search.
    pub fn validation(&self) -> &Corpus {
        &self.validation
    }

    /// What confirms a proposal that already won.
    pub fn holdout(&self) -> &Corpus {
        &self.holdout
    }

    /// What is opened once, at the end.
    pub fn test(&self) -> &Corpus {
        &self.test
    }
}
