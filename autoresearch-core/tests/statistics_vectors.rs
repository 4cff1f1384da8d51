//! Every function against values that other packages produced; `tests/data/statistics.json` names them.

use autoresearch_core::stats::online::{
    Addis, AlphaInvesting, AlphaSpending, ELord, Lond, Lord, LordDependent, LordDiscard, OnlineFallback,
    OnlineRule, Saffron,
};
use autoresearch_core::stats::sequences::{
    GammaExponentialMixture, NormalMixture, PolyStitching, asymptotic_cs, asymptotic_rho, betting_martingale,
    empirical_bernstein_cs, predictable_bets,
};
use autoresearch_core::stats::{
    ELond, Ladder, Sides, TTestE, bca_full_enumeration, benjamini_hochberg, benjamini_yekutieli, bonferroni,
    clustered_se, conditional_mle, correlated_t, deflated_sharpe, e_bh, expected_max_normal,
    expected_max_normal_approx, friedman, half_normal_log_e, holm, kendall_tau, leave_one_out,
    log_likelihood_ratio, mann_whitney, mean, msprt_log_e, non_inferior_paired, non_inferior_welch,
    obrien_fleming_spending, ocba, one_sample_t, overfitting, paired_t, permutation_test, pocock_spending,
    power_paired_t, sample_size_paired_t, sample_size_two_sample_t, shapley, sigma_upper_factor, sign_flip,
    spearman, student_cdf, student_sf, tost_paired, tost_welch, welch, wilcoxon,
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
    within(1e-8, statistic, what, got, expected);
}

fn within(tolerance: f64, statistic: &str, what: &str, got: f64, expected: f64) {
    let error = (got - expected).abs() / expected.abs().max(1e-300);
    assert!(
        error <= tolerance || got == expected,
        "{statistic}, {what}: {got} instead of {expected} (relative error {error:.1e})"
    );
}

fn all_close(statistic: &str, what: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{statistic}, {what}");
    got.iter().zip(expected).for_each(|(got, expected)| close(statistic, what, *got, *expected));
}

fn rows(object: &Value, key: &str) -> Vec<Vec<f64>> {
    let items = object[key].as_array().unwrap_or_else(|| panic!("no list {key} in {object}"));
    items
        .iter()
        .map(|row| {
            row.as_array().expect("a row").iter().map(|item| item.as_f64().expect("a number")).collect()
        })
        .collect()
}

fn sides(input: &Value) -> Sides {
    match input["alternative"].as_str() {
        Some("larger") => Sides::One,
        Some("two-sided") => Sides::Two,
        other => panic!("unknown alternative {other:?}"),
    }
}

/// Compares each expected field with what `got` returns for it.
fn check(vector: &Value, got: impl Fn(&str) -> f64) {
    let statistic = vector["statistic"].as_str().unwrap_or("?");
    for (key, expected) in vector["expected"].as_object().expect("expected values") {
        close(statistic, key, got(key), expected.as_f64().expect("a number"));
    }
}

