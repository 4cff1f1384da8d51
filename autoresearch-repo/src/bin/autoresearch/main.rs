//! `autoresearch`: a repository under search, without writing Rust. `autoresearch --help` says the rest.

#[cfg(target_os = "linux")]
mod commands;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    commands::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!(
        "error: runs are kept apart by what Linux has for that; on another system use a Linux machine or container"
    );
    std::process::ExitCode::from(2)
}
