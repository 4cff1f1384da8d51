//! `cargo xtask bench landscape --page`: the figures and charts of `docs/acceptance.md`.
//!
//! `page_cells` says what is played, `page_tables` and `chart` what becomes of it, `page_marks` where it goes. The page's
//! prose is written by hand.
use super::page_cells::{Key, Outcomes, keys};
use super::{chart, page_marks, page_tables as tables};
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Repetitions of a cell of up to 1,000 runs; of longer ones half as many, and fewer in worlds that take long.
pub(super) const REPS: u32 = 100;

const CORE: &[&str] = &["greedy", "guarded", "factorial", "factorial31", "scout"];
/// Against greedy itself.
const CONTROLLED: &[&str] = &["guarded", "factorial31", "scout"];
const CLIMBERS: &[&str] = &["greedy", "greedy-fixed-seed", "guarded", "factorial31", "scout"];
const KEEP_IF_BETTER: &[&str] = &["greedy", "greedy-fixed-seed"];
const CAREFUL: &[&str] = &["guarded", "factorial", "factorial31"];
const PAIRING: &[&str] = &["sequential", "guarded", "fast", "scout"];
const ALL: &[&str] = &[];

const STREAMS: &[&str] = &["mixed", "neutral", "decaying", "catastrophic", "t4", "hetero", "split1"];
const INTERACTING: &[&str] = &["densenn", "sparse", "dense", "redundant", "clash"];
const KEYS: &[&str] = &["slots15", "slots35", "slots80", "steep35"];
const FILES: &[&str] = &["file300", "file1000"];
const MEASURED: &[&str] = &["measured", "measured-tau"];
const SEEDS: &[&str] = &["mixed", "mixed-own-seeds", "measured", "measured-own-seeds"];
const JUNK: &[&str] = &["mixed", "split1", "measured"];
const GROWTH: &[&str] = &["mixed", "measured"];

const BOTH: &[u64] = &[701, 2000];
const SHORT: &[u64] = &[701];
const STEPS: &[u64] = &[300, 500, 701, 1000, 1500, 2000];

/// The worlds in which policies are compared one by one.
fn compared() -> Vec<&'static str> {
    [STREAMS, INTERACTING, KEYS, FILES, MEASURED].concat()
}

/// What a part of the page needs to have been played: policies, worlds, numbers of runs.
type Needs = (&'static [&'static str], Vec<&'static str>, &'static [u64]);
type Draw = fn(&Outcomes) -> Result<String>;

/// Figures between markers, or a chart in a file, by name.
struct Figure {
    name: &'static str,
    needs: Needs,
    draw: Draw,
}

fn tables() -> Vec<Figure> {
    let figure = |name, needs, draw| Figure { name, needs, draw };
    vec![
        figure("policies", (ALL, vec!["mixed"], BOTH), |o| {
            tables::long(o, &keys(ALL, &["mixed"], BOTH)?, tables::PLAIN)
        }),
        figure("streams", (CORE, STREAMS.to_vec(), BOTH), |o| {
            tables::wide(o, CORE, STREAMS, BOTH, tables::gain_and_junk)
        }),
        figure("interactions", (CORE, INTERACTING.to_vec(), BOTH), |o| {
            tables::wide(o, CORE, INTERACTING, BOTH, tables::gain_and_junk)
        }),
        figure("keys", (CORE, KEYS.to_vec(), BOTH), |o| {
            tables::wide(o, CORE, KEYS, BOTH, tables::share_and_junk)
        }),
        figure("files", (CORE, FILES.to_vec(), BOTH), |o| {
            tables::wide(o, CORE, FILES, BOTH, tables::gain_and_both)
        }),
        figure("measured", (CLIMBERS, MEASURED.to_vec(), BOTH), |o| {
            tables::long(o, &keys(CLIMBERS, MEASURED, BOTH)?, tables::STACKED)
        }),
        figure("ahead", (ALL, Vec::new(), BOTH), |o| tables::ahead(o, KEEP_IF_BETTER, "scout")),
        figure("ahead-careful", (ALL, Vec::new(), BOTH), |o| tables::ahead(o, CAREFUL, "scout")),
        figure("null", (ALL, vec!["null"], SHORT), |o| {
            tables::long(o, &keys(ALL, &["null"], SHORT)?, tables::NULL)
        }),
        figure("growth", (CLIMBERS, GROWTH.to_vec(), STEPS), |o| {
            tables::wide(o, CLIMBERS, GROWTH, STEPS, tables::gain_and_junk)
        }),
        figure("seeds", (PAIRING, SEEDS.to_vec(), SHORT), |o| {
            tables::long(o, &keys(PAIRING, SEEDS, SHORT)?, tables::PLAIN)
        }),
        figure("all", (ALL, Vec::new(), BOTH), |o| {
            let played: Vec<Key> = o.0.keys().copied().collect();
            tables::long(o, &played, tables::ALL)
        }),
    ]
}

