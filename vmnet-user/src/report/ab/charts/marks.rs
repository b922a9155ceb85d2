//! An arm's mark: told from the others by its shape, whatever colours a person sees.

use plotters::prelude::*;

use crate::model::experiment::{Arm, Role};
use crate::report::kit::canvas::Area;
use crate::report::kit::chart::ChartError;
use crate::report::kit::colours::{BLUE, FAINT, GREEN, INK, PURPLE, VERMILLION};

/// What an arm's trials are drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    shape: Shape,
    pub(super) colour: RGBColor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Circle,
    Square,
    Diamond,
    Up,
    Down,
}

/// Of treatments, in their order; then over again.
const TREATMENTS: [Mark; 4] = [
    Mark { shape: Shape::Square, colour: BLUE },
    Mark { shape: Shape::Diamond, colour: VERMILLION },
    Mark { shape: Shape::Down, colour: GREEN },
    Mark { shape: Shape::Square, colour: PURPLE },
];

/// One for each arm, in their order.
pub(super) fn marks(arms: &[Arm]) -> Vec<Mark> {
    let mut treatments = TREATMENTS.into_iter().cycle();
    arms.iter()
        .map(|arm| match arm.role {
            Role::Base => Mark { shape: Shape::Circle, colour: INK },
            Role::Placebo => Mark { shape: Shape::Up, colour: FAINT },
            Role::Treatment => treatments.next().unwrap_or(TREATMENTS[0]),
        })
        .collect()
}

impl Mark {
    /// As a trial that counts.
    pub(super) fn draw(self, area: &Area<'_>, (x, y): (i32, i32), half: i32) -> Result<(), ChartError> {
        let style = self.colour.filled();
        // As large to the eye as a circle.
        let (box_half, tip) = (half * 7 / 8, half * 9 / 8);
        match self.shape {
            Shape::Circle => area.draw(&Circle::new((x, y), half, style))?,
            Shape::Square => {
                area.draw(&Rectangle::new(
                    [(x - box_half, y - box_half), (x + box_half, y + box_half)],
                    style,
                ))?;
            }
            Shape::Diamond => {
                area.draw(&Polygon::new(
                    vec![(x, y - tip), (x + tip, y), (x, y + tip), (x - tip, y)],
                    style,
                ))?;
            }
            Shape::Up => {
                area.draw(&Polygon::new(
                    vec![(x, y - tip), (x + tip, y + box_half), (x - tip, y + box_half)],
                    style,
                ))?;
            }
            Shape::Down => {
                area.draw(&Polygon::new(
                    vec![(x, y + tip), (x + tip, y - box_half), (x - tip, y - box_half)],
                    style,
                ))?;
            }
        }
        Ok(())
    }

    /// As one that does not: a cross.
    pub(super) fn cross(self, area: &Area<'_>, at: (i32, i32), half: i32) -> Result<(), ChartError> {
        cross(area, at, half, self.colour)
    }
}

pub(super) fn cross(
    area: &Area<'_>,
    (x, y): (i32, i32),
    half: i32,
    colour: RGBColor,
) -> Result<(), ChartError> {
    for (from, to) in
        [((x - half, y - half), (x + half, y + half)), ((x - half, y + half), (x + half, y - half))]
    {
        area.draw(&PathElement::new([from, to], colour.stroke_width(2)))?;
    }
    Ok(())
}
