//! The result in words: a table, and a paragraph that says what may be claimed.

use super::result::{Certified, CertifiedPart, Total, Verdict};
use crate::propose::Effect;
use std::fmt;

/// Fewer parts than this rarely show a rank correlation that is there.
const FEW: usize = 10;
/// Below this ratio of endpoint to claims something is wrong with the claims.
const CURSED: f64 = 0.7;

impl<C> Certified<C> {
    /// What may be claimed, in a plain paragraph.
    pub fn paragraph(&self) -> String {
        let mut said = Vec::new();
        if self.parts.is_empty() {
            said.push("The study kept nothing, so there is nothing to certify: the origin stands.".into());
            return said.concat();
        }
        said.push(self.claim_in_words());
        said.extend(self.parts_in_words());
        said.extend(self.ratio_in_words());
        said.extend(self.time_in_words());
        said.extend(self.transfer_in_words());
        said.push(format!("All numbers are from {} on fresh seeds; ", self.split));
        said.push("intervals are over seeds, not over the documents or cases that were measured.".into());
        if self.split == "validation" {
            let warning =
                " The search has mined this split: what was gained by fitting it is still in there.";
            said.push(warning.into());
        }
        if self.split == "holdout" {
            let warning = " With them the holdout has been seen: a study that goes on after this needs a fresh holdout \
                           or shard.";
            said.push(warning.into());
        }
        if !self.complete {
            said.push(format!(
                " The certification is not finished ({}); resume it from its store.",
                self.stopped
            ));
        }
        said.concat()
    }

    fn claim_in_words(&self) -> String {
        let kept = |total: &Total| {
            let Total { pairs, gain, .. } = total;
            format!(
                "Everything that was kept gains {}, measured on {pairs} pairs of fresh runs. ",
                range(gain)
            )
        };
        match (&self.claim, &self.kept) {
            (Some(claim), _) => {
                let standing = self.parts.iter().filter(|part| part.verdict.stands()).count();
                let what = match (standing, self.parts.len()) {
                    (standing, all) if standing < all => format!("What stands, {standing} of {all} parts,"),
                    (1, _) => "The one part that was kept".into(),
                    (all, _) => format!("The kept stack of {all} parts"),
                };
                let how = match self.rate {
                    _ if standing < self.parts.len() => " that had no say in what was dropped",
                    Some(_) if self.parts.len() > 1 => ", on which the parts' verdicts rest too",
                    _ => "",
                };
                let verb = match (claim.gain.low, claim.gain.high) {
                    (Some(low), _) if low > 0.0 => "is better than the origin by",
                    (_, Some(high)) if high < 0.0 => "is worse than the origin, with a gain of",
                    (Some(_), Some(_)) => "is not shown to differ from the origin, with a gain of",
                    _ => "was measured too seldom to say more than a mean gain of",
                };
                let pairs = claim.pairs;
                format!("{what} {verb} {}, on {pairs} pairs of fresh runs{how}. ", range(&claim.gain))
            }
            (None, Some(total)) if self.complete => {
                format!("No part was shown to earn its place, so no part is claimed. {}", kept(total))
            }
            (None, Some(total)) => kept(total),
            (None, None) if self.complete => {
                "No total can be stated: too few runs of origin and kept stack gave a number. ".into()
            }
            (None, None) => "No total has been measured yet. ".into(),
        }
    }

    fn parts_in_words(&self) -> Option<String> {
        let rate = self.rate?;
        let count = |verdict| self.with(verdict).count();
        let open = |part: &CertifiedPart| matches!(part.verdict, Verdict::Untested | Verdict::Inseparable);
        if !self.complete && self.parts.iter().all(open) {
            return Some("Nothing can be said yet of single parts. ".into());
        }
        let (earns, not_shown, dropped, stuck) = (
            count(Verdict::Earns),
            count(Verdict::NotShown),
            count(Verdict::Dropped),
            count(Verdict::Inseparable),
        );
        let mut text = format!(
            "Left out of the stack one at a time or a few at a time, {earns} of {} parts were shown to help beside the \
             rest (at most {:.0} % of these in expectation do not); ",
            self.parts.len(),
            100.0 * rate
        );
        text += &match (not_shown, dropped) {
            (0, 0) => "none was taken out. ".to_string(),
            (n, 0) => format!("{n} may help, which was not shown, and were taken out. "),
            (0, d) => format!("{d} were dropped, since nothing speaks for them. "),
            (n, d) => format!(
                "{n} may help, which was not shown, and {d} have nothing that speaks for them: all were taken out. "
            ),
        };
        if stuck > 0 {
            text += &format!("{stuck} cannot be left out, and are claimed only as part of the total. ");
        }
        Some(text)
    }

