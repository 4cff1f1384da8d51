//! Merging changes of trees.

use autoresearch_core::{Change, Compose};
use autoresearch_llm::{Files, TreeMerge};
use proptest::prelude::*;

fn one(text: &str) -> Files {
    Files::new([("a.py", text)]).unwrap()
}

const PARENT: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";

#[test]
fn changes_of_different_places_merge_and_of_the_same_clash() {
    let (parent, merge) = (one(PARENT), TreeMerge::new());
    let (early, late) = (one(&PARENT.replace('2', "two")), one(&PARENT.replace('8', "eight")));
    let both = one(&PARENT.replace('2', "two").replace('8', "eight"));
    assert_eq!(merge.apply(&early, &parent, &late).unwrap(), both);
    assert_eq!(merge.apply(&late, &parent, &early).unwrap(), both);
    let other = one(&PARENT.replace('2', "zwei"));
    let conflict = merge.apply(&other, &parent, &early).unwrap_err();
    assert_eq!(
        conflict.to_string(),
        "conflict in a.py:2: both sides change the same or adjoining lines, in different ways"
    );
    assert_eq!(merge.apply(&early, &parent, &early).unwrap(), early, "the same change twice is that change");
    let gone = Files::default();
    assert_eq!(merge.apply(&parent, &parent, &gone).unwrap(), gone);
    assert!(merge.apply(&early, &parent, &gone).unwrap_err().reason.contains("and the other deletes it"));
    assert!(merge.apply(&gone, &parent, &early).unwrap_err().reason.starts_with("one side deletes"));
    let made = |text: &str| Files::new([("a.py", PARENT), ("b.py", text)]).unwrap();
    assert!(merge.apply(&made("x"), &parent, &made("y")).unwrap_err().reason.starts_with("both sides make"));
    assert_eq!(merge.apply(&made("x"), &parent, &early).unwrap().get("b.py"), Some("x"));
}

#[test]
fn a_change_splits_into_passages_that_stand_alone() {
    let (parent, merge) = (one(PARENT), TreeMerge::new());
    let edited =
        Files::new([("a.py", PARENT.replace('2', "two").replace('8', "eight").as_str()), ("b.py", "new\n")])
            .unwrap();
    let units = merge.units(&parent, &edited);
    let texts: Vec<_> =
        units.iter().map(|u| (u.edited.get("a.py").unwrap().to_string(), u.edited.get("b.py"))).collect();
    assert_eq!(
        texts,
        [
            (PARENT.replace('2', "two"), None),
            (PARENT.replace('8', "eight"), None),
            (PARENT.to_string(), Some("new\n")),
        ]
    );
    // Close to each other they are one.
    let near = one(&PARENT.replace('2', "two").replace('4', "four"));
    assert_eq!(merge.units(&parent, &near).len(), 1);
    // A renamed file is one change.
    let moved = Files::new([("b.py", PARENT)]).unwrap();
    let units = merge.units(&parent, &moved);
    assert_eq!((units.len(), &units[0].edited), (1, &moved));
}

#[test]
fn a_later_change_needs_the_earlier_one_only_where_they_touch() {
    let merge = TreeMerge::new();
    let parent = one(PARENT);
    let early = one(&PARENT.replace('2', "two"));
    let far = one(&PARENT.replace('2', "two").replace('8', "eight"));
    let upon = one(&PARENT.replace('2', "TWO"));
    fn change<'a>(parent: &'a Files, edited: &'a Files) -> Change<'a, Files> {
        Change { parent, edited }
    }
    assert!(!merge.needs(change(&early, &far), change(&parent, &early)));
    assert!(merge.needs(change(&early, &upon), change(&parent, &early)));
}

#[test]
fn coverage_is_the_share_of_editable_lines() {
    let tree = |a: &str, b: &str| Files::new([("a.py", a), ("b.py", b)]).unwrap();
    let (from, to) = (tree("1\n2\n3\n4\n", "x\n"), tree("1\ntwo\n3\n4\n", "y\n"));
    assert_eq!(TreeMerge::over(["a.py"]).unwrap().coverage(&from, &to), Some(0.25));
    assert_eq!(TreeMerge::new().coverage(&from, &to), Some(0.4));
    assert_eq!(TreeMerge::over(["c.py"]).unwrap().coverage(&from, &to), None);
}

fn tree() -> impl Strategy<Value = Files> {
    let text = prop::collection::vec("[ab]{0,1}", 0..12).prop_map(|lines| lines.join("\n"));
    prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), text, 0..3)
        .prop_map(|files| Files::new(files).unwrap())
}

proptest! {
    #[test]
    fn the_laws_hold(parent in tree(), edited in tree(), base in tree()) {
        let merge = TreeMerge::new();
        prop_assert_eq!(merge.apply(&parent, &parent, &edited).unwrap(), edited.clone());
        prop_assert_eq!(merge.apply(&base, &parent, &parent).unwrap(), base);
        // All units, one after the other, are the change.
        let units = merge.units(&parent, &edited);
        prop_assert_eq!(units.is_empty(), parent == edited);
        let mut stack = parent.clone();
        for unit in &units {
            prop_assert_ne!(&unit.edited, &parent);
            stack = merge.switch(&stack, &parent, unit).unwrap();
        }
        prop_assert_eq!(stack, edited);
    }
}
