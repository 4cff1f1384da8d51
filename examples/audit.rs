//! Audits an experiment log: which of its kept gains can be told from run noise?
//!
//! `cargo run --example audit -- results.tsv [--metric NAME] [--status COLUMN] [--kept WORD,WORD] [--noise SD]
//! [--maximize | --minimize]`; without a path it audits a small log of its own.

use autoresearch::Direction;
use autoresearch::audit::Audit;
use std::process::ExitCode;

const USAGE: &str = "\
usage: audit [LOG] [--metric COLUMN] [--status COLUMN] [--kept WORD,WORD] [--noise SD] [--maximize | --minimize]";

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

fn run(mut args: impl Iterator<Item = String>) -> Result<String, Box<dyn std::error::Error>> {
    let (mut path, mut settings) = (None, Vec::new());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" | "-h" => return Ok(USAGE.into()),
            "--maximize" | "--minimize" => settings.push((arg, String::new())),
            "--metric" | "--status" | "--kept" | "--noise" => {
                let value = args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"))?;
                settings.push((arg, value));
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
    let audit = match path {
        Some(path) => Audit::file(path)?,
        None => Audit::text(SMALL).called("a small log"),
    };
    let audit = settings.into_iter().try_fold(audit, |audit, (option, value)| {
        Ok::<_, String>(match option.as_str() {
            "--metric" => audit.metric(value),
            "--status" => audit.status(value),
            "--kept" => audit.kept(value.split(',').map(str::trim)),
            "--noise" => {
                audit.noise(value.parse().map_err(|_| format!("--noise {value}: a number is expected"))?)
            }
            "--maximize" => audit.direction(Direction::Maximize),
            _ => audit.direction(Direction::Minimize),
        })
    })?;
    Ok(audit.run()?.to_string())
}
