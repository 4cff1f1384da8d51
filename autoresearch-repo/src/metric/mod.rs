//! From what a command printed and left to a measurement.

mod json;
mod object;
mod text;

use crate::task::{Objective, Place, Take};
use autoresearch_core::{FailureKind, Measurement, RunFailure};
use object::Json;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Files with a number are smaller than this, and lines that are JSON.
const MOST_FILE: u64 = 16 << 20;

/// What a command has left.
pub(crate) struct Said<'a> {
    pub(crate) stdout: &'a str,
    /// Where its files were collected, with nothing but plain files in it.
    pub(crate) files: &'a Path,
    /// Metrics that are measured from outside: what the command's objects say of them does not count.
    pub(crate) outside: &'a [&'a str],
}

/// All of a command's output; nothing where it was not written down.
pub(crate) fn output(path: &Path) -> Option<String> {
    let text = String::from_utf8(fs::read(path).ok()?);
    Some(text.unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned()))
}

/// One number that was found, with the object that it stands in.
#[derive(Debug, Clone, PartialEq)]
struct Hit {
    text: String,
    object: Option<Json>,
    key: String,
}

/// The objective, with its units and with the other numbers of its object.
///
/// # Errors
/// In words: it is not there, is there several times, is no number, or is not finite.
pub(crate) fn objective(place: &Objective, said: &Said<'_>) -> Result<Measurement, RunFailure> {
    let found = find(place, said).and_then(|hit| hit.ok_or_else(|| missing(place, said)));
    let measured = found.and_then(|hit| json::measurement(&hit, number(&hit.text)?, said.outside));
    measured.map_err(|why| RunFailure::candidate(why).kind(FailureKind::InvalidMetric))
}

/// A further number; nothing if it is not there.
///
/// # Errors
/// In words: it is there several times, is no number, or is not finite.
pub(crate) fn metric(name: &str, place: &Objective, said: &Said<'_>) -> Result<Option<f64>, RunFailure> {
    let found = find(place, said).and_then(|hit| hit.map(|hit| number(&hit.text)).transpose());
    let found = found.and_then(|x| match x {
        Some(x) if !x.is_finite() => Err(format!("is {x}, which is not finite")),
        x => Ok(x),
    });
    found.map_err(|why| {
        RunFailure::candidate(format!("metric '{name}': {why}")).kind(FailureKind::InvalidMetric)
    })
}

/// How many different numbers are shown where one was to be.
const SHOWN: usize = 5;

/// What was found one after another: however much is printed, no more is kept than what is told of it.
#[derive(Default)]
struct Found {
    times: usize,
    /// The first different ones.
    different: Vec<String>,
    more: bool,
    last: Option<Hit>,
}

impl Found {
    fn of(hits: impl Iterator<Item = Hit>) -> Self {
        let mut found = Self::default();
        for hit in hits {
            found.times += 1;
            if found.last.as_ref() == Some(&hit) {
                continue;
            }
            match found.different.len() {
                SHOWN.. => found.more = true,
                _ => found.different.push(short(&hit.text)),
            }
            found.last = Some(hit);
        }
        found
    }
}

fn find(objective: &Objective, said: &Said<'_>) -> Result<Option<Hit>, String> {
    let place = objective.place()?;
    let found = match &place {
        Place::Line(prefix) => Found::of(text::lines(said.stdout, prefix)),
        Place::Regex(expression) => Found::of(text::matches(said.stdout, expression)),
        Place::Json(key) => Found::of(json::lines(said.stdout, key)),
        Place::File { path, key } => return file(said.files, path, key.as_deref()),
    };
    if objective.take == Take::Only && found.different.len() > 1 {
        return Err(format!(
            "the objective's place was found {} times, with different values ({}{}); have it printed once, or say `take = \
             \"last\"`",
            found.times,
            found.different.join(", "),
            if found.more { ", …" } else { "" }
        ));
    }
    Ok(found.last)
}

fn file(folder: &Path, path: &str, key: Option<&str>) -> Result<Option<Hit>, String> {
    let unread = |why: std::io::Error| format!("`{path}` cannot be read: {why}");
    let file = match File::open(folder.join(path)) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(unread)?,
    };
    let size = file.metadata().map_err(unread)?.len();
    if size > MOST_FILE {
        return Err(format!("`{path}` has {size} bytes, and a file with a number has at most {MOST_FILE}"));
    }
    let mut content = Vec::new();
    file.take(MOST_FILE).read_to_end(&mut content).map_err(unread)?;
    let content = String::from_utf8(content).map_err(|_| format!("`{path}` is no text"))?;
    let Some(key) = key else {
        return Ok(Some(Hit { text: content.trim().into(), object: None, key: String::new() }));
    };
    let object: Json = serde_json::from_str(&content)
        .map_err(|why| format!("`{path}` is no JSON ({why}); NaN and Infinity are none"))?;
    Ok(json::hit(object, key))
}

