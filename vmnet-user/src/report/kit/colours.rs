//! Colours: told apart by people with any kind of colour vision, on a white ground and on a dark one.

use std::fmt::Write as _;

use plotters::prelude::*;

pub(in crate::report) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(in crate::report) const FAINT: RGBColor = RGBColor(0x5f, 0x5f, 0x5f);
pub(in crate::report) const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
pub(in crate::report) const BAND: RGBColor = RGBColor(0xee, 0xee, 0xee);

// Okabe and Ito's palette.
pub(in crate::report) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
pub(in crate::report) const VERMILLION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
pub(in crate::report) const YELLOW: RGBColor = RGBColor(0xf0, 0xe4, 0x42);
pub(in crate::report) const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
pub(in crate::report) const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
pub(in crate::report) const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
/// Darker than the palette's grey, which is too light for a white ground.
pub(in crate::report) const GREY: RGBColor = RGBColor(0x85, 0x85, 0x85);
/// A tint of [`VERMILLION`], for the second part of what is segmented.
pub(in crate::report) const APRICOT: RGBColor = RGBColor(0xf4, 0xb1, 0x83);

/// What takes the place of a colour where the person reads on a dark ground.
const IN_THE_DARK: [(RGBColor, RGBColor); 5] = [
    (WHITE, RGBColor(0x14, 0x18, 0x1d)),
    (INK, RGBColor(0xe8, 0xe8, 0xe8)),
    (FAINT, RGBColor(0xa9, 0xaf, 0xb6)),
    (GRID, RGBColor(0x3c, 0x43, 0x4b)),
    (BAND, RGBColor(0x26, 0x2c, 0x33)),
];

/// The outline of an area: a colour that is too light for a white ground is held by a darker one.
pub(in crate::report) fn edge(fill: RGBColor) -> RGBColor {
    match fill {
        YELLOW => RGBColor(0x8c, 0x82, 0x00),
        SKY => RGBColor(0x2b, 0x84, 0xb8),
        APRICOT => VERMILLION,
        other => other,
    }
}

/// Ten equal steps of viridis, which is as even to the eye in grey as it is in colour.
const VIRIDIS: [[u8; 3]; 11] = [
    [0x44, 0x01, 0x54],
    [0x48, 0x24, 0x75],
    [0x41, 0x44, 0x87],
    [0x35, 0x5f, 0x8d],
    [0x2a, 0x78, 0x8e],
    [0x21, 0x91, 0x8c],
    [0x22, 0xa8, 0x84],
    [0x44, 0xbf, 0x70],
    [0x7a, 0xd1, 0x51],
    [0xbd, 0xdf, 0x26],
    [0xfd, 0xe7, 0x25],
];

/// Steps of the scale: so few that neighbours of nearly the same value are one area.
pub(in crate::report) const SHADES: usize = 25;

/// The shade of a part of the whole, 0 to 1: nothing is dark, all is bright.
pub(in crate::report) fn shade(part: f64) -> RGBColor {
    let last = (SHADES - 1) as f64;
    let part = (part.clamp(0.0, 1.0) * last).round() / last;
    let place = part * (VIRIDIS.len() - 1) as f64;
    let below = (place.floor() as usize).min(VIRIDIS.len() - 2);
    let [low, high] = [below, below + 1].map(|at| VIRIDIS.get(at).copied().unwrap_or_default());
    let between = |low: u8, high: u8| {
        (f64::from(low) + (f64::from(high) - f64::from(low)) * (place - below as f64)).round() as u8
    };
    let [[r0, g0, b0], [r1, g1, b1]] = [low, high];
    RGBColor(between(r0, r1), between(g0, g1), between(b0, b1))
}

/// Crisp, so that rectangles side by side show no seam when scaled. The same in every chart, and about charts alone: where several stand in one document, each style holds for all of it. Paper
/// is white however the screen is.
pub(in crate::report) fn style() -> String {
    let mut style = format!(
        "<style>svg.vmnet-chart rect{{shape-rendering:crispEdges}}\n\
         svg.vmnet-chart .hover:hover{{stroke:{};stroke-width:1.5}}\n\
         @media screen and (prefers-color-scheme:dark){{",
        hex(INK)
    );
    for (light, dark) in IN_THE_DARK {
        let (light, dark) = (hex(light), hex(dark));
        // Writing to a string cannot fail.
        let _ = write!(style, "svg.vmnet-chart [fill=\"{light}\"]{{fill:{dark}}}");
        let _ = write!(style, "svg.vmnet-chart [stroke=\"{light}\"]{{stroke:{dark}}}");
    }
    let [_, (_, ink), ..] = IN_THE_DARK;
    style + &format!("svg.vmnet-chart .hover:hover{{stroke:{}}}}}</style>", hex(ink))
}

/// As plotters writes it.
fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(RGBColor(red, green, blue): RGBColor) -> f64 {
        let linear = |channel: u8| {
            let part = f64::from(channel) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// As WCAG 2 defines it.
    fn contrast(one: RGBColor, other: RGBColor) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        (one / other).max(other / one)
    }

    fn dark(of: RGBColor) -> RGBColor {
        IN_THE_DARK.iter().find(|(light, _)| *light == of).map_or(of, |(_, dark)| *dark)
    }

    #[test]
    fn text_and_data_can_be_made_out_on_both_grounds() {
        for text in [INK, FAINT] {
            assert!(contrast(text, WHITE) >= 4.5, "{text:?}");
            assert!(contrast(dark(text), dark(WHITE)) >= 4.5, "{text:?} in the dark");
        }
        for data in [BLUE, VERMILLION, YELLOW, GREEN, PURPLE, SKY, GREY, APRICOT] {
            for ground in [WHITE, dark(WHITE)] {
                let seen = contrast(data, ground).max(contrast(edge(data), ground));
                assert!(seen >= 3.0, "{data:?} on {ground:?}: {seen:.2}");
            }
        }
    }

    #[test]
    fn a_higher_part_is_always_brighter() {
        let shades: Vec<f64> = (0..=100).map(|part| luminance(shade(f64::from(part) / 100.0))).collect();
        assert!(shades.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(shade(f64::INFINITY), shade(1.0));
        assert_eq!(shade(-1.0), RGBColor(0x44, 0x01, 0x54));
    }

    #[test]
    fn no_rule_of_the_style_reaches_beyond_charts_or_onto_paper() {
        let style = style();
        let (always, screen) = style.split_once("@media screen and ").unwrap();
        assert_eq!(always.matches('{').count(), 2);
        for rule in screen.split('}').filter_map(|rule| rule.split_once('{')).map(|(selector, _)| selector) {
            assert!(
                rule.starts_with("svg.vmnet-chart ") || rule.starts_with("(prefers-color-scheme"),
                "{rule}"
            );
        }
    }
}
