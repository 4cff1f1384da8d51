//! What a policy promises of what it keeps.

use autoresearch_core::Guarantee;

/// What a policy of the library promises, by what it says of itself; `None`: it is another one, whose promise no store has.
pub(super) fn promise(policy: &str) -> Option<Guarantee> {
    let name = policy.split_whitespace().next()?;
    let alpha = || {
        let (_, rest) = policy.split_once("alpha")?;
        let rest = rest.trim_start_matches([':', '=', ' ']);
        let end =
            rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | 'e' | '-'))).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok().filter(|alpha| (0.0..=1.0).contains(alpha))
    };
    match name {
        "guarded" | "factorial" | "scout" => alpha().map(Guarantee::FalseDiscoveryRate),
        "fast" | "sequential" | "fixed-paired" => alpha().map(Guarantee::PerProposal),
        "greedy" | "margin" => Some(Guarantee::None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoresearch_core::{
        Acceptor, Factorial, Fast, FixedPaired, Greedy, Guarded, Margin, Scout, Sequential,
    };

    #[test]
    fn every_policy_of_the_library_is_known_by_its_description() {
        let all: [Box<dyn Acceptor>; 8] = [
            Box::new(Guarded::new()),
            Box::new(Factorial::new()),
            Box::new(Scout::new()),
            Box::new(Fast::new()),
            Box::new(Sequential::new()),
            Box::new(FixedPaired::new()),
            Box::new(Greedy::new()),
            Box::new(Margin::new(2.0)),
        ];
        for policy in all {
            assert_eq!(promise(&policy.describe()), Some(policy.guarantee()), "{}", policy.describe());
        }
        assert_eq!(promise("keep-nothing"), None);
        assert_eq!(promise("guarded alpha=many"), None);
    }
}
