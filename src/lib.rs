#![doc = include_str!("README.md")]

pub mod telemetry;

pub mod sweep;

pub mod chart;

pub mod profile;

pub mod config;

pub mod intake;

pub mod journal;

pub mod decode;

pub mod detect;

pub mod desk;

pub mod pipeline;

pub mod checkpoint;

pub mod store;

pub mod series;

pub mod web;

pub mod lab;

pub mod daemon;

pub mod cli;

#[cfg(test)]
mod properties;
