//! Descriptions that speak of a repeat and of nothing else: "random seed 42 to 137", "re-run of a1b2c3d".

/// Words that make a description one of a repeat.
const TRIGGERS: &[&str] = &[
    "seed",
    "rerun",
    "reruns",
    "rerunning",
    "repeat",
    "repeated",
    "replicate",
    "replicated",
    "replication",
    "replica",
];
/// Words that may stand beside them without saying that anything else was changed.
const FILLERS: &[&str] = &[
    "random",
    "rng",
    "change",
    "changed",
    "changing",
    "new",
    "different",
    "another",
    "other",
    "alternative",
    "from",
    "to",
    "with",
    "same",
    "exact",
    "exactly",
    "identical",
    "unchanged",
    "config",
    "configuration",
    "settings",
    "setup",
    "code",
    "re",
    "run",
    "runs",
    "again",
    "of",
    "the",
    "a",
    "an",
    "as",
    "only",
    "just",
    "try",
    "use",
    "using",
    "set",
    "swap",
    "baseline",
    "incumbent",
    "best",
    "current",
    "previous",
    "last",
    "kept",
    "check",
    "noise",
    "variance",
    "test",
    "control",
    "second",
    "third",
    "fourth",
    "fifth",
    "2nd",
    "3rd",
    "4th",
    "5th",
    "torch",
    "global",
    "manual",
    "for",
    "sanity",
    "changes",
    "vs",
    "was",
    "now",
    "in",
    "on",
    "at",
    "estimate",
    "measure",
    "instead",
    "value",
    "number",
    "experiment",
    "result",
    "results",
    "confirm",
    "confirmation",
    "verify",
    "reproduce",
    "reproduction",
];
/// Words of a remark in brackets on how a repeat came out. Anything else in brackets may be a change.
const REMARKS: &[&str] = &[
    "no",
    "not",
    "improvement",
    "gain",
    "lucky",
    "luck",
    "unlucky",
    "worse",
    "better",
    "slightly",
    "much",
    "bit",
    "noisy",
    "similar",
    "equal",
    "close",
    "significant",
    "difference",
    "high",
    "low",
    "bad",
    "good",
    "ok",
    "regression",
    "stable",
    "comparison",
    "is",
    "it",
    "very",
    "within",
    "still",
    "marginally",
    "marginal",
    "pure",
    "by",
    "chance",
];

/// A description of a repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repeat {
    /// Whether it speaks of another seed; of the same one; or of none.
    pub(super) seed: Seed,
    /// Words that may name the row which is repeated.
    pub(super) names: Vec<String>,
    /// Whether it names the baseline.
    pub(super) baseline: bool,
}

/// What a repeat says of its seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seed {
    Changed,
    Same,
    Unsaid,
}

/// Understands a description as that of a pure repeat; `None` if it is about anything else as well. `is_row` tells
/// whether a word names a row of the log.
pub(super) fn repeat(description: &str, is_row: &dyn Fn(&str) -> bool) -> Option<Repeat> {
    let lower =
        description.to_lowercase().replace("no changes", "unchanged").replace("no change", "unchanged");
    let (main, brackets) = split_brackets(&lower);
    let mut words = tokens(&main);
    for inside in &brackets {
        let inner = tokens(inside);
        let plain = |word: &&str| is_plain(word, is_row);
        if inner.iter().all(plain) {
            words.extend(inner);
        } else if !inner.iter().all(|word| is_plain(word, is_row) || REMARKS.contains(word)) {
            return None;
        }
    }
    if main.contains(['+', '&', '*', '%'])
        || has_decimals(&main)
        || !words.iter().all(|word| is_plain(word, is_row))
    {
        return None;
    }
    let pairs =
        |first: &str, second: &str| words.windows(2).any(|pair| pair[0] == first && pair[1] == second);
    let same_setup =
        ["config", "configuration", "settings", "setup", "code"].iter().any(|noun| pairs("same", noun));
    let again = words.contains(&"again") && (words.contains(&"run") || words.contains(&"baseline"));
    let triggered =
        words.iter().any(|word| TRIGGERS.contains(word)) || pairs("re", "run") || same_setup || again;
    if !triggered {
        return None;
    }
    let seed = match (words.contains(&"seed"), pairs("same", "seed")) {
        (true, true) => Seed::Same,
        (true, false) => Seed::Changed,
        (false, _) => Seed::Unsaid,
    };
    // A number without a seed is a count of repeats, or a setting: "repeat 2", "config 3".
    let names = words.iter().filter(|word| is_row(word)).map(ToString::to_string).collect();
    Some(Repeat { seed, names, baseline: words.contains(&"baseline") })
}

