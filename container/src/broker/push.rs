//! What a push may do, judged on the commands at the head of the request before a byte goes to the forge
//! (container.md 7.7). Pure: bytes in, verdict out; refusals are spoken in git's own protocol, so that an agent reads why.

/// One ref that a push wants to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// What the remote advertised; zeros when the ref is new.
    pub old: String,
    /// What it shall be; zeros for a deletion.
    pub new: String,
    /// Full name.
    pub name: String,
}

/// The commands of a push and the capabilities that the client named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// Ref by ref.
    pub updates: Vec<RefUpdate>,
    /// Whether refusals travel in a side band.
    pub side_band: bool,
}

/// The head of a push request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// More bytes are needed.
    Incomplete,
    /// Not what git sends.
    Malformed,
    /// All commands; the rest is the pack.
    Complete(Commands),
}

/// No push changes more refs than this.
const UPDATES_MAX: usize = 1_000;

/// Reads the commands up to the flush packet.
pub fn read_head(bytes: &[u8]) -> Head {
    let mut commands = Commands { updates: Vec::new(), side_band: false };
    let mut at = 0;
    loop {
        let Some(prefix) = bytes.get(at..at + 4) else { return Head::Incomplete };
        let length = std::str::from_utf8(prefix).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(length) = length else { return Head::Malformed };
        if length == 0 {
            return Head::Complete(commands);
        }
        if length < 4 || commands.updates.len() > UPDATES_MAX {
            return Head::Malformed;
        }
        let Some(line) = bytes.get(at + 4..at + length) else { return Head::Incomplete };
        at += length;
        let text = String::from_utf8_lossy(line);
        if text.starts_with("shallow ") {
            continue;
        }
        let (command, capabilities) = text.split_once('\0').unwrap_or((&text, ""));
        commands.side_band |= capabilities.split(' ').any(|word| word.trim_end() == "side-band-64k");
        let mut words = command.trim_end_matches('\n').splitn(3, ' ');
        let (Some(old), Some(new), Some(name)) = (words.next(), words.next(), words.next()) else {
            return Head::Malformed;
        };
        if !super::super::git::is_commit(old) || !super::super::git::is_commit(new) {
            return Head::Malformed;
        }
        commands.updates.push(RefUpdate { old: old.to_owned(), new: new.to_owned(), name: name.to_owned() });
    }
}

/// Why one update is not let through; ancestry is looked up by the caller.
pub fn judge(update: &RefUpdate, branch: Option<&str>, saving: Option<&[String]>) -> Option<String> {
    let own = branch.map(|branch| format!("refs/heads/{branch}"));
    let is_saved_ref = saving.is_some_and(|refs| refs.contains(&update.name));
    if is_saved_ref {
        return is_zero(&update.new).then(|| "nothing may be deleted".to_owned());
    }
    match own {
        None => Some("this session may not push".to_owned()),
        Some(own) if own != update.name => Some(format!("only {own} may be pushed by this session")),
        Some(_) if is_zero(&update.new) => Some("branches may not be deleted".to_owned()),
        Some(_) => None,
    }
}

/// Whether a commit stands for "nothing".
pub fn is_zero(commit: &str) -> bool {
    commit.bytes().all(|byte| byte == b'0')
}

/// The answer that refuses every update: one reason per ref.
pub fn refusal(commands: &Commands, reasons: &[(String, String)]) -> Vec<u8> {
    let mut report = packet(b"unpack ok\n");
    for update in &commands.updates {
        let reason = reasons.iter().find(|(name, _)| *name == update.name);
        let reason = reason.map_or("refused together with another ref", |(_, reason)| reason.as_str());
        report.extend(packet(format!("ng {} {reason}\n", update.name).as_bytes()));
    }
    report.extend_from_slice(b"0000");
    if !commands.side_band {
        return report;
    }
    let mut answer = Vec::new();
    for chunk in report.chunks(SIDE_BAND_CHUNK) {
        answer.extend(packet(&[&[1u8], chunk].concat()));
    }
    answer.extend_from_slice(b"0000");
    answer
}

/// Largest payload of a side-band packet.
const SIDE_BAND_CHUNK: usize = 65_000;

fn packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = format!("{:04x}", payload.len() + 4).into_bytes();
    packet.extend_from_slice(payload);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(old: char, new: char, name: &str, capabilities: &str) -> Vec<u8> {
        let (old, new) = (old.to_string().repeat(40), new.to_string().repeat(40));
        packet(format!("{old} {new} {name}\0{capabilities}").as_bytes())
    }

    #[test]
    fn commands_end_at_the_flush_packet() {
        let mut bytes = line('0', 'a', "refs/heads/x", " report-status side-band-64k agent=git");
        assert_eq!(read_head(&bytes), Head::Incomplete);
        bytes.extend_from_slice(b"0000PACK...");
        let Head::Complete(commands) = read_head(&bytes) else { panic!("not complete") };
        assert!(commands.side_band);
        assert_eq!(commands.updates[0].name, "refs/heads/x");
        assert_eq!(read_head(b"zzzz"), Head::Malformed);
        assert_eq!(read_head(&packet(b"push-cert\0")), Head::Malformed);
    }

    #[test]
    fn only_the_own_branch_passes() {
        let check = |name: &str, new: char, branch: Option<&str>, saving: Option<&[String]>| {
            let update = RefUpdate { old: "1".repeat(40), new: new.to_string().repeat(40), name: name.to_owned() };
            judge(&update, branch, saving)
        };
        assert_eq!(check("refs/heads/b", 'a', Some("b"), None), None);
        assert!(check("refs/heads/main", 'a', Some("b"), None).is_some());
        assert!(check("refs/tags/b", 'a', Some("b"), None).is_some());
        assert!(check("refs/heads/b", '0', Some("b"), None).is_some());
        assert!(check("refs/heads/b", 'a', None, None).is_some());
        let saved = ["refs/gastown/wip/1/2".to_owned()];
        assert_eq!(check(&saved[0], 'a', None, Some(&saved)), None);
        assert!(check(&saved[0], '0', None, Some(&saved)).is_some());
        assert!(check(&saved[0], 'a', Some("b"), None).is_some());
    }

    #[test]
    fn a_refusal_names_each_ref() {
        let update = RefUpdate { old: "0".repeat(40), new: "a".repeat(40), name: "refs/heads/main".to_owned() };
        let commands = Commands { updates: vec![update], side_band: false };
        let answer = refusal(&commands, &[("refs/heads/main".to_owned(), "no".to_owned())]);
        assert_eq!(String::from_utf8(answer).unwrap(), "000eunpack ok\n001ang refs/heads/main no\n0000");
    }
}
