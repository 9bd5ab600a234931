//! Measuring units: their spellings, factors and dimensions, and how a number is shown.
//!
//! A unit is a product of known units (`L/min`, `kJ/L/K`, `mA/wk`). Base units are m, kg, s, A, K; temperatures on the Celsius
//! scale stay in °C and are marked absolute. It leaves the rules of which dimensions mix to the compiler.

use smol_str::{SmolStr, format_smolstr};

use super::{Dim, Unit};

/// Most factors in one unit; real ones have three.
const FACTOR_LIMIT: usize = 8;
/// Largest power in a unit.
const POWER_LIMIT: i8 = 6;

const NONE: [i8; 5] = [0; 5];
const LENGTH: [i8; 5] = [1, 0, 0, 0, 0];
const VOLUME: [i8; 5] = [3, 0, 0, 0, 0];
const MASS: [i8; 5] = [0, 1, 0, 0, 0];
const TIME: [i8; 5] = [0, 0, 1, 0, 0];
const FREQUENCY: [i8; 5] = [0, 0, -1, 0, 0];
const CURRENT: [i8; 5] = [0, 0, 0, 1, 0];
const CHARGE: [i8; 5] = [0, 0, 1, 1, 0];
const TEMPERATURE: [i8; 5] = [0, 0, 0, 0, 1];
const FORCE: [i8; 5] = [1, 1, -2, 0, 0];
const PRESSURE: [i8; 5] = [-1, 1, -2, 0, 0];
const ENERGY: [i8; 5] = [2, 1, -2, 0, 0];
const POWER: [i8; 5] = [2, 1, -3, 0, 0];
const VOLTAGE: [i8; 5] = [2, 1, -3, -1, 0];
const RESISTANCE: [i8; 5] = [2, 1, -3, -2, 0];

