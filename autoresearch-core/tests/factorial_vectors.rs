//! Least squares, e-values, p-values and ridge regression, number by number, against `tests/data/factorial.json`.

use autoresearch_core::stats::{
    Design, ELond, coefficient_log_e, coefficient_log_e_two_sided, holdout_p_value, mean, ridge,
};
use serde_json::Value;

/// A number, which the file may hold as text.
fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("no number: {value}"))
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn close(what: &str, got: f64, expected: f64) {
    let error = (got - expected).abs() / expected.abs().max(1e-300);
    assert!(error <= 1e-8, "{what}: {got} instead of {expected} (relative error {error:.1e})");
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/factorial.json")).expect("JSON")
}

#[test]
fn the_coefficients_and_their_tests_are_reproduced() {
    for case in vectors()["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let on: Vec<Vec<bool>> = case["on"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| list(row).into_iter().map(|x| x == 1.0).collect())
            .collect();
        let blocks: Vec<u32> = list(&case["block"]).into_iter().map(|b| b as u32).collect();
        let design = Design::new(&on, &blocks).expect("a design");
        let y = list(&case["y"]);
        let fit = design.fit(&y).expect("a fit");
        let guard = design.fit(&list(&case["g"])).expect("a fit");
        assert_eq!(design.runs() as f64, number(&case["n"]), "{name}");
        assert_eq!(design.runs() as f64 - fit.df, number(&case["p"]), "{name}");
        assert_eq!(fit.df, number(&case["nu"]), "{name}");
        close(&format!("{name}, rss"), fit.rss, number(&case["rss"]));
        let (ss, df) = (fit.rss + number(&case["SS0"]), fit.df + number(&case["nu0"]));
        close(&format!("{name}, sigma2"), ss / df, number(&case["sigma2"]));
        for (b, expected) in list(&case["block_intercepts"]).into_iter().enumerate() {
            let effect = |i: usize| -> f64 {
                (0..design.factors()).filter(|&j| on[i][j]).map(|j| fit.coefficients[j]).sum()
            };
            let rest: Vec<f64> =
                (0..y.len()).filter(|&i| blocks[i] == b as u32).map(|i| y[i] - effect(i)).collect();
            close(&format!("{name}, intercept {b}"), mean(&rest), expected);
        }
        let sigma_v = number(&case["sigma_v_guard"]);
        for factor in case["factors"].as_array().expect("factors") {
            let j = number(&factor["j"]) as usize;
            let (beta, s) = (fit.coefficients[j], design.information(j).expect("estimable"));
            let check =
                |key: &str, got: f64| close(&format!("{name}, {j}, {key}"), got, number(&factor[key]));
            check("beta", beta);
            check("s", s);
            check("t", beta * (s * df / ss).sqrt());
            let phi = number(&case["phi"]);
            let log_e = coefficient_log_e(beta, s, ss, df, phi);
            check("log_e", log_e);
            check("e", log_e.exp());
            check("log_e_two_sided", coefficient_log_e_two_sided(beta, s, ss, df, phi));
            let se = (sigma_v * sigma_v + ss / df / s).sqrt();
            let p = holdout_p_value(guard.coefficients[j], se, df);
            check("guard_beta", guard.coefficients[j]);
            check("guard_se", se);
            check("guard_p", p);
            let level = number(&factor["level"]);
            let effect = (ss / df).sqrt();
            let futile = s * (effect * beta - effect * effect / 2.0) / (ss / df) <= 0.2_f64.ln();
            let decision = match log_e >= (1.0 / level).ln() {
                true if p <= level => "keep",
                true => "drop_guard",
                false if futile => "drop_futility",
                false => "continue",
            };
            assert_eq!(decision, factor["decision"], "{name}, {j}");
        }
    }
}

#[test]
fn the_levels_are_reproduced() {
    for case in vectors()["elond_levels"].as_array().expect("cases") {
        let levels = ELond::new(number(&case["alpha"]), number(&case["h"])).expect("levels");
        let level = levels.level(number(&case["t"]) as u64, number(&case["R"]) as u64);
        close("level", level, number(&case["level"]));
    }
}

#[test]
fn the_ranking_is_reproduced() {
    for case in vectors()["stageA_ridge"].as_array().expect("cases") {
        // Sylvester's matrix: the sign of row i and column j is the parity of i & j.
        let order =
            case["y"].as_array().expect("y").len() + case["removed_rows"].as_array().expect("rows").len();
        let removed = list(&case["removed_rows"]);
        let kept = (0..order).filter(|&i| !removed.contains(&(i as f64)));
        let on: Vec<Vec<bool>> =
            kept.map(|i| (1..order).map(|j| (i & j).count_ones() % 2 == 0).collect()).collect();
        let b = ridge(&on, &list(&case["y"]), number(&case["lam"])).expect("a fit");
        for (j, expected) in list(&case["beta"]).into_iter().enumerate() {
            assert!((b[j] - expected).abs() < 1e-12, "{j}: {} instead of {expected}", b[j]);
        }
        let survivors: Vec<f64> = (0..b.len()).filter(|&j| b[j] > 0.5).map(|j| j as f64).collect();
        assert_eq!(survivors, list(&case["survivors_at_0p5_sigma1"]));
    }
}
