//! Audits of logs: the published one, those of other tools, and studies of our own.

use autoresearch_core::audit::{
    self, Audit, AuditError, AuditReport, Format, NoiseSource, SeedsOfRepeat, Sureness,
};
use autoresearch_core::audit::{Undecided, Verdict};
use autoresearch_core::*;

fn log(name: &str) -> String {
    format!("{}/tests/data/logs/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn audited(name: &str) -> AuditReport {
    let report = audit::file(log(name)).expect("a report");
    assert_eq!(report.counts.accounted(), report.counts.rows, "{name}: {:?}", report.counts);
    let json = serde_json::to_string(&report).expect("serializable");
    let back: AuditReport = serde_json::from_str(&json).expect("deserializable");
    assert_eq!(back, report, "{name}");
    report
}

fn close(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-9)
}

/// The figures are those of the log itself: 126 rows, 22 keeps after the baseline, one change of seed (42 to 137) that
/// moved val_bpb from .973104 to .973799, and 14 keeps that moved it by less.
#[test]
fn the_published_log() {
    let report = audited("karpathy-h100-mar8.tsv");
    let c = &report.counts;
    assert_eq!((c.rows, c.kept, c.discarded, c.crashed, c.unreadable), (126, 23, 102, 1, 0));
    assert_eq!(report.columns.metric.value, "val_bpb");
    assert_eq!((report.direction.value, report.direction.sure), (Direction::Minimize, Sureness::Clear));
    assert_eq!(report.keeps().count(), 22);
    assert_eq!(report.noise.repeats.len(), 1);
    let pair = &report.noise.repeats[0];
    assert_eq!((&pair.lines[..], pair.seeds, pair.used), (&[15, 16][..], SeedsOfRepeat::Differ, true));
    assert!(close(report.noise.typical_difference(), 0.000695) && report.noise.df == Some(1.0));
    let total = report.total.as_ref().expect("kept rows");
    assert_eq!(total.below_seed, Some(14));
    assert!((total.gain - (0.997900 - 0.969686)).abs() < 1e-12);
    // One pair measures next to nothing: no row is called real, and none is called noise.
    assert_eq!(report.with(Verdict::BeyondNoise).count(), 0);
    assert_eq!(report.with(Verdict::WithinNoise).count(), 0);
    assert_eq!(report.with(Verdict::BeyondNoiseAlone).count(), 1);
    assert_eq!(report.with(Verdict::Undecidable(Undecided::FewRepeats)).count(), 21);
    // P(T > 17.0633) with one degree of freedom is atan(1/17.0633)/pi.
    assert!(
        (report.rows[1].p.expect("p") - (1.0_f64 / (0.011859 / 0.000695)).atan() / std::f64::consts::PI)
            .abs()
            < 1e-9
    );
    let text = report.to_string();
    assert!(text.contains("14 of 22 gained less than a change of seed typically does"), "{text}");
}

#[test]
fn noise_that_is_stated_decides() {
    let audit = || Audit::file(log("karpathy-h100-mar8.tsv")).expect("the log");
    let report = audit().noise(0.0005).run().expect("a report");
    assert_eq!(report.noise.source, NoiseSource::Stated);
    assert!(report.noise.repeats.iter().all(|r| !r.used));
    let beyond: Vec<u64> = report.with(Verdict::BeyondNoise).map(|r| r.line).collect();
    // 123 tries: Bonferroni asks for z > 3.35, that is for a gain above .00237.
    assert_eq!(beyond, [3, 4, 10]);
    assert!((report.hurdle(f64::INFINITY) - 3.3487).abs() < 1e-3, "{}", report.hurdle(f64::INFINITY));
    assert_eq!(report.with(Verdict::Undecidable(Undecided::FewRepeats)).count(), 0);
    for (sd, df) in [(0.0, 3.0), (-1.0, 3.0), (f64::NAN, 3.0), (0.1, 0.0), (0.1, f64::INFINITY)] {
        assert!(matches!(audit().noise_with_df(sd, df).run(), Err(AuditError::Setting { .. })), "{sd} {df}");
    }
    let wrong = audit().metric("val_loss").run().expect_err("no such column").to_string();
    assert!(wrong.contains("val_loss") && wrong.contains("\"val_bpb\""), "{wrong}");
}

