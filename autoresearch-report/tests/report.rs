//! What a report says, counted again from the events.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::*;
use autoresearch_report::{Fold, Report};
use serde_json::Value;
use support::{HOSTILE, large, stored, study};

async fn events(store: &MemoryStore<Value>) -> Vec<Event<Value>> {
    store.read(Seq(0), usize::MAX).await.unwrap().into_iter().map(|(_, event)| event).collect()
}

#[tokio::test]
async fn counts_are_those_of_the_study_itself() {
    let store = MemoryStore::new();
    let told = study(400, |i| format!("step {i}")).store(store.clone()).run().await.unwrap();
    let report = Report::of(&store).unwrap();
    let data = report.data();
    assert_eq!(
        (data.cost.runs, data.cost.failed, data.cost.lost),
        (told.runs, told.failed_runs, told.lost_runs)
    );
    assert_eq!(data.proposals.len() as u64, told.proposals);
    let kept: Vec<u64> = told.kept.iter().map(|k| k.id.0).collect();
    assert!(!kept.is_empty());
    assert_eq!(data.kept().map(|t| t.id).collect::<Vec<_>>(), kept);
    let effects: Vec<Option<Effect>> = told.kept.iter().map(|k| k.effect).collect();
    assert_eq!(data.kept().map(|t| t.effect).collect::<Vec<_>>(), effects);
    let holdout = data.holdout.as_ref().unwrap();
    assert_eq!((holdout.asked, holdout.yes), told.holdout);
    assert_eq!(data.result, told.result);
    assert_eq!(data.state.reason.as_deref(), Some(told.stopped.to_string().as_str()));
    assert!((data.cost.compute - told.compute_seconds).abs() < 1e-9);
    assert_eq!(data.incumbents.last().unwrap().version, told.version.0);
}

#[tokio::test]
async fn means_are_those_of_the_runs() {
    let store = MemoryStore::new();
    study(300, |i| format!("step {i}")).store(store.clone()).run().await.unwrap();
    let report = Report::of(&store).unwrap();
    // Again, by another way: straight from the events.
    let mut baseline = Vec::new();
    let mut of_five = Vec::new();
    for event in events(&store).await {
        let Event::Finished { run, outcome: Ok(m), .. } = event else { continue };
        let arm: Vec<u64> = run.arm.proposals().map(|p| p.0).collect();
        if arm.is_empty() && run.version.0 == 0 && run.role != Role::Screen {
            baseline.push(m.objective());
        }
        if arm == [5] {
            of_five.push(m.objective());
        }
    }
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let first = &report.data().incumbents[0];
    assert_eq!(first.runs, baseline.len() as u64);
    assert!((first.objective.unwrap() - mean(&baseline)).abs() < 1e-12);
    let (low, high) = (first.low.unwrap(), first.high.unwrap());
    assert!(low < mean(&baseline) && mean(&baseline) < high);
    let five = report.data().proposals.iter().find(|t| t.id == 5).unwrap();
    assert_eq!(five.objective.is_some(), !of_five.is_empty());
    if let Some(objective) = five.objective {
        assert!((objective - mean(&of_five)).abs() < 1e-12);
    }
}

#[tokio::test]
async fn the_table_is_that_of_the_core() {
    for proposals in [0, 1, 120] {
        let store = stored(large(proposals, |i| format!("step {i}"))).await;
        let ours = Report::of(&store).unwrap().results_tsv("val_bpb");
        assert_eq!(ours, results_tsv(&store, "val_bpb").await.unwrap());
    }
}

#[tokio::test]
async fn what_a_proposal_changes_is_told() {
    let store = MemoryStore::new();
    study(300, |i| format!("step {i}")).store(store.clone()).run().await.unwrap();
    for trial in &Report::of(&store).unwrap().data().proposals {
        // Each proposal changes the one setting that its tag names, whatever was kept before.
        let paths: Vec<&str> = trial.changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, [trial.tags[0].as_str()], "p{}", trial.id);
    }
}

/// Where a chart draws a value, read back from its axis.
fn read_back(svg: &str, place: f64) -> f64 {
    let ticks: Vec<(f64, f64)> = svg
        .match_indices("<text class=\"tick\"")
        .filter_map(|(at, _)| {
            let text = &svg[at..at + svg[at..].find("</text>")?];
            text.contains("text-anchor=\"end\"").then_some(())?;
            let y = text.split(" y=\"").nth(1)?.split('"').next()?.parse().ok()?;
            let label = text.rsplit('>').next()?.replace('−', "-").parse().ok()?;
            Some((y, label))
        })
        .collect();
    let [(y0, v0), .., (y1, v1)] = ticks[..] else { panic!("no axis") };
    v0 + (place - y0) / (y1 - y0) * (v1 - v0)
}

