//! Git remotes for tests and the demo: a bare repository with a few source files and a test, and looks at it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

const README: &str = "# Words\n\nSmall shell functions about text, one file each in `lib`, each with a test in `test`.\n\n`sh test.sh` runs all tests.\n";
const AGENTS: &str = "# For agents\n\n- One function per file: `lib/<name>.sh`, its test is `test/<name>_test.sh`.\n- POSIX shell only. Run `sh test.sh` before you commit.\n";
const LIBRARY: &str = "#!/bin/sh\n# Text without blanks at its ends.\ntrim() {\n  printf '%s\\n' \"$1\" | awk '{ gsub(/^[ \\t]+|[ \\t]+$/, \"\"); print }'\n}\n";
const LIBRARY_TEST: &str = ". lib/trim.sh\n\ngot=$(trim '  two words ')\n[ \"$got\" = 'two words' ] || { echo \"trim: got '$got'\"; exit 1; }\n";
const RUN_TESTS: &str = "#!/bin/sh\n# Runs every test; the first failure ends it.\nfor file in test/*_test.sh; do\n  sh \"$file\" || { echo \"failed: $file\"; exit 1; }\ndone\necho \"all tests passed\"\n";

/// A bare repository on this machine.
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// Makes `<directory>/<name>.git` with one commit on `main`.
    pub fn create(directory: &Path, name: &str) -> Result<Self> {
        let path = directory.join(format!("{name}.git"));
        let seed = directory.join(format!("{name}.seed"));
        for folder in ["lib", "test"] {
            let folder = seed.join(folder);
            std::fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
        }
        let files = [
            ("README.md", README),
            ("AGENTS.md", AGENTS),
            ("lib/trim.sh", LIBRARY),
            ("test/trim_test.sh", LIBRARY_TEST),
            ("test.sh", RUN_TESTS),
        ];
        for (file, content) in files {
            std::fs::write(seed.join(file), content).with_context(|| format!("could not write {file}"))?;
        }
        git(&seed, &["init", "--quiet", "--initial-branch=main"])?;
        git(&seed, &["add", "--all"])?;
        git(&seed, &["commit", "--quiet", "--message", "Begin with trim"])?;
        let bare = path.to_str().context("the path is no text")?;
        git(directory, &["clone", "--quiet", "--bare", seed.to_str().context("the path is no text")?, bare])?;
        std::fs::remove_dir_all(&seed).with_context(|| format!("could not remove {}", seed.display()))?;
        Ok(Self { path })
    }

    /// A repository that exists.
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its address for a rig.
    pub fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// Runs git in it; the trimmed output, or git's words.
    pub fn git(&self, args: &[&str]) -> Result<String> {
        git(&self.path, args)
    }

    /// The commit a branch is at; `None` when it does not exist.
    pub fn head(&self, branch: &str) -> Result<Option<String>> {
        let found = self.git(&["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")])?;
        Ok(Some(found).filter(|commit| !commit.is_empty()))
    }

    /// Whether one commit lies in the history of another.
    pub fn contains(&self, newer: &str, older: &str) -> Result<bool> {
        let count = self.git(&["rev-list", "--count", &format!("{newer}..{older}")])?;
        Ok(count == "0")
    }

    /// The parents of a commit.
    pub fn parents(&self, commit: &str) -> Result<Vec<String>> {
        let line = self.git(&["log", "-1", "--format=%P", commit])?;
        Ok(line.split_whitespace().map(str::to_owned).collect())
    }

    /// Paths that differ between two commits.
    pub fn changed(&self, from: &str, to: &str) -> Result<Vec<String>> {
        Ok(self.git(&["diff", "--name-only", from, to])?.lines().map(str::to_owned).collect())
    }

    /// Runs the repository's own tests at a commit, in a checkout that is removed afterwards.
    pub fn test(&self, commit: &str) -> Result<()> {
        let checkout = self.path.with_extension("checkout");
        let place = checkout.to_str().context("the path is no text")?;
        self.git(&["worktree", "add", "--quiet", "--force", "--detach", place, commit])?;
        let run = Command::new("sh").arg("test.sh").current_dir(&checkout).output();
        self.git(&["worktree", "remove", "--force", place])?;
        let run = run.context("could not run the repository's tests")?;
        if !run.status.success() {
            bail!("the tests fail at {commit}: {}", String::from_utf8_lossy(&run.stdout).trim());
        }
        Ok(())
    }
}

fn git(directory: &Path, args: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.args(args).current_dir(directory).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.invalid");
    }
    let output = command.output().with_context(|| format!("could not run git {}", args.join(" ")))?;
    if !output.status.success() {
        bail!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_repository_passes_its_own_tests() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::create(directory.path(), "words").unwrap();
        let head = repository.head("main").unwrap().unwrap();
        repository.test(&head).unwrap();
        assert_eq!(repository.parents(&head).unwrap(), [""; 0]);
        assert_eq!(repository.head("none").unwrap(), None);
        assert!(repository.contains(&head, &head).unwrap());
        assert!(repository.url().starts_with("file:///"));
    }
}