#[test]
fn a_table_export_with_seeds_is_read_by_configuration() {
    let report = audited("wandb-export.csv");
    let c = &report.counts;
    assert_eq!((c.rows, c.kept, c.crashed, c.unfinished, c.repeats), (11, 3, 1, 1, 6));
    assert_eq!(report.columns.config, ["lr", "n_layer"]);
    assert_eq!((report.noise.source, report.noise.df), (NoiseSource::Repeats, Some(6.0)));
    let verdicts: Vec<Verdict> = report.rows.iter().map(|r| r.verdict).collect();
    assert_eq!(verdicts, [Verdict::Baseline, Verdict::BeyondNoise, Verdict::WithinNoise]);
    assert!(close(report.rows[0].value, (3.2104 + 3.2168 + 3.2129) / 3.0) && report.rows[0].runs == 3);
}

#[test]
fn trials_of_optimisers() {
    let optuna = audited("optuna-trials.csv");
    let c = &optuna.counts;
    assert_eq!((c.kept, c.discarded, c.crashed, c.unfinished, c.repeats), (4, 1, 1, 1, 1));
    assert_eq!(optuna.direction.sure, Sureness::Unsure);
    assert_eq!(optuna.noise.source, NoiseSource::WeakRepeats);
    assert!(optuna.paragraph().contains("no more than a guess that lower is better"));
    let mlflow = audited("mlflow-runs.csv");
    assert_eq!(mlflow.columns.metric.value, "metrics.val_accuracy");
    assert_eq!(mlflow.direction.value, Direction::Maximize);
    assert_eq!((mlflow.counts.kept, mlflow.counts.repeats, mlflow.counts.crashed), (3, 2, 1));
    let ray = audited("ray-result.jsonl");
    let c = &ray.counts;
    assert_eq!((c.kept, c.intermediate, c.repeats, c.crashed, c.unreadable), (2, 3, 1, 1, 1));
    assert_eq!(ray.unreadable[0].line, 7);
    let tree = audited("tree-search.jsonl");
    assert_eq!((tree.format, tree.direction.value), (Format::JsonLines, Direction::Maximize));
    assert_eq!((tree.counts.kept, tree.counts.discarded, tree.counts.crashed), (3, 1, 1));
    assert_eq!((tree.noise.source, tree.noise.sd), (NoiseSource::Unknown, None));
    let undecidable = Verdict::Undecidable(Undecided::NoiseUnknown);
    assert!(tree.keeps().all(|row| row.verdict == undecidable && row.p.is_none()));
}

#[test]
fn tables_of_people() {
    let sheet = audited("spreadsheet.csv");
    assert!(matches!(sheet.format, Format::Delimited { delimiter: ';', header: true }));
    let lines: Vec<u64> = sheet.unreadable.iter().map(|u| u.line).collect();
    assert_eq!(lines, [9]);
    assert!(sheet.notes.iter().any(|note| note.contains("\"maybe\" (1)")), "{:?}", sheet.notes);
    assert_eq!(sheet.rows[2].description, "a \"better\" optimiser");
    assert!(close(sheet.noise.typical_difference(), 0.8201 - 0.8190));
    let headless = audited("headless.tsv");
    assert!(matches!(headless.format, Format::Delimited { delimiter: '\t', header: false }));
    assert_eq!((headless.columns.metric.value.as_str(), headless.counts.kept), ("column 2", 3));
}

