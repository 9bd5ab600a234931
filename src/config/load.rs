//! Reads the settings: the file, then `FOREMEND_<SECTION>__<KEY>` variables over it. Every mistake is told with the place where it
//! was made: file and line, or the variable.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use figment::Figment;
use figment::Metadata;
use figment::Profile;
use figment::Provider;
use figment::error::Kind;
use figment::providers::Format as _;
use figment::providers::Toml;
use figment::value::Dict;
use figment::value::Map;
use figment::value::Value;
use toml_edit::Document;
use toml_edit::Item;
use toml_edit::TableLike;

use super::Config;
use super::ConfigError;
use super::Places;
use super::file::ConfigFile;
use super::file::check;

/// Variables of this form override the file: `FOREMEND_HTTP__LISTEN`.
const ENV_PREFIX: &str = "FOREMEND_";
/// Between section and key in the name of a variable. Others (of tests, of packaging) are no settings.
const ENV_SEPARATOR: &str = "__";

/// Reads the settings file (if one is named) and the environment.
///
/// # Errors
/// When the file cannot be read, or a key or value is wrong: the text says which, where, and what was expected.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    Settings::read(path, std::env::vars_os())?.config()
}

/// The directories of the same settings, for commands that need nothing else: no secret is read, and no address has to be right.
///
/// # Errors
/// Like [`load`], but for the values of other settings.
pub fn load_places(path: Option<&Path>) -> Result<Places, ConfigError> {
    Settings::read(path, std::env::vars_os())?.places()
}

/// Where settings come from.
pub(super) struct Settings {
    path: Option<PathBuf>,
    text: String,
    variables: Vec<Variable>,
}

