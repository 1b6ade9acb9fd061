//! Reads the process table: which processes belong to a session, what memory they use, and which orphans wait to be
//! reaped. A session's processes are its group, all descendants, and whatever carries its assignment id in its
//! environment, wherever it has wandered (container.md 6.3).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gastown_core::id::AssignmentId;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::process::{signal_group, signal_process};
use crate::limits;

/// One line of the process table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Whether it has exited and was not waited for.
    pub is_zombie: bool,
    /// Clock ticks since boot at its start; with the id it names one process.
    pub started: u64,
    /// Resident bytes.
    pub rss_bytes: u64,
}

/// All processes that can be seen.
pub fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(process).collect()
}

/// One process, when it exists.
pub fn process(pid: i32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(pid, &stat)
}

/// The command name may hold spaces and brackets; the fields begin after its last bracket.
fn parse_stat(pid: i32, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<i64>().ok();
    Some(Process {
        pid,
        is_zombie: fields.first() == Some(&"Z"),
        parent: i32::try_from(number(1)?).ok()?,
        group: i32::try_from(number(2)?).ok()?,
        started: u64::try_from(number(19)?).ok()?,
        rss_bytes: u64::try_from(number(21)?).ok()? * 4096,
    })
}

/// The live processes of a session.
pub fn session_processes(group: i32, assignment: AssignmentId) -> Vec<Process> {
    let mark = format!("GASTOWN_ASSIGNMENT_ID={assignment}");
    let all = processes();
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut found: BTreeSet<i32> = BTreeSet::new();
    for process in &all {
        let carries = || {
            std::fs::read(format!("/proc/{}/environ", process.pid))
                .is_ok_and(|env| env.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()))
        };
        if process.pid != own && (process.group == group || carries()) {
            found.insert(process.pid);
        }
    }
    // Parents come before children only by chance, so this repeats until nothing is added.
    loop {
        let more: Vec<i32> =
            all.iter().filter(|p| found.contains(&p.parent) && !found.contains(&p.pid)).map(|p| p.pid).collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    all.into_iter().filter(|process| found.contains(&process.pid) && !process.is_zombie).collect()
}

/// Ends all processes of a session: asks, waits, kills, and looks again.
pub async fn end_session_processes(group: i32, assignment: AssignmentId) {
    signal_all(group, assignment, Signal::SIGTERM);
    let mut waited = Duration::ZERO;
    while waited < limits::TERM_WAIT {
        if session_processes(group, assignment).is_empty() {
            return;
        }
        tokio::time::sleep(POLL).await;
        waited += POLL;
    }
    kill_session_processes(group, assignment);
}

/// Kills all processes of a session at once.
pub fn kill_session_processes(group: i32, assignment: AssignmentId) {
    signal_all(group, assignment, Signal::SIGKILL);
}

const POLL: Duration = Duration::from_millis(50);

fn signal_all(group: i32, assignment: AssignmentId, signal: Signal) {
    for process in session_processes(group, assignment) {
        signal_process(process.pid, signal);
    }
    signal_group(group, signal);
}

/// Reaps orphans that came to the runtime as child subreaper. A zombie is reaped when it was one at the look before
/// too: children that the runtime waits for itself are gone by then.
#[derive(Default)]
pub struct Reaper {
    seen: BTreeMap<i32, u64>,
}

impl Reaper {
    /// Looks once.
    pub fn look(&mut self) {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let zombies: BTreeMap<i32, u64> = processes()
            .into_iter()
            .filter(|process| process.parent == own && process.is_zombie)
            .map(|process| (process.pid, process.started))
            .collect();
        for (pid, started) in &zombies {
            if self.seen.get(pid) == Some(started) {
                let _reaped = waitpid(Pid::from_raw(*pid), Some(WaitPidFlag::WNOHANG));
            }
        }
        self.seen = zombies;
    }
}

/// Memory of the machine or the container, in bytes.
pub fn memory_limit() -> u64 {
    let cgroup = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let physical = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
    });
    match (cgroup, physical) {
        (Some(cgroup), Some(physical)) => std::cmp::min(cgroup, physical),
        (Some(limit), None) | (None, Some(limit)) => limit,
        (None, None) => 0,
    }
}

/// Resident bytes of this process and all its descendants.
pub fn own_memory() -> u64 {
    let all = processes();
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut found: BTreeSet<i32> = [own].into();
    loop {
        let before = found.len();
        let children: Vec<i32> =
            all.iter().filter(|process| found.contains(&process.parent)).map(|process| process.pid).collect();
        found.extend(children);
        if found.len() == before {
            break;
        }
    }
    all.iter().filter(|process| found.contains(&process.pid)).map(|process| process.rss_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_past_its_name() {
        let line = "42 (a b) c) S 7 9 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 1234 100 11 0";
        let expected = Process { pid: 42, parent: 7, group: 9, is_zombie: false, started: 1234, rss_bytes: 11 * 4096 };
        assert_eq!(parse_stat(42, line), Some(expected));
        assert_eq!(parse_stat(42, "42 (x"), None);
    }

    #[test]
    fn the_own_process_is_in_the_table() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(processes().iter().any(|process| process.pid == own && process.rss_bytes > 0));
    }
}
