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

/// An interface as it is named from where commands are typed.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its name.
    pub interface: &'a str,
    /// Its network namespace as given to `--netns`, where that is another one: a name, a path or a process.
    pub netns: Option<&'a str>,
}

/// Programs that act on the network namespace in which they are started.
const TOOLS: [&str; 6] = ["ethtool ", "ip ", "tc ", "iptables ", "sysctl ", "dmesg "];

impl Place<'_> {
    /// `vmnet fix v0 --netns blue`.
    #[must_use]
    pub fn vmnet(self, subcommand: &str) -> String {
        let line = format!("vmnet {subcommand} {}", quoted(self.interface));
        self.netns.map_or(line.clone(), |netns| format!("{line} --netns {}", quoted(netns)))
    }

    /// A command that acts on it, from where it is typed.
    #[must_use]
    pub fn command(self, command: &str) -> String {
        inside(self.netns, command)
    }
}

/// A command that is meant for inside a network namespace, from where it is typed: `ip netns exec blue ethtool …`. Once is enough.
#[must_use]
pub fn inside(netns: Option<&str>, command: &str) -> String {
    let Some(netns) = netns else { return command.to_owned() };
    if command.starts_with("vmnet ") && !command.contains("--netns") {
        return format!("{command} --netns {}", quoted(netns));
    }
    let enter = if netns.parse::<u32>().is_ok() {
        format!("nsenter -t {netns} -n ")
    } else if netns.contains('/') {
        format!("nsenter --net={} ", quoted(netns))
    } else {
        format!("ip netns exec {} ", quoted(netns))
    };
    if !TOOLS.iter().any(|tool| command.starts_with(tool)) || command.starts_with(&enter) {
        return command.to_owned();
    }
    enter + command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_enters_the_namespace_that_is_meant_however_that_was_given() {
        let at = |netns| Place { interface: "v0", netns };
        assert_eq!(at(None).vmnet("fix"), "vmnet fix v0");
        assert_eq!(at(Some("a b")).vmnet("fix"), "vmnet fix v0 --netns 'a b'");
        let tool = "ethtool -K v0 tso on";
        assert_eq!(at(None).command(tool), tool);
        for (netns, enter) in [
            ("blue", "ip netns exec blue"),
            ("4711", "nsenter -t 4711 -n"),
            ("/proc/4711/ns/net", "nsenter --net=/proc/4711/ns/net"),
        ] {
            let entered = format!("{enter} {tool}");
            assert_eq!(at(Some(netns)).command(tool), entered);
            assert_eq!(at(Some(netns)).command(&entered), entered, "once is enough");
        }
        assert_eq!(at(Some("blue")).command("vmnet fix v0"), "vmnet fix v0 --netns blue");
        let of_host = "QEMU: -device virtio-net-pci,csum=on";
        assert_eq!(at(Some("blue")).command(of_host), of_host);
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_apart_and_nowhere_else() {
        let words = ["iperf3", "-c", "10.10.1.10", "-t", "10", "a;b", "", "it's", "$(reboot)"];
        assert_eq!(command_line(&words), r"iperf3 -c 10.10.1.10 -t 10 'a;b' '' 'it'\''s' '$(reboot)'");
    }
}
