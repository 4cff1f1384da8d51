//! Every function against values that other packages produced; `tests/data/statistics.json` names them.

use autoresearch_core::stats::{
    ELond, TTestE, clustered_se, half_normal_log_e, log_likelihood_ratio, paired_t, student_cdf, student_sf,
    welch,
};
use serde_json::Value;

/// A field of a vector that is one number.
fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {object}"))
}

/// A field of a vector that is a list of numbers.
fn list(object: &Value, key: &str) -> Vec<f64> {
    let items = object[key].as_array().unwrap_or_else(|| panic!("no list {key} in {object}"));
    items.iter().map(|item| item.as_f64().unwrap_or_else(|| panic!("{item} in {key} is no number"))).collect()
}

fn close(statistic: &str, what: &str, got: f64, expected: f64) {
    let error = (got - expected).abs() / expected.abs().max(1e-300);
    assert!(error <= 1e-8, "{statistic}, {what}: {got} instead of {expected} (relative error {error:.1e})");
}

/// Compares each expected field with what `got` returns for it.
fn check(vector: &Value, got: impl Fn(&str) -> f64) {
    let statistic = vector["statistic"].as_str().unwrap_or("?");
    for (key, expected) in vector["expected"].as_object().expect("expected values") {
        close(statistic, key, got(key), expected.as_f64().expect("a number"));
    }
}

fn shifted(values: &[f64], by: f64) -> Vec<f64> {
    values.iter().map(|value| value + by).collect()
}

