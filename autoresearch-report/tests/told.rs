//! What a report tells of studies that are made event by event, so that every figure is known beforehand.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_report::{Entry, Fold, Report};
use serde_json::{Value, json};
use support::svg::Chart;

/// The report of these events.
fn report(events: Vec<Value>) -> Report {
    let mut fold = Fold::new();
    for (seq, event) in (1u64..).zip(events) {
        fold.take(Entry { seq, at: None, event: Ok(serde_json::from_value(event).unwrap()) });
    }
    assert_eq!(fold.data().state.unreadable_count, 0);
    Report::new(fold.data())
}

fn opened(policy: &str) -> Value {
    let settings = autoresearch_core::Settings::new();
    json!({"event": "opened", "study": "told", "baseline": {"rate": 0.1}, "settings": settings, "policy": policy, "executor": "none"})
}

/// A proposal that expects so much.
fn proposed(id: u64, version: u32, expected: Option<f64>) -> Value {
    let mut hypothesis = json!({"title": format!("step {id}"), "rationale": ""});
    if let Some(expected) = expected {
        hypothesis["expected"] = expected.into();
    }
    json!({"event": "proposed", "first": id, "on": [], "version": version,
        "proposals": [{"candidate": {"rate": id}, "hypothesis": hypothesis}]})
}

/// A run of five minutes.
fn ran(id: u64, arm: &Value, version: u32, role: &str, objective: f64) -> Value {
    json!({"event": "finished", "attempt": 0, "seconds": 300.0, "elapsed": 300.0 * id as f64,
        "run": {"id": id, "arm": arm, "version": version, "seed": id, "role": role},
        "outcome": {"Ok": {"objective": objective}}})
}

fn settled(id: u64, fate: &str, version: u32, effect: Option<(f64, bool)>) -> Value {
    let effect = effect.map(|(mean, fresh)| {
        json!({"mean": mean, "low": mean - 0.01, "high": mean + 0.01, "level": 0.95, "runs": 2, "fresh": fresh})
    });
    json!({"event": "settled", "proposal": id, "fate": fate, "version": version, "effect": effect, "runs": 2, "reason": "because"})
}

fn of(ids: &[u64]) -> Value {
    ids.iter().map(|id| json!({"proposal": id})).collect()
}

#[test]
fn a_cost_is_the_same_wherever_it_stands() {
    // Three runs of five minutes: one alone, two shared by two proposals: ten minutes' share, and fifteen in full.
    let report = report(vec![
        opened("factorial"),
        ran(1, &of(&[]), 0, "calibrate", 3.0),
        proposed(1, 0, None),
        proposed(2, 0, None),
        ran(2, &of(&[1]), 0, "screen", 2.9),
        ran(3, &of(&[1, 2]), 0, "screen", 2.8),
        ran(4, &of(&[1, 2]), 0, "screen", 2.8),
        settled(1, "kept", 1, Some((0.1, false))),
    ]);
    let trial = &report.data().proposals[0];
    assert_eq!((trial.seconds, trial.share), (900.0, 600.0));
    let html = report.html();
    for part in ["kept", "proposals"] {
        let section = html.split(&format!("<section id=\"{part}\"")).nth(1).unwrap();
        let section = section.split("</section>").next().unwrap();
        assert!(section.contains("10 min") && !section.contains("15 min"), "{part}");
    }
    let rows = html.split("id=\"rows\">").nth(1).unwrap().split("</script>").next().unwrap();
    let rows: Value = serde_json::from_str(rows).unwrap();
    assert_eq!(rows[0][7], 600.0);
    assert!(report.summary().contains("| 10 min |"), "{}", report.summary());
}

/// A baseline at 4.23, and a stack of two unproven edits whose runs come to 2.8.
fn scouted() -> Vec<Value> {
    let part = |id: u64, unit: u64| json!({"proposal": id, "unit": unit});
    vec![
        opened("scout Rules { runs: 3 }"),
        ran(1, &of(&[]), 0, "calibrate", 4.22),
        ran(2, &of(&[]), 0, "calibrate", 4.24),
        proposed(1, 0, None),
        proposed(2, 0, None),
        ran(3, &json!([part(1, 0), part(1, 1)]), 0, "screen", 3.5),
        ran(4, &json!([part(1, 0), part(2, 0)]), 0, "screen", 2.9),
        ran(5, &json!([part(1, 0), part(2, 0), part(2, 1)]), 0, "screen", 2.7),
    ]
}

#[test]
fn a_dot_stands_where_runs_were_measured() {
    let mut events = scouted();
    // Measured beside the stack: were it taken off the baseline, it would stand at 3.98, where no run was.
    events.push(settled(2, "rejected", 0, Some((0.25, false))));
    let chart = Chart::first(&report(events).html(), "progress");
    let dots = chart.dots("rejected");
    let [(_, y)] = dots[..] else { panic!("{dots:?}") };
    assert!((chart.value(y, false) - 2.8).abs() < 0.02, "{}", chart.value(y, false));
}

