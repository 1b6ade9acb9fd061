//! The deployment's model catalogue, parsed once per isolate.

use std::cell::OnceCell;

use gastown_core::models::Catalogue;

use crate::error::{Fault, Result};

thread_local! {
    static CATALOGUE: OnceCell<std::result::Result<&'static Catalogue, String>> = const { OnceCell::new() };
}

/// The catalogue that ships with the Worker.
pub fn catalogue() -> Result<&'static Catalogue> {
    let read = CATALOGUE.with(|cell| {
        cell.get_or_init(|| {
            // Lives as long as the isolate: one allocation, never repeated.
            Catalogue::load(None).map(|catalogue| &*Box::leak(Box::new(catalogue))).map_err(|e| e.to_string())
        })
        .clone()
    });
    Ok(read.map_err(|why| Fault::new("read the model catalogue", why))?)
}
