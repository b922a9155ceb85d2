//! What a script expects (`--expect`), and the exit code for what came.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::report::kit::format::printable;

/// Something else than was expected.
const UNEXPECTED: u8 = 3;
/// Not known.
const UNDECIDED: u8 = 4;

/// One expectation, and what came.
pub(super) struct Expected<'a> {
    /// As given to the option.
    pub(super) given: &'a str,
    /// The same of what came.
    pub(super) found: &'a str,
    /// Whether that is what was expected.
    pub(super) is_met: bool,
    /// Whether it is not known what came.
    pub(super) is_undecided: bool,
}

/// The exit code of them all: what is not met comes before what is undecided. Either is said on standard error, as a log shows no exit code.
pub(super) fn exit_code<'a>(expected: impl IntoIterator<Item = Expected<'a>>) -> ExitCode {
    let mut worst = 0;
    for one in expected {
        let code = code(&one);
        if code != 0 {
            let said = printable(&format!("expected {}, found {}: exit code {code}", one.given, one.found));
            let _ = writeln!(io::stderr(), "vmnet: {said}");
        }
        worst = worse(worst, code);
    }
    ExitCode::from(worst)
}

fn code(expected: &Expected<'_>) -> u8 {
    match (expected.is_met, expected.is_undecided) {
        (true, _) => 0,
        (false, true) => UNDECIDED,
        (false, false) => UNEXPECTED,
    }
}

fn worse(one: u8, other: u8) -> u8 {
    match [one, other].contains(&UNEXPECTED) {
        true => UNEXPECTED,
        false => one.max(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_met_comes_before_what_is_not_known() {
        let code_of = |is_met, is_undecided| {
            code(&Expected { given: "engaged", found: "software", is_met, is_undecided })
        };
        assert_eq!([code_of(true, false), code_of(false, false), code_of(false, true)], [0, 3, 4]);
        assert_eq!([worse(0, 4), worse(4, 3), worse(3, 4), worse(0, 0)], [4, 3, 3, 0]);
    }
}
