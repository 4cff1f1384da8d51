//! One block of the transformer: attention, then the feed-forward layers, each added to the stream.

use crate::{Activation, GptRecipe, Norm, Parameters};
use autoresearch_core::RunFailure;
use tch::{Kind, Tensor};

const EPSILON: f64 = 1e-5;

/// A normalisation with a gain of its own.
#[derive(Debug)]
pub(super) struct Normalise {
    kind: Norm,
    gain: Tensor,
}

impl Normalise {
    pub(super) fn new(
        name: &str,
        recipe: &GptRecipe,
        parameters: &mut Parameters,
    ) -> Result<Self, RunFailure> {
        let gain = parameters.constant(name, &[i64::from(recipe.width())], 1.0)?;
        Ok(Self { kind: recipe.norm, gain })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let shape = self.gain.size();
        match self.kind {
            Norm::Layer => x.layer_norm(shape, Some(&self.gain), None::<&Tensor>, EPSILON, false),
            Norm::Rms => x.rms_norm(shape, Some(&self.gain), EPSILON),
        }
    }
}

/// The angles of rope: cosines and sines, `[context, head_dim]`.
#[derive(Debug)]
pub(super) struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Rotation {
    pub(super) fn new(recipe: &GptRecipe) -> Self {
        let half = recipe.head_dim / 2;
        let angles: Vec<f32> = (0..recipe.context)
            .flat_map(|place| {
                let angle =
                    move |i| f64::from(place) * recipe.rope_base.powf(-f64::from(i) / f64::from(half));
                (0..half).chain(0..half).map(move |i| angle(i) as f32)
            })
            .collect();
        let angles =
            Tensor::from_slice(&angles).view([i64::from(recipe.context), i64::from(recipe.head_dim)]);
        // The sign of the turned half is kept in the sine, which saves a negation a step.
        let half = i64::from(half);
        let sin = angles.sin();
        let sin = Tensor::cat(&[-sin.narrow(1, 0, half), sin.narrow(1, half, half)], 1);
        Self { cos: angles.cos(), sin }
    }

    pub(super) fn narrow(&self, length: i64) -> Self {
        Self { cos: self.cos.narrow(0, 0, length), sin: self.sin.narrow(0, 0, length) }
    }

    /// Turns the last dimension of `[.., length, head_dim]`.
    fn turn(&self, x: &Tensor) -> Tensor {
        let half = x.size()[3] / 2;
        x * &self.cos + x.roll([half], [3]) * &self.sin
    }
}

/// A block of the transformer.
#[derive(Debug)]
pub(super) struct Block {
    recipe: GptRecipe,
    attention_norm: Normalise,
    query_key_value: Tensor,
    attention_out: Tensor,
    mlp_norm: Normalise,
    up: Tensor,
    down: Tensor,
}

impl Block {
    pub(super) fn new(index: u32, recipe: &GptRecipe, p: &mut Parameters) -> Result<Self, RunFailure> {
        let (width, hidden) = (i64::from(recipe.width()), i64::from(recipe.hidden()));
        let name = |part: &str| format!("block.{index}.{part}");
        let std = recipe.init_std;
        // As in GPT-2: what is added to the stream 2 x depth times starts smaller.
        let out_std = if recipe.zero_init_outputs { 0.0 } else { std / f64::from(2 * recipe.depth).sqrt() };
        let up = match recipe.activation {
            Activation::Swiglu => p.normal(&name("gate_up"), &[2 * hidden, width], std)?,
            _ => p.normal(&name("up"), &[hidden, width], std)?,
        };
        Ok(Self {
            attention_norm: Normalise::new(&name("attention_norm"), recipe, p)?,
            query_key_value: p.normal(&name("query_key_value"), &[3 * width, width], std)?,
            attention_out: p.normal(&name("attention_out"), &[width, width], out_std)?,
            mlp_norm: Normalise::new(&name("mlp_norm"), recipe, p)?,
            up,
            down: p.normal(&name("down"), &[width, hidden], out_std)?,
            recipe: recipe.clone(),
        })
    }

    pub(super) fn forward(&self, x: Tensor, rotation: Option<&Rotation>) -> Tensor {
        let x = &x + self.attention(&self.attention_norm.forward(&x), rotation);
        let fed = self.feed_forward(&self.mlp_norm.forward(&x));
        x + fed
    }

    fn attention(&self, x: &Tensor, rotation: Option<&Rotation>) -> Tensor {
        let (batch, length) = (x.size()[0], x.size()[1]);
        let (heads, head_dim) = (i64::from(self.recipe.heads), i64::from(self.recipe.head_dim));
        let qkv = x.linear::<Tensor>(&self.query_key_value, None).view([batch, length, 3, heads, head_dim]);
        let part = |index| qkv.select(2, index).transpose(1, 2);
        let prepare = |part: Tensor| {
            let part =
                if self.recipe.qk_norm { part.rms_norm([head_dim], None::<&Tensor>, EPSILON) } else { part };
            rotation.map_or_else(|| part.shallow_clone(), |rotation| rotation.turn(&part))
        };
        let (query, key, value) = (prepare(part(0)), prepare(part(1)), part(2));
        let scale = self.recipe.qk_gain / (head_dim as f64).sqrt();
        let mixed = Tensor::scaled_dot_product_attention::<Tensor>(
            &query, &key, &value, None, 0.0, true, scale, false,
        );
        let mixed = mixed.transpose(1, 2).reshape([batch, length, heads * head_dim]);
        mixed.linear::<Tensor>(&self.attention_out, None)
    }

    fn feed_forward(&self, x: &Tensor) -> Tensor {
        let hidden = x.linear::<Tensor>(&self.up, None);
        let hidden = match self.recipe.activation {
            Activation::Gelu => hidden.gelu("none"),
            Activation::Relu2 => hidden.relu().square(),
            Activation::Swiglu => {
                let halves = hidden.chunk(2, -1);
                halves[0].silu() * &halves[1]
            }
        };
        debug_assert_eq!(hidden.kind(), Kind::Float);
        hidden.linear::<Tensor>(&self.down, None)
    }
}
