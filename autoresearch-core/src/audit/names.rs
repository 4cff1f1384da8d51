//! What the names of columns tell.

use crate::measure::Direction;

/// `metrics.val_Loss` as `metrics`, `val`, `loss`.
pub(super) fn tokens(name: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let (mut token, mut was_lower) = (String::new(), false);
    for c in name.chars() {
        let boundary = !c.is_alphanumeric() || (c.is_uppercase() && was_lower);
        if boundary && !token.is_empty() {
            tokens.push(std::mem::take(&mut token));
        }
        if c.is_alphanumeric() {
            token.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    if !token.is_empty() {
        tokens.push(token);
    }
    tokens
}

const LOWER: &[&str] = &[
    "bpb",
    "bpc",
    "loss",
    "nll",
    "xent",
    "entropy",
    "ppl",
    "perplexity",
    "error",
    "err",
    "rmse",
    "mse",
    "mae",
    "mape",
    "wer",
    "cer",
    "fid",
    "regret",
    "cost",
    "brier",
    "logloss",
];
const HIGHER: &[&str] = &[
    "acc",
    "accuracy",
    "score",
    "reward",
    "return",
    "f1",
    "auc",
    "auroc",
    "map",
    "bleu",
    "rouge",
    "r2",
    "precision",
    "recall",
    "iou",
    "miou",
    "dice",
    "elo",
    "psnr",
    "ssim",
    "throughput",
    "top1",
    "top5",
    "winrate",
    "mcc",
    "ndcg",
];
const NEUTRAL: &[&str] = &["value", "values", "metric", "objective", "result", "fitness", "y", "target"];
/// Quantities that are seldom the objective, but lower is better where they are.
const DURATION: &[&str] = &[
    "time", "runtime", "duration", "seconds", "secs", "minutes", "mins", "hours", "ms", "latency", "wall",
    "elapsed",
];
/// Never the objective unless the user says so.
const OTHER: &[&str] = &[
    "seed",
    "lr",
    "wd",
    "decay",
    "epoch",
    "epochs",
    "step",
    "steps",
    "iter",
    "iters",
    "iteration",
    "iterations",
    "timestamp",
    "memory",
    "mem",
    "gb",
    "mb",
    "vram",
    "batch",
    "size",
    "width",
    "depth",
    "layers",
    "dim",
    "heads",
    "dropout",
    "number",
    "num",
    "id",
    "index",
    "params",
    "flops",
    "tokens",
    "std",
    "stderr",
    "stdev",
    "sem",
    "config",
    "created",
    "started",
    "ended",
    "date",
    "datetime",
    "rank",
    "worker",
    "pid",
    "gpu",
    "rate",
    "momentum",
    "warmup",
    "baseline",
    "delta",
    "diff",
    "gain",
    "cum",
    "cumulative",
    "complexity",
    "confidence",
    "pvalue",
    "expected",
];

fn any(tokens: &[String], list: &[&str]) -> bool {
    tokens.iter().any(|token| list.contains(&token.as_str()))
}

/// How much a name sounds like the objective; 0 or less: not at all.
pub(super) fn as_metric(name: &str) -> i32 {
    let tokens = tokens(name);
    if is_config(name) || is_seed(name) || is_knob(&tokens) {
        return -100;
    }
    let mut score = if any(&tokens, LOWER) || any(&tokens, HIGHER) {
        10
    } else if any(&tokens, NEUTRAL) {
        6
    } else {
        0
    };
    if score > 0 {
        score += 3 * i32::from(any(&tokens, &["val", "valid", "validation", "eval", "dev", "heldout"]));
        score += 2 * i32::from(any(&tokens, &["test", "metrics", "final", "summary"]));
        score -= 4 * i32::from(any(&tokens, &["train", "training", "best", "min", "max"]));
    }
    score - 12 * i32::from(any(&tokens, OTHER) || any(&tokens, DURATION))
}

/// Which way is better, as far as the name tells.
pub(super) fn direction(name: &str) -> Option<Direction> {
    let tokens = tokens(name);
    match (any(&tokens, LOWER) || any(&tokens, DURATION), any(&tokens, HIGHER)) {
        (true, false) => Some(Direction::Minimize),
        (false, true) => Some(Direction::Maximize),
        // The noun comes last: "score_loss" is a loss, "error_score" a score.
        (true, true) => tokens.iter().rev().find_map(|t| {
            if LOWER.contains(&t.as_str()) {
                Some(Direction::Minimize)
            } else if HIGHER.contains(&t.as_str()) {
                Some(Direction::Maximize)
            } else {
                None
            }
        }),
        (false, false) => None,
    }
}

/// Whether the column holds the seed.
pub(super) fn is_seed(name: &str) -> bool {
    let tokens = tokens(name);
    let last = tokens.last().map(String::as_str);
    last == Some("seed")
        || name.to_lowercase().ends_with("random_state")
        || name.to_lowercase().ends_with("rng_key")
}

/// Whether the column is marked as a setting: `config.lr`, `params_lr`, `params.lr`, `hparams/lr`.
pub(super) fn is_config(name: &str) -> bool {
    let lower = name.to_lowercase();
    const MARKS: &[&str] =
        &["config", "params", "param", "parameters", "hparams", "hyperparameters", "hyperparams", "args"];
    MARKS.iter().any(|mark| {
        lower.strip_prefix(mark).is_some_and(|rest| rest.len() > 1 && rest.starts_with(['.', '_', '/', ':']))
    })
}

/// Whether the name is that of a knob, however much it speaks of a loss: `kl_weight`, `entropy_coef`, `loss_scale`.
fn is_knob(tokens: &[String]) -> bool {
    const KNOBS: &[&str] = &["weight", "weights", "coef", "coeff", "coefficient", "scale"];
    tokens.len() > 1 && tokens.last().is_some_and(|last| KNOBS.contains(&last.as_str()))
}

/// Whether the column describes the running of the row rather than what was run. Only names that trackers and loops give
/// to such columns count, not every name that has a word of them: `model_name` and `iterations` are settings.
pub(super) fn is_housekeeping(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "id",
        "run id",
        "trial id",
        "uuid",
        "run uuid",
        "run",
        "trial",
        "exp",
        "experiment",
        "number",
        "index",
        "no",
        "nr",
        "n",
        "i",
        "round",
        "iter",
        "iteration",
        "step",
        "global step",
        "epoch",
        "training iteration",
        "iterations since restore",
        "timesteps total",
        "timesteps since restore",
        "episodes total",
        "unnamed 0",
        "rank",
        "name",
        "run name",
        "trial name",
        "experiment name",
        "exp name",
        "display name",
        "experiment id",
        "experiment tag",
        "commit",
        "commit hash",
        "commit sha",
        "git commit",
        "git sha",
        "git hash",
        "sha",
        "hash",
        "user",
        "username",
        "host",
        "hostname",
        "node",
        "node ip",
        "ip",
        "pid",
        "worker",
        "gpu",
        "gpu id",
        "parent",
        "parent id",
        "tags",
        "group",
        "job type",
        "notes",
        "sweep",
        "sweep id",
        "created",
        "created at",
        "started",
        "started at",
        "start",
        "start time",
        "end",
        "end time",
        "ended",
        "ended at",
        "finished at",
        "updated",
        "updated at",
        "complete",
        "date",
        "datetime",
        "datetime start",
        "datetime complete",
        "timestamp",
        "state",
        "status",
        "lifecycle stage",
        "done",
        "is best",
        "log",
        "logdir",
        "log dir",
        "path",
        "url",
        "artifact uri",
        "artifact location",
        "source",
        "source name",
        "source type",
        "source version",
        "entry point name",
        "version",
        "should checkpoint",
        "checkpoint dir name",
        "time since restore",
        "time this iter s",
        "time total s",
        "mfu",
        "mfu percent",
    ];
    // Trackers mark their own columns: `_step`, `_runtime`, `_timestamp`.
    if name.starts_with('_') {
        return true;
    }
    let words = tokens(name).join(" ");
    NAMES.contains(&words.as_str())
        || ["tags mlflow ", "sys ", "system attrs ", "monitoring "].iter().any(|mark| words.starts_with(mark))
}

/// Whether a column of numbers is one of measurements by its name: another metric, or what the run took. `loss_fn` and
/// `time_budget` are none: the noun comes last.
pub(super) fn is_measured(name: &str) -> bool {
    const AFTER: &[&str] = &[
        "val",
        "valid",
        "validation",
        "eval",
        "dev",
        "train",
        "training",
        "test",
        "final",
        "best",
        "last",
        "mean",
        "avg",
        "average",
        "subset",
        "median",
        "min",
        "max",
        "std",
        "stderr",
        "sem",
        "epoch",
        "step",
        "pct",
        "percent",
        "delta",
        "diff",
    ];
    const TOOK: &[&str] = &[
        "s", "sec", "secs", "seconds", "ms", "min", "mins", "minutes", "h", "hours", "time", "runtime",
        "duration", "elapsed", "wall", "walltime", "latency", "gb", "mb", "gib", "mib", "vram", "memory",
        "mem",
    ];
    let tokens = tokens(name);
    if is_config(name) || is_seed(name) || is_knob(&tokens) {
        return false;
    }
    let metric = |t: &String| LOWER.contains(&t.as_str()) || HIGHER.contains(&t.as_str());
    let after = |t: &String| AFTER.contains(&t.as_str()) || t.bytes().all(|b| b.is_ascii_digit());
    let noun = tokens.iter().rposition(metric);
    let last = tokens.last().map_or("", String::as_str);
    let change = ["delta", "\u{3b4}", "diff", "improvement"].contains(&last);
    let neutral = tokens.len() == 1 && NEUTRAL.contains(&last);
    change
        || neutral
        || noun.is_some_and(|at| tokens[at + 1..].iter().all(after))
        || tokens.first().is_some_and(|first| (first == "metrics" || first == "metric") && tokens.len() > 1)
        || TOOK.contains(&last)
}

/// Whether the column counts steps within one run, as far as the name tells.
pub(super) fn is_step(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "step",
        "steps",
        "global step",
        "epoch",
        "epochs",
        "iteration",
        "iter",
        "training iteration",
        "train step",
    ];
    let words = tokens(name).join(" ");
    let words = words.strip_prefix("train ").or(words.strip_prefix("trainer ")).unwrap_or(&words);
    NAMES.contains(&words)
}

