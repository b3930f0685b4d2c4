//! Line charts as SVG, drawn by hand: few lines, few points, colours of the page's own.

use std::fmt::Write;

use super::html::escape;
use super::number;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
/// Half a label of the x axis.
const RIGHT: f64 = 36.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 32.0;
/// Lines across.
const STEPS: u32 = 4;

/// A chart.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    /// What stands along the x axis, at equal distances; points lie on these.
    pub(crate) ticks: Vec<String>,
    /// A name, and a value for each tick, or nothing.
    pub(crate) lines: Vec<(&'a str, Vec<Option<f64>>)>,
    /// Each step up is a factor instead of a difference.
    pub(crate) logarithmic: bool,
}

impl Chart<'_> {
    /// The chart as an element.
    pub(crate) fn svg(&self) -> String {
        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
        let Some(scale) = self.scale() else { return svg + "</svg>" };
        for value in scale.ticks() {
            let y = scale.y(value);
            push(
                &mut svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"y\" x=\"{}\" y=\"{:.1}\">{}</text>",
                    WIDTH - RIGHT,
                    LEFT - 8.0,
                    y + 4.0,
                    number(value)
                ),
            );
        }
        // Not more labels than have room.
        let every = self.ticks.len().div_ceil(12).max(1);
        for (place, tick) in self.ticks.iter().enumerate().step_by(every) {
            push(
                &mut svg,
                format_args!(
                    "<text class=\"x\" x=\"{:.1}\" y=\"{}\">{}</text>",
                    self.x(place),
                    HEIGHT - 10.0,
                    escape(tick)
                ),
            );
        }
        for (number, (_, values)) in self.lines.iter().enumerate() {
            svg += &self.line(number, values, &scale);
        }
        svg + "</svg>"
    }

    fn line(&self, number: usize, values: &[Option<f64>], scale: &Scale) -> String {
        let points = values.iter().enumerate();
        let points = points.filter_map(|(place, value)| Some((self.x(place), scale.y((*value)?))));
        let points: Vec<(f64, f64)> = points.collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (path, colour) = (path.join(" "), number % 6);
        let mut svg = String::new();
        push(&mut svg, format_args!("<polyline class=\"line c{colour}\" points=\"{path}\"/>"));
        for (x, y) in points {
            push(
                &mut svg,
                format_args!(
                    "<circle class=\"dot c{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"
                ),
            );
        }
        svg
    }

    fn x(&self, place: usize) -> f64 {
        let steps = self.ticks.len().saturating_sub(1).max(1) as f64;
        LEFT + place as f64 / steps * (WIDTH - LEFT - RIGHT)
    }

    fn scale(&self) -> Option<Scale> {
        let values = self.lines.iter().flat_map(|(_, values)| values).flatten().copied();
        let values = values.filter(|value| value.is_finite());
        let values: Vec<f64> = values.filter(|value| *value > 0.0 || !self.logarithmic).collect();
        let most = values.iter().copied().reduce(f64::max)?;
        let least = values.into_iter().reduce(f64::min)?;
        if self.logarithmic {
            let (low, high) = (least.log10().floor(), most.log10().ceil());
            return Some(Scale { low, high: high.max(low + 1.0), logarithmic: true });
        }
        let high = if most > 0.0 { most * 1.05 } else { 1.0 };
        Some(Scale { low: least.min(0.0), high, logarithmic: false })
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor =
        [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= step * 0.999_999);
    factor.unwrap_or(10.0) * power
}

/// From values to places.
struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Scale {
    fn y(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(1e-12).log10() } else { value };
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    /// The values of the lines across: round ones. On a logarithmic scale these are powers of ten, and twice and
    /// five times these where there are few.
    fn ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            let step = round_step((self.high - self.low) / f64::from(STEPS));
            let first = (self.low / step).ceil() as i64;
            let last = (self.high / step).floor() as i64;
            return (first..=last).map(|number| number as f64 * step).collect();
        }
        let (low, high) = (self.low as i32, self.high as i32);
        let factors: &[f64] = if high - low > 2 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let all = (low..=high)
            .flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)));
        all.filter(|value| *value <= 10_f64.powi(high) * 1.000_001).collect()
    }
}

fn push(svg: &mut String, part: std::fmt::Arguments<'_>) {
    svg.write_fmt(part).expect("a string takes every character");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: Vec<Option<f64>>, logarithmic: bool) -> String {
        let ticks = values.iter().map(|_| "<".to_owned()).collect();
        Chart { ticks, lines: vec![("a", values)], logarithmic }.svg()
    }

    #[test]
    fn points_lie_inside_and_higher_values_higher_up() {
        for logarithmic in [false, true] {
            let svg = chart(vec![Some(1.0), None, Some(100.0)], logarithmic);
            let heights: Vec<f64> = svg
                .split("cy=\"")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
                .collect();
            assert_eq!(heights.len(), 2, "{svg}");
            assert!(heights[0] > heights[1] && heights[1] >= TOP, "{heights:?}");
            assert!(svg.contains("&lt;") && !svg.contains("NaN"), "{svg}");
        }
    }

    /// The values of a logarithmic scale were 1, 56.2, 3162.
    #[test]
    fn lines_across_are_at_round_values() {
        let labels = |values: &[f64], logarithmic| {
            let svg = chart(values.iter().copied().map(Some).collect(), logarithmic);
            let parts = svg.split("class=\"y\"").skip(1);
            let label =
                |part: &str| part.split('>').nth(1).unwrap().split('<').next().unwrap().to_owned();
            parts.map(label).collect::<Vec<String>>().join(" ")
        };
        assert_eq!(labels(&[1.0, 3_000.0], true), "1.00 10.0 100 1000 10000");
        assert_eq!(labels(&[0.3, 8.0], true), "0.1000 0.2000 0.5000 1.00 2.00 5.00 10.0");
        assert_eq!(labels(&[0.0, 130.0], false), "0.00 50.0 100");
    }

    #[test]
    fn nothing_is_no_chart_and_no_panic() {
        assert!(!chart(vec![None], true).contains("polyline"));
        assert!(!chart(Vec::new(), false).contains("polyline"));
        assert!(chart(vec![Some(0.0)], false).contains("circle"));
        assert!(!chart(vec![Some(0.0)], true).contains("circle"));
    }
}
