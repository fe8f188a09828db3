//! Bars from left to right, as an SVG that is read at a glance, on light and on dark pages.

use std::fmt::Write as _;

use super::measure::short;

const WIDTH: f64 = 840.0;
/// Where bars begin, and how long the longest is.
const LEFT: f64 = 250.0;
const LENGTH: f64 = 470.0;
const ROW: f64 = 28.0;
const BAR: f64 = 18.0;
const HEAD: f64 = 74.0;
const GROUP: f64 = 34.0;
/// Room for a figure.
const FIGURE: f64 = 72.0;

/// What a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    /// What ours is compared with, of the same run.
    Machine,
    /// Of another program, and another day.
    Peer,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Machine => "machine",
            Self::Peer => "peer",
        }
    }
}

/// A bar; without a figure it is left out.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) figure: Option<f64>,
    pub(super) kind: Kind,
    /// The most or the least that it is to have, as a mark across it.
    pub(super) goal: Option<f64>,
}

/// Bars under one heading.
pub(super) struct Group {
    pub(super) title: String,
    pub(super) bars: Vec<Bar>,
}

/// A picture.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) subtitle: String,
    /// Behind every figure, such as `ms`.
    pub(super) unit: &'static str,
    pub(super) groups: Vec<Group>,
}

impl Chart {
    /// The text of the file.
    pub(super) fn svg(&self) -> String {
        let shown = self.groups.iter().flat_map(|group| &group.bars);
        let figures = shown.flat_map(|bar| bar.figure.into_iter().chain(bar.goal));
        let most = figures.fold(f64::MIN_POSITIVE, f64::max);
        let mut body = String::new();
        let mut top = HEAD;
        for group in &self.groups {
            let bars: Vec<_> = group
                .bars
                .iter()
                .filter_map(|bar| Some((bar, bar.figure?)))
                .collect();
            if bars.is_empty() {
                continue;
            }
            text(&mut body, "group", 24.0, top + 20.0, &group.title);
            top += GROUP;
            for (bar, figure) in bars {
                self.bar(&mut body, bar, figure, most, top);
                top += ROW;
            }
        }
        let height = top + 16.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\" aria-label=\"{}\">\n{STYLE}\
             <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"10\"/>\n",
            escaped(self.title),
            WIDTH - 1.0,
            height - 1.0,
        );
        text(&mut svg, "title", 24.0, 36.0, self.title);
        text(&mut svg, "sub", 24.0, 58.0, &self.subtitle);
        svg + &body + "</svg>\n"
    }

    fn bar(&self, svg: &mut String, bar: &Bar, figure: f64, most: f64, top: f64) {
        let middle = top + BAR / 2.0 + 5.0;
        let length = (figure / most * LENGTH).max(1.5);
        let class = bar.kind.class();
        text(svg, "label", LEFT - 12.0, middle, &bar.label);
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"3\"/>"
        );
        let (mut end, mut is_inside) = (length, false);
        if let Some(goal) = bar.goal {
            let at = LEFT + goal / most * LENGTH;
            let (above, below) = (top - 4.0, top + BAR + 4.0);
            // A rim around it, to be seen on a bar too.
            for class in ["rim", "goal"] {
                let _ = writeln!(
                    svg,
                    "<line class=\"{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{above}\" y2=\"{below}\"/>"
                );
            }
            // The figure does not lie on the mark, nor beside it, as if it were the goal's.
            is_inside = (0.0..FIGURE).contains(&(at - LEFT - length)) && length > FIGURE;
            if (at - LEFT - length) < FIGURE && !is_inside {
                end = end.max(at - LEFT);
            }
        }
        let figure = format!("{} {}", short(figure), self.unit);
        let (class, at) = if is_inside {
            ("figure inside", LEFT + length - 8.0)
        } else {
            ("figure", LEFT + end + 8.0)
        };
        text(svg, class, at, middle, figure.trim_end());
    }
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\">{}</text>",
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

const STYLE: &str = "\
<style>
text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.title { font-size: 19px; font-weight: 600; }
.sub { font-size: 13px; fill: #59636e; }
.group { font-size: 14px; font-weight: 600; }
.label { font-size: 13px; text-anchor: end; }
.figure { font-size: 13px; font-variant-numeric: tabular-nums; }
.inside { fill: #ffffff; text-anchor: end; }
.ours { fill: #0969da; }
.machine { fill: #afb8c1; }
.peer { fill: #d4a72c; }
.rim { stroke: #ffffff; stroke-width: 6; }
.goal { stroke: #cf222e; stroke-width: 2.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .page { fill: #0d1117; stroke: #3d444d; }
  .sub { fill: #9198a1; }
  .inside { fill: #0d1117; }
  .ours { fill: #4493f8; }
  .machine { fill: #656c76; }
  .peer { fill: #d29922; }
  .rim { stroke: #0d1117; }
  .goal { stroke: #f85149; }
}
</style>
";

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(figures: &[Option<f64>]) -> String {
        let bars = figures.iter().map(|figure| Bar {
            label: "a < b".into(),
            figure: *figure,
            kind: Kind::Ours,
            goal: None,
        });
        let group = Group {
            title: "g".into(),
            bars: bars.collect(),
        };
        let groups = vec![group];
        Chart {
            title: "t",
            subtitle: String::new(),
            unit: "ms",
            groups,
        }
        .svg()
    }

    #[test]
    fn the_longest_bar_has_the_whole_length_and_others_their_part() {
        let svg = chart(&[Some(10.0), Some(5.0)]);

        assert!(
            svg.contains("width=\"470.0\"") && svg.contains("width=\"235.0\""),
            "{svg}"
        );
        assert!(svg.contains("a &lt; b"), "{svg}");
    }

    #[test]
    fn what_was_not_measured_has_no_bar_and_a_group_of_that_no_heading() {
        let svg = chart(&[None]);

        assert!(
            !svg.contains("class=\"ours\"") && !svg.contains("class=\"group\""),
            "{svg}"
        );
    }
}