fn check_vector(vector: &Value) -> bool {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    let statistic = vector["statistic"].as_str().expect("a name");
    match statistic {
        "welch_t" => {
            let test = welch(&list(input, "a"), &list(input, "b"));
            check(vector, |key| match key {
                "t" => test.t,
                "df" => test.df,
                "p_less" => test.p,
                "p_greater" => test.p_greater(),
                "p_two-sided" => test.p_two_sided(),
                "ci95_low" => test.interval(0.95).0,
                "ci95_high" => test.interval(0.95).1,
                _ => panic!("unknown field {key}"),
            });
        }
        "paired_t" => {
            let test = paired_t(&list(input, "a"), &list(input, "b")).expect("equal lengths");
            check(vector, |key| match key {
                "t" => test.t,
                "df" => test.df,
                "p_less" => test.p,
                "p_greater" => test.p_greater(),
                "p_two-sided" => test.p_two_sided(),
                "ci95_low" => test.interval(0.95).0,
                "ci95_high" => test.interval(0.95).1,
                _ => panic!("unknown field {key}"),
            });
        }
        "student_pooled_t" => {
            let (t, df) = (number(expected, "t"), number(expected, "df"));
            let p = 2.0 * student_cdf(t, df).min(student_sf(t, df));
            close(statistic, "p", p, number(expected, "p_two_sided"));
        }
        // Two one-sided tests are the ordinary ones against a shifted reference.
        "tost_paired" => {
            let (a, b) = (list(input, "a"), list(input, "b"));
            let low = paired_t(&a, &shifted(&b, number(input, "low"))).expect("equal lengths");
            let upp = paired_t(&a, &shifted(&b, number(input, "upp"))).expect("equal lengths");
            check(vector, |key| match key {
                "t_low" => low.t,
                "p_low" => low.p_greater(),
                "t_upp" => upp.t,
                "p_upp" => upp.p,
                "p" => low.p_greater().max(upp.p),
                _ => panic!("unknown field {key}"),
            });
        }
        "tost_welch" => {
            let (a, b) = (list(input, "a"), list(input, "b"));
            let low = welch(&a, &shifted(&b, number(input, "low")));
            let upp = welch(&a, &shifted(&b, number(input, "upp")));
            check(vector, |key| match key {
                "t_low" => low.t,
                "p_low" => low.p_greater(),
                "t_upp" => upp.t,
                "p_upp" => upp.p,
                "df" => low.df,
                "p" => low.p_greater().max(upp.p),
                _ => panic!("unknown field {key}"),
            });
        }
        "one_sample_t_margin" => {
            let d = list(input, "d");
            let test = paired_t(&d, &vec![number(input, "margin"); d.len()]).expect("equal lengths");
            check(vector, |key| match key {
                "t" => test.t,
                "df" => test.df,
                "p_greater" => test.p_greater(),
                _ => panic!("unknown field {key}"),
            });
        }
        "speedrun_one_sample_t" => {
            let x = list(input, "x");
            let test = paired_t(&x, &vec![number(input, "mu0"); x.len()]).expect("equal lengths");
            close(statistic, "t", test.t, number(expected, "t"));
            close(statistic, "p", test.p, number(expected, "p_less"));
        }
        "clustered_se_of_mean" => {
            let d = list(input, "d");
            let clusters: Vec<u64> = list(input, "cluster").into_iter().map(|id| id as u64).collect();
            let clustered = clustered_se(&d, None, Some(&clusters)).expect("valid input");
            let naive = clustered_se(&d, None, None).expect("valid input");
            check(vector, |key| match key {
                "mean" => clustered.mean,
                "se_no_correction" => clustered.se.expect("four clusters"),
                "se_small_sample_correction" => clustered.se_corrected().expect("four clusters"),
                "se_iid" => naive.se_corrected().expect("ten values"),
                _ => panic!("unknown field {key}"),
            });
        }
        "t_eprocess_calibrated" => {
            let mut test = TTestE::new(number(input, "SS0"), number(input, "nu0"))
                .and_then(|test| test.kappa(number(input, "kappa")))
                .expect("valid parameters");
            let path = list(expected, "e_one_sided_path");
            for (d, e) in list(input, "d").into_iter().zip(path) {
                test.push(d);
                close(statistic, "path", test.log_e().exp(), e);
            }
            close(statistic, "one-sided", test.log_e().exp(), number(expected, "e_one_sided"));
            close(statistic, "quadrature", test.log_e().exp(), number(expected, "quadrature_check"));
            close(statistic, "two-sided", test.log_e_two_sided().exp(), number(expected, "e_two_sided"));
        }
        "two_component_eprocess" => {
            let w = number(input, "var_doc") + number(input, "var_pair") / number(input, "n_pairs");
            let log_e = half_normal_log_e(number(input, "mean_diff"), w, number(input, "tau2"));
            close(statistic, "log_e", log_e, number(expected, "log_e"));
            close(statistic, "e", log_e.exp(), number(expected, "e"));
        }
        "sprt_llr" => {
            let x = list(input, "x");
            let variance = number(input, "sigma").powi(2);
            let llr = log_likelihood_ratio(x.iter().sum(), x.len() as u64, number(input, "theta1"), variance);
            close(statistic, "llr", llr, number(expected, "llr"));
        }
        "e_lond_telescoping" => {
            let levels = ELond::new(number(input, "alpha"), number(input, "h")).expect("valid parameters");
            let (a, g, reject) =
                (list(expected, "alpha_i"), list(expected, "gamma"), list(expected, "reject"));
            let mut accepted = 0;
            for (i, e) in list(input, "e").into_iter().enumerate() {
                let t = i as u64 + 1;
                close(statistic, "gamma", levels.weight(t), g[i]);
                close(statistic, "alpha_i", levels.level(t, accepted), a[i]);
                let accept = e.ln() >= levels.log_threshold(t, accepted);
                assert_eq!(accept, reject[i] == 1.0, "test {t}");
                accepted += u64::from(accept);
            }
        }
        _ => return false,
    }
    true
}

#[test]
fn all_vectors() {
    let data: Value = serde_json::from_str(include_str!("data/statistics.json")).expect("valid JSON");
    let vectors = data["vectors"].as_array().expect("a list of vectors");
    assert_eq!(vectors.len(), 18);
    for vector in vectors {
        assert!(check_vector(vector), "no check for {}", vector["statistic"]);
    }
}
