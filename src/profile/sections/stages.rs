//! Keys of a fault that are one value or `{ warn = …, fault = … }`.

use super::{Entry, Fields};
use crate::profile::Stage;
use crate::profile::diagnostic::{Reported, Sink, Span};

/// A value for each stage.
pub(super) struct Staged<T> {
    /// For `warn`.
    pub(super) warn: Option<T>,
    /// For `fault`.
    pub(super) fault: Option<T>,
    /// Where each was given by its own name.
    named: Vec<(Stage, Span)>,
}

impl<T> Default for Staged<T> {
    fn default() -> Self {
        Self {
            warn: None,
            fault: None,
            named: Vec::new(),
        }
    }
}

impl<T: Clone> Staged<T> {
    /// Reads a key.
    pub(super) fn read(
        fields: &mut Fields<'_>,
        key: &'static str,
        sink: &mut Sink<'_>,
        read: fn(&Entry<'_>, &mut Sink<'_>) -> Result<T, Reported>,
    ) -> Result<Self, Reported> {
        let Some(entry) = fields.take(key) else {
            return Ok(Self::default());
        };
        if !entry.item.is_table_like() {
            let value = read(&entry, sink)?;
            return Ok(Self {
                warn: Some(value.clone()),
                fault: Some(value),
                named: Vec::new(),
            });
        }
        let mut inner = Fields::of(&entry, format!("'{key}'"), sink)?;
        let mut staged = Self::default();
        for (stage, name) in [(Stage::Warn, "warn"), (Stage::Fault, "fault")] {
            if let Some(one) = inner.take(name) {
                let value = read(&one, sink)?;
                staged.named.push((stage, one.key_at));
                match stage {
                    Stage::Warn => staged.warn = Some(value),
                    Stage::Fault => staged.fault = Some(value),
                }
            }
        }
        inner.finish(sink);
        Ok(staged)
    }

    /// The value of a stage.
    pub(super) fn of(&self, stage: Stage) -> Option<T> {
        match stage {
            Stage::Warn => self.warn.clone(),
            Stage::Fault => self.fault.clone(),
        }
    }

    /// Reports values given by name for a stage that the fault does not have.
    pub(super) fn check(&self, key: &str, has: [bool; 2], sink: &mut Sink<'_>) {
        for (stage, at) in &self.named {
            let (name, there) = match stage {
                Stage::Warn => ("warn", has[0]),
                Stage::Fault => ("fault", has[1]),
            };
            if !there {
                sink.error(
                    *at,
                    format!("'{key}' speaks of a stage '{name}' that this fault does not have"),
                );
            }
        }
    }
}
