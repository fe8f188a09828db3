//! What was measured, beside what was wanted.

use super::database::Engine;

/// What a figure is to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing: it is there to be known.
    Nothing,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    /// Of the list of goals, such as `P1`.
    pub(super) goal: &'static str,
    pub(super) engine: Option<Engine>,
    pub(super) what: String,
    pub(super) reached: f64,
    /// Behind the number, such as `ms`; `×` for a ratio.
    pub(super) unit: &'static str,
    pub(super) wanted: Wanted,
    /// What the figure was made of.
    pub(super) of: String,
}

impl Measure {
    /// How often the wanted is in the reached, such that more is better; `None` where nothing is
    /// wanted.
    pub(super) fn ratio(&self) -> Option<f64> {
        match self.wanted {
            Wanted::AtLeast(least) => Some(self.reached / least),
            Wanted::AtMost(most) => Some(most / self.reached),
            Wanted::Nothing => None,
        }
    }

    /// The figure with its unit.
    pub(super) fn reached(&self) -> String {
        with_unit(self.reached, self.unit)
    }

    /// The goal with its unit.
    pub(super) fn wanted(&self) -> String {
        match self.wanted {
            Wanted::AtLeast(least) => format!("≥ {}", with_unit(least, self.unit)),
            Wanted::AtMost(most) => format!("≤ {}", with_unit(most, self.unit)),
            Wanted::Nothing => String::new(),
        }
    }

    /// Whether the goal is reached, in a word.
    pub(super) fn verdict(&self) -> &'static str {
        match self.ratio() {
            Some(ratio) if ratio >= 1.0 => "yes",
            Some(_) => "no",
            None => "",
        }
    }

    pub(super) fn engine(&self) -> &'static str {
        self.engine.map_or("", Engine::name)
    }
}

fn with_unit(number: f64, unit: &str) -> String {
    format!("{} {unit}", short(number)).trim_end().to_owned()
}

/// A number with as many digits as mean something, in groups of three.
pub(super) fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => grouped(number),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// A whole number in groups of three.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::from(if number < 0.0 { "−" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(super) fn real(count: u64) -> f64 {
    count as f64
}

/// The middle one; 0 of none.
pub(super) fn median(figures: &mut [f64]) -> f64 {
    percentile(figures, 50)
}

/// The figure that `percent` of all do not exceed; 0 of none.
pub(super) fn percentile(figures: &mut [f64], percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    let last = figures.len().saturating_sub(1);
    let place = (figures.len() * percent).div_ceil(100).saturating_sub(1);
    figures.get(place.min(last)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(reached: f64, wanted: Wanted) -> Measure {
        Measure {
            goal: "P1",
            engine: Some(Engine::Sqlite),
            what: "verify".into(),
            reached,
            unit: "ms",
            wanted,
            of: String::new(),
        }
    }

    #[test]
    fn a_ratio_of_more_than_one_is_a_goal_that_is_reached() {
        for (reached, wanted, verdict) in [
            (3.0, Wanted::AtLeast(2.0), "yes"),
            (1.0, Wanted::AtLeast(2.0), "no"),
            (3.0, Wanted::AtMost(2.0), "no"),
            (2.0, Wanted::AtMost(2.0), "yes"),
            (2.0, Wanted::Nothing, ""),
        ] {
            assert_eq!(measure(reached, wanted).verdict(), verdict, "{wanted:?}");
        }
    }

    #[test]
    fn numbers_are_short_and_in_groups() {
        assert_eq!(short(1_234_567.8), "1\u{202f}234\u{202f}568");
        assert_eq!((short(12.34), short(0.456)), ("12.3".into(), "0.46".into()));
        assert_eq!(grouped(100.0), "100");
    }

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let mut figures: Vec<f64> = (1..=200).map(f64::from).collect();
        let found = [
            percentile(&mut figures, 99),
            median(&mut [3.0, 1.0, 2.0]),
            percentile(&mut [], 99),
        ];
        assert_eq!(found.map(short), ["198", "2.00", "0.00"]);
    }
}
