//! Whether a pattern could mean the interface.

use super::Target;

/// Shell patterns as in `.link` files and netplan: `*` and `?`; one with brackets is taken to match.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    if pattern.contains('[') {
        return true;
    }
    // Each `*` takes as little as lets the rest match; only the last one need be taken back (so this is linear, but for that one).
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(from) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(wanted) if wanted == letter || *wanted == '?' => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|letter| *letter == '*')
}

/// Whether one of the patterns could mean one of the interface's names.
pub(super) fn names(patterns: &[&str], target: &Target) -> bool {
    patterns.iter().any(|pattern| target.names.iter().any(|name| glob(pattern, name)))
}

/// Whether one of the addresses is the interface's, however it is written (`52:54:…`, `52-54-…`, `5254.…`).
pub(super) fn macs(addresses: &[&str], target: &Target) -> bool {
    let digits = |text: &str| text.to_ascii_lowercase().replace([':', '-', '.'], "");
    let own = target.mac_address.as_deref().map(digits);
    addresses.iter().any(|address| Some(digits(address)) == own)
}

/// A device as a script names it: an interface's name, or a variable that could be any.
pub(super) fn script_device(word: &str, target: &Target) -> bool {
    let word = word.trim_matches(['"', '\'', ';']);
    word.contains(['$', '%', '{', '*']) || target.names.iter().any(|name| name == word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, text, expected) in [
            ("*", "ens4", true),
            ("ens?", "ens4", true),
            ("en*4", "ens4", true),
            ("en*5", "ens4", false),
            ("*s*", "ens4", true),
            ("ens", "ens4", false),
            ("", "", true),
            ("en[a-z]4", "ens4", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let target = Target { mac_address: Some("52:54:00:12:34:56".to_owned()), ..Target::default() };
        assert!(macs(&["52-54-00-12-34-56"], &target) && macs(&["5254.0012.3456"], &target));
        assert!(!macs(&["52:54:00:12:34:57"], &target) && !macs(&[""], &Target::default()));
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_with_stars_put_in(text in "[a-z0-9]{0,12}", at in 0usize..12) {
            let at = at.min(text.len());
            let pattern = [&text[..at], "*", &text[at..]].concat();
            prop_assert!(glob(&pattern, &text));
            prop_assert!(glob(&text, &text));
        }

        #[test]
        fn any_pattern_ends(pattern in "[*?a]{0,40}", text in "a{0,40}") {
            let _ = glob(&pattern, &text);
        }
    }
}
