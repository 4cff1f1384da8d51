//! Bits per byte: how well a model predicts documents it was not trained on.

use crate::corpus::{Corpus, CorpusError, Document};
use crate::evaluator::with_model_on;
use crate::gpt::{Gpt, GptModel, NO_TARGET, TrainedGpt};
use crate::tokenizer::{BEGIN, Tokenizer, TokenizerError};
use crate::{Device, Devices};
use autoresearch_core::{
    Cancellation, Direction, EvalContext, Evaluator, Measurement, RunFailure, async_trait,
};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tch::{Kind, Tensor};

/// Bits per byte on the documents of one split: lower is better, and the size of the vocabulary does not matter.
///
/// **What is measured.** By default up to 8 KiB of a document, in two excerpts from a quarter and three quarters of it
/// (where no title page is), and at most 128 KiB in all, documents being taken in the order of their ids. So an
/// evaluation of a run of seconds costs a fraction of the run. [`excerpt`](Self::excerpt), [`most`](Self::most) and
/// [`whole`](Self::whole) change that.
///
/// **How.** A document is written in the symbols that the checkpoint's model was trained on (its vocabulary lies in the
/// checkpoint). Of an excerpt those symbols count that begin within it, so that no byte counts twice: their bits, divided
/// by their own bytes. For a model of bytes these are the bytes of the excerpt; for others the ends differ by less than a
/// symbol. A document none of whose symbols begin in an excerpt counts by the symbol that the first one begins in.
///
/// Symbols are cut into windows of the model's context, which do not overlap. Every symbol is predicted exactly once,
/// from the symbols before it in its window and the one before the window; before the first one of a document stands a
/// line end, which is read and not scored, and no other symbol is special. A model with a longer context sees more, as
/// does one with longer symbols, and this is part of its score.
///
/// **What comes out.** One value a document, weighted by the bytes of its excerpts, which are the same for every
/// vocabulary; its id as the cluster; the training's metrics are added. The result does not depend on the batch size but
/// for rounding (about 1e-7).
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
    devices: Devices,
    written: Arc<Mutex<BTreeMap<String, Arc<Vec<Unit>>>>>,
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
            devices: Devices::shared(Device::Cpu),
            written: Arc::default(),
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

    /// Symbols predicted at once: memory against speed.
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

    /// Measures on the devices of a pool; on the processor unless said. The number then differs in its last digits, and the
    /// [`identity`](Evaluator::identity) says so.
    #[must_use]
    pub fn devices(mut self, devices: Devices) -> Self {
        self.devices = devices;
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

    /// The documents that are measured.
    fn documents(&self) -> impl Iterator<Item = &Document> {
        let mut taken = 0;
        self.corpus.documents().iter().take_while(move |document| {
            let more = taken < self.most;
            taken += self.excerpts(document.len()).map(|excerpt| excerpt.len()).sum::<usize>();
            more
        })
    }

    fn unit(&self, document: &Document, tokenizer: &Tokenizer) -> Result<Unit, RunFailure> {
        let text = document.text().map_err(|e: CorpusError| RunFailure::infrastructure(e.to_string()))?;
        let symbols = tokenizer.encode(&text);
        let symbols = symbols.map_err(|e: TokenizerError| RunFailure::infrastructure(e.to_string()))?;
        Ok(Unit::new(document.id().cluster(), &symbols, tokenizer, self.excerpts(document.len())))
    }

    /// All documents in these symbols: made once for each vocabulary.
    fn written(&self, tokenizer: &Tokenizer, stop: &Cancellation) -> Result<Arc<Vec<Unit>>, RunFailure> {
        let key = format!("{} {} {}", tokenizer.name(), self.excerpt, self.most);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(units) = written.get(&key) {
            return Ok(Arc::clone(units));
        }
        let units = self.documents().map(|document| {
            if stop.is_cancelled() { Err(RunFailure::cancelled()) } else { self.unit(document, tokenizer) }
        });
        let units = Arc::new(units.collect::<Result<Vec<_>, _>>()?);
        written.insert(key, Arc::clone(&units));
        Ok(units)
    }

    fn measure(&self, model: &GptModel, stop: &Cancellation) -> Result<Measurement, RunFailure> {
        let context = model.recipe().context as usize;
        let mut sums = Sums::default();
        let mut batch = Batch::new(context, (self.batch_tokens / context).max(1));
        let mut add = |unit: &Unit| {
            let index = sums.open(unit);
            for stretch in &unit.stretches {
                for window in windows(1..stretch.len(), context) {
                    if stop.is_cancelled() {
                        return Err(RunFailure::cancelled());
                    }
                    batch.push(&stretch[window.start - 1..window.end], index);
                    batch.flush_if_full(model, &mut sums);
                }
            }
            Ok(())
        };
        let tokenizer = model.tokenizer();
        if self.most.min(self.corpus.bytes()) <= KEPT_BYTES {
            self.written(tokenizer, stop)?.iter().try_for_each(&mut add)?;
        } else {
            self.documents().try_for_each(|document| add(&self.unit(document, tokenizer)?))?;
        }
        batch.flush(model, &mut sums);
        let values = sums.bits.iter().zip(&sums.bytes).map(|(bits, bytes)| bits / bytes);
        let measurement = Measurement::new(values)?.weights(sums.weights)?.clusters(sums.clusters)?;
        Ok(measurement.direction(Direction::Minimize))
    }
}

