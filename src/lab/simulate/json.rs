//! JSON written by hand into a buffer that is used again: the fleet makes hundreds of thousands of small objects.

use itoa::Buffer;

/// Powers of ten for the decimals that signals have.
const SCALES: [f64; 7] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// An object being written: `{"a":1` so far.
pub(super) struct Object<'a> {
    buf: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    /// Opens one.
    pub(super) fn open(buf: &'a mut Vec<u8>) -> Self {
        buf.push(b'{');
        Self { buf, first: true }
    }

    /// Closes it.
    pub(super) fn close(self) {
        self.buf.push(b'}');
    }

    /// A measured number with so many decimals (at most 6), rounded half away from zero; no number where it is not finite.
    pub(super) fn number(&mut self, name: &str, value: f64, decimals: usize) -> &mut Self {
        self.name(name);
        decimal(self.buf, value, decimals);
        self
    }

    /// A whole number.
    pub(super) fn whole(&mut self, name: &str, value: i64) -> &mut Self {
        self.name(name);
        self.buf
            .extend_from_slice(Buffer::new().format(value).as_bytes());
        self
    }

    /// A truth value.
    pub(super) fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.name(name);
        self.buf
            .extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// A word of ours: nothing in it needs an escape.
    pub(super) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        self.buf.push(b'"');
        self.buf.extend_from_slice(value.as_bytes());
        self.buf.push(b'"');
        self
    }

    /// A time in seconds with three decimals.
    pub(super) fn seconds(&mut self, name: &str, ms: i64) -> &mut Self {
        self.name(name);
        let mut digits = Buffer::new();
        self.buf
            .extend_from_slice(digits.format(ms.div_euclid(1_000)).as_bytes());
        let rest = ms.rem_euclid(1_000);
        if rest != 0 {
            self.buf.push(b'.');
            fraction(self.buf, rest, 3);
        }
        self
    }

    /// An object inside.
    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) -> &mut Self {
        self.name(name);
        let mut inside = Object::open(self.buf);
        fill(&mut inside);
        inside.close();
        self
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.buf.push(b',');
        }
        self.first = false;
        self.buf.push(b'"');
        self.buf.extend_from_slice(name.as_bytes());
        self.buf.extend_from_slice(b"\":");
    }
}

/// A number with at most so many decimals; zeros at the end are left out.
#[expect(
    clippy::cast_possible_truncation,
    reason = "signals are far below 2^53 also in millionths; `as` saturates"
)]
fn decimal(buf: &mut Vec<u8>, value: f64, decimals: usize) {
    if !value.is_finite() {
        buf.extend_from_slice(b"null");
        return;
    }
    let decimals = decimals.min(SCALES.len() - 1);
    let scaled = (value * SCALES[decimals]).round() as i64;
    let scale = SCALES[decimals] as i64;
    if scaled < 0 {
        buf.push(b'-');
    }
    let (whole, mut rest) = (scaled.abs() / scale, scaled.abs() % scale);
    buf.extend_from_slice(Buffer::new().format(whole).as_bytes());
    let mut places = decimals;
    while places > 0 && rest % 10 == 0 {
        rest /= 10;
        places -= 1;
    }
    if places > 0 {
        buf.push(b'.');
        fraction(buf, rest, places);
    }
}

/// Digits with leading zeros.
fn fraction(buf: &mut Vec<u8>, value: i64, places: usize) {
    let mut digits = Buffer::new();
    let digits = digits.format(value).as_bytes();
    buf.extend(std::iter::repeat_n(
        b'0',
        places.saturating_sub(digits.len()),
    ));
    buf.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fill: impl FnOnce(&mut Object<'_>)) -> String {
        let mut buf = Vec::new();
        let mut object = Object::open(&mut buf);
        fill(&mut object);
        object.close();
        String::from_utf8(buf).expect("ASCII")
    }

    #[test]
    fn numbers_keep_their_decimals_and_lose_needless_zeros() {
        let text = written(|object| {
            object
                .number("a", 37.999, 2)
                .number("b", -0.306, 2)
                .number("c", 0.05, 3);
            object
                .number("d", f64::NAN, 1)
                .whole("e", -7)
                .number("f", -0.001, 2);
        });
        assert_eq!(text, r#"{"a":38,"b":-0.31,"c":0.05,"d":null,"e":-7,"f":0}"#);
    }

    #[test]
    fn objects_nest_and_times_are_seconds() {
        let text = written(|object| {
            object.seconds("ts", 1_772_347_269_020).seconds("to", 5_000);
            object.object("s", |s| {
                s.flag("on", true).text("word", "idle");
            });
        });
        assert_eq!(
            text,
            r#"{"ts":1772347269.020,"to":5,"s":{"on":true,"word":"idle"}}"#
        );
    }
}
