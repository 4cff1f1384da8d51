//! The plain file beside the store: what people write there is heard, or refused whole.

use autoresearch_core::*;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recipe {
    lr: f64,
    width: u32,
}

/// Proposes one rate after the other, three in all.
fn rates() -> impl Proposer<Recipe> + 'static {
    let mut rate = 1.0;
    proposer_fn(move |cx: ProposeContext<'_, Recipe>| {
        if rate > 3.5 {
            return Ok(Proposed::Exhausted);
        }
        rate += 1.0;
        Ok(Proposal::new(Recipe { lr: rate, ..cx.incumbent.clone() }).title(format!("rate {rate}")).into())
    })
}

/// Once the first proposal runs, somebody acts on the file.
fn study(
    path: &Path,
    store: &Arc<MemoryStore<Recipe>>,
    act: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> Study<Recipe, f64> {
    let (file, act) = (path.to_owned(), Arc::new(act));
    let run = executor_fn(move |recipe: Recipe, _| {
        let (file, act) = (file.clone(), Arc::clone(&act));
        async move {
            if recipe.lr != 1.0 {
                for _ in 0..100 {
                    let text = std::fs::read_to_string(&file).unwrap_or_default();
                    if let Some(changed) = act(&text) {
                        std::fs::write(&file, changed).expect("it can be written");
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Ok(recipe.lr + f64::from(recipe.width) / 64.0)
        }
    });
    let loss = evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?));
    Study::new(Recipe { lr: 1.0, width: 64 }, rates(), run, loss)
        .acceptor(Greedy::new())
        .compose(FieldMerge::new())
        .curate(Curation::new(Fifo::new()).room(Room::new(3, 6)))
        .store(Arc::clone(store))
        .backlog_file(path)
}

async fn events(store: &MemoryStore<Recipe>) -> Vec<Event<Recipe>> {
    store.read(Seq(0), 1000).await.expect("it is there").into_iter().map(|(_, event)| event).collect()
}

fn tried(events: &[Event<Recipe>]) -> Vec<String> {
    let proposals = events.iter().filter_map(|event| match event {
        Event::Proposed { proposals, .. } => Some(proposals.iter().map(|p| p.hypothesis.title.clone())),
        _ => None,
    });
    proposals.flatten().collect()
}

#[tokio::test]
async fn what_is_vetoed_and_reordered_while_the_study_runs_is_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, store) = (folder.path().join("study.backlog.toml"), Arc::new(MemoryStore::new()));
    let act = |text: &str| {
        // The last of those that wait comes first, and the other is vetoed.
        let at = text.find("[[idea]]\nid = 3")?;
        if text.contains("# by me") {
            return None;
        }
        let (others, last) = text.split_at(at);
        let first = others.find("[[idea]]\nid = 2")?;
        let vetoed =
            others[first..].replace("state = \"new\"", "state = \"vetoed\"\nreason = \"it diverges\"");
        let mine = "[[add]]\ntitle = \"narrow\"\nby = \"Ada\"\nchange = { width = 32 }\npinned = true\n";
        Some(format!("{}{last}\n# by me\n{vetoed}\n{mine}", &others[..first]))
    };
    let report = study(&path, &store, act).run().await.expect("it runs");
    let events = events(&store).await;
    assert_eq!(tried(&events), ["rate 2", "narrow", "rate 4"]);
    assert_eq!(report.stack().width, 32);
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert!(text.contains("# by me\n[[idea]]\nid = 2\ntitle = \"rate 3\"\nstate = \"vetoed\""), "{text}");
    assert!(text.contains("reason = \"it diverges\""), "{text}");
    let source = events.iter().find_map(|event| match event {
        Event::Queued { asked: false, ideas, .. } => ideas[0].hypothesis.source.clone(),
        _ => None,
    });
    assert_eq!(source, Some(Source::person("Ada")));
}

#[tokio::test]
async fn a_broken_file_is_refused_with_its_line_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.backlog.toml");
    let first = "[[add]]\ntitle = \"narrow\"\nchange = { width = 32 }\n";
    for (wrong, line) in [
        ("\n[[add]]\ntitle = \"no field\"\nchange = { depth = 3 }\n", "line 5: `change` names depth"),
        ("\n[[add]]\ntitle = \"no number\"\nchange = { width = \"wide\" }\n", "line 5: `change` makes no"),
        ("\n[[idea]]\nid = 9\n", "line 5: there is no idea 9"),
        ("\n[[add]\n", "line 5: "),
    ] {
        let store = Arc::new(MemoryStore::new());
        let broken = format!("{first}{wrong}");
        std::fs::write(&path, &broken).expect("it can be written");
        let again = broken.clone();
        study(&path, &store, move |_| Some(again.clone())).run().await.expect("it runs");
        let events = events(&store).await;
        // Nothing of it, not even what is in order.
        assert_eq!(tried(&events), ["rate 2", "rate 3", "rate 4"]);
        let remarks: Vec<&String> = events
            .iter()
            .filter_map(|event| if let Event::Remarked { text } = event { Some(text) } else { None })
            .collect();
        assert!(remarks.last().is_some_and(|text| text.contains(line)), "{line}: {remarks:?}");
        // Whoever wrote it finds it as it was.
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), broken);
    }
}

#[tokio::test]
async fn without_a_backlog_there_is_nothing_to_act_on() {
    let proposer = proposer_fn(|_: ProposeContext<'_, f64>| Ok(Proposed::Exhausted));
    let run = executor_fn(|x: f64, _| async move { Ok(x) });
    let loss = evaluator_fn(|loss: &f64| Ok(Measurement::scalar(*loss)?));
    let study = Study::new(1.0, proposer, run, loss).acceptor(Greedy::new()).people(&BacklogHandle::new());
    let refused = study.run().await.expect_err("refused").to_string();
    assert!(refused.contains(".curate("), "{refused}");
}