/// One variable that is a setting.
struct Variable {
    name: String,
    /// `http.listen`
    key: String,
    text: String,
    /// The key takes text, and what stands in the variable would be a number or the like.
    is_text: bool,
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = if self.is_text {
            Value::from(self.text.clone())
        } else {
            // Reading a value so cannot fail: what is nothing else is text.
            self.text
                .parse()
                .unwrap_or_else(|_| Value::from(self.text.clone()))
        };
        let nested = figment::util::nest(&self.key, value);
        let dict = nested.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

impl Settings {
    pub(super) fn read<Text>(
        path: Option<&Path>,
        variables: impl IntoIterator<Item = (Text, Text)>,
    ) -> Result<Self, ConfigError>
    where
        Text: Into<std::ffi::OsString>,
    {
        let text = match path {
            Some(path) => fs::read_to_string(path).map_err(|source| ConfigError::Read {
                path: path.into(),
                source,
            })?,
            None => String::new(),
        };
        let mut known = Vec::new();
        for (name, value) in variables {
            let Ok(name) = name.into().into_string() else {
                continue;
            };
            let Some(key) = name.strip_prefix(ENV_PREFIX) else {
                continue;
            };
            let key = key.replace(ENV_SEPARATOR, ".").to_lowercase();
            if !key.contains('.') || key.split('.').any(str::is_empty) {
                continue;
            }
            let text = value.into().into_string().map_err(|_| {
                ConfigError::Wrong(format!("the variable {name}: its value is not UTF-8"))
            })?;
            known.push(Variable {
                name,
                key,
                text,
                is_text: false,
            });
        }
        // One order for every start: the environment has none.
        known.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            path: path.map(Path::to_path_buf),
            text,
            variables: known,
        })
    }

    pub(super) fn config(mut self) -> Result<Config, ConfigError> {
        let file = self.file()?;
        check(file, &self.base()).map_err(|error| match error {
            ConfigError::Value { key, text } => {
                let path: Vec<String> = key.split('.').map(Into::into).collect();
                ConfigError::Wrong(self.at(&path, &text))
            }
            other => other,
        })
    }

    pub(super) fn places(mut self) -> Result<Places, ConfigError> {
        let file = self.file()?;
        Ok(file.places(&self.base()))
    }

    /// What relative paths are relative to.
    fn base(&self) -> PathBuf {
        self.path
            .as_deref()
            .and_then(Path::parent)
            .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
    }

    fn file(&mut self) -> Result<ConfigFile, ConfigError> {
        if let Err(error) = Document::parse(self.text.as_str()) {
            let at = error.span().map(|span| span.start);
            return Err(ConfigError::Wrong(format!(
                "{}: not TOML: {}",
                self.place_of_byte(at),
                error.message().replace('\n', "; ")
            )));
        }
        loop {
            let mut figment = Figment::new().merge(Toml::string(&self.text));
            for variable in &self.variables {
                figment = figment.merge(variable);
            }
            let errors = match figment.extract() {
                Ok(file) => return Ok(file),
                Err(errors) => errors,
            };
            // `FOREMEND_INFLUXDB__ORG=12345` looks like a number and means text. Each variable is taken anew once.
            let mut again = false;
            for error in errors.clone() {
                let dotted = error.path.join(".");
                let variable = self
                    .variables
                    .iter_mut()
                    .find(|variable| variable.key == dotted && !variable.is_text);
                if let (Kind::InvalidType(..), Some(variable)) = (&error.kind, variable) {
                    variable.is_text = true;
                    again = true;
                }
            }
            if !again {
                return Err(self.explain(errors));
            }
        }
    }

    /// One sentence for each mistake that serde found.
    fn explain(&self, errors: figment::Error) -> ConfigError {
        let mut sentences = Vec::new();
        for error in errors {
            let dotted = error.path.join(".");
            let sentence = match &error.kind {
                Kind::UnknownField(field, known) => {
                    // figment's path ends with the unknown key itself.
                    let place = if dotted.is_empty() { field } else { &dotted };
                    let near = known
                        .iter()
                        .map(|name| (strsim::damerau_levenshtein(name, field), *name))
                        .min()
                        .filter(|(distance, _)| *distance <= 3);
                    let hint = near
                        .map_or_else(String::new, |(_, name)| format!("; did you mean '{name}'?"));
                    format!(
                        "unknown key '{place}'{hint} (known here: {})",
                        known.join(", ")
                    )
                }
                Kind::MissingField(field) => format!("'{field}' is missing in [{dotted}]"),
                kind if dotted.is_empty() => kind.to_string(),
                kind => format!("'{dotted}': {kind}"),
            };
            let mut path = error.path;
            if let Kind::UnknownField(field, _) = &error.kind
                && path.last() != Some(field)
            {
                path.push(field.clone());
            }
            sentences.push(self.at(&path, &sentence));
        }
        ConfigError::Wrong(sentences.join("\n"))
    }

    /// The sentence with the place where its key was set; alone when it was set nowhere.
    fn at(&self, path: &[String], sentence: &str) -> String {
        let dotted = path.join(".");
        // A variable wins over the file, also one that names a section which is not there.
        let section = format!("{dotted}.");
        let variable = self
            .variables
            .iter()
            .find(|variable| variable.key == dotted || variable.key.starts_with(&section));
        if let Some(variable) = variable {
            return format!("the variable {}: {sentence}", variable.name);
        }
        match self.byte_of(path) {
            Some(byte) => format!("{}: {sentence}", self.place_of_byte(Some(byte))),
            None if self.path.is_some() && !path.is_empty() => {
                format!("{}: {sentence}", self.place_of_byte(None))
            }
            None => sentence.to_owned(),
        }
    }

    /// Where a key stands in the file; where it does not, its section.
    fn byte_of(&self, path: &[String]) -> Option<usize> {
        let document = Document::parse(self.text.as_str()).ok()?;
        let mut table: &dyn TableLike = document.as_table();
        let mut found = None;
        let mut names = path.iter();
        while let Some((key, item)) = names.next().and_then(|name| table.get_key_value(name)) {
            let start = key.span().or_else(|| item.span()).map(|span| span.start);
            found = start.or(found);
            table = match item {
                // `broker.1.url`: the number is a name of its own in the path.
                Item::ArrayOfTables(tables) => {
                    let number = names.next().and_then(|number| number.parse().ok());
                    let Some(inner) = number.and_then(|number: usize| tables.get(number)) else {
                        break;
                    };
                    found = inner.span().map(|span| span.start).or(found);
                    inner
                }
                item => match item.as_table_like() {
                    Some(inner) => inner,
                    None => break,
                },
            };
        }
        found
    }

    /// `foremend.toml:7`
    fn place_of_byte(&self, byte: Option<usize>) -> String {
        let file = self
            .path
            .as_deref()
            .map_or_else(String::new, |path| path.display().to_string());
        let before = byte.and_then(|byte| self.text.get(..byte));
        match before {
            Some(before) => format!("{file}:{}", before.matches('\n').count() + 1),
            None => file,
        }
    }
}
