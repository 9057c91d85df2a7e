//! Compiles a template and puts a guard before every instruction that would work on a secret's text.
//!
//! The match over the engine's instructions names each of them: one that a new engine brings does not compile
//! here until somebody has decided what it may do with a secret.

use minijinja::machinery::{CodeGenerator, Instruction, Instructions, ast, parse};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use pq_stream::OPENING;

use crate::{bounds, folding, guard, holes, remainder, spent, text, undefined};

/// The flag of a recursive loop in [`Instruction::PushLoop`].
const RECURSIVE: u8 = 2;

/// No slot in the engine's cache of filters: guards are looked up by name.
const NO_SLOT: u8 = !0;

/// A compiled template.
pub(crate) struct Compiled<'s> {
    /// What the engine runs.
    pub instructions: Instructions<'s>,
    /// Whether the source is exactly one `{{ expression }}`: then its value is left instead of written.
    pub single: bool,
}

/// Compiles a source; with `native`, one that is exactly one `{{ expression }}` leaves its value.
///
/// # Errors
/// A syntax error, a literal token, or a statement that is not supported.
pub(crate) fn compile<'s>(
    name: &'s str,
    source: &'s str,
    syntax: &SyntaxConfig,
    native: bool,
) -> Result<Compiled<'s>, Refusal> {
    if let Some(offset) = source.find(OPENING) {
        return Err(Refusal {
            error: unsupported("a secret's token stands in the text"),
            offset: Some(offset),
            line: None,
        });
    }
    // A newline at the end of a value is no part of what it is made of; it comes back where that is a text.
    let source = if native { source.strip_suffix('\n').unwrap_or(source) } else { source };
    bounds::expressions(source, syntax)?;
    let tree = parse(source, name, syntax.clone())?;
    folding::bounded(&tree)?;
    let single = native
        && matches!(&tree, ast::Stmt::Template(root) if matches!(root.children[..], [ast::Stmt::EmitExpr(_)]));
    let mut generator = CodeGenerator::new(name, source);
    generator.compile_stmt(&tree);
    let (plain, _) = generator.finish();
    Ok(Compiled {
        instructions: spent::compiling(|| guarded(&plain, Instructions::new(name, source), single, native))?,
        single,
    })
}

/// Why a source is no template that may run.
pub(crate) struct Refusal {
    /// The reason.
    pub error: Error,
    /// Where in the source, in bytes, when the reason does not know it.
    pub offset: Option<usize>,
    /// Its line, where only that is known.
    pub line: Option<usize>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal { error, offset: None, line: None }
    }
}