/// Two baseline runs, one proposal, its runs in this role, and its keep; then so many runs of it as the incumbent.
fn kept_by(role: &str, runs: usize, later: &[f64]) -> Report {
    let mut events = vec![
        opened("guarded"),
        ran(1, &of(&[]), 0, "calibrate", 3.01),
        ran(2, &of(&[]), 0, "calibrate", 2.99),
        proposed(1, 0, None),
    ];
    let first = events.len() as u64;
    events.extend((0..runs).map(|i| ran(first + i as u64, &of(&[1]), 0, role, 2.7 + 0.02 * i as f64)));
    events.push(settled(1, "kept", 1, Some((0.2, role == "confirm"))));
    let first = events.len() as u64;
    events.extend(later.iter().zip(first..).map(|(y, id)| ran(id, &of(&[]), 1, "confirm", *y)));
    report(events)
}

#[test]
fn the_headline_says_what_it_rests_on() {
    let headline = |report: Report| report.in_short().headline;
    let fresh = headline(kept_by("confirm", 2, &[2.78, 2.82]));
    // 2.8 and half an interval of 12.71 (t of 0.975 with 1 df, tables) times 0.0283 over the root of two.
    assert!(
        fresh.contains("from 3.000 to 2.800") && fresh.contains("95 % interval 2.546 to 3.054"),
        "{fresh}"
    );
    let decided = headline(kept_by("confirm", 2, &[]));
    assert!(
        decided.contains("from 3.000 to 2.710") && decided.contains("by the runs that decided it"),
        "{decided}"
    );
    let selected = headline(kept_by("screen", 2, &[]));
    assert!(selected.contains("by the very runs that chose it"), "{selected}");
    let claimed = headline(kept_by("screen", 0, &[]));
    assert!(claimed.contains("to 2.800") && claimed.contains("no run of its own"), "{claimed}");
    let all = [fresh, decided, selected, claimed];
    assert!(all.iter().filter(|text| text.contains("interval")).count() == 1, "{all:?}");
}

#[test]
fn steps_without_fresh_runs_are_seen_to_be_so() {
    let (sure, shaky) = (kept_by("confirm", 2, &[2.78, 2.82]), kept_by("screen", 2, &[]));
    for (report, dashed) in [(&sure, false), (&shaky, true)] {
        let html = report.html();
        let shown =
            html.split("<section id=\"progress\"").nth(1).unwrap().split("</section>").next().unwrap();
        assert_eq!(shown.contains("dashed: by the runs that chose it, or as claimed"), dashed, "the legend");
        assert_eq!(shown.contains("Dashed steps rest on"), dashed, "the caption");
        assert_eq!(
            shown.contains("are dashed: they rest on the runs that chose them"),
            dashed,
            "what is heard"
        );
        let chart = Chart::first(&html, "progress");
        // Dashes beneath an unbroken line show through its gaps: no step is drawn twice. Steps end with H.
        let steps = |class| chart.paths(class).concat().matches('H').count();
        let wanted = if dashed { (1, 1) } else { (0, 2) };
        assert_eq!((steps("incumbent"), steps("incumbent sure")), wanted);
    }
    assert!(shaky.progress_svg().contains("stroke-dasharray:5 3"));
}

#[test]
fn runs_that_decided_are_not_said_to_have_had_no_part() {
    let report = kept_by("confirm", 2, &[]);
    let said = report.in_short().certain.join(" ");
    assert!(!said.contains("none of which helped"), "{said}");
    assert!(
        said.contains("decided it but did not propose it") && said.contains("a little too large"),
        "{said}"
    );
    // No band from runs at which the test may have stopped.
    let json: Value = serde_json::from_str(&report.json().unwrap()).unwrap();
    assert_eq!(
        (&json["incumbents"][1]["basis"], &json["incumbents"][1]["low"]),
        (&json!("decided"), &Value::Null)
    );
    let unsure = report.in_short().uncertain.join(" ");
    assert!(unsure.contains("mean of the runs that decided it"), "{unsure}");
    let later: Value = serde_json::from_str(&kept_by("confirm", 2, &[2.78, 2.82]).json().unwrap()).unwrap();
    assert_eq!(
        (&later["incumbents"][1]["basis"], &later["incumbents"][1]["runs"]),
        (&json!("fresh"), &json!(2))
    );
}