/// The spelling that is shown, others that are read, factor to base units, dimension.
type Known = (&'static str, &'static [&'static str], f64, [i8; 5]);

const KNOWN: &[Known] = &[
    ("1", &[], 1.0, NONE),
    ("%", &["％", "pct", "percent"], 0.01, NONE),
    ("‰", &[], 0.001, NONE),
    ("ppm", &[], 1e-6, NONE),
    // Logarithmic levels take part in comparisons only; they are plain numbers here.
    ("dB", &[], 1.0, NONE),
    ("dBm", &[], 1.0, NONE),
    ("m", &[], 1.0, LENGTH),
    ("km", &[], 1000.0, LENGTH),
    ("cm", &[], 0.01, LENGTH),
    ("mm", &[], 0.001, LENGTH),
    ("µm", &["um"], 1e-6, LENGTH),
    ("m³", &["m3"], 1.0, VOLUME),
    ("L", &["l", "ℓ"], 0.001, VOLUME),
    ("mL", &["ml"], 1e-6, VOLUME),
    ("kg", &[], 1.0, MASS),
    ("g", &[], 0.001, MASS),
    ("mg", &[], 1e-6, MASS),
    ("s", &["sec"], 1.0, TIME),
    ("ms", &[], 0.001, TIME),
    ("µs", &["us"], 1e-6, TIME),
    ("min", &[], 60.0, TIME),
    ("h", &["hr"], 3600.0, TIME),
    ("d", &["day", "days"], 86_400.0, TIME),
    ("wk", &["week", "weeks"], 604_800.0, TIME),
    ("Hz", &[], 1.0, FREQUENCY),
    ("kHz", &[], 1000.0, FREQUENCY),
    ("rpm", &["r/min"], 1.0 / 60.0, FREQUENCY),
    ("A", &[], 1.0, CURRENT),
    ("mA", &[], 0.001, CURRENT),
    ("µA", &["uA"], 1e-6, CURRENT),
    ("C", &[], 1.0, CHARGE),
    ("Ah", &[], 3600.0, CHARGE),
    ("mAh", &[], 3.6, CHARGE),
    ("K", &[], 1.0, TEMPERATURE),
    ("mK", &[], 0.001, TEMPERATURE),
    ("N", &[], 1.0, FORCE),
    ("mN", &[], 0.001, FORCE),
    ("Pa", &[], 1.0, PRESSURE),
    ("hPa", &[], 100.0, PRESSURE),
    ("kPa", &[], 1000.0, PRESSURE),
    ("MPa", &[], 1e6, PRESSURE),
    ("bar", &[], 1e5, PRESSURE),
    ("mbar", &[], 100.0, PRESSURE),
    ("J", &[], 1.0, ENERGY),
    ("kJ", &[], 1000.0, ENERGY),
    ("MJ", &[], 1e6, ENERGY),
    ("Wh", &[], 3600.0, ENERGY),
    ("kWh", &[], 3.6e6, ENERGY),
    ("W", &[], 1.0, POWER),
    ("mW", &[], 0.001, POWER),
    ("kW", &[], 1000.0, POWER),
    ("V", &[], 1.0, VOLTAGE),
    ("mV", &[], 0.001, VOLTAGE),
    ("kV", &[], 1000.0, VOLTAGE),
    // U+03A9; the other spelling is the ohm sign U+2126.
    ("\u{3a9}", &["\u{2126}", "ohm", "Ohm"], 1.0, RESISTANCE),
    (
        "m\u{3a9}",
        &["m\u{2126}", "mohm", "mOhm"],
        0.001,
        RESISTANCE,
    ),
    (
        "k\u{3a9}",
        &["k\u{2126}", "kohm", "kOhm"],
        1000.0,
        RESISTANCE,
    ),
    ("M\u{3a9}", &["M\u{2126}", "Mohm", "MOhm"], 1e6, RESISTANCE),
];

/// Spellings of the Celsius scale; it stands alone, never in a product.
const CELSIUS: &[&str] = &["°C", "℃", "degC", "˚C", "ºC"];
/// Spellings that stand for a product.
const SHORT: &[(&str, &str)] = &[("lpm", "L/min"), ("LPM", "L/min"), ("lph", "L/h")];

/// Why a text is no unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnitError {
    /// This factor is unknown.
    Unknown(String),
    /// °C inside a product, where only a difference makes sense.
    CelsiusInProduct,
    /// Too many factors or too large a power.
    TooComplex,
}

impl Unit {
    /// A pure number.
    pub const NONE: Self = Self {
        symbol: SmolStr::new_static(""),
        scale: 1.0,
        dim: Dim {
            exponents: NONE,
            absolute: false,
        },
    };

    /// Base units from a number in this unit.
    #[must_use]
    pub fn to_base(&self, value: f64) -> f64 {
        value * self.scale
    }

    /// A number in this unit from base units.
    #[must_use]
    pub fn from_base(&self, base: f64) -> f64 {
        base / self.scale
    }

    /// A value with its unit, as people read it: `49.2 °C`, `0.39 mA`, `80 %`; times in the natural unit (`3 min`, `14 d`).
    #[must_use]
    pub fn format(&self, base: f64) -> String {
        if self.dim == Dim::TIME {
            return format_time(base);
        }
        let number = format_number(self.from_base(base));
        if self.symbol.is_empty() {
            number
        } else {
            format!("{number} {}", self.symbol)
        }
    }

    /// Reads a unit in any of its spellings.
    pub(crate) fn parse(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        if text.is_empty() || text == "1" {
            return Ok(Self::NONE);
        }
        if CELSIUS.contains(&text) {
            return Ok(Self::celsius());
        }
        let text = SHORT
            .iter()
            .find(|(short, _)| *short == text)
            .map_or(text, |(_, long)| *long);
        product(text)
    }

    /// The Celsius scale.
    pub(crate) const fn celsius() -> Self {
        Self {
            symbol: SmolStr::new_static("°C"),
            scale: 1.0,
            dim: Dim {
                exponents: TEMPERATURE,
                absolute: true,
            },
        }
    }

    /// Seconds, shown in the natural unit.
    pub(crate) const fn seconds() -> Self {
        Self {
            symbol: SmolStr::new_static("s"),
            scale: 1.0,
            dim: Dim::TIME,
        }
    }

    /// Percent.
    pub(crate) const fn percent() -> Self {
        Self {
            symbol: SmolStr::new_static("%"),
            scale: 0.01,
            dim: Dim {
                exponents: NONE,
                absolute: false,
            },
        }
    }

    /// A unit of this dimension: the coherent one that has a name, else a product of base units.
    pub(crate) fn of_dim(dim: Dim) -> Self {
        if dim.absolute {
            return Self::celsius();
        }
        if dim.exponents == NONE {
            return Self::NONE;
        }
        for (symbol, _, scale, known) in KNOWN {
            if *known == dim.exponents && (*scale - 1.0).abs() < f64::EPSILON {
                return Self {
                    symbol: SmolStr::new_static(symbol),
                    scale: 1.0,
                    dim,
                };
            }
        }
        Self {
            symbol: base_symbol(dim),
            scale: 1.0,
            dim,
        }
    }

    /// This unit per another, as a slope is shown.
    pub(crate) fn per(&self, symbol: &'static str, scale: f64, dim: Dim) -> Self {
        let own = if self.dim.absolute { "K" } else { &self.symbol };
        let own = if own.is_empty() { "1" } else { own };
        Self {
            symbol: format_smolstr!("{own}/{symbol}"),
            scale: self.scale / scale,
            dim: self.dim.difference().divided_by(dim),
        }
    }

    /// How the unit is named in a diagnostic.
    pub(crate) fn named(&self) -> String {
        if self.symbol.is_empty() {
            "a pure number".to_owned()
        } else {
            self.symbol.to_string()
        }
    }
}

impl Dim {
    /// Seconds.
    pub(crate) const TIME: Self = Self {
        exponents: TIME,
        absolute: false,
    };

    /// A pure number.
    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// A difference of two such values: °C gives K.
    pub(crate) const fn difference(self) -> Self {
        Self {
            exponents: self.exponents,
            absolute: false,
        }
    }

    /// The dimension of a product; both are differences.
    pub(crate) fn times(self, other: Self) -> Self {
        self.combine(other, i8::saturating_add)
    }

    /// The dimension of a quotient; both are differences.
    pub(crate) fn divided_by(self, other: Self) -> Self {
        self.combine(other, i8::saturating_sub)
    }

    fn combine(self, other: Self, with: fn(i8, i8) -> i8) -> Self {
        let mut exponents = self.exponents;
        for (own, other) in exponents.iter_mut().zip(other.exponents) {
            *own = with(*own, other);
        }
        Self {
            exponents,
            absolute: false,
        }
    }
}

/// All spellings that are shown, for suggestions.
pub(crate) fn spellings() -> impl Iterator<Item = &'static str> {
    KNOWN
        .iter()
        .map(|(symbol, ..)| *symbol)
        .chain(["°C", "L/min", "L/h"])
}

