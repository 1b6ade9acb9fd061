//! A remote, as far as the domain can tell: commits with parents, branches, and pushes that succeed or do not.

use std::collections::{BTreeMap, BTreeSet};

use crate::chance::Chance;

/// One commit.
#[derive(Debug, Clone)]
struct Commit {
    parents: Vec<String>,
    is_green: bool,
}

/// The remote of one rig.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    commits: BTreeMap<String, Commit>,
    branches: BTreeMap<String, String>,
    /// The merge that brought a commit in.
    merges: BTreeMap<(String, String), String>,
    prefix: u8,
    lost: BTreeSet<String>,
}

/// The branch that every remote has.
pub(crate) const MAIN: &str = "main";

impl Remote {
    /// A repository with one commit.
    pub(crate) fn new(prefix: u8) -> Self {
        let mut remote = Self {
            commits: BTreeMap::new(),
            branches: BTreeMap::new(),
            merges: BTreeMap::new(),
            prefix,
            lost: BTreeSet::new(),
        };
        let first = remote.commit(Vec::new(), true);
        remote.branches.insert(MAIN.to_owned(), first);
        remote
    }

    fn commit(&mut self, parents: Vec<String>, is_green: bool) -> String {
        let name = format!("{:02x}{:038x}", self.prefix, self.commits.len() + 1);
        self.commits.insert(name.clone(), Commit { parents, is_green });
        name
    }

    /// The newest commit of a branch.
    pub(crate) fn head(&self, branch: &str) -> Option<&String> {
        self.branches.get(branch)
    }

    /// Whether a commit can be had: it lies on some branch.
    pub(crate) fn has(&self, commit: &str) -> bool {
        self.branches.values().any(|head| self.contains(head, commit))
    }

    /// Whether the gates pass at a commit.
    pub(crate) fn is_green(&self, commit: &str) -> bool {
        self.commits.get(commit).is_some_and(|commit| commit.is_green)
    }

    /// Whether `commit` is `head` or before it.
    pub(crate) fn contains(&self, head: &str, commit: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![head];
        while let Some(next) = open.pop() {
            if next == commit {
                return true;
            }
            if seen.insert(next) {
                open.extend(self.commits.get(next).into_iter().flat_map(|commit| &commit.parents).map(String::as_str));
            }
        }
        false
    }

    /// Whether a branch has a commit.
    pub(crate) fn branch_contains(&self, branch: &str, commit: &str) -> bool {
        self.head(branch).is_some_and(|head| self.contains(head, commit))
    }

    /// Makes sure that a branch exists; false when neither it nor its base does.
    pub(crate) fn ensure_branch(&mut self, branch: &str, base: &str) -> bool {
        if self.branches.contains_key(branch) {
            return true;
        }
        let Some(head) = self.head(base).cloned() else { return false };
        self.branches.insert(branch.to_owned(), head);
        true
    }

    /// New work on a branch, made on top of it; with the newest target as a second parent where it is merged in.
    pub(crate) fn push(&mut self, branch: &str, base: &str, onto: Option<&str>, is_green: bool) -> Option<String> {
        // Whoever has the commits at hand can push a branch that is gone.
        let head = self.head(branch).or_else(|| self.head(base)).or_else(|| self.head(MAIN))?.clone();
        let target = onto.and_then(|target| self.head(target)).cloned();
        let parents = [Some(head), target].into_iter().flatten().collect();
        let commit = self.commit(parents, is_green);
        self.branches.insert(branch.to_owned(), commit.clone());
        Some(commit)
    }

    /// Merges a commit into a branch and returns the merge; the same one when it was merged before.
    pub(crate) fn merge(&mut self, commit: &str, target: &str) -> Option<String> {
        let key = (commit.to_owned(), target.to_owned());
        let head = self.head(target)?.clone();
        if self.contains(&head, commit) {
            return self.merges.get(&key).cloned();
        }
        let merge = self.commit(vec![head, commit.to_owned()], true);
        self.branches.insert(target.to_owned(), merge.clone());
        self.merges.insert(key, merge.clone());
        Some(merge)
    }

    /// Somebody takes the newest commit of a branch away again; never where it would be empty then.
    pub(crate) fn put_back(&mut self, branch: &str) {
        let parent = self.head(branch).and_then(|head| self.commits.get(head)?.parents.first()).cloned();
        if let Some(parent) = parent.filter(|parent| !self.branch_contains(MAIN, parent)) {
            self.branches.insert(branch.to_owned(), parent);
        }
    }

    /// Somebody else pushes to a branch.
    pub(crate) fn moves(&mut self, branch: &str) {
        self.push(branch, branch, None, true);
    }

    /// Somebody deletes a branch; never the one that everything starts from.
    pub(crate) fn lose_branch(&mut self, chance: &mut Chance) -> Option<String> {
        let branches: Vec<String> = self.branches.keys().filter(|branch| *branch != MAIN).cloned().collect();
        let branch = chance.pick(&branches)?.clone();
        self.branches.remove(&branch);
        self.lost.insert(branch.clone());
        Some(branch)
    }

    /// Whether somebody deleted a branch at some time.
    pub(crate) fn was_lost(&self, branch: &str) -> bool {
        self.lost.contains(branch)
    }

    /// Whether a merge brought a commit into a branch at some time.
    pub(crate) fn was_merged(&self, branch: &str, commit: &str) -> bool {
        self.merges.contains_key(&(commit.to_owned(), branch.to_owned())) || self.branch_contains(branch, commit)
    }
}
