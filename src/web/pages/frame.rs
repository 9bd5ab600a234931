//! What stands around every page: navigation, search, the reader's menu, time zone and health.

use smol_str::SmolStr;

use crate::telemetry::Lang;

use super::assets;
use super::session::random_key;
use super::show::Show;
use super::texts::Texts;

/// The parts of the main navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum Nav {
    /// Tickets.
    Queue,
    /// Devices.
    Fleet,
    /// Profiles.
    Profiles,
    /// None of them.
    Elsewhere,
}

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::web) enum Theme {
    /// As the reader's system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The name in the cookie and the form.
    pub(in crate::web) const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of that name; anything else is the system's.
    pub(in crate::web) fn from_name(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

/// What the frame around a page needs.
#[derive(Clone, Debug)]
pub(in crate::web) struct Frame {
    /// The words.
    pub(in crate::web) t: Texts,
    /// How numbers and times are written.
    pub(in crate::web) show: Show,
    /// Where in the navigation the page stands.
    pub(in crate::web) nav: Nav,
    /// Chosen theme.
    pub(in crate::web) theme: Theme,
    /// Single keys act; the reader may switch them off.
    pub(in crate::web) keys: bool,
    /// Who reads; `None` on the login page.
    pub(in crate::web) reader: Option<SmolStr>,
    /// Cases that need a person; `None` when the store did not answer.
    pub(in crate::web) open_cases: Option<u64>,
    /// What stands in the search field.
    pub(in crate::web) find: String,
    /// This page in the other language.
    pub(in crate::web) twin: String,
    /// This page's own address, to come back to.
    pub(in crate::web) here: String,
    /// Goes back with every form.
    pub(in crate::web) csrf: String,
    /// One sentence of how intake is.
    pub(in crate::web) health: String,
    /// A form of this page was done just now.
    pub(in crate::web) saved: bool,
    /// So many of the messages that were to be replayed just now are not in the journal any more.
    pub(in crate::web) gone: u64,
}

impl Frame {
    /// `lang` of the page.
    pub(in crate::web) const fn lang(&self) -> &'static str {
        match self.t.lang() {
            Lang::En => "en",
            Lang::Zh => "zh-Hans",
        }
    }

    /// The page stands under the queue.
    pub(in crate::web) fn is_queue(&self) -> bool {
        self.nav == Nav::Queue
    }

    /// The page stands under the fleet.
    pub(in crate::web) fn is_fleet(&self) -> bool {
        self.nav == Nav::Fleet
    }

    /// The page stands under the profiles.
    pub(in crate::web) fn is_profiles(&self) -> bool {
        self.nav == Nav::Profiles
    }

    /// How many cases need a person, in digits.
    pub(in crate::web) fn cases(&self) -> Option<String> {
        self.open_cases.map(|n| self.show.count(n))
    }

    /// `lang` of its twin.
    pub(in crate::web) const fn twin_lang(&self) -> &'static str {
        match self.t.lang() {
            Lang::En => "zh-Hans",
            Lang::Zh => "en",
        }
    }

    /// The other language in its own words.
    pub(in crate::web) const fn twin_name(&self) -> &'static str {
        match self.t.lang() {
            Lang::En => "中文",
            Lang::Zh => "English",
        }
    }

    /// Address of the style sheet; it changes with its content.
    #[expect(clippy::unused_self, reason = "templates only see the frame")]
    pub(in crate::web) fn style(&self) -> &'static str {
        assets::style_address()
    }

    /// Address of the script; it changes with its content.
    #[expect(clippy::unused_self, reason = "templates only see the frame")]
    pub(in crate::web) fn script(&self) -> &'static str {
        assets::script_address()
    }

    /// A new idempotency key for a form.
    #[expect(clippy::unused_self, reason = "templates only see the frame")]
    pub(in crate::web) fn key(&self) -> String {
        random_key()
    }

    /// Version of the program.
    #[expect(clippy::unused_self, reason = "templates only see the frame")]
    pub(in crate::web) const fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
