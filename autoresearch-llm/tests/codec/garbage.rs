//! Whatever a model writes: no panic, nothing outside of what may be edited, all or nothing.

use autoresearch_core::{ParamSet, ParamSpace};
use autoresearch_llm::{Codec, EditCodec, Files, JsonCodec, ParamCodec};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

fn base() -> Files {
    Files::new([
        ("src/a.py", "x = 1\ny = 2\n\nx = 1\nz = 3\n"),
        ("src/b.py", "b\r\nc\r\n"),
        ("eval.py", "print(1)\n"),
    ])
    .unwrap()
}

/// Pieces of edits in any order.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n", "src/a.py\n", "src/b.py\n", "eval.py\n", "../x\n", "```\n",
            "```diff\n", "```src/a.py\n", "```/etc/x\n", "--- a/src/a.py\n", "+++ b/src/a.py\n", "--- /dev/null\n", "+++ /dev/null\n",
            "+++ b/../x\n", "@@ -1,2 +1,2 @@\n", "@@ -99999999999999999999,1 +1 @@\n", "@@ -1,4294967295 +1,9 @@\n", "@@\n", "@@ -é,+ @@\n",
            " x = 1\n", "-x = 1\n", "+x = 5\n", " y = 2\n", "-y = 2\n", "-z = 3\n", "+n\n", "\n", "\\ No newline at end of file\n",
            "diff --git a/src/a.py b/src/c.py\n", "diff --git é\n", "rename from src/a.py\n", "rename to src/c.py\n", "new file mode 1\n",
            "deleted file mode 1\n", "x = 1\ny = 2\n", "x = 1\n", "z = 3\n", "prose é∆\n", "-b\r\n", "+q\r\n", "- \u{1F600}\n", "<<<<<<<\n",
        ]).prop_map(String::from),
        1 => "(?s).{0,20}",
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        3 => prop::sample::select(vec![
            "file", "path", "find", "search", "replace", "text", "content", "delete", "diff", "edits", "parameter", "value", "name",
            "lr", "optim", "optim.name", "changes", "layers", "kind", "inner",
        ]).prop_map(String::from),
        1 => ".{0,6}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![
            "src/a.py", "eval.py", "../a", "/a", "x = 1", "y = 2", "", "lr", "adamw", "3e-3", "1e999", "é"
        ])
        .prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
enum Inner {
    A { lr: f64, inner: Option<Box<Inner>> },
    B { path: String },
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Outer {
    lr: f64,
    layers: Vec<u8>,
    optim: Inner,
    text: Option<String>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn edits(change in prop_oneof![text().prop_map(Value::from), value()], free: bool) {
        let codec = EditCodec::new(["src/**"]).unwrap();
        let codec = if free { codec.creating().deleting() } else { codec };
        let base = base();
        match codec.apply(&base, &change) {
            Ok(changed) => {
                prop_assert_ne!(&changed, &base, "it changes something");
                prop_assert_eq!(changed.get("eval.py"), base.get("eval.py"));
                for (path, _) in changed.iter() {
                    prop_assert!(path.starts_with("src/") || path == "eval.py", "{path}");
                }
                if !free {
                    prop_assert_eq!(changed.len(), base.len());
                }
                prop_assert!(!codec.difference(&base, &changed).is_empty());
            }
            Err(e) => prop_assert!(!e.to_string().trim().is_empty()),
        }
    }

    #[test]
    fn parameters(change in value()) {
        let space = ParamSpace::new().log_float("lr", 1e-4..=1e-1).choice("optim.name", ["adamw", "muon"]).int("layers", 1..=9)
            .when("optim.name", "muon").float("text", 0.0..=1.0).optional();
        let base = ParamSet::new().with("lr", 1e-3).with("optim.name", "adamw");
        match ParamCodec::over(space.clone()).apply(&base, &change) {
            Ok(changed) => prop_assert!(space.contains(&changed) && changed != base),
            Err(e) => prop_assert!(!e.to_string().is_empty()),
        }
    }

    #[test]
    fn structs(change in value()) {
        let base = Outer { lr: 1.0, layers: vec![1], optim: Inner::B { path: "p".into() }, text: None };
        let codec = JsonCodec::<Outer>::new();
        if let Ok(changed) = codec.apply(&base, &change) {
            prop_assert!(!codec.difference(&base, &changed).is_empty());
        }
    }

    /// A good edit beside one that cannot be made is not made either.
    #[test]
    fn all_or_nothing(bad in prop::sample::select(vec![
        json!({"file": "src/a.py", "find": "nowhere", "replace": ""}), json!({"file": "eval.py", "text": "x"}),
        json!({"file": "src/none.py", "text": "x"}), json!({"file": "src/a.py", "find": "x = 1", "replace": "x"}),
        json!({"file": "src/b.py", "delete": true}), json!({"file": "src/b.py", "find": "b\nc", "replace": "q"}),
    ]), first: bool) {
        let good = json!({"file": "src/b.py", "find": "c", "replace": "d"});
        let change = if first { json!([bad, good]) } else { json!([good, bad]) };
        let error = EditCodec::new(["src/**"]).unwrap().apply(&base(), &change).unwrap_err().to_string();
        prop_assert!(error.contains(bad["file"].as_str().unwrap()), "{error}");
    }
}