/// What stands before an instruction.
enum Guard {
    /// Nothing: it moves values, or checks them itself.
    Free,
    /// A check of the value on top of the stack.
    Top(&'static str),
    /// A check of each of the two values on top.
    Two(&'static str),
    /// The two values on top become a list, for what takes both and checks them itself.
    Pair,
    /// A check of that many values on top, as one list; nothing: the engine counts them.
    All(Option<u16>, &'static str),
}

/// The guard of an instruction.
///
/// # Errors
/// Where a template may not use it at all.
fn guard_of(instruction: &Instruction<'_>) -> Result<Guard, Error> {
    use Instruction as I;
    Ok(match instruction {
        I::LoadConst(value) if guard::anywhere(value)?.is_some() => {
            return Err(unsupported("a secret's token stands in a literal"));
        }
        I::PushLoop(flags) if flags & RECURSIVE != 0 => {
            return Err(unsupported("a loop cannot be recursive"));
        }
        I::FastRecurse => return Err(unsupported("a loop cannot be recursive")),
        I::PushAutoEscape => {
            return Err(unsupported("there is no `autoescape` here: use a sink such as `xml`"));
        }

        // They move values, or their operands are never taken apart: `+` and `~` join texts.
        I::EmitRaw(_) | I::StoreLocal(_) | I::Lookup(_) | I::SetAttr(_) | I::LoadConst(_) => Guard::Free,
        I::BuildKwargs(_) | I::MergeKwargs(_) | I::BuildList(None) | I::BuildTuple(None) => Guard::Free,
        I::UnpackList(_) | I::PushWith | I::Iterate(_) | I::PushDidNotIterate => Guard::Free,
        I::PopFrame | I::PopLoopFrame | I::Jump(_) | I::PopAutoEscape => Guard::Free,
        I::BeginCapture(_) | I::EndCapture | I::DupTop | I::DiscardTop | I::Swap => Guard::Free,
        I::BuildMacro(..) | I::Return | I::IsUndefined | I::Enclose(_) | I::GetClosure => Guard::Free,
        // Filters, tests and functions are registered with their own guards; macros are guarded inside.
        I::ApplyFilter(..) | I::PerformTest(..) | I::CallFunction(..) | I::CallObject(_) => Guard::Free,

        I::Add => Guard::All(Some(2), "$plus"),
        I::BuildList(Some(0)) | I::BuildTuple(Some(0)) => Guard::Free,
        I::BuildList(Some(count)) | I::BuildTuple(Some(count)) => match u16::try_from(*count) {
            Ok(count) => Guard::All(Some(count), "$items"),
            Err(_) => return Err(unsupported("a list is too long")),
        },

        // A text has no attributes, whatever it says.
        I::GetAttr(_) => Guard::Free,
        I::GetItem => Guard::Two("$item"),
        I::Slice => Guard::All(Some(4), "$slice"),
        I::BuildMap(pairs) => match u16::try_from(pairs * 2) {
            Ok(0) => Guard::Free,
            Ok(count) => Guard::All(Some(count), "$keys"),
            Err(_) => return Err(unsupported("a map literal is too long")),
        },
        I::UnpackLists(count) => match u16::try_from(*count) {
            Ok(count) => Guard::All(Some(count), "$unpack"),
            Err(_) => return Err(unsupported("a call has too many arguments")),
        },
        I::Mul => Guard::All(Some(2), "$times"),
        I::Rem => Guard::Pair,
        I::Sub | I::Div | I::IntDiv | I::Pow => Guard::Two("$arithmetic"),
        I::Neg => Guard::Top("$arithmetic"),
        I::Eq | I::Ne | I::Gt | I::Gte | I::Lt | I::Lte | I::CompareAndPreserve(_) => Guard::Two("$compare"),
        I::In => Guard::All(Some(2), "$in"),
        I::StringConcat => Guard::Two("$text"),
        I::Emit => Guard::Top("$emit"),
        I::Not | I::JumpIfFalse(_) | I::JumpIfFalseOrPop(_) | I::JumpIfTrueOrPop(_) => Guard::Top("$truth"),
        I::PushLoop(_) => Guard::Top("$loop"),
        I::CallMethod("get" | "items" | "keys" | "values", count) => Guard::All(*count, "$lookup"),
        I::CallMethod(_, count) => Guard::All(*count, "$method"),
    })
}

fn unsupported(cause: &'static str) -> Error {
    Error::new(ErrorKind::SyntaxError, cause)
}

/// The instructions that make up a guard; they leave the stack as it was.
fn before(guard: &Guard) -> Vec<Instruction<'static>> {
    use Instruction as I;
    let check = |name| I::ApplyFilter(name, Some(1), NO_SLOT);
    match guard {
        Guard::Free => Vec::new(),
        Guard::Top(name) => vec![check(name)],
        Guard::Two(name) => vec![check(name), I::Swap, check(name), I::Swap],
        Guard::Pair => vec![I::BuildList(Some(2))],
        Guard::All(Some(count), name) => {
            vec![I::BuildList(Some((*count).into())), check(name), I::UnpackLists(1), I::DiscardTop]
        }
        Guard::All(None, name) => vec![I::BuildList(None), check(name), I::UnpackLists(1)],
    }
}

/// The instructions with their guards, and the jumps led to where their targets came to stand.
fn guarded<'s>(
    plain: &Instructions<'s>,
    out: Instructions<'s>,
    single: bool,
    native: bool,
) -> Result<Instructions<'s>, Refusal> {
    let mut out = out;
    let mut moved = Vec::new();
    let mut length = 0;
    let mut at = 0;
    let asides = asides(plain);
    while let Some(instruction) = plain.get(at) {
        moved.push(length);
        let last = plain.get(at + 1).is_none();
        let offset = plain.get_span(at).map(|span| span.start_offset as usize);
        let line = plain.get_line(at);
        let guard = match instruction {
            Instruction::GetItem if has_name_as_key(plain, at) => Guard::Free,
            Instruction::Emit if single && last => Guard::Free,
            Instruction::Emit if native && asides.get(at as usize) == Some(&false) => Guard::Top("$node"),
            other => guard_of(other).map_err(|error| Refusal { error, offset, line })?,
        };
        for added in before(&guard).into_iter().chain([instead(instruction, single && last)]) {
            length = 1 + match (plain.get_span(at), line.and_then(|line| u16::try_from(line).ok())) {
                (Some(span), _) => out.add_with_span(added, span),
                (None, Some(line)) => out.add_with_line(added, line),
                (None, None) => out.add(added),
            };
        }
        at += 1;
    }
    moved.push(length);
    for index in 0..length {
        relocate(out.get_mut(index), &moved);
    }
    Ok(out)
}

