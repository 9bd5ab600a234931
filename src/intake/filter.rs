//! MQTT topic filters: which are valid, and which say nothing that another does not.
//!
//! Overlapping subscriptions make some brokers deliver a message twice, so a filter that another one covers is left out.

use smol_str::SmolStr;

/// Longest topic filter in bytes (MQTT writes its length in two bytes).
const FILTER_LIMIT: usize = 65_535;

/// Whether a topic filter has the form that MQTT asks for.
pub(super) fn is_valid(filter: &str) -> bool {
    if filter.is_empty() || filter.len() > FILTER_LIMIT || filter.contains('\0') {
        return false;
    }
    let last = filter.split('/').count() - 1;
    filter.split('/').enumerate().all(|(i, level)| match level {
        "#" => i == last,
        "+" => true,
        other => !other.contains(['#', '+']),
    })
}

/// The filters without those that another one covers, in their order.
pub(super) fn without_covered(filters: &[SmolStr]) -> Vec<SmolStr> {
    let mut kept: Vec<SmolStr> = Vec::new();
    for (i, filter) in filters.iter().enumerate() {
        let covered = filters.iter().enumerate().any(|(j, other)| {
            // Of two equal ones the first stays.
            j != i && covers(other, filter) && (j < i || !covers(filter, other))
        });
        if !covered {
            kept.push(filter.clone());
        }
    }
    kept
}

/// Whether every topic that `narrow` matches is matched by `wide` too.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    // A wildcard at the first level does not match topics that begin with `$`, and a shared subscription is its own thing.
    if narrow.starts_with('$') && !wide.starts_with('$') {
        return false;
    }
    let mut narrow_levels = narrow.split('/');
    for level in wide.split('/') {
        if level == "#" {
            return true;
        }
        match narrow_levels.next() {
            Some("#") | None => return false,
            Some(other) if level == "+" || level == other => {}
            Some(_) => return false,
        }
    }
    narrow_levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_another_covers_is_left_out() {
        let filters: Vec<SmolStr> = [
            "appl/v1/#",
            "appl/v1/+/+/tele",
            "shop/+/status",
            "shop/a/status",
            "shop/+/status",
            "$SYS/x",
        ]
        .map(SmolStr::from)
        .to_vec();
        assert_eq!(
            without_covered(&filters),
            ["appl/v1/#", "shop/+/status", "$SYS/x"]
        );
    }

    #[test]
    fn covering_follows_the_levels() {
        assert!(covers("#", "a/b/c"));
        assert!(covers("a/#", "a"));
        assert!(covers("a/+", "a/b"));
        assert!(!covers("a/+", "a/b/c"));
        assert!(!covers("a/b", "a/+"));
        assert!(!covers("a/+", "a/#"));
        assert!(!covers("#", "$SYS/broker"));
    }

    #[test]
    fn wildcards_stand_alone_in_their_level_and_the_hash_at_the_end() {
        for good in ["#", "+", "a/+/b", "a/#", "/", "a//b"] {
            assert!(is_valid(good), "{good} was refused");
        }
        for bad in ["", "a#", "a/#/b", "a+/b", "a\0"] {
            assert!(!is_valid(bad), "{bad:?} was taken");
        }
    }
}