/// Whether a column of numbers is one that goes along in the log of a single run: `learning_rate`, `grad_norm`.
pub(super) fn goes_along(name: &str) -> bool {
    let words = tokens(name).join(" ");
    is_measured(name)
        || is_step(name)
        || is_housekeeping(name)
        || [
            "lr",
            "learning rate",
            "grad norm",
            "momentum",
            "value",
            "tokens",
            "samples per second",
            "steps per second",
        ]
        .iter()
        .any(|known| words == *known || words.ends_with(&format!(" {known}")) || words.starts_with("lr "))
        || words.ends_with("per second")
}

/// Rank among the names of a description, best first; `None` if it is none. From [`NAMES_FROM`] on they are names that
/// people and trackers give to runs, which need not say what was changed.
pub(super) fn as_description(name: &str) -> Option<usize> {
    const WORDS: &[&str] = &[
        "description",
        "desc",
        "title",
        "hypothesis",
        "idea",
        "change",
        "edit",
        "plan",
        "summary",
        "comment",
        "message",
        "notes",
        "experiment",
        "name",
    ];
    const BESIDE: &[&str] =
        &["run", "exp", "experiment", "trial", "display", "short", "tags", "mlflow", "job", "commit"];
    let tokens = tokens(name);
    // `model_name` is a setting: whatever stands beside the word must be about the row.
    WORDS.iter().position(|word| {
        tokens.iter().any(|t| t == word)
            && (WORDS[..5].contains(word) || tokens.iter().all(|t| t == word || BESIDE.contains(&t.as_str())))
    })
}