/// Two rows with the same words are two configurations if something was kept between them.
#[test]
fn words_mean_what_they_mean_on_their_incumbent() {
    let head = "id,loss,status,description\na,1.0,keep,baseline\n";
    let repeats = |rows: &str| audit::text(format!("{head}{rows}")).expect("a report").noise.repeats;
    assert!(repeats("b,0.99,discard,LR x2\nc,0.9,keep,depth 9\nd,0.91,discard,LR x2\n").is_empty());
    // Nothing says that two rows with the same words are one configuration, unless they name the baseline.
    assert!(repeats("b,0.99,discard,LR x2\nd,0.98,discard,LR x2\n").is_empty());
    assert_eq!(repeats("b,0.99,discard,Baseline\nd,0.98,discard,the baseline again\n")[0].lines, [2, 3]);
    assert_eq!(repeats("b,0.9,keep,depth 9\nc,0.91,discard,re-run of the baseline\n")[0].lines, [2, 4]);
    assert_eq!(
        repeats("b2f,0.9,keep,depth\nc,0.8,keep,width\nd,0.91,discard,re-run of b2f with seed 3\n")[0].lines,
        [3, 5]
    );
    assert!(repeats("b,0.9,discard,seed 2 and LR x2\nc,0.8,keep,speed\n").is_empty());
    // A lucky seed that was kept is no gain.
    let lucky = audit::text(format!("{head}b,0.99,keep,try seed 7\n")).expect("a report");
    assert_eq!(lucky.rows[1].verdict, Verdict::SeedOnly);
    // Rows that agree to the last digit say nothing about noise.
    let copied =
        audit::text(format!("{head}b,1.0,discard,baseline again\nc,0.9,keep,x\n")).expect("a report");
    assert_eq!(copied.noise.source, NoiseSource::Unknown);
    assert!(copied.noise.warnings[0].contains("agree to the last digit"), "{:?}", copied.noise.warnings);
}

/// A column that is named as a decision is taken however its cells go on, and whatever else is in it.
#[test]
fn decisions_in_free_words() {
    let log = "| exp | val_loss | Decision |\n|---|---:|:---|\n| a1 | 1.0 | KEEP (baseline) |\n| a2 | 0.9 | **Kept** |\n\
               | a3 | 0.95 | discard: memory |\n| a4 | 0.8 | parked |\n| a5 | 0.97 | see notes |\n| a6 | 0.91 | ask Bo |\n";
    let report = audit::text(log).expect("a report");
    let c = &report.counts;
    assert_eq!((c.rows, c.kept, c.discarded, c.unreadable), (6, 2, 4, 0), "{report}");
    assert!(report.keeps_are_stated && report.rows[1].line == 4);
    let note = report.notes.iter().find(|note| note.contains("not known")).expect("a note");
    assert!(note.contains("\"parked\" (1)") && note.contains("not kept"), "{note}");
    let parked = Audit::text(log).kept(["keep", "kept", "parked"]).run().expect("a report");
    assert_eq!((parked.counts.kept, parked.rows[2].line), (3, 6));
}

/// A log from the last row to the first says the same as from the first to the last.
#[test]
fn newest_first_is_read_from_its_end() {
    let rows = [
        "1,2026-03-01,1.00,keep,baseline",
        "2,2026-03-02,0.90,keep,a",
        "3,2026-03-03,0.95,discard,b",
        "4,2026-03-04,0.85,keep,c",
        "5,2026-03-05,0.80,keep,d",
    ];
    let log = |head: &str, columns: &[usize], newest: bool| {
        let cut = |row: &&str| {
            let cells: Vec<&str> = row.split(',').collect();
            columns.iter().map(|&at| cells[at]).collect::<Vec<_>>().join(",") + "\n"
        };
        let mut lines: Vec<String> = rows.iter().map(cut).collect();
        if newest {
            lines.reverse();
        }
        audit::text(format!("{head}\n{}", lines.concat())).expect("a report")
    };
    for (head, columns, doubted) in [
        ("no,created,val_loss,status,description", &[0, 1, 2, 3, 4][..], false),
        ("created,val_loss,status", &[1, 2, 3], false),
        ("trial,val_loss,status", &[0, 2, 3], false),
        ("val_loss,status,description", &[2, 3, 4], true),
        ("x,status,description", &[2, 3, 4], true),
    ] {
        let (old, new) = (log(head, columns, false), log(head, columns, true));
        assert!(old.doubts.is_empty() && !old.to_string().contains("from its end"), "{old}");
        assert!(new.to_string().contains("read from its end"), "{new}");
        assert_eq!(!new.doubts.is_empty(), doubted, "{new}");
        assert_eq!(new.paragraph().contains("newest first"), doubted, "{new}");
        assert_eq!(new.direction.value, Direction::Minimize, "{new}");
        let gains = |report: &AuditReport| report.rows.iter().map(|row| row.gain).collect::<Vec<_>>();
        assert_eq!(gains(&new), gains(&old), "{new}");
    }
    // Without anything that tells the order, it may as well be the name that misleads.
    let bare = log("val_loss,status", &[2, 3], true);
    assert!(bare.keeps().count() == 3 && bare.keeps().all(|row| row.gain.is_none()), "{bare}");
    assert!(bare.paragraph().contains("state which way is better"), "{bare}");
    // Oldest first for sure, and the kept values rise: a name is not overruled, and the paragraph says so.
    let odd = "n,val_loss,status\n1,1.0,keep\n2,1.1,keep\n3,1.2,keep\n4,1.3,keep\n";
    let odd = audit::text(odd).expect("a report");
    assert_eq!((odd.direction.value, odd.rows[0].line), (Direction::Minimize, 2));
    assert!(odd.paragraph().contains("3 of 3 kept steps go up"), "{odd}");
    let few = audit::text("val_loss,status\n1.0,keep\n1.1,keep\n").expect("a report");
    assert!(few.paragraph().contains("1 of 1 kept steps go the other way"), "{few}");
}

