//! What may be claimed of a finished study: what was kept is tested again, on fresh runs.
//!
//! A certification is itself a study: its incumbent is the origin, its proposals are the parts of the kept stack, and
//! its acceptor is a panel that plans exactly the runs that are wanted. So it is stored, resumed, retried, cancelled and
//! run in parallel like any other. `lineage` reads the parts from the study's events, `units` says what can only be
//! switched together, `design` which runs leave which out, `judge` turns runs into estimates, `panel` is the order of
//! things, `result` and `prose` what comes out, `pure` and `run` are the two ways to drive it.

mod batch;
mod design;
mod judge;
mod lineage;
mod outcome;
mod panel;
mod prose;
mod pure;
mod result;
mod rules;
mod run;
mod speed;
mod units;

pub use pure::Certification;
pub use result::{Certified, CertifiedPart, CertifyCost, Total, Transfer, Verdict as PartVerdict};
pub use rules::CertifyRules;
pub use run::{Certify, certify};
pub use speed::TimeToBaseline;
