//! Closed enums with one stable text form, spelled alike in SQL, JSON and URLs; and small rules about text.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Defines an enum whose variants each have one text form.
///
/// Gives `ALL`, `as_str`, `Display`, `FromStr` and serde in that form. An unknown text is an error, never a default.
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every variant, in the order of the definition.
            $vis const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The one text form of this value.
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::text::UnknownText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::text::position(text, &[$($text,)*]).map(|position| Self::ALL[position])
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::text::deserialize_word(deserializer, &[$($text,)*]).map(|position| Self::ALL[position])
            }
        }

        $crate::word_schema!($name, $($text),*);
    };
}

/// Without the feature `schema` a list of words has no schema.
#[cfg(not(feature = "schema"))]
#[macro_export]
macro_rules! word_schema {
    ($name:ident, $($text:literal),*) => {};
}

/// Without the feature `schema` an id has no schema.
#[cfg(not(feature = "schema"))]
#[macro_export]
macro_rules! id_schema {
    ($name:ident) => {};
}

/// Where a word stands in a closed list. One function for all enums, like [`deserialize_word`].
pub fn position(text: &str, expected: &'static [&'static str]) -> Result<usize, UnknownText> {
    expected.iter().position(|word| *word == text).ok_or(UnknownText { expected })
}

/// Reads a word of a closed list; gives its place in the list.
#[inline(never)]
pub fn deserialize_word<'de, D: Deserializer<'de>>(
    deserializer: D,
    expected: &'static [&'static str],
) -> Result<usize, D::Error> {
    position(&deserialize_text(deserializer)?, expected).map_err(D::Error::custom)
}

/// Reads the text from which an id, an instant or a word is made.
#[inline(never)]
pub fn deserialize_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    Cow::deserialize(deserializer)
}

/// A text that is none of the enum's forms; `expected` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownText {
    /// The forms that would have been understood.
    pub expected: &'static [&'static str],
}

impl std::fmt::Display for UnknownText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected one of {}", self.expected.join(", "))
    }
}

impl std::error::Error for UnknownText {}

/// A name as it stands in branches and folders: lower case, other characters than `a-z 0-9 -` turned to `-`,
/// runs joined, ends trimmed (domain.md 4, Branches). Empty when nothing is left.
pub fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            _ if slug.ends_with('-') => (),
            _ => slug.push('-'),
        }
    }
    slug.trim_matches('-').to_owned()
}

/// The text cut to at most `max` characters, the last of them an ellipsis when something was left out.
pub fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_keep_letters_and_digits_only() {
        assert_eq!(slug("Fix: Bug #123!!!"), "fix-bug-123");
        assert_eq!(slug("Polecat-21"), "polecat-21");
        assert_eq!(slug("--"), "");
        assert_eq!(slug("Ünï"), "n");
    }

    #[test]
    fn a_cut_text_shows_that_it_was_cut() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }
}