    fn ratio_in_words(&self) -> Option<String> {
        if self.unclaimed > 0 {
            return Some(format!(
                "What was claimed when edits were kept does not add up: {} of them have no recorded effect. ",
                self.unclaimed
            ));
        }
        let ratio = self.ratio?;
        let source =
            if self.claimed_fresh { "" } else { ", some of them from the very runs that selected the edit" };
        let meaning = if ratio < CURSED {
            "the claims were too high, by the winner's curse or because edits do the same thing twice"
        } else if ratio > 1.0 / CURSED {
            "together the edits do more than was claimed for each"
        } else {
            "about what the claims add up to"
        };
        Some(format!(
            "Kept edits had claimed {:+.4} in all{source}; the kept stack realises {:.0} % of that: {meaning}. ",
            self.claimed,
            100.0 * ratio
        ))
    }

    fn time_in_words(&self) -> Option<String> {
        let time = self.claim.as_ref().or(self.kept.as_ref())?.time?;
        Some(format!("With it {time}. "))
    }

    fn transfer_in_words(&self) -> Option<String> {
        let transfer = self.transfer.as_ref()?;
        let mut text = match &transfer.total {
            Some(total) => {
                let time = total.time.map(|time| format!("; with it {time}")).unwrap_or_default();
                format!("At {} what stands gains {}{time}", transfer.fidelity, range(&total.gain))
            }
            None => format!("At {} no total was measured", transfer.fidelity),
        };
        text += &match transfer.tau {
            Some(tau) => {
                let how = if transfer.exact { "exact" } else { "normal approximation" };
                let n = transfer.parts;
                let weak = if n < FEW { ", which is little to go by below 10 parts" } else { "" };
                format!(
                    "; the parts' effects here and there rank with Kendall's tau {tau:+.2} (one-sided p {}, {how}, {n} parts{weak}). ",
                    p_value(transfer.p, "= ", "< ")
                )
            }
            None if self.parts.len() < 2 => "; a single part has no ranking. ".into(),
            None if transfer.parts < 2 => format!(
                "; {} of {} parts have an effect both here and there, too few to rank. ",
                transfer.parts,
                self.parts.len()
            ),
            None => "; the parts' effects are all alike there or here, so that they have no ranking. ".into(),
        };
        Some(text)
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, part: &CertifiedPart, width: usize) -> fmt::Result {
        let edits = match &part.edits[..] {
            [first, .., last] if part.edits.len() > 2 => format!("{first}..{last} ({})", part.edits.len()),
            few => few.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        let claimed = part.claimed.map_or_else(|| "-".into(), |claimed| format!("{claimed:+.4}"));
        let effect = part.effect.map_or_else(|| "-".into(), |effect| effect.to_string());
        let p = part.p.map_or_else(|| "-".into(), |p| p_value(p, "", "<"));
        let title: String = part.title.chars().take(width).collect();
        write!(f, "  {:<8} {title:<width$}  {claimed:>8}  {effect:<28} {p:>6}  {}", edits, part.verdict)?;
        match &part.elsewhere {
            Some(effect) => writeln!(f, "; elsewhere {effect}"),
            None => writeln!(f),
        }
    }
}

/// Never as zero.
fn p_value(p: f64, is: &str, below: &str) -> String {
    if p < 0.001 { format!("{below}0.001") } else { format!("{is}{p:.3}") }
}

fn range(effect: &Effect) -> String {
    match (effect.low, effect.high) {
        (Some(low), Some(high)) => {
            format!("{:+.4} ({:.0} % interval {low:+.4} to {high:+.4})", effect.mean, 100.0 * effect.level)
        }
        _ => format!("{:+.4} (no interval)", effect.mean),
    }
}

impl<C> fmt::Display for Certified<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Certification of study {} ({}).", self.study, self.policy)?;
        if !self.parts.is_empty() {
            let longest = self.parts.iter().map(|part| part.title.chars().count()).max();
            let width = longest.unwrap_or(0).clamp(5, 48);
            let (what, loss) = ("part", "lost without it [95 %]");
            writeln!(f, "  {:<8} {what:<width$}  {:>8}  {loss:<28} {:>6}  verdict", "edits", "claimed", "p")?;
            self.parts.iter().try_for_each(|part| self.row(f, part, width))?;
            for (name, total) in [("kept", &self.kept), ("stands", &self.claim)] {
                let Some(Total { pairs, origin, now, gain, .. }) = total else { continue };
                writeln!(f, "  {name}: {origin:.4} -> {now:.4}, {gain}, {pairs} pairs")?;
            }
            let cost = &self.cost;
            write!(f, "  runs: {} for totals, {} for parts", cost.totals, cost.parts)?;
            if cost.transfer > 0 {
                write!(f, ", {} at the other fidelity", cost.transfer)?;
            }
            writeln!(f)?;
        }
        writeln!(f, "{}", self.paragraph())
    }
}
