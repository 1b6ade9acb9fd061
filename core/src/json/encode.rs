//! The way from our types to JSON text. serde compiles the writer of every type for every encoder, and this one makes
//! that a call or two for each field: it knows no other form than the compact one, and nothing can go wrong on the way
//! but a key that is no text.

use std::fmt::{self, Write as _};

use serde::ser::{self, Serialize, Serializer};

/// A value that has no JSON form: a map whose keys are lists or objects. There is none among our types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoJson;

impl fmt::Display for NoJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value has no JSON form")
    }
}

impl std::error::Error for NoJson {}

impl ser::Error for NoJson {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Writes a text, the same that `serde_json` writes.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, NoJson> {
    let mut encoder = Encoder { text: String::new() };
    value.serialize(&mut encoder)?;
    Ok(encoder.text)
}

struct Encoder {
    text: String,
}

impl Encoder {
    #[inline(never)]
    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    #[inline(never)]
    fn display(&mut self, value: &dyn fmt::Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{value}");
    }

    #[inline(never)]
    fn string(&mut self, value: &str) {
        self.text.push('"');
        let mut plain = 0;
        for (at, byte) in value.bytes().enumerate() {
            let escaped = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                0x08 => "\\b",
                b'\t' => "\\t",
                b'\n' => "\\n",
                0x0c => "\\f",
                b'\r' => "\\r",
                0..0x20 => "",
                _ => continue,
            };
            self.text.push_str(&value[plain..at]);
            plain = at + 1;
            if escaped.is_empty() {
                let _ = write!(self.text, "\\u{byte:04x}");
            } else {
                self.text.push_str(escaped);
            }
        }
        self.text.push_str(&value[plain..]);
        self.text.push('"');
    }

    /// A comma, unless this is the first element: only then the text ends with an opening bracket.
    #[inline(never)]
    fn separate(&mut self) {
        if !self.text.ends_with(['[', '{']) {
            self.text.push(',');
        }
    }

    #[inline(never)]
    fn key(&mut self, key: &str) {
        self.separate();
        self.string(key);
        self.text.push(':');
    }

    #[inline(never)]
    fn variant(&mut self, variant: &str, open: &str) {
        self.text.push('{');
        self.key(variant);
        self.text.push_str(open);
    }

    /// Keys are texts: what was written as a number or a flag is put in quotes.
    #[inline(never)]
    fn quote_from(&mut self, start: usize) -> Result<(), NoJson> {
        match self.text.as_bytes().get(start) {
            Some(b'"') => (),
            Some(b'[' | b'{') | None => return Err(NoJson),
            Some(_) => {
                self.text.insert(start, '"');
                self.text.push('"');
            }
        }
        Ok(())
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method(self, value: $type) -> Result<(), NoJson> {
            self.display(&value);
            Ok(())
        }
    )*};
}

impl Serializer for &mut Encoder {
    type Ok = ();
    type Error = NoJson;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_bool: bool,
        serialize_i64: i64,
        serialize_u64: u64,
    }

    fn serialize_i8(self, value: i8) -> Result<(), NoJson> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), NoJson> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), NoJson> {
        self.serialize_i64(value.into())
    }

    fn serialize_u8(self, value: u8) -> Result<(), NoJson> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), NoJson> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), NoJson> {
        self.serialize_u64(value.into())
    }

    fn serialize_f32(self, value: f32) -> Result<(), NoJson> {
        // The shortest text of the small number, not of the large one that equals it.
        self.serialize_f64(value.to_string().parse().map_err(|_| NoJson)?)
    }

    fn serialize_f64(self, value: f64) -> Result<(), NoJson> {
        match serde_json::Number::from_f64(value) {
            Some(number) => self.display(&number),
            None => self.raw("null"),
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), NoJson> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), NoJson> {
        self.string(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), NoJson> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), NoJson> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NoJson> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NoJson> {
        self.raw("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NoJson> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), NoJson> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NoJson> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), NoJson> {
        self.variant(variant, "");
        value.serialize(&mut *self)?;
        self.raw("}");
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, NoJson> {
        self.raw("[");
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, NoJson> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NoJson> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Self, NoJson> {
        self.variant(variant, "[");
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, NoJson> {
        self.raw("{");
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NoJson> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, NoJson> {
        self.variant(variant, "{");
        Ok(self)
    }
}

macro_rules! elements {
    ($($part:ident $method:ident $close:literal;)*) => {$(
        impl ser::$part for &mut Encoder {
            type Ok = ();
            type Error = NoJson;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoJson> {
                self.separate();
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), NoJson> {
                self.raw($close);
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq serialize_element "]";
    SerializeTuple serialize_element "]";
    SerializeTupleStruct serialize_field "]";
    SerializeTupleVariant serialize_field "]}";
}

macro_rules! fields {
    ($($part:ident $close:literal;)*) => {$(
        impl ser::$part for &mut Encoder {
            type Ok = ();
            type Error = NoJson;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), NoJson> {
                self.key(key);
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), NoJson> {
                self.raw($close);
                Ok(())
            }
        }
    )*};
}

fields! {
    SerializeStruct "}";
    SerializeStructVariant "}}";
}

impl ser::SerializeMap for &mut Encoder {
    type Ok = ();
    type Error = NoJson;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NoJson> {
        self.separate();
        let start = self.text.len();
        key.serialize(&mut **self)?;
        self.quote_from(start)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoJson> {
        self.raw(":");
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), NoJson> {
        self.raw("}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    #[derive(serde::Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Point,
        Circle(f64),
        Segment(i8, i8),
        Box { width: u32, name: Option<String> },
    }

    #[derive(serde::Serialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Held { by: char },
    }

    #[derive(serde::Serialize)]
    struct Name(&'static str);

    #[derive(serde::Serialize)]
    struct Nothing;

    #[derive(serde::Serialize)]
    struct Everything {
        shapes: Vec<Shape>,
        tagged: Tagged,
        counts: BTreeMap<u32, i64>,
        by_shape: BTreeMap<bool, ()>,
        names: [Name; 3],
        nothing: Nothing,
        none: Vec<u8>,
        floats: Vec<f64>,
        large: (u64, i64, f32),
        raw: Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<bool>,
        #[serde(flatten)]
        rest: BTreeMap<&'static str, bool>,
    }

    #[test]
    fn every_form_is_written_as_by_serde_json() {
        let boxed = Shape::Box { width: 7, name: None };
        let everything = Everything {
            shapes: vec![Shape::Point, Shape::Circle(0.1), Shape::Segment(-1, 2), boxed],
            tagged: Tagged::Held { by: 'ä' },
            counts: [(3, -4), (1, 2)].into(),
            by_shape: [(true, ())].into(),
            names: [Name(""), Name("\u{0}\u{1f}\u{7f}\u{8}\u{c}\t\r\n\"\\/"), Name("[{ünï\u{1f600}")],
            nothing: Nothing,
            none: Vec::new(),
            floats: vec![0.0, -0.0, 1.0, 1e21, 1e-7, f64::MAX, f64::MIN_POSITIVE, f64::NAN, 123_456.789],
            large: (u64::MAX, i64::MIN, 0.1),
            raw: json!({ "b": [1.5, null, {}], "a": [], "": "[" }),
            absent: None,
            rest: [("rest", true)].into(),
        };
        assert_eq!(to_string(&everything).unwrap(), serde_json::to_string(&everything).unwrap());
    }

    #[test]
    fn a_list_is_no_key() {
        assert_eq!(to_string(&BTreeMap::from([(vec![1], 1)])), Err(NoJson));
    }
}
