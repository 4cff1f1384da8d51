//! First in, first out.

use super::{Curator, Ranking, Waiting};
use crate::arm::ProposalId;

/// First in, first out: the order in which ideas arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fifo;

impl Fifo {
    /// First in, first out.
    pub fn new() -> Self {
        Self
    }
}

impl Curator for Fifo {
    fn rank(&mut self, backlog: &[Waiting<'_>], _cx: &Ranking<'_>) -> Vec<ProposalId> {
        let mut order: Vec<&Waiting<'_>> = backlog.iter().collect();
        order.sort_by_key(|idea| idea.arrived);
        order.into_iter().map(|idea| idea.id).collect()
    }

    fn describe(&self) -> String {
        "fifo".into()
    }
}
