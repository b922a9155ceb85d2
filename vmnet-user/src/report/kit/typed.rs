//! Commands for the person to paste back: with sudo where it takes that, in the namespace that was meant, with the benchmark that was given.

use crate::model::shell::{command_line, quoted};

/// What a person would type here.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// Whether root's part takes `sudo`: not where the shell is root's own.
    pub sudo: bool,
    /// As given to `--netns`.
    pub netns: Option<String>,
    /// The benchmark, as it was given.
    pub command: Vec<String>,
    /// How a fix is to be kept for the next boot: `--persist udev`.
    pub keep: Option<String>,
}

/// Where none was given.
const A_BENCHMARK: &str = "iperf3 -c PEER -t 5 -J";

impl Typed {
    /// `sudo vmnet fix ens4 --netns a --undo`.
    #[must_use]
    pub fn vmnet(&self, subcommand: &str, interface: &str, options: &str) -> String {
        let sudo = if self.sudo { "sudo " } else { "" };
        let mut line = format!("{sudo}vmnet {subcommand} {}", quoted(interface));
        if let Some(netns) = &self.netns {
            line += &format!(" --netns {}", quoted(netns));
        }
        if !options.is_empty() {
            line += &format!(" {options}");
        }
        line
    }

    /// What is to be put in for the placeholder of [`Self::with_benchmark`]; empty where there is none.
    #[must_use]
    pub fn placeholder(&self) -> &'static str {
        if self.command.is_empty() { "PEER: another machine, on which iperf3 -s runs" } else { "" }
    }

    /// The same with the benchmark behind `--`.
    #[must_use]
    pub fn with_benchmark(&self, subcommand: &str, interface: &str) -> String {
        self.vmnet(subcommand, interface, &format!("-- {}", self.benchmark()))
    }

    /// `vmnet ab` with options of [`crate::model::cause::experiment`].
    #[must_use]
    pub fn experiment(&self, interface: &str, options: &str) -> String {
        let options = if options.is_empty() { String::new() } else { format!("{options} ") };
        self.vmnet("ab", interface, &format!("{options}-- {}", self.benchmark()))
    }

    fn benchmark(&self) -> String {
        if self.command.is_empty() { A_BENCHMARK.to_owned() } else { command_line(&self.command) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_what_the_person_gave_and_is_safe_to_paste() {
        let plain = Typed { sudo: true, ..Typed::default() };
        assert_eq!(plain.vmnet("fix", "ens4", "--undo"), "sudo vmnet fix ens4 --undo");
        assert_eq!(plain.with_benchmark("ab", "ens4"), "sudo vmnet ab ens4 -- iperf3 -c PEER -t 5 -J");
        assert_eq!(plain.experiment("ens4", ""), plain.with_benchmark("ab", "ens4"));
        let sg = plain.experiment("ens4", "--feature sg");
        assert_eq!(sg, "sudo vmnet ab ens4 --feature sg -- iperf3 -c PEER -t 5 -J");
        let command = ["sh", "-c", "iperf3 -c 10.0.0.2; rm x"].map(str::to_owned).to_vec();
        let inside = Typed { sudo: false, netns: Some("a b".to_owned()), command, keep: None };
        assert_eq!(
            inside.with_benchmark("ab", "e;x"),
            "vmnet ab 'e;x' --netns 'a b' -- sh -c 'iperf3 -c 10.0.0.2; rm x'"
        );
    }
}
