//! Running other programs.
use anyhow::{Result, anyhow, bail};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

/// Python as its user would start it: torch-sys looks for it in the same way.
pub(crate) fn python() -> Command {
    let in_environment = std::env::var_os("VIRTUAL_ENV").is_some();
    Command::new(if cfg!(windows) || in_environment { "python" } else { "python3" })
}

/// Cargo, free of what the cargo that started xtask has put into the environment for xtask: build scripts that ask for
/// one of those variables would run again at every change between the two.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(belongs_to_a_package) {
            cargo.env_remove(name);
        }
    }
    cargo.current_dir(crate::workspace::root());
    cargo
}

fn belongs_to_a_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"].contains(&name)
}

/// Replaces this process, as cargo does in turn. So what it runs is the very process that the user has started: each
/// signal reaches it, Ctrl-C or another, and nothing stands between its exit status and the shell.
#[cfg(unix)]
pub(crate) fn become_it(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let why = command.exec();
    Err(not_started(&command, &why))
}

/// Elsewhere Ctrl-C goes to all processes of the console. This one stays until the other is done with it.
#[cfg(not(unix))]
pub(crate) fn become_it(mut command: Command) -> Result<ExitCode> {
    anyhow::Context::context(ctrlc::set_handler(|| {}), "Ctrl-C cannot be handled")?;
    let status = command.status().map_err(|why| not_started(&command, &why))?;
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        code => ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
    })
}

/// Runs a program whose output goes to the terminal; its standard input is closed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().map_err(|why| not_started(command, &why))?;
    if !status.success() {
        bail!("{} ended with {status}", name(command));
    }
    Ok(())
}

/// Runs a program and returns what it printed. What it has to say on standard error becomes the error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().map_err(|why| not_started(command, &why))?;
    if !status.success() {
        let stderr = String::from_utf8_lossy(&stderr);
        let last = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        bail!("{} ended with {status}: {last}", name(command));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

fn not_started(command: &Command, why: &std::io::Error) -> anyhow::Error {
    let program = command.get_program().display();
    match why.kind() {
        ErrorKind::NotFound => anyhow!("{program} is not installed, or not in PATH"),
        _ => anyhow!("{program} cannot be started: {why}"),
    }
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let mut line = name(command);
    for argument in command.get_args().map(|argument| argument.to_string_lossy()) {
        line.push(' ');
        if argument.is_empty() || argument.contains([' ', '\n', '\'', '"']) {
            line.push_str(&format!("'{}'", argument.replace('\'', r"'\''")));
        } else {
            line.push_str(&argument);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_typed_again() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "a b", "it's"]);
        assert_eq!(line(&command), r"cargo test 'a b' 'it'\''s'");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert_eq!(error.to_string(), "no-such-program-here is not installed, or not in PATH");
    }

    #[test]
    fn variables_of_the_package_are_told_from_those_of_the_user() {
        assert!(belongs_to_a_package("CARGO_PKG_VERSION") && belongs_to_a_package("CARGO_MANIFEST_DIR"));
        assert!(!belongs_to_a_package("CARGO_TARGET_DIR") && !belongs_to_a_package("CARGO_HOME"));
    }
}
