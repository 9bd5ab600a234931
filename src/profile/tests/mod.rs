//! The language as a whole: worked faults, mistakes and their texts, hashes.

mod cases;

mod hashes;

mod mistakes;

mod program;

mod reading;

mod texts;

mod units;

mod words;

mod worked;
