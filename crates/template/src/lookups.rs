//! `lookup`, `query` and `q`: what inventory values may read besides variables, where the caller provides it.
//!
//! `vars`, `env` and `file` are all there is; whatever else Ansible would run for a value is refused by name.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind, State, Value};
use pq_stream::holds_token;

use crate::context::Context;
use crate::{guard, text, undefined};

/// What lookups may read.
pub trait Lookups: fmt::Debug + Send + Sync {
    /// A variable of the environment.
    fn env(&self, name: &str) -> Option<String>;

    /// A file's text, without what stands at its end or beginning only as space.
    ///
    /// # Errors
    /// Where it cannot be read, or may not be.
    fn file(&self, path: &str) -> Result<String, Error>;
}

/// The function of that name, if it is one of the three.
pub(crate) fn function(name: &str, context: &Context, lookups: &Arc<dyn Lookups>) -> Option<Value> {
    let list = match name {
        "lookup" => false,
        "query" | "q" => true,
        _ => return None,
    };
    let (name, context, lookups) = (name.to_owned(), context.clone(), lookups.clone());
    Some(Value::from_function(move |_: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        let mut args = args.into_values();
        undefined::refuse(&args)?;
        guard::nowhere(|| format!("function `{name}`"), &args)?;
        let options = match args.last().is_some_and(Value::is_kwargs) {
            true => args.pop().map(Kwargs::try_from).transpose()?,
            false => None,
        };
        let options = options.unwrap_or_else(|| Kwargs::from_iter(std::iter::empty::<(&str, Value)>()));
        let all = Call { context: &context, lookups: &*lookups, options: &options }.all(&name, &args)?;
        let list = options.get::<Option<bool>>("wantlist")?.unwrap_or(list);
        options.assert_all_used()?;
        match (list, &all[..]) {
            (false, [one]) => Ok(one.clone()),
            (false, several)
                if !several.is_empty() && several.iter().all(|it| it.kind() == ValueKind::String) =>
            {
                Ok(Value::from(several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
            }
            _ => Ok(Value::from(all)),
        }
    }))
}

fn invalid(cause: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, cause)
}

struct Call<'c> {
    context: &'c Context,
    lookups: &'c dyn Lookups,
    options: &'c Kwargs,
}

impl Call<'_> {
    /// What each of the terms leads to.
    fn all(&self, function: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
        let [plugin, terms @ ..] = args else {
            return Err(invalid(format!(
                "function `{function}` needs the name of a lookup: `vars`, `env` or `file`"
            )));
        };
        let plugin = text::python(plugin)?;
        let short = ["ansible.builtin.", "ansible.legacy."].iter().find_map(|it| plugin.strip_prefix(it));
        let one: fn(&Self, &str) -> Result<Value, Error> = match short.unwrap_or(&plugin) {
            "vars" => Self::variable,
            "env" => Self::env,
            "file" => Self::file,
            _ => {
                return Err(invalid(format!(
                    "there is no lookup `{plugin}` here: values are made of `vars`, `env` and `file` alone"
                )));
            }
        };
        let errors = self.options.get::<Option<String>>("errors")?;
        let mut found = Vec::new();
        for term in terms {
            let term = term.as_str().ok_or_else(|| invalid(format!("lookup `{plugin}` takes texts")))?;
            match (one(self, term), errors.as_deref()) {
                (Err(_), Some("ignore" | "warn")) => found.push(Value::from(())),
                (result, _) => found.push(result?),
            }
        }
        Ok(found)
    }

    fn variable(&self, name: &str) -> Result<Value, Error> {
        let default = self.options.get::<Option<Value>>("default")?;
        let value = self.context.variable(name).map_or_else(|| Ok(Value::UNDEFINED), valid)?;
        match (value.is_undefined(), default) {
            (false, _) => Ok(value),
            (true, Some(default)) => Ok(default),
            // `default` catches it.
            (true, None) => Ok(value),
        }
    }

    fn env(&self, name: &str) -> Result<Value, Error> {
        let default = self.options.get::<Option<Value>>("default")?;
        match self.lookups.env(name).filter(|value| !value.is_empty()) {
            Some(value) => genuine(value, "the environment"),
            None => Ok(default.unwrap_or_else(|| Value::from(""))),
        }
    }

    fn file(&self, path: &str) -> Result<Value, Error> {
        let text = self.lookups.file(path)?;
        let end = self.options.get::<Option<bool>>("rstrip")?.unwrap_or(true);
        let begin = self.options.get::<Option<bool>>("lstrip")?.unwrap_or(false);
        let text = if end { text.trim_end() } else { &text };
        genuine(if begin { text.trim_start() } else { text }.to_owned(), path)
    }
}

/// A value, or the error that it stands for.
fn valid(value: Value) -> Result<Value, Error> {
    let mut items = Value::from(vec![value]).try_iter()?.checked();
    items.next().unwrap_or(Ok(Value::UNDEFINED))
}

/// A text from outside: a token in it would be filled in like one of ours.
fn genuine(text: String, place: &str) -> Result<Value, Error> {
    if holds_token(&text) {
        return Err(invalid(format!("a secret's token stands in what was read from `{place}`")));
    }
    Ok(Value::from(text))
}