#[test]
fn an_unproven_stack_is_told_apart_from_what_was_kept() {
    let part = |id: u64, unit: u64| json!({"proposal": id, "unit": unit});
    let mut events = scouted();
    let build = |id: u64, on: Value| {
        let mut event = proposed(id, 0, None);
        event["on"] = on;
        event
    };
    events.push(build(3, json!([part(1, 0), part(1, 1)])));
    events.push(ran(6, &json!([part(1, 0), part(2, 0), {"proposal": 3}]), 0, "screen", 3.9));
    events.push(build(4, json!([part(1, 0), part(2, 0)])));
    events.push(settled(3, "set_aside", 0, None));
    let open = report(events.clone());
    let headline = open.in_short().headline;
    assert!(headline.contains("none was kept so far; the baseline stands at 4.230"), "{headline}");
    // The stack of now is p1 and p2 in part, whose one run as it is gave 2.9.
    assert!(
        headline.contains("unproven stack of 2 edits stands at 2.900, by the very run that chose it"),
        "{headline}"
    );
    let json: Value = serde_json::from_str(&open.json().unwrap()).unwrap();
    let stacks: Vec<(&Value, &Value, &Value)> = json["stacks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (&s["members"], &s["units"], &s["objective"]))
        .collect();
    assert_eq!(stacks, [(&json!([1]), &json!(2), &json!(3.5)), (&json!([1, 2]), &json!(2), &json!(2.9))]);
    assert_eq!((&json["funnel"]["open"], &json["funnel"]["stacked"]), (&json!(3), &json!(2)));
    let html = open.html();
    assert!(html.contains("unproven stack: by the runs that chose it"), "the legend");
    assert!(html.contains("Of 2 proposals something is part of"), "the funnel");
    let chart = Chart::first(&html, "progress");
    let line = chart.path("stack");
    let level = line.rsplit('V').next().unwrap().split('H').next().unwrap().parse().unwrap();
    assert!((chart.value(level, false) - 2.9).abs() < 0.02, "{line}");
    // It ends where the incumbent changes: here at the sixth run of eight.
    let mut certified = events.clone();
    certified.push(settled(1, "kept", 1, Some((0.5, true))));
    certified.extend([7, 8].map(|id| ran(id, &of(&[]), 1, "confirm", 3.0)));
    let chart = Chart::first(&report(certified).html(), "progress");
    let end = chart.path("stack").rsplit('H').next().unwrap().parse().unwrap();
    assert!((chart.value(end, true) - 6.0).abs() < 0.1, "{}", chart.value(end, true));
    // Judged, it is no more.
    events.extend([1, 2, 4].map(|id| settled(id, "rejected", 0, None)));
    let judged = report(events).in_short().headline;
    assert!(!judged.contains("stack") && !judged.contains("so far"), "{judged}");
}

/// Two incumbents with these objectives.
fn scattering(first: &[f64], second: &[f64]) -> Report {
    let mut events = vec![opened("guarded")];
    let runs = |from: usize, version: u32, values: &[f64]| -> Vec<Value> {
        (from as u64..).zip(values).map(|(id, y)| ran(id, &of(&[]), version, "calibrate", *y)).collect()
    };
    events.extend(runs(1, 0, first));
    events.push(proposed(1, 0, None));
    events.push(settled(1, "kept", 1, Some((0.2, true))));
    events.extend(runs(1 + first.len(), 1, second));
    report(events)
}

#[test]
fn noise_that_differs_is_not_pooled() {
    let wide = [3.0, 3.3, 2.7, 3.15, 2.85, 3.0, 3.3, 2.7];
    let narrow = [2.5, 2.51, 2.49, 2.505, 2.495, 2.5, 2.51, 2.49];
    let differs = scattering(&wide, &narrow);
    let summary = differs.in_short();
    // Sums of squares 0.405 and 0.00045 over 7 df: standard deviations 0.2405 and 0.008018.
    let certain = summary.certain.join(" ");
    assert!(
        certain.contains("one run scatters by 0.008018") && certain.contains("if Gaussian; 7 degrees"),
        "{certain}"
    );
    let uncertain = summary.uncertain.join(" ");
    assert!(uncertain.contains("differs by incumbent, from 0.008018 to 0.2405"), "{uncertain}");
    assert!(differs.html().contains("How far runs scatter differs by incumbent"));
    // Bartlett's statistic from the sums: 14 ln(0.40545 / 14) - 7 ln(0.405 / 7) - 7 ln(0.00045 / 7) = 37.93; the correction is
    // 1 + (2 / 7 - 1 / 14) / 3 = 1.0714; with 1 df its tail is below 1e-8.
    let p = differs.data().noise.as_ref().unwrap().equal_p.unwrap();
    assert!(p < 1e-8, "{p}");
    // A second incumbent without runs enough: the figure of the first is not said of it.
    let unknown = scattering(&wide, &[]).in_short();
    assert!(
        unknown.certain.join(" ").contains("7 degrees of freedom of one incumbent"),
        "{:?}",
        unknown.certain
    );
    let same = scattering(&wide, &wide.map(|y| y - 0.5));
    assert!(same.data().noise.as_ref().unwrap().equal_p.unwrap() > 0.99);
    assert!(!same.in_short().uncertain.join(" ").contains("differs by incumbent"));
}

#[test]
fn one_absurd_expectation_does_not_wreck_the_rest() {
    let mut events = vec![opened("greedy"), ran(1, &of(&[]), 0, "calibrate", 3.0)];
    // Expected and measured: two gains, one of which was a loss; a loss that was one; and one without any sense.
    for (id, expected, measured) in
        [(1, 0.1, 0.2), (2, 0.3, -0.1), (3, -0.2, -0.3), (4, 1e308, 0.05), (5, 0.2, 0.1)]
    {
        events.push(proposed(id, 0, Some(expected)));
        events.push(settled(id, "rejected", 0, Some((measured, false))));
    }
    let report = report(events);
    let json: Value = serde_json::from_str(&report.json().unwrap()).unwrap();
    let p = &json["predicted"];
    assert_eq!(p["absurd"], json!([4]));
    let near = |name: &str, value: f64| assert!((p[name].as_f64().unwrap() - value).abs() < 1e-12, "{name}");
    // Of 0.1, 0.3, -0.2, 0.2 and of 0.2, -0.1, -0.3, 0.1.
    near("expected", 0.1);
    near("measured", -0.025);
    near("median_expected", 0.15);
    near("median_measured", 0.0);
    assert_eq!(p["signs"], json!([[3, 0, 1], [0, 0, 0], [0, 0, 1]]));
    let html = report.html();
    assert!(html.contains("1 expectation of more than a thousand times") && html.contains("edge: p4."));
    // The axis is that of the others.
    let chart = Chart::first(&html, "predicted");
    assert!(chart.ends(true).1.1 < 1.0, "{:?}", chart.ends(true));
}

#[test]
fn a_running_study_says_how_far_it_is() {
    let mut start = opened("scout Rules { alpha: 0.1, runs: None }");
    start["settings"]["limits"] = json!({"runs": 20, "proposals": 4, "consecutive_failures": 20});
    start["executor"] = format!("bits per byte, at most {} bytes", u64::MAX).into();
    let mut events = vec![start];
    events.extend((1..=8).map(|id| ran(id, &of(&[]), 0, "calibrate", 3.0 + 0.01 * id as f64)));
    let early = report(events.clone());
    let summary = early.in_short();
    // Eight runs of twenty, of five minutes each.
    assert!(summary.state.contains("used 40 % of its limit on runs"), "{}", summary.state);
    assert!(summary.state.contains("Nothing was kept in 8 runs and 40 min"), "{}", summary.state);
    assert!(!summary.uncertain.join(" ").contains("gain"), "there is none: {:?}", summary.uncertain);
    // They rise steadily, and span eight runs: nothing is said of a hundred.
    assert!(early.data().noise.as_ref().unwrap().per_hundred_runs.is_none());
    assert!(!summary.uncertain.join(" ").contains("drift") && !early.html().contains("In a hundred runs"));
    let html = early.html();
    let header = html.split("<header>").nth(1).unwrap().split("</header>").next().unwrap();
    assert!(header.contains("scout") && !header.contains("Rules"), "{header}");
    assert!(html.contains("any number of bytes") && !html.contains(&u64::MAX.to_string()));
    events.extend([1, 2, 3].map(|id| proposed(id, 0, None)));
    events.push(settled(1, "kept", 1, Some((0.2, true))));
    events.extend([9, 10].map(|id| ran(id, &of(&[]), 1, "confirm", 2.8)));
    let state = report(events.clone()).in_short().state;
    assert!(state.contains("used 75 % of its limit on proposals"), "{state}");
    assert!(state.contains("last changed 2 runs and 10 min before its last run"), "{state}");
    // Where runs span a hundred, a drift is seen.
    let long: Vec<f64> = (0..120).map(|i| 3.0 + 0.01 * f64::from(i) + 0.001 * f64::from(i % 3)).collect();
    let drift = scattering(&long, &[]).data().noise.as_ref().unwrap().per_hundred_runs.unwrap();
    assert!((drift - 1.0).abs() < 0.01, "{drift}");
}

/// A part of the page without its tags.
fn section(html: &str, part: &str) -> String {
    let section =
        html.split(&format!("<section id=\"{part}\"")).nth(1).unwrap_or_else(|| panic!("no {part}"));
    let section = section.split("</section>").next().unwrap();
    section.split('<').map(|piece| piece.split_once('>').map_or("", |(_, text)| text)).collect()
}

/// A study that builds upon a stack: p1 in part, then with p2, which was set aside as a whole, then with p4, which never ran
/// as it is.
fn built() -> Vec<Value> {
    let part = |id: u64, unit: u64| json!({"proposal": id, "unit": unit});
    let build = |id: u64, on: Value| {
        let mut event = proposed(id, 0, None);
        event["on"] = on;
        event
    };
    let mut events = scouted();
    events.push(settled(2, "set_aside", 0, Some((-0.1, false))));
    events.push(build(3, json!([part(1, 0)])));
    events.push(build(4, json!([part(1, 0), part(2, 0)])));
    events.push(ran(6, &json!([part(1, 0), part(2, 0), {"proposal": 3}]), 0, "screen", 3.9));
    events.push(settled(3, "set_aside", 0, Some((-1.0, false))));
    events.push(ran(7, &json!([part(1, 0), part(2, 0), part(4, 0)]), 0, "screen", 2.8));
    events.push(build(5, json!([part(1, 0), part(2, 0), {"proposal": 4}])));
    events.push(ran(8, &json!([part(1, 0), part(2, 0), {"proposal": 4}, {"proposal": 5}]), 0, "screen", 3.1));
    events
}

#[test]
fn the_unproven_stack_is_shown_member_by_member() {
    let report = report(built());
    let (data, html) = (report.data(), report.html());
    let stack = data.stack().unwrap();
    assert_eq!(stack.members, [1, 2, 4]);
    let since: Vec<(u64, &[u16], u64)> =
        stack.parts.iter().map(|p| (p.proposal, &p.units[..], p.since)).collect();
    assert_eq!(since, [(1, &[0][..], 5), (2, &[0][..], 5), (4, &[][..], 7)]);
    let shown = section(&html, "stack");
    assert!(["step 1", "step 2", "step 4", "rate"].iter().all(|part| shown.contains(part)), "{shown}");
    assert!(!shown.contains("step 3") && !shown.contains("step 5"), "{shown}");
    // What is in it is not among what was not kept, though as a whole it was set aside.
    assert_eq!((data.funnel.open, data.funnel.stacked), (3, 3));
    assert_eq!(data.funnel.reasons.iter().map(|reason| reason.count).sum::<u64>(), 1);
    let rows = html.split("id=\"rows\">").nth(1).unwrap().split("</script>").next().unwrap();
    let rows: Value = serde_json::from_str(rows).unwrap();
    let marked: Vec<bool> = rows.as_array().unwrap().iter().map(|row| row[10] == 1).collect();
    assert_eq!(marked, [true, true, false, true, false]);
    let chart = Chart::first(&html, "progress");
    assert_eq!(chart.path("ring").matches('M').count(), 3);
    // An open member stands where it came in, not at the last run that carried it.
    assert_eq!(data.proposals.iter().map(|t| t.at_run).collect::<Vec<_>>(), [5, 5, 6, 7, 8]);
}

#[test]
fn a_stack_that_did_not_run_as_it_is_keeps_its_last_figure() {
    let report = report(built());
    let headline = report.in_short().headline;
    assert!(headline.contains("An unproven stack of 3 edits is still to be tested"), "{headline}");
    assert!(
        headline.contains("before its last change, with 2 edits, it stood at 2.900, by the very run"),
        "{headline}"
    );
    let chart = Chart::first(&report.html(), "progress");
    let thin = chart.path("stack before");
    let level = thin.rsplit(' ').next().unwrap().split('H').next().unwrap().parse().unwrap();
    assert!((chart.value(level, false) - 2.9).abs() < 0.02, "{thin}");
}

#[test]
fn the_promise_of_a_policy_is_told_and_the_gain_has_an_interval() {
    let kept = |policy: &str| {
        let mut events = vec![opened(policy)];
        events.extend((1..).zip([3.01, 2.99]).map(|(id, y)| ran(id, &of(&[]), 0, "calibrate", y)));
        events.push(proposed(1, 0, None));
        events.push(ran(3, &of(&[1]), 0, "confirm", 2.8));
        events.push(settled(1, "kept", 1, Some((0.2, true))));
        events.extend((4..).zip([2.78, 2.82]).map(|(id, y)| ran(id, &of(&[]), 1, "confirm", y)));
        report(events).in_short()
    };
    let guarded = kept("guarded alpha=0.1 horizon=200 pairs<=24");
    assert!(
        guarded.certain.join(" ").contains("of what it keeps at most 10 % is without merit"),
        "{guarded:?}"
    );
    // Standard errors 0.01 and 0.02 of 1 df each: 0.02236 with 25 / 17 = 1.4706 df; t of 0.975 there is 6.188 (its density integrated).
    assert!(
        guarded.headline.contains("0.2000 better (6.67 %; 95 % interval +0.06 to +0.34)"),
        "{}",
        guarded.headline
    );
    let greedy = kept("greedy k=1 fixed_seed=false");
    assert!(greedy.uncertain.join(" ").contains("keeps to no rate of errors"), "{greedy:?}");
    assert!(!greedy.certain.join(" ").contains("without merit"));
    let own = kept("keep-nothing");
    assert!(
        !own.certain.join(" ").contains("without merit")
            && !own.uncertain.join(" ").contains("rate of errors")
    );
}

#[test]
fn failures_reasons_and_what_was_passed_over_are_told() {
    let failed = |id: u64, why: &str| {
        json!({"event": "finished", "attempt": 0, "seconds": 1.0, "elapsed": id as f64,
            "run": {"id": id, "arm": of(&[id]), "version": 0, "seed": id, "role": "screen"},
            "outcome": {"Err": serde_json::to_value(autoresearch_core::RunFailure::candidate(why)).unwrap()}})
    };
    let because = |mut event: Value, reason: &str| {
        event["reason"] = reason.into();
        event
    };
    let mut events = vec![opened("factorial")];
    events.extend((1..=8).map(|id| proposed(id, 0, None)));
    events.extend([
        failed(1, "no memory for 12 GB"),
        failed(2, "no memory for 9 GB"),
        failed(3, "loss is NaN <b>"),
    ]);
    events.extend([1, 2, 3].map(|id| settled(id, "failed", 0, None)));
    // Two fell at a first look, one on fresh runs, with the same words and other numbers.
    events.extend(
        [(4, "screen"), (5, "screen"), (6, "confirm")].map(|(id, role)| ran(id, &of(&[id]), 0, role, 3.0)),
    );
    events.push(because(settled(4, "rejected", 0, Some((-0.3, false))), "screening: -0.3, not above 0.01"));
    events.push(because(settled(5, "rejected", 0, Some((-0.1, false))), "screening: -0.1, not above 0.02"));
    events.push(because(settled(6, "rejected", 0, Some((0.004, true))), "7 pairs: +0.004 [-0.006, +0.014]"));
    events.push(ran(7, &of(&[7]), 0, "confirm", 2.9));
    events.push(json!({"event": "answered", "question": 1, "proposal": 7, "answer": {"passed": true, "basis": "runs_only"}}));
    events.push(because(settled(7, "conflict", 0, Some((0.2, true))), "it does not merge"));
    let report = report(events);
    let data = report.data();
    let failures: Vec<(&str, u64, &[u64])> =
        data.failures.iter().map(|f| (f.what.as_str(), f.count, &f.proposals[..])).collect();
    assert_eq!(
        failures,
        [("Crash: no memory for # GB", 2, &[1, 2][..]), ("Crash: loss is NaN <b>", 1, &[3][..])]
    );
    let summary = report.in_short();
    assert!(
        summary.cost.join(" ").contains("Most often (2): Crash: no memory for # GB."),
        "{:?}",
        summary.cost
    );
    let spend = section(&report.html(), "spend");
    assert!(
        spend.contains("How runs failed") && spend.contains("NaN &lt;b&gt;") && spend.contains("p1, p2"),
        "{spend}"
    );
    assert!(
        summary
            .uncertain
            .join(" ")
            .contains("1 edit passed its tests and the holdout and is not part of the incumbent: p7.")
    );
    assert!(section(&report.html(), "holdout").contains("it does not merge"));
    let stage = |stage: autoresearch_report::Stage| {
        serde_json::to_value(stage).unwrap().as_str().unwrap().to_string()
    };
    let reasons: Vec<(u64, String, &str, Option<f64>)> = data
        .funnel
        .reasons
        .iter()
        .filter(|r| r.fate == autoresearch_core::Fate::Rejected)
        .map(|r| (r.count, stage(r.stage), r.reason.as_str(), r.median))
        .collect();
    let near = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 1e-12);
    let [first, second] = &reasons[..] else { panic!("{reasons:?}") };
    assert_eq!((first.0, first.1.as_str(), first.2), (2, "first_look", "screening: #, not above #"));
    assert_eq!((second.0, second.1.as_str(), second.2), (1, "tested", ""));
    assert!(near(first.3, -0.2) && near(second.3, 0.004), "{reasons:?}");
    let funnel = section(&report.html(), "funnel");
    assert!(funnel.contains("the improvement was not convincing") && funnel.contains("+0.004"), "{funnel}");
}