fn charts() -> Vec<Figure> {
    let figure = |name, needs, draw| Figure { name, needs, draw };
    vec![
        figure("gain-by-world", (CORE, compared(), BOTH), |o| {
            chart::gain_by_world(o, CONTROLLED, &compared(), BOTH)
        }),
        figure("junk-by-policy", (ALL, JUNK.to_vec(), SHORT), |o| chart::junk_by_policy(o, JUNK, 701)),
        figure("gain-over-runs", (CLIMBERS, GROWTH.to_vec(), STEPS), |o| {
            chart::gain_over_runs(o, CLIMBERS, GROWTH, STEPS)
        }),
    ]
}

/// Every cell that the page shows.
fn needed() -> Result<BTreeSet<Key>> {
    let mut all = BTreeSet::new();
    for Figure { needs: (policies, worlds, budgets), .. } in tables().into_iter().chain(charts()) {
        all.extend(keys(policies, &worlds, budgets)?);
    }
    Ok(all)
}

fn page() -> PathBuf {
    workspace::root().join("docs/acceptance.md")
}

fn chart_file(name: &str) -> PathBuf {
    workspace::root().join("docs/acceptance").join(name).with_extension("svg")
}

fn rewritten(page: &str, outcomes: &Outcomes) -> Result<String> {
    let tables = tables();
    page_marks::rewritten(page, |name| match tables.iter().find(|figure| figure.name == name) {
        Some(figure) => Ok(format!("\n{}", (figure.draw)(outcomes)?)),
        None => unknown(name),
    })
}

fn unknown(name: &str) -> Result<String> {
    let names: Vec<&str> = tables().iter().map(|figure| figure.name).collect();
    bail!("docs/acceptance.md asks for the figures {name}; there are {}", names.join(", "))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Plays everything that the page shows and rewrites its figures and charts.
pub(super) fn write(reps: u32) -> Result<()> {
    let path = page();
    // Before minutes are spent: whether the page can be rewritten at all.
    let known = tables();
    page_marks::rewritten(&read(&path)?, |name| {
        let is_known = known.iter().any(|figure| figure.name == name);
        if is_known { Ok(String::new()) } else { unknown(name) }
    })?;
    let outcomes = Outcomes::play(&needed()?, reps)?;
    for Figure { name, draw, .. } in charts() {
        let (file, svg) = (chart_file(name), draw(&outcomes)?);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&file, svg).with_context(|| format!("cannot write {}", file.display()))?;
    }
    // Read again: its prose may have been edited meanwhile.
    let text = rewritten(&read(&path)?, &outcomes)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::policy;
    use super::*;

    fn text() -> String {
        fs::read_to_string(page()).unwrap()
    }

    #[test]
    fn the_page_has_the_figures_that_there_are_and_no_others() {
        let (text, tables) = (text(), tables());
        let mut known: Vec<&str> = tables.iter().map(|figure| figure.name).collect();
        let mut there = page_marks::names(&text).unwrap();
        known.sort_unstable();
        there.sort_unstable();
        assert_eq!(there, known);
    }

    #[test]
    fn the_page_shows_the_charts_that_there_are_and_no_others() {
        let text = text();
        let mut there: Vec<&str> =
            text.split("](acceptance/").skip(1).filter_map(|rest| rest.split(".svg)").next()).collect();
        there.sort_unstable();
        let mut known: Vec<&str> = charts().iter().map(|figure| figure.name).collect();
        known.sort_unstable();
        assert_eq!(there, known);
        assert!(known.iter().all(|name| chart_file(name).is_file()), "cargo xtask bench landscape --page");
        let files = fs::read_dir(workspace::root().join("docs/acceptance")).unwrap();
        assert_eq!(files.count(), known.len(), "no chart is left over");
    }

    /// In the table that says for whom each policy is.
    #[test]
    fn the_page_describes_every_policy() {
        let text = text();
        let (_, section) = text.split_once("## The policies").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let described: Vec<&str> =
            rows.iter().flat_map(|row| row.split('|').nth(1).unwrap().split('`')).collect();
        for name in policy::names() {
            assert!(described.contains(&name), "{name} is in no row of the table");
        }
    }

    #[test]
    fn everything_can_be_drawn_from_what_is_played() {
        let outcomes = Outcomes::made_up(&needed().unwrap());
        let text = text();
        let once = rewritten(&text, &outcomes).unwrap();
        assert_eq!(rewritten(&once, &outcomes).unwrap(), once);
        for Figure { name, draw, .. } in charts() {
            let svg = draw(&outcomes).unwrap();
            assert!(svg.len() < 60_000, "{name}: {} bytes", svg.len());
            assert!(svg.contains("<title") && svg.contains("<desc") && !svg.contains("NaN"), "{name}");
            assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count(), "{name}");
        }
    }
}