/// The first rank of [`as_description`] that is a name or a note rather than a description.
pub(super) const NAMES_FROM: usize = 11;

/// Rank among the names of an identifier, best first; `None` if it is none.
pub(super) fn as_id(name: &str) -> Option<usize> {
    let lower = name.to_lowercase();
    let plain = [
        "commit", "sha", "hash", "id", "trial_id", "run_id", "number", "trial", "run", "step", "node", "exp",
        "name",
    ];
    plain
        .iter()
        .position(|p| lower == *p)
        .or_else(|| rank(name, &["id", "commit", "number"]).map(|r| r + plain.len()))
}

fn rank(name: &str, words: &[&str]) -> Option<usize> {
    let tokens = tokens(name);
    words.iter().position(|word| tokens.iter().any(|t| t == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn housekeeping_and_knobs() {
        for name in
            ["_step", "_runtime", "_timestamp", "Source Type", "Source Name", "User", "sys/id", "Start Time"]
        {
            assert!(is_housekeeping(name) && as_metric(name) <= 0, "{name}");
        }
        for name in ["kl_loss_weight", "entropy_coef", "loss_scale", "valLossScale"] {
            assert!(!is_housekeeping(name) && !is_measured(name) && as_metric(name) <= -100, "{name}");
        }
        for name in
            ["lr", "model_name", "dataset", "loss_fn", "iterations", "node_dim", "time_budget", "run_length"]
        {
            assert!(!is_housekeeping(name) && !is_measured(name), "{name}");
        }
        for name in [
            "train_loss",
            "val/loss",
            "acc_top5",
            "metrics.width",
            "peak_vram_mb",
            "Duration",
            "total_seconds",
        ] {
            assert!(is_measured(name), "{name}");
        }
        assert!(as_metric("val_loss") > 0 && as_description("model_name").is_none());
        assert!(
            as_description("tags.mlflow.runName").is_some() && as_description("Run description").is_some()
        );
    }
}