#[test]
fn a_study_that_fell_silent_is_said_to_have() {
    let mut fold = Fold::new();
    let mut events = vec![opened("guarded")];
    events.extend((1..=60).map(|id| ran(id, &of(&[]), 0, "calibrate", 3.0)));
    // An event a minute, for an hour.
    for (seq, event) in (1u64..).zip(events) {
        let at = Some(60_000 * seq as i64);
        fold.take(Entry { seq, at, event: Ok(serde_json::from_value(event).unwrap()) });
    }
    let state = |read: i64| Report::new(fold.data()).read_at(read).in_short().state;
    let soon = state(3_660_000 + 90_000);
    assert!(soon.contains("That was 90 s") || soon.contains("That was 2 min"), "{soon}");
    assert!(soon.contains("an event every 60 s on average.") && !soon.contains("no longer runs"), "{soon}");
    let late = state(3_660_000 + 13_000_000);
    assert!(
        late.contains("That was 3.6 h before the store was read") && late.contains("no longer runs"),
        "{late}"
    );
    assert!(!late.contains(" ago"), "{late}");
}

/// The first run of a study may take hours.
#[test]
fn a_study_with_one_event_has_not_fallen_silent() {
    let mut fold = Fold::new();
    fold.take(Entry {
        seq: 1,
        at: Some(60_000),
        event: Ok(serde_json::from_value(opened("guarded")).unwrap()),
    });
    let state = Report::new(fold.data()).read_at(60_000 + 13_000_000).in_short().state;
    assert!(state.contains("That was 3.6 h before the store was read"), "{state}");
    assert!(!state.contains("no longer runs") && !state.contains("on average"), "{state}");
}

