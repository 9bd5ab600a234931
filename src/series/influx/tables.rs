//! Reads Flux's annotated CSV: blocks of tables, each with its own columns.
//!
//! Leaves the meaning of columns to `query`. Invariant: an error that the server puts in the middle of a good answer is an
//! error here, and no value is taken from a column by its place.

use std::collections::BTreeMap;

use super::super::SeriesError;
use super::short;

/// One row, with its columns by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// By name of column.
    cells: BTreeMap<String, String>,
    /// `_value` is text.
    pub(super) value_is_text: bool,
}

impl Row {
    /// The cell of a column; a column that is not there reads as empty.
    pub(super) fn get(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// What tells its table from the others of the same field: the tags, in one text.
    pub(super) fn tags(&self) -> String {
        let tags = self.cells.iter().filter(|(name, _)| {
            !name.starts_with('_') && !matches!(name.as_str(), "" | "result" | "table")
        });
        tags.fold(String::new(), |all, (name, value)| {
            all + name + "\0" + value + "\0"
        })
    }
}

/// All rows of an answer.
pub(super) fn rows(answer: &[u8]) -> Result<Vec<Row>, SeriesError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(answer);
    let mut rows = Vec::new();
    let mut kinds = Kinds::default();
    let mut names: Option<Vec<String>> = None;
    for record in reader.records() {
        let record =
            record.map_err(|error| query_error(&format!("the answer is no CSV: {error}")))?;
        let cells: Vec<&str> = record.iter().collect();
        let first = cells.first().copied().unwrap_or_default();
        if first.starts_with('#') {
            let texts = cells.iter().map(ToString::to_string).collect();
            match first {
                "#datatype" => kinds.types = texts,
                "#default" => kinds.defaults = texts,
                _ => {}
            }
            names = None;
            continue;
        }
        if let ["error", "reference"] | ["", "error", "reference"] = cells.as_slice() {
            names = Some(cells.iter().map(ToString::to_string).collect());
            continue;
        }
        let Some(columns) = &names else {
            names = Some(cells.iter().map(ToString::to_string).collect());
            continue;
        };
        if let Some(place) = columns.iter().position(|name| name == "error")
            && columns.iter().any(|name| name == "reference")
        {
            let text = cells.get(place).copied().unwrap_or_default();
            return Err(query_error(&format!("the query failed: {}", short(text))));
        }
        rows.push(row(columns, &kinds, &cells));
    }
    Ok(rows)
}

/// What the annotations of a block say, by place of column.
#[derive(Default)]
struct Kinds {
    types: Vec<String>,
    /// What an empty cell stands for; the name of the result comes only this way.
    defaults: Vec<String>,
}

fn row(columns: &[String], kinds: &Kinds, cells: &[&str]) -> Row {
    let mut row = Row::default();
    for (place, (name, cell)) in columns.iter().zip(cells).enumerate() {
        if name == "_value" {
            row.value_is_text = kinds.types.get(place).is_some_and(|kind| kind == "string");
        }
        let default = kinds.defaults.get(place).map_or("", String::as_str);
        let cell = if cell.is_empty() { default } else { cell };
        row.cells.insert(name.clone(), cell.to_owned());
    }
    row
}

/// A question or an answer that makes no sense.
pub(super) fn query_error(reason: &str) -> SeriesError {
    SeriesError::Query {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: &str = "#datatype,string,long,dateTime:RFC3339,double\r\n#group,false,false,false,false\r\n\
        #default,_result,,,\r\n,result,table,_time,_value\r\n,,0,2026-03-01T00:00:00Z,1.5\r\n";

    #[test]
    fn each_block_has_its_own_columns() {
        let answer = format!(
            "{NUMBERS}\r\n#datatype,string,long,string,dateTime:RFC3339\r\n#group,f,f,f,f\r\n#default,_result,,,\r\n\
             ,result,table,_value,_time\r\n,,1,\"a,\r\nb\",2026-03-01T00:00:01Z\r\n"
        );
        let rows = rows(answer.as_bytes()).expect("a good answer");
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].get("_value"), rows[0].value_is_text),
            ("1.5", false)
        );
        assert_eq!(
            (rows[1].get("_value"), rows[1].value_is_text),
            ("a,\r\nb", true)
        );
        assert_eq!(rows[1].get("nothing"), "");
        assert_eq!(rows[0].get("result"), "_result");
    }

    #[test]
    fn an_error_in_the_middle_of_a_good_answer_is_an_error() {
        for tail in [
            "\r\nerror,reference\r\nout of memory,897\r\n",
            "\r\n#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,out of memory,897\r\n",
        ] {
            let error = rows(format!("{NUMBERS}{tail}").as_bytes()).unwrap_err();
            assert!(error.to_string().contains("out of memory"), "{error}");
        }
    }

    #[test]
    fn an_empty_answer_has_no_rows() {
        assert_eq!(rows(b"\r\n").expect("nothing is fine"), Vec::new());
    }
}
