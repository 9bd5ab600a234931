//! The language as a whole: worked faults, mistakes and their texts, hashes.

mod mistakes;

mod worked;