/// Three significant digits, no trailing zeros, no exponent.
pub(crate) fn format_number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let mut decimals = 0;
    let mut border = 100.0;
    while size < border && decimals < 9 && size > 0.0 {
        border /= 10.0;
        decimals += 1;
    }
    let mut text = format!("{value:.decimals$}");
    if text.contains('.') {
        let kept = text.trim_end_matches('0').trim_end_matches('.').len();
        text.truncate(kept);
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// A time in the unit that a person would choose.
pub(crate) fn format_time(seconds: f64) -> String {
    let size = seconds.abs();
    let (scale, symbol) = if size == 0.0 {
        (1.0, "s")
    } else if size < 1.0 {
        (0.001, "ms")
    } else if size < 120.0 && size % 60.0 != 0.0 {
        (1.0, "s")
    } else if size < 7200.0 && size % 3600.0 != 0.0 {
        (60.0, "min")
    } else if size < 172_800.0 && size % 86_400.0 != 0.0 {
        (3600.0, "h")
    } else {
        (86_400.0, "d")
    };
    format!("{} {symbol}", format_number(seconds / scale))
}

/// A time in ms, as people read it.
pub(crate) fn format_ms(ms: i64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        reason = "times of a profile are far below 2^53 ms"
    )]
    let seconds = ms as f64 / 1000.0;
    format_time(seconds)
}