/// What runs in the place of an instruction; `left` says that it writes the one value of a template, which is left instead.
fn instead<'s>(instruction: &Instruction<'s>, left: bool) -> Instruction<'s> {
    match instruction {
        Instruction::Emit if left => Instruction::ApplyFilter("$native", Some(1), NO_SLOT),
        // Of two texts the engine takes no remainder, Python puts the second into the first.
        Instruction::Rem => Instruction::ApplyFilter("$rem", Some(1), NO_SLOT),
        Instruction::ApplyFilter(name, count, slot) => {
            Instruction::ApplyFilter(unqualified(name).unwrap_or(name), *count, *slot)
        }
        Instruction::PerformTest(name, count, slot) => {
            Instruction::PerformTest(unqualified(name).unwrap_or(name), *count, *slot)
        }
        other => other.clone(),
    }
}

/// The name of a filter or test without the collection that Ansible's own are in; nothing where it has none.
pub(crate) fn unqualified(name: &str) -> Option<&str> {
    name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy."))
}

/// Which instructions write into a `set` block or a macro, not into the value itself.
fn asides(plain: &Instructions<'_>) -> Vec<bool> {
    let (mut depth, mut asides) = (0_usize, Vec::new());
    for instruction in (0..).map_while(|at| plain.get(at)) {
        match instruction {
            Instruction::BeginCapture(_) => depth += 1,
            Instruction::EndCapture => depth = depth.saturating_sub(1),
            // A macro's body stands before the instruction that makes it.
            Instruction::BuildMacro(_, begin, _) => {
                asides.iter_mut().skip(*begin as usize).for_each(|aside| *aside = true);
            }
            _ => {}
        }
        asides.push(depth > 0);
    }
    asides
}

/// Whether the key of the item at `at` is a literal text: no text has items by name, so there is nothing to
/// guard, and the engine can tell what was undefined.
fn has_name_as_key(plain: &Instructions<'_>, at: u32) -> bool {
    let key = at.checked_sub(1).and_then(|before| plain.get(before));
    let by_name = matches!(key, Some(Instruction::LoadConst(key)) if key.as_str().is_some());
    let is_target =
        |instruction: &Instruction<'_>| target_of(&mut instruction.clone()).is_some_and(|to| *to == at);
    by_name && !(0..).map_while(|index| plain.get(index)).any(is_target)
}

/// Leads the jump of an instruction to the first guard of its target.
fn relocate(instruction: Option<&mut Instruction<'_>>, moved: &[u32]) {
    if let Some(target) = instruction.and_then(target_of) {
        *target = moved.get(*target as usize).copied().unwrap_or(u32::MAX);
    }
}

/// Where an instruction jumps to.
fn target_of<'i>(instruction: &'i mut Instruction<'_>) -> Option<&'i mut u32> {
    use Instruction as I;
    match instruction {
        I::Jump(target)
        | I::JumpIfFalse(target)
        | I::JumpIfFalseOrPop(target)
        | I::JumpIfTrueOrPop(target)
        | I::Iterate(target)
        | I::BuildMacro(_, target, _) => Some(target),
        _ => None,
    }
}

/// Registers the checks that the guards call; their names cannot be written in a template.
pub(crate) fn add_guards(environment: &mut Environment<'_>) {
    let on_top =
        [("$item", "`[…]`"), ("$arithmetic", "arithmetic"), ("$truth", "a condition"), ("$loop", "a loop")];
    for (name, what) in on_top {
        environment.add_filter(name, move |value: &Value| -> Result<Value, Error> {
            // An item of what is undefined is undefined.
            if name != "$item" {
                undefined::refuse([value])?;
            }
            guard::not_on_top(|| what.to_owned(), [value])?;
            if name == "$item" {
                spent::reach(value)?;
            }
            Ok(value.clone())
        });
    }
    environment.add_filter("$rem", remainder::of);
    environment.add_filter("$compare", |value: &Value| -> Result<Value, Error> {
        undefined::refuse([value])?;
        guard::nowhere(|| "a comparison".to_owned(), [value])?;
        holes::refuse([value])?;
        Ok(value.clone())
    });
    environment.add_filter("$native", |value: &Value| -> Result<Value, Error> {
        undefined::refuse_value(value)?;
        Ok(value.clone())
    });
    type Write = fn(&Value) -> Result<String, Error>;
    let written: [(&str, Write); 2] = [("$text", text::python), ("$emit", text::written)];
    for (name, write) in written {
        environment.add_filter(name, move |value: &Value| -> Result<Value, Error> {
            undefined::refuse([value])?;
            if value.is_undefined() || value.as_str().is_some() {
                return Ok(value.clone());
            }
            if let Some(secret) = guard::anywhere(value)? {
                return Err(guard::refuse("putting a list or map into text", secret, Some(STRUCTURE_HINT)));
            }
            write(value).map(Value::from)
        });
    }
    environment.add_filter("$node", |state: &mut State, value: &Value| -> Result<Value, Error> {
        undefined::refuse([value])?;
        if value.as_str().is_none()
            && let Some(secret) = guard::anywhere(value)?
        {
            return Err(guard::refuse("putting a list or map into text", secret, Some(STRUCTURE_HINT)));
        }
        if !value.is_none() && !value.is_undefined() {
            let several = state.get_temp(ONE).is_some();
            state.set_temp(if several { SEVERAL } else { ONE }, value.clone());
        }
        if value.is_undefined() { Ok(value.clone()) } else { text::written(value).map(Value::from) }
    });
    add_list_guards(environment);
}

