//! Words and shell patterns of a `.link` file, as systemd reads them.

use std::ffi::CString;

/// What quotes mean in a value (`extract_first_word` of systemd).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// They hold white space together and fall away. A backslash is left to the pattern.
    Unquote,
    /// They are letters like others, and it is the backslash that falls away: for addresses and interface names.
    Literal,
}

/// The words of a value. An unbalanced quote ends them, as it does for systemd, which keeps those before it.
pub(super) fn words(value: &str, quotes: Quotes) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = value.chars().peekable();
    loop {
        while rest.next_if(|letter| letter.is_ascii_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return words;
        }
        let mut word = String::new();
        let mut open: Option<char> = None;
        while let Some(letter) = rest.next_if(|letter| open.is_some() || !letter.is_ascii_whitespace()) {
            match letter {
                '"' | '\'' if quotes == Quotes::Unquote && open.is_none() => open = Some(letter),
                _ if open == Some(letter) => open = None,
                '\\' if quotes == Quotes::Literal => word.extend(rest.next()),
                _ => word.push(letter),
            }
        }
        if open.is_some() {
            return words;
        }
        words.push(word);
    }
}

/// `fnmatch(3)`, which is what systemd calls: the same pattern means the same here. False for what cannot be a C string.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    fnmatch(pattern, text, 0)
}

/// The same for a host name, where letter case does not count.
pub(super) fn glob_any_case(pattern: &str, text: &str) -> bool {
    fnmatch(pattern, text, libc::FNM_CASEFOLD)
}

fn fnmatch(pattern: &str, text: &str, flags: libc::c_int) -> bool {
    let (Ok(pattern), Ok(text)) = (CString::new(pattern), CString::new(text)) else { return false };
    // SAFETY: both are C strings that live through the call, which only reads them.
    unsafe { libc::fnmatch(pattern.as_ptr(), text.as_ptr(), flags) == 0 }
}

/// Whether a list of patterns holds for a text, or for its absence: any of those without a `!`, and none of those with one
/// (`net_condition_test_strv`). A list of refusals alone holds for all that they do not refuse, and for what is absent.
pub(super) fn list_holds(patterns: &[String], text: Option<&str>) -> bool {
    let matches = |pattern: &str| text.is_some_and(|text| glob(pattern, text));
    let refused = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!'));
    let mut wanted = patterns.iter().filter(|pattern| !pattern.starts_with('!')).peekable();
    !refused.into_iter().any(matches) && (wanted.peek().is_none() || wanted.any(|pattern| matches(pattern)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_split_as_systemd_splits_them() {
        for (value, unquoted, literal) in [
            ("a b\tc", &["a", "b", "c"][..], &["a", "b", "c"][..]),
            ("  ", &[], &[]),
            (r#""a b" c"#, &["a b", "c"], &["\"a", "b\"", "c"]),
            ("'a \"b' c", &["a \"b", "c"], &["'a", "\"b'", "c"]),
            (r#"x"a b"y"#, &["xa by"], &["x\"a", "b\"y"]),
            (r"a\*b", &[r"a\*b"], &["a*b"]),
            (r#""a\"b"#, &[r"a\b"], &["\"a\"b"]),
            (r#"a "b c"#, &["a"], &["a", "\"b", "c"]),
            (r#""""#, &[""], &["\"\""]),
        ] {
            assert_eq!(words(value, Quotes::Unquote), unquoted, "{value}");
            assert_eq!(words(value, Quotes::Literal), literal, "{value}");
        }
    }

    #[test]
    fn a_list_holds_by_one_that_is_wanted_and_none_that_is_refused() {
        for (patterns, text, expected) in [
            (&["*-usb-*"][..], Some("pci-0000:00:14.0-usb-0:3:1.0"), true),
            (&["*-usb-*"], Some("pci-0000:00:03.0"), false),
            (&["*-usb-*"], None, false),
            (&["*"], None, false),
            (&["!*-usb-*"], None, true),
            (&["!*-usb-*"], Some("pci-0000:00:03.0"), true),
            (&["!*-usb-*"], Some("a-usb-b"), false),
            (&["e100*", "virtio?net"], Some("virtio_net"), true),
            (&["virtio*", "!virtio_net"], Some("virtio_net"), false),
            (&["!a", "b"], Some("c"), false),
            (&["!a", "!b"], Some("c"), true),
            (&["[!a]", "x"], Some("b"), true),
            (&["[^a]b"], Some("ab"), false),
            (&[r"a\*"], Some("a*"), true),
            (&[r"a\*"], Some("ab"), false),
            (&["**"], Some("a/b"), true),
            (&["[a"], Some("[a"), true),
            (&[""], Some(""), true),
        ] {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            assert_eq!(list_holds(&patterns, text), expected, "{patterns:?} {text:?}");
        }
    }

    #[test]
    fn letter_case_counts_but_for_hosts() {
        assert!(!glob("Web*", "web1") && glob_any_case("Web*", "web1"));
        assert!(!glob("a\0b", "a"));
    }

    proptest! {
        #[test]
        fn any_value_has_words_and_any_pattern_an_answer(value in r#"[a*?!\[\]"'\\ ]{0,30}"#, text in "[a*]{0,12}") {
            for quotes in [Quotes::Unquote, Quotes::Literal] {
                list_holds(&words(&value, quotes), Some(&text));
            }
        }
    }
}
