//! A refused message as it came: topic and payload, the part that is wrong marked, and what was probably meant.
//!
//! Leaves why it was refused to decode, whose sentence names the place. Invariant: nothing of it is markup but our `mark`.

use smol_str::SmolStr;

use crate::web::pages::parts::Markup;
use crate::web::pages::parts::escaped;

/// Characters of a payload that are shown; a whole one may have 256 KiB.
const SHOWN_CHARS: usize = 1_000;
/// Characters of a topic that are shown; MQTT allows 64 KiB.
const TOPIC_CHARS: usize = 300;
/// Characters marked from a place where only a beginning is known.
const MARKED_CHARS: usize = 12;
/// A word that differs by more than this share is no typing mistake.
const SIMILAR: f64 = 0.6;
/// The kinds of the native convention, the last part of its topics.
const KINDS: [&str; 5] = ["state", "tele", "event", "batch", "ident"];

/// A message's text.
pub(super) struct Raw<'a> {
    pub(super) topic: &'a str,
    pub(super) payload: &'a [u8],
    /// It is longer than `payload`.
    pub(super) cut: bool,
}

/// The text with the wrong part marked.
pub(super) fn marked(raw: &Raw<'_>, reason: &str, detail: &str) -> Markup {
    let topic: String = raw.topic.chars().take(TOPIC_CHARS).collect();
    let topic_mark = in_topic(&topic, reason);
    let (payload, cut) = shown(raw);
    let payload_mark = if topic_mark.is_some() {
        None
    } else {
        in_payload(&payload, detail)
    };
    let mut html = String::from("<bdi>");
    html.push_str(&with_mark(&topic, topic_mark));
    if topic.len() < raw.topic.len() {
        html.push('…');
    }
    html.push('\n');
    html.push_str(&with_mark(&payload, payload_mark));
    if cut {
        html.push('…');
    }
    html.push_str("</bdi>");
    Markup::trusted(html)
}

/// The text with a piece of it marked where it first stands.
pub(super) fn marked_at(raw: &Raw<'_>, mark: Option<&str>) -> Markup {
    let topic: String = raw.topic.chars().take(TOPIC_CHARS).collect();
    let (payload, cut) = shown(raw);
    let place = |text: &str| {
        let mark = mark.filter(|mark| !mark.is_empty())?;
        text.find(mark).map(|at| (at, at + mark.len()))
    };
    let end = if cut { "…" } else { "" };
    Markup::trusted(format!(
        "<bdi>{}\n{}{end}</bdi>",
        escaped(&topic),
        with_mark(&payload, place(&payload))
    ))
}

/// What was probably meant; `models` are those that have a profile.
pub(super) fn meant(topic: &str, reason: &str, models: &[SmolStr]) -> Option<String> {
    let (from, to) = in_topic(topic, reason)?;
    let told = topic.get(from..to)?;
    let known: Vec<&str> = match reason {
        "unknown_kind" => KINDS.to_vec(),
        "unknown_model" => models.iter().map(SmolStr::as_str).collect(),
        _ => Vec::new(),
    };
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(told, word), word))
        .filter(|(likeness, _)| *likeness >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word.to_owned())
}

/// The payload as text, or as digits where it is none; whether something is missing.
fn shown(raw: &Raw<'_>) -> (String, bool) {
    match std::str::from_utf8(raw.payload) {
        Ok(text) => brief(text, raw.cut),
        Err(error) if error.error_len().is_none() => {
            let text = raw.payload.get(..error.valid_up_to()).unwrap_or_default();
            brief(&String::from_utf8_lossy(text), raw.cut)
        }
        Err(_) => {
            let digits: String = raw
                .payload
                .iter()
                .take(SHOWN_CHARS / 3)
                .fold(String::new(), |text, byte| text + &format!("{byte:02x} "));
            (digits, raw.cut || raw.payload.len() > SHOWN_CHARS / 3)
        }
    }
}

fn brief(text: &str, cut: bool) -> (String, bool) {
    let short: String = text.chars().take(SHOWN_CHARS).collect();
    let cut = cut || short.len() < text.len();
    (short, cut)
}

/// Where in a native topic the wrong part stands, as bytes.
fn in_topic(topic: &str, reason: &str) -> Option<(usize, usize)> {
    let part = match reason {
        "unknown_kind" => 4,
        "unknown_model" => 2,
        "unknown_device" => 3,
        "unknown_topic" => return Some((0, topic.len())),
        _ => return None,
    };
    let mut from = 0;
    for (at, word) in topic.split('/').enumerate() {
        if at == part {
            // The kind is whatever follows, slashes and all.
            let to = if part == 4 {
                topic.len()
            } else {
                from + word.len()
            };
            return Some((from, to));
        }
        from += word.len() + 1;
    }
    None
}

