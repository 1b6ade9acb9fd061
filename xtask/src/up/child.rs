//! One process of the stack: started in a group of its own, logged to a file, ended by its id.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::stack::Event;
use crate::shell;

/// A running or ended process. A thread waits for it and reports its end as an [`Event`].
pub(super) struct Child {
    pub(super) name: &'static str,
    pub(super) pid: Pid,
    log: PathBuf,
    exit: Arc<(Mutex<Option<ExitStatus>>, Condvar)>,
}

impl Child {
    /// Starts a program with its output appended to `log`.
    ///
    /// Must be called from the main thread: the kernel ends the process together with the thread that started it.
    pub(super) fn spawn(name: &'static str, mut command: Command, log: &Path, events: Sender<Event>) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("could not open {}", log.display()))?;
        let same_file = file.try_clone().with_context(|| format!("could not open {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file).stderr(same_file).process_group(0);
        end_with_parent(&mut command);
        let mut process = command.spawn().with_context(|| format!("could not start {name}"))?;
        let pid = pid_of(process.id()).with_context(|| format!("{name} has no process id"))?;
        let exit = Arc::new((Mutex::new(None), Condvar::new()));
        let report = Arc::clone(&exit);
        std::thread::spawn(move || {
            let status = process.wait().unwrap_or_default();
            let (slot, bell) = &*report;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
            bell.notify_all();
            events.send(Event::Exited { pid, status }).ok();
        });
        Ok(Self { name, pid, log: log.to_path_buf(), exit })
    }

    /// Waits for the end of the process, at most for `limit`.
    pub(super) fn wait_exit(&self, limit: Duration) -> Option<ExitStatus> {
        let (slot, bell) = &*self.exit;
        let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let (slot, _) =
            bell.wait_timeout_while(slot, limit, |status| status.is_none()).unwrap_or_else(PoisonError::into_inner);
        *slot
    }

    /// Asks the process to end, and after `grace` ends it and everything it started.
    pub(super) fn stop(&self, grace: Duration) {
        if self.wait_exit(Duration::ZERO).is_none() {
            rustix::process::kill_process(self.pid, Signal::TERM).ok();
            self.wait_exit(grace);
        }
        self.kill();
    }

    /// Ends the process and everything it started, at once.
    pub(super) fn kill(&self) {
        let descendants = descendants(self.pid);
        rustix::process::kill_process_group(self.pid, Signal::KILL).ok();
        for (pid, _) in descendants {
            rustix::process::kill_process(pid, Signal::KILL).ok();
        }
    }

    /// The end of the log, for an error message.
    pub(super) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        format!("last lines of {}:\n{}", self.log.display(), shell::tail(&String::from_utf8_lossy(&text)))
    }
}

/// Everything that a process started, directly or not, with the names of the programs.
pub(super) fn descendants(ancestor: Pid) -> Vec<(Pid, String)> {
    let processes = processes();
    let mut family = vec![ancestor];
    let mut found = Vec::new();
    while let Some(parent) = family.pop() {
        for (pid, _, name) in processes.iter().filter(|(_, ppid, _)| *ppid == parent) {
            family.push(*pid);
            found.push((*pid, name.clone()));
        }
    }
    found
}

/// Reports the end of a process that is not a child of this one.
pub(super) fn watch(pid: Pid, events: Sender<Event>) {
    std::thread::spawn(move || {
        if let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            let mut poll = [PollFd::new(&process, PollFlags::IN)];
            while rustix::event::poll(&mut poll, None) == Err(rustix::io::Errno::INTR) {}
        }
        events.send(Event::WorkerdGone { pid }).ok();
    });
}

/// (pid, parent, program) of every process.
fn processes() -> Vec<(Pid, Pid, String)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| parse_stat(&std::fs::read_to_string(entry.path().join("stat")).ok()?)).collect()
}

/// `/proc/<pid>/stat` begins with `pid (program) state ppid`; the program may hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<(Pid, Pid, String)> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let parent = rest.split(' ').nth(1)?;
    Some((pid_of(pid.parse().ok()?)?, pid_of(parent.parse().ok()?)?, name.to_owned()))
}

fn pid_of(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

/// Lets the kernel send SIGTERM to the process when this program ends in whatever way.
#[expect(unsafe_code, reason = "pre_exec is the only place between fork and exec; prctl is safe to call there")]
fn end_with_parent(command: &mut Command) {
    // SAFETY: the closure makes one system call, allocates nothing, and takes no lock.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_hold_anything() {
        let (pid, parent, name) = parse_stat("42 (a) b (c)) S 7 42 42 0").unwrap();
        assert_eq!((pid.as_raw_nonzero().get(), parent.as_raw_nonzero().get(), name.as_str()), (42, 7, "a) b (c)"));
    }

    #[test]
    fn a_child_is_a_descendant_until_it_is_killed() {
        let (events, ends) = std::sync::mpsc::channel();
        let log = std::env::temp_dir().join(format!("xtask-child-{}.log", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "echo started; sleep 600 & wait"]);
        let child = Child::spawn("sleeper", command, &log, events.clone()).unwrap();
        let me = pid_of(std::process::id()).unwrap();
        assert!(descendants(me).iter().any(|(pid, name)| *pid == child.pid && name == "sh"));
        watch(child.pid, events);
        child.kill();
        assert!(child.wait_exit(Duration::from_secs(10)).is_some());
        let reports = [ends.recv().unwrap(), ends.recv().unwrap()];
        assert!(reports.iter().any(|event| matches!(event, Event::Exited { pid, .. } if *pid == child.pid)));
        assert!(reports.iter().any(|event| matches!(event, Event::WorkerdGone { pid } if *pid == child.pid)));
        std::fs::remove_file(log).unwrap();
    }
}