#[test]
fn the_last_part_has_a_chart_of_its_own() {
    // Two large steps in the first ten runs of a hundred, and one of a hundredth of them at the seventieth.
    let mut events = vec![opened("guarded")];
    let mut run = 0;
    for (version, level, gain, runs) in
        [(0, 9.0, 0.0, 5), (1, 5.0, 4.0, 5), (2, 1.0, 4.0, 60), (3, 0.96, 0.04, 30)]
    {
        if version > 0 {
            events.push(proposed(version, version as u32 - 1, None));
            events.push(settled(version, "kept", version as u32, Some((gain, true))));
        }
        for i in 0..runs {
            run += 1;
            let y = level + if i % 2 == 0 { 0.001 } else { -0.001 };
            events.push(ran(run, &of(&[]), version as u32, "confirm", y));
        }
    }
    let html = report(events).html();
    let (whole, late) = (Chart::nth(&html, "progress", 0), Chart::nth(&html, "progress", 1));
    assert_eq!((whole.ends(true).0.1, late.ends(true).0.1), (0.0, 10.0));
    // The last step, in pixels.
    let height = |chart: &Chart| {
        let (low, high) = chart.ends(false);
        0.04 * ((high.0 - low.0) / (high.1 - low.1)).abs()
    };
    assert!(height(&whole) < 5.0 && height(&late) > 100.0, "{} {}", height(&whole), height(&late));
    assert!(html.contains("The same from run 10 on"));
    assert!(
        !kept_by("confirm", 2, &[2.78, 2.82]).html().contains("on a scale of its own."),
        "too short for that"
    );
}

