//! The parameters of one model: named, and drawn from their names.

use crate::checkpoint::Weights;
use autoresearch_core::{FailureKind, RunFailure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use tch::{Device, Tensor};

/// One trained tensor.
#[derive(Debug)]
pub struct Parameter {
    name: String,
    tensor: Tensor,
}

impl Parameter {
    /// Its name, unique in the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tensor: the very one that the model holds.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }
}

/// Makes a model's parameters and keeps them: for training drawn from the seed, for evaluation read from a file.
/// A [`Trainer`](crate::Trainer) builds its model the same way for both.
///
/// Every parameter has a generator of its own, from the seed and its name. So an edit that adds or removes one
/// leaves the initial values of all others alone, and two candidates on equal seeds differ by their edit only; with
/// one shared generator a single new parameter would shift all that follow.
#[derive(Debug)]
pub struct Parameters {
    source: Source,
    device: Device,
    names: HashSet<String>,
    all: Vec<Parameter>,
    constants: Vec<(String, Vec<f32>)>,
}

#[derive(Debug)]
enum Source {
    Seed(u64),
    File(Weights),
}

impl Parameters {
    /// To be drawn from a seed: what a run trains from. For tests of a model or an optimiser of your own.
    pub fn seeded(seed: u64) -> Self {
        Self::from(Source::Seed(seed))
    }

    pub(crate) fn loaded(weights: Weights) -> Self {
        Self::from(Source::File(weights))
    }

    fn from(source: Source) -> Self {
        Self { source, device: Device::Cpu, names: HashSet::new(), all: Vec::new(), constants: Vec::new() }
    }

    /// Says where parameters are to be; on the processor unless said.
    pub(crate) fn on(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Where the parameters are: batches and constants of the model belong there, too.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Names that the file has and the model did not ask for.
    pub(crate) fn left_over(&self) -> Vec<&str> {
        match &self.source {
            Source::Seed(_) => Vec::new(),
            Source::File(weights) => weights.names().filter(|name| !self.names.contains(*name)).collect(),
        }
    }

    /// A parameter with normal initial values of mean 0.
    ///
    /// # Errors
    /// The name is taken, there is no memory for it or, for a model from a file, the file has no such parameter of this
    /// shape. So for all.
    pub fn normal(&mut self, name: &str, shape: &[i64], std: f64) -> Result<Tensor, RunFailure> {
        let draw = |rng: &mut ChaCha8Rng, values: &mut Vec<f32>, count| {
            values.extend(normals(rng, count).map(|x| (std * x) as f32));
        };
        self.parameter(name, shape, draw)
    }

    /// A parameter with initial values spread evenly over -`bound` to `bound`.
    ///
    /// # Errors
    /// As [`normal`](Self::normal).
    pub fn uniform(&mut self, name: &str, shape: &[i64], bound: f64) -> Result<Tensor, RunFailure> {
        let draw = |rng: &mut ChaCha8Rng| (bound * (2.0 * unit(rng) - 1.0)) as f32;
        self.parameter(name, shape, |rng, values, count| values.extend((0..count).map(|_| draw(rng))))
    }

    /// A parameter that starts with one value throughout.
    ///
    /// # Errors
    /// As [`normal`](Self::normal).
    pub fn constant(&mut self, name: &str, shape: &[i64], value: f64) -> Result<Tensor, RunFailure> {
        self.parameter(name, shape, |_, values, count| values.resize(count, value as f32))
    }

    /// Numbers that the model needs and training leaves alone (a vocabulary, say): made by `make` for training, and kept
    /// in the checkpoint, from which evaluation reads as many as there are. They are not among the parameters.
    ///
    /// # Errors
    /// The name is taken, the file has no such numbers, or what `make` reports.
    pub fn constants(
        &mut self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<f32>, RunFailure>,
    ) -> Result<Vec<f32>, RunFailure> {
        if !self.names.insert(name.to_string()) {
            return Err(RunFailure::candidate(format!("two parameters of the model are named {name:?}")));
        }
        let values = match &self.source {
            Source::Seed(_) => make()?,
            Source::File(weights) => weights.read_all(name)?.to_vec(),
        };
        self.constants.push((name.to_string(), values.clone()));
        Ok(values)
    }

    /// What [`constants`](Self::constants) made.
    pub(crate) fn all_constants(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.constants.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    fn parameter(
        &mut self,
        name: &str,
        shape: &[i64],
        draw: impl FnOnce(&mut ChaCha8Rng, &mut Vec<f32>, usize),
    ) -> Result<Tensor, RunFailure> {
        if !self.names.insert(name.to_string()) {
            return Err(RunFailure::candidate(format!("two parameters of the model are named {name:?}")));
        }
        let tensor = match &self.source {
            Source::Seed(seed) => {
                let count = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?));
                let Some(count) = count else {
                    let message = format!("the parameter {name:?} cannot have the shape {shape:?}");
                    return Err(RunFailure::candidate(message).kind(FailureKind::InvalidCandidate));
                };
                let mut values = Vec::new();
                if values.try_reserve_exact(count).is_err() {
                    let message = format!("no memory for the parameter {name:?} of shape {shape:?}");
                    return Err(RunFailure::candidate(message).kind(FailureKind::OutOfMemory));
                }
                draw(&mut generator(*seed, name), &mut values, count);
                Tensor::from_slice(&values)
            }
            Source::File(weights) => Tensor::from_slice(weights.read(name, shape)?),
        };
        let tensor = tensor.reshape(shape).to_device(self.device).set_requires_grad(true);
        let kept = tensor.shallow_clone();
        self.all.push(Parameter { name: name.to_string(), tensor: kept });
        Ok(tensor)
    }

    /// All parameters, in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.all.iter()
    }

    /// How many numbers they hold.
    pub fn count(&self) -> u64 {
        self.all.iter().map(|p| p.tensor.numel() as u64).sum()
    }
}

