//! Function addresses, from `/proc/kallsyms`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
};

/// A function's place in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// How many functions carry this very name. Only one that is there once can be probed by name.
    pub count: usize,
    /// Its first address; 0 where the kernel hides addresses (`kptr_restrict`).
    pub start: u64,
    /// The first address of the function after it.
    pub end: u64,
}

/// Looks up functions by exact name: `skb_segment.isra.0` is not `skb_segment`.
///
/// # Errors
/// Whatever reading the file gave.
pub fn lookup(names: &[&str]) -> io::Result<Vec<Function>> {
    parse(BufReader::new(File::open("/proc/kallsyms")?), names)
}

fn parse(lines: impl BufRead, names: &[&str]) -> io::Result<Vec<Function>> {
    let mut found = vec![Function { count: 0, start: 0, end: 0 }; names.len()];
    let mut starts = Vec::new();
    for line in lines.lines() {
        let line = line?;
        let mut words = line.split_ascii_whitespace();
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if !matches!(kind, "t" | "T") {
            continue;
        }
        let Ok(address) = u64::from_str_radix(address, 16) else { continue };
        starts.push(address);
        // A module's function of the same name (a fourth word) is as ambiguous as one of the kernel's.
        if let Some(index) = names.iter().position(|wanted| *wanted == name) {
            found[index].count += 1;
            found[index].start = address;
        }
    }
    starts.sort_unstable();
    for function in &mut found {
        let after = starts.partition_point(|start| *start <= function.start);
        function.end = starts.get(after).copied().unwrap_or(function.start);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_ends_where_the_next_begins_and_suffixes_are_other_functions() {
        let text = "ffff0100 T skb_segment\nffff0300 t other\nffff0200 t skb_segment.isra.0\nffff0150 D data\nbroken\n";
        let found = parse(text.as_bytes(), &["skb_segment", "missing"]).unwrap();
        assert_eq!(found[0], Function { count: 1, start: 0xffff_0100, end: 0xffff_0200 });
        assert_eq!(found[1].count, 0);
    }

    #[test]
    fn a_name_that_is_there_twice_is_counted_twice() {
        let found = parse("1 t f\n2 t f\t[module]\n".as_bytes(), &["f"]).unwrap();
        assert_eq!(found[0].count, 2);
    }
}
