//! Folders that runs work in: made from a tree, checked byte by byte after a run, and gone in the end.

mod disk;
mod folder;
mod pool;
mod unique;
mod verify;

pub(crate) use folder::Folder;
pub(crate) use pool::{Pool, Scratch};
pub(crate) use unique::unique;
pub(crate) use verify::Verified;