/// Where a rendering keeps the first value that it wrote, and one after it.
const ONE: &str = "$one";
const SEVERAL: &str = "$several";

/// What a value is whose template wrote one value and nothing else: that value, and none where it wrote nothing.
pub(crate) fn alone(state: &State<'_, '_>, written: &str) -> Result<Option<Value>, Error> {
    match (state.get_temp(ONE), state.get_temp(SEVERAL)) {
        (None, _) if written.is_empty() => Ok(Some(Value::from(()))),
        (Some(value), None) if text::written(&value)? == written => Ok(Some(value)),
        _ => Ok(None),
    }
}

const STRUCTURE_HINT: &str = "write the structure with `to_json` or `to_yaml`";

/// The checks of several operands at once.
fn add_list_guards(environment: &mut Environment<'_>) {
    let items = |list: &Value| list.try_iter().map(Iterator::collect::<Vec<_>>);
    environment.add_filter("$items", move |list: &Value| -> Result<Value, Error> {
        undefined::refuse(&items(list)?)?;
        Ok(list.clone())
    });
    environment.add_filter("$plus", move |list: &Value| -> Result<Value, Error> {
        let operands = items(list)?;
        undefined::refuse(&operands)?;
        operands.into_iter().map(bounds::solid).collect::<Result<Vec<_>, _>>().map(Value::from)
    });
    environment.add_filter("$in", move |list: &Value| -> Result<Value, Error> {
        let operands = items(list)?;
        undefined::refuse(&operands)?;
        // Of a map only the keys are looked at, and those are never secrets.
        let looked_at = operands.iter().filter(|value| value.kind() != ValueKind::Map);
        guard::nowhere(|| "`in`".to_owned(), looked_at)?;
        if let [needle, container] = &operands[..] {
            holes::refuse_before(needle, container)?;
        }
        Ok(list.clone())
    });
    environment.add_filter("$times", move |list: &Value| -> Result<Value, Error> {
        let items = items(list)?;
        undefined::refuse(&items)?;
        guard::not_on_top(|| "arithmetic".to_owned(), &items)?;
        // A repeated list is made only when it is read: its length says nothing to the engine's own limits.
        if let [a, b] = &items[..] {
            let length = a.len().max(b.len()).unwrap_or(0);
            let times = a.as_usize().or(b.as_usize()).unwrap_or(0);
            let most =
                if a.as_object().or(b.as_object()).is_some() { bounds::MAX_LIST } else { text::MAX_TEXT };
            if a.kind() != b.kind() && length.saturating_mul(times) > most {
                return Err(Error::from(ErrorKind::OutOfFuel));
            }
        }
        Ok(list.clone())
    });
    environment.add_filter("$slice", move |list: &Value| -> Result<Value, Error> {
        let items = items(list)?;
        undefined::refuse(items.first())?;
        guard::not_on_top(|| "slicing".to_owned(), &items)?;
        items.into_iter().map(bounds::solid).collect::<Result<Vec<_>, _>>().map(Value::from)
    });
    environment.add_filter("$unpack", move |list: &Value| -> Result<Value, Error> {
        guard::not_on_top(|| "`*`".to_owned(), &items(list)?)?;
        Ok(list.clone())
    });
    environment.add_filter("$lookup", move |list: &Value| -> Result<Value, Error> {
        let items = items(list)?;
        undefined::refuse(items.get(1..).unwrap_or_default())?;
        guard::not_on_top(|| "a method".to_owned(), items.iter().take(2))?;
        Ok(list.clone())
    });
    environment.add_filter("$keys", move |list: &Value| -> Result<Value, Error> {
        let items = items(list)?;
        undefined::refuse(&items)?;
        guard::nowhere(|| "a key of a map".to_owned(), items.iter().step_by(2))?;
        Ok(list.clone())
    });
    environment.add_filter("$method", move |list: &Value| -> Result<Value, Error> {
        let items = items(list)?;
        undefined::refuse(items.get(1..).unwrap_or_default())?;
        guard::not_on_top(|| "a method".to_owned(), items.first())?;
        guard::nowhere(|| "a method".to_owned(), items.iter().skip(1))?;
        holes::refuse(items.iter().skip(1))?;
        Ok(list.clone())
    });
}
