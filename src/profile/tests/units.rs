//! Spellings, factors and dimensions of units; how numbers are shown.

use crate::profile::unit::{UnitError, format_number, format_time};
use crate::profile::{Dim, Unit};

fn unit(text: &str) -> Unit {
    Unit::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

#[test]
fn every_spelling_is_shown_in_one_form_with_its_factor() {
    for (text, symbol, scale) in [
        ("", "", 1.0),
        ("1", "", 1.0),
        ("℃", "°C", 1.0),
        ("degC", "°C", 1.0),
        ("°C", "°C", 1.0),
        ("%", "%", 0.01),
        ("％", "%", 0.01),
        ("\u{2126}", "\u{3a9}", 1.0),
        ("\u{3a9}", "\u{3a9}", 1.0),
        ("ohm", "\u{3a9}", 1.0),
        ("m\u{2126}", "m\u{3a9}", 1e-3),
        ("\u{b5}A", "\u{b5}A", 1e-6),
        ("\u{3bc}A", "\u{b5}A", 1e-6),
        ("lpm", "L/min", 0.001 / 60.0),
        ("L/min", "L/min", 0.001 / 60.0),
        ("L/h", "L/h", 0.001 / 3600.0),
        ("mL", "mL", 1e-6),
        ("kJ/L/K", "kJ/L/K", 1e6),
        ("J/K", "J/K", 1.0),
        ("kW", "kW", 1000.0),
        ("mA/wk", "mA/wk", 0.001 / 604_800.0),
        ("rpm", "rpm", 1.0 / 60.0),
        ("1/min", "1/min", 1.0 / 60.0),
        ("m^2", "m²", 1.0),
        ("m/s²", "m/s²", 1.0),
        ("W*h", "W·h", 3600.0),
        ("wk", "wk", 604_800.0),
    ] {
        let unit = unit(text);
        assert_eq!(unit.symbol, symbol, "{text}");
        assert!(
            (unit.scale / scale - 1.0).abs() < 1e-12,
            "{text}: {}",
            unit.scale
        );
    }
}

#[test]
fn products_have_the_dimension_of_their_factors() {
    for (one, other) in [
        ("W", "J/s"),
        ("W", "V*A"),
        ("\u{3a9}", "V/A"),
        ("Wh", "J"),
        ("mAh", "C"),
        ("kJ/L/K*L/min*K", "W"),
        ("N*m", "J"),
        ("bar", "N/m^2"),
        ("L", "m^3"),
        ("rpm", "Hz"),
        ("%", "1"),
    ] {
        assert_eq!(unit(one).dim, unit(other).dim, "{one} and {other}");
    }
    assert_ne!(unit("°C").dim, unit("K").dim);
    assert_eq!(unit("°C").dim.difference(), unit("K").dim);
}

#[test]
fn a_text_that_is_no_unit_is_refused() {
    for text in [
        "x", "L/", "/min", "L//min", "m^9", "m^x", "m^-1", "L/x", "°", "min min",
    ] {
        assert!(Unit::parse(text).is_err(), "{text:?} was taken");
    }
    assert_eq!(Unit::parse("°C/s"), Err(UnitError::CelsiusInProduct));
    assert_eq!(
        Unit::parse(&vec!["m"; 20].join("*")),
        Err(UnitError::TooComplex)
    );
}

#[test]
fn values_are_shown_with_three_digits_and_their_unit() {
    for (symbol, base, shown) in [
        ("°C", 49.23, "49.2 °C"),
        ("°C", -0.004, "-0.004 °C"),
        ("mA", 0.000_39, "0.39 mA"),
        ("%", 0.8, "80 %"),
        ("L/min", 0.5 / 60_000.0, "0.5 L/min"),
        ("m\u{3a9}", 0.2104, "210 m\u{3a9}"),
        ("1", 2.0, "2"),
        ("W", 1234.4, "1234 W"),
        ("s", 180.0, "3 min"),
        ("min", 7200.0, "2 h"),
        ("d", 1_209_600.0, "14 d"),
    ] {
        assert_eq!(unit(symbol).format(base), shown);
    }
    assert_eq!(format_number(f64::NAN), "–");
    assert_eq!(format_number(-0.0), "0");
}

#[test]
fn times_are_shown_in_the_unit_a_person_would_choose() {
    for (seconds, shown) in [
        (0.0, "0 s"),
        (0.5, "500 ms"),
        (59.0, "59 s"),
        (60.0, "1 min"),
        (90.0, "90 s"),
        (1522.0, "25.4 min"),
        (3600.0, "1 h"),
        (16_200.0, "4.5 h"),
        (86_400.0, "1 d"),
        (1_209_600.0, "14 d"),
    ] {
        assert_eq!(format_time(seconds), shown);
    }
}

#[test]
fn there_and_back_gives_the_same_number() {
    let unit = unit("L/min");
    assert!((unit.from_base(unit.to_base(0.52)) - 0.52).abs() < 1e-12);
    assert_eq!(Unit::of_dim(Dim::default()), Unit::NONE);
}
