//! The text, and one run on it.

use crate::recipes::FLOPS;
use anyhow::Result;
use autoresearch_core::{EvalContext, Evaluator, Executor, Fidelity, RunContext, RunFailure};
use autoresearch_tch::{BitsPerByte, Corpus, GptRecipe, GptTrainer, Scale, Split, Splits, TrainedGpt};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Bytes of a document that are measured, the same for the three splits.
const EXCERPT: usize = 3 * 1024;

/// The text, split by document.
#[derive(Debug)]
pub(crate) struct Task {
    splits: Splits,
    /// Operations of a run of the small size.
    flops: f64,
}

/// How large a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Size {
    /// As in the search.
    Small,
    /// Twice as wide and deep (8 times the parameters of the blocks), and 4 times the operations a parameter.
    Large,
}

/// How much larger in depth and width, and how many times as long.
const LARGER: u32 = 2;
const LONGER: f64 = 4.0;

/// Bits per byte of a split, and of each of its documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bits {
    pub all: f64,
    pub documents: Vec<f64>,
}

/// What one run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub validation: Bits,
    pub holdout: Bits,
    pub test: Bits,
    pub parameters: u64,
    pub tokens: u64,
    pub flops: f64,
    pub steps: u64,
    /// Of training, on a machine that did other things as well.
    pub seconds: f64,
    /// The training loss over the run; kept of large runs alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<autoresearch_core::CurvePoint>,
}

impl Task {
    /// # Errors
    /// The text cannot be read or is too little.
    pub(crate) fn open(corpus: &Path) -> Result<Self> {
        Ok(Self { splits: Corpus::read(corpus)?.split(Split::default())?, flops: FLOPS })
    }

    /// On a few short texts, with runs of two steps.
    #[cfg(test)]
    pub(crate) fn tiny() -> Self {
        let texts = (0..60)
            .map(|i| format!("{i} documents say what documents say, and no. {i} says it\n").repeat(40));
        let splits = Corpus::from_texts(texts).split(Split::default()).expect("enough text");
        Self { splits, flops: FLOPS / 32.0 }
    }

    pub(crate) fn trainer(&self) -> GptTrainer {
        GptTrainer::new(&self.splits).fidelity(Fidelity::flops(self.flops))
    }

    pub(crate) fn validation(&self) -> BitsPerByte {
        BitsPerByte::on(self.splits.validation()).excerpt(EXCERPT)
    }

    pub(crate) fn holdout(&self) -> BitsPerByte {
        BitsPerByte::on(self.splits.holdout()).excerpt(EXCERPT)
    }

    pub(crate) fn test(&self) -> BitsPerByte {
        BitsPerByte::on(self.splits.test()).excerpt(EXCERPT)
    }

    /// One run, measured on all three splits.
    ///
    /// # Errors
    /// Whatever the run failed by.
    pub(crate) async fn run(
        &self,
        recipe: GptRecipe,
        seed: u64,
        size: Size,
        folder: &Path,
    ) -> Result<Measured, RunFailure> {
        let cx = RunContext::for_test(seed).in_directory(folder);
        let run: TrainedGpt = match size {
            Size::Small => self.trainer().execute(recipe, cx).await?,
            Size::Large => {
                let scale = Scale::new().depth(LARGER).width(LARGER);
                let growth = scale.growth() as f64;
                let trainer =
                    GptTrainer::new(&self.splits).fidelity(Fidelity::flops(self.flops * growth * LONGER));
                trainer.scaled(scale).execute(recipe, cx).await?
            }
        };
        let of = async |split: BitsPerByte| -> Result<Bits, RunFailure> {
            let measured = split.evaluate(&run, EvalContext::for_test(seed)).await?;
            let documents = measured.units().map_or_else(Vec::new, |units| units.values().to_vec());
            Ok(Bits { all: measured.objective(), documents })
        };
        let (validation, holdout) = (of(self.validation()).await?, of(self.holdout()).await?);
        let test = of(self.test()).await?;
        let metrics = &run.metrics;
        let measured = Measured {
            validation,
            holdout,
            test,
            parameters: metrics.parameters,
            tokens: metrics.tokens,
            flops: metrics.flops,
            steps: metrics.steps,
            seconds: metrics.seconds,
            curve: if size == Size::Large { metrics.curve.clone() } else { Vec::new() },
        };
        std::fs::remove_dir_all(folder).ok();
        Ok(measured)
    }
}
