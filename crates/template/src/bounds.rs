//! How large the parts of a template and the values that it makes may be, so that no stack and no memory runs out.

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, Value};

use crate::compile::Refusal;
use crate::spent;

/// Most items of a list that is made of others.
pub(crate) const MAX_LIST: usize = 1_000_000;

/// Names, numbers and signs that may follow each other in an expression: the engine takes each apart below the last.
const MAX_PARTS: usize = 10_000;

/// Commas in an expression: items of lists and maps, and arguments.
const MAX_COMMAS: usize = 100_000;

/// `elif`s in a template: each stands below the one before.
const MAX_ELIF: usize = 1000;

/// A shorter source has not so many parts that any of this matters.
const SHORT: usize = 1000;

/// Levels of lists and maps that a value may have.
const MAX_DEPTH: usize = 100;

/// Whether a template may need a large stack: one that is long, that can make a value deeper at each turn of a loop, or
/// that can call itself.
pub(crate) fn needs_room(source: &str) -> bool {
    source.len() > SHORT || ["namespace", "macro", "call"].iter().any(|word| source.contains(word))
}

/// Refuses expressions that are too long to be taken apart.
///
/// # Errors
/// Where one begins to be.
pub(crate) fn expressions(source: &str, syntax: &SyntaxConfig) -> Result<(), Refusal> {
    if source.len() <= SHORT {
        return Ok(());
    }
    // Parts since the last comma, for each bracket that is open.
    let mut parts = vec![0];
    let (mut sum, mut commas, mut elifs, mut block) = (0, 0, 0, false);
    for token in tokenize(source, false, syntax.clone()) {
        let (token, span) = token?;
        let begins = std::mem::replace(&mut block, matches!(token, Token::BlockStart));
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => {
                (parts, sum, commas) = (vec![0], 0, 0);
            }
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => parts.push(0),
            Token::ParenClose | Token::BracketClose | Token::BraceClose => sum -= parts.pop().unwrap_or(0),
            Token::Comma => {
                commas += 1;
                sum -= parts.last_mut().map_or(0, std::mem::take);
            }
            Token::Ident("elif") if begins => elifs += 1,
            _ => {
                sum += 1;
                if let Some(last) = parts.last_mut() {
                    *last += 1;
                }
            }
        }
        let cause = match () {
            () if sum > MAX_PARTS => Some(format!("an expression has more than {MAX_PARTS} parts")),
            () if commas > MAX_COMMAS => Some(format!("an expression has more than {MAX_COMMAS} commas")),
            () if elifs > MAX_ELIF => Some(format!("there are more than {MAX_ELIF} `elif`")),
            () => None,
        };
        if let Some(cause) = cause {
            let offset = Some(span.start_offset as usize);
            return Err(Refusal { error: Error::new(ErrorKind::SyntaxError, cause), offset, line: None });
        }
    }
    Ok(())
}

/// What is put together of other lists as it is read, as a list of its own: what is put together of such again and
/// again would be read through all of them each time.
///
/// # Errors
/// It would be too long, or took too much work.
pub(crate) fn solid(value: Value) -> Result<Value, Error> {
    let length = match value.as_object() {
        Some(object) if object.repr() == ObjectRepr::Iterable => object.enumerator_len(),
        _ => None,
    };
    let Some(length) = length else { return Ok(value) };
    spent::walk(1 + length as u64 / 2)?;
    if length > MAX_LIST {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("a list would have more than {MAX_LIST} items"),
        ));
    }
    value.try_iter()?.checked().collect::<Result<Vec<_>, _>>().map(Value::from)
}

/// Refuses a value that is too deep; what looks its members up when they are read is not looked into.
///
/// # Errors
/// It is, or it took too much work to see.
pub(crate) fn shallow(value: &Value) -> Result<(), Error> {
    within(value, 0)
}

fn within(value: &Value, depth: usize) -> Result<(), Error> {
    let Some(object) = value.as_object() else { return Ok(()) };
    if depth > MAX_DEPTH {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("a value is nested more than {MAX_DEPTH} levels deep"),
        ));
    }
    let below = |item: Value| {
        spent::walk(1)?;
        within(&item, depth + 1)
    };
    match object.repr() {
        ObjectRepr::Map if !matches!(object.enumerate(), Enumerator::Values(_)) => {
            object.try_iter_pairs().into_iter().flatten().try_for_each(|(_, item)| below(item))
        }
        ObjectRepr::Seq if !is_list(value) => Ok(()),
        ObjectRepr::Seq | ObjectRepr::Iterable => object.try_iter().into_iter().flatten().try_for_each(below),
        _ => Ok(()),
    }
}

fn is_list(value: &Value) -> bool {
    value.downcast_object_ref::<Vec<Value>>().is_some() || value.downcast_object_ref::<Tuple>().is_some()
}
