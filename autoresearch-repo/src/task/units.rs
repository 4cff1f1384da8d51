//! Sizes and commands as people write them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A number of bytes; in a file `"8 GiB"`, `"500 MB"` or a plain number.
///
/// ```
/// use autoresearch_repo::Bytes;
/// assert_eq!("8 GiB".parse::<Bytes>()?, Bytes(8 << 30));
/// assert_eq!("1.5 MB".parse::<Bytes>()?, Bytes(1_500_000));
/// assert!("8 bits".parse::<Bytes>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

const UNITS: [(&str, f64); 13] = [
    ("", 1.0),
    ("b", 1.0),
    ("byte", 1.0),
    ("bytes", 1.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("tb", 1e12),
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
    ("pib", 1_125_899_906_842_624.0),
];

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no size; write it like \"8 GiB\", \"500 MB\" or as a number of bytes");
        let plain = text.trim();
        let split = plain.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(plain.len());
        let (number, unit) = plain.split_at(split);
        let number: f64 = number.replace('_', "").parse().map_err(|_| wrong())?;
        let unit = unit.trim().to_ascii_lowercase();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let bytes = number * factor;
        // Exact as far as an f64 is, and far beyond any disk.
        if !(1.0..9e15).contains(&bytes) {
            return Err(wrong());
        }
        Ok(Self(bytes.round() as u64))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut size, mut unit) = (self.0 as f64, "bytes");
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            if size < 1024.0 {
                break;
            }
            (size, unit) = (size / 1024.0, larger);
        }
        if unit == "bytes" || size.fract() == 0.0 {
            write!(f, "{size} {unit}")
        } else {
            write!(f, "{size:.1} {unit}")
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a size like \"8 GiB\" or a number of bytes")]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// A command: a line for the shell (`sh -c`), or a program with its arguments.
///
/// In either, `{seed}`, `{fidelity}` and, for commands that measure, `{artifacts}` are replaced by what they mean; other braces
/// stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a command: a text for the shell, or a list of a program and its arguments")]
pub enum CommandLine {
    /// For the shell.
    Shell(String),
    /// A program and its arguments, without a shell.
    Words(Vec<String>),
}

impl CommandLine {
    /// What is started, with further arguments at its end.
    pub(crate) fn words(&self, more: &[String], replace: &[(&str, String)]) -> Vec<String> {
        let filled = |text: &str, shown: fn(&str) -> String| {
            replace.iter().fold(text.to_string(), |text, (name, value)| text.replace(name, &shown(value)))
        };
        match self {
            Self::Words(words) => {
                words.iter().map(|word| filled(word, str::to_string)).chain(more.iter().cloned()).collect()
            }
            Self::Shell(line) => {
                let line = filled(line, quoted);
                let line = if more.is_empty() { line } else { format!("{line} \"$@\"") };
                let shell = ["/bin/sh".to_string(), "-c".into(), line, "sh".into()];
                shell.into_iter().chain(more.iter().cloned()).collect()
            }
        }
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        let empty = match self {
            Self::Shell(line) => line.trim().is_empty(),
            Self::Words(words) => words.first().is_none_or(|program| program.trim().is_empty()),
        };
        empty.then_some("the command is empty; say what is to be run")
    }
}

/// A value as one word of a shell's line.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !value.is_empty() && value.chars().all(plain) {
        true => value.into(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

impl From<&str> for CommandLine {
    fn from(line: &str) -> Self {
        Self::Shell(line.into())
    }
}

impl From<String> for CommandLine {
    fn from(line: String) -> Self {
        Self::Shell(line)
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for CommandLine {
    fn from(words: [S; N]) -> Self {
        Self::Words(words.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<String>> for CommandLine {
    fn from(words: Vec<String>) -> Self {
        Self::Words(words)
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(line) => f.write_str(line),
            Self::Words(words) => f.write_str(&words.join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes) in
            [("8 GiB", 8 << 30), ("8gib", 8 << 30), ("10 kB", 10_000), ("1_000", 1000), ("512 bytes", 512)]
        {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "GiB", "-1 GiB", "8 bits", "0", "1e9", "99999 TiB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
        assert_eq!(Bytes(8 << 30).to_string(), "8 GiB");
        assert_eq!(Bytes(1500).to_string(), "1.5 KiB");
        assert_eq!(serde_json::from_str::<Bytes>("\"1 KiB\"").unwrap(), Bytes(1024));
        assert_eq!(serde_json::from_str::<Bytes>("7").unwrap(), Bytes(7));
    }

    #[test]
    fn a_line_is_for_the_shell_and_a_list_is_not() {
        let replace = [("{seed}", "7".to_string())];
        let line = CommandLine::from("python t.py --s {seed} {x}");
        assert_eq!(line.words(&[], &replace), ["/bin/sh", "-c", "python t.py --s 7 {x}", "sh"]);
        let more = ["--n".to_string(), "3 4".into()];
        let words = line.words(&more, &replace);
        assert_eq!(words[2..], ["python t.py --s 7 {x} \"$@\"", "sh", "--n", "3 4"]);
        let list = CommandLine::from(["python", "{seed}"]);
        assert_eq!(list.words(&more, &replace), ["python", "7", "--n", "3 4"]);
        assert!(
            CommandLine::from("  ").problem().is_some() && CommandLine::Words(vec![]).problem().is_some()
        );
    }
}
