//! Audits an experiment log: which of its kept gains can be told from run noise?
//!
//! `cargo run --example audit -- results.tsv` guesses which column is what and says so; `--help` lists the options that say
//! it instead. Without a path it audits a small log of its own.

use autoresearch::Direction;
use autoresearch::audit::Audit;
use std::process::ExitCode;

const USAGE: &str = "\
usage: audit [LOG] [OPTION]...
  --metric COLUMN        the objective
  --maximize | --minimize
  --status COLUMN        what was kept
  --kept WORD,WORD       its words that mean kept
  --description COLUMN   what was tried, in words
  --seed COLUMN          the seed
  --id COLUMN            what names the row
  --settings COL,COL     all columns of settings: rows that agree in them repeat each other
  --ignore COL,COL       columns that are no settings
  --each-row             each row is a run, not a report from the middle of one
  --noise SD             the standard deviation of one run over seeds, taken as exact
  --df N                 with --noise: the degrees of freedom that it was estimated with
  --alpha LEVEL          the level of the verdicts (.05)";

const SMALL: &str = "\
commit\tval_bpb\tstatus\tdescription
a3f19c0\t1.0412\tkeep\tbaseline
b7720e1\t1.0415\tdiscard\tbaseline, seed 2
c01d8aa\t1.0398\tdiscard\tbaseline, seed 3
d55e013\t1.0407\tdiscard\tbaseline, seed 4
e90b4f7\t1.0121\tkeep\thalve the batch
f2c6d38\t1.0115\tkeep\twarmdown 0.5 to 0.7
07a9e52\t0.0000\tcrash\tbatch 131K
18b3c44\t1.0139\tdiscard\tadd 5% warmup
";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn std::error::Error>;

fn run(mut args: impl Iterator<Item = String>) -> Result<String, Failure> {
    let (mut path, mut options) = (None, Vec::new());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" | "-h" => return Ok(USAGE.into()),
            "--maximize" | "--minimize" | "--each-row" => options.push((arg, String::new())),
            "--metric" | "--status" | "--kept" | "--description" | "--seed" | "--id" | "--settings"
            | "--ignore" | "--noise" | "--df" | "--alpha" => {
                let value = args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"))?;
                options.push((arg, value));
            }
            option if option.starts_with('-') => {
                return Err(format!("unknown option {option}\n{USAGE}").into());
            }
            _ if path.is_some() => {
                return Err(format!("one log at a time, not {arg} as well\n{USAGE}").into());
            }
            _ => path = Some(arg),
        }
    }
    let mut audit = match path {
        Some(path) => Audit::file(path)?,
        None => Audit::text(SMALL).called("a small log"),
    };
    let (mut noise, mut df) = (None, None);
    for (option, value) in options {
        let number = || value.parse::<f64>().map_err(|_| format!("{option} {value}: a number is expected"));
        let words = || value.split(',').map(str::trim);
        audit = match option.as_str() {
            "--metric" => audit.metric(value),
            "--status" => audit.status(value),
            "--kept" => audit.kept(words()),
            "--description" => audit.description(value),
            "--seed" => audit.seed(value),
            "--id" => audit.id(value),
            "--settings" => audit.settings(words()),
            "--ignore" => audit.ignore(words()),
            "--each-row" => audit.each_row_is_a_run(),
            "--alpha" => audit.alpha(number()?),
            "--maximize" => audit.direction(Direction::Maximize),
            "--minimize" => audit.direction(Direction::Minimize),
            option => {
                let place = if option == "--noise" { &mut noise } else { &mut df };
                *place = Some(number()?);
                audit
            }
        };
    }
    audit = match (noise, df) {
        (Some(sd), Some(df)) => audit.noise_with_df(sd, df),
        (Some(sd), None) => audit.noise(sd),
        (None, Some(_)) => return Err(format!("--df needs --noise\n{USAGE}").into()),
        (None, None) => audit,
    };
    Ok(audit.run()?.to_string())
}
