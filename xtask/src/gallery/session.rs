//! A session at a terminal, as a picture: typed and answered in a real guest, whose TSO is off at first.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use testbed::Vm;

use super::KERNEL;

/// What a person types, one after the other.
const TYPED: [&str; 4] = ["vmnet", "vmnet check ens4", "vmnet fix ens4", "vmnet check ens4"];
/// As wide as a terminal.
const COLUMNS: usize = 80;
/// Of a monospaced letter, and of a line, in units of the picture.
const LETTER: f64 = 7.8;
const LINE: f64 = 17.0;
const MARGIN: f64 = 16.0;

/// Boots the guest, types, and draws what was seen.
pub(super) fn record(to: &Path) -> Result<()> {
    let mut script = format!("export COLUMNS={COLUMNS}\nethtool -K ens4 tso off >/dev/null\necho BEGIN\n");
    for line in TYPED {
        writeln!(script, "echo '$ sudo {line}'\n{line} 2>&1\necho")?;
    }
    script += "echo END\n";
    // iperf3 before, so that there is something to list.
    let run = Vm::new(KERNEL).script(format!("iperf3 -c 10.10.1.10 -n 20M >/dev/null\n{script}")).run()?;
    let seen = run.stdout.split_once("BEGIN\n").and_then(|(_, rest)| rest.split_once("END\n"));
    let Some((seen, _)) = seen else { bail!("the guest said:\n{}", run.stdout) };
    std::fs::write(to, picture(seen.trim_end()))?;
    println!("{}", to.display());
    Ok(())
}

/// White on black, in the colours that the terminal was asked for.
fn picture(seen: &str) -> String {
    let lines: Vec<&str> = seen.lines().collect();
    let (width, height) = (COLUMNS as f64 * LETTER + 2.0 * MARGIN, lines.len() as f64 * LINE + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
         <title>A session: check, fix, check</title>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#d7dae0\" xml:space=\"preserve\">\n"
    );
    for (index, line) in lines.iter().enumerate() {
        let y = MARGIN + (index as f64 + 0.8) * LINE;
        let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{y:.1}\">{}</text>", spans(line));
    }
    svg += "</g>\n</svg>\n";
    svg
}

/// Escapes of colour as spans; each is of one line, as vmnet writes them.
fn spans(line: &str) -> String {
    let mut text = String::new();
    for (index, part) in line.split("\u{1b}[").enumerate() {
        let (code, rest) = if index == 0 { ("0", part) } else { part.split_once('m').unwrap_or(("0", part)) };
        let style = match code {
            "1;31" => " fill=\"#ff6b68\" font-weight=\"bold\"",
            "1;32" => " fill=\"#7ec97e\" font-weight=\"bold\"",
            "1;33" => " fill=\"#e6c15a\" font-weight=\"bold\"",
            "1" => " font-weight=\"bold\"",
            _ if rest.starts_with("$ ") => " fill=\"#6cb6ff\"",
            _ => "",
        };
        if !rest.is_empty() {
            let _ = write!(text, "<tspan{style}>{}</tspan>", escaped(rest));
        }
    }
    text
}

fn escaped(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(' ', "\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_spans_and_nothing_of_a_terminal_is_left() {
        assert_eq!(
            spans("\u{1b}[1;31mNO\u{1b}[0m <a & b>\u{7}"),
            "<tspan fill=\"#ff6b68\" font-weight=\"bold\">NO</tspan><tspan>\u{a0}&lt;a\u{a0}&amp;\u{a0}b&gt;</tspan>"
        );
        assert!(spans("$ sudo vmnet").contains("#6cb6ff") && !picture("x\n\u{1b}[2J").contains('\u{1b}'));
    }
}