/// Noise that was measured is told although nothing was kept, and well-known noise is not blamed on few repeats.
#[test]
fn measured_noise_is_told() {
    let head = "id,loss,status,description\n0,1.00,keep,baseline\n1,1.02,discard,seed 2\n2,0.99,discard,seed 3\n\
                3,1.01,discard,seed 4\n4,0.98,discard,seed 5\n";
    let none = audit::text(head).expect("a report");
    assert_eq!((none.keeps().count(), none.noise.df), (0, Some(4.0)));
    // The standard deviation of 1, 1.02, .99, 1.01, .98.
    assert!(close(none.noise.sd, (0.001_f64 / 4.0).sqrt()));
    assert!(none.paragraph().contains("standard deviation 0.0158"), "{none}");
    let some = audit::text(format!("{head}5,0.962,keep,edit\n")).expect("a report");
    assert_eq!(some.rows[1].verdict, Verdict::Undecidable(Undecided::Inconclusive), "{some}");
    assert!(some.to_string().contains("inconclusive at this noise"), "{some}");
}

/// What trackers write about a run is no setting, what weighs a loss no metric, and a row that is cut short no crash.
#[test]
fn housekeeping_weights_and_short_rows() {
    let log = "_step,_runtime,User,Duration,lr,seed,kl_loss_weight,val_loss\n9,10.5,a,1.2min,0.1,1,0.5,1.0\n\
               9,11.5,b,1.3min,0.1,2,0.5,1.1\n9,12.5,a,1.1min,0.2,1,0.5,0.8\n";
    let report = audit::text(log).expect("a report");
    assert_eq!(report.columns.config, ["lr", "kl_loss_weight"], "{report}");
    assert_eq!((report.columns.metric.value.as_str(), report.noise.df), ("val_loss", Some(1.0)));
    let weights = audit::text("loss_weight,entropy_coef\n0.1,0.2\n0.3,0.4\n");
    assert!(matches!(weights, Err(AuditError::NoMetric { .. })));
    let cut = "id,loss,status,description\na,1.0,keep,baseline\nb,0.9\nc,0.8,keep\nd\n";
    let report = audit::text(cut).expect("a report");
    let lines: Vec<u64> = report.unreadable.iter().map(|row| row.line).collect();
    assert_eq!((&lines[..], report.counts.kept, report.counts.crashed), (&[3, 5][..], 2, 0));
    assert!(report.unreadable[0].reason.contains("2 fields where 4 are expected: status is missing"));
}

#[test]
fn what_cannot_be_audited_says_why() {
    assert!(matches!(audit::text(""), Err(AuditError::Empty { first: None })));
    assert!(matches!(audit::text("{\"a\": \n"), Err(AuditError::Empty { first: Some(_) })));
    let words = audit::text("a,b\nx,y\n").expect_err("no numbers").to_string();
    assert!(words.contains("no column looks like a metric among \"a\", \"b\""), "{words}");
    assert!(matches!(audit::file("no/such/file.tsv"), Err(AuditError::Io { .. })));
}

fn losses(rate: f64, seed: u64) -> Vec<f64> {
    let noise = |i: u64| (((seed + 1) * 97 + i * 31) as f64 * 78.233).sin() * 0.02;
    (0..6).map(|i| (rate.log10() + 2.5).abs() + noise(0) + noise(i + 1)).collect()
}

