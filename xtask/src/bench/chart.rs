//! The charts of the page.
use super::chart_svg::{Anchor, Axis, Look, Shape, Svg, ticks};
use super::page_cells::{Key, Outcomes, WORLDS, place, policies};
use super::page_tables::grouped;
use anyhow::Result;

/// Each policy looks the same in all charts.
fn look(policy: &str) -> Look {
    let (colour, shape) = match policy {
        "scout" => ("#2a9d5c", Shape::Triangle),
        "factorial31" => ("#9a6fd4", Shape::Diamond),
        "factorial" => ("#c46fb8", Shape::Diamond),
        "guarded" => ("#3f86d8", Shape::Square),
        "greedy-fixed-seed" => ("#d98324", Shape::Cross),
        _ => ("#8a8a8a", Shape::Circle),
    };
    Look { colour, shape }
}

/// Names the policies, from `x` on.
fn legend(svg: &mut Svg, (mut x, y): (f64, f64), named: &[&str]) {
    for name in policies(named) {
        svg.point((x, y - 4.0), look(name));
        svg.text((x + 9.0, y), Anchor::Start, 12, name);
        x += 34.0 + 7.0 * name.len() as f64;
    }
}

/// A point with its standard error.
fn point(svg: &mut Svg, axis: Axis, (value, se): (f64, f64), y: f64, look: Look) {
    svg.curve(&[(axis.at(value - se), y), (axis.at(value + se), y)], look, 1.5);
    svg.point((axis.at(value), y), look);
}

const ROW: f64 = 26.0;
const TOP: f64 = 78.0;

/// Rows with their labels, from [`TOP`] on, and vertical rules at these values of each panel's axis.
fn rows(svg: &mut Svg, labels: &[&str], panels: &[Axis], marks: &[(f64, String)]) {
    let bottom = TOP + ROW * labels.len() as f64;
    for axis in panels {
        for (value, label) in marks {
            svg.rule((axis.at(*value), TOP), (axis.at(*value), bottom), 0.35, false);
            svg.text((axis.at(*value), bottom + 16.0), Anchor::Middle, 11, label);
        }
    }
    for (i, label) in labels.iter().enumerate() {
        let y = TOP + ROW * (i as f64 + 0.5);
        svg.text((panels[0].places.0 - 12.0, y + 4.0), Anchor::End, 12, label);
        for axis in panels {
            svg.rule((axis.places.0, y), (axis.places.1, y), 0.15, false);
        }
    }
}

/// True gain of each world as a multiple of keep-if-better's, a panel for each number of runs.
pub(super) fn gain_by_world(
    outcomes: &Outcomes,
    named: &[&str],
    worlds: &[&str],
    budgets: &[u64],
) -> Result<String> {
    let (width, height) = (920.0, TOP + ROW * worlds.len() as f64 + 50.0);
    let places: Vec<usize> = worlds.iter().map(|id| place(id)).collect::<Result<_>>()?;
    let labels: Vec<&str> = places.iter().map(|world| WORLDS[*world].label).collect();
    let panel = |i: usize| {
        let (left, each) = (190.0, (width - 190.0 - 20.0) / budgets.len() as f64);
        let from = left + each * i as f64;
        Axis { values: (0.01, 10.0), places: (from, from + each - 40.0), logarithmic: true }
    };
    let panels: Vec<Axis> = (0..budgets.len()).map(panel).collect();
    let mut svg = Svg::new(
        width,
        height,
        "True gain by world, as a multiple of keep-if-better's",
        "For each simulated world and number of runs, the true gain of each policy divided by that of greedy. Right of \
         1 is ahead of greedy. Logarithmic; values outside are drawn on the edge. Bars: one standard error.",
    );
    svg.text((20.0, 22.0), Anchor::Start, 14, "True gain as a multiple of greedy's, ± one standard error");
    legend(&mut svg, (24.0, 46.0), named);
    let marks = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0].map(|x: f64| (x, x.to_string()));
    rows(&mut svg, &labels, &panels, &marks);
    let bottom = TOP + ROW * worlds.len() as f64;
    for (axis, &runs) in panels.iter().zip(budgets) {
        let middle = (axis.places.0 + axis.places.1) / 2.0;
        svg.text((middle, TOP - 10.0), Anchor::Middle, 12, &format!("{} runs", grouped(runs)));
        svg.rule((axis.at(1.0), TOP), (axis.at(1.0), bottom), 0.9, true);
        for (i, &world) in places.iter().enumerate() {
            let yardstick = Key { world, runs, policy: "greedy" };
            let names = policies(named);
            let step = 16.0 / names.len() as f64;
            for (j, policy) in names.iter().enumerate() {
                let y = TOP + ROW * (i as f64 + 0.5) + step * (j as f64 - (names.len() as f64 - 1.0) / 2.0);
                let ratio = outcomes.compare(Key { policy, ..yardstick }, yardstick)?.ratio;
                point(&mut svg, *axis, (ratio.mean, ratio.se), y, look(policy));
            }
        }
    }
    Ok(svg.finish())
}

