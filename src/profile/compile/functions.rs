//! The functions of the language: their names, and how each is written.

/// A function.
pub(super) struct Function {
    /// Name.
    pub(super) name: &'static str,
    /// How it is written.
    pub(super) usage: &'static str,
    /// Fewest arguments.
    pub(super) least: usize,
    /// Most arguments, `ago` not counted.
    pub(super) most: usize,
    /// It gives a truth, not a number.
    pub(super) truth: bool,
}

const fn number(name: &'static str, usage: &'static str, least: usize, most: usize) -> Function {
    Function {
        name,
        usage,
        least,
        most,
        truth: false,
    }
}

const fn truth(name: &'static str, usage: &'static str, least: usize, most: usize) -> Function {
    Function {
        name,
        usage,
        least,
        most,
        truth: true,
    }
}

const FUNCTIONS: &[Function] = &[
    number("last", "last(x, window)", 1, 2),
    number("first", "first(x, window)", 1, 2),
    number("mean", "mean(x, window)", 1, 2),
    number("median", "median(x, window)", 1, 2),
    number("min", "min(x, window) or min(a, b)", 1, 2),
    number("max", "max(x, window) or max(a, b)", 1, 2),
    number("sum", "sum(x, window)", 1, 2),
    number("quantile", "quantile(x, 90 %, window)", 2, 3),
    number("count", "count(x, window)", 1, 2),
    number("total", "total(condition, window)", 1, 2),
    number("increase", "increase(counter, window)", 1, 2),
    number("integral", "integral(x, window)", 1, 2),
    number("rate", "rate(x, window)", 1, 2),
    number("slope", "slope(x, window)", 1, 2),
    number("duration", "duration(session)", 1, 1),
    number("age", "age()", 0, 0),
    number("since", "since(event)", 1, 1),
    number("silent_for", "silent_for(signal)", 1, 1),
    number("baseline", "baseline(derive, window).ratio", 1, 2),
    number("before", "before(x, 10 s)", 2, 2),
    number("at", "at(x, 30 s)", 2, 2),
    number("abs", "abs(x)", 1, 1),
    truth("changed", "changed(x)", 1, 1),
    truth("stuck", "stuck(x, 30 min)", 2, 2),
    truth("invalid", "invalid(signal)", 1, 1),
    truth("has", "has(signal)", 1, 1),
    truth("newly", "newly(bits, 'name')", 2, 2),
    truth("at_least", "at_least(2, signs, 7 d)", 3, 3),
    truth("raised", "raised(fault)", 1, 1),
    truth(
        "held",
        "held(condition, 3 s) or held(condition, 3 of 5)",
        2,
        2,
    ),
];

/// Functions of the language that this version does not have.
pub(super) const LATER: &[&str] = &["cusum", "time_to", "peer"];

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Whether a function has this name, in this version or a later one.
pub(crate) fn is_function(name: &str) -> bool {
    find(name).is_some() || LATER.contains(&name)
}

/// How a function is written.
pub(super) fn usage(name: &str) -> &'static str {
    find(name).map_or("a function", |function| function.usage)
}

/// Every name, for suggestions.
pub(super) fn names() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|function| function.name).collect()
}