/// Runs of two settings, on and off by a whole design, twice; effects 0.2 and -0.1, and no noise but the last run's.
fn designed() -> Vec<Value> {
    let mut events = vec![opened("factorial")];
    events.extend([proposed(1, 0, None), proposed(2, 0, None)]);
    let arms: [(&[u64], f64); 8] = [
        (&[], 3.0),
        (&[1], 2.8),
        (&[2], 3.1),
        (&[1, 2], 2.9),
        (&[], 3.0),
        (&[1], 2.8),
        (&[2], 3.1),
        (&[1, 2], 2.98),
    ];
    events.extend((1..).zip(arms).map(|(id, (arm, y))| ran(id, &of(arm), 0, "confirm", y)));
    let mut kept = settled(1, "kept", 1, Some((0.18, true)));
    kept["strength"] = json!({"log_e": 1000f64.ln(), "level": 0.1});
    let mut rejected = settled(2, "rejected", 1, Some((-0.12, true)));
    rejected["strength"] = json!({"log_e": 0.5f64.ln(), "level": 0.1});
    events.extend([kept, rejected]);
    events
}

#[test]
fn evidence_beside_others_grows_run_by_run() {
    let report = report(designed());
    let together = &report.data().together;
    assert_eq!(together.len(), 2);
    let (first, second) = (&together[0], &together[1]);
    assert_eq!((first.proposals.as_slice(), second.proposals.as_slice()), (&[1][..], &[2][..]));
    // After four runs all fits: three coefficients, one degree of freedom, no residual.
    let four = first.points.iter().find(|p| p.runs == 4).unwrap();
    assert!((four.mean - 0.2).abs() < 1e-9, "{four:?}");
    // The last run is 0.08 worse: each effect moves by 0.08 / 4. Its leverage is 3 / 8, so that the residual sum of squares is
    // 0.0064 · 5 / 8 = 0.004, over 5 df; the variance of an effect is that of a run over 8 / 4. Student's t of .975 with 5 df
    // is 2.5706 (Fisher and Yates's table).
    for (t, mean) in [(first, 0.18), (second, -0.12)] {
        let last = t.points.last().unwrap();
        let half = 2.5706 * (0.004f64 / 5.0 / 2.0).sqrt();
        assert!(last.runs == 8 && (last.mean - mean).abs() < 1e-9, "{last:?}");
        let (low, high) = (last.low.unwrap(), last.high.unwrap());
        assert!((low - (mean - half)).abs() < 1e-4 && (high - (mean + half)).abs() < 1e-4, "{last:?}");
    }
    let html = section(&report.html(), "evidence");
    assert!(html.contains("Run by run, beside others") && html.contains("step 1"), "{html}");
}

