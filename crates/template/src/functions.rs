//! The functions that every template has; `derive` comes with the context.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, functions};

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
    environment.add_function("dict", dict);
    // It only holds what it is given.
    environment.add_function("namespace", functions::namespace);
}

/// `dict()`: a map, or pairs, and what is given by name; it only holds what it is given.
fn dict(state: &mut State, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let pairs = match args.first() {
        Some(list) if matches!(list.kind(), ValueKind::Seq | ValueKind::Iterable) => list,
        _ => return Value::from_function(functions::dict).call(state, &args),
    };
    let pair = |pair: Result<Value, Error>| {
        let members: Vec<Value> = pair?.try_iter()?.checked().collect::<Result<_, _>>()?;
        let [key, value] = <[Value; 2]>::try_from(members).map_err(|members| {
            let cause = format!("`dict` takes pairs: one of them has {} members", members.len());
            Error::new(ErrorKind::InvalidOperation, cause)
        })?;
        guard::nowhere(|| "a key of a map".to_owned(), [&key])?;
        Ok((key, value))
    };
    undefined::refuse([pairs])?;
    let mut map = pairs.try_iter()?.checked().map(pair).collect::<Result<Vec<_>, Error>>()?;
    for options in &args[1..] {
        if !options.is_kwargs() {
            return Err(Error::new(ErrorKind::TooManyArguments, "`dict` takes one map or one list of pairs"));
        }
        for key in options.try_iter()? {
            let value = options.get_item(&key)?;
            map.push((key, value));
        }
    }
    Ok(Value::from_pairs(map))
}
