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
    ["config", "params", "param", "hparams", "hyperparameters", "hyperparams", "args"].iter().any(|mark| {
        lower.strip_prefix(mark).is_some_and(|rest| rest.len() > 1 && rest.starts_with(['.', '_', '/', ':']))
    })
}

/// Whether the name is that of a knob, however much it speaks of a loss: `kl_weight`, `entropy_coef`, `loss_scale`.
fn is_knob(tokens: &[String]) -> bool {
    const KNOBS: &[&str] = &["weight", "weights", "coef", "coeff", "coefficient", "scale"];
    tokens.len() > 1 && tokens.last().is_some_and(|last| KNOBS.contains(&last.as_str()))
}

/// Whether the column describes the running of the row rather than what was run.
pub(super) fn is_housekeeping(name: &str) -> bool {
    let tokens = tokens(name);
    const WORDS: &[&str] = &[
        "id",
        "name",
        "run",
        "trial",
        "commit",
        "hash",
        "number",
        "index",
        "user",
        "host",
        "hostname",
        "node",
        "tags",
        "group",
        "created",
        "started",
        "ended",
        "start",
        "end",
        "complete",
        "date",
        "datetime",
        "timestamp",
        "state",
        "status",
        "memory",
        "mem",
        "gb",
        "mb",
        "vram",
        "pid",
        "ip",
        "gpu",
        "url",
        "path",
        "logdir",
        "done",
        "notes",
        "sweep",
        "updated",
        "iterations",
        "time",
        "runtime",
        "duration",
        "seconds",
        "secs",
        "minutes",
        "hours",
        "elapsed",
        "walltime",
        "log",
        "worker",
        "parent",
        "is_best",
        "source",
        "iteration",
    ];
    // Trackers mark their own columns: `_step`, `_runtime`, `_timestamp`.
    if name.starts_with('_') {
        return true;
    }
    !is_knob(&tokens) && (any(&tokens, WORDS) || any(&tokens, LOWER) || any(&tokens, HIGHER))
}

/// Rank among the names of a description, best first; `None` if it is none.
pub(super) fn as_description(name: &str) -> Option<usize> {
    rank(
        name,
        &[
            "description",
            "desc",
            "title",
            "hypothesis",
            "idea",
            "change",
            "edit",
            "plan",
            "summary",
            "notes",
            "comment",
            "message",
            "experiment",
            "name",
        ],
    )
}

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
        for name in ["_step", "_runtime", "_timestamp", "Source Type", "Source Name", "Duration", "User"] {
            assert!(is_housekeeping(name) && as_metric(name) <= 0, "{name}");
        }
        for name in ["kl_loss_weight", "entropy_coef", "loss_scale", "valLossScale"] {
            assert!(!is_housekeeping(name) && as_metric(name) <= -100, "{name}");
        }
        assert!(!is_housekeeping("lr") && as_metric("val_loss") > 0);
    }
}
