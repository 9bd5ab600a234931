//! What the device of a case does: its lines and tables as steps in order of time.
//!
//! Leaves playing them to the parent. Invariant: at one instant the order of the lines holds.

use super::ReadFile;
use crate::profile::{Case, DeriveIdx, EventIdx, Given, Program, Say, SessionIdx, SignalIdx, When};
use crate::telemetry::Scalar;

/// One thing that the device does.
pub(super) enum Doing {
    Record {
        readings: Vec<(SignalIdx, Scalar)>,
        event: Option<EventIdx>,
    },
    Session {
        session: SessionIdx,
        derives: Vec<(DeriveIdx, f64)>,
    },
}

/// All that the device does, in order of time; at one instant in the order of the lines.
pub(super) fn steps(
    program: &Program,
    case: &Case,
    read: ReadFile<'_>,
) -> Result<Vec<(i64, Doing)>, String> {
    let mut steps = Vec::new();
    for given in &case.given {
        match given {
            Given::At { when, says } => {
                for at in when.instants() {
                    said(says, at, *when, &mut steps);
                }
            }
            Given::Csv { file } => {
                let text = read(&case.file, file)?;
                table(program, file, &text, &mut steps)?;
            }
        }
    }
    steps.sort_by_key(|(at, _)| *at);
    Ok(steps)
}

fn said(says: &[Say], at: i64, when: When, steps: &mut Vec<(i64, Doing)>) {
    let (mut readings, mut events, mut sessions) = (Vec::new(), Vec::new(), Vec::new());
    for say in says {
        match say {
            Say::Sample { signal, value } => readings.push((*signal, value.at(at, when))),
            Say::Event { event } => events.push(*event),
            Say::Session { session, derives } => {
                let derives = derives
                    .iter()
                    .filter_map(|(derive, value)| match value.at(at, when) {
                        Scalar::Number(value) => Some((*derive, value)),
                        Scalar::Bool(_) | Scalar::Text(_) | Scalar::Null => None,
                    })
                    .collect();
                sessions.push(Doing::Session {
                    session: *session,
                    derives,
                });
            }
        }
    }
    // A record tells one occurrence; the samples come with the first.
    let first = if events.is_empty() {
        None
    } else {
        Some(events.remove(0))
    };
    if !readings.is_empty() || first.is_some() {
        let event = first;
        steps.push((at, Doing::Record { readings, event }));
    }
    for event in events {
        let event = Some(event);
        let readings = Vec::new();
        steps.push((at, Doing::Record { readings, event }));
    }
    steps.extend(sessions.into_iter().map(|session| (at, session)));
}

/// A table of readings: the first column is the time in seconds from the start, `event` names an occurrence, every other column
/// is a signal by its name or path. An empty cell says nothing.
fn table(
    program: &Program,
    file: &str,
    text: &str,
    steps: &mut Vec<(i64, Doing)>,
) -> Result<(), String> {
    let wrong = |error: csv::Error| format!("{file}: {error}");
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let columns: Vec<Column> = reader
        .headers()
        .map_err(wrong)?
        .iter()
        .skip(1)
        .map(|name| column(program, name).ok_or_else(|| format!("{file}: no signal '{name}'")))
        .collect::<Result<_, _>>()?;
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        let mut cells = row.iter();
        let time = cells.next().unwrap_or_default();
        let seconds: f64 = time
            .parse()
            .map_err(|_| format!("{file}: '{time}' is not a time in seconds"))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "clamped to some three hundred years"
        )]
        let at = (seconds.clamp(0.0, 1.0e10) * 1000.0).round() as i64;
        let (mut readings, mut event) = (Vec::new(), None);
        for (column, cell) in columns.iter().zip(cells) {
            match column {
                _ if cell.is_empty() => {}
                Column::Event => {
                    let found = program
                        .events
                        .iter()
                        .position(|e| e.name == cell || e.path == cell);
                    event = Some(found.ok_or_else(|| format!("{file}: no event '{cell}'"))?);
                }
                Column::Signal(signal) => {
                    let number = cell.parse().map(Scalar::Number);
                    readings.push((
                        *signal,
                        number.unwrap_or_else(|_| Scalar::Text(cell.into())),
                    ));
                }
            }
        }
        steps.push((at, Doing::Record { readings, event }));
    }
    Ok(())
}

/// What a column of a table holds.
enum Column {
    Event,
    Signal(SignalIdx),
}

fn column(program: &Program, name: &str) -> Option<Column> {
    let signal = program
        .signals
        .iter()
        .position(|s| s.name == name || s.path == name);
    match signal {
        Some(signal) => Some(Column::Signal(signal)),
        None => (name == "event").then_some(Column::Event),
    }
}