/// The generator for one purpose of one run: streams for different purposes have nothing in common.
pub(crate) fn generator(seed: u64, purpose: &str) -> ChaCha8Rng {
    let key = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(purpose.as_bytes()).finalize();
    ChaCha8Rng::from_seed(key.into())
}

/// Evenly from 0 to 1, without 1.
pub(crate) fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Standard normals by Box and Muller: a few lines that no new version of a crate can change, since stored studies
/// rely on the same seed giving the same weights.
fn normals(rng: &mut ChaCha8Rng, count: usize) -> impl Iterator<Item = f64> {
    let pair = |rng: &mut ChaCha8Rng| {
        let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * unit(rng)).sin_cos();
        [radius * cos, radius * sin]
    };
    (0..count.div_ceil(2)).flat_map(move |_| pair(rng)).take(count)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn values(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.flatten(0, -1)).unwrap()
    }

    #[test]
    fn a_further_parameter_leaves_the_others_alone() {
        let mut plain = Parameters::seeded(7);
        let a = plain.normal("a", &[3, 5], 1.0).unwrap();
        let mut more = Parameters::seeded(7);
        _ = more.uniform("new", &[100], 0.1).unwrap();
        assert_eq!(values(&a), values(&more.normal("a", &[3, 5], 1.0).unwrap()));
        assert_ne!(values(&a), values(&more.normal("b", &[3, 5], 1.0).unwrap()));
        assert_ne!(values(&a), values(&Parameters::seeded(8).normal("a", &[3, 5], 1.0).unwrap()));
        assert_eq!(more.count(), 130);
    }

    #[test]
    fn the_normals_are_normal() {
        let n = 100_000;
        let x: Vec<f64> = normals(&mut generator(1, "x"), n).collect();
        let moment = |k| x.iter().map(|x| x.powi(k)).sum::<f64>() / n as f64;
        // Standard errors of the first, second and fourth moment of n normals: sqrt(1/n), sqrt(2/n), sqrt(96/n).
        for (k, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (4, 3.0, 96.0_f64)] {
            assert!(
                (moment(k) - expected).abs() < 4.0 * (variance / n as f64).sqrt(),
                "moment {k}: {}",
                moment(k)
            );
        }
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut parameters = Parameters::seeded(1);
        _ = parameters.constant("gain", &[2], 1.0).unwrap();
        assert!(parameters.constant("gain", &[2], 1.0).unwrap_err().message().contains("gain"));
    }
}
