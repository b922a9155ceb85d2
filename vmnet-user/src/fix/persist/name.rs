//! Interface names in other programs' syntax. The kernel allows quotes, `$`, `*`, control characters and more.

use super::PersistError;

/// IFNAMSIZ without its final NUL.
const LENGTH_MOST_BYTES: usize = 15;

/// As `dev_valid_name` (6.12) has it.
pub(super) fn check(name: &str) -> Result<(), PersistError> {
    let refused = |c: char| matches!(c, '/' | ':' | '\0') || c.is_ascii_whitespace() || c == '\u{b}';
    if name.is_empty()
        || name.len() > LENGTH_MOST_BYTES
        || matches!(name, "." | "..")
        || name.contains(refused)
    {
        return Err(PersistError::NotAName(name.to_owned()));
    }
    Ok(())
}

/// Part of a file name: every byte that a shell, a glob or a reader could stumble over as `_` and two hex digits.
pub(super) fn for_file(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
            _ => format!("_{byte:02x}"),
        })
        .collect()
}

/// A glob that matches this name and no other. Characters that need quoting or mean something to `syntax` are refused.
pub(super) fn as_glob(name: &str, syntax: &'static str) -> Result<String, PersistError> {
    name.chars()
        .map(|c| match c {
            '*' | '?' | '[' => Ok(format!("[{c}]")),
            _ if is_plain(c) || c == ']' => Ok(c.to_string()),
            _ => Err(refused(name, syntax, c)),
        })
        .collect()
}

/// For a command line that `syntax` splits and substitutes: plain characters only, and no option.
pub(super) fn as_argument<'n>(name: &'n str, syntax: &'static str) -> Result<&'n str, PersistError> {
    not_an_option(name, syntax)?;
    match name.chars().find(|c| !is_plain(*c)) {
        Some(c) => Err(refused(name, syntax, c)),
        None => Ok(name),
    }
}

/// ethtool and ip take a leading `-` for an option.
pub(super) fn not_an_option(name: &str, syntax: &'static str) -> Result<(), PersistError> {
    if name.starts_with('-') {
        return Err(PersistError::NameNotExpressible {
            name: name.to_owned(),
            syntax,
            why: "ethtool would take it for an option".to_owned(),
        });
    }
    Ok(())
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+' | ',' | '=' | '~')
}

fn refused(name: &str, syntax: &'static str, c: char) -> PersistError {
    PersistError::NameNotExpressible { name: name.to_owned(), syntax, why: format!("because of {c:?}") }
}
