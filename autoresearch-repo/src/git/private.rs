//! A repository without anybody's configuration, on the objects of another.

use super::{Git, GitError};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

/// Where it is, in the other one's folder: no task has this name.
const PLACE: &str = "autoresearch/.merge";

impl Git {
    /// A call that sees the objects of the repository and nothing else of it: no `config`, which may name drivers of merges, and no
    /// `info/attributes`, which may choose one.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(super) fn apart(&self) -> Result<Command, GitError> {
        let dir = self.private().map_err(|why| {
            GitError::new(format!("{} cannot be made: {why}", self.dir.join(PLACE).display()))
        })?;
        let mut command = self.command();
        command.env("GIT_DIR", &dir).env("GIT_WORK_TREE", &dir);
        command.env("GIT_OBJECT_DIRECTORY", self.dir.join("objects"));
        Ok(command)
    }

    /// As much as git takes for a repository. What is in it is always the same, whoever makes it.
    fn private(&self) -> io::Result<PathBuf> {
        let dir = self.dir.join(PLACE);
        if dir.join("HEAD").is_file() {
            return Ok(dir);
        }
        fs::create_dir_all(dir.join("refs"))?;
        let format = match self.long_names() {
            true => {
                "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = sha256\n"
            }
            false => "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
        };
        // The last one makes it one.
        for (name, text) in [("config", format), ("HEAD", "ref: refs/heads/none\n")] {
            let half = dir.join(format!(".{name}-{}", crate::work::unique()));
            fs::write(&half, text)?;
            fs::rename(half, dir.join(name))?;
        }
        Ok(dir)
    }
}