/// A study of one's own: from its store, and from the table that it exports.
#[tokio::test]
async fn a_stored_study() {
    for acceptor in [true, false] {
        let store = MemoryStore::<f64>::new();
        let steps = proposer_fn(|cx: ProposeContext<'_, f64>| {
            let factor = if cx.seed.is_multiple_of(2) { 0.6 } else { 1.5 };
            Ok(Proposal::new(cx.incumbent * factor).title(format!("x{factor}")).into())
        });
        let train = executor_fn(|rate: f64, run| async move { Ok(losses(rate, run.seed)) });
        let value = evaluator_fn(|l: &Vec<f64>| Ok(Measurement::new(l.iter().copied())?));
        let study = Study::new(0.1, steps, train, value).limits(Limits::new().runs(150)).store(store.clone());
        let study = if acceptor { study.acceptor(Guarded::new()) } else { study.acceptor(Greedy::new()) };
        let kept = study.run().await.expect("a report").kept.len();
        let report = audit::store(&store).await.expect("an audit");
        assert_eq!(report.counts.accounted(), report.counts.rows);
        assert_eq!((report.keeps().count(), report.counts.kept), (kept, kept + 1));
        assert!(kept > 0 && !report.to_string().is_empty());
        if acceptor {
            assert_eq!(report.noise.source, NoiseSource::Study);
            assert!(report.noise.df.is_some_and(|df| df >= 7.0));
            // A step of a factor of .6 is .22 in the objective, ten times the noise.
            assert!(report.keeps().all(|row| row.verdict == Verdict::BeyondNoise), "{report}");
            for row in report.keeps() {
                let n = row.paired.expect("runs on the incumbent's seeds");
                let t = row.gain.zip(row.standard_error).map(|(gain, error)| gain / error).expect("a gain");
                let alone = stats::student_sf(t, f64::from(n) - 1.0);
                assert!(n >= 4 && close(row.p, alone) && row.p_adjusted >= row.p, "{row:?}");
            }
        }
        let table = results_tsv(&store, "val_loss").await.expect("a table");
        let read = audit::text(&table).expect("an audit");
        assert_eq!((read.counts.kept, read.counts.unreadable), (kept + 1, 0), "{table}");
    }
    let empty = MemoryStore::<f64>::new();
    assert!(matches!(audit::store(&empty).await, Err(AuditError::NotAStudy)));
}

fn of(log: &str) -> AuditReport {
    let report = audit::text(log).expect("a report");
    assert_eq!(report.counts.accounted(), report.counts.rows, "{report}");
    report
}

fn error(log: &str) -> String {
    audit::text(log).expect_err("no audit").to_string()
}

/// Ten rates under one name are a sweep, and no repeats.
#[test]
fn one_name_for_all_runs_is_no_repeat() {
    let sweep = |head: &str, row: &dyn Fn(u32) -> String| {
        let rows: String = (1..=10).map(|i| row(i) + "\n").collect();
        of(&format!("{head}\n{rows}"))
    };
    let loss = |i: u32| 2.0 - 0.1 * f64::from(i) + 0.003 * f64::from(i * i % 7);
    let mlflow = sweep("Start Time,Run ID,Name,Source Name,Status,lr,val_loss", &|i| {
        format!("2024-05-{i:02} 10:00:00,{i:x}6b58de744,,train.py,FINISHED,0.{i},{:.4}", loss(i))
    });
    let wandb = sweep("Name,State,lr,val_loss", &|i| format!("train,finished,0.{i},{:.4}", loss(i)));
    let named = sweep("experiment,lr,val_loss,status", &|i| format!("gpt2,0.{i},{:.4},keep", loss(i)));
    let edits = sweep("commit\tval_bpb\tstatus\tdescription", &|i| {
        format!(
            "a{i}f\t{:.4}\t{}\t{}",
            loss(i),
            if i == 1 { "keep" } else { "discard" },
            if i == 1 { "start" } else { "tune lr" }
        )
    });
    for report in [mlflow, wandb, named, edits] {
        assert!(report.noise.repeats.is_empty() && report.noise.sd.is_none(), "{report}");
    }
}