/// Whether a number with decimals stands in the text: a setting, or a result.
fn has_decimals(text: &str) -> bool {
    text.as_bytes().windows(3).any(|w| w[0].is_ascii_digit() && w[1] == b'.' && w[2].is_ascii_digit())
}

/// Whether a description says "the baseline" and nothing else: `baseline`, `baseline run 2`.
pub(super) fn is_baseline(description: &str) -> bool {
    let lower = description.to_lowercase();
    let words = tokens(&lower);
    words.contains(&"baseline")
        && !has_decimals(&lower)
        && words.iter().all(|word| is_plain(word, &|_| false))
}

/// The description without any mention of a seed: what two runs of a configuration have in common.
pub(super) fn without_seed(description: &str) -> String {
    let lower = description.to_lowercase();
    let words = tokens(&lower);
    let mut kept: Vec<&str> = Vec::new();
    let mut after_seed = false;
    for word in words {
        let number = word.bytes().all(|b| b.is_ascii_digit());
        let seed = word == "seed"
            || word
                .strip_prefix("seed")
                .or(word.strip_prefix('s'))
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
        if !(seed || (after_seed && number)) {
            kept.push(word);
        }
        after_seed = word == "seed";
    }
    kept.join(" ")
}

fn tokens(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

fn is_plain(word: &str, is_row: &dyn Fn(&str) -> bool) -> bool {
    let number = word.bytes().all(|b| b.is_ascii_digit());
    let numbered =
        |prefix: &str| word.strip_prefix(prefix).is_some_and(|r| r.bytes().all(|b| b.is_ascii_digit()));
    number || TRIGGERS.contains(&word) || FILLERS.contains(&word) || numbered("x") || is_row(word)
}

/// The text outside of round brackets, and each text inside of them.
fn split_brackets(text: &str) -> (String, Vec<String>) {
    let (mut main, mut inside, mut depth) = (String::new(), Vec::new(), 0_usize);
    for c in text.chars() {
        match c {
            '(' | '[' => {
                if depth == 0 {
                    inside.push(String::new());
                }
                depth += 1;
                main.push(' ');
            }
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => main.push(c),
            _ => {
                if let Some(text) = inside.last_mut() {
                    text.push(c);
                }
            }
        }
    }
    (main, inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(text: &str) -> Option<Seed> {
        repeat(text, &|word| word == "1a85362").map(|r| r.seed)
    }

    #[test]
    fn pure_repeats() {
        for text in [
            "random seed 42 to 137",
            "seed 42 -> 137",
            "Change random seed",
            "seed=7",
            "same config, new seed",
            "baseline (seed 2)",
            "try seed 1337 (no improvement)",
            "different seed (lucky?)",
            "re-run of 1a85362, seed 3",
            "RNG seed: 1 to 2",
            "Seed 0",
        ] {
            assert_eq!(seed(text), Some(Seed::Changed), "{text}");
        }
        for text in [
            "re-run",
            "rerun of 1a85362",
            "repeat of the baseline",
            "run again",
            "same config again",
            "baseline again",
        ] {
            assert_eq!(seed(text), Some(Seed::Unsaid), "{text}");
        }
        assert_eq!(seed("re-run with the same seed"), Some(Seed::Same));
    }

    #[test]
    fn everything_else() {
        for text in [
            "speed up the loader",
            "seedling model",
            "average over 3 seeds",
            "seed 42 to 137, LR 0.8",
            "new seed and lr 0.1",
            "random seed 42 to 137 (and LR 0.8)",
            "seed 3 (warmup 100)",
            "seed 2 (warmup)",
            "repeat training data",
            "no data shuffle, new seed",
            "seed the data shuffle",
            "new model init seed",
            "repeat with noise 0.1",
            "repeat kv heads",
            "proceed with 2 layers",
            "seed + dropout 0.1",
            "same width",
            "small random init for c_proj (worse)",
            "baseline",
            "run 3",
            "",
            "rerun of ffff",
            "seeded dropout 0.1",
            "lr 0.1 again",
            "random seed search (with warmup)",
            "use 3 seeds",
        ] {
            assert_eq!(seed(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_left_without_the_seed() {
        assert_eq!(without_seed("lr 3e-4, seed 7"), without_seed("LR 3e-4 (seed=12)"));
        assert_eq!(without_seed("base-s1"), without_seed("base-s2"));
        assert_ne!(without_seed("lr 1"), without_seed("lr 2"));
    }
}
