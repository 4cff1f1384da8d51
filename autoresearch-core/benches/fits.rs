//! What one look at the regressions costs.

use autoresearch_core::stats::{
    AdditiveRidge, Design, PHI, Setting, coefficient_log_e, ridge, two_level_design,
};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const FACTORS: usize = 63;
const RUNS: usize = 64;
const KEYS: usize = 35;
const VALUES: usize = 4;
const STUDY: usize = 400;

/// Any numbers between -1 and 1.
fn number(i: usize) -> f64 {
    (i as f64 * 12.9898 + 1.0).sin()
}

/// A look at a whole certificate or cohort: the design, its fit, and the e-value of every factor. With 64 runs the design
/// is saturated, with 128 (the same and its fold-over) it is not.
fn regression(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("regression, 63 factors");
    for runs in [RUNS, 2 * RUNS] {
        let on = two_level_design(FACTORS, runs, 7).expect("a power of two");
        let (blocks, scores) = (vec![0; runs], (0..runs).map(number).collect::<Vec<_>>());
        group.bench_function(format!("{runs} runs"), |bencher| {
            bencher.iter(|| {
                let design = Design::new(black_box(&on), &blocks).expect("runs");
                let fit = design.fit(&scores).expect("scores");
                let log_e = |j| {
                    let s = design.information(j).expect("orthogonal");
                    coefficient_log_e(fit.coefficients[j], s, fit.rss + 7.0, fit.df + 7.0, PHI)
                };
                (0..FACTORS).map(log_e).sum::<f64>()
            });
        });
        group.bench_function(format!("ridge ranking, {runs} runs"), |bencher| {
            bencher.iter(|| ridge(black_box(&on), &scores, 0.25).expect("scores"));
        });
    }
    group.finish();
}

fn additive(criterion: &mut Criterion) {
    let mut model = AdditiveRidge::new();
    let base = Setting::Place(0.5);
    let values: Vec<Vec<usize>> = (0..KEYS)
        .map(|key| {
            let place = |value: usize| Setting::Place((value as f64 + 0.5) / VALUES as f64);
            (0..VALUES).map(|value| model.value(&format!("key {key}"), &base, &place(value))).collect()
        })
        .collect();
    let run = |i: usize| -> Vec<usize> {
        (0..KEYS)
            .filter(|key| (i * 31 + key * 17) % 5 < 2)
            .map(|key| values[key][(i + key) % VALUES])
            .collect()
    };
    (0..STUDY).for_each(|i| model.add(&run(i), number(i)));

    let mut group = criterion.benchmark_group("additive ridge, 35 keys of 4 values, 400 runs");
    group.bench_function("posterior", |bencher| bencher.iter(|| black_box(&model).posterior(1.0, 0.5)));
    let posterior = model.posterior(1.0, 0.5);
    group.bench_function("difference of two values", |bencher| {
        bencher.iter(|| posterior.difference(Some(black_box(values[3][1])), Some(values[3][2])));
    });
    let one = run(STUDY);
    group.bench_function("adding a run", |bencher| bencher.iter(|| model.add(black_box(&one), 0.5)));
    group.finish();
}

criterion_group!(benches, regression, additive);
criterion_main!(benches);