/// Repeats on one seed measure no noise of seeds; repeats whose seeds nobody knows can show that a gain is small, and
/// never that it is large.
#[test]
fn beyond_noise_needs_different_seeds() {
    let columns = "lr,seed,val_loss,status,description\n0.1,42,1.0002,keep,baseline\n0.1,42,0.9999,discard,baseline\n\
                   0.1,42,1.0001,discard,baseline\n0.1,42,1.0000,discard,baseline\n0.1,42,0.9,keep,rope\n";
    let words = "id\tval_bpb\tstatus\tdescription\na1\t1.0\tkeep\tbaseline\nb1\t0.9999\tdiscard\tre-run with the same seed\n\
                 b2\t1.0001\tdiscard\tre-run with the same seed\nb3\t1.0002\tdiscard\tre-run with the same seed\nc1\t0.9\tkeep\trope\n";
    for log in [columns, words] {
        let report = of(log);
        assert_eq!(
            (report.noise.sd, report.rows[1].verdict),
            (None, Verdict::Undecidable(Undecided::NoiseUnknown))
        );
        assert!(report.to_string().contains("no noise is taken from them"), "{report}");
    }
    let unknown = of(&words.replace(" with the same seed", ""));
    assert_eq!(unknown.noise.source, NoiseSource::WeakRepeats);
    assert_eq!(
        (unknown.rows[1].verdict, unknown.rows[1].p),
        (Verdict::Undecidable(Undecided::SeedsUnknown), None)
    );
    let small = of(&words.replace(" with the same seed", "").replace("\t0.9\t", "\t0.99998\t"));
    assert_eq!(small.rows[1].verdict, Verdict::WithinNoise, "{small}");
    // Plain re-runs that were kept are repeats, not changes of seed.
    let kept = of(
        "id,loss,status,description\na,1.0,keep,baseline\nb,0.9,keep,re-run\nc,0.8,keep,repeat training data\n",
    );
    assert_eq!(kept.rows[1].verdict, Verdict::Repeat);
    assert_eq!(kept.rows[2].verdict, Verdict::Undecidable(Undecided::FewRepeats), "{kept}");
}

/// Settings are told by exact names of trackers and by contents, not by a word in their name.
#[test]
fn settings_that_sound_like_notes() {
    for (log, groups) in [
        ("loss_fn,lr,seed,acc\nce,.1,0,.90\nce,.1,1,.91\nfocal,.1,0,.95\nfocal,.1,1,.96\n", 2),
        ("model_name,dataset,seed,acc\nresnet,a,0,.90\nresnet,a,1,.91\nvit,a,2,.95\nvit,b,3,.96\n", 1),
        ("iterations,seed,val_loss\n100,7,2.0\n100,8,2.1\n1000,9,1.5\n1000,10,1.6\n", 2),
        ("config.lr,config.seed,model,val_loss\n.1,0,a,2.0\n.1,1,a,2.1\n.1,2,b,1.6\n.1,3,b,1.5\n", 2),
        ("config.lr,config.seed,description,val_loss\n.1,0,baseline,2.0\n.1,1,rope,1.9\n.1,2,muon,1.8\n", 0),
    ] {
        let report = of(log);
        assert_eq!(report.noise.repeats.len(), groups, "{report}");
        assert!(report.noise.repeats.iter().all(|r| r.lines.len() == 2), "{report}");
    }
    // Words that speak of a repeat are not believed against a column of settings, unless it is left out.
    let log = "id,val_loss,lr,status,description\na,1.0,.1,keep,baseline\nb,.99,.2,discard,seed 2\nc,.98,.1,discard,seed 3\n";
    let report = of(log);
    assert_eq!((report.noise.repeats[0].lines.as_slice(), report.tries), (&[2, 4][..], 1), "{report}");
    assert!(
        report.notes.iter().any(|note| note.contains("Line 3") && note.contains("column lr")),
        "{report}"
    );
    let told = Audit::text(log).ignore(["lr"]).run().expect("a report");
    assert_eq!((told.noise.repeats[0].lines.as_slice(), told.tries), (&[2, 3, 4][..], 0));
    let stated =
        Audit::text("a,seed,b,loss\n1,0,1,2.0\n1,1,2,2.1\n").settings(["a"]).run().expect("a report");
    assert_eq!((stated.columns.config.as_slice(), stated.noise.repeats.len()), (&["a".to_string()][..], 1));
}

