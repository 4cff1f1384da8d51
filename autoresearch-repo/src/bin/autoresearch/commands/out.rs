//! What goes to standard output.

use std::fmt::Display;
use std::io::Write;

/// Writes a result and ends the line. Whoever reads may have had enough (`| head`), which is no failure of the work.
pub(super) fn say(result: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{result}");
}
