//! Comparing a version, or a field of the firmware, with an expression such as `>=6.1 <7` (`ConditionVersion=` in systemd.unit(5), 252 to
//! 257).

use std::cmp::Ordering;

use super::pattern::{Quotes, glob, words};

/// Longest first, so that none is taken for the beginning of another. `=` compares strings since 251, and versions before: it
/// differs for `6.01` and `6.1` alone.
const OPERATORS: [(&str, Operator); 12] = [
    ("!=$", Operator::NotLike),
    ("!$=", Operator::NotLike),
    ("=$", Operator::Like),
    ("$=", Operator::Like),
    ("<>", Operator::Order(|order| order.is_ne())),
    ("<=", Operator::Order(|order| order.is_le())),
    (">=", Operator::Order(|order| order.is_ge())),
    ("==", Operator::Order(|order| order.is_eq())),
    ("!=", Operator::Differs),
    ("<", Operator::Order(|order| order.is_lt())),
    (">", Operator::Order(|order| order.is_gt())),
    ("=", Operator::Is),
];

#[derive(Clone, Copy)]
enum Operator {
    Is,
    Differs,
    Like,
    NotLike,
    Order(fn(Ordering) -> bool),
}

/// Whether all expressions of a list hold for `actual`. None where the list cannot be read, for which systemd holds the condition to
/// fail.
pub(super) fn all_hold(expressions: &str, actual: &str) -> Option<bool> {
    let mut words = words(expressions, Quotes::Unquote).into_iter();
    let mut first = true;
    while let Some(word) = words.next() {
        let (operator, operand) = split(word.trim());
        // White space may follow the operator of the first expression.
        let operand = match operand.trim_start() {
            "" if first => words.next()?,
            "" => return None,
            operand => operand.to_owned(),
        };
        if !holds(operator.unwrap_or(Operator::Like), actual, &operand) {
            return Some(false);
        }
        first = false;
    }
    Some(true)
}

/// Whether one expression that has an operator holds for `actual`. None where it has none, or nothing to compare with.
pub(super) fn one_holds(expression: &str, actual: &str) -> Option<bool> {
    let (operator, operand) = split(expression);
    match words(operand, Quotes::Unquote).as_slice() {
        [operand] => Some(holds(operator?, actual, operand)),
        _ => None,
    }
}

fn split(expression: &str) -> (Option<Operator>, &str) {
    OPERATORS
        .iter()
        .find_map(|(sign, operator)| Some((Some(*operator), expression.strip_prefix(sign)?)))
        .unwrap_or((None, expression))
}

fn holds(operator: Operator, actual: &str, operand: &str) -> bool {
    match operator {
        Operator::Is => actual == operand,
        Operator::Differs => actual != operand,
        Operator::Like => glob(operand, actual),
        Operator::NotLike => !glob(operand, actual),
        Operator::Order(holds) => holds(compare(actual, operand)),
    }
}

/// By the UAPI Group's Version Format Specification: `~` before the end, the end before `-`, `^` and `.`, numbers by value, letters in
/// ASCII order.
fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        (left, right) = (from_first_valid(left), from_first_valid(right));
        let order = separated(b'~', &mut left, &mut right);
        if order.is_ne() {
            return order;
        }
        if left.is_empty() || right.is_empty() {
            return left.len().min(1).cmp(&right.len().min(1));
        }
        for separator in *b"-^." {
            let order = separated(separator, &mut left, &mut right);
            if order.is_ne() {
                return order;
            }
        }
        let order = if first_is(left, u8::is_ascii_digit) || first_is(right, u8::is_ascii_digit) {
            let (one, other) = (taken(&mut left, u8::is_ascii_digit), taken(&mut right, u8::is_ascii_digit));
            let (one, other) = (without_zeroes(one), without_zeroes(other));
            // A number is later than none, and a longer one later than a shorter.
            (one.is_some().cmp(&other.is_some()))
                .then_with(|| one.map(<[u8]>::len).cmp(&other.map(<[u8]>::len)))
                .then_with(|| one.cmp(&other))
        } else {
            taken(&mut left, u8::is_ascii_alphabetic).cmp(taken(&mut right, u8::is_ascii_alphabetic))
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Who begins with the separator comes first. Where both do, it is passed over.
fn separated(separator: u8, left: &mut &[u8], right: &mut &[u8]) -> Ordering {
    match (left.strip_prefix(&[separator]), right.strip_prefix(&[separator])) {
        (None, None) => Ordering::Equal,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(one), Some(other)) => {
            (*left, *right) = (one, other);
            Ordering::Equal
        }
    }
}

