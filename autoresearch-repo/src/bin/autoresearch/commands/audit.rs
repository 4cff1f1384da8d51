//! `autoresearch audit`.

use super::End;
use super::failure::Failure;
use super::out::say;
use autoresearch_core::{Direction, audit::Audit};
use std::path::PathBuf;

/// What is not said is guessed, and the answer says what was guessed.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The log: tabs, commas or JSON lines.
    log: PathBuf,
    /// The column of the objective.
    #[arg(long, value_name = "COLUMN")]
    metric: Option<String>,
    /// Higher is better.
    #[arg(long, conflicts_with = "minimize")]
    maximize: bool,
    /// Lower is better.
    #[arg(long)]
    minimize: bool,
    /// The column that says what was kept.
    #[arg(long, value_name = "COLUMN")]
    status: Option<String>,
    /// Its words that mean kept.
    #[arg(long, value_name = "WORD,…", value_delimiter = ',')]
    kept: Vec<String>,
    /// The column that says what was tried.
    #[arg(long, value_name = "COLUMN")]
    description: Option<String>,
    /// The column of the seed.
    #[arg(long, value_name = "COLUMN")]
    seed: Option<String>,
    /// The column that names the row.
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// All columns of settings: rows that agree in them repeat each other.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    settings: Vec<String>,
    /// Columns that are no settings.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Each row is a run, not a report from the middle of one.
    #[arg(long)]
    each_row: bool,
    /// The standard deviation of one run over seeds.
    #[arg(long, value_name = "SD")]
    noise: Option<f64>,
    /// The degrees of freedom that it was estimated with; without them it is taken as exact.
    #[arg(long, requires = "noise", value_name = "N")]
    df: Option<f64>,
    /// The level of the verdicts.
    #[arg(long, value_name = "LEVEL")]
    alpha: Option<f64>,
}

pub(super) fn audit(said: Arguments) -> Result<End, Failure> {
    type With<T> = fn(Audit, T) -> Audit;
    let mut audit = Audit::file(&said.log)?;
    let columns: [(Option<String>, With<String>); 5] = [
        (said.metric, Audit::metric),
        (said.status, Audit::status),
        (said.description, Audit::description),
        (said.seed, Audit::seed),
        (said.id, Audit::id),
    ];
    for (column, with) in columns {
        audit = column.into_iter().fold(audit, with);
    }
    let lists: [(Vec<String>, With<Vec<String>>); 3] =
        [(said.kept, Audit::kept), (said.settings, Audit::settings), (said.ignore, Audit::ignore)];
    for (list, with) in lists.into_iter().filter(|(list, _)| !list.is_empty()) {
        audit = with(audit, list);
    }
    audit = match (said.maximize, said.minimize) {
        (true, _) => audit.direction(Direction::Maximize),
        (_, true) => audit.direction(Direction::Minimize),
        _ => audit,
    };
    if said.each_row {
        audit = audit.each_row_is_a_run();
    }
    audit = match (said.noise, said.df) {
        (Some(sd), Some(df)) => audit.noise_with_df(sd, df),
        (Some(sd), None) => audit.noise(sd),
        _ => audit,
    };
    audit = said.alpha.into_iter().fold(audit, Audit::alpha);
    say(as_options(audit.run()?.to_string()));
    Ok(End::Done)
}

/// What the library calls by its methods, as options of this program.
pub(super) fn as_options(text: String) -> String {
    const NAMES: [(&str, &str); 3] = [
        (".metric(\"...\")", "--metric COLUMN"),
        (".direction(...)", "--minimize or --maximize"),
        (".each_row_is_a_run()", "--each-row"),
    ];
    NAMES.iter().fold(text, |text, (method, option)| text.replace(method, option))
}
