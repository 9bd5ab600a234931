//! Delivers lines: one request after the other, smaller where the server wants it, without the lines it cannot take.
//!
//! Leaves waiting and retrying to the writer. Invariant: each point is in the end stored or counted as refused, or the caller
//! gets an error and sends all again.

use std::io::Write as _;
use std::ops::Range;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::StatusCode;
use reqwest::header::CONTENT_ENCODING;
use reqwest::header::CONTENT_TYPE;

use crate::telemetry::Point;

use super::super::check::check;
use super::super::{RefusedReason, SeriesError, WriteReport};
use super::{InfluxStore, line, refused, unanswered};

/// Most lines in a request: the optimum of the InfluxDB documentation.
const LINES_LIMIT: usize = 5_000;
/// Most bytes of lines in a request before compression; long texts make fewer lines.
const BYTES_LIMIT: usize = 8 * 1_024 * 1_024;

impl InfluxStore {
    /// Stores points in requests of at most [`LINES_LIMIT`] lines.
    pub(super) async fn write_points(&self, points: &[Point]) -> Result<WriteReport, SeriesError> {
        let mut report = WriteReport::default();
        let mut lines = Lines::default();
        for point in points {
            if let Some(checked) = check(point, &mut report) {
                lines.push(&checked);
            }
            if lines.ends.len() >= LINES_LIMIT || lines.text.len() >= BYTES_LIMIT {
                report.add(&self.deliver(&lines).await?);
                lines.clear();
            }
        }
        report.add(&self.deliver(&lines).await?);
        Ok(report)
    }

    /// Sends lines until each is stored or refused. Ends, since every step makes a piece smaller or finishes it.
    async fn deliver(&self, lines: &Lines) -> Result<WriteReport, SeriesError> {
        let mut report = WriteReport::default();
        let mut pieces: Vec<Vec<usize>> = vec![(0..lines.ends.len()).collect()];
        while let Some(piece) = pieces.pop() {
            if piece.is_empty() {
                continue;
            }
            let count = piece.len() as u64;
            match self.post(&lines.body(&piece)).await {
                Ok(()) => report.written += count,
                Err(SeriesError::Partial { dropped, reason }) => {
                    let dropped = dropped.unwrap_or(count).min(count);
                    report.written += count - dropped;
                    report.refuse(reason, dropped);
                }
                Err(SeriesError::Split) if count == 1 => report.refuse(RefusedReason::TooLarge, 1),
                Err(SeriesError::BadLines { .. }) if count == 1 => {
                    report.refuse(RefusedReason::BadLine, 1);
                }
                Err(SeriesError::Split) => pieces.extend(halves(piece)),
                Err(SeriesError::BadLines { answer }) => {
                    pieces.extend(lines.apart(piece, &answer));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }

    /// Sends one body.
    async fn post(&self, body: &[u8]) -> Result<(), SeriesError> {
        let url = self.url(
            &["api", "v2", "write"],
            &[
                ("org", &self.options.org),
                ("bucket", &self.options.bucket),
                ("precision", "ms"),
            ],
        );
        let request = self
            .client()
            .post(url)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(CONTENT_ENCODING, "gzip")
            .body(gzip(body)?);
        let response = request.send().await.map_err(|error| unanswered(&error))?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(());
        }
        Err(refused(response).await)
    }
}

/// What a 422 says: how many points were dropped and why. The others are stored.
pub(super) fn partial(message: &str) -> SeriesError {
    let number_after = |mark: &str| {
        let (_, rest) = message.rsplit_once(mark)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    let reason = if message.contains("field type conflict") {
        RefusedReason::FieldTypeConflict
    } else if message.contains("outside retention policy") {
        RefusedReason::OutsideRetention
    } else {
        RefusedReason::Dropped
    };
    SeriesError::Partial {
        dropped: number_after("dropped=").or_else(|| number_after("dropped ")),
        reason,
    }
}

/// Lines in one text.
#[derive(Debug, Default)]
struct Lines {
    text: String,
    /// Where each line ends in `text`, behind its line end.
    ends: Vec<usize>,
}

impl Lines {
    fn push(&mut self, point: &super::super::check::Checked<'_>) {
        line::encode(point, &mut self.text);
        self.ends.push(self.text.len());
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start = index
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let end = self.ends.get(index);
        start.copied().unwrap_or(0)..end.copied().unwrap_or(self.text.len())
    }

    fn body(&self, piece: &[usize]) -> Vec<u8> {
        let mut body = Vec::new();
        for index in piece {
            body.extend_from_slice(self.text[self.range(*index)].as_bytes());
        }
        body
    }

    /// The lines that the answer names apart from the others; if it names none or all, halves.
    ///
    /// The answer is a hint only, since a text of a device might imitate it: a line is refused once it is refused alone.
    fn apart(&self, piece: Vec<usize>, answer: &str) -> Vec<Vec<usize>> {
        let (named, others): (Vec<usize>, Vec<usize>) = piece.iter().partition(|index| {
            let line = self.text[self.range(**index)].trim_end_matches('\n');
            answer.contains(&format!("unable to parse '{line}'"))
        });
        if named.is_empty() || others.is_empty() {
            return halves(piece);
        }
        vec![named, others]
    }
}

fn halves(mut piece: Vec<usize>) -> Vec<Vec<usize>> {
    let second = piece.split_off(piece.len() / 2);
    vec![second, piece]
}

/// Level 1: six times smaller for a third of the time of level 3.
fn gzip(body: &[u8]) -> Result<Vec<u8>, SeriesError> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(1));
    encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .map_err(|error| SeriesError::later(format!("gzip: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_write_tells_its_number_and_its_reason() {
        for (message, dropped, reason) in [
            (
                "failure writing points to database: partial write: field type conflict: input field \"x\" on \
                 measurement \"t2\" is type string, already exists as type float dropped=3",
                Some(3),
                RefusedReason::FieldTypeConflict,
            ),
            (
                "partial write: dropped 12 points outside retention policy of duration 1h0m0s - oldest point t",
                Some(12),
                RefusedReason::OutsideRetention,
            ),
            ("something else", None, RefusedReason::Dropped),
            (
                "dropped=99999999999999999999999",
                None,
                RefusedReason::Dropped,
            ),
        ] {
            assert_eq!(
                partial(message),
                SeriesError::Partial { dropped, reason },
                "{message}"
            );
        }
    }

    #[test]
    fn named_lines_are_set_apart_and_unnamed_ones_halved() {
        let lines = Lines {
            text: "a 1\nb 1\nc 1\n".into(),
            ends: vec![4, 8, 12],
        };
        assert_eq!(
            lines.apart(vec![0, 1, 2], "unable to parse 'b 1': bad"),
            vec![vec![1], vec![0, 2]]
        );
        assert_eq!(lines.apart(vec![0, 1, 2], "?"), vec![vec![1, 2], vec![0]]);
        assert_eq!(lines.body(&[0, 2]), b"a 1\nc 1\n");
    }
}
