//! The profile catalogue (models.md 2): data of the deployment, not of any town. Towns store a profile's name only, so
//! that a new catalogue changes every town on that profile without a write. Nothing here is looked up over a network.

use crate::sorted::{SortedMap, SortedSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{CUSTOM_PROFILE, ModelId, RoutableLabel, SlotRole};
use crate::limits::NAME_MAX;

/// The catalogue that ships with the Worker.
const SHIPPED: &str = include_str!("../../catalogue.json");

/// Profiles and fallbacks, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// Grows with every change; part of each resolver result.
    pub version: u64,
    /// The profile that a new town is stored with.
    pub default_profile: String,
    /// The model when nothing else says one.
    pub fallback: ModelId,
    /// The small model when nothing else says one.
    pub small_fallback: ModelId,
    /// The profiles, in the order in which people choose from them.
    pub profiles: Vec<Profile>,
}

/// A named set of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What towns store.
    pub name: String,
    /// One sentence for people; may be empty.
    pub description: String,
    /// The models, by slot.
    pub slots: SortedMap<Slot, ModelId>,
}

impl Profile {
    /// The model of a slot.
    pub fn model(&self, role: SlotRole, label: Option<RoutableLabel>) -> Option<&ModelId> {
        self.slots.get(&Slot { role, label })
    }
}

/// A place in a profile: a role, a role with a label, or the small model. Its text is the role, a blank, the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The role, or `small`.
    pub role: SlotRole,
    /// A routable label, for polecats and the refinery only.
    pub label: Option<RoutableLabel>,
}

impl Slot {
    /// The slots that every profile has.
    pub const REQUIRED: [Self; 4] = [
        Self { role: SlotRole::Mayor, label: None },
        Self { role: SlotRole::Polecat, label: None },
        Self { role: SlotRole::Refinery, label: None },
        Self { role: SlotRole::Small, label: None },
    ];
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label {
            None => write!(f, "{}", self.role),
            Some(label) => write!(f, "{} {label}", self.role),
        }
    }
}

impl FromStr for Slot {
    type Err = CatalogueError;

    fn from_str(text: &str) -> Result<Self, CatalogueError> {
        let (role, label) = text.split_once(' ').map_or((text, None), |(role, label)| (role, Some(label)));
        let unknown = || CatalogueError(format!("no such slot: {text:?}"));
        let slot = Self {
            role: role.parse().map_err(|_| unknown())?,
            label: label.map(str::parse).transpose().map_err(|_| unknown())?,
        };
        match (slot.role, slot.label) {
            (SlotRole::Mayor | SlotRole::Small, Some(_)) => Err(unknown()),
            (SlotRole::Mayor | SlotRole::Small, None) | (SlotRole::Polecat | SlotRole::Refinery, _) => Ok(slot),
        }
    }
}

/// Why a catalogue is not usable, in words for the operator who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueError(String);

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the model catalogue is not usable: {}", self.0)
    }
}

impl std::error::Error for CatalogueError {}

impl Catalogue {
    /// The operator's catalogue when there is one, else the one that ships. Both obey the same rules.
    pub fn load(replacement: Option<&str>) -> Result<Self, CatalogueError> {
        Self::from_json(replacement.unwrap_or(SHIPPED))
    }

    /// Reads and checks a catalogue.
    pub fn from_json(text: &str) -> Result<Self, CatalogueError> {
        let file: CatalogueFile =
            crate::json::from_str_exactly(text).map_err(|error| CatalogueError(error.to_string()))?;
        file.check()
    }

    /// The profile of this name; `None` for `custom` and for a name that the catalogue does not have.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// Whether a town may store this profile name.
    pub fn knows_profile(&self, name: &str) -> bool {
        name == CUSTOM_PROFILE || self.profile(name).is_some()
    }

    /// Every model that the catalogue names.
    pub fn models(&self) -> SortedSet<&ModelId> {
        let slots = self.profiles.iter().flat_map(|profile| profile.slots.values());
        slots.chain([&self.fallback, &self.small_fallback]).collect()
    }
}

impl Serialize for Catalogue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        CatalogueFile::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Catalogue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        CatalogueFile::deserialize(deserializer)?.check().map_err(serde::de::Error::custom)
    }
}

/// The catalogue as it is written down. The maps keep the order of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueFile {
    version: u64,
    default_profile: String,
    fallback: ModelId,
    small_fallback: ModelId,
    #[serde(default)]
    descriptions: SortedMap<String, String>,
    profiles: Map<String, Value>,
}

impl CatalogueFile {
    fn check(self) -> Result<Catalogue, CatalogueError> {
        let mut profiles = Vec::with_capacity(self.profiles.len());
        for (name, slots) in &self.profiles {
            let description = self.descriptions.get(name).cloned().unwrap_or_default();
            profiles.push(read_profile(name, description, slots)?);
        }
        let catalogue = Catalogue {
            version: self.version,
            default_profile: self.default_profile,
            fallback: self.fallback,
            small_fallback: self.small_fallback,
            profiles,
        };
        if catalogue.version == 0 {
            return Err(CatalogueError("versions count from 1".to_owned()));
        }
        if !catalogue.knows_profile(&catalogue.default_profile) {
            return Err(CatalogueError(format!("the default profile {:?} is missing", catalogue.default_profile)));
        }
        Ok(catalogue)
    }
}

impl From<&Catalogue> for CatalogueFile {
    fn from(catalogue: &Catalogue) -> Self {
        let described = catalogue.profiles.iter().filter(|profile| !profile.description.is_empty());
        let slots = |profile: &Profile| {
            let text = |(slot, model): (&Slot, &ModelId)| (slot.to_string(), Value::from(model.as_str()));
            Value::Object(profile.slots.iter().map(text).collect())
        };
        Self {
            version: catalogue.version,
            default_profile: catalogue.default_profile.clone(),
            fallback: catalogue.fallback.clone(),
            small_fallback: catalogue.small_fallback.clone(),
            descriptions: described.map(|profile| (profile.name.clone(), profile.description.clone())).collect(),
            profiles: catalogue.profiles.iter().map(|profile| (profile.name.clone(), slots(profile))).collect(),
        }
    }
}

fn read_profile(name: &str, description: String, slots: &Value) -> Result<Profile, CatalogueError> {
    let well_formed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name == CUSTOM_PROFILE || name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(well_formed) {
        return Err(CatalogueError(format!("{name:?} cannot be the name of a profile")));
    }
    let models: SortedMap<String, ModelId> =
        crate::json::from_value(slots).map_err(|error| CatalogueError(format!("profile {name}: {error}")))?;
    let mut checked = SortedMap::new();
    for (slot, model) in models {
        checked.insert(slot.parse()?, model);
    }
    match Slot::REQUIRED.iter().find(|slot| !checked.contains_key(*slot)) {
        Some(missing) => Err(CatalogueError(format!("profile {name} has no slot {missing}"))),
        None => Ok(Profile { name: name.to_owned(), description, slots: checked }),
    }
}
