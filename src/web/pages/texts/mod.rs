//! The pages' words: two catalogues of Fluent messages with the same keys.
//!
//! A catalogue is read once. Invariant (held by tests): both languages have the same keys with the same variables, and every key
//! that a template or a handler names exists.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use fluent_bundle::FluentArgs;
use fluent_bundle::FluentError;
use fluent_bundle::FluentResource;
use fluent_bundle::FluentValue;
use fluent_bundle::concurrent::FluentBundle;
use unic_langid::LanguageIdentifier;

use crate::telemetry::Lang;
use crate::telemetry::Text;

use super::show::grouped;

/// Both catalogues, one file per page.
const FILES: [(&str, &str, &str); 6] = [
    (
        "frame",
        include_str!("en/frame.ftl"),
        include_str!("zh/frame.ftl"),
    ),
    (
        "queue",
        include_str!("en/queue.ftl"),
        include_str!("zh/queue.ftl"),
    ),
    (
        "ticket",
        include_str!("en/ticket.ftl"),
        include_str!("zh/ticket.ftl"),
    ),
    (
        "device",
        include_str!("en/device.ftl"),
        include_str!("zh/device.ftl"),
    ),
    (
        "fleet",
        include_str!("en/fleet.ftl"),
        include_str!("zh/fleet.ftl"),
    ),
    (
        "profile",
        include_str!("en/profile.ftl"),
        include_str!("zh/profile.ftl"),
    ),
];

type Bundle = FluentBundle<FluentResource>;

static ENGLISH: LazyLock<Bundle> = LazyLock::new(|| bundle(Lang::En));
static CHINESE: LazyLock<Bundle> = LazyLock::new(|| bundle(Lang::Zh));

fn bundle(lang: Lang) -> Bundle {
    let name = match lang {
        Lang::En => "en",
        Lang::Zh => "zh",
    };
    let language: LanguageIdentifier = name.parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    // Directions are isolated in the HTML, by `bdi`.
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(|value, _| match value {
        FluentValue::Number(number) => Some(grouped(number.value)),
        _ => None,
    }));
    for (file, english, chinese) in FILES {
        let text = match lang {
            Lang::En => english,
            Lang::Zh => chinese,
        };
        // A mistake in a catalogue is found by the tests below; here what can be read is used.
        let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(read, _)| read);
        if bundle.add_resource(resource).is_err() {
            tracing::error!(file, "a key stands twice in the words of the pages");
        }
    }
    bundle
}

/// The words in one language.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Texts {
    lang: Lang,
}

impl Texts {
    /// The words in this language.
    pub(in crate::web) const fn of(lang: Lang) -> Self {
        Self { lang }
    }

    /// Which language this is.
    pub(in crate::web) const fn lang(self) -> Lang {
        self.lang
    }

    /// A message by its key; give it its variables, then show it.
    pub(in crate::web) fn say<'k>(self, key: impl Into<Cow<'k, str>>) -> Sentence<'k> {
        Sentence {
            texts: self,
            key: key.into(),
            args: FluentArgs::new(),
        }
    }

    /// A text in both languages, in this one.
    pub(in crate::web) fn one(self, text: &Text) -> &str {
        text.of(self.lang)
    }

    fn bundle(self) -> &'static Bundle {
        match self.lang {
            Lang::En => &ENGLISH,
            Lang::Zh => &CHINESE,
        }
    }
}

/// A number of things, also by reference, as templates hand it.
pub(in crate::web) trait Countable {
    /// How many.
    fn count(&self) -> u64;
}

impl Countable for u64 {
    fn count(&self) -> u64 {
        *self
    }
}

impl Countable for u32 {
    fn count(&self) -> u64 {
        u64::from(*self)
    }
}

impl Countable for usize {
    fn count(&self) -> u64 {
        *self as u64
    }
}

impl<T: Countable> Countable for &T {
    fn count(&self) -> u64 {
        T::count(self)
    }
}

/// A message with its variables; shown, it is plain text that a template escapes.
pub(in crate::web) struct Sentence<'k> {
    texts: Texts,
    key: Cow<'k, str>,
    args: FluentArgs<'static>,
}

impl Sentence<'_> {
    /// A number: it also chooses between singular and plural, and large ones are grouped.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of things, far below 2^53"
    )]
    pub(in crate::web) fn num(mut self, name: &'static str, value: impl Countable) -> Self {
        self.args.set(name, value.count() as f64);
        self
    }

    /// Any other value, as it shows itself.
    pub(in crate::web) fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.args.set(name, value.to_string());
        self
    }
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bundle = self.texts.bundle();
        let pattern = bundle
            .get_message(&self.key)
            .and_then(|found| found.value());
        let Some(pattern) = pattern else {
            tracing::error!(key = %self.key, "the pages have no such words");
            return out.write_str(&self.key);
        };
        let mut errors: Vec<FluentError> = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&self.args), &mut errors);
        if let Some(error) = errors.first() {
            tracing::error!(key = %self.key, %error, "words of the pages lack a variable");
        }
        out.write_str(&text)
    }
}

#[cfg(test)]
mod tests;
