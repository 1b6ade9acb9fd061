//! Processes of the stack, found in `/proc` and ended by process id, never by name.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

/// One process as `/proc` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id.
    pub parent: u32,
    /// Name of its program, at most 15 bytes.
    pub name: String,
    /// Where it works; empty if that cannot be read.
    pub directory: PathBuf,
    environment: Vec<String>,
}

impl Process {
    /// All processes that can be seen now.
    pub fn all() -> Result<Vec<Self>> {
        let entries = std::fs::read_dir("/proc").context("could not list /proc")?;
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        // A process may end between the listing and the look.
        Ok(pids.filter_map(Self::read).collect())
    }

    /// Every process whose environment has this value, for example an agent's kilo and its commands.
    pub fn with_environment(name: &str, value: &str) -> Result<Vec<Self>> {
        let wanted = format!("{name}={value}");
        Ok(Self::all()?.into_iter().filter(|process| process.environment.contains(&wanted)).collect())
    }

    /// The descendants of a process, itself not included.
    pub fn descendants(of: u32) -> Result<Vec<Self>> {
        let all = Self::all()?;
        let mut found: Vec<Self> = Vec::new();
        loop {
            let known = |pid: u32| pid == of || found.iter().any(|process| process.pid == pid);
            let next: Vec<_> = all.iter().filter(|p| known(p.parent) && !known(p.pid)).cloned().collect();
            if next.is_empty() {
                return Ok(found);
            }
            found.extend(next);
        }
    }

    /// Whether it is still there and no zombie.
    pub fn is_alive(&self) -> bool {
        Self::read(self.pid).is_some_and(|process| process.name == self.name)
    }

    /// Ends it at once, as a crash or the kernel would.
    pub fn kill(&self) -> Result<()> {
        signal(self.pid, Signal::KILL)
    }

    fn read(pid: u32) -> Option<Self> {
        let directory = PathBuf::from(format!("/proc/{pid}"));
        let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
        // The name stands in parentheses and may itself hold any character; state and parent follow it.
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let mut fields = tail.split_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        if state == "Z" {
            return None;
        }
        let environment = std::fs::read(directory.join("environ")).unwrap_or_default();
        let environment = environment.split(|&byte| byte == 0).map(|v| String::from_utf8_lossy(v).into_owned());
        let cwd = std::fs::read_link(directory.join("cwd")).unwrap_or_default();
        Some(Self { pid, parent, name, directory: cwd, environment: environment.collect() })
    }
}

/// Sends a signal to one process.
pub fn signal(pid: u32, signal: Signal) -> Result<()> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).with_context(|| format!("{pid} is no process id"))?;
    kill_process(raw, signal).with_context(|| format!("could not signal process {pid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_by_its_environment_and_killed_by_its_id() {
        let mut child =
            std::process::Command::new("sleep").arg("60").env("GASTOWN_TEST_MARK", "seven").spawn().unwrap();
        // The environment is the child's own only after it has become the new program.
        let found = crate::wait::until("the child", std::time::Duration::from_secs(10), || {
            let found = Process::with_environment("GASTOWN_TEST_MARK", "seven")?;
            Ok(match found.into_iter().next() {
                Some(process) => crate::wait::Look::Found(process),
                None => crate::wait::Look::NotYet("no such process".to_owned()),
            })
        });
        let found = found.unwrap();
        assert_eq!((found.pid, found.name.as_str()), (child.id(), "sleep"));
        assert!(Process::descendants(std::process::id()).unwrap().contains(&found));
        assert!(found.is_alive());
        found.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!found.is_alive());
    }
}
