use similar::TextDiff;

use super::FileChange;

/// A unified diff with terminal control made visible.
pub(super) fn unified(change: &FileChange) -> String {
    let path = change.path.display().to_string();
    let before = change.before.as_deref().unwrap_or_default();
    let from = if change.before.is_some() { path.as_str() } else { "/dev/null" };
    let diff = TextDiff::from_lines(before, &change.after).unified_diff().header(from, &path).to_string();
    diff.split_inclusive('\n').map(without_secret).collect::<String>().chars().map(visible).collect()
}

/// Keyfiles hold passwords, and what is around a change is shown on screens.
fn without_secret(line: &str) -> String {
    match line.split_once('=') {
        Some((key, _))
            if ["password", "psk", "secret", "key", "pin"].iter().any(|word| key.ends_with(word)) =>
        {
            format!("{key}=(not shown)\n")
        }
        _ => line.to_owned(),
    }
}

fn visible(c: char) -> String {
    if c.is_control() && !matches!(c, '\n' | '\t') { c.escape_default().to_string() } else { c.to_string() }
}
