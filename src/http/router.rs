//! From method and path to a row of the table.

use std::cell::OnceCell;

use gastown_core::sorted::{SortedMap, sort_by};

use super::inbound::Params;
use super::query::decode_path;
use crate::routes::{ROUTES, Route};

/// What the table says of a request.
pub(super) enum Found {
    /// No row has this path.
    Nothing,
    /// The path is known, the method is not; `allow` is the header's value.
    OtherMethod {
        /// Methods that the path does have.
        allow: String,
    },
    /// This row, with the named parts of the path, decoded.
    Row {
        /// The row.
        route: &'static Route,
        /// Named parts.
        params: Params,
    },
}

/// Finds the row of a request.
pub(super) fn find(method: &str, path: &str) -> Found {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    ROUTER.with(|cell| {
        let router = cell.get_or_init(router);
        let Ok(matched) = router.at(path) else { return Found::Nothing };
        let rows = || matched.value.iter().map(|&index| &ROUTES[index]);
        let wanted = if method == "HEAD" { "GET" } else { method };
        match rows().find(|route| route.method.as_str() == wanted) {
            Some(route) => Found::Row { route, params: params(route, &matched.params) },
            None => {
                let mut allow: Vec<&str> = rows().map(|route| route.method.as_str()).collect();
                sort_by(&mut allow, Ord::cmp);
                Found::OtherMethod { allow: allow.join(", ") }
            }
        }
    })
}

thread_local! {
    static ROUTER: OnceCell<matchit::Router<Vec<usize>>> = const { OnceCell::new() };
}

/// Paths to the rows that have them. Two rows that cannot be told apart are found by the test below.
fn router() -> matchit::Router<Vec<usize>> {
    let mut by_path: SortedMap<&'static str, Vec<usize>> = SortedMap::new();
    for (index, route) in ROUTES.iter().enumerate() {
        by_path.get_or_insert_with(route.path, Vec::new).push(index);
    }
    let mut router = matchit::Router::new();
    for (path, rows) in by_path {
        if let Err(error) = router.insert(path, rows) {
            crate::log::error("a route cannot be reached", &[("path", &path), ("error", &error)]);
        }
    }
    router
}

/// The named parts, under the names that the row gives them.
fn params(route: &'static Route, matched: &matchit::Params<'_, '_>) -> Params {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let pairs = names.filter_map(|name| Some((name, decode_path(matched.get(name)?))));
    Params::new(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_reached_by_its_own_path() {
        let router = router();
        for route in ROUTES {
            let path: Vec<&str> =
                route.path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
            let path = path.join("/");
            let rows = router.at(&path).unwrap_or_else(|_| panic!("{}", route.path));
            assert!(rows.value.iter().any(|&index| std::ptr::eq(&ROUTES[index], route)), "{}", route.path);
        }
    }

    #[test]
    fn no_two_rows_have_the_same_method_and_path() {
        let mut seen = std::collections::BTreeSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.method, route.path)), "{} {}", route.method.as_str(), route.path);
        }
    }

    #[test]
    fn a_known_path_with_another_method_says_what_is_allowed() {
        match find("PUT", "/api/towns/x") {
            Found::OtherMethod { allow } => assert_eq!(allow, "DELETE, GET, PATCH"),
            Found::Nothing | Found::Row { .. } => panic!("not told"),
        }
        assert!(matches!(find("GET", "/api/nothing"), Found::Nothing));
        assert!(matches!(find("HEAD", "/health"), Found::Row { .. }));
    }
}
