//! Audits of anything: no input panics, every row is accounted for, and luck is not called real.

use autoresearch_core::audit::{self, Audit, AuditReport, Verdict};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn check(report: &AuditReport) {
    let c = &report.counts;
    assert_eq!(c.accounted(), c.rows, "{c:?}");
    assert_eq!(report.rows.len(), c.kept);
    assert_eq!(report.unreadable.len(), c.unreadable);
    assert!(report.unreadable.windows(2).all(|w| w[0].line <= w[1].line));
    for row in &report.rows {
        assert!(
            row.p.is_none_or(|p| (0.0..=1.0).contains(&p))
                && row.p_adjusted.is_none_or(|p| (0.0..=1.0).contains(&p))
        );
        assert!(report.noise.sd.is_some() || row.p.is_none());
    }
    assert!(!report.to_string().is_empty() && serde_json::to_string(report).is_ok());
}

/// Cells as logs have them, and as they should not.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0.0..2.0_f64).prop_map(|x| format!("{x:.4}")),
        2 => prop::sample::select(vec!["keep", "discard", "crash", "FINISHED", "running", "maybe"]).prop_map(String::from),
        2 => prop::sample::select(vec![
            "", "-", "nan", "inf", "0.000000", "1e-3", "1e308", "-1e308", "5e-324", "\"", "\"a,b\"", "\"open", "#7", "seed 3",
            "re-run", "baseline", "same config", "93%", "0,91", "{", "[", "\u{feff}", "é",
        ]).prop_map(String::from),
        1 => "[ -~]{0,12}",
    ]
}

fn table() -> impl Strategy<Value = String> {
    let delimiter = prop::sample::select(vec!["\t", ",", ";", "|"]);
    let header = prop::sample::select(vec![
        vec![],
        vec!["commit", "val_bpb", "status", "description"],
        vec!["loss", "seed", "lr"],
        vec!["x"],
        vec!["trial_id", "step", "score", "kept"],
        vec!["number", "value", "params_lr", "state"],
    ]);
    let end = prop::sample::select(vec!["\n", "\r\n", "\n\n"]);
    let rows = prop::collection::vec(prop::collection::vec(cell(), 0..6), 0..30);
    (delimiter, header, end, rows).prop_map(|(delimiter, header, end, rows)| {
        let header = if header.is_empty() { String::new() } else { header.join(delimiter) + end };
        header + &rows.iter().map(|row| row.join(delimiter) + end).collect::<String>()
    })
}

fn objects() -> impl Strategy<Value = String> {
    let pair = (prop::sample::select(vec!["loss", "status", "seed", "trial_id", "step", "config"]), cell());
    let row = prop::collection::vec(pair, 0..5).prop_map(|pairs| {
        let text = |(key, value): &(&str, String)| match value.parse::<f64>() {
            Ok(_) => format!("\"{key}\": {value}"),
            Err(_) => format!("\"{key}\": {{\"in\": {:?}}}", value),
        };
        format!("{{{}}}", pairs.iter().map(text).collect::<Vec<_>>().join(", "))
    });
    (prop::collection::vec(row, 1..20), any::<bool>())
        .prop_map(|(rows, array)| if array { format!("[{}]", rows.join(",\n")) } else { rows.join("\n") })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(report) = audit::text(&bytes) { check(&report) }
    }

    #[test]
    fn any_table(text in table()) {
        if let Ok(report) = audit::text(&text) { check(&report) }
        if let Ok(report) = Audit::text(&text).noise_with_df(0.1, 2.0).run() { check(&report) }
    }

    #[test]
    fn any_objects(text in objects()) {
        if let Ok(report) = audit::text(&text) { check(&report) }
    }

    #[test]
    fn a_log_cut_short_or_spoilt(at in 0usize..7_440, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = include_bytes!("data/logs/karpathy-h100-mar8.tsv").to_vec();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if let Ok(report) = audit::text(&bytes) {
            check(&report);
            // One byte spoils at most two rows.
            prop_assert!(cut || report.counts.rows >= 125);
        }
    }
}

/// The sum of twelve uniforms: mean 0, variance 1.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Logs of edits that do nothing, kept whenever they looked better, with a few repeats of the baseline. The verdict
/// "beyond noise" promises at most 5 % of logs with any false one.
#[test]
fn luck_is_not_called_real() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (logs, mut wrong, mut alone) = (150, 0, 0);
    for log in 0..logs {
        let mut text = String::from("id\tloss\tstatus\tdescription\n");
        let mut best = 1.0 + 0.01 * normal(&mut rng);
        text += &format!("0\t{best:.6}\tkeep\tbaseline\n");
        for seed in 0..[1, 3, 7][log % 3] {
            text +=
                &format!("s{seed}\t{:.6}\tdiscard\tbaseline, seed {seed}\n", 1.0 + 0.01 * normal(&mut rng));
        }
        for row in 1..=40 {
            let loss = 1.0 + 0.01 * normal(&mut rng);
            let status = if loss < best { "keep" } else { "discard" };
            best = best.min(loss);
            text += &format!("{row}\t{loss:.6}\t{status}\tedit {row}\n");
        }
        let report = audit::text(&text).expect("a report");
        assert_eq!(report.tries, 40);
        wrong += usize::from(report.with(Verdict::BeyondNoise).count() > 0);
        alone += usize::from(report.with(Verdict::BeyondNoiseAlone).count() > 0);
    }
    // At a rate of .05, more than 19 of 150 have a probability of 6.5e-5 (binomial).
    assert!(wrong <= 19, "{wrong} of {logs}");
    assert!(alone > wrong, "counting the tries matters: {alone} against {wrong}");
}
