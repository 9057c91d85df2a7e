//! The filters, and what each of them may be given of secrets.
//!
//! None is registered but through this table, so none can see a token's text that the table does not let it see.

use minijinja::value::{FunctionArgs, FunctionResult, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, filters, functions::Function};

use crate::arguments::Given;
use crate::needs::{Needs, lack};
use crate::{ansible, guard, hashes, lists, numbers, paths, regexes, sinks, spent, text, texts};

/// What a filter may be given.
#[derive(Clone, Copy)]
enum Sees {
    /// No secret, anywhere in its arguments.
    Nothing,
    /// Lists and maps that hold secrets: it moves what is in them and looks at none of it.
    Shapes,
    /// The same, for one that needs all that is in them: what is undefined there makes its result undefined.
    Items,
    /// Secrets, but not in what it decides on, which is its first argument.
    Choices,
    /// Secrets, whatever is asked: it looks at no text.
    Any,
    /// Secrets inside its first argument, from which it moves items.
    Source,
    /// Secrets inside its second argument, in which it looks something up.
    Container,
    /// Lists and maps that hold secrets, unless an option asks it to compare what is in them.
    Merged,
    /// A secret as its first argument, unless it is asked to look whether that is empty.
    Definedness,
    /// Lists of maps that hold secrets, when a test is named, which has its own guard.
    Tested,
    /// Lists of maps that hold secrets, when it takes a whole attribute or applies a filter.
    Mapped,
}

fn filter<F, Rv, Args>(function: F) -> Value
where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    Value::from_function(function)
}

/// Every filter but the sinks and those that write JSON and YAML.
fn table() -> Vec<(&'static str, Sees, Value)> {
    use Sees::{
        Any, Choices, Container, Definedness, Items, Mapped, Merged, Nothing, Shapes, Source, Tested,
    };
    let mut table = vec![
        ("lower", Nothing, filter(filters::lower)),
        ("upper", Nothing, filter(filters::upper)),
        ("title", Nothing, filter(filters::title)),
        ("capitalize", Nothing, filter(filters::capitalize)),
        ("trim", Nothing, filter(filters::trim)),
        ("split", Nothing, filter(filters::split)),
        ("lines", Nothing, filter(filters::lines)),
        ("format", Nothing, filter(formatted)),
        ("string", Nothing, filter(filters::string)),
        ("abs", Nothing, filter(filters::abs)),
        ("sum", Nothing, filter(filters::sum)),
        ("min", Nothing, filter(filters::min)),
        ("max", Nothing, filter(filters::max)),
        ("join", Nothing, filter(filters::join)),
        ("sort", Nothing, filter(filters::sort)),
        ("unique", Nothing, filter(filters::unique)),
        ("dictsort", Nothing, filter(filters::dictsort)),
        ("groupby", Nothing, filter(filters::groupby)),
        ("length", Shapes, filter(filters::length)),
        ("count", Shapes, filter(filters::length)),
        ("first", Shapes, filter(filters::first)),
        ("last", Shapes, filter(filters::last)),
        ("list", Items, filter(filters::list)),
        ("reverse", Items, filter(filters::reverse)),
        ("items", Items, filter(filters::items)),
        ("batch", Items, filter(filters::batch)),
        ("slice", Items, filter(filters::slice)),
        ("chain", Items, filter(filters::chain)),
        ("zip", Items, filter(filters::zip)),
        ("attr", Shapes, filter(filters::attr)),
        ("default", Definedness, filter(filters::default)),
        ("d", Definedness, filter(filters::default)),
        ("select", Tested, filter(filters::select)),
        ("reject", Tested, filter(filters::reject)),
        ("selectattr", Mapped, filter(filters::selectattr)),
        ("rejectattr", Mapped, filter(filters::rejectattr)),
        ("map", Mapped, filter(filters::map)),
        // Ansible's own.
        ("bool", Nothing, filter(ansible::boolean)),
        ("b64decode", Nothing, filter(ansible::b64decode)),
        ("from_json", Nothing, filter(ansible::from_json)),
        ("basename", Nothing, filter(ansible::basename)),
        ("dirname", Nothing, filter(ansible::dirname)),
        ("union", Nothing, filter(ansible::union)),
        ("intersect", Nothing, filter(ansible::intersect)),
        ("difference", Nothing, filter(ansible::difference)),
        (
            "ternary",
            Choices,
            given("ternary", &["value", "true_val", "false_val", "none_val"], ansible::ternary),
        ),
        ("mandatory", Any, filter(ansible::mandatory)),
        ("combine", Merged, filter(ansible::combine)),
        ("dict2items", Items, filter(ansible::dict2items)),
        ("items2dict", Items, filter(ansible::items2dict)),
        ("flatten", Items, given("flatten", &["mylist", "levels", "skip_nulls"], ansible::flatten)),
    ];
    let seen = [
        (Nothing, texts::TABLE),
        (Nothing, numbers::TABLE),
        (Nothing, paths::TABLE),
        (Nothing, hashes::TABLE),
        (Nothing, regexes::FILTERS),
        (Nothing, lists::COMPARING),
        (Items, lists::MOVING),
        (Source, lists::REACHING),
        (Container, lists::LOOKING),
    ];
    for (sees, rows) in seen {
        table.extend(rows.iter().map(|(name, names, run)| (*name, sees, given(name, names, *run))));
    }
    table
}