/// A column that is named like the metric is read, or the error names it and a cell; another is not taken in its place.
#[test]
fn metrics_as_people_write_them() {
    for (log, first, second) in [
        ("id;val_loss;status\n1;2,345;keep\n2;2,340;keep\n", 2.345, 2.340),
        ("run,val_loss,status\n1,0.998 bpb,keep\n2,0.99 bpb,keep\n", 0.998, 0.99),
        ("exp,acc,status\n1,93.2\u{b1}0.3,keep\n2,93.4\u{b1}0.2,keep\n", 93.2, 93.4),
        ("id,val_loss,status\n1,\u{2212}3.0,keep\n2,\u{2212}3.2,keep\n", -3.0, -3.2),
        (
            "| run | val_loss | status |\n|---|---|---|\n| 1 | **0.9980** | keep |\n| 2 | `0.9970` | keep |\n",
            0.998,
            0.997,
        ),
        ("exp,acc,status\n1,0.932,keep\n2,93.5%,keep\n", 0.932, 0.935),
    ] {
        let report = of(log);
        let values: Vec<f64> = report.rows.iter().filter_map(|row| row.value).collect();
        assert_eq!(values, [first, second], "{report}");
    }
    let thousands = error("id\tval_loss\tstatus\n1\t1,234\tkeep\n2\t1,230\tkeep\n");
    assert!(thousands.contains("\"val_loss\"") && thousands.contains("line 2 has \"1,234\""), "{thousands}");
    let dollars = error("id,val_loss,status\n1,~0.99x,keep\n2,~0.98x,keep\n");
    assert!(dollars.contains("0 of its 2 cells are numbers"), "{dollars}");
    let mixed = error("id,err,status\n1,0.4,keep\n2,0.5%,keep\n");
    assert!(mixed.contains("mixes \"0.5%\" (line 3) with \"0.4\""), "{mixed}");
    assert!(error("id,run,trial,status\n1,5,7,keep\n2,4,9,keep\n").contains("no column looks like a metric"));
}

/// Stray quotes, hashes, titles and old line ends: every row is read or listed.
#[test]
fn rows_that_hide() {
    let open = of("id,desc,val_loss,status\n0,\"open 0,1.0,keep\n1,\"open 1,0.9,discard\n2,x,0.8,keep\n");
    assert_eq!((open.counts.rows, open.counts.kept, open.counts.unreadable), (3, 2, 0), "{open}");
    let tail = of("commit\tval_bpb\tstatus\tdescription\na1\t1.0\tkeep\tbaseline\nb1\t0.98\tkeep\t\"Muon\n\
                   b2\t0.95\tkeep\tuse \"swiglu\" instead\nb3\t0.96\tdiscard\tx\n");
    assert_eq!((tail.counts.rows, tail.counts.kept, tail.counts.unreadable), (4, 3, 0), "{tail}");
    let hashes = of("commit\tscore\tstatus\n#12\t1.0\tkeep\n#13a\t1.1\tkeep\n#abc\t1.2\tkeep\n# a remark\n");
    assert_eq!(hashes.counts.kept, 3, "{hashes}");
    let out = of("commit,val_loss,status\nA,1.0,keep\nB,0.9,keep\n#C,0.8,keep\n# no row\n");
    assert_eq!((out.counts.kept, out.counts.unreadable, out.unreadable[0].line), (2, 1, 4), "{out}");
    let title = of("Results 2024\ncommit\tval_bpb\tstatus\na1\t1.0\tkeep\nb1\t0.9\tkeep\n");
    assert_eq!((title.columns.metric.value.as_str(), title.counts.rows), ("val_bpb", 2), "{title}");
    assert!(title.notes[0].contains("Line 1 stands above the header"), "{title}");
    assert_eq!(of("id,val_loss,status\r1,1.0,keep\r2,0.9,keep\r").counts.kept, 2);
    let bar = of(
        "| id | val_loss | status | idea |\n|---|---|---|---|\n| a | 1.0 | keep | x |\n| b | 0.9 | keep | x \\| y |\n",
    );
    assert_eq!(bar.rows[1].description, "x | y", "{bar}");
}

/// A quoted field over two lines is one, although its second line would do as a row.
#[test]
fn quoted_lines_that_look_like_rows() {
    let log =
        of("id,note,val_loss,status\n1,\"multi\nline, note\",1.0,keep\n2,\"he said \"\"hi\"\"\",0.9,keep\n");
    assert_eq!((log.counts.rows, log.counts.kept, log.counts.unreadable), (2, 2, 0), "{log}");
}

