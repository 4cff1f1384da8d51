//! Training at a scale.

use super::Scale;
use crate::GptRecipe;
use autoresearch_core::{Executor, FailureKind, Fidelity, RunContext, RunFailure, async_trait};

/// An executor of recipes that trains each at a [`Scale`]: what comes out is the larger model, with the larger recipe.
/// Made by [`GptTrainer::scaled`](crate::GptTrainer::scaled).
///
/// Given to a study, all its runs are at that scale. Given to a certification of a study on the small model, together with
/// [`only_at`](Self::only_at), the runs of [`transfer_to`](autoresearch_core::Certify::transfer_to) are: whether what was
/// kept holds on a larger model too.
///
/// ```
/// use autoresearch_core::{certify, Fidelity, Guarded, LocalSearch, MemoryStore, Study};
/// use autoresearch_tch::{BitsPerByte, Corpus, GptRecipe, GptTrainer, Scale, Split};
/// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let corpus = Corpus::read("texts/")?.split(Split::default())?;
/// let store = MemoryStore::new();
/// let (small, large) = (Fidelity::tokens(300_000), Fidelity::tokens(2_000_000));
/// let trainer = GptTrainer::new(&corpus).fidelity(small);
/// let study = |trainer| {
///     Study::new(GptRecipe::default(), LocalSearch::over(GptRecipe::space()), trainer, BitsPerByte::on(corpus.validation()))
///         .acceptor(Guarded::new())
///         .holdout(BitsPerByte::on(corpus.holdout()))
///         .store(store.clone())
/// };
/// let larger = Scale::new().depth(2).width(2);
/// study(trainer.clone().scaled(larger).only_at(large)).run().await?;          // none of its runs is at `large`
/// let certified =
///     certify(study(trainer.scaled(larger).only_at(large))).leave_one_out().transfer_to(large).run().await?;
/// println!("{certified}");
/// # Ok(()) }
/// ```
///
/// # Whose fault
/// A recipe that cannot be scaled fails as an invalid candidate, which names the field.
#[derive(Debug, Clone)]
pub struct Scaled<E> {
    inner: E,
    scale: Scale,
    at: Option<Fidelity>,
}

impl<E> Scaled<E> {
    /// Trains each recipe at this scale.
    pub fn new(inner: E, scale: Scale) -> Self {
        Self { inner, scale, at: None }
    }

    /// Scales only those runs that are granted just this fidelity.
    #[must_use]
    pub fn only_at(mut self, fidelity: Fidelity) -> Self {
        self.at = Some(fidelity);
        self
    }

    fn apply(&self, recipe: &GptRecipe, cx: &RunContext) -> Result<GptRecipe, RunFailure> {
        if self.at.is_some() && self.at != cx.fidelity {
            return Ok(recipe.clone());
        }
        self.scale.apply(recipe).map_err(|error| {
            let message = format!("the recipe at {}: {error}", self.scale);
            RunFailure::candidate(message).kind(FailureKind::InvalidCandidate)
        })
    }
}

#[async_trait]
impl<E: Executor<GptRecipe>> Executor<GptRecipe> for Scaled<E> {
    type Output = E::Output;

    async fn execute(&self, recipe: GptRecipe, cx: RunContext) -> Result<E::Output, RunFailure> {
        let recipe = self.apply(&recipe, &cx)?;
        self.inner.execute(recipe, cx).await
    }

    async fn reopen(&self, recipe: &GptRecipe, cx: &RunContext) -> Option<E::Output> {
        let recipe = self.apply(recipe, cx).ok()?;
        self.inner.reopen(&recipe, cx).await
    }

    fn identity(&self) -> String {
        let inner = self.inner.identity();
        match self.at {
            Some(fidelity) => format!("{inner}, {} at {fidelity}", self.scale),
            None => format!("{inner}, {}", self.scale),
        }
    }
}
