//! What was learned, in words.

use super::curation::MOVED;
use super::lessons::{GroupLesson, Lessons};
use std::fmt::Write;

/// A page for people.
pub(super) fn page(lessons: &Lessons) -> String {
    let mut text = String::new();
    for (heading, groups) in [("By source", &lessons.sources), ("By tag", &lessons.tags)] {
        if groups.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{heading}");
        for (name, group) in groups {
            let _ = writeln!(text, "  {}", group_line(name, group));
            if let Some(line) = calibration_line(group) {
                let _ = writeln!(text, "    {line}");
            }
            if !group.last_failure.is_empty() {
                let _ = writeln!(text, "    failed last: {}", group.last_failure);
            }
        }
    }
    let sections = [
        (format!("Near misses (worth a second look {MOVED} changes of the incumbent later)"), near(lessons)),
        ("Better on one incumbent, worse on another".into(), signs(lessons)),
    ];
    for (heading, lines) in sections {
        if !lines.is_empty() {
            let _ = writeln!(text, "{heading}");
            lines.iter().for_each(|line| text += &format!("  {line}\n"));
        }
    }
    text
}

/// Whole lines, the most telling first, in at most so many characters.
pub(super) fn digest(lessons: &Lessons, characters: usize) -> String {
    let mut groups: Vec<(&String, &GroupLesson)> = lessons.tags.iter().collect();
    groups.sort_by(|a, b| b.1.tried.cmp(&a.1.tried).then(a.0.cmp(b.0)));
    let by_tag = groups.into_iter().map(|(name, group)| group_line(name, group));
    let due = lessons.due().map(|m| format!("again, perhaps: {} ({})", m.title, m.effect)).take(5);
    // Those who read it proposed some of it: how right they were, they had better know.
    let right = lessons
        .sources
        .iter()
        .filter_map(|(name, group)| Some(format!("predictions of {name}: {}", calibration_line(group)?)));
    let mut text = String::new();
    for line in by_tag.take(12).chain(due).chain(signs(lessons)).chain(right) {
        if text.chars().count() + line.chars().count() + 1 > characters {
            break;
        }
        text += &line;
        text.push('\n');
    }
    text
}

fn group_line(name: &str, group: &GroupLesson) -> String {
    let mut line = format!("{name}: {} tried, {} kept", group.tried, group.kept);
    for (fate, n) in group.fates.iter().filter(|(fate, _)| *fate != "kept") {
        let _ = write!(line, ", {n} {fate}");
    }
    if let Some(effect) = group.effect {
        let _ = write!(line, "; mean effect {effect:+.4}");
    }
    if let Some((low, high)) = group.interval {
        let _ = write!(line, " [{low:+.4}, {high:+.4}]");
    }
    line
}

fn calibration_line(group: &GroupLesson) -> Option<String> {
    let c = &group.calibration;
    let mut parts = Vec::new();
    if let (Some(slope), Some(error)) = (c.slope, c.slope_error) {
        parts.push(format!("measured {slope:.2} ±{error:.2} for each 1 predicted"));
    }
    if let Some(coverage) = c.coverage {
        parts.push(format!("{:.0} % within two stated deviations", 100.0 * coverage));
    }
    if let (Some(brier), Some(share)) = (c.brier, c.brier_of_share) {
        parts.push(format!("Brier score {brier:.3} (always saying the share kept: {share:.3})"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn near(lessons: &Lessons) -> Vec<String> {
    let line = |m: &super::NearMiss| {
        let due = if m.is_due(lessons.version) { ", now" } else { "" };
        format!("{} {}: {} ({} at version {}{due})", m.proposal, m.title, m.effect, m.fate, m.version.0)
    };
    lessons.near_misses.iter().map(line).collect()
}

fn signs(lessons: &Lessons) -> Vec<String> {
    let line = |c: &super::SignChange| {
        let ((before, then), (after, now)) = (c.before, c.after);
        format!("{}: {before:+.4} at version {}, {after:+.4} at version {}", c.title, then.0, now.0)
    };
    lessons.sign_changes.iter().map(line).collect()
}
