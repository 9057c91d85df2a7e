//! Reads a value of a recipe into a type, strictly: what the type does not know is an error with its place.
//!
//! The same as reading a file, for a part of it whose texts were rendered meanwhile.

use std::fmt;

use pq_stream::{Diagnostic, nearest};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use crate::{Data, Mark, Node, Source};

impl Node {
    /// Reads it into a type.
    ///
    /// # Errors
    /// Where it has a key or a value that the type does not know.
    pub fn read<T: DeserializeOwned>(&self, source: &Source) -> Result<T, Diagnostic> {
        T::deserialize(Reader(self)).map_err(|misfit| {
            let misfit = misfit.at(self.mark);
            let mark = misfit.mark.unwrap_or(self.mark);
            let place = match &misfit.key {
                Some(key) => source.place(before(source, mark, key)),
                None => source.place(mark),
            };
            let diagnostic = Diagnostic::new(misfit.text).at(place);
            match misfit.hint {
                Some(hint) => diagnostic.hint(hint),
                None => diagnostic,
            }
        })
    }
}

/// Where the key of a value stands: before it, on its line or the one above.
fn before(source: &Source, mark: Mark, key: &str) -> Mark {
    let found = |line: usize, most: usize| {
        let text: String = source.place(Mark { line, column: 1 }).text.chars().take(most).collect();
        let at = text.rfind(&format!("{key}:")).or_else(|| text.rfind(key))?;
        Some(Mark { line, column: text[..at].chars().count() + 1 })
    };
    let above = || found(mark.line.checked_sub(1).filter(|line| *line > 0)?, usize::MAX);
    found(mark.line, mark.column.saturating_sub(1)).or_else(above).unwrap_or(mark)
}

/// Why a value does not fit.
#[derive(Debug)]
struct Misfit {
    mark: Option<Mark>,
    /// The key that is meant, where it is one and not its value.
    key: Option<String>,
    text: String,
    hint: Option<String>,
}

impl Misfit {
    /// The innermost place counts.
    fn at(mut self, mark: Mark) -> Self {
        self.mark.get_or_insert(mark);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Misfit {}

impl Error for Misfit {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Misfit { mark: None, key: None, text: text.to_string(), hint: None }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = nearest(field, expected).map_or_else(
            || format!("it knows {}", expected.join(", ")),
            |name| format!("did you mean `{name}`?"),
        );
        Misfit {
            mark: None,
            key: Some(field.to_owned()),
            text: format!("a recipe does not know the key `{field}` here"),
            hint: Some(hint),
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Misfit {
            hint: Some(format!("it knows {}", expected.join(", "))),
            ..Misfit::custom(format!("a recipe does not know `{variant}` here"))
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Misfit::custom(format!("the key `{field}` is missing here"))
    }
}

/// A node as serde reads it.
struct Reader<'n>(&'n Node);

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let read = match &self.0.data {
            Data::Scalar(Value::Null) => visitor.visit_unit(),
            Data::Scalar(Value::Bool(word)) => visitor.visit_bool(*word),
            Data::Scalar(Value::String(text)) => visitor.visit_str(text),
            Data::Scalar(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
            Data::List(items) => visitor.visit_seq(Items(items.iter())),
            Data::Map(entries) => visitor.visit_map(Entries { left: entries.iter(), value: None }),
        };
        read.map_err(|misfit| misfit.at(self.0.mark))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0.data {
            Data::Scalar(Value::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let word = self.0.text().ok_or_else(|| {
            Misfit::custom(format!("a word must stand here, and this is {}", self.0.words())).at(self.0.mark)
        })?;
        let word: StrDeserializer<'_, Misfit> = word.into_deserializer();
        visitor.visit_enum(word).map_err(|misfit| misfit.at(self.0.mark))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(node)).map(Some).map_err(|misfit| misfit.at(node.mark))
    }
}

struct Entries<'n> {
    left: std::slice::Iter<'n, (String, Node)>,
    value: Option<&'n Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, node)) = self.left.next() else { return Ok(None) };
        self.value = Some(node);
        let key: StrDeserializer<'_, Misfit> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|misfit| misfit.at(node.mark))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let node = self.value.take().ok_or_else(|| Misfit::custom("a value was read before its key"))?;
        seed.deserialize(Reader(node)).map_err(|misfit| misfit.at(node.mark))
    }
}

#[cfg(test)]
mod tests {
    use pq_items::MonitorItem;

    use super::*;

    /// The place, the error and the hint of an item that does not fit.
    fn misfit(text: &str) -> (usize, usize, String, String) {
        let source = Source { shown: "x.yml".to_owned(), text: text.to_owned() };
        let node: Node = crate::yaml::read(&source).unwrap();
        let error = node.read::<MonitorItem>(&source).unwrap_err();
        let place = error.place.unwrap();
        (place.line, place.column, error.message, error.hints.concat())
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place_and_the_word_that_was_meant() {
        let key = misfit("owner: wiki\nchecks:\n  - { id: page, htttp: { url: https://a.org } }\n");
        let text = "a recipe does not know the key `htttp` here".to_owned();
        assert_eq!(key, (3, 17, text, "did you mean `http`?".to_owned()));
        let value = misfit("owner: wiki\nchecks:\n  - id: page\n    http:\n      url: ftp://a.org\n");
        assert_eq!((value.0, value.1), (5, 12));
        assert!(value.2.starts_with("`ftp://a.org` is not an address"), "{}", value.2);
        let none = misfit("owner: wiki\nchecks:\n  - id: page\n");
        assert_eq!((none.0, none.2.contains("asks not exactly one of")), (3, true));
        let twice = misfit(
            "owner: wiki\nchecks:\n  - { id: a, disk: { path: / } }\n  - { id: a, disk: { path: /srv } }\n",
        );
        assert_eq!(twice.2, "two checks have the id `a`");
        let missing = misfit("checks: []\n");
        assert_eq!(missing.2, "the key `owner` is missing here");
    }
}
