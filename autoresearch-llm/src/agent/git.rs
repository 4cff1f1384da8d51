//! A git repository in the folder, so that agents feel at home.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes the folder a repository with one commit of all that is there; files of the `hidden` names, which come later, it
/// will not see. Nothing depends on it; without git there is none.
///
/// Runs before the agent does, and never after: what an agent leaves in `.git` is nothing to run git upon.
pub(super) fn repository(folder: &Path, home: &Path, hidden: &[&str]) {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.env_clear().current_dir(folder).args(arguments);
        for name in ["PATH", "SystemRoot"] {
            if let Some(value) = std::env::var_os(name) {
                git.env(name, value);
            }
        }
        // Nothing of the user's own configuration, hooks or templates.
        git.env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", home.join("none"));
        git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        git.status().is_ok_and(|status| status.success())
    };
    let good = git(&["init", "--quiet", "--template="])
        && configure(folder)
        && hide(folder, hidden)
        && git(&["add", "--all", "--force"])
        && git(&["commit", "--quiet", "--allow-empty", "--no-verify", "--message", "The code to improve"]);
    if !good {
        tracing::debug!("no git repository could be made for the agent; it works in a plain folder");
    }
}

/// A committer, and no housekeeping: a commit would leave it running in the background.
fn configure(folder: &Path) -> bool {
    let text = "[user]\n\tname = autoresearch\n\temail = autoresearch@localhost\n[commit]\n\tgpgsign = false\n\
                [maintenance]\n\tauto = false\n[gc]\n\tauto = 0\n";
    let config = std::fs::File::options().append(true).open(folder.join(".git/config"));
    config.and_then(|mut config| config.write_all(text.as_bytes())).is_ok()
}

/// The prompt and the note about the proposal are no part of the code.
fn hide(folder: &Path, hidden: &[&str]) -> bool {
    let info = folder.join(".git/info");
    let lines: String = hidden.iter().map(|name| format!("/{name}\n")).collect();
    std::fs::create_dir_all(&info).is_ok() && std::fs::write(info.join("exclude"), lines).is_ok()
}
