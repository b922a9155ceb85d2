//! Answers as a person with a small terminal sees them: held against what every one of them promises, whatever it is about.

use anyhow::{Result, ensure};

/// Columns of a small terminal.
pub const COLUMNS: usize = 80;
/// Lines of it that an answer may take.
const LINES: usize = 20;

/// Whether an answer begins here: with a mark and a word in capitals; of two runs that are compared, with a word for each.
fn begins(line: &str) -> bool {
    let compared = ["BOTH YES", "BOTH NO", "BOTH PARTLY", "YES → ", "NO → ", "PARTLY → "];
    let marked = ["✓ ", "✗ ", "? "].iter().find_map(|mark| line.strip_prefix(mark));
    let word = marked.and_then(|rest| rest.split_whitespace().next());
    let is_in_capitals = |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    word.is_some_and(is_in_capitals) || compared.iter().any(|word| line.starts_with(word))
}

/// The answers in what a command printed, each from its first line to its last.
pub fn answers(printed: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = printed.lines().map(|line| line.trim_end_matches('\r')).collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| begins(line)).map(|(index, _)| index);
    starts
        .map(|start| {
            let rest =
                lines.iter().skip(start + 1).take_while(|line| line.is_empty() || line.starts_with("  "));
            let mut answer = vec![lines[start]];
            answer.extend(rest.copied());
            while answer.last().is_some_and(|line| line.is_empty()) {
                answer.pop();
            }
            answer
        })
        .collect()
}

/// Each answer fits a small terminal: nothing but what is there to be pasted is wider, and nothing scrolls away.
pub fn fit(printed: &str) -> Result<()> {
    for answer in answers(printed) {
        ensure!(answer.len() <= LINES, "{} lines:\n{}", answer.len(), answer.join("\n"));
        for line in &answer {
            let is_to_paste = ["vmnet ", "ethtool ", "/"].iter().any(|part| line.contains(part));
            ensure!(is_to_paste || line.chars().count() <= COLUMNS, "wider than {COLUMNS} columns: {line}");
        }
    }
    Ok(())
}

/// The command of a row, as a person would paste it: what follows the row's name, up to the gap before a remark.
pub fn command<'a>(answer: &[&'a str], row: &str) -> Option<&'a str> {
    let line = answer.iter().find_map(|line| line.trim_start().strip_prefix(row))?;
    let command = line.trim_start();
    Some(command.split("   ").next().unwrap_or(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "veth0, 1 queue. Ctrl-C ends.\r\n✗ NO    TSO is off\n\n  Why      it is\n  Fix      vmnet fix a   (= ethtool)\nelse\n";

    #[test]
    fn an_answer_is_found_with_its_rows_and_nothing_else() {
        let answers = answers(PRINTED);
        assert_eq!(
            answers,
            [["✗ NO    TSO is off", "", "  Why      it is", "  Fix      vmnet fix a   (= ethtool)"]]
        );
        assert_eq!(command(&answers[0], "Fix"), Some("vmnet fix a"));
        assert_eq!(command(&answers[0], "Prove"), None);
    }

    #[test]
    fn what_is_too_wide_or_too_long_does_not_fit() {
        fit(PRINTED).unwrap();
        assert!(fit(&format!("✗ NO  {}", "x".repeat(80))).is_err());
        assert!(fit(&format!("✗ NO  x\n{}", "  y\n".repeat(20))).is_err());
    }
}
