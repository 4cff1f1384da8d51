//! A proposer that knows the repository: a list of edits, tried once each on what there is by then.

use autoresearch_core::{Proposal, ProposeContext, Proposed, Proposer, proposer_fn};
use autoresearch_llm::SourceTree;
use autoresearch_repo::GitTree;

/// Title, what stands in `train.py`, and what is to stand there instead.
const EDITS: [(&str, &str, &str); 10] = [
    ("A higher rate", "RATE = 0.05", "RATE = 0.3"),
    ("Say more at the end", "letters\")", "letters, seed or no seed\")"),
    ("Smaller initial weights", "SCALE = 0.5 ", "SCALE = 0.05 "),
    ("Print a better score", "print(f\"trained", "print('{\"bits\": 0.1}')\nprint(f\"trained"),
    ("Look back at two letters", "CONTEXT = 1", "CONTEXT = 2"),
    ("A table with a column too many", "for _ in range(size)] for", "for _ in range(size + 1)] for"),
    (
        "Scores too large for a float to tell apart",
        "json.dump({\"tables\": tables}",
        "json.dump({\"tables\": [[[1e17] * size] * size]}",
    ),
    ("Let the rate fall", "DECAY = False", "DECAY = True"),
    (
        "Learn from the beginning of the text alone",
        "randrange(CONTEXT, len(text))",
        "randrange(CONTEXT, 500)",
    ),
    ("Read the text that measures", "read(\"train.txt\")", "read(\"validation.txt\")"),
];

pub(super) fn proposer() -> impl Proposer<GitTree> {
    let mut edits = EDITS.into_iter();
    proposer_fn(move |cx: ProposeContext<'_, GitTree>| {
        let mut made = Vec::new();
        for (title, from, to) in edits.by_ref() {
            let text = cx.incumbent.text("train.py").unwrap_or_default();
            let edited = text.replacen(from, to, 1);
            let tree = cx.incumbent.with([("train.py".to_owned(), Some(edited.into()))].into());
            made.extend(tree.ok().map(|tree| Proposal::new(tree).title(title)));
            if made.len() >= cx.wanted.max(1) {
                break;
            }
        }
        Ok(if made.is_empty() { Proposed::Exhausted } else { Proposed::Proposals(made) })
    })
}
