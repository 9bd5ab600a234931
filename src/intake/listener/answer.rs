//! The packets that we send, as bytes: few and small, so they are written here by hand.
//!
//! Leaves when and why to the connection. Invariant: with MQTT 3 no reason code leaves that it does not know.

use super::packet::Version;

/// MQTT 5: not authorised.
pub(super) const NOT_AUTHORIZED: u8 = 0x87;
/// MQTT 5: the packet id is not known.
pub(super) const ID_NOT_FOUND: u8 = 0x92;

const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBCOMP: u8 = 0x70;

/// Longest reason text in bytes: with it a DISCONNECT stays below 128 bytes, so that each length is one byte.
const TEXT_LIMIT: usize = 100;

/// Why a client is not let in, in the words of both protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// CONNACK code of MQTT 3; `None`: the connection is closed without one.
    pub(super) v3: Option<u8>,
    /// Reason code of MQTT 5.
    pub(super) v5: u8,
}

/// What an accepted MQTT 5 client is told.
pub(super) struct Offer<'a> {
    pub(super) receive_maximum: u16,
    pub(super) packet_bytes: u32,
    pub(super) assigned_id: Option<&'a str>,
}

/// PUBACK; `reason` other than 0 only with MQTT 5.
pub(super) fn puback(out: &mut Vec<u8>, id: u16, reason: u8) {
    ack(out, PUBACK, id, reason);
}

/// PUBREC; `reason` other than 0 only with MQTT 5.
pub(super) fn pubrec(out: &mut Vec<u8>, id: u16, reason: u8) {
    ack(out, PUBREC, id, reason);
}

/// PUBCOMP; `reason` other than 0 only with MQTT 5.
pub(super) fn pubcomp(out: &mut Vec<u8>, id: u16, reason: u8) {
    ack(out, PUBCOMP, id, reason);
}

fn ack(out: &mut Vec<u8>, kind: u8, id: u16, reason: u8) {
    let [high, low] = id.to_be_bytes();
    if reason == 0 {
        out.extend([kind, 2, high, low]);
    } else {
        out.extend([kind, 3, high, low, reason]);
    }
}

/// PINGRESP
pub(super) fn pong(out: &mut Vec<u8>) {
    out.extend([0xD0, 0]);
}

/// SUBACK with one code per filter.
pub(super) fn suback(out: &mut Vec<u8>, version: Version, id: u16, codes: &[u8]) {
    out.push(0x90);
    answered(out, version, id, codes);
}

/// UNSUBACK: all of them were removed.
pub(super) fn unsuback(out: &mut Vec<u8>, version: Version, id: u16, filters: usize) {
    out.push(0xB0);
    let codes = if version == Version::V5 { filters } else { 0 };
    answered(out, version, id, &vec![0; codes]);
}

fn answered(out: &mut Vec<u8>, version: Version, id: u16, codes: &[u8]) {
    let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
    put_length(out, 2 + properties.len() + codes.len());
    out.extend(id.to_be_bytes());
    out.extend_from_slice(properties);
    out.extend_from_slice(codes);
}

/// CONNACK: let in. There is never a session of before.
pub(super) fn welcome(out: &mut Vec<u8>, version: Version, offer: &Offer<'_>) {
    if version != Version::V5 {
        out.extend([0x20, 2, 0, 0]);
        return;
    }
    let mut properties = vec![0x11, 0, 0, 0, 0];
    properties.push(0x21);
    properties.extend(offer.receive_maximum.to_be_bytes());
    properties.push(0x27);
    properties.extend(offer.packet_bytes.to_be_bytes());
    // No topic aliases; no wildcard, shared or numbered subscriptions: nothing is ever delivered.
    properties.extend([0x22, 0, 0, 0x28, 0, 0x29, 0, 0x2A, 0]);
    if let Some(id) = offer.assigned_id {
        properties.push(0x12);
        put_text(&mut properties, id);
    }
    out.push(0x20);
    let mut body = vec![0, 0];
    put_length(&mut body, properties.len());
    body.extend(properties);
    put_length(out, body.len());
    out.extend(body);
}

/// CONNACK: not let in. Nothing for a code that the protocol does not have.
pub(super) fn refuse(out: &mut Vec<u8>, version: Version, refused: Refused) {
    match (version, refused.v3) {
        (Version::V5, _) => out.extend([0x20, 3, 0, refused.v5, 0]),
        (_, Some(code)) => out.extend([0x20, 2, 0, code]),
        (_, None) => {}
    }
}

/// DISCONNECT with a reason, and its text when the client wants texts. With MQTT 3 a server has none.
pub(super) fn disconnect(out: &mut Vec<u8>, version: Version, reason: u8, text: Option<&str>) {
    if version != Version::V5 {
        return;
    }
    let Some(text) = text else {
        out.extend([0xE0, 1, reason]);
        return;
    };
    let mut properties = vec![0x1F];
    put_text(&mut properties, cut(text));
    out.push(0xE0);
    put_length(out, 2 + properties.len());
    out.push(reason);
    put_length(out, properties.len());
    out.extend(properties);
}

fn cut(text: &str) -> &str {
    let end = (0..=TEXT_LIMIT.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(0);
    out.extend(length.to_be_bytes());
    out.extend(text.bytes().take(length.into()));
}

/// MQTT's length: seven bits a byte, the lowest first.
fn put_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let byte = u8::try_from(length & 0x7F).unwrap_or(0x7F);
        length >>= 7;
        if length == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}