#[tokio::test]
async fn the_chart_shows_the_numbers() {
    let store = MemoryStore::new();
    study(400, |i| format!("step {i}")).store(store.clone()).run().await.unwrap();
    let report = Report::of(&store).unwrap();
    let svg = report.progress_svg();
    let line = svg.split("<path class=\"incumbent sure\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut levels: Vec<f64> = Vec::new();
    for piece in line.split(['M', 'H']).filter(|piece| !piece.is_empty()) {
        if let Some((_, y)) = piece.split_once(' ') {
            levels.push(y.parse().unwrap());
        } else if let Some((_, y)) = piece.split_once('V') {
            levels.push(y.parse().unwrap());
        }
    }
    let known: Vec<f64> = report.data().incumbents.iter().filter_map(|i| i.objective).collect();
    assert_eq!(levels.len(), known.len());
    for (y, objective) in levels.iter().zip(&known) {
        assert!((read_back(&svg, *y) - objective).abs() < 0.005, "{} for {objective}", read_back(&svg, *y));
    }
    // As many kept dots as were kept.
    let kept = svg.split("<path class=\"dot kept\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(kept.matches('M').count(), report.data().kept().count());
}

#[tokio::test]
async fn hostile_texts_are_shown_as_texts() {
    let long = "x".repeat(100_000);
    let title = move |i: u64| match HOSTILE.get(i as usize % (HOSTILE.len() + 1)) {
        Some(text) => (*text).to_string(),
        None => long.clone(),
    };
    let report = Report::of(&stored(large(200, title)).await).unwrap().titled(HOSTILE[1]);
    let html = report.html();
    assert!(html.len() < 600_000, "{} bytes", html.len());
    // Scripts: the two of data and that of the page; no image, no handler of events.
    assert_eq!(html.matches("<script").count(), 3);
    assert!(!html.contains("<img") && !html.contains("<b>"));
    let shown = html.split("<script").next().unwrap(); // what follows is JSON
    assert!(shown.contains("onmouseover") && !shown.contains("\" onmouseover="));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!html.contains('\u{0}') && !html.contains('\u{1b}'));
    // Rows are JSON that says what was written.
    let rows = html.split("id=\"rows\">").nth(1).unwrap().split("</script>").next().unwrap();
    let rows: Value = serde_json::from_str(rows).unwrap();
    assert_eq!(rows[9][1], HOSTILE[0]);
    for text in [report.progress_svg(), report.summary(), report.results_tsv("m")] {
        assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'), "{text}");
    }
    assert!(!report.progress_svg().contains("<script") && !report.summary().contains("<script"));
    let svg = report.progress_svg();
    assert!(!svg.contains(|c: char| c.is_control() && c != '\n') && !svg.contains('\u{fffe}'));
    assert_eq!(
        report.results_tsv("a\tb\nc").lines().next(),
        Some("id\ta b c\tmemory_gb\tstatus\tdescription")
    );
    assert!(report.results_tsv("m").lines().all(|line| line.split('\t').count() == 5));
}

#[tokio::test]
async fn ten_thousand_trials_fit() {
    let title =
        |i: u64| format!("proposal {i} with a title of the usual length: raise the learning rate by {i} %");
    let report = Report::of(&stored(large(10_000, title)).await).unwrap();
    let html = report.html();
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    assert_eq!(report.data().proposals.len(), 10_000);
    let chart = html.split("<g class=\"dots\">").nth(1).unwrap();
    let dots = chart.split("<path class=\"dot rejected\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(dots.matches('M').count(), 10_000 - 200);
}

#[tokio::test]
async fn wherever_a_store_breaks_off_there_is_a_report() {
    let store = MemoryStore::new();
    study(40, |i| format!("step {i}")).store(store.clone()).run().await.unwrap();
    let all = events(&store).await;
    for n in (0..=all.len()).rev().step_by(3).chain([0, 1, 2]) {
        let report = Report::of(&stored(all[..n].to_vec()).await).unwrap();
        assert!(
            report.html().contains("In short")
                && report.json().is_ok()
                && report.progress_svg().ends_with("</svg>\n")
        );
        assert!(!report.summary().is_empty());
        let stopped = all[..n].iter().any(|event| matches!(event, Event::Stopped { .. }));
        assert_eq!(report.data().state.stopped, stopped);
    }
}

#[test]
fn events_that_are_missing_or_unknown_are_counted_and_passed_over() {
    let mut fold = Fold::new();
    for (seq, event) in (1u64..).zip(large(20, |i| format!("step {i}"))) {
        if seq == 10 || seq == 11 {
            continue;
        }
        let event = if seq == 20 { Err("unknown variant `dreamed`".to_string()) } else { Ok(event) };
        fold.take(autoresearch_report::Entry { seq, at: None, event });
    }
    let data = fold.data();
    assert_eq!(data.state.unreadable_count, 3);
    assert_eq!(data.state.unreadable.len(), 2);
    let report = Report::new(data);
    assert!(report.summary().contains("3 events of the store cannot be understood or are missing"));
    assert!(report.html().contains("unknown variant"));
}

#[test]
fn one_store_in_either_direction_is_the_same_study() {
    // A mirrored study, in which higher is better, has the same improvements.
    let mut fold = Fold::new();
    for (seq, event) in (1u64..).zip(large(100, |i| format!("step {i}"))) {
        let mut text = serde_json::to_value(&event).unwrap();
        if seq == 1 {
            text["settings"]["direction"] = "maximize".into();
        } else if let Some(objective) = text.pointer("/outcome/Ok/objective").and_then(Value::as_f64) {
            text["outcome"]["Ok"]["objective"] = (-objective).into();
        }
        let event = serde_json::from_value(text).map_err(|error| error.to_string());
        fold.take(autoresearch_report::Entry { seq, at: None, event });
    }
    let report = Report::new(fold.data());
    let headline = report.in_short().headline;
    assert!(headline.contains("2 were kept") && headline.contains("0.008000 better"), "{headline}");
}
