//! `--private`: what recordings and reports keep of a COMMAND, whose words and output may be nobody else's business: hosts, tokens, file names.

use crate::recording::CommandEnded;

/// In place of a value.
const LEFT_OUT: &str = "…";

/// The words of a command line without their values: the program's name, and the names of options.
#[must_use]
pub(crate) fn words(command: &[String]) -> Vec<String> {
    let mut words = command.iter();
    let program = words.next().map(|program| program.rsplit('/').next().unwrap_or(program).to_owned());
    program.into_iter().chain(words.map(|word| without_value(word))).collect()
}

/// The same of vmnet's own, whose second word is no value.
#[must_use]
pub(crate) fn own_words(command: &[String]) -> Vec<String> {
    let (own, rest) = command.split_at(command.len().min(2));
    own.iter().cloned().chain(rest.iter().map(|word| without_value(word))).collect()
}

fn without_value(word: &str) -> String {
    if word == "--" || word == "-" {
        return word.to_owned();
    }
    if word.starts_with("--") {
        return match word.split_once('=') {
            Some((name, _)) => format!("{name}={LEFT_OUT}"),
            None => word.to_owned(),
        };
    }
    // A value may follow the letter at once, as may more letters.
    let mut characters = word.chars();
    match (characters.next(), characters.next(), characters.next()) {
        (Some('-'), Some(letter), None) => format!("-{letter}"),
        (Some('-'), Some(letter), Some(_)) if letter.is_ascii_alphabetic() => format!("-{letter}{LEFT_OUT}"),
        _ => LEFT_OUT.to_owned(),
    }
}

/// How a command ended, with what was understood of its output and nothing of what it printed.
pub(super) fn ended(mut ended: CommandEnded) -> CommandEnded {
    ended.stdout = None;
    if let Some(load) = &mut ended.load {
        LEFT_OUT.clone_into(&mut load.server);
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_keep_their_names_and_nothing_keeps_its_value() {
        let line =
            "/opt/acme/bin/bench -c 10.1.2.3 -p5201 --token=s3cr3t --key s3cr3t -J - -1 -- s3cr3t host";
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(super::words(&words).join(" "), "bench -c … -p… --token=… --key … -J - -1 -- … …");
        assert!(super::words(&[]).is_empty() && own_words(&[]).is_empty());
        let own = ["vmnet", "ab", "ens4", "--load", "10.1.2.3"].map(str::to_owned);
        assert_eq!(own_words(&own).join(" "), "vmnet ab … --load …");
    }

    #[test]
    fn figures_stay_and_addresses_and_output_go() {
        let said = include_str!("../benchmark/testdata/load-two-streams.json");
        let told = ended(CommandEnded::new(Some(0), None, said, 100));
        let load = told.load.unwrap();
        assert_eq!((load.server.as_str(), load.streams), ("…", 2));
        let other = ended(CommandEnded::new(Some(3), None, "token: s3cr3t", 100));
        assert_eq!((other.exit_code, other.stdout), (Some(3), None));
    }
}
