//! `a % b`: the remainder of two numbers, or a text with values in the places that it names, as Python has both.

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind, State, Value};

use crate::{filters, guard, holes, undefined};

/// What comes of the two operands, which are given as a list.
///
/// # Errors
/// Where one is undefined or a secret, or they are neither numbers nor a text and what fits it.
pub(crate) fn of(state: &mut State, operands: &Value) -> Result<Value, Error> {
    let operands: Vec<Value> = operands.try_iter()?.collect();
    let [left, right] = &operands[..] else { return Err(unfit(operands.first(), operands.get(1))) };
    undefined::refuse(&operands)?;
    if left.as_str().is_none() {
        guard::not_on_top(|| "arithmetic".to_owned(), &operands)?;
        return numbers(left, right);
    }
    guard::nowhere(|| "`%`".to_owned(), &operands)?;
    holes::refuse(&operands)?;
    let arguments: Vec<Value> = match right.kind() {
        _ if right.is_tuple() => right.try_iter()?.collect(),
        ValueKind::Map if left.as_str().is_some_and(|form| form.contains("%(")) => {
            let names = right.try_iter()?.map(|key| Ok((key.to_string(), right.get_item(&key)?)));
            vec![names.collect::<Result<Kwargs, Error>>()?.into()]
        }
        _ => vec![right.clone()],
    };
    filters::formatted(state, left, Rest(arguments.into_iter().map(ValueOrKwargs::from).collect()))
}

/// The remainder; it has the sign of the divisor.
fn numbers(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (integer(left), integer(right)) {
        let rest = a.checked_rem(b).ok_or_else(by_zero)?;
        let rest = if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest };
        return Ok(i64::try_from(rest).map_or_else(|_| Value::from(rest), Value::from));
    }
    let (Some(a), Some(b)) = (float(left), float(right)) else { return Err(unfit(Some(left), Some(right))) };
    if b == 0.0 {
        return Err(by_zero());
    }
    let rest = a % b;
    Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }))
}

fn integer(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(value.is_true().into()),
        _ if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => integer(value).map(|number| number as f64),
    }
}

fn by_zero() -> Error {
    Error::new(ErrorKind::InvalidOperation, "`%` divides by zero")
}

fn unfit(left: Option<&Value>, right: Option<&Value>) -> Error {
    let kind = |value: Option<&Value>| value.map_or(ValueKind::Undefined, Value::kind);
    let cause =
        format!("`%` takes numbers, or a text and values, not a {} and a {}", kind(left), kind(right));
    Error::new(ErrorKind::InvalidOperation, cause)
}