#[test]
fn e_values_stand_over_what_is_asked_for() {
    let report = report(designed());
    // 1000 where 10 are needed: two powers of ten above; a half: 1.3 below.
    let html = report.html();
    assert!(
        section(&html, "evidence")
            .contains("E-values of 2 proposals against what their levels ask for: 1 reach it")
    );
    let chart = Chart::first(&html, "evidence");
    let height = |fate: &str| chart.values(fate)[0].1;
    assert!((height("kept") - 2.0).abs() < 0.05, "{}", height("kept"));
    assert!((height("rejected") + 1.301).abs() < 0.05, "{}", height("rejected"));
}

#[test]
fn what_was_learned_is_told_by_source_and_tag() {
    let said = |id: u64, source: Value, tag: &str| {
        json!({"event": "proposed", "first": id, "on": [], "version": 0, "proposals": [{"candidate": {"rate": id},
            "hypothesis": {"title": format!("<b>step {id}"), "rationale": "", "source": source, "tags": [tag, "by:search"],
            "expected": 0.1 * id as f64, "spread": 0.05, "kept": 0.5}}]})
    };
    let person = || json!({"person": "Ada <i>"});
    let report = report(vec![
        opened("guarded"),
        said(1, person(), "rate"),
        settled(1, "kept", 1, Some((0.1, true))),
        said(2, person(), "rate"),
        settled(2, "rejected", 1, Some((0.2, true))),
        said(3, person(), "width"),
        settled(3, "failed", 1, None),
        said(4, Value::Null, "width"),
        settled(4, "rejected", 1, Some((-0.4, true))),
    ]);
    let learned = &report.data().learned;
    let ada = &learned.sources["Ada <i>"];
    assert_eq!(
        (ada.tried, ada.kept, ada.effect, ada.last_failure.as_str()),
        (3, 1, Some(f64::midpoint(0.1, 0.2)), "because")
    );
    assert_eq!((learned.sources["search"].tried, learned.tags["rate"].tried), (1, 2));
    let miss = &learned.near_misses[0];
    assert_eq!((miss.proposal.0, miss.title.as_str()), (2, "<b>step 2"));
    let html = report.html();
    let section = section(&html, "learned");
    assert!(section.contains("Ada &lt;i&gt;") && section.contains("1 rejected"), "{section}");
    assert!(section.contains("Near misses") && section.contains("&lt;b&gt;step 2"), "{section}");
    assert!(section.contains("of the probability of being kept"), "{section}");
    // And nothing where there is nothing to tell.
    let silent = self::report(vec![opened("guarded"), proposed(1, 0, None), settled(1, "rejected", 0, None)]);
    assert!(silent.data().learned.is_empty() && !silent.html().contains("id=\"learned\""));
}

