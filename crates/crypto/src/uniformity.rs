//! Codes are spread evenly: chi-square over ten million of each length.
//!
//! Of 4 to 6 digits every code is a cell. Of 7 and 8 digits there are too many codes for that, so
//! the leading four digits and each single one are looked at. The keys are fixed, and so is the
//! result.

use std::ops::Range;

use otpost_domain::{CodeLength, derivation};
use ring::hmac::{HMAC_SHA256, Key};

use crate::{hkdf, vault};

const DRAWS: u32 = 10_000_000;
const DRAWS_PER_SESSION: u32 = 10_000;
const THREADS: u32 = 2;
const P_MIN: f64 = 0.001;

#[test]
fn codes_of_4_digits_are_even() {
    assert_even(4);
}

#[test]
fn codes_of_5_digits_are_even() {
    assert_even(5);
}

#[test]
fn codes_of_6_digits_are_even() {
    assert_even(6);
}

#[test]
fn codes_of_7_digits_are_even() {
    assert_even(7);
}

#[test]
fn codes_of_8_digits_are_even() {
    assert_even(8);
}

/// A reduction of too few bits is what the figures are there to notice.
#[test]
fn the_figures_notice_a_reduction_that_favours_some() {
    let mut biased = vec![0; 10_000];
    let key = key(CodeLength::new(4).unwrap(), 0);
    for generation in 0..200_000 {
        let code: usize = vault::code(&key, CodeLength::new(8).unwrap(), generation)
            .reveal()
            .parse()
            .unwrap();
        // 16 bits instead of 64.
        biased[(code & 0xffff) % 10_000] += 1;
    }
    assert!(p_value(&biased) < P_MIN);
}

fn assert_even(digits: u8) {
    let length = CodeLength::new(digits).unwrap();
    let views = views(digits.into());
    for (places, cells) in views.iter().zip(draw(length, &views)) {
        let p = p_value(&cells);
        println!("{digits} digits, places {places:?}: p = {p:.4}");
        assert_eq!(cells.iter().sum::<u32>(), DRAWS, "{places:?}");
        assert!(p > P_MIN, "{digits} digits, places {places:?}: p = {p}");
    }
}

/// The places of a code whose digits, read as a number, are one cell.
type View = Range<usize>;

/// The ways in which codes of a length are looked at.
fn views(digits: usize) -> Vec<View> {
    let mut views = Vec::new();
    if digits <= 6 {
        views.push(0..digits);
    } else {
        views.push(0..4);
        views.extend((0..digits).map(|place| place..place + 1));
    }
    views
}

/// How often each cell of each view is drawn.
fn draw(length: CodeLength, views: &[View]) -> Vec<Vec<u32>> {
    let empty = || -> Vec<_> {
        let cells = views
            .iter()
            .map(|places| 10_usize.pow(u32::try_from(places.len()).unwrap()));
        cells.map(|cells| vec![0_u32; cells]).collect()
    };
    let part = |thread: u32| {
        let mut counts = empty();
        for session in (thread..DRAWS / DRAWS_PER_SESSION).step_by(THREADS as usize) {
            let key = key(length, session);
            for generation in 0..DRAWS_PER_SESSION {
                let code = vault::code(&key, length, generation);
                let digits = code.reveal().as_bytes();
                for (places, cells) in views.iter().zip(&mut counts) {
                    cells[number(&digits[places.clone()])] += 1;
                }
            }
        }
        counts
    };
    let mut sum = empty();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || part(t))).collect();
        for thread in threads {
            let counts = thread.join().unwrap();
            for (sum, count) in sum.iter_mut().flatten().zip(counts.iter().flatten()) {
                *sum += count;
            }
        }
    });
    sum
}

/// The key of one session of a fixed series.
fn key(length: CodeLength, session: u32) -> Key {
    let nonce = vault::sha256(&session.to_be_bytes());
    let id = otpost_domain::SessionId::from_bytes([7; 22]);
    let info = derivation::info(1, &id, &[9; 32], length);
    hkdf::key(&nonce, &[5; 32], &[&info], HMAC_SHA256)
}

fn number(digits: &[u8]) -> usize {
    let mut number = 0;
    for digit in digits {
        number = number * 10 + usize::from(digit - b'0');
    }
    number
}

/// How likely counts as uneven as these are where all cells are equally likely.
///
/// Wilson and Hilferty (1931): the cube root of chi-square over its degrees of freedom is nearly
/// normal, from nine degrees on to three digits.
fn p_value(counts: &[u32]) -> f64 {
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    let cells = f64::from(u32::try_from(counts.len()).unwrap());
    let expected = total / cells;
    let distance = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
    let chi_square: f64 = counts.iter().map(distance).sum();
    let freedom = cells - 1.0;
    let spread = 2.0 / (9.0 * freedom);
    let z = ((chi_square / freedom).cbrt() - (1.0 - spread)) / spread.sqrt();
    upper_tail(z)
}

/// The share of the normal distribution above `z` (Abramowitz and Stegun, 26.2.17).
fn upper_tail(z: f64) -> f64 {
    const B: [f64; 5] = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let sum = B.iter().rev().fold(0.0, |sum, b| (sum + b) * t);
    let tail = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if z < 0.0 { 1.0 - tail } else { tail }
}