fn check_vector(vector: &Value) -> bool {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    let statistic = vector["statistic"].as_str().expect("a name");
    match statistic {
        "e_bh" => {
            let log_e: Vec<f64> = list(input, "e").iter().map(|e| e.ln()).collect();
            let kept = e_bh(&log_e, number(input, "alpha"), log_e.len());
            let expected: Vec<usize> =
                list(expected, "rejected_indices").iter().map(|i| *i as usize).collect();
            assert_eq!(kept, expected);
        }
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
        "tost_paired" | "tost_welch" => {
            let (a, b) = (list(input, "a"), list(input, "b"));
            let (low, upp) = (number(input, "low"), number(input, "upp"));
            let (test, non_inferior) = if statistic == "tost_paired" {
                (tost_paired(&a, &b, low, upp), non_inferior_paired(&a, &b, upp))
            } else {
                (tost_welch(&a, &b, low, upp), non_inferior_welch(&a, &b, upp))
            };
            let test = test.expect("valid input");
            assert_eq!(non_inferior, Ok(test.p_upp));
            check(vector, |key| match key {
                "t_low" => test.t_low,
                "p_low" => test.p_low,
                "t_upp" => test.t_upp,
                "p_upp" => test.p_upp,
                "df" => test.df,
                "p" => test.p,
                _ => panic!("unknown field {key}"),
            });
        }
        "one_sample_t_margin" => {
            let test = one_sample_t(&list(input, "d"), number(input, "margin"));
            check(vector, |key| match key {
                "t" => test.t,
                "df" => test.df,
                "p_greater" => test.p_greater(),
                _ => panic!("unknown field {key}"),
            });
        }
        "speedrun_one_sample_t" => {
            let test = one_sample_t(&list(input, "x"), number(input, "mu0"));
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
        _ => {
            return check_resampling_and_ranks(statistic, vector)
                || check_power_and_selection(statistic, vector)
                || check_sequences(statistic, vector)
                || check_online(statistic, vector);
        }
    }
    true
}

fn check_resampling_and_ranks(statistic: &str, vector: &Value) -> bool {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    match statistic {
        "wilcoxon_signed_rank" => {
            let test = wilcoxon(&list(input, "a"), &list(input, "b")).expect("equal lengths");
            assert!(test.exact);
            check(vector, |key| match key {
                "W_less" | "W_greater" => test.w_plus,
                "W_two-sided" => test.w_plus.min(test.w_minus),
                "p_exact_less" => test.p,
                "p_exact_greater" => test.p_greater(),
                "p_exact_two-sided" => test.p_two_sided(),
                "p_approx_cc_less" => test.normal_p(),
                _ => panic!("unknown field {key}"),
            });
        }
        "sign_flip_permutation_exact" => {
            let test = sign_flip(&list(input, "a"), &list(input, "b"), 0, 0).expect("equal lengths");
            assert!(test.exact);
            check(vector, |key| match key {
                "statistic" => test.difference,
                "p_less" => test.p,
                "p_greater" => test.p_greater(),
                "p_two-sided" => test.p_two_sided(),
                "n_flips" => test.flips as f64,
                _ => panic!("unknown field {key}"),
            });
        }
        "two_sample_permutation_exact" => {
            let test = permutation_test(&list(input, "a"), &list(input, "b"), 0, 0);
            assert!(test.exact);
            check(vector, |key| match key {
                "p_less" => test.p,
                "p_greater" => test.p_greater(),
                "p_two-sided" => test.p_two_sided(),
                "n_perms" => test.splits as f64,
                _ => panic!("unknown field {key}"),
            });
        }
        "mann_whitney_exact" => {
            let test = mann_whitney(&list(input, "a"), &list(input, "b"));
            assert!(test.exact);
            close(statistic, "U", test.u, number(expected, "U"));
            close(statistic, "p_less", test.p, number(expected, "p_less"));
        }
        "bca_bootstrap_full_enumeration" => {
            let bca =
                bca_full_enumeration(&list(input, "x"), mean, number(input, "level")).expect("valid input");
            check(vector, |key| match key {
                "z0" => bca.z0,
                "a" => bca.acceleration,
                "alpha_lo" => bca.levels.0,
                "alpha_hi" => bca.levels.1,
                "bca_lo" => bca.interval.0,
                "bca_hi" => bca.interval.1,
                "pct_lo" => bca.percentile.0,
                "pct_hi" => bca.percentile.1,
                _ => panic!("unknown field {key}"),
            });
        }
        "p_adjust_holm" | "p_adjust_fdr_bh" | "p_adjust_fdr_by" | "p_adjust_bonferroni" => {
            let p = list(input, "p");
            let adjusted = match statistic {
                "p_adjust_holm" => holm(&p),
                "p_adjust_fdr_bh" => benjamini_hochberg(&p),
                "p_adjust_fdr_by" => benjamini_yekutieli(&p),
                _ => bonferroni(&p),
            };
            let adjusted = adjusted.expect("p-values");
            all_close(statistic, "adjusted", &adjusted, &list(expected, "adjusted"));
        }
        "kendall_tau_b" => {
            let test = kendall_tau(&list(input, "x"), &list(input, "y")).expect("valid input");
            close(statistic, "tau", test.tau, number(expected, "tau"));
            close(statistic, "p", test.p_two_sided(), number(expected, "p_two_sided"));
        }
        "spearman" => {
            let test = spearman(&list(input, "x"), &list(input, "y")).expect("valid input");
            close(statistic, "rho", test.rho, number(expected, "rho"));
            close(statistic, "p", test.p_two_sided(), number(expected, "p"));
        }
        "friedman" => {
            let test = friedman(&rows(input, "configs")).expect("valid input");
            close(statistic, "chi2", test.chi2, number(expected, "chi2"));
            close(statistic, "p", test.p, number(expected, "p"));
        }
        _ => return false,
    }
    true
}

fn check_power_and_selection(statistic: &str, vector: &Value) -> bool {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    match statistic {
        "power_paired_t_n" | "power_two_sample_t_n" => {
            let (d, alpha, power) = (number(input, "d"), number(input, "alpha"), number(input, "power"));
            let (n, key) = if statistic == "power_paired_t_n" {
                (sample_size_paired_t(d, alpha, power, sides(input)), "n")
            } else {
                (sample_size_two_sample_t(d, alpha, power, sides(input)), "n_per_arm")
            };
            close(statistic, key, n.expect("valid input"), number(expected, key));
        }
        "power_paired_t" => {
            let (d, n, alpha) = (number(input, "d"), number(input, "n"), number(input, "alpha"));
            let power = power_paired_t(d, n, alpha, sides(input)).expect("valid input");
            close(statistic, "power", power, number(expected, "power"));
        }
        "power_t_R" => {
            // R looks for the root only to within 1e-4 runs.
            let a = sample_size_paired_t(1.0, 0.05, 0.8, Sides::One).expect("valid input");
            within(1e-6, statistic, "a", a, number(expected, "a"));
            let b = sample_size_two_sample_t(1.0, 0.01, 0.9, Sides::One).expect("valid input");
            within(1e-6, statistic, "b", b, number(expected, "b"));
            let c = power_paired_t(1.5, 5.0, 0.05, Sides::One).expect("valid input");
            close(statistic, "c", c, number(expected, "c"));
        }
        "bayes_correlated_t_prob_improvement" => {
            let belief = correlated_t(&list(input, "d"), number(input, "rho"), number(input, "rope"));
            let belief = belief.expect("valid input");
            check(vector, |key| match key {
                "p_gt_0" => belief.above_zero,
                "p_gt_rope" => belief.above,
                "p_in_rope" => belief.inside,
                _ => panic!("unknown field {key}"),
            });
        }
        "sigma_upper_inflation" => {
            let factor = sigma_upper_factor(number(input, "df"), number(input, "conf")).expect("valid input");
            close(statistic, "factor", factor, number(expected, "factor"));
        }
        "deflated_sharpe" => {
            let field = |key| number(input, key);
            let (sr, n, skew, kurt) = (field("sr"), field("T"), field("skew"), field("kurt"));
            let best = deflated_sharpe(sr, n, skew, kurt, field("N"), field("var_sr")).expect("valid input");
            close(statistic, "sr0", best.sr0, number(expected, "sr0"));
            close(statistic, "dsr", best.dsr, number(expected, "dsr"));
        }
        "expected_max_normal_gumbel_approx" => {
            let (n, sd) = (number(input, "N"), number(input, "sd"));
            let approx = sd * expected_max_normal_approx(n).expect("a count");
            close(statistic, "approx", approx, number(expected, "approx"));
            let exact = sd * expected_max_normal(n).expect("a count");
            close(statistic, "exact", exact, number(expected, "exact"));
        }
        "pbo_cscv" => {
            let blocks = number(input, "S") as usize;
            let found = overfitting(&rows(input, "M"), blocks).expect("valid input");
            all_close(statistic, "logits", &found.logits, &list(expected, "logits"));
            close(statistic, "pbo", found.probability, number(expected, "pbo"));
        }
        "winners_curse_conditional_mle" => {
            let theta = conditional_mle(number(input, "z"), number(input, "cut")).expect("valid input");
            close(statistic, "theta", theta, number(expected, "theta"));
        }
        "ladder_parameter_free" | "ladder_fixed_step" => {
            let mut ladder = match input["eta"].as_f64() {
                Some(step) => Ladder::fixed_step(step).expect("a step"),
                None => Ladder::parameter_free(),
            };
            let losses = rows(input, "losses");
            let released: Vec<f64> =
                losses.iter().map(|losses| ladder.score(losses).expect("valid losses")).collect();
            all_close(statistic, "released", &released, &list(expected, "released"));
        }
        "shapley_exact" => {
            let players = ["a", "b", "c"];
            let values: Vec<f64> = (0..8)
                .map(|mask| {
                    let coalition: String =
                        (0..3).filter(|i| mask >> i & 1 == 1).map(|i| players[i]).collect();
                    number(&input["v"], &coalition)
                })
                .collect();
            let of = |key: &str| players.map(|player| number(&expected[key], player));
            all_close(statistic, "phi", &shapley(&values).expect("valid input"), &of("phi"));
            all_close(statistic, "loo", &leave_one_out(&values).expect("valid input"), &of("loo"));
        }
        "ocba_fractions" => {
            let minimize = input["minimize"].as_bool().expect("a direction");
            let shares = ocba(&list(input, "means"), &list(input, "sds"), minimize).expect("valid input");
            all_close(statistic, "fractions", &shares, &list(expected, "fractions"));
        }
        _ => return false,
    }
    true
}

fn check_sequences(statistic: &str, vector: &Value) -> bool {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    let field = |key| number(input, key);
    let one_sided = || if field("one") == 1.0 { Sides::One } else { Sides::Two };
    let value = match statistic {
        "alpha_spending_lan_demets" => {
            let (t, alpha) = (field("t"), field("alpha"));
            close(
                statistic,
                "obf",
                obrien_fleming_spending(t, alpha).expect("valid input"),
                number(expected, "obf"),
            );
            close(
                statistic,
                "pocock",
                pocock_spending(t, alpha).expect("valid input"),
                number(expected, "pocock"),
            );
            return true;
        }
        "msprt_normal_known_sigma" => {
            let log_e =
                msprt_log_e(field("sum"), field("n") as u64, field("sigma"), field("tau"), field("theta0"));
            let e = log_e.expect("valid input").exp();
            close(statistic, "lambda", e, number(expected, "lambda_"));
            close(statistic, "normal mixture", e, number(expected, "via_normal_mixture"));
            return true;
        }
        "asymptotic_cs" => {
            let rho = asymptotic_rho(field("t_opt"), field("alpha")).expect("valid input");
            let interval = asymptotic_cs(field("mean"), field("sd"), field("t") as u64, field("alpha"), rho);
            let interval = interval.expect("valid input");
            check(vector, |key| match key {
                "rho" => rho,
                "half_width" => interval.half_width,
                "low" => interval.low,
                "high" => interval.high,
                _ => panic!("unknown field {key}"),
            });
            return true;
        }
        "betting_martingale" => {
            let (x, alpha) = (list(input, "x"), field("alpha"));
            let log_e = betting_martingale(&x, field("m"), alpha, field("trunc_scale")).expect("valid input");
            let capital: Vec<f64> = log_e.into_iter().map(f64::exp).collect();
            all_close(statistic, "mart", &capital, &list(expected, "mart"));
            let bets = predictable_bets(&x, alpha).expect("valid input");
            all_close(statistic, "lambdas", &bets, &list(expected, "lambdas"));
            return true;
        }
        "empirical_bernstein_cs" => {
            let ends = empirical_bernstein_cs(&list(input, "x"), field("alpha"), 0.5).expect("valid input");
            let (low, high): (Vec<f64>, Vec<f64>) = ends.into_iter().unzip();
            all_close(statistic, "low", &low, &list(expected, "low"));
            all_close(statistic, "high", &high, &list(expected, "high"));
            return true;
        }
        "confseq_normal_log_mixture" => NormalMixture::new(field("v_opt"), field("alpha_opt"), one_sided())
            .map(|mixture| mixture.log_e(field("s"), field("v"))),
        "confseq_normal_mixture_bound" => NormalMixture::new(field("v_opt"), field("alpha_opt"), one_sided())
            .and_then(|mixture| mixture.bound(field("v"), field("alpha"))),
        "confseq_rho" => {
            NormalMixture::new(field("v_opt"), field("alpha"), one_sided()).map(|mixture| mixture.rho())
        }
        // The package's default level for its parameter is .05.
        "confseq_gamma_exponential_log_mixture" => {
            GammaExponentialMixture::new(field("v_opt"), 0.05, field("c"))
                .map(|mixture| mixture.log_e(field("s"), field("v")))
        }
        "confseq_gamma_exponential_mixture_bound" => {
            GammaExponentialMixture::new(field("v_opt"), 0.05, field("c"))
                .and_then(|mixture| mixture.bound(field("v"), field("a")))
        }
        "confseq_poly_stitching_bound" => {
            PolyStitching::with_shape(field("vmin"), field("c"), field("s"), field("eta"))
                .and_then(|stitching| stitching.bound(field("v"), field("a")))
        }
        _ => return false,
    };
    close(statistic, "value", value.expect("valid input"), number(expected, "value"));
    true
}

fn check_online(statistic: &str, vector: &Value) -> bool {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    let alpha = number(input, "alpha");
    let outcomes: Vec<(f64, bool)> = if statistic == "e_lord_const_omega" {
        let mut rule = ELord::new(alpha, number(input, "omega")).expect("valid parameters");
        list(input, "e").iter().map(|e| (rule.level(), rule.push(e.ln()))).collect()
    } else {
        let rule: Result<Box<dyn OnlineRule>, _> = match statistic {
            "online_LORDpp" | "online_LORDpp_a10" => Lord::new(alpha).map(|rule| Box::new(rule) as _),
            "online_LORD_discard" => LordDiscard::new(alpha).map(|rule| Box::new(rule) as _),
            "online_LORD_dep" => LordDependent::new(alpha).map(|rule| Box::new(rule) as _),
            "online_SAFFRON" => Saffron::new(alpha).map(|rule| Box::new(rule) as _),
            "online_ADDIS" => Addis::new(alpha).map(|rule| Box::new(rule) as _),
            "online_LOND" => Lond::new(alpha).map(|rule| Box::new(rule) as _),
            "online_LOND_dep" => Lond::new(alpha).map(|rule| Box::new(rule.dependent()) as _),
            "online_LOND_notoriginal" => Lond::new(alpha).map(|rule| Box::new(rule.at_least_one()) as _),
            "online_Alpha_investing" => AlphaInvesting::new(alpha).map(|rule| Box::new(rule) as _),
            "online_Alpha_spending" => AlphaSpending::new(alpha).map(|rule| Box::new(rule) as _),
            "online_online_fallback" => OnlineFallback::new(alpha).map(|rule| Box::new(rule) as _),
            _ => return false,
        };
        rule.expect("a level").run(&list(input, "p"))
    };
    let (levels, rejected): (Vec<f64>, Vec<f64>) =
        outcomes.into_iter().map(|(level, rejected)| (level, f64::from(u8::from(rejected)))).unzip();
    all_close(statistic, "alpha_i", &levels, &list(expected, "alpha_i"));
    assert_eq!(rejected, list(expected, "reject"), "{statistic}");
    true
}

#[test]
fn all_vectors() {
    let data: Value = serde_json::from_str(include_str!("data/statistics.json")).expect("valid JSON");
    let vectors = data["vectors"].as_array().expect("a list of vectors");
    assert_eq!(vectors.len(), 84);
    // All of them, so that a failure does not hide the next.
    let failed: Vec<&Value> = vectors
        .iter()
        .filter(|vector| !std::panic::catch_unwind(|| check_vector(vector)).unwrap_or(false))
        .map(|vector| &vector["statistic"])
        .collect();
    assert!(failed.is_empty(), "wrong, or without a check: {failed:?}");
}
