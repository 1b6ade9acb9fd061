//! The resolver against the table of models.md 7, its properties over random settings, and what is refused.

mod catalogue;
mod golden;
mod overrides;
mod properties;

use super::*;

pub(super) fn shipped() -> Catalogue {
    Catalogue::load(None).unwrap()
}

pub(super) fn id(text: &str) -> ModelId {
    text.parse().unwrap()
}
