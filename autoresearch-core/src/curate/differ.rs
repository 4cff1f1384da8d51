//! Sets for one experiment: what is tried side by side has to compose, so no two of a set may switch the same.

use super::Waiting;
use crate::arm::ProposalId;
use std::collections::HashSet;

/// Takes ideas that share a key with a better one out of the first `wanted`, as far as others can take their place. Those
/// passed over come right after the set.
pub(super) fn apart(order: &[&Waiting<'_>], wanted: usize) -> Vec<ProposalId> {
    let mut taken: HashSet<&str> = HashSet::new();
    let (mut set, mut later) = (Vec::with_capacity(order.len()), Vec::new());
    for idea in order {
        if set.len() < wanted && idea.keys.iter().any(|key| taken.contains(&**key)) {
            later.push(idea.id);
            continue;
        }
        if set.len() == wanted {
            set.append(&mut later);
        }
        if set.len() < wanted {
            taken.extend(idea.keys.iter().map(|key| &**key));
        }
        set.push(idea.id);
    }
    set.append(&mut later);
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propose::Hypothesis;
    use std::sync::Arc;

    #[test]
    fn alternatives_are_not_tried_side_by_side() {
        let idea = Hypothesis::default();
        let (a, b): ([Arc<str>; 1], [Arc<str>; 1]) = (["a".into()], ["b".into()]);
        let waiting = |id, keys| Waiting::new(ProposalId(id), &idea, id).keys(keys);
        let all = [waiting(1, &a), waiting(2, &a), waiting(3, &b), waiting(4, &a)];
        let all: Vec<&Waiting<'_>> = all.iter().collect();
        assert_eq!(apart(&all, 1).iter().map(|p| p.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(apart(&all, 2).iter().map(|p| p.0).collect::<Vec<_>>(), [1, 3, 2, 4]);
        // Where nobody else can take the place, alternatives have to do.
        assert_eq!(apart(&all, 3).iter().map(|p| p.0).collect::<Vec<_>>(), [1, 3, 2, 4]);
    }
}