fn product(text: &str) -> Result<Unit, UnitError> {
    let mut unit = Unit::NONE;
    let mut symbol = String::new();
    let mut operator = '*';
    let mut rest = text;
    for count in 0.. {
        if count >= FACTOR_LIMIT {
            return Err(UnitError::TooComplex);
        }
        let end = rest.find(['/', '*', '·']).unwrap_or(rest.len());
        let (factor, shown) = power(&rest[..end])?;
        if operator == '/' {
            unit.scale /= factor.scale;
            unit.dim = unit.dim.divided_by(factor.dim);
        } else {
            unit.scale *= factor.scale;
            unit.dim = unit.dim.times(factor.dim);
        }
        symbol.push_str(&shown);
        let Some(next) = rest[end..].chars().next() else {
            break;
        };
        operator = if next == '/' { '/' } else { '*' };
        symbol.push(if next == '/' { '/' } else { '·' });
        rest = &rest[end + next.len_utf8()..];
    }
    unit.symbol = symbol.into();
    Ok(unit)
}

/// One factor with its power: `m^2`, `s²`, `1`.
fn power(text: &str) -> Result<(Unit, String), UnitError> {
    if CELSIUS.contains(&text) {
        return Err(UnitError::CelsiusInProduct);
    }
    if let Some((symbol, scale, exponents)) = find(text) {
        let unit = Unit {
            symbol: SmolStr::default(),
            scale,
            dim: Dim {
                exponents,
                absolute: false,
            },
        };
        return Ok((unit, symbol.to_owned()));
    }
    let (name, power) = if let Some(name) = text.strip_suffix('²') {
        (name, 2)
    } else if let Some(name) = text.strip_suffix('³') {
        (name, 3)
    } else if let Some((name, power)) = text.split_once('^') {
        let power = power
            .parse()
            .map_err(|_| UnitError::Unknown(text.to_owned()))?;
        (name, power)
    } else {
        return Err(UnitError::Unknown(text.to_owned()));
    };
    if !(1..=POWER_LIMIT).contains(&power) {
        return Err(UnitError::TooComplex);
    }
    let (symbol, scale, exponents) =
        find(name).ok_or_else(|| UnitError::Unknown(text.to_owned()))?;
    let mut unit = Unit::NONE;
    for _ in 0..power {
        unit.scale *= scale;
        unit.dim = unit.dim.times(Dim {
            exponents,
            absolute: false,
        });
    }
    let shown = match power {
        1 => symbol.to_owned(),
        2 => format!("{symbol}²"),
        3 => format!("{symbol}³"),
        other => format!("{symbol}^{other}"),
    };
    Ok((unit, shown))
}

fn find(text: &str) -> Option<(&'static str, f64, [i8; 5])> {
    // The micro sign U+00B5 and the Greek letter U+03BC look the same and are both written.
    let text = text.replace('\u{3bc}', "\u{b5}");
    KNOWN
        .iter()
        .find(|(symbol, others, ..)| *symbol == text || others.contains(&text.as_str()))
        .map(|(symbol, _, scale, exponents)| (*symbol, *scale, *exponents))
}

fn base_symbol(dim: Dim) -> SmolStr {
    let names = ["m", "kg", "s", "A", "K"];
    let part = |positive: bool| -> Vec<String> {
        names
            .iter()
            .zip(dim.exponents)
            .filter(|(_, power)| (*power > 0) == positive && *power != 0)
            .map(|(name, power)| match power.unsigned_abs() {
                1 => (*name).to_owned(),
                2 => format!("{name}²"),
                3 => format!("{name}³"),
                other => format!("{name}^{other}"),
            })
            .collect()
    };
    let over = part(true);
    let mut symbol = if over.is_empty() {
        "1".to_owned()
    } else {
        over.join("·")
    };
    for under in part(false) {
        symbol.push('/');
        symbol.push_str(&under);
    }
    symbol.into()
}
