//! The filters, and what each of them may be given of secrets.
//!
//! None is registered but through this table, so none can see a token's text that the table does not let it see.

use minijinja::value::{FunctionArgs, FunctionResult, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters, functions::Function};

use crate::arguments::Given;
use crate::needs::{Needs, lack};
use crate::{
    ansible, compile, guard, hashes, lists, numbers, paths, regexes, sinks, spent, text, text_methods, texts,
};

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
    /// A secret that is the text itself.
    Text,
    /// Secrets that are items of a list: it puts texts one behind the other.
    Texts,
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
        Any, Choices, Container, Definedness, Items, Mapped, Merged, Nothing, Shapes, Source, Tested, Text,
        Texts,
    };
    let mut table = vec![
        ("lower", Nothing, filter(filters::lower)),
        ("upper", Nothing, filter(filters::upper)),
        ("title", Nothing, filter(filters::title)),
        ("capitalize", Nothing, filter(filters::capitalize)),
        ("trim", Nothing, filter(filters::trim)),
        ("split", Nothing, given("split", &["value", "sep", "maxsplit"], text_methods::split)),
        ("lines", Nothing, filter(filters::lines)),
        ("format", Nothing, filter(formatted)),
        ("string", Text, filter(filters::string)),
        ("abs", Nothing, filter(filters::abs)),
        ("sum", Nothing, filter(filters::sum)),
        ("min", Nothing, filter(filters::min)),
        ("max", Nothing, filter(filters::max)),
        ("join", Texts, filter(filters::join)),
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
pub(crate) fn formatted(state: &mut State, form: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
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
                let args = named_by_place(name, plainly_named(name, args.into_values()))?;
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
                inner.call(state, &args).map_err(|error| unknown(name, &args, error))
            },
        );
    }
}

/// The parameters of filters of the engine, which takes them by place alone.
const PLACES: [(&str, &[&str]); 5] = [
    ("default", &["value", "default_value", "boolean"]),
    ("d", &["value", "default_value", "boolean"]),
    ("batch", &["value", "linecount", "fill_with"]),
    ("slice", &["value", "slices", "fill_with"]),
    ("trim", &["value", "chars"]),
];

/// The arguments of such a filter by place.
fn named_by_place(name: &str, args: Vec<Value>) -> Result<Vec<Value>, Error> {
    let known = PLACES.iter().find(|(known, _)| *known == name);
    let Some((_, names)) = known.filter(|_| args.last().is_some_and(Value::is_kwargs)) else {
        return Ok(args);
    };
    let given = Given::bind(format!("filter `{name}`"), names, &args)?;
    let last = (0..names.len()).rev().find(|at| given.value(*at).is_ok()).unwrap_or(0);
    // Of these only the value that stands for an undefined one may be missing before another.
    Ok((0..=last).map(|at| given.value(at).cloned().unwrap_or_else(|_| Value::from(""))).collect())
}

/// Where a filter is given the name of a filter or test.
fn place_of_name(name: &str) -> Option<usize> {
    match name {
        "map" | "select" | "reject" => Some(1),
        "selectattr" | "rejectattr" => Some(2),
        _ => None,
    }
}

/// The arguments with such a name without its collection.
fn plainly_named(name: &str, mut args: Vec<Value>) -> Vec<Value> {
    if let Some(given) = place_of_name(name).and_then(|at| args.get_mut(at))
        && let Some(plain) = given.as_str().and_then(compile::unqualified)
    {
        *given = Value::from(plain);
    }
    args
}

/// The engine does not say which filter or test it is that it does not know.
fn unknown(name: &str, args: &[Value], error: Error) -> Error {
    let what = match error.kind() {
        ErrorKind::UnknownFilter => "filter",
        ErrorKind::UnknownTest => "test",
        _ => return error,
    };
    let given = place_of_name(name).and_then(|at| args.get(at)).and_then(Value::as_str);
    match given.filter(|_| error.detail().is_none()) {
        Some(given) => Error::new(error.kind(), format!("{what} {given} is unknown")),
        None => error,
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
        Sees::Text if args.first().is_some_and(|text| text.as_str().is_some()) => {
            guard::nowhere(operation, &args[1..])
        }
        Sees::Text => guard::nowhere(operation, args),
        Sees::Texts => items_alone(operation, args),
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

/// Refuses a secret but as an item of the list: what is deeper in it is not written as it is, and of an attribute the
/// name is looked up.
fn items_alone(operation: impl Fn() -> String, args: &[Value]) -> Result<(), Error> {
    let [list, rest @ ..] = args else { return Ok(()) };
    guard::nowhere(&operation, rest)?;
    let is_list = matches!(list.kind(), ValueKind::Seq | ValueKind::Iterable);
    if !is_list || rest.len() > 1 || rest.iter().any(|option| option.as_str().is_none()) {
        return guard::nowhere(operation, args);
    }
    let mut deeper = list.try_iter()?.filter(|item| item.as_str().is_none());
    deeper.try_for_each(|item| guard::nowhere(&operation, [&item]))
}

/// How far a filter looks into what it is given.
fn needs(sees: Sees) -> Needs {
    match sees {
        Sees::Nothing | Sees::Text | Sees::Texts | Sees::Source => Needs::All,
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