/// A row with its own decision is a row, and what is left out as a report of a run is told and can be overruled.
#[test]
fn steps_of_a_search_are_no_steps_of_a_run() {
    let stated = of(
        "run\tstep\tval_bpb\tstatus\tdescription\nmar8\t0\t1.0\tkeep\ta\nmar8\t1\t.99\tdiscard\tb\nmar8\t2\t.98\tkeep\tc\n",
    );
    assert_eq!((stated.counts.kept, stated.counts.discarded, stated.counts.intermediate), (2, 1, 0));
    let described = of("run,step,val_bpb,description\nmar8,0,1.0,a\nmar8,1,.99,b\nmar8,2,.98,c\n");
    assert_eq!(described.counts.intermediate, 0);
    let log = "run,step,val_bpb\na,0,1.0\na,1,.99\nb,0,.98\nb,1,.97\n";
    let plain = of(log);
    assert_eq!((plain.counts.intermediate, plain.counts.kept), (2, 2), "{plain}");
    assert!(plain.notes.iter().any(|note| note.contains(".each_row_is_a_run()")), "{plain}");
    let every = Audit::text(log).each_row_is_a_run().run().expect("a report");
    assert_eq!(every.counts.intermediate, 0);
}

/// A "score" that falls with every keep may be a loss, or the log newest first: neither is guessed.
#[test]
fn a_name_against_the_keeps_decides_nothing() {
    let log = "commit\tscore\tstatus\tdescription\na\t1.00\tkeep\tinitial version\nb\t1.01\tdiscard\tseed 2\n\
               c\t0.99\tdiscard\tseed 3\nd\t0.90\tkeep\tx\ne\t0.80\tkeep\ty\nf\t0.70\tkeep\tz\n";
    let report = of(log);
    let open = Verdict::Undecidable(Undecided::DirectionUnknown);
    assert_eq!((report.rows[0].line, report.direction.sure), (2, Sureness::Unsure), "{report}");
    assert!(
        report.keeps().count() == 3 && report.keeps().all(|r| r.verdict == open && r.p.is_none()),
        "{report}"
    );
    assert!(report.total.is_none() && report.paragraph().contains("say which way is better"), "{report}");
    let told = Audit::text(log).direction(Direction::Minimize).run().expect("a report");
    assert!(told.keeps().all(|row| row.gain > Some(0.05)), "{told}");
}

/// The learning curve of one run is no search; a row without a value is no crash unless something says so.
#[test]
fn curves_of_one_run() {
    for log in [
        "epoch,train_loss,val_loss\n0,1.0,1.1\n1,.5,.6\n2,.4,.5\n",
        "Wall time,Step,Value\n1700000000.5,1,2.0\n1700000001.5,2,1.9\n1700000002.5,3,1.8\n",
        "1700000000000 2.0 0\n1700000001000 1.9 1\n1700000002000 1.8 2\n",
        "{\"epoch\": 0.5, \"step\": 1, \"loss\": 2.0, \"learning_rate\": 0.1}\n{\"epoch\": 1.0, \"step\": 2, \"eval_loss\": 1.9}\n\
         {\"epoch\": 1.5, \"step\": 3, \"loss\": 1.8, \"learning_rate\": 0.05}\n",
        "{\n \"best_metric\": null,\n \"log_history\": [\n {\"step\": 1, \"loss\": 2.0},\n {\"step\": 2, \"loss\": 1.9},\n \
         {\"step\": 3, \"loss\": 1.8}\n ]\n}\n",
    ] {
        assert!(error(log).contains("a learning curve"), "{log}");
        assert!(Audit::text(log).each_row_is_a_run().run().is_ok(), "{log}");
    }
    let named = of("{\"a\": {\"loss\": 1.0, \"kept\": true}, \"b\": {\"loss\": 0.9, \"kept\": true}}");
    assert_eq!((named.counts.kept, named.rows[1].id.as_str()), (2, "b"), "{named}");
    let pretty = of(
        "{\n \"lr\": 0.1,\n \"val_loss\": 2.0\n}\n{\n \"lr\": 0.2,\n \"val_loss\": NaN\n}\n{\n \"lr\": 0.3\n}\n",
    );
    let c = &pretty.counts;
    assert_eq!((c.rows, c.kept, c.crashed, c.no_value), (3, 1, 1, 1), "{pretty}");
}
