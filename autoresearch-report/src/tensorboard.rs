//! An observer that writes TensorBoard event files.
//!
//! The format is small and has been the same for ten years: records (length, checksum, bytes, checksum) of protocol
//! buffers, of which three messages are needed. They are written by hand here, so that neither a protobuf compiler nor
//! TensorFlow is.

use autoresearch_core::{Fate, Notice, Observe, Status};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes a study's progress as TensorBoard scalars, one step a finished run: `objective/run`, `objective/incumbent`,
/// `effect/kept`, `study/kept`, `study/proposals`, `study/holdout_left`, `study/money`, `study/seconds_a_run`; and kept edits as texts.
///
/// ```no_run
/// # use autoresearch_core::{Study, testkit, LocalSearch, ParamSpace, ParamSet};
/// use autoresearch_report::TensorBoard;
/// # let (executor, _runs) = testkit::mock_executor();
/// # let study = Study::new(ParamSet::new(), LocalSearch::over(ParamSpace::new()), executor, testkit::loss());
/// let study = study.observer(TensorBoard::create("runs/study-1")?);
/// # Ok::<(), std::io::Error>(())
/// ```
/// `tensorboard --logdir runs` shows it. A disk that fails does not stop the study: what could not be written is missing,
/// and [`TensorBoard::lost`] is told on standard error once.
#[derive(Debug)]
pub struct TensorBoard {
    path: PathBuf,
    file: BufWriter<File>,
    incumbent: Option<f64>,
    lost: u64,
}

impl TensorBoard {
    /// Makes the folder where it is missing, and in it an event file of its own.
    ///
    /// # Errors
    /// Folder or file cannot be written.
    pub fn create(folder: impl AsRef<Path>) -> std::io::Result<Self> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder)?;
        let now = now();
        for attempt in 0..1000u32 {
            // TensorBoard reads a folder's files in the order of their names, and each that has `tfevents` in it.
            let pid = std::process::id();
            let path =
                folder.join(format!("events.out.tfevents.{:.0}.autoresearch.{pid}.{attempt}", now.floor()));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut this = Self { path, file: BufWriter::new(file), incumbent: None, lost: 0 };
                    let mut event = double(1, now);
                    bytes(&mut event, 3, b"brain.Event:2");
                    write_record(&mut this.file, &event)?;
                    this.file.flush()?;
                    return Ok(this);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(std::io::ErrorKind::AlreadyExists.into())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn record(&mut self, step: u64, values: &[Vec<u8>]) {
        let mut event = double(1, now());
        varint_field(&mut event, 2, step);
        let mut summary = Vec::new();
        values.iter().for_each(|value| bytes(&mut summary, 1, value));
        bytes(&mut event, 5, &summary);
        let written = write_record(&mut self.file, &event).and_then(|()| self.file.flush());
        if let Err(error) = written {
            if self.lost == 0 {
                eprintln!("TensorBoard file {}: {error}; the study goes on without it", self.path.display());
            }
            self.lost += 1;
        }
    }
}

impl Observe for TensorBoard {
    fn notice(&mut self, notice: &Notice<'_>, status: &Status) {
        match notice {
            Notice::RunFinished { objective, seconds, .. } => {
                let mut values = vec![
                    scalar("objective/run", *objective),
                    scalar("study/seconds_a_run", *seconds),
                    scalar("study/kept", status.kept as f64),
                    scalar("study/proposals", status.proposals as f64),
                    scalar("study/money", status.money),
                ];
                values.extend(status.holdout_left.map(|left| scalar("study/holdout_left", left as f64)));
                if status.incumbent.is_some() {
                    self.incumbent = status.incumbent;
                }
                values.extend(self.incumbent.map(|x| scalar("objective/incumbent", x)));
                self.record(status.runs, &values);
            }
            Notice::Settled { proposal, title, fate: Fate::Kept, effect, reason } => {
                let title = crate::text::markdown(&crate::text::line(title, 300));
                let reason = crate::text::markdown(&crate::text::line(reason, 400));
                let mut values = vec![text("kept", &format!("{proposal} {title}: {reason}"))];
                values.extend(effect.map(|effect| scalar("effect/kept", effect.mean)));
                self.record(status.runs, &values);
            }
            _ => {}
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// A `Summary.Value` with a number.
fn scalar(tag: &str, value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(&mut out, 1, tag.as_bytes());
    out.push(2 << 3 | 5);
    out.extend((value as f32).to_le_bytes());
    out
}

/// A `Summary.Value` with a text, as the plug-in for texts wants it: a tensor of one string.
fn text(tag: &str, value: &str) -> Vec<u8> {
    let (mut plugin, mut metadata, mut dim, mut shape) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    bytes(&mut plugin, 1, b"text");
    bytes(&mut metadata, 1, &plugin);
    varint_field(&mut dim, 1, 1);
    bytes(&mut shape, 2, &dim);
    let mut tensor = Vec::new();
    varint_field(&mut tensor, 1, 7); // DT_STRING
    bytes(&mut tensor, 2, &shape);
    bytes(&mut tensor, 8, value.as_bytes());
    let mut out = Vec::new();
    bytes(&mut out, 1, tag.as_bytes());
    bytes(&mut out, 8, &tensor);
    bytes(&mut out, 9, &metadata);
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_field(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

fn double(field: u8, value: f64) -> Vec<u8> {
    let mut out = vec![field << 3 | 1];
    out.extend(value.to_le_bytes());
    out
}

/// The checksum of a TFRecord: CRC-32C, turned and moved so that a checksum of checksums is not weak.
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn write_record(out: &mut impl Write, data: &[u8]) -> std::io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length))?;
    out.write_all(data)?;
    out.write_all(&masked(data))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn records_are_those_of_tensorflow() {
        // The first record of every event file that TensorFlow writes, with wall time 1.0; checksums by a second
        // implementation, bit by bit.
        let mut event = double(1, 1.0);
        bytes(&mut event, 3, b"brain.Event:2");
        let mut record = Vec::new();
        write_record(&mut record, &event).unwrap();
        let hex: String = record.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, RECORD);
    }

    const RECORD: &str = "1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a";

    #[test]
    fn numbers_of_any_size_are_varints() {
        let mut out = Vec::new();
        varint(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
    }
}
