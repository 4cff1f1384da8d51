//! What comes back: a zip archive with a record of the end and the files that were collected, in the launch's folder on shared
//! storage or between two marks in the log.

use crate::exit::{Ended, JobExit};
use crate::limits::{LimitKind, bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use globset::GlobSet;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek};
use std::path::{Component, Path};
use zip::ZipArchive;

const MARK: &str = "\u{1}autoresearch-ray ";
/// What is taken of the files in an archive, whatever it says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Which.
    pub(super) names: &'a GlobSet,
    /// Bytes of all of them together.
    pub(super) most: Option<u64>,
    /// Where they are put.
    pub(super) into: Option<&'a Path>,
}

/// The most that a record without its files can be.
const RECORD: u64 = 1 << 20;

/// The end of a job as its node wrote it down.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    launch: String,
    #[serde(flatten)]
    pub(super) exit: JobExit,
    /// Why it could not be started.
    #[serde(default)]
    pub(super) refused: Option<String>,
    /// Lines of standard output that are meant for whoever is told lines, and not for people: all of them, where the rest is only
    /// kept in part.
    #[serde(default)]
    pub(super) own: Vec<String>,
    /// Bytes of files that were too many for the log.
    #[serde(default)]
    too_much: Option<u64>,
}

/// Why there is no record to take.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// There is none, or not all of one.
    None(String),
    /// The files are too large for this way; what to do.
    TooMuch(String),
    /// They could not be put where they belong.
    Io(String),
}

impl From<io::Error> for Lost {
    fn from(why: io::Error) -> Self {
        Self::None(format!("what came back of the job cannot be read: {why}"))
    }
}

impl From<zip::result::ZipError> for Lost {
    fn from(why: zip::result::ZipError) -> Self {
        Self::None(format!("what came back of the job cannot be read: {why}"))
    }
}

/// Finds the archive of this launch in a log.
pub(super) fn in_log(log: &str, launch: &str) -> Result<Vec<u8>, Lost> {
    let none = |why: &str| Lost::None(format!("its log has no record of how it ended ({why})"));
    let begin = format!("{MARK}{launch} begin ");
    let (_, rest) = log.rsplit_once(&begin).ok_or_else(|| none("no mark"))?;
    let (head, rest) = rest.split_once('\n').ok_or_else(|| none("cut off"))?;
    let (text, _) = rest.split_once(&format!("{MARK}{launch} end")).ok_or_else(|| none("cut off"))?;
    let text: String = text.split_ascii_whitespace().collect();
    let data = STANDARD.decode(text).map_err(|_| none("garbled"))?;
    let sum = super::package::hex(&Sha256::digest(&data));
    match head.trim() == format!("{} {sum}", data.len()) {
        true => Ok(data),
        false => Err(none("garbled")),
    }
}

/// Takes the record out of an archive that came through the log.
pub(super) fn from_bytes(data: Vec<u8>, launch: &str, wanted: Wanted<'_>) -> Result<Record, Lost> {
    take(ZipArchive::new(Cursor::new(data))?, launch, wanted)
}

/// Takes the record out of an archive on shared storage. `None`: it is not there (yet).
pub(super) fn from_file(path: &Path, launch: &str, wanted: Wanted<'_>) -> Result<Option<Record>, Lost> {
    match File::open(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why.into()),
        Ok(file) => take(ZipArchive::new(io::BufReader::new(file))?, launch, wanted).map(Some),
    }
}

