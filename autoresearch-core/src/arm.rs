//! Proposals, runs, and the sets of proposals that runs train.

use serde::{Deserialize, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// A proposal's number, counted from 1 in the order in which proposals were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProposalId(pub u64);

/// A run's number, counted from 1 in the order in which runs were planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

/// The number of a question put to the holdout or the test split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuestionId(pub u64);

/// How often the incumbent has changed: 0 is the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u32);

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// A proposal in an arm, or one of the units that it is made of.
///
/// Units are what [`Compose::units`](crate::Compose::units) splits a change into: what can be switched alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// Whose change it is.
    pub proposal: ProposalId,
    /// Which unit of the change, in the order of [`Compose::units`](crate::Compose::units); `None`: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<u16>,
}

impl From<ProposalId> for Part {
    fn from(proposal: ProposalId) -> Self {
        Self { proposal, unit: None }
    }
}

/// A set of changes applied to the incumbent, oldest proposal first. The empty arm is the incumbent itself.
///
/// ```
/// use autoresearch_core::{Arm, ProposalId};
/// let stack: Arm = [ProposalId(7), ProposalId(3)].into_iter().collect();
/// assert_eq!(stack.to_string(), "{3,7}");
/// assert!(Arm::incumbent().is_incumbent());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Part>")]
pub struct Arm(Parts);

impl Arm {
    /// The incumbent itself.
    pub fn incumbent() -> Self {
        Self::default()
    }

    /// One proposal on the incumbent.
    pub fn single(proposal: ProposalId) -> Self {
        Self(Parts::One(proposal.into()))
    }

    /// Whether nothing is switched on.
    pub fn is_incumbent(&self) -> bool {
        self.0.is_empty()
    }

    /// What is switched on, sorted.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The proposals that have something switched on, oldest first.
    pub fn proposals(&self) -> impl Iterator<Item = ProposalId> + '_ {
        let mut last = None;
        self.0.iter().filter_map(move |part| {
            let new = last != Some(part.proposal);
            last = Some(part.proposal);
            new.then_some(part.proposal)
        })
    }

    /// Whether everything of `other` is switched on here.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.iter().all(|part| self.0.binary_search(part).is_ok())
    }

    /// This arm with everything of `other` switched on as well.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.0.iter().chain(other.0.iter()).copied().collect()
    }

    /// This arm with nothing of `other` switched on.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.0.iter().filter(|part| other.0.binary_search(part).is_err()).copied().collect()
    }

    /// This arm with `part` switched on as well.
    #[must_use]
    pub fn with(&self, part: impl Into<Part>) -> Self {
        self.0.iter().copied().chain([part.into()]).collect()
    }
}

/// A list that needs no memory of its own for one part: nearly all arms have no more, and they are copied a lot.
#[derive(Clone, Default)]
enum Parts {
    #[default]
    None,
    One(Part),
    Many(Vec<Part>),
}

impl Deref for Parts {
    type Target = [Part];

    fn deref(&self) -> &[Part] {
        match self {
            Self::None => &[],
            Self::One(part) => std::slice::from_ref(part),
            Self::Many(parts) => parts,
        }
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for Parts {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Parts {}

impl Hash for Parts {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl PartialOrd for Parts {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Parts {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Serialize for Parts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl From<Vec<Part>> for Arm {
    fn from(mut parts: Vec<Part>) -> Self {
        parts.sort_unstable();
        parts.dedup();
        Self(match parts[..] {
            [] => Parts::None,
            [one] => Parts::One(one),
            _ => Parts::Many(parts),
        })
    }
}

impl<P: Into<Part>> FromIterator<P> for Arm {
    fn from_iter<I: IntoIterator<Item = P>>(parts: I) -> Self {
        parts.into_iter().map(Into::into).collect::<Vec<Part>>().into()
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, part) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{}", part.proposal.0)?;
            if let Some(unit) = part.unit {
                write!(f, "/{unit}")?;
            }
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::DefaultHasher;

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        let part = (0..4u64, proptest::option::of(0..3u16));
        let part = part.prop_map(|(p, unit)| Part { proposal: ProposalId(p), unit });
        proptest::collection::vec(part, 0..5)
    }

    fn hash(x: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        x.hash(&mut hasher);
        hasher.finish()
    }

    fn sorted(mut parts: Vec<Part>) -> Vec<Part> {
        parts.sort();
        parts.dedup();
        parts
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// However an arm keeps its parts, it compares, hashes, prints and is stored as the list of them.
        #[test]
        fn an_arm_is_the_sorted_list_of_its_parts(a in parts(), b in parts()) {
            let (list, other) = (sorted(a.clone()), sorted(b.clone()));
            let (arm, also) = (Arm::from(a), Arm::from(b));
            prop_assert_eq!(arm.parts(), &list[..]);
            prop_assert_eq!(arm == also, list == other);
            prop_assert_eq!(arm.cmp(&also), list.cmp(&other));
            prop_assert_eq!(arm.partial_cmp(&also), list.partial_cmp(&other));
            prop_assert_eq!(hash(&arm), hash(&list));
            prop_assert_eq!(format!("{:?}", arm), format!("Arm({list:?})"));
            let (json, of_list) = (serde_json::to_string(&arm), serde_json::to_string(&list));
            let (json, of_list) = (json.expect("it can be written"), of_list.expect("it can be written"));
            prop_assert_eq!(&json, &of_list);
            prop_assert_eq!(serde_json::from_str::<Arm>(&json).expect("it can be read"), arm);
        }
    }

    #[test]
    fn one_part_is_one_part_however_it_came_about() {
        let (one, two) = (Part::from(ProposalId(1)), Part::from(ProposalId(2)));
        let many = Arm::from(vec![two, one]);
        let ways = [
            Arm::single(ProposalId(1)),
            Arm::from(vec![one, one]),
            many.without(&Arm::single(ProposalId(2))),
            Arm::incumbent().with(one),
            Arm::incumbent().and(&Arm::from(vec![one])),
        ];
        for arm in &ways {
            assert_eq!((arm, hash(arm)), (&ways[0], hash(&ways[0])));
            assert!(matches!(arm.0, Parts::One(_)), "{arm:?} needs memory of its own");
        }
        assert!(matches!(many.without(&many).0, Parts::None));
    }
}
