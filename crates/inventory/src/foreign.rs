//! The variables of other hosts, as the templates of one host read them: `hostvars`.
//!
//! A token names a secret of the host in whose record it stands. One that another host's variable brings along is
//! renamed here, `pw` of `db-1` to `hostvars.db_2d1.pw`, and is sealed under that name for the host that reads it.
//!
//! Always true here: no host's secret is ever taken for another's.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use pq_secrets::{SecretString, Values};
use pq_stream::{OPENING, Piece, Source, holds_token, pieces};
use pq_template::Value;
use pq_template::value::{DynObject, Enumerator, Object, ObjectRepr, ValueKind};

use crate::lazy::Lazy;
use crate::scope::Scope;
use crate::unresolved::{Unresolved, failed};
use crate::world::World;

/// The variable that leads to other hosts; how the names of their secrets begin.
pub const HOSTVARS: &str = "hostvars";

/// The variable `hostvars` of one host.
#[derive(Debug)]
pub struct HostVars {
    world: Weak<World>,
    /// Weak, since the scope keeps what it has resolved.
    reader: Weak<Scope>,
}

impl HostVars {
    /// What the templates of this scope read of all hosts.
    pub fn new(world: &Arc<World>, reader: &Arc<Scope>) -> Self {
        HostVars { world: Arc::downgrade(world), reader: Arc::downgrade(reader) }
    }
}

impl Object for HostVars {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let world = self.world.upgrade()?;
        let host = world.groups.host(key.as_str()?)?;
        Some(match world.shown(host) {
            Ok(scope) => {
                Value::from_object(Foreign { world: self.world.clone(), reader: self.reader.clone(), scope })
            }
            Err(diagnostic) => failed(&Unresolved { diagnostic: *diagnostic, undefined: false }),
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let Some(world) = self.world.upgrade() else { return Enumerator::Empty };
        Enumerator::Values(world.groups.hosts.iter().map(|host| Value::from(host.name.as_str())).collect())
    }
}

/// The variables of one host, as another one reads them, or it itself.
#[derive(Debug)]
struct Foreign {
    world: Weak<World>,
    reader: Weak<Scope>,
    scope: Arc<Scope>,
}

impl Object for Foreign {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let world = self.world.upgrade()?;
        let Some(value) = self.scope.get_value_by_str(key) else {
            let reason = self.scope.resolve(key).and_then(Result::err);
            if let (Some(reason), Some(reader)) = (reason, self.reader.upgrade()) {
                reader.misses(reason);
            }
            return None;
        };
        match self.scope.variable(key) {
            Some(_) => Some(self.renamed(&world, value)),
            None => Some(value),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.scope.enumerate()
    }
}

impl Foreign {
    /// A value with the names that its secrets have for the reader.
    fn renamed(self: &Arc<Self>, world: &Arc<World>, value: Value) -> Value {
        if is_lazy(&value)
            && let Some(inner) = value.as_object()
        {
            return Value::from_object(Renamed { foreign: self.clone(), inner: inner.clone() });
        }
        match value.kind() {
            ValueKind::String => match value.as_str() {
                Some(text) if holds_token(text) => Value::from(self.text(world, text)),
                _ => value,
            },
            ValueKind::Seq | ValueKind::Iterable if holds(&value) => {
                let items = value.try_iter().into_iter().flatten();
                items.map(|item| self.renamed(world, item)).collect()
            }
            ValueKind::Map if holds(&value) => {
                let keys = value.try_iter().into_iter().flatten();
                Value::from_pairs(keys.map(|key| {
                    let item = value.get_item(&key).unwrap_or_default();
                    (key, self.renamed(world, item))
                }))
            }
            _ => value,
        }
    }

