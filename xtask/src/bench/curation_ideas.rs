//! Streams of ideas about the edits of a world: who says them, under which tags, and with which promise.
use autoresearch_core::testkit::landscape::{Idea, Landscape};
use autoresearch_core::{Proposal, Source};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The shares of ideas with merit of three sources that say equally much.
const HIT_RATES: [f64; 3] = [0.10, 0.03, 0.005];
/// By how much more or less the ideas under each tag are worth; in the mean 1.
const TAG_WORTH: [f64; 4] = [2.0, 1.0, 0.7, 0.3];
/// Of all ideas, where nothing tells them apart.
const PLAIN_RATE: f64 = 0.03;
/// How predictions correlate with the truth.
const CORRELATION: f64 = 0.3;
/// Earlier ideas said again, and the incumbent said as if it were something new.
const DUPLICATES: f64 = 0.30;
const ALIASES: f64 = 0.10;

/// What a curator could know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sources of unequal hit rates, tags of unequal worth.
    Sources,
    /// Predictions that correlate with the truth.
    Predictions,
    /// Predictions that are noise.
    Noise,
    /// Predictions that correlate negatively with it.
    Inverted,
    /// Ideas said before, and aliases of the incumbent, among those of unequal sources.
    Duplicates,
    /// No idea has merit; sources, tags and predictions say that some have.
    AllNull,
}

pub(super) const KINDS: &[(&str, Kind)] = &[
    ("sources", Kind::Sources),
    ("predictions", Kind::Predictions),
    ("noise", Kind::Noise),
    ("inverted", Kind::Inverted),
    ("duplicates", Kind::Duplicates),
    ("allnull", Kind::AllNull),
];

/// An endless stream of ideas.
pub(super) struct Ideas<'a> {
    world: &'a Landscape,
    kind: Kind,
    rng: ChaCha8Rng,
    said: Vec<Idea>,
    /// The next edit with merit, and the next without.
    next: [u32; 2],
    /// Mean and standard deviation of the world's effects.
    scale: (f64, f64),
}

impl<'a> Ideas<'a> {
    pub(super) fn new(world: &'a Landscape, kind: Kind, seed: u64) -> Self {
        let effects: Vec<f64> = (0..2000).map(|edit| world.effect(edit)).collect();
        let mean = effects.iter().sum::<f64>() / 2000.0;
        let variance = effects.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2000.0;
        let scale = (mean, variance.sqrt().max(1e-9));
        let rng = ChaCha8Rng::seed_from_u64(seed ^ 0x1DEA5);
        Self { world, kind, rng, said: Vec::new(), next: [0; 2], scale }
    }

    fn uniform(&mut self) -> f64 {
        self.rng.random()
    }

    /// The next edit of the stream with or without merit that was not said yet.
    fn edit(&mut self, merit: bool) -> u32 {
        let next = &mut self.next[usize::from(merit)];
        while self.kind != Kind::AllNull && (self.world.effect(*next) > 0.0) != merit {
            *next += 1;
        }
        *next += 1;
        *next - 1
    }

    fn fresh(&mut self) -> Idea {
        let groups = matches!(self.kind, Kind::Sources | Kind::Duplicates | Kind::AllNull);
        let (source, tag) = (self.rng.random_range(0..3usize), self.rng.random_range(0..4usize));
        let rate = if groups { HIT_RATES[source] * TAG_WORTH[tag] } else { PLAIN_RATE };
        let merit = self.kind != Kind::AllNull && self.uniform() < rate;
        let edit = self.edit(merit);
        let mut said = Proposal::new(()).title(format!("edit {edit}"));
        if groups {
            said = said.source(Source::proposer(format!("source {source}"))).tag(format!("tag {tag}"));
        }
        let correlation = match self.kind {
            Kind::Predictions => CORRELATION,
            Kind::Inverted => -CORRELATION,
            _ => 0.0,
        };
        if !groups || self.kind == Kind::AllNull {
            let (mean, sd) = self.scale;
            let truth = (self.world.effect(edit) - mean) / sd;
            // Box & Muller 1958.
            let (u, v) = (1.0 - self.uniform(), self.uniform());
            let noise = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
            said = said.expecting(correlation * truth + (1.0 - correlation * correlation).sqrt() * noise);
        }
        Idea { edit: Some(edit), hypothesis: said.hypothesis }
    }

    /// The next idea.
    pub(super) fn next(&mut self) -> Idea {
        if self.kind == Kind::Duplicates && self.said.len() > 50 {
            let x = self.uniform();
            if x < DUPLICATES {
                let again = self.rng.random_range(0..self.said.len());
                return self.said[again].clone();
            }
            if x < DUPLICATES + ALIASES {
                let hypothesis = self.said[self.rng.random_range(0..self.said.len())].hypothesis.clone();
                return Idea { edit: None, hypothesis };
            }
        }
        let idea = self.fresh();
        if self.kind == Kind::Duplicates {
            self.said.push(idea.clone());
        }
        idea
    }
}