fn take<R: Read + Seek>(
    mut archive: ZipArchive<R>,
    launch: &str,
    wanted: Wanted<'_>,
) -> Result<Record, Lost> {
    let mut text = Vec::new();
    archive.by_name("exit.json")?.take(RECORD).read_to_end(&mut text)?;
    let mut record: Record = serde_json::from_slice(&text).map_err(io::Error::from)?;
    if record.launch != launch {
        return Err(Lost::None("its record is of another launch".into()));
    }
    if let Some(size) = record.too_much {
        return Err(Lost::TooMuch(format!(
            "the files to collect are {}, too much to come back through Ray's log; give the launcher a folder on storage that it \
             shares with the nodes, with `.folder(…)`, or let more through with `.returned(…)`",
            bytes(size)
        )));
    }
    let (mut found, mut left) = (Vec::new(), wanted.most);
    for at in 0..archive.len() {
        let mut file = archive.by_index(at)?;
        let Some(name) = file.name()?.strip_prefix("out/").map(str::to_owned) else { continue };
        let path = Path::new(&name);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        // What was not asked for is not let in, whoever wrote it.
        let (true, true, Some(into)) = (inside, wanted.names.is_match(path), wanted.into) else { continue };
        let put = put(&mut file, into, path, left)
            .map_err(|why| Lost::Io(format!("cannot put {name} into {}: {why}", into.display())))?;
        match (put, &mut left) {
            (Some(size), left) => left.iter_mut().for_each(|left| *left -= size),
            (None, _) => {
                record.exit.not_collected.push(format!("{name}: it is more than may be collected"));
                continue;
            }
        }
        found.push(name);
    }
    found.sort();
    record.exit.files = found;
    let exit = &mut record.exit;
    for text in [&mut exit.stdout, &mut exit.stderr] {
        let from = text.len().saturating_sub(JobExit::SHOWN);
        let from = (from..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
        text.drain(..from);
    }
    Ok(record)
}

/// Whole or not at all: its size, or `None` where it is more than is `left`. What an archive says of sizes is not believed.
fn put(file: &mut impl Read, into: &Path, name: &Path, left: Option<u64>) -> io::Result<Option<u64>> {
    let to = into.join(name);
    let parent = to.parent().unwrap_or(into);
    fs::create_dir_all(parent)?;
    let half = parent.join(format!(".half-{}-{}", std::process::id(), super::run::unique()));
    let most = left.unwrap_or(u64::MAX - 1);
    let copied = File::create(&half).and_then(|mut to| io::copy(&mut file.take(most + 1), &mut to));
    let done = match copied {
        Ok(size) if size <= most => fs::rename(&half, &to).map(|()| Some(size)),
        Ok(_) => Ok(None),
        Err(why) => Err(why),
    };
    if !matches!(done, Ok(Some(_))) {
        let _ = fs::remove_file(&half);
    }
    done
}

/// A shell tells a signal of its last command as a status.
pub(super) fn settled(mut exit: JobExit, file_size_limited: bool) -> JobExit {
    if exit.limit.is_none() && file_size_limited && exit.ended == Ended::Status(128 + 25) {
        exit.limit = Some(LimitKind::FileSize);
    }
    exit
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::package::Package;
    use super::*;
    use globset::{Glob, GlobSetBuilder};

    const RECORD: &str = r#"{"launch":"L1","ended":{"status":3},"limit":null,"wall_seconds":0.5,"cpu_seconds":0.1,"peak_memory":5,
        "stdout":"out","stderr":"err","place":"node","left_behind":1,"files":["a.txt"]}"#;

    fn archive(record: &'static str) -> Vec<u8> {
        let files = [("exit.json", record), ("out/a.txt", "A"), ("out/../up.txt", "B"), ("out/other", "C")];
        Package::of(files.map(|(name, text)| (name.to_owned(), text.as_bytes()))).unwrap().bytes
    }

    fn wanted() -> GlobSet {
        GlobSetBuilder::new().add(Glob::new("**/*.txt").unwrap()).build().unwrap()
    }

    fn of<'a>(names: &'a GlobSet, into: Option<&'a Path>) -> Wanted<'a> {
        Wanted { names, most: None, into }
    }

    #[test]
    fn an_archive_that_swells_is_cut_off() {
        let into = tempfile::tempdir().unwrap();
        let zeros = vec![0; 50 << 20];
        let files = [
            ("exit.json", RECORD.as_bytes()),
            ("out/a.txt", b"A"),
            ("out/b.txt", &*zeros),
            ("out/c.txt", b"CC"),
        ];
        let data = Package::of(files.map(|(name, bytes)| (name.to_owned(), bytes))).unwrap().bytes;
        assert!(data.len() < 1 << 20, "{}", data.len());
        let names = wanted();
        let most = Some(3);
        let record = from_bytes(data, "L1", Wanted { most, ..of(&names, Some(into.path())) }).unwrap();
        assert_eq!(record.exit.files, ["a.txt", "c.txt"]);
        assert_eq!(record.exit.not_collected, ["b.txt: it is more than may be collected"]);
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 2, "half a file is left");
    }

    fn log(data: &[u8], launch: &str) -> String {
        let sum = super::super::package::hex(&Sha256::digest(data));
        let text = STANDARD.encode(data);
        let (one, two) = text.split_at(text.len() / 2);
        format!(
            "Running entrypoint\nsaid\n{MARK}{launch} begin {} {sum}\n{one}\n{two}\n{MARK}{launch} end\n",
            data.len()
        )
    }

    #[test]
    fn only_what_was_asked_for_comes_in() {
        let into = tempfile::tempdir().unwrap();
        let data = in_log(&log(&archive(RECORD), "L1"), "L1").unwrap();
        let record = from_bytes(data, "L1", of(&wanted(), Some(into.path()))).unwrap();
        assert_eq!((record.exit.ended, record.exit.left_behind), (Ended::Status(3), 1));
        assert_eq!(record.exit.files, ["a.txt"]);
        assert_eq!(fs::read_to_string(into.path().join("a.txt")).unwrap(), "A");
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_record_of_another_launch_does_not_count() {
        let other = from_bytes(archive(RECORD), "L2", of(&wanted(), None));
        assert!(matches!(other, Err(Lost::None(why)) if why.contains("another launch")));
        assert!(in_log(&log(&archive(RECORD), "L1"), "L2").is_err());
    }

    #[test]
    fn half_a_record_is_none() {
        let whole = log(&archive(RECORD), "L1");
        for cut in [0, 20, whole.len() / 2, whole.len() - 8] {
            assert!(matches!(in_log(&whole[..cut], "L1"), Err(Lost::None(_))), "{cut}");
        }
        let garbled = whole.replace(" begin ", " begin 1");
        assert_eq!(
            in_log(&garbled, "L1"),
            Err(Lost::None("its log has no record of how it ended (garbled)".into()))
        );
    }

    #[test]
    fn what_is_too_much_says_what_to_do() {
        let record = r#"{"launch":"L1","ended":{"status":0},"wall_seconds":0.5,"too_much":5000000}"#;
        let error = from_bytes(archive(record), "L1", of(&wanted(), None));
        assert!(
            matches!(error, Err(Lost::TooMuch(why)) if why.contains("4.8 MiB") && why.contains(".folder("))
        );
    }

    #[test]
    fn a_shell_that_tells_of_sigxfsz_is_understood() {
        let exit = JobExit::new(Ended::Status(153));
        assert_eq!(settled(exit.clone(), true).limit, Some(LimitKind::FileSize));
        assert_eq!(settled(exit, false).limit, None);
    }
}
