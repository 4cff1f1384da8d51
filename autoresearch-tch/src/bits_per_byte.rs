//! Bits per byte: how well a model predicts documents it was not trained on.

use crate::corpus::Corpus;
use crate::evaluator::with_model;
use crate::gpt::{BEGIN, Gpt, GptModel, TrainedGpt};
use autoresearch_core::{
    Cancellation, Direction, EvalContext, Evaluator, Measurement, RunFailure, async_trait,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use tch::{Kind, Tensor};

/// Bits per byte on the documents of one split: lower is better, and the size of the vocabulary does not matter.
///
/// **What is measured.** By default up to 8 KiB of a document, in two excerpts from a quarter and three quarters of it
/// (where no title page is), and at most 128 KiB in all, documents being taken in the order of their ids. So an
/// evaluation of a run of seconds costs a fraction of the run. [`excerpt`](Self::excerpt), [`most`](Self::most) and
/// [`whole`](Self::whole) change that.
///
/// **How.** An excerpt is cut into windows of the model's context, which do not overlap. Every byte is predicted exactly
/// once, from the bytes before it in its window and the one byte before the window; before the first byte of a document
/// stands a line end. A model with a longer context sees more, and this is part of its score.
///
/// **What comes out.** One value a document, weighted by its bytes, its id as the cluster; the training's metrics are
/// added. The result does not depend on the batch size but for rounding (about 1e-7).
///
/// ```no_run
/// # use autoresearch_tch::{BitsPerByte, Corpus, Split};
/// let corpus = Corpus::read("texts/")?.split(Split::default())?;
/// let validation = BitsPerByte::on(corpus.validation());
/// let test = BitsPerByte::on(corpus.test()).whole();
/// # Ok::<(), autoresearch_tch::CorpusError>(())
/// ```
#[derive(Clone)]
pub struct BitsPerByte {
    corpus: Corpus,
    gpt: Arc<Gpt>,
    excerpt: usize,
    most: usize,
    batch_tokens: usize,
    threads: i32,
}

impl BitsPerByte {
    /// On these documents.
    pub fn on(corpus: &Corpus) -> Self {
        Self {
            corpus: corpus.clone(),
            gpt: Arc::new(Gpt::without_text()),
            excerpt: 8 << 10,
            most: 128 << 10,
            batch_tokens: 4096,
            threads: 1,
        }
    }

    /// At most this many bytes of each document.
    #[must_use]
    pub fn excerpt(mut self, bytes: usize) -> Self {
        self.excerpt = bytes.max(2);
        self
    }

    /// Documents are taken until this many bytes are reached.
    #[must_use]
    pub fn most(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// Every byte of every document.
    #[must_use]
    pub fn whole(self) -> Self {
        self.excerpt(usize::MAX).most(usize::MAX)
    }

    /// Bytes predicted at once: memory against speed.
    #[must_use]
    pub fn batch_tokens(mut self, tokens: usize) -> Self {
        self.batch_tokens = tokens.max(1);
        self
    }

    /// libtorch threads; 1 unless said, as for [`Training`](crate::Training).
    #[must_use]
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = i32::try_from(threads.max(1)).unwrap_or(i32::MAX);
        self
    }

    /// The places measured of a document this long: all of it, or the middle of either half.
    fn excerpts(&self, length: usize) -> impl Iterator<Item = Range<usize>> {
        let (pieces, size) = if length <= self.excerpt { (1, length) } else { (2, self.excerpt / 2) };
        let stride = length / pieces;
        (0..pieces).map(move |piece| {
            let start = piece * stride + (stride - size) / 2;
            start..start + size
        })
    }

    fn measure(&self, model: &GptModel, stop: &Cancellation) -> Result<Measurement, RunFailure> {
        let context = model.recipe().context as usize;
        let mut sums = Sums { bits: Vec::new(), bytes: Vec::new() };
        let mut ids = Vec::new();
        let mut batch = Batch::new(context, (self.batch_tokens / context).max(1));
        let mut taken = 0;
        for document in self.corpus.documents() {
            if taken >= self.most {
                break;
            }
            ids.push(document.id().cluster());
            let unit = sums.open();
            for excerpt in self.excerpts(document.bytes().len()) {
                taken += excerpt.len();
                for window in windows(excerpt, context) {
                    if stop.is_cancelled() {
                        return Err(RunFailure::cancelled());
                    }
                    batch.push(document.bytes(), window, unit);
                    batch.flush_if_full(model, &mut sums);
                }
            }
        }
        batch.flush(model, &mut sums);
        let values = sums.bits.iter().zip(&sums.bytes).map(|(bits, bytes)| bits / bytes);
        let measurement = Measurement::new(values)?.weights(sums.bytes.iter().copied())?.clusters(ids)?;
        Ok(measurement.direction(Direction::Minimize))
    }
}

impl fmt::Debug for BitsPerByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BitsPerByte({:?}, {} bytes a document, {} in all)", self.corpus, self.excerpt, self.most)
    }
}