/// A filter whose arguments are bound as Python binds them; what is undefined does not get in.
fn given(name: &'static str, names: &'static [&'static str], run: Run) -> Value {
    Value::from_function(move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
        let given = Given::bind(format!("filter `{name}`"), names, &args.into_values())?;
        for value in given.all() {
            sinks::defined(state, value)?;
        }
        run(&given)
    })
}

/// What a filter does with its arguments.
type Run = fn(&Given) -> Result<Value, Error>;

/// `format`: how long the text becomes by its arguments is known before it is made; widths are charged for by the engine.
fn formatted(state: &mut State, form: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let text = form.as_str().unwrap_or_default();
    let length = |value: &Value| value.as_str().map_or(0, str::len);
    let mut most = text.len();
    for value in &args {
        most += match value.is_kwargs() {
            // One of a name may be written many times.
            true => {
                let values = value.try_iter()?.map(|key| value.get_item(&key).unwrap_or_default());
                values.map(|value| length(&value)).sum::<usize>().saturating_mul(text.matches("%(").count())
            }
            false => length(value),
        };
    }
    text::bounded(most)?;
    let args = args.into_iter().map(ValueOrKwargs::from).collect();
    filters::format(state, form, Rest(args))
}

/// Registers the filters.
pub(crate) fn add(environment: &mut Environment<'_>) {
    for (name, sees, inner) in table() {
        environment.add_filter(
            name,
            move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
                let args = args.into_values();
                // What a filter makes of something undefined is undefined.
                if !matches!(sees, Sees::Definedness | Sees::Any)
                    && let Some(undefined) = args.iter().find(|value| value.is_undefined())
                {
                    return Ok(undefined.clone());
                }
                check(name, sees, &args)?;
                args.iter().try_for_each(spent::reach)?;
                if lack(name, needs(sees), &args)? {
                    return Ok(Value::UNDEFINED);
                }
                inner.call(state, &args)
            },
        );
    }
}

/// The names of all filters.
pub(crate) fn names() -> Vec<&'static str> {
    let own = ["to_json", "tojson", "to_nice_json", "to_yaml", "to_nice_yaml"];
    table().into_iter().map(|(name, ..)| name).chain(sinks::names()).chain(own).collect()
}

/// Refuses arguments with secrets that the filter may not see.
fn check(name: &str, sees: Sees, args: &[Value]) -> Result<(), Error> {
    let operation = || format!("filter `{name}`");
    match sees {
        Sees::Nothing => guard::nowhere(operation, args),
        Sees::Shapes | Sees::Items => guard::not_on_top(operation, args),
        Sees::Choices => guard::nowhere(operation, args.first()),
        Sees::Any => Ok(()),
        Sees::Source => {
            guard::not_on_top(operation, args.first())?;
            guard::nowhere(operation, args.get(1..).unwrap_or_default())
        }
        Sees::Container => {
            guard::not_on_top(operation, args)?;
            guard::nowhere(operation, args.first().into_iter().chain(args.get(2..).unwrap_or_default()))
        }
        // The items of lists are compared where those that are there already go.
        Sees::Merged if args.iter().any(compares) => guard::nowhere(operation, args),
        Sees::Merged => guard::not_on_top(operation, args),
        Sees::Definedness if args.len() <= 2 && !args.iter().any(Value::is_kwargs) => Ok(()),
        Sees::Definedness => guard::nowhere(operation, args.first()),
        // Without the name of a test the items themselves are looked at.
        Sees::Tested if args.len() >= 2 => guard::not_on_top(operation, args),
        Sees::Tested => guard::nowhere(operation, args),
        Sees::Mapped if takes_whole(name, args) => guard::not_on_top(operation, args),
        Sees::Mapped => guard::nowhere(operation, args),
    }
}

/// How far a filter looks into what it is given.
fn needs(sees: Sees) -> Needs {
    match sees {
        Sees::Nothing | Sees::Source => Needs::All,
        Sees::Items | Sees::Merged => Needs::Members,
        _ => Needs::Nothing,
    }
}

/// Whether these are the options of a merge that compares items.
fn compares(options: &Value) -> bool {
    let how = || options.get_attr("list_merge").ok();
    options.is_kwargs() && how().is_some_and(|how| how.as_str().is_some_and(|how| how.ends_with("_rp")))
}

/// Whether `map`, `selectattr` or `rejectattr` takes an attribute as a whole: a path such as `password.0`
/// would reach into a text.
fn takes_whole(name: &str, args: &[Value]) -> bool {
    let whole = |path: &Value| {
        path.as_str().is_some_and(|path| {
            path.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !path.starts_with(|c: char| c.is_ascii_digit())
        })
    };
    match (name, &args.get(1..)) {
        ("map", Some([options, ..])) if options.is_kwargs() => {
            options.get_attr("attribute").is_ok_and(|path| whole(&path))
        }
        ("map", Some([filter, ..])) => filter.as_str().is_some(),
        (_, Some([path, _test, ..])) => whole(path),
        _ => false,
    }
}