/// Where in the payload the sentence points: a byte it counts, or a key or value that it quotes.
fn in_payload(payload: &str, detail: &str) -> Option<(usize, usize)> {
    let byte = ["near byte ", "byte at offset "]
        .iter()
        .find_map(|words| detail.split_once(words))
        .and_then(|(_, rest)| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<usize>().ok()
        });
    if let Some(byte) = byte {
        let from = (0..=byte.min(payload.len()))
            .rev()
            .find(|at| payload.is_char_boundary(*at))?;
        let marked: usize = payload
            .get(from..)?
            .chars()
            .take(MARKED_CHARS)
            .map(char::len_utf8)
            .sum();
        return (marked > 0).then_some((from, from + marked));
    }
    // `path: what is wrong with it`, or a word between quotes.
    let named = detail.split_once(": ").map(|(name, _)| name);
    let quoted = detail.split('\'').nth(1);
    [named, quoted]
        .into_iter()
        .flatten()
        .map(|word| word.rsplit('.').next().unwrap_or(word).trim())
        .filter(|word| !word.is_empty() && word.len() <= 128)
        .find_map(|word| {
            let from = payload.find(&format!("\"{word}\"")).map(|at| at + 1);
            let from = from.or_else(|| payload.find(word))?;
            Some((from, from + word.len()))
        })
}

fn with_mark(text: &str, mark: Option<(usize, usize)>) -> String {
    let pieces =
        mark.and_then(|(from, to)| Some((text.get(..from)?, text.get(from..to)?, text.get(to..)?)));
    match pieces {
        Some((before, wrong, after)) => format!(
            "{}<mark>{}</mark>{}",
            escaped(before),
            escaped(wrong),
            escaped(after)
        ),
        None => escaped(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(topic: &str, payload: &[u8], reason: &str, detail: &str) -> String {
        let raw = Raw {
            topic,
            payload,
            cut: false,
        };
        marked(&raw, reason, detail).to_string()
    }

    #[test]
    fn the_wrong_part_of_the_topic_is_marked() {
        let topic = "appl/v1/m-1/A/telemetry";
        assert_eq!(
            html(topic, b"{}", "unknown_kind", ""),
            "<bdi>appl/v1/m-1/A/<mark>telemetry</mark>\n{}</bdi>"
        );
        assert_eq!(
            html(topic, b"{}", "unknown_model", ""),
            "<bdi>appl/v1/<mark>m-1</mark>/A/telemetry\n{}</bdi>"
        );
        assert_eq!(meant(topic, "unknown_kind", &[]).as_deref(), Some("tele"));
        let models = [SmolStr::new("m-2"), SmolStr::new("zz-9")];
        assert_eq!(
            meant(topic, "unknown_model", &models).as_deref(),
            Some("m-2")
        );
        assert_eq!(meant("appl/v1/m/A/xyz", "unknown_kind", &[]), None);
    }

    #[test]
    fn the_wrong_part_of_the_payload_is_marked() {
        let payload = br#"{"ts":1,"s":{"water.out_c":<b>}}"#;
        let shown = html(
            "t",
            payload,
            "invalid_json",
            "not JSON near byte 27 of 33: x",
        );
        assert!(
            shown.contains("out_c&quot;:<mark>&lt;b&gt;}}</mark></bdi>"),
            "{shown}"
        );
        let shown = html(
            "t",
            br#"{"ts":"x"}"#,
            "invalid_shape",
            "ts: expected a number",
        );
        assert!(shown.contains("&quot;<mark>ts</mark>&quot;"), "{shown}");
    }

    #[test]
    fn whatever_came_is_harmless_and_short() {
        for payload in [
            &b"\xff\xfe\x00"[..],
            &[b'<'; 10_000],
            "水".repeat(4_000).as_bytes(),
        ] {
            for detail in ["near byte 9999999 of 3", "near byte 1 of 3", "'<': x", ": "] {
                let shown = html("</pre><script>", payload, "invalid_json", detail);
                assert!(!shown.contains("<script"), "{shown}");
                assert!(shown.len() < 6_000, "{}", shown.len());
            }
        }
    }
}
