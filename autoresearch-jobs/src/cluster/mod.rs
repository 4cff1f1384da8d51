//! What launchers for clusters have in common: a folder of each launch on storage that driver and nodes share, the script that
//! runs the command there and writes down how it ended, and one look at the engine for all launches.

mod claim;
mod earlier;
mod folder;
mod follow;
mod poller;
mod program;
mod record;
mod script;

pub(crate) use claim::Claim;
pub(crate) use earlier::earlier;
pub(crate) use folder::{LaunchFolder, digest};
pub(crate) use follow::Follow;
pub(crate) use poller::{Poller, Watched};
pub(crate) use program::{NoAnswer, Said, run};
pub(crate) use record::Record;
pub(crate) use script::{Set, quoted};
