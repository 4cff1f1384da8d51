//! Everything that the figures are made of, small enough to be kept beside them.

use crate::keys;
use crate::ledger::{Ledger, Need};
use crate::plan::{SINGLE, closer, singles};
use crate::search::Ended;
use crate::task::{Measured, Size};
use autoresearch_core::CurvePoint;
use autoresearch_tch::GptRecipe;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Searches as they ended, and all other runs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Data {
    pub(crate) searches: Vec<Ended>,
    /// What differs from the plain recipe.
    #[serde(with = "crate::deltas")]
    recipes: Vec<Map<String, Value>>,
    runs: Vec<Run>,
}

/// One run: bits per byte of the three splits, and what it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    recipe: usize,
    seed: u64,
    size: Size,
    #[serde(default, skip_serializing_if = "is_first")]
    again: u32,
    pub(crate) validation: f64,
    pub(crate) holdout: f64,
    pub(crate) test: f64,
    pub(crate) seconds: f64,
    pub(crate) parameters: u64,
    /// Of validation, document by document; of runs that noise is measured on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) documents: Vec<f64>,
    /// The training loss of large runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) curve: Vec<CurvePoint>,
}

fn is_first(again: &u32) -> bool {
    *again == 0
}

impl Data {
    pub(crate) fn of(searches: Vec<Ended>, ledger: &Ledger) -> Self {
        Self::of_runs(searches, ledger.runs())
    }

    /// The same of runs that come from elsewhere.
    pub(crate) fn of_runs<'a>(
        searches: Vec<Ended>,
        runs: impl IntoIterator<Item = (&'a Need, &'a Measured)>,
    ) -> Self {
        let mut data = Self { searches, ..Self::default() };
        // Details are kept where a figure is made of them, as they are most of the file.
        let looked_at = closer(&data.searches);
        let ends: Vec<GptRecipe> =
            looked_at.iter().flat_map(|e| [e.baseline.clone(), e.kept_recipe.clone()]).collect();
        let edited = looked_at.iter().flat_map(|e| singles(e)).map(|(_, recipe)| recipe);
        let edited: Vec<GptRecipe> = edited.chain(ends.iter().cloned()).collect();
        for (need, measured) in runs {
            data.add(need, measured, edited.contains(&need.recipe), ends.contains(&need.recipe));
        }
        data
    }

    fn add(&mut self, need: &Need, measured: &Measured, documents: bool, curve: bool) {
        let differs = fields(&need.recipe);
        let known = self.recipes.iter().position(|recipe| *recipe == differs);
        let recipe = known.unwrap_or_else(|| {
            self.recipes.push(differs);
            self.recipes.len() - 1
        });
        let by_document = documents && need.size == Size::Small && SINGLE.contains(&need.seed);
        let rounded = |x: &f64| (x * 1e5).round() / 1e5;
        self.runs.push(Run {
            recipe,
            seed: need.seed,
            size: need.size,
            again: need.again,
            validation: measured.validation.all,
            holdout: measured.holdout.all,
            test: measured.test.all,
            seconds: (measured.seconds * 100.0).round() / 100.0,
            parameters: measured.parameters,
            documents: if by_document {
                measured.validation.documents.iter().map(rounded).collect()
            } else {
                Vec::new()
            },
            curve: if curve { measured.curve.clone() } else { Vec::new() },
        });
    }

    /// The run of a need, if it was made and gave numbers.
    pub(crate) fn run(&self, need: &Need) -> Option<&Run> {
        let differs = fields(&need.recipe);
        let recipe = self.recipes.iter().position(|recipe| *recipe == differs)?;
        let is_it = |run: &&Run| {
            run.recipe == recipe && run.seed == need.seed && run.size == need.size && run.again == need.again
        };
        self.runs.iter().find(is_it)
    }

    /// The runs of a recipe on these seeds, as far as they are there.
    pub(crate) fn on(
        &self,
        recipe: &GptRecipe,
        seeds: impl IntoIterator<Item = u64>,
        size: Size,
    ) -> Vec<&Run> {
        let need = |seed| Need { size, ..Need::small(recipe, seed) };
        seeds.into_iter().filter_map(|seed| self.run(&need(seed))).collect()
    }

    /// Runs of two recipes on equal seeds.
    pub(crate) fn pairs(
        &self,
        a: &GptRecipe,
        b: &GptRecipe,
        seeds: impl IntoIterator<Item = u64>,
        size: Size,
    ) -> Vec<(&Run, &Run)> {
        let need = |recipe: &GptRecipe, seed| Need { size, ..Need::small(recipe, seed) };
        seeds
            .into_iter()
            .filter_map(|seed| Some((self.run(&need(a, seed))?, self.run(&need(b, seed))?)))
            .collect()
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }
}

fn fields(recipe: &GptRecipe) -> Map<String, Value> {
    keys::differing_fields(recipe, &GptRecipe::default())
}
