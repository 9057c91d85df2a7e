//! What is undefined may be handed on, asked `is defined`, and caught by `default`; whatever works on it is an error.

use std::sync::LazyLock;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

/// An environment that minds: its error knows which value was undefined, which no error of ours can.
static STRICT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
});

/// Refuses what is undefined. What an `if` without `else` leaves where it does not hold is an empty text.
///
/// # Errors
/// Which of the values is undefined.
pub(crate) fn refuse<'v>(values: impl IntoIterator<Item = &'v Value>) -> Result<(), Error> {
    match values.into_iter().find(|value| value.is_undefined()) {
        Some(value) => {
            let text = Value::from_function(|text: String| text);
            text.call(&mut STRICT.empty_state(), std::slice::from_ref(value)).map(drop)
        }
        None => Ok(()),
    }
}

/// As [`refuse`], for what is to be a value of its own: there is no empty text in the place of an `else`.
///
/// # Errors
/// That it is undefined.
pub(crate) fn refuse_value(value: &Value) -> Result<(), Error> {
    refuse([value])?;
    match value.is_undefined() {
        true => Err(Error::from(ErrorKind::UndefinedError)),
        false => Ok(()),
    }
}
