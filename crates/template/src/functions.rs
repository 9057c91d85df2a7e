//! The functions that every template has; `derive` comes with the context.

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, functions};

use crate::{guard, undefined};

/// Registers the functions.
pub(crate) fn add(environment: &mut Environment<'_>) {
    let range = Value::from_function(functions::range);
    environment.add_function(
        "range",
        move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            let args = args.into_values();
            undefined::refuse(&args)?;
            guard::nowhere(|| "function `range`".to_owned(), &args)?;
            range.call(state, &args)
        },
    );
    // Both only hold what they are given.
    environment.add_function("dict", functions::dict);
    environment.add_function("namespace", functions::namespace);
}