/// Text up to which all symbols that are measured are kept for the next model, in each vocabulary: 16 MiB.
const KEPT_BYTES: usize = 16 << 20;

/// What is measured of one document.
#[derive(Debug, PartialEq)]
struct Unit {
    cluster: u64,
    /// Bytes of the excerpts.
    weight: usize,
    /// Bytes of the symbols.
    bytes: usize,
    /// For each excerpt, the symbol before it and its symbols.
    stretches: Vec<Vec<u16>>,
}

impl Unit {
    fn new(
        cluster: u64,
        symbols: &[u32],
        tokenizer: &Tokenizer,
        excerpts: impl Iterator<Item = Range<usize>>,
    ) -> Self {
        // Where each symbol begins, and where the document ends.
        let ends = symbols.iter().scan(0, |end, &symbol| {
            *end += tokenizer.length(symbol);
            Some(*end)
        });
        let starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
        let begins_from = |byte: usize| starts[..symbols.len()].partition_point(|&start| start < byte);
        let mut unit = Self { cluster, weight: 0, bytes: 0, stretches: Vec::new() };
        let add = |unit: &mut Self, range: Range<usize>| {
            let before = range.start.checked_sub(1).map_or(BEGIN, |at| symbols[at]);
            unit.bytes += starts[range.end] - starts[range.start];
            let stretch = std::iter::once(&before).chain(&symbols[range]);
            // No vocabulary has more than 65,536 symbols.
            unit.stretches.push(stretch.map(|&symbol| symbol as u16).collect());
        };
        let mut first = None;
        for excerpt in excerpts {
            unit.weight += excerpt.len();
            let range = begins_from(excerpt.start)..begins_from(excerpt.end);
            if !range.is_empty() {
                add(&mut unit, range);
            }
            first.get_or_insert(excerpt.start);
        }
        if let (true, Some(byte)) = (unit.stretches.is_empty(), first) {
            let holds = begins_from(byte + 1) - 1;
            add(&mut unit, holds..holds + 1);
        }
        unit
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
        with_model_on(&self.devices, Arc::clone(&self.gpt), output, self.threads, &cx, measure).await
    }

    fn identity(&self) -> String {
        let Self { corpus, excerpt, most, .. } = self;
        let place = match self.devices.kind() {
            "cpu" => String::new(),
            kind => format!(", on {kind}"),
        };
        format!(
            "bits per byte on {}, excerpts of {excerpt}, at most {most} bytes{place}",
            corpus.fingerprint()
        )
    }
}

fn windows(excerpt: Range<usize>, context: usize) -> impl Iterator<Item = Range<usize>> {
    let end = excerpt.end;
    excerpt.step_by(context).map(move |start| start..(start + context).min(end))
}

/// Bits and bytes of each document so far.
#[derive(Default)]
struct Sums {
    bits: Vec<f64>,
    bytes: Vec<f64>,
    weights: Vec<f64>,
    clusters: Vec<u64>,
}

impl Sums {
    fn open(&mut self, unit: &Unit) -> usize {
        self.bits.push(0.0);
        self.bytes.push(unit.bytes as f64);
        self.weights.push(unit.weight as f64);
        self.clusters.push(unit.cluster);
        self.bits.len() - 1
    }
}

/// Windows waiting to be predicted together. Shorter ones are filled up, with targets that do not count.
struct Batch {
    context: usize,
    rows: usize,
    inputs: Vec<i64>,
    targets: Vec<i64>,
    units: Vec<usize>,
}

impl Batch {
    fn new(context: usize, rows: usize) -> Self {
        Self { context, rows, inputs: Vec::new(), targets: Vec::new(), units: Vec::new() }
    }

    /// A window: the symbol before it, and its symbols.
    fn push(&mut self, symbols: &[u16], unit: usize) {
        let filled = (self.units.len() + 1) * self.context;
        self.inputs.extend(symbols[..symbols.len() - 1].iter().map(|&symbol| i64::from(symbol)));
        self.inputs.resize(filled, i64::from(BEGIN));
        self.targets.extend(symbols[1..].iter().map(|&symbol| i64::from(symbol)));
        self.targets.resize(filled, NO_TARGET);
        self.units.push(unit);
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
        let per_window = nats.sum_dim_intlist(1, false, Kind::Double).to_device(tch::Device::Cpu);
        for (index, unit) in self.units.iter().enumerate() {
            sums.bits[*unit] += per_window.double_value(&[index as i64]) / std::f64::consts::LN_2;
        }
        self.inputs.clear();
        self.targets.clear();
        self.units.clear();
    }
}

#[cfg(test)]
mod tests;
