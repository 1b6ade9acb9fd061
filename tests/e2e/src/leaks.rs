//! Looking for secrets where none may be (api.md 2.5): in what processes logged, and in answers.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// Secrets with the names under which a finding is reported, never with their values.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<(String, String)>);

/// Shorter texts are found by chance.
const LENGTH_MIN: usize = 12;

impl Secrets {
    /// One more.
    pub fn add(&mut self, name: &str, value: &str) -> Result<()> {
        ensure!(value.len() >= LENGTH_MIN, "{name} is too short to be looked for");
        self.0.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Names of those that stand in a text.
    pub fn in_text(&self, text: &str) -> Vec<&str> {
        self.0.iter().filter(|(_, value)| text.contains(value.as_str())).map(|(name, _)| name.as_str()).collect()
    }

    /// Where they stand in the files below a directory.
    pub fn in_files(&self, directory: &Path) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let files = files(directory)?;
        ensure!(!files.is_empty(), "nothing was logged below {}", directory.display());
        for path in files {
            let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
            let text = String::from_utf8_lossy(&bytes);
            found.extend(self.in_text(&text).into_iter().map(|name| format!("{name} in {}", path.display())));
        }
        Ok(found)
    }
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(directory).with_context(|| format!("could not list {}", directory.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => found.extend(files(&path)?),
            false => found.push(path),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_by_its_name() {
        let mut secrets = Secrets::default();
        assert!(secrets.add("short", "abc").is_err());
        secrets.add("token", "0123456789abcdef").unwrap();
        assert_eq!(secrets.in_text("Bearer 0123456789abcdef!"), ["token"]);
        assert!(secrets.in_text("Bearer ****cdef").is_empty());
    }
}
