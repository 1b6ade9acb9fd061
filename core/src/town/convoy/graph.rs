//! Pure functions over the dependencies of tasks: pairs of (dependent, blocker).

use crate::sorted::{SortedMap, SortedSet};

use crate::id::BeadId;

/// The tasks that wait for themselves, in the order of `nodes`; empty when the plan can be worked off.
pub fn on_cycles(nodes: &[BeadId], edges: &[(BeadId, BeadId)]) -> Vec<BeadId> {
    let mut blockers: SortedMap<BeadId, Vec<BeadId>> = SortedMap::new();
    for &(dependent, blocker) in edges {
        blockers.get_or_insert_with(dependent, Vec::new).push(blocker);
    }
    nodes.iter().copied().filter(|&node| reaches(node, node, &blockers)).collect()
}

fn reaches(from: BeadId, to: BeadId, blockers: &SortedMap<BeadId, Vec<BeadId>>) -> bool {
    let mut seen = SortedSet::new();
    let mut open: Vec<BeadId> = blockers.get(&from).cloned().unwrap_or_default();
    while let Some(node) = open.pop() {
        if node == to {
            return true;
        }
        if seen.insert(node) {
            open.extend(blockers.get(&node).into_iter().flatten().copied());
        }
    }
    false
}

/// How many tasks of the longest chain come before each: those of one wave can be worked on side by side.
pub fn waves(nodes: &[BeadId], edges: &[(BeadId, BeadId)]) -> SortedMap<BeadId, u32> {
    let mut waves: SortedMap<BeadId, u32> = nodes.iter().map(|&node| (node, 0)).collect();
    // Each pass settles at least one more wave; a cycle, which no stored plan has, ends with the passes.
    for _ in nodes {
        for &(dependent, blocker) in edges {
            let after = waves.get(&blocker).copied().map_or(0, |wave| wave + 1);
            if let Some(wave) = waves.get_mut(&dependent) {
                *wave = after.max(*wave);
            }
        }
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &str) -> Vec<BeadId> {
        names.bytes().map(|byte| BeadId::from_u128(byte.into())).collect()
    }

    /// Pairs as text: `ab` is "a waits for b".
    fn edges(pairs: &str) -> Vec<(BeadId, BeadId)> {
        pairs.split_whitespace().map(|pair| (ids(pair)[0], ids(pair)[1])).collect()
    }

    #[test]
    fn only_tasks_on_cycles_are_named() {
        for (nodes, pairs, expected) in [
            ("abc", "", ""),
            ("abc", "ba cb ca", ""),
            ("abcd", "ab ba cb dc", "ab"),
            ("abcde", "ab ba cd de ec bc", "abcde"),
            ("abcde", "ab ba cd de bc", "ab"),
            ("a", "aa", "a"),
        ] {
            assert_eq!(on_cycles(&ids(nodes), &edges(pairs)), ids(expected), "{pairs}");
        }
    }

    #[test]
    fn waves_follow_the_longest_chain() {
        for (nodes, pairs, expected) in
            [("abcd", "ca cb dc", "0012"), ("abcd", "ba cb dc", "0123"), ("abcd", "db ba ca", "0112"), ("a", "ax", "0")]
        {
            let waves = waves(&ids(nodes), &edges(pairs));
            let text: String = waves.values().map(ToString::to_string).collect();
            // What lies outside of the plan comes before nothing of it.
            assert_eq!(text.replace('x', ""), expected, "{pairs}");
        }
    }
}
