//! What each colour of a chart means: one light colour per role, and the class that a page's style sheet knows it by.
//!
//! The backend writes colours and knows no classes; [`canvas`](super::canvas) looks each colour up here. Invariant: no two roles
//! have the same colour; where the style sheet gives two roles one colour, theirs differ by the last digit.

/// What an element of a chart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Text of axes.
    Plain,
    /// Text that matters: the last value, markers.
    Strong,
    /// Text of the own normal.
    BandText,
    /// Text of the warning limit.
    WarnText,
    /// Text of the fault limit.
    LimitText,
    /// Shading while the warning held.
    Held,
    /// Shading while the fault held.
    HeldFault,
    /// The own normal.
    Band,
    Grid,
    Axis,
    Warn,
    Limit,
    Mark,
    /// From the smallest to the largest value of each bucket.
    Range,
    Line,
    /// The last value.
    Now,
    Track,
    BarOk,
    BarWarn,
    BarBad,
    ShareNormal,
    SharePending,
    ShareActive,
    ShareLearning,
    ShareBlind,
}

/// How a role looks.
pub(super) struct Look {
    pub(super) role: Role,
    /// Class in the style sheet; empty for none.
    pub(super) class: &'static str,
    /// The light colour.
    pub(super) rgb: (u8, u8, u8),
    /// 1 is opaque.
    pub(super) alpha: f64,
    /// What the backend cannot say; for readers without a style sheet.
    pub(super) extra: &'static str,
}

const fn look(role: Role, class: &'static str, rgb: u32, alpha: f64, extra: &'static str) -> Look {
    let [_, r, g, b] = rgb.to_be_bytes();
    Look {
        role,
        class,
        rgb: (r, g, b),
        alpha,
        extra,
    }
}

/// Light colours of the style sheet's tokens.
pub(super) const LOOKS: [Look; 25] = [
    look(Role::Plain, "", 0x50_5D59, 1.0, ""),
    look(Role::Strong, "c-t", 0x17_201F, 1.0, " font-weight=\"600\""),
    look(Role::BandText, "c-band-t", 0x0B_6245, 1.0, ""),
    look(Role::WarnText, "c-warn-t", 0xA3_4E01, 1.0, ""),
    look(
        Role::LimitText,
        "c-limit-t",
        0xB4_2319,
        1.0,
        " font-weight=\"600\"",
    ),
    look(Role::Held, "c-held", 0xFB_E2D5, 1.0, ""),
    look(Role::HeldFault, "c-held2", 0xF3_B89C, 1.0, ""),
    look(Role::Band, "c-band", 0xD3_E6DF, 1.0, ""),
    look(Role::Grid, "c-grid", 0xDB_E1DF, 1.0, ""),
    look(Role::Axis, "c-axis", 0x7B_8783, 1.0, ""),
    look(
        Role::Warn,
        "c-warn",
        0xA3_4E00,
        1.0,
        " stroke-dasharray=\"2 3\"",
    ),
    look(
        Role::Limit,
        "c-limit",
        0xB4_2318,
        1.0,
        " stroke-dasharray=\"7 3\"",
    ),
    look(Role::Mark, "c-mark", 0x17_201E, 1.0, ""),
    look(Role::Range, "c-range", 0x0A_5A68, 0.2, ""),
    look(
        Role::Line,
        "c-line",
        0x0A_5A66,
        1.0,
        " stroke-linejoin=\"round\"",
    ),
    look(Role::Now, "c-now", 0x0A_5A67, 1.0, ""),
    look(Role::Track, "b-track", 0xED_F1EF, 1.0, " rx=\"3\""),
    look(Role::BarOk, "b-ok", 0x0A_5A69, 1.0, " rx=\"2\""),
    look(Role::BarWarn, "b-warn", 0xA3_4E02, 1.0, " rx=\"2\""),
    look(Role::BarBad, "b-bad", 0xB4_231A, 1.0, " rx=\"2\""),
    look(Role::ShareNormal, "m-normal", 0x5F_9B8C, 1.0, ""),
    look(Role::SharePending, "m-pending", 0x1D_4F9E, 1.0, ""),
    look(Role::ShareActive, "m-active", 0xA3_4E03, 1.0, ""),
    look(Role::ShareLearning, "m-learn", 0x7B_8784, 1.0, ""),
    look(Role::ShareBlind, "m-blind", 0xED_F1F0, 1.0, ""),
];

impl Role {
    /// How it looks. Every role has its line above; a test counts them.
    pub(super) fn look(self) -> &'static Look {
        LOOKS
            .iter()
            .find(|look| look.role == self)
            .unwrap_or(&LOOKS[0])
    }
}

/// The role of a colour as the backend writes it (`#0A5A66`).
pub(super) fn of_colour(colour: &str) -> Option<&'static Look> {
    LOOKS.iter().find(|look| {
        let (r, g, b) = look.rgb;
        colour == format!("#{r:02X}{g:02X}{b:02X}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_roles_share_a_colour_and_each_is_found_by_its_own() {
        for (at, look) in LOOKS.iter().enumerate() {
            assert!(LOOKS[at + 1..].iter().all(|other| other.rgb != look.rgb));
            assert_eq!(look.role.look().class, look.class);
            let (r, g, b) = look.rgb;
            let found = of_colour(&format!("#{r:02X}{g:02X}{b:02X}")).expect("a role");
            assert_eq!(found.role, look.role);
        }
        assert!(of_colour("none").is_none());
    }
}