fn from_first_valid(text: &[u8]) -> &[u8] {
    let is_valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"~-^.".contains(byte);
    text.iter().position(is_valid).and_then(|at| text.get(at..)).unwrap_or_default()
}

fn first_is(text: &[u8], is: impl Fn(&u8) -> bool) -> bool {
    text.first().is_some_and(is)
}

/// The longest beginning of such bytes, which is taken away.
fn taken<'t>(text: &mut &'t [u8], is: impl Fn(&u8) -> bool) -> &'t [u8] {
    let (beginning, rest) = text.split_at(text.iter().position(|byte| !is(byte)).unwrap_or(text.len()));
    *text = rest;
    beginning
}

/// None for no digits at all, which is less than zero.
fn without_zeroes(digits: &[u8]) -> Option<&[u8]> {
    let zeroes = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.get(zeroes..).filter(|_| !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_ordered_as_the_specification_has_them() {
        // Its own example, with the empty one put in.
        let rising = [
            "~1",
            "",
            "122.1",
            "123~rc1-1",
            "123",
            "123-a",
            "123-a.1",
            "123-1",
            "123-1.1",
            "123^post1",
            "123.a-1",
            "123.1-1",
            "123a-1",
            "124-1",
        ];
        for (at, one) in rising.iter().enumerate() {
            for (other_at, other) in rising.iter().enumerate() {
                assert_eq!(compare(one, other), at.cmp(&other_at), "{one:?} {other:?}");
            }
        }
        assert_eq!(compare("6.01", "6.1"), Ordering::Equal);
        // As systemd 252 has it, which looks for the end only before the first of several separators.
        assert_eq!(compare("10^", "10^."), Ordering::Greater);
        assert_eq!(compare("6.1.0-25-amd64", "6.1"), Ordering::Greater);
        assert_eq!(compare("5.10.0", "6.1"), Ordering::Less);
    }

    #[test]
    fn each_operator_compares_as_it_says_and_all_of_a_list_must_hold() {
        let release = "6.1.0-25-amd64";
        for (expressions, expected) in [
            ("", Some(true)),
            ("6.1.*", Some(true)),
            ("5.*", Some(false)),
            (">=6.1", Some(true)),
            (">= 6.1", Some(true)),
            (">=6.1 <6.2", Some(true)),
            (">=6.1 <6.1.0-25", Some(false)),
            ("<6.1 >= ", Some(false)),
            (">=6.1 >=", None),
            ("=6.1", Some(false)),
            ("=6.1.0-25-amd64", Some(true)),
            ("!=6.1", Some(true)),
            ("==6.1.0-25-amd64", Some(true)),
            ("<>6.1", Some(true)),
            ("=$6.1*", Some(true)),
            ("$=6.1*", Some(true)),
            ("!=$6.1*", Some(false)),
            ("!$=6.1*", Some(false)),
            ("\">= 6.1\" \"< 6.2\"", Some(true)),
            (">=", None),
        ] {
            assert_eq!(all_hold(expressions, release), expected, "{expressions}");
        }
    }

    #[test]
    fn a_field_is_compared_by_an_operator_and_never_without() {
        assert_eq!(one_holds("=$QEMU*", "QEMU Standard"), Some(true));
        assert_eq!(one_holds(" = \"a b\"", "a b"), None);
        assert_eq!(one_holds("= \"a b\"", "a b"), Some(true));
        assert_eq!(one_holds("QEMU", "QEMU"), None);
        assert_eq!(one_holds("=a b", "a"), None);
    }

    proptest! {
        #[test]
        fn the_order_is_the_same_from_both_sides(one in "[0-9a-b.~^-]{0,8}", other in "[0-9a-b.~^-]{0,8}") {
            prop_assert_eq!(compare(&one, &other), compare(&other, &one).reverse());
            prop_assert_eq!(compare(&one, &one), Ordering::Equal);
        }

        #[test]
        fn any_expression_has_an_answer(expression in "\\PC{0,20}", actual in "\\PC{0,20}") {
            let _ = (all_hold(&expression, &actual), one_holds(&expression, &actual));
        }
    }
}