#[test]
fn checks_are_reckoned_from_the_stored_events() {
    // The incumbent's runs get worse by 0.01 each, which is a hundred times their scatter.
    let mut events = vec![opened("greedy")];
    events.extend((1..=60).map(|id| {
        let y = 3.0 + 0.01 * id as f64 + if id % 2 == 0 { 1e-4 } else { -1e-4 };
        ran(id, &of(&[]), 0, "calibrate", y)
    }));
    let drifts = report(events);
    assert!(drifts.in_short().uncertain[0].contains("drift"), "{:?}", drifts.in_short());
    let html = section(&drifts.html(), "checks");
    assert!(
        html.contains("Concern: the incumbent's own runs drift") && html.contains("Drift: flagged."),
        "{html}"
    );
    let json: Value = serde_json::from_str(&drifts.json().unwrap()).unwrap();
    assert_eq!(json["checks"]["drift"]["flagged"], true);
    let calm = scattering(&[3.0, 3.3, 2.7, 3.15], &[2.5, 2.8, 2.2, 2.65]);
    assert!(section(&calm.html(), "checks").contains("No overfitting check raised an alarm"));
    assert!(!calm.in_short().uncertain.join(" ").contains("Concern"));
}

#[test]
fn noise_has_a_band_for_each_incumbent() {
    let wide = [3.0, 3.3, 2.7, 3.15, 2.85, 3.0, 3.3, 2.7];
    let narrow = [2.5, 2.51, 2.49, 2.505, 2.495, 2.5, 2.51, 2.49];
    let html = scattering(&wide, &narrow).html();
    let chart = Chart::first(&html, "noise");
    // Two standard deviations to both sides: 4 · 0.2405 and 4 · 0.008018.
    let heights: Vec<f64> = chart.bands().into_iter().map(|(_, height)| height).collect();
    assert!(heights.len() == 2 && (heights[0] / heights[1] - 0.2405 / 0.008018).abs() < 2.0, "{heights:?}");
}

#[test]
fn a_picture_of_its_own_has_title_and_legend() {
    let svg = report(designed()).titled("The <title> of it").progress_svg();
    for text in ["The &lt;title&gt; of it", "incumbent, 95 % interval", "kept (1)", "rejected (1)"] {
        assert!(svg.contains(text), "{text}: {svg}");
    }
}

#[test]
fn marks_that_turn_a_text_are_told_everywhere() {
    let mut first = proposed(1, 0, None);
    first["proposals"][0]["hypothesis"]["title"] = format!("a\u{202e}b{}", "\u{308}".repeat(99)).into();
    let html = report(vec![opened("scout Rules { alpha: 0.1, bundle: 8 }"), first]).html();
    assert!(!html.contains('\u{202e}') && html.contains("a[U+202E]b"), "{html}");
    assert!(!html.contains(&"\u{308}".repeat(4)));
    assert!(section(&html, "about").contains("scout (alpha 0.1, bundle 8)"));
}