/// Junk among what was kept, a row for each policy and a panel for each world.
pub(super) fn junk_by_policy(outcomes: &Outcomes, worlds: &[&str], runs: u64) -> Result<String> {
    let names = policies(&[]);
    let width = 920.0;
    let panel = |i: usize| {
        let (left, each) = (150.0, (width - 150.0 - 15.0) / worlds.len() as f64);
        let from = left + each * i as f64;
        Axis { values: (0.0, 1.0), places: (from, from + each - 30.0), logarithmic: false }
    };
    let panels: Vec<Axis> = (0..worlds.len()).map(panel).collect();
    let bottom = TOP + ROW * names.len() as f64;
    let mut svg = Svg::new(
        width,
        bottom + 40.0,
        "Junk among what each policy keeps",
        "For each policy, the share of kept proposals whose removal from the final set would lose nothing, averaged \
         over repetitions. The dashed line is at .10. Bars: one standard error.",
    );
    let heading = format!("Share of junk among what is kept, {} runs, ± one standard error", grouped(runs));
    svg.text((20.0, 22.0), Anchor::Start, 14, &heading);
    svg.text((20.0, 44.0), Anchor::Start, 12, "dashed: .10, the promise of guarded, factorial and scout");
    let marks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|x: f64| (x, x.to_string()));
    rows(&mut svg, &names, &panels, &marks);
    for (axis, id) in panels.iter().zip(worlds) {
        let world = place(id)?;
        let middle = (axis.places.0 + axis.places.1) / 2.0;
        svg.text((middle, TOP - 10.0), Anchor::Middle, 12, WORLDS[world].label);
        svg.rule((axis.at(0.1), TOP), (axis.at(0.1), bottom), 0.9, true);
        for (i, policy) in names.iter().enumerate() {
            let fdr = outcomes.get(Key { world, runs, policy }, "fdr")?;
            point(&mut svg, *axis, (fdr.mean, fdr.se), TOP + ROW * (i as f64 + 0.5), look(policy));
        }
    }
    Ok(svg.finish())
}

/// A policy's number of runs, gain and standard error of it.
struct Curve {
    policy: &'static str,
    gains: Vec<(u64, f64, f64)>,
}

/// True gain over the number of runs, a panel for each world.
pub(super) fn gain_over_runs(
    outcomes: &Outcomes,
    named: &[&str],
    worlds: &[&str],
    budgets: &[u64],
) -> Result<String> {
    let (width, height, bottom) = (920.0, 420.0, 360.0);
    let mut svg = Svg::new(
        width,
        height,
        "True gain over the number of runs",
        "For each policy, the true gain of what it stands behind when it may make so many runs, in standard deviations \
         of one run. Bars: one standard error.",
    );
    svg.text((20.0, 22.0), Anchor::Start, 14, "True gain in sigma by number of runs, ± one standard error");
    legend(&mut svg, (24.0, 46.0), named);
    let each = (width - 40.0) / worlds.len() as f64;
    let most_runs = budgets.iter().copied().max().unwrap_or(1) as f64;
    for (i, id) in worlds.iter().enumerate() {
        let world = place(id)?;
        let (left, right) = (20.0 + each * i as f64 + 40.0, 20.0 + each * (i as f64 + 1.0) - 20.0);
        let x = Axis { values: (0.0, most_runs), places: (left, right), logarithmic: false };
        let gains = |policy| {
            let of = |runs: &u64| {
                let gain = outcomes.get(Key { world, runs: *runs, policy }, "true_gain")?;
                anyhow::Ok((*runs, gain.mean, gain.se))
            };
            budgets.iter().map(of).collect::<Result<Vec<_>>>()
        };
        let curve = |policy| Ok(Curve { policy, gains: gains(policy)? });
        let all: Vec<Curve> = policies(named).into_iter().map(curve).collect::<Result<_>>()?;
        let marks =
            ticks(all.iter().flat_map(|c| &c.gains).map(|(_, gain, se)| gain + se).fold(0.0, f64::max));
        let top = marks.last().copied().unwrap_or(1.0);
        let y = Axis { values: (0.0, top), places: (bottom, TOP + 6.0), logarithmic: false };
        svg.text(((left + right) / 2.0, TOP - 10.0), Anchor::Middle, 12, WORLDS[world].label);
        for mark in marks {
            svg.rule((left, y.at(mark)), (right, y.at(mark)), 0.25, false);
            svg.text((left - 6.0, y.at(mark) + 4.0), Anchor::End, 11, &mark.to_string());
        }
        for &runs in budgets {
            let at = x.at(runs as f64);
            svg.rule((at, bottom), (at, bottom + 4.0), 0.8, false);
            svg.text((at, bottom + 18.0), Anchor::Middle, 11, &grouped(runs));
        }
        svg.text(((left + right) / 2.0, bottom + 38.0), Anchor::Middle, 12, "runs");
        for Curve { policy, gains } in all {
            let look = look(policy);
            let points: Vec<(f64, f64)> = gains.iter().map(|(r, g, _)| (x.at(*r as f64), y.at(*g))).collect();
            svg.curve(&points, look, 1.5);
            for (&(runs, gain, se), &place) in gains.iter().zip(&points) {
                let at = x.at(runs as f64);
                svg.curve(&[(at, y.at(gain - se)), (at, y.at(gain + se))], look, 1.5);
                svg.point(place, look);
            }
        }
    }
    Ok(svg.finish())
}