    fn text(&self, world: &Arc<World>, text: &str) -> String {
        // What is no token is told where the other host's record is made.
        let Ok(found) = pieces(text) else { return text.to_owned() };
        let piece = |piece: Piece<'_>| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Token(mut token) => {
                if let Source::Named(name) = &mut token.source
                    && !self.shared(name)
                {
                    let host = &world.groups.hosts[self.scope.host()].name;
                    *name = format!("{HOSTVARS}.{}.{name}", escaped(host));
                }
                token.to_string()
            }
        };
        found.into_iter().map(piece).collect()
    }

    /// Whether a secret of the other host is one that the reader has itself, by the same name.
    fn shared(&self, name: &str) -> bool {
        let Some(reader) = self.reader.upgrade() else { return false };
        let head = name.split('.').next().unwrap_or(name);
        let both = self.scope.variable(head).zip(reader.variable(head));
        self.scope.host() == reader.host() || both.is_some_and(|(theirs, ours)| Arc::ptr_eq(theirs, ours))
    }
}

/// A list or map whose members are resolved when they are read, and renamed then.
#[derive(Debug)]
struct Renamed {
    foreign: Arc<Foreign>,
    inner: DynObject,
}

impl Object for Renamed {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        self.inner.repr()
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let world = self.foreign.world.upgrade()?;
        self.inner.get_value(key).map(|value| self.foreign.renamed(&world, value))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.inner.enumerate() {
            Enumerator::Seq(length) => Enumerator::Seq(length),
            _ => Enumerator::Values(self.inner.try_iter().into_iter().flatten().collect()),
        }
    }
}

fn is_lazy(value: &Value) -> bool {
    value.downcast_object_ref::<Lazy>().is_some() || value.downcast_object_ref::<Renamed>().is_some()
}

/// Whether a token stands, or may come to stand, anywhere in a list or map.
fn holds(value: &Value) -> bool {
    if is_lazy(value) {
        return true;
    }
    match value.kind() {
        ValueKind::String => value.as_str().is_some_and(|text| text.contains(OPENING)),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().into_iter().flatten().any(|item| holds(&item))
        }
        ValueKind::Map => value
            .try_iter()
            .into_iter()
            .flatten()
            .any(|key| holds(&key) || value.get_item(&key).is_ok_and(|item| holds(&item))),
        _ => false,
    }
}

/// A host's name as a part of a secret's name: what is no letter or digit is written in two hexadecimal digits.
fn escaped(name: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("_{byte:02x}"),
    };
    name.bytes().map(byte).collect()
}

/// The name of a host that was written so; nothing where it is none.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('_') {
        bytes.extend(rest[..at].bytes());
        bytes.push(u8::from_str_radix(rest.get(at + 1..at + 3)?, 16).ok()?);
        rest = &rest[at + 3..];
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).ok()
}

/// The value of a secret of another host, by the name that it has for those who read it; and the file it comes from.
fn secret(world: &Arc<World>, name: &str) -> Option<(SecretString, String)> {
    let (host, name) = name.strip_prefix("hostvars.")?.split_once('.')?;
    let scope = world.shown(world.groups.host(&unescaped(host)?)?).ok()?;
    let variable = scope.variable(name.split('.').next()?)?;
    Some((variable.secrets.get(name)?.clone(), variable.file.name.clone()))
}

/// Adds the secrets of other hosts that a value brings along, and the files that they come from.
pub fn add_secrets(
    world: &Arc<World>,
    value: &serde_json::Value,
    secrets: &mut Values,
    files: &mut BTreeSet<String>,
) {
    use serde_json::Value as Json;
    match value {
        Json::String(text) if holds_token(text) => {
            for piece in pieces(text).into_iter().flatten() {
                if let Piece::Token(token) = piece
                    && let Source::Named(name) = token.source
                    && !secrets.contains_key(&name)
                    && let Some((value, file)) = secret(world, &name)
                {
                    secrets.insert(name, value);
                    files.insert(file);
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| add_secrets(world, item, secrets, files)),
        Json::Object(map) => map.values().for_each(|item| add_secrets(world, item, secrets, files)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_host_comes_back() {
        for name in ["db-1.example.org", "a_b", "10.0.0.1", "été", "x"] {
            let escaped = escaped(name);
            assert!(escaped.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{escaped}");
            assert_eq!(unescaped(&escaped).as_deref(), Some(name));
        }
        assert_eq!(unescaped("a_"), None);
        assert_eq!(unescaped("a_é"), None);
    }
}
