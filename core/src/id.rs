//! One registry of every id kind. An id is a UUID v4 in lower case on the wire and in SQL, sixteen bytes in memory.
//! This module parses, prints and derives ids; it never makes one from randomness: a shell passes an [`IdSeed`].

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::deserialize_text;

/// The text is not a UUID in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UUID in lower case")
    }
}

impl std::error::Error for BadId {}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The id with these sixteen bytes, read as one number; tests name their ids this way.
            pub const fn from_u128(value: u128) -> Self {
                Self(value)
            }

            /// Its sixteen bytes, read as one number.
            pub const fn as_u128(self) -> u128 {
                self.0
            }

            /// The first eight hex digits: what branches, identities and logs show (domain.md 1, "x8").
            pub fn short(self) -> String {
                self.digits(8)
            }

            /// The first `n` (1 to 32) hex digits, without dashes.
            pub fn digits(self, n: usize) -> String {
                format!("{:032x}", self.0).chars().take(n).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                print_uuid(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_uuid(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serialize_uuid(self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_uuid(deserializer).map(Self)
            }
        }

        $crate::id_schema!($name);

        impl MadeFrom for $name {
            fn made_from(value: u128) -> Self {
                Self(value)
            }
        }
    )*};
}

ids! {
    /// A town: one workspace.
    TownId,
    /// A rig: one repository connected to a town.
    RigId,
    /// A bead: a unit of record.
    BeadId,
    /// A named worker; the mayor is one too.
    AgentId,
    /// The record that one agent works on one bead.
    AssignmentId,
    /// A DAG of beads over one or more rigs.
    ConvoyId,
    /// Work of the runtime without an agent: gates or a merge.
    JobId,
    /// One run of a rig's gates at one commit.
    RunId,
    /// Mail to an agent, the mayor or a user.
    MailId,
    /// One short text pushed into a session.
    NudgeId,
    /// One message of the mayor's conversation.
    MessageId,
    /// Something that a person should see.
    EscalationId,
    /// One life of the container runtime process.
    InstanceId,
    /// One report of the runtime; repeats are recognised by it.
    FactId,
    /// One life of an object's storage; a rebuilt receiver answers with another (domain.md 11).
    StreamId,
}

/// The rig id of a session on the wire: a rig, or the mayor's literal `mayor-<townId>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RigRef {
    /// A rig of the town.
    Rig(RigId),
    /// The mayor, who belongs to no rig.
    Mayor(TownId),
}

impl RigRef {
    /// The rig, unless this is the mayor.
    pub const fn rig(self) -> Option<RigId> {
        match self {
            Self::Rig(rig) => Some(rig),
            Self::Mayor(_) => None,
        }
    }
}

impl fmt::Display for RigRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rig(rig) => write!(f, "{rig}"),
            Self::Mayor(town) => write!(f, "mayor-{town}"),
        }
    }
}

impl FromStr for RigRef {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("mayor-") {
            Some(town) => town.parse().map(Self::Mayor),
            None => text.parse().map(Self::Rig),
        }
    }
}

impl Serialize for RigRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for RigRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Writes an id of any kind: one function for all of them.
#[inline(never)]
fn serialize_uuid<S: Serializer>(value: u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&TownId(value).to_string())
}

/// Reads an id of any kind: one function for all of them.
#[inline(never)]
fn deserialize_uuid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    parse_uuid(&deserialize_text(deserializer)?).map_err(D::Error::custom)
}

/// Derives ids from one random number that a shell passes in, so that a plan is a function of its arguments.
/// Two plans with different seeds never meet in practice: the seed has 128 random bits.
#[derive(Debug, Clone)]
pub struct IdSeed {
    high: u64,
    low: u64,
}

impl IdSeed {
    /// A supply of ids that starts from these 128 random bits.
    pub const fn new(seed: u128) -> Self {
        Self { high: (seed >> 64) as u64, low: seed as u64 }
    }

    /// The next id of any kind, a well-formed UUID v4.
    pub fn mint<T: MadeFrom>(&mut self) -> T {
        let value = (u128::from(split_mix(&mut self.high)) << 64) | u128::from(split_mix(&mut self.low));
        let version = 0x4 << 76;
        let variant = 0x2 << 62;
        T::made_from((value & !(0xf << 76) & !(0x3 << 62)) | version | variant)
    }
}

/// An id kind that an [`IdSeed`] can make.
pub trait MadeFrom {
    /// The id with these sixteen bytes.
    fn made_from(value: u128) -> Self;
}

/// SplitMix64: one multiplication-and-shift mix per id, equidistributed over 64 bits.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn parse_uuid(text: &str) -> Result<u128, BadId> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return Err(BadId);
    }
    let mut value = 0u128;
    for (place, &byte) in bytes.iter().enumerate() {
        let digit = match (place, byte) {
            (8 | 13 | 18 | 23, b'-') => continue,
            (8 | 13 | 18 | 23, _) => return Err(BadId),
            (_, b'0'..=b'9') => byte - b'0',
            (_, b'a'..=b'f') => byte - b'a' + 10,
            (_, _) => return Err(BadId),
        };
        value = (value << 4) | u128::from(digit);
    }
    Ok(value)
}

fn print_uuid(value: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (a, b, c, d, e) = (
        (value >> 96) as u32,
        (value >> 80) as u16,
        (value >> 64) as u16,
        (value >> 48) as u16,
        value & 0xffff_ffff_ffff,
    );
    write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_as_it_was_read() {
        let text = "0f9a1b2c-3d4e-4f50-8a61-728394a5b6c7";
        let id: BeadId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(id.short(), "0f9a1b2c");
        assert_eq!(serde_json::from_str::<BeadId>(&format!("\"{text}\"")).unwrap(), id);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "x", "0F9A1B2C-3D4E-4F50-8A61-728394A5B6C7", "0f9a1b2c3d4e-4f50-8a61-728394a5b6c7-", "g"] {
            assert_eq!(text.parse::<BeadId>(), Err(BadId), "{text}");
        }
    }

    #[test]
    fn derived_ids_are_uuid_v4_and_differ() {
        let mut seed = IdSeed::new(7);
        let ids: std::collections::BTreeSet<BeadId> = (0..1000).map(|_| seed.mint()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let text = id.to_string();
            assert_eq!(&text[14..15], "4");
            assert!("89ab".contains(&text[19..20]));
        }
    }
}
