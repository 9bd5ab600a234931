//! The common name in the subject of a certificate (X.501 `Name`, RFC 5280 section 4.1.2.4, encoded as DER).
//!
//! The certificate around it is taken apart and verified by rustls and webpki; this reads the few bytes of the subject that webpki
//! hands out unread. Invariant: one name or none, never a part of one: a name of two meanings is nobody's.

/// `SEQUENCE`.
const SEQUENCE: u8 = 0x30;
/// `SET`.
const SET: u8 = 0x31;
/// `OBJECT IDENTIFIER`.
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `UTF8String`, `PrintableString`, `IA5String`: what certificates of today use, each UTF-8 or a part of it.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// The one common name in the content of a subject. `None` when there is none or more than one, or when it is empty, is no
/// UTF-8 or has control characters.
pub(super) fn common_name(subject: &[u8]) -> Option<String> {
    let mut found = None;
    let mut names = subject;
    while !names.is_empty() {
        let mut attributes = take(&mut names, SET)?;
        while !attributes.is_empty() {
            let mut attribute = take(&mut attributes, SEQUENCE)?;
            let kind = take(&mut attribute, OBJECT_IDENTIFIER)?;
            if kind != COMMON_NAME {
                continue;
            }
            let text = TEXTS
                .iter()
                .find(|tag| attribute.first() == Some(tag))
                .and_then(|tag| take(&mut attribute, *tag))?;
            let name = std::str::from_utf8(text).ok()?;
            if found.is_some() || name.is_empty() || name.contains(char::is_control) {
                return None;
            }
            found = Some(name.to_owned());
        }
    }
    found
}

/// Takes one value with this tag off the front and gives its content.
fn take<'a>(from: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (first, rest) = from.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    // Up to 127 in one byte, else the number of bytes of the length first; two are more than any subject has.
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *from = rest;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let mut bytes = vec![tag];
        match u8::try_from(length) {
            Ok(short @ 0..=0x7f) => bytes.push(short),
            Ok(one) => bytes.extend([0x81, one]),
            Err(_) => {
                bytes.push(0x82);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        bytes.extend(content);
        bytes
    }

    fn attribute(kind: [u8; 3], tag: u8, text: &[u8]) -> Vec<u8> {
        let inside = [value(OBJECT_IDENTIFIER, &kind), value(tag, text)].concat();
        value(SEQUENCE, &inside)
    }

    fn name(tag: u8, text: &[u8]) -> Vec<u8> {
        value(SET, &attribute(COMMON_NAME, tag, text))
    }

    #[test]
    fn the_common_name_is_found_among_others_in_every_length_and_kind() {
        let country = value(SET, &attribute([0x55, 0x04, 0x06], 0x13, b"CN"));
        for tag in TEXTS {
            let subject = [country.clone(), name(tag, b"TSF5-MADEUP-07")].concat();
            assert_eq!(common_name(&subject).as_deref(), Some("TSF5-MADEUP-07"));
        }
        for length in [127, 128, 255, 256, 3_000] {
            let text = "x".repeat(length);
            assert_eq!(common_name(&name(0x0c, text.as_bytes())), Some(text));
        }
        assert_eq!(common_name(&country), None);
        assert_eq!(common_name(&[]), None);
    }

    #[test]
    fn names_of_two_meanings_are_nobodys() {
        let two = [name(0x0c, b"a"), name(0x0c, b"b")].concat();
        assert_eq!(common_name(&two), None);
        let inside = [
            attribute(COMMON_NAME, 0x0c, b"a"),
            attribute(COMMON_NAME, 0x0c, b"b"),
        ]
        .concat();
        assert_eq!(common_name(&value(SET, &inside)), None);
        for bad in [&b"a\0b"[..], b"", b"\xff\xfe", b"a\nb"] {
            assert_eq!(common_name(&name(0x0c, bad)), None, "{bad:?}");
        }
        // A string of two bytes a character.
        assert_eq!(common_name(&name(0x1e, b"\0a")), None);
    }

    #[test]
    fn cut_or_bent_bytes_are_no_name_and_no_panic() {
        let whole = name(0x0c, b"TSF5-MADEUP-07");
        for end in 0..whole.len() {
            assert_eq!(common_name(&whole[..end]), None);
        }
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut bent = whole.clone();
                bent[place] ^= 1 << bit;
                drop(common_name(&bent));
            }
        }
    }
}
