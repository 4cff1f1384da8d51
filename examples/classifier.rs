//! A model of your own under search: a small network that tells drawn shapes apart, on images that the example makes.
//!
//! `cargo run --release -p autoresearch-tch --example classifier [SECONDS]`: searches for 25 s unless said; the final runs
//! come on top.
//!
//! All that a model of your own needs is here, in this order: a candidate and its space, data in four parts, a model,
//! its [`Trainer`], what is measured, and the study. Copy it, and put your own in each place.

use autoresearch_core::{
    Evaluator, Fidelity, Guarded, Limits, LocalSearch, Measurement, ParamSpace, Progress, RunFailure, Study,
};
use autoresearch_tch::tch::{Kind, Reduction, Tensor};
use autoresearch_tch::{
    AdamW, Checkpoint, Draws, Optimizer, Parameters, StepCost, Trainer, Training, model_evaluator,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The candidate: everything that the search may change. Plain and serialisable; the study stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recipe {
    channels: i64,
    hidden: i64,
    activation: Activation,
    lr: f64,
    weight_decay: f64,
    batch: usize,
    warmup: f64,
    smoothing: f64,
    /// Training images are moved by up to so many pixels at random.
    shift: usize,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Activation {
    Relu,
    Gelu,
    Tanh,
}

/// Where the search starts: reasonable, and not tuned.
impl Default for Recipe {
    fn default() -> Self {
        Self {
            channels: 8,
            hidden: 32,
            activation: Activation::Tanh,
            lr: 1e-3,
            weight_decay: 0.01,
            batch: 64,
            warmup: 0.0,
            smoothing: 0.0,
            shift: 0,
        }
    }
}

impl Recipe {
    /// What the search may try: each field's range, on the scale on which it is best thought of.
    fn space() -> ParamSpace {
        ParamSpace::new()
            .log_int("channels", 4..=64)
            .doc("numbers that are kept of each patch")
            .log_int("hidden", 8..=256)
            .choice("activation", ["relu", "gelu", "tanh"])
            .log_float("lr", 1e-4..=3e-2)
            .log_float("weight_decay", 1e-4..=1.0)
            .choice("batch", [16, 32, 64, 128])
            .float("warmup", 0.0..=0.3)
            .doc("share of the run in which the learning rate rises from 0")
            .float("smoothing", 0.0..=0.2)
            .doc("share of the target's probability that is spread over all classes")
            .int("shift", 0..=3)
            .doc("pixels by which training images are moved at random")
    }
}

const SIDE: usize = 12;
const PIXELS: usize = SIDE * SIDE;
const CLASSES: usize = 4;

/// Images and what they show, as plain memory: runs on several threads read them at once, and tensors cannot be shared.
struct Images {
    pixels: Vec<f32>,
    shows: Vec<i64>,
}

impl Images {
    /// Squares, rings, crosses and saltires of all sizes and places, in noise.
    fn draw(count: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut unit = move || (rng.next_u32() >> 8) as f32 / (1 << 24) as f32;
        let (mut pixels, mut shows) = (Vec::with_capacity(count * PIXELS), Vec::with_capacity(count));
        for _ in 0..count {
            let class = (unit() * CLASSES as f32) as i64;
            let radius = 1.8 + 2.2 * unit();
            let mut centre = || radius + unit() * (SIDE as f32 - 1.0 - 2.0 * radius);
            let (cx, cy) = (centre(), centre());
            for at in 0..PIXELS {
                let (x, y) = ((at % SIDE) as f32 - cx, (at / SIDE) as f32 - cy);
                let (far, near) = (x.abs().max(y.abs()), x.abs().min(y.abs()));
                // How far the pixel is from the shape's line.
                let away = match class {
                    0 => (far - radius).abs(),
                    1 => (x.hypot(y) - radius).abs(),
                    2 => near.max(far - radius),
                    _ => (far - near).max(far - radius) * std::f32::consts::FRAC_1_SQRT_2,
                };
                pixels.push((1.0 - away).max(0.0) + 0.9 * (unit() + unit() - 1.0));
            }
            shows.push(class);
        }
        Self { pixels, shows }
    }

    /// All of them, `[images, pixels]`, and their classes.
    fn all(&self) -> (Tensor, Tensor) {
        let shape = [self.shows.len() as i64, PIXELS as i64];
        (Tensor::from_slice(&self.pixels).view(shape), Tensor::from_slice(&self.shows))
    }

    /// A batch at random, each image moved at random. All randomness is from `draws`, so that two candidates on one seed
    /// see the same images.
    fn batch(&self, size: usize, shift: usize, draws: &mut Draws) -> (Tensor, Tensor) {
        let (mut pixels, mut shows) = (vec![0.0; size * PIXELS], Vec::with_capacity(size));
        for image in pixels.chunks_exact_mut(PIXELS) {
            // Three draws an image, whatever the candidate does with them.
            let (index, right, down) = (draws.index(self.shows.len()), draws.unit(), draws.unit());
            let by = |unit: f64| (unit * (2 * shift + 1) as f64) as isize - shift as isize;
            let (right, down) = (by(right), by(down));
            let from = &self.pixels[index * PIXELS..(index + 1) * PIXELS];
            for (at, pixel) in image.iter_mut().enumerate() {
                let x = (at % SIDE).checked_add_signed(right).filter(|x| *x < SIDE);
                let y = (at / SIDE).checked_add_signed(down).filter(|y| *y < SIDE);
                *pixel = x.zip(y).map_or(0.0, |(x, y)| from[y * SIDE + x]);
            }
            shows.push(self.shows[index]);
        }
        let shape = [size as i64, PIXELS as i64];
        (Tensor::from_slice(&pixels).view(shape), Tensor::from_slice(&shows))
    }
}

/// The data in four parts: trained on, searched by, checked by, and looked at once.
struct Shapes {
    train: Images,
    validation: Images,
    holdout: Images,
    test: Images,
}

impl Shapes {
    fn new() -> Self {
        Self {
            train: Images::draw(1_500, 1),
            validation: Images::draw(1_000, 2),
            holdout: Images::draw(1_000, 3),
            test: Images::draw(2_000, 4),
        }
    }
}

/// The model of one run: its parameters, and of the recipe what training needs to know. Each patch of an image is read
/// by the same small layer, what it found by a hidden layer, and that by the head.
struct Net {
    recipe: Recipe,
    patch: Layer,
    hidden: Layer,
    head: Tensor,
}

struct Layer {
    weight: Tensor,
    bias: Tensor,
}

impl Layer {
    fn new(name: &str, outputs: i64, inputs: i64, p: &mut Parameters) -> Result<Self, RunFailure> {
        // He et al. (2015): as much variance after a layer as before.
        let weight = p.normal(name, &[outputs, inputs], (2.0 / inputs as f64).sqrt())?;
        Ok(Self { weight, bias: p.constant(&format!("{name}.bias"), &[outputs], 0.0)? })
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// An image is so many patches high and wide, and a patch so many pixels.
const GRID: i64 = 3;
const PATCH: i64 = SIDE as i64 / GRID;

impl Net {
    fn activate(&self, x: &Tensor) -> Tensor {
        match self.recipe.activation {
            Activation::Relu => x.relu(),
            Activation::Gelu => x.gelu("none"),
            Activation::Tanh => x.tanh(),
        }
    }

    /// From `[images, pixels]` to `[images, classes]`.
    fn logits(&self, images: &Tensor) -> Tensor {
        let x = images.to_device(self.head.device()).view([-1, GRID, PATCH, GRID, PATCH]);
        let patches = x.permute([0, 1, 3, 2, 4]).reshape([-1, GRID * GRID, PATCH * PATCH]);
        let found = self.activate(&self.patch.forward(&patches)).flatten(1, -1);
        self.activate(&self.hidden.forward(&found)).linear(&self.head, None::<&Tensor>)
    }
}

impl Trainer for Shapes {
    type Candidate = Recipe;
    type Model = Net;

    /// Refuses what cannot be trained before anything is built. The search keeps to its space; a candidate from elsewhere
    /// need not.
    fn check(&self, recipe: &Recipe) -> Result<(), RunFailure> {
        Recipe::space().validate(recipe).map_err(|error| RunFailure::candidate(error.to_string()))
    }

    /// Names the parameters: each gets its initial values from the seed and its name alone.
    fn build(&self, recipe: &Recipe, p: &mut Parameters) -> Result<Net, RunFailure> {
        Ok(Net {
            patch: Layer::new("patch", recipe.channels, PATCH * PATCH, p)?,
            hidden: Layer::new("hidden", recipe.hidden, GRID * GRID * recipe.channels, p)?,
            head: p.constant("head", &[CLASSES as i64, recipe.hidden], 0.0)?,
            recipe: recipe.clone(),
        })
    }

    fn loss(&self, net: &Net, draws: &mut Draws) -> Result<Tensor, RunFailure> {
        let (images, shows) = self.train.batch(net.recipe.batch, net.recipe.shift, draws);
        let logits = net.logits(&images);
        let shows = shows.to_device(logits.device());
        let smoothing = net.recipe.smoothing;
        Ok(logits.cross_entropy_loss::<Tensor>(&shows, None, Reduction::Mean, -100, smoothing))
    }

    fn optimizer(&self, recipe: &Recipe, parameters: &Parameters) -> Box<dyn Optimizer> {
        Box::new(AdamW::new(parameters.iter(), recipe.lr).weight_decay(recipe.weight_decay))
    }

    /// Up in a straight line, then down in one.
    fn rate(&self, recipe: &Recipe, progress: f64) -> f64 {
        if progress < recipe.warmup {
            progress / recipe.warmup
        } else {
            (1.0 - progress) / (1.0 - recipe.warmup)
        }
    }

    fn clip(&self, _recipe: &Recipe) -> Option<f64> {
        Some(1.0)
    }

    /// Budgets are in images here, whatever they are called.
    fn cost(&self, recipe: &Recipe) -> StepCost {
        StepCost::tokens(recipe.batch as u64)
    }

    /// Which data: a stored study is not continued on other.
    fn identity(&self) -> String {
        "shapes of 12 x 12 pixels, 1".to_string()
    }
}

/// Nats an image: one value for each, so that the statistics know how sure they may be. How many were right is told as
/// well, and not searched by: it moves in jumps.
fn measure(net: &Net, images: &Images) -> Result<Measurement, RunFailure> {
    let (pixels, shows) = images.all();
    let logits = net.logits(&pixels);
    let shows = shows.to_device(logits.device());
    let nats = logits.cross_entropy_loss::<Tensor>(&shows, None, Reduction::None, -100, 0.0);
    let right = logits.argmax(-1, false).eq_tensor(&shows).mean(Kind::Float).double_value(&[]);
    let nats = Vec::<f64>::try_from(nats.to_kind(Kind::Double))
        .map_err(|error| RunFailure::infrastructure(error.to_string()))?;
    Ok(Measurement::new(nats)?.metric("accuracy", right)?)
}

type Part = fn(&Shapes) -> &Images;

fn on(shapes: &Arc<Shapes>, part: Part) -> impl Evaluator<Checkpoint<Recipe>> + 'static {
    model_evaluator(Arc::clone(shapes), move |shapes, net, _| measure(net, part(shapes)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(25), |seconds| seconds.parse())?;
    let shapes = Arc::new(Shapes::new());
    let report = Study::new(
        Recipe::default(),
        LocalSearch::over(Recipe::space()).steps(0.1..=0.5),
        Training::of(Arc::clone(&shapes)).fidelity(Fidelity::tokens(10_000)),
        on(&shapes, |shapes| &shapes.validation),
    )
    .acceptor(Guarded::new().horizon(20).screen(1.5))
    .holdout(on(&shapes, |shapes| &shapes.holdout))
    .test_split(on(&shapes, |shapes| &shapes.test))
    .limits(Limits::new().wall_clock(Duration::from_secs(seconds)))
    .in_flight(2)
    .observer(Progress::bar())
    .run()
    .await?;
    println!("{report}");
    println!("certified recipe: {}", serde_json::to_string_pretty(report.certified())?);
    Ok(())
}
