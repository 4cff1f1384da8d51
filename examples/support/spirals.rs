//! A small neural network on two interleaved spirals, in plain Rust: milliseconds a run, and much to get wrong.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;

/// Points of each split: training, validation, holdout, test.
const POINTS: usize = 200;
const BATCH: usize = 32;

/// What a run is given besides its learning rates.
pub(crate) struct Settings {
    pub(crate) width: usize,
    pub(crate) momentum: f64,
    pub(crate) weight_decay: f64,
    pub(crate) steps: usize,
}

/// A trained network: a hidden layer of tanh, one logit.
pub(crate) struct Net {
    /// For each hidden unit: two weights, a bias, and the weight of its output.
    hidden: Vec<[f64; 4]>,
    bias: f64,
}

struct Point {
    at: [f64; 2],
    class: f64,
}

/// The data are the same for every run. `split`: 0 training, 1 validation, 2 holdout, 3 test.
fn points(split: usize) -> Vec<Point> {
    let mut random = ChaCha8Rng::seed_from_u64(2024 + split as u64);
    let point = |i: usize| {
        let (class, t) = (i % 2, random.random::<f64>().sqrt());
        let angle = 3.0 * PI * t + PI * class as f64;
        let mut shaken = |x: f64| x + 0.06 * (random.random::<f64>() + random.random::<f64>() - 1.0);
        Point { at: [shaken(t * angle.cos()), shaken(t * angle.sin())], class: class as f64 }
    };
    (0..POINTS).map(point).collect()
}

/// Trains by stochastic gradient descent; `rate` is the learning rate of each step.
pub(crate) fn train<E>(
    settings: &Settings,
    seed: u64,
    mut rate: impl FnMut(usize) -> Result<f64, E>,
) -> Result<Net, E> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let data = points(0);
    let draw = |random: &mut ChaCha8Rng| 2.0 * random.random::<f64>() - 1.0;
    let hidden =
        (0..settings.width).map(|_| std::array::from_fn(|i| draw(&mut random) * [3.0, 3.0, 1.0, 1.0][i]));
    let mut net = Net { hidden: hidden.collect(), bias: 0.0 };
    let mut speed = vec![[0.0; 4]; settings.width];
    let mut bias_speed = 0.0;
    for step in 0..settings.steps {
        let rate = rate(step)?;
        let (mut slope, mut bias_slope) = (vec![[0.0; 4]; settings.width], 0.0);
        for _ in 0..BATCH {
            let point = &data[(random.next_u64() % POINTS as u64) as usize];
            let error = (sigmoid(net.logit(point.at)) - point.class) / BATCH as f64;
            for (unit, slope) in net.hidden.iter().zip(&mut slope) {
                let h = activation(unit, point.at);
                let back = error * unit[3] * (1.0 - h * h);
                slope[0] += back * point.at[0];
                slope[1] += back * point.at[1];
                slope[2] += back;
                slope[3] += error * h;
            }
            bias_slope += error;
        }
        let units = net.hidden.iter_mut().zip(&mut speed).zip(&slope);
        for ((unit, speed), slope) in units {
            for i in 0..4 {
                speed[i] = settings.momentum * speed[i] + slope[i] + settings.weight_decay * unit[i];
                unit[i] -= rate * speed[i];
            }
        }
        bias_speed = settings.momentum * bias_speed + bias_slope;
        net.bias -= rate * bias_speed;
    }
    Ok(net)
}

fn activation(unit: &[f64; 4], at: [f64; 2]) -> f64 {
    (unit[0] * at[0] + unit[1] * at[1] + unit[2]).tanh()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Net {
    fn logit(&self, at: [f64; 2]) -> f64 {
        self.hidden.iter().map(|unit| unit[3] * activation(unit, at)).sum::<f64>() + self.bias
    }

    /// The cross entropy of each point of a split, in nats: 1 validation, 2 holdout, 3 test. Not a number where training
    /// blew up.
    pub(crate) fn losses(&self, split: usize) -> Vec<f64> {
        let loss = |point: &Point| {
            let margin = self.logit(point.at) * (2.0 * point.class - 1.0);
            // ln(1 + exp(-margin)), without overflow.
            (-margin).max(0.0) + (-margin.abs()).exp().ln_1p()
        };
        points(split).iter().map(loss).collect()
    }
}
