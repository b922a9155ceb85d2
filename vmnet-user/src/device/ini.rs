//! Files of sections with keys, as systemd, NetworkManager and tuned have them: read once, strictly or not as the reader likes.

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// systemd.syntax(7): `#` and `;` begin comments, a `\` at the end continues the line.
    Systemd,
    /// GKeyFile, as NetworkManager's keyfiles are, and tuned's profiles: `#` begins comments, nothing continues.
    KeyFile,
}

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// In brackets above it; empty before the first.
    pub(crate) section: String,
    pub(crate) key: String,
    pub(crate) value: String,
    /// From 0.
    pub(crate) first_line: usize,
    /// Exclusive.
    pub(crate) end_line: usize,
}

/// What is in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ini {
    /// All assignments, in order. Lines that are none are passed over.
    pub(crate) entries: Vec<Entry>,
    /// The first such line, from 0, and what is wrong with it.
    pub(crate) damage: Option<(usize, &'static str)>,
}

/// Never fails: whoever changes a file looks at [`Ini::damage`] first.
pub(crate) fn read(text: &str, dialect: Dialect) -> Ini {
    let mut ini = Ini::default();
    let mut section: Option<String> = None;
    let mut lines = text.lines().enumerate();
    while let Some((first_line, line)) = lines.next() {
        let mut damaged = |why| {
            ini.damage.get_or_insert((first_line, why));
        };
        if line.contains('\0') {
            damaged("a NUL byte: half-written");
            continue;
        }
        let line = line.trim();
        if line.is_empty() || is_comment(line, dialect) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            match header.strip_suffix(']') {
                Some(name) => section = Some(name.trim().to_owned()),
                None => damaged("a section without its ]"),
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            damaged("neither a section nor key=value");
            continue;
        };
        if section.is_none() {
            damaged("a key before any section");
        }
        let (mut value, mut end_line) = (value.trim().to_owned(), first_line + 1);
        while dialect == Dialect::Systemd && value.ends_with('\\') {
            let Some((next, continued)) = lines.next() else {
                damaged("ends in the middle of a line that goes on");
                break;
            };
            end_line = next + 1;
            if !is_comment(continued.trim(), dialect) {
                value.pop();
                value = format!("{} {}", value.trim_end(), continued.trim());
            }
        }
        let section = section.clone().unwrap_or_default();
        ini.entries.push(Entry { section, key: key.trim().to_owned(), value, first_line, end_line });
    }
    ini
}

fn is_comment(line: &str, dialect: Dialect) -> bool {
    line.starts_with('#') || (dialect == Dialect::Systemd && line.starts_with(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_passed_over_and_named_once() {
        let ini = read("a=1\n[Link\nnonsense\n[Match]\nName=eth0 \\\n  eth1\n", Dialect::Systemd);
        assert_eq!(ini.damage, Some((0, "a key before any section")));
        let said: Vec<_> = ini
            .entries
            .iter()
            .map(|entry| (entry.section.as_str(), entry.key.as_str(), entry.value.as_str(), entry.first_line))
            .collect();
        assert_eq!(said, [("", "a", "1", 0), ("Match", "Name", "eth0 eth1", 4)]);
        assert_eq!(read("[a]\n; no comment = here\n", Dialect::KeyFile).entries.len(), 1);
    }
}
