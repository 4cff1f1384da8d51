//! Audits an experiment log: which of its kept gains can be told from run noise?
//!
//! `cargo run --example audit -- results.tsv [--metric NAME] [--noise SD] [--maximize | --minimize]`; without a path it
//! audits a small log of its own.

use autoresearch::Direction;
use autoresearch::audit::Audit;

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (mut path, mut metric, mut noise, mut direction) = (None, None, None, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--metric" => metric = Some(args.next().ok_or("--metric needs the name of a column")?),
            "--noise" => {
                noise = Some(args.next().ok_or("--noise needs a standard deviation")?.parse::<f64>()?)
            }
            "--maximize" => direction = Some(Direction::Maximize),
            "--minimize" => direction = Some(Direction::Minimize),
            _ => path = Some(arg),
        }
    }
    let mut audit = match path {
        Some(path) => Audit::file(path)?,
        None => Audit::text(SMALL).called("a small log"),
    };
    if let Some(metric) = metric {
        audit = audit.metric(metric);
    }
    if let Some(sd) = noise {
        audit = audit.noise(sd);
    }
    if let Some(direction) = direction {
        audit = audit.direction(direction);
    }
    println!("{}", audit.run()?);
    Ok(())
}