#[async_trait]
impl Evaluator<TrainedGpt> for BitsPerByte {
    async fn evaluate(&self, output: &TrainedGpt, cx: EvalContext) -> Result<Measurement, RunFailure> {
        if self.corpus.is_empty() || self.most == 0 {
            // Nobody's model is to blame, so that it must not count against one.
            let what = "bits per byte are to be measured on a split without documents";
            return Err(RunFailure::infrastructure(format!(
                "{what}; give it a share in `Split`, and `most` above 0"
            )));
        }
        let this = self.clone();
        let measure = move |_: &Gpt, model: &GptModel, stop: &Cancellation| this.measure(model, stop);
        with_model(Arc::clone(&self.gpt), output, self.threads, &cx, measure).await
    }

    fn identity(&self) -> String {
        let Self { corpus, excerpt, most, .. } = self;
        format!("bits per byte on {}, excerpts of {excerpt}, at most {most} bytes", corpus.fingerprint())
    }
}

fn windows(excerpt: Range<usize>, context: usize) -> impl Iterator<Item = Range<usize>> {
    let end = excerpt.end;
    excerpt.step_by(context).map(move |start| start..(start + context).min(end))
}

/// Bits and bytes of each document so far.
struct Sums {
    bits: Vec<f64>,
    bytes: Vec<f64>,
}

impl Sums {
    fn open(&mut self) -> usize {
        self.bits.push(0.0);
        self.bytes.push(0.0);
        self.bits.len() - 1
    }
}

/// Windows waiting to be predicted together. Shorter ones are filled up, with targets that do not count.
struct Batch {
    context: usize,
    rows: usize,
    inputs: Vec<i64>,
    targets: Vec<i64>,
    units: Vec<(usize, usize)>,
}

const NO_TARGET: i64 = -100;

impl Batch {
    fn new(context: usize, rows: usize) -> Self {
        Self { context, rows, inputs: Vec::new(), targets: Vec::new(), units: Vec::new() }
    }

    fn push(&mut self, bytes: &[u8], window: Range<usize>, unit: usize) {
        let before = window.start.checked_sub(1).map_or(BEGIN, |at| bytes[at]);
        let targets = &bytes[window];
        let (length, filled) = (targets.len(), self.units.len() * self.context + self.context);
        self.inputs.push(i64::from(before));
        self.inputs.extend(targets[..length - 1].iter().map(|&b| i64::from(b)));
        self.inputs.resize(filled, i64::from(BEGIN));
        self.targets.extend(targets.iter().map(|&b| i64::from(b)));
        self.targets.resize(filled, NO_TARGET);
        self.units.push((unit, length));
    }

    fn flush_if_full(&mut self, model: &GptModel, sums: &mut Sums) {
        if self.units.len() == self.rows {
            self.flush(model, sums);
        }
    }

    fn flush(&mut self, model: &GptModel, sums: &mut Sums) {
        if self.units.is_empty() {
            return;
        }
        let shape = [self.units.len() as i64, self.context as i64];
        let inputs = Tensor::from_slice(&self.inputs).view(shape);
        let nats = model.nats(&inputs, &Tensor::from_slice(&self.targets)).view(shape);
        let per_window = nats.sum_dim_intlist(1, false, Kind::Double);
        for (index, (unit, length)) in self.units.iter().enumerate() {
            sums.bits[*unit] += per_window.double_value(&[index as i64]) / std::f64::consts::LN_2;
            sums.bytes[*unit] += *length as f64;
        }
        self.inputs.clear();
        self.targets.clear();
        self.units.clear();
    }
}

#[cfg(test)]
mod tests;