fn missing(place: &Objective, said: &Said<'_>) -> String {
    let what = match (&place.line, &place.json, &place.regex, &place.file) {
        (Some(prefix), ..) => format!("no line of its output begins with {prefix:?}"),
        (_, Some(key), ..) => {
            let broken = said
                .stdout
                .lines()
                .any(|line| line.trim_start().starts_with('{') && line.contains(key.as_str()));
            let hint = if broken {
                " (a line that names it is no JSON, or is longer than 16 MiB; NaN and Infinity are none)"
            } else {
                ""
            };
            format!("no line of its output is a JSON object with a number {key:?}{hint}")
        }
        (_, _, Some(expression), _) => format!("nothing in its output matches {expression:?}"),
        (.., file) => {
            let key = place.key.as_ref().map(|key| format!(" with a number {key:?}")).unwrap_or_default();
            format!("it left no file `{}`{key}", file.as_deref().unwrap_or_default())
        }
    };
    format!("the objective is not there: {what}")
}

fn number(text: &str) -> Result<f64, String> {
    let word = text.split_whitespace().next().unwrap_or_default().trim_end_matches([',', ';']);
    word.parse().map_err(|_| format!("{:?} is no number", short(text)))
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(place: &Objective, stdout: &str) -> Result<Measurement, String> {
        let said = Said { stdout, files: Path::new("/nonexistent"), outside: &["seconds"] };
        objective(place, &said).map_err(|failure| {
            assert_eq!(failure.what(), FailureKind::InvalidMetric);
            failure.message().to_string()
        })
    }

    #[test]
    fn a_line_has_a_number() {
        let place = Objective::line("val_bpb:");
        // The summary of the original's train.py.
        let printed = "step 953\n---\nval_bpb:          0.997900\ntraining_seconds: 300.1\n";
        assert_eq!(read(&place, printed).unwrap().objective(), 0.9979);
        assert_eq!(
            read(&Objective::line("loss"), "loss_total 3\nloss = 2\n  loss 2\n").unwrap().objective(),
            2.0
        );
        assert!(read(&place, "bpb: 1\n").unwrap_err().contains("no line"));
        assert!(read(&place, "val_bpb: n/a\n").unwrap_err().contains("no number"));
        assert!(read(&place, "val_bpb: nan\n").unwrap_err().contains("finite"));
        assert!(read(&place, "val_bpb: inf\n").unwrap_err().contains("finite"));
    }

    #[test]
    fn two_different_numbers_are_none() {
        let place = Objective::line("loss:");
        let twice = "loss: 2\nloss: 1\n";
        assert!(read(&place, twice).unwrap_err().contains("2 times, with different values (2, 1)"));
        assert_eq!(read(&place.clone().take_last(), twice).unwrap().objective(), 1.0);
        assert_eq!(read(&place, "loss: 2\nloss: 2\n").unwrap().objective(), 2.0);
    }

    #[test]
    fn an_expression_has_one_group() {
        let place = Objective::regex(r"^final loss=(\S+) after");
        assert_eq!(read(&place, "loss=3\nfinal loss=1e-3 after 10\n").unwrap().objective(), 1e-3);
        for wrong in ["loss=", "(a)(b)", "("] {
            assert!(Objective::regex(wrong).place().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_object_brings_its_units_and_metrics() {
        let place = Objective::json("score.mean");
        let line = r#"{"score": {"mean": 2.5}, "values": [2, 4], "weights": [3, 1], "clusters": [0, 1], "speed": 7, "name": "x"}"#;
        let m = read(&place, &format!("noise\n{line}\n")).unwrap();
        assert_eq!((m.objective(), m.metrics()["speed"]), (2.5, 7.0));
        let units = m.units().unwrap();
        assert_eq!((units.values(), units.clusters()), (&[2.0, 4.0][..], Some(&[0, 1][..])));
        let timed = r#"{"loss": 1, "seconds": 0, "speed": 7}"#;
        let m = read(&Objective::json("loss"), timed).unwrap();
        assert!(m.metrics().contains_key("speed") && !m.metrics().contains_key("seconds"), "{m:?}");
        let lie = r#"{"score": {"mean": 0.1}, "values": [2, 4]}"#;
        assert!(read(&place, lie).unwrap_err().contains("mean of its values"));
        assert!(
            read(&place, r#"{"score": {"mean": 1}, "values": [1, "x"]}"#).unwrap_err().contains("values")
        );
        assert!(read(&Objective::json("loss"), "{\"loss\": NaN}\n").unwrap_err().contains("no JSON"));
        assert!(read(&Objective::json("loss"), "{\"loss\": \"x\"}\n").unwrap_err().contains("no number"));
    }

    #[test]
    fn a_file_has_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let said = Said { stdout: "", files: folder.path(), outside: &[] };
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put("r.json", r#"{"a": {"b": 3}, "c": 4}"#);
        put("r.txt", " 5\n");
        let value = |place: Objective| objective(&place, &said).map(|m| m.objective());
        assert_eq!(value(Objective::file("r.json").key("a.b")), Ok(3.0));
        assert_eq!(value(Objective::file("r.txt")), Ok(5.0));
        let missing = value(Objective::file("none.json").key("a")).unwrap_err();
        assert!(missing.message().contains("no file `none.json`"), "{missing}");
        let large = std::fs::File::create(folder.path().join("large")).unwrap();
        large.set_len(MOST_FILE + 1).unwrap();
        assert!(value(Objective::file("large")).unwrap_err().message().contains("bytes"));
        assert_eq!(metric("m", &Objective::file("none"), &said), Ok(None));
        assert!(Objective::file("../x").place().is_err() && Objective::file("*.json").place().is_err());
    }
}
