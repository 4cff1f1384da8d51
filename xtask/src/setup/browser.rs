//! A browser without a window: for the tests that look at pages.
use super::apt;
use anyhow::Result;

/// Any of these will do; the first is what is installed where there is none.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Installs Chromium where there is no such browser, as far as that can be done, and says what was done.
pub(crate) fn run() -> Result<()> {
    let outcome = match PROGRAMS.iter().find(|program| apt::in_path(program)) {
        Some(program) => Ok(format!("there is {program}")),
        None => apt::install(&[("chromium", "chromium")]),
    };
    match outcome {
        Ok(said) => println!("Browser: {said}"),
        Err(why) => println!(
            "Browser: SKIPPED: {why:#}\nTests that look at pages in a browser say so and are left out; AUTORESEARCH_BROWSER names one."
        ),
    }
    Ok(())
}
