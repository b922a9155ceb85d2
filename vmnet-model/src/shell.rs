//! Commands as a person pastes them into a shell.

/// A word that a shell takes for one word: as it is where that is safe, else in single quotes.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:@+=/,%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Words as one line.
#[must_use]
pub fn command_line(words: &[impl AsRef<str>]) -> String {
    words.iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart_and_nowhere_else() {
        let words = ["iperf3", "-c", "10.10.1.10", "-t", "10", "a;b", "", "it's", "$(reboot)"];
        assert_eq!(command_line(&words), r"iperf3 -c 10.10.1.10 -t 10 'a;b' '' 'it'\''s' '$(reboot)'");
    }
}
