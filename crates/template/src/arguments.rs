//! The arguments of a filter, test or method, by place or by name, as Python binds them.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Longest text that padding or repeating may make.
pub(crate) const MAX_WIDTH: usize = 1_000_000;

/// Most items that combining lists may make.
pub(crate) const MAX_ITEMS: usize = 100_000;

/// The arguments of one call.
#[derive(Debug)]
pub(crate) struct Given {
    what: String,
    names: &'static [&'static str],
    values: Vec<Option<Value>>,
    rest: Vec<Value>,
    named: Vec<(String, Value)>,
}

impl Given {
    /// Binds arguments to parameters. A parameter `*` takes all further ones by place, `**` all by name.
    ///
    /// # Errors
    /// Too many arguments, one that is given twice, or a name that there is not.
    pub(crate) fn bind(what: String, names: &'static [&'static str], args: &[Value]) -> Result<Self, Error> {
        let plain: Vec<&'static str> = names.iter().copied().filter(|name| !name.starts_with('*')).collect();
        let (options, places) = match args.split_last() {
            Some((last, places)) if last.is_kwargs() => (Some(last), places),
            _ => (None, args),
        };
        let mut values: Vec<Option<Value>> = places.iter().take(plain.len()).cloned().map(Some).collect();
        values.resize(plain.len(), None);
        let mut given = Given {
            what,
            names,
            values,
            rest: places.iter().skip(plain.len()).cloned().collect(),
            named: Vec::new(),
        };
        if !given.rest.is_empty() && !names.contains(&"*") {
            return Err(given.error(format!("it takes no more than {} arguments", plain.len())));
        }
        for key in options.map(Value::try_iter).transpose()?.into_iter().flatten() {
            let value = options.map_or(Ok(Value::UNDEFINED), |options| options.get_item(&key))?;
            let name = key.to_string();
            match plain.iter().position(|known| *known == name) {
                Some(at) if given.values[at].is_some() => {
                    return Err(given.error(format!("`{name}` is given twice")));
                }
                Some(at) => given.values[at] = Some(value),
                None if names.contains(&"**") => given.named.push((name, value)),
                None => return Err(given.error(format!("there is no argument `{name}`"))),
            }
        }
        Ok(given)
    }

    /// An error of this call.
    pub(crate) fn error(&self, cause: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::InvalidOperation, format!("{}: {cause}", self.what))
    }

    /// Every value that was given.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.values.iter().flatten().chain(&self.rest).chain(self.named.iter().map(|(_, value)| value))
    }

    /// What came behind the parameters.
    pub(crate) fn rest(&self) -> &[Value] {
        &self.rest
    }

    /// What was given by other names.
    pub(crate) fn named(&self) -> &[(String, Value)] {
        &self.named
    }

    fn name(&self, at: usize) -> &'static str {
        self.names.get(at).copied().unwrap_or("")
    }

    fn wrong(&self, at: usize, wanted: &str, found: &Value) -> Error {
        self.error(format!("`{}` has to be {wanted}, not a {}", self.name(at), found.kind()))
    }

    /// An argument, where it was given and is not none.
    pub(crate) fn option(&self, at: usize) -> Option<&Value> {
        self.values.get(at).and_then(Option::as_ref).filter(|value| !value.is_none())
    }

    /// An argument that has to be there.
    ///
    /// # Errors
    /// It was not given.
    pub(crate) fn value(&self, at: usize) -> Result<&Value, Error> {
        let value = self.values.get(at).and_then(Option::as_ref);
        value.ok_or_else(|| self.error(format!("it needs `{}`", self.name(at))))
    }

    /// A text.
    ///
    /// # Errors
    /// It was not given, or is none.
    pub(crate) fn text(&self, at: usize) -> Result<String, Error> {
        let value = self.value(at)?;
        value.as_str().map(str::to_owned).ok_or_else(|| self.wrong(at, "a text", value))
    }

    /// A text, or this one where it was not given.
    ///
    /// # Errors
    /// It is no text.
    pub(crate) fn text_or(&self, at: usize, default: &str) -> Result<String, Error> {
        if self.option(at).is_some() { self.text(at) } else { Ok(default.to_owned()) }
    }

    /// Any value as Python's `str` writes it.
    ///
    /// # Errors
    /// It was not given.
    pub(crate) fn written(&self, at: usize) -> Result<String, Error> {
        self.value(at).map(ToString::to_string)
    }

    /// Whether an option is on.
    pub(crate) fn flag(&self, at: usize, default: bool) -> bool {
        self.option(at).map_or(default, Value::is_true)
    }

    /// An integer, or this one where it was not given.
    ///
    /// # Errors
    /// It is no integer.
    pub(crate) fn integer(&self, at: usize, default: i64) -> Result<i64, Error> {
        let Some(value) = self.option(at) else { return Ok(default) };
        i64::try_from(value.clone()).map_err(|_| self.wrong(at, "an integer", value))
    }

    /// A width in characters: no text becomes longer than a million.
    ///
    /// # Errors
    /// It is no integer, or too large.
    pub(crate) fn width(&self, at: usize, default: usize) -> Result<usize, Error> {
        let Some(value) = self.option(at) else { return Ok(default) };
        let number = i64::try_from(value.clone()).map_err(|_| self.wrong(at, "an integer", value))?;
        match usize::try_from(number) {
            Ok(width) if width <= MAX_WIDTH => Ok(width),
            Ok(_) => Err(self.error(format!("`{}` is at most {MAX_WIDTH}", self.name(at)))),
            Err(_) => Ok(0),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// It was not given, or is none.
    pub(crate) fn float(&self, at: usize) -> Result<f64, Error> {
        let value = self.value(at)?;
        match value.kind() {
            ValueKind::Bool => Ok(if value.is_true() { 1.0 } else { 0.0 }),
            _ => f64::try_from(value.clone()).map_err(|_| self.wrong(at, "a number", value)),
        }
    }

    /// The items of a list.
    ///
    /// # Errors
    /// It was not given, or has no items.
    pub(crate) fn list(&self, at: usize) -> Result<Vec<Value>, Error> {
        let value = self.value(at)?;
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => value.try_iter()?.checked().collect(),
            ValueKind::String => {
                Ok(value.as_str().unwrap_or("").chars().map(|c| Value::from(c.to_string())).collect())
            }
            _ => Err(self.wrong(at, "a list", value)),
        }
    }
}

/// A row of a table of filters, tests or methods: its name, its parameters, and what it does.
pub(crate) type Row = (&'static str, &'static [&'static str], fn(&Given) -> Result<Value, Error>);
