//! Laws of two-level designs, of least squares on them, and of their e-values.

use autoresearch_core::stats::{fold_over, two_level_design};

const ORDERS: [usize; 16] = [2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 128];

fn signs(on: &[Vec<bool>], j: usize) -> Vec<i32> {
    on.iter().map(|run| if run[j] { 1 } else { -1 }).collect()
}

#[test]
fn designs_are_balanced_and_orthogonal() {
    for runs in ORDERS {
        for seed in 0..3 {
            let on = two_level_design(runs - 1, runs, seed).expect("a design");
            assert!(on.len() == runs && on.iter().all(|run| run.len() == runs - 1));
            let columns: Vec<_> = (0..runs - 1).map(|j| signs(&on, j)).collect();
            for (j, a) in columns.iter().enumerate() {
                assert_eq!(a.iter().sum::<i32>(), 0, "{runs} runs, factor {j}");
                for b in &columns[..j] {
                    assert_eq!(
                        a.iter().zip(b).map(|(a, b)| a * b).sum::<i32>(),
                        0,
                        "{runs} runs, factor {j}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_fold_over_clears_main_effects_of_two_factor_interactions() {
    for runs in [8, 12, 16, 20, 28] {
        let mut on = two_level_design(runs - 1, runs, 5).expect("a design");
        on.extend(fold_over(&on));
        let columns: Vec<_> = (0..runs - 1).map(|j| signs(&on, j)).collect();
        for a in 0..columns.len() {
            for b in 0..a {
                for c in 0..columns.len() {
                    let alias: i32 =
                        (0..on.len()).map(|i| columns[a][i] * columns[b][i] * columns[c][i]).sum();
                    assert_eq!(alias, 0, "{runs} runs: {a}·{b} on {c}");
                }
            }
        }
    }
}

#[test]
fn the_seed_decides_and_nothing_else() {
    for runs in ORDERS.into_iter().filter(|&runs| runs >= 8) {
        let design = |seed| two_level_design(runs - 2, runs, seed).expect("a design");
        assert_eq!(design(3), design(3));
        assert_ne!(design(3), design(4));
    }
}

#[test]
fn what_does_not_exist_is_an_error() {
    for (factors, runs) in [(8, 8), (1, 0), (1, 1), (2, 6), (5, 52), (1, 1 << 13), (usize::MAX, 4)] {
        assert!(two_level_design(factors, runs, 0).is_err(), "{factors} factors in {runs} runs");
    }
    assert!(two_level_design(0, 4, 0).is_ok_and(|on| on == vec![Vec::<bool>::new(); 4]));
}
