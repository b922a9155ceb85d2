//! An arm's shape: told from the others whatever colours a person sees.

use plotters::prelude::*;

use crate::model::experiment::{Arm, Role};
use crate::report::kit::colours::{BLUE, FAINT, GREEN, INK, PURPLE, VERMILLION};
use crate::report::kit::sheet::{Point, Sheet};

/// What an arm's trials are drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    outline: Outline,
    pub(super) colour: RGBColor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outline {
    Circle,
    Square,
    Diamond,
    Up,
    Down,
}

/// Of treatments, in their order; then over again.
const TREATMENTS: [Shape; 4] = [
    Shape { outline: Outline::Square, colour: BLUE },
    Shape { outline: Outline::Diamond, colour: VERMILLION },
    Shape { outline: Outline::Down, colour: GREEN },
    Shape { outline: Outline::Square, colour: PURPLE },
];

/// One for each arm, in their order.
pub(super) fn shapes(arms: &[Arm]) -> Vec<Shape> {
    let mut treatments = TREATMENTS.into_iter().cycle();
    arms.iter()
        .map(|arm| match arm.role {
            Role::Base => Shape { outline: Outline::Circle, colour: INK },
            Role::Placebo => Shape { outline: Outline::Up, colour: FAINT },
            Role::Treatment => treatments.next().unwrap_or(TREATMENTS[0]),
        })
        .collect()
}

impl Shape {
    pub(super) fn draw(self, sheet: &mut Sheet<'_>, (x, y): Point, half: i32) {
        let style = self.colour.filled();
        // As large to the eye as a circle.
        let (side, tip) = (half * 7 / 8, half * 9 / 8);
        match self.outline {
            Outline::Circle => sheet.circle((x, y), half, style),
            Outline::Square => sheet.rect([(x - side, y - side), (x + side, y + side)], style),
            Outline::Diamond => {
                sheet.polygon([(x, y - tip), (x + tip, y), (x, y + tip), (x - tip, y)], style);
            }
            Outline::Up => sheet.polygon([(x, y - tip), (x + tip, y + side), (x - tip, y + side)], style),
            Outline::Down => sheet.polygon([(x, y + tip), (x + tip, y - side), (x - tip, y - side)], style),
        }
    }
}
