//! The tests that templates may ask (`is defined`, `is sequence`, …). Of a secret only the first may be asked.

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, tests};

use crate::arguments::Given;
use crate::{guard, holes, regexes, sinks, versions};

/// Every test that is not about being defined.
fn table() -> Vec<(&'static str, Value)> {
    fn test<F, Rv, Args>(function: F) -> Value
    where
        F: minijinja::functions::Function<Rv, Args>,
        Rv: minijinja::value::FunctionResult,
        Args: for<'a> minijinja::value::FunctionArgs<'a>,
    {
        Value::from_function(function)
    }
    let mut table = vec![
        ("none", test(tests::is_none)),
        ("boolean", test(tests::is_boolean)),
        ("odd", test(tests::is_odd)),
        ("even", test(tests::is_even)),
        ("divisibleby", test(tests::is_divisibleby)),
        ("number", test(tests::is_number)),
        ("integer", test(tests::is_integer)),
        ("float", test(tests::is_float)),
        ("string", test(tests::is_string)),
        ("iterable", test(tests::is_iterable)),
        ("mapping", test(tests::is_mapping)),
        ("startingwith", test(tests::is_startingwith)),
        ("endingwith", test(tests::is_endingwith)),
        ("lower", test(tests::is_lower)),
        ("upper", test(tests::is_upper)),
        ("sameas", test(tests::is_sameas)),
        ("in", test(tests::is_in)),
        ("true", test(tests::is_true)),
        ("false", test(tests::is_false)),
        ("filter", test(tests::is_filter)),
        ("test", test(tests::is_test)),
    ];
    let comparisons: [(&[&str], Value); 6] = [
        (&["eq", "equalto", "=="], test(tests::is_eq)),
        (&["ne", "!="], test(tests::is_ne)),
        (&["lt", "lessthan", "<"], test(tests::is_lt)),
        (&["le", "<="], test(tests::is_le)),
        (&["gt", "greaterthan", ">"], test(tests::is_gt)),
        (&["ge", ">="], test(tests::is_ge)),
    ];
    for (names, function) in comparisons {
        table.extend(names.iter().map(|name| (*name, function.clone())));
    }
    for (name, names, run) in versions::TABLE.iter().chain(regexes::TESTS) {
        let asked = move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            let given = Given::bind(format!("test `{name}`"), names, &args.into_values())?;
            for value in given.all() {
                sinks::defined(state, value)?;
            }
            if ["subset", "superset", "contains", "any", "all"].iter().any(|test| name.ends_with(test)) {
                holes::refuse(given.all())?;
            }
            run(&given)
        };
        table.push((*name, Value::from_function(asked)));
    }
    table
}

/// Registers the tests.
pub(crate) fn add(environment: &mut Environment<'_>) {
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    for (name, inner) in table() {
        environment.add_test(
            name,
            move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<bool, Error> {
                let args = args.into_values();
                crate::undefined::refuse(&args)?;
                guard::nowhere(|| format!("test `{name}`"), &args)?;
                match (name, &args[..]) {
                    ("in", [needle, list]) => holes::refuse_before(needle, list)?,
                    ("eq" | "equalto" | "==" | "ne" | "!=", _) => holes::refuse(&args)?,
                    _ => {}
                }
                Ok(inner.call(state, &args)?.is_true())
            },
        );
    }
}

/// The names of all tests.
pub(crate) fn names() -> Vec<&'static str> {
    table().into_iter().map(|(name, _)| name).chain(["defined", "undefined"]).collect()
}
