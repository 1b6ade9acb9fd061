//! Filling a template: the holes of the file and the values of the call must match one to one, or it does not compile.

/// The finished text of `core/prompts/<file>`: `fill!("work.md", bead = bead, task = task)`.
///
/// A hole without a value, or a value without a hole, is a compile error. A value is put in as it is: holes inside
/// it are text. A hole that has a line of its own disappears with that line, and one blank line, when its value is
/// empty.
macro_rules! fill {
    ($file:literal $(, $hole:ident = $value:expr)* $(,)?) => {{
        const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/", $file));
        const HOLES: &[&str] = &[$(stringify!($hole)),*];
        const { assert!($crate::prompt::template::holes_match(TEXT, HOLES), "holes and values differ") };
        $crate::prompt::template::render(TEXT, &[$((stringify!($hole), &*$value)),*])
    }};
}

/// Whether the holes of `text` are exactly `names` (at most 64), each at least once.
pub(super) const fn holes_match(text: &str, names: &[&str]) -> bool {
    let bytes = text.as_bytes();
    let mut seen: u64 = 0;
    let mut at = 0;
    while at + 1 < bytes.len() {
        if bytes[at] != b'{' || bytes[at + 1] != b'{' {
            at += 1;
            continue;
        }
        let start = at + 2;
        let mut end = start;
        while end < bytes.len() && bytes[end] != b'}' {
            end += 1;
        }
        match position(bytes, start, end, names) {
            Some(index) => seen |= 1 << index,
            None => return false,
        }
        at = end;
    }
    seen.count_ones() as usize == names.len()
}

/// Which of `names` stands between `start` and `end`.
const fn position(bytes: &[u8], start: usize, end: usize, names: &[&str]) -> Option<usize> {
    let mut index = 0;
    while index < names.len() {
        let name = names[index].as_bytes();
        let mut at = 0;
        while at < name.len() && start + at < end && bytes[start + at] == name[at] {
            at += 1;
        }
        if at == name.len() && start + at == end {
            return Some(index);
        }
        index += 1;
    }
    None
}

/// The text with its holes filled, without blank lines at the end.
pub(super) fn render(text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut skip_blank = false;
    for line in text.lines() {
        if std::mem::take(&mut skip_blank) && line.is_empty() {
            continue;
        }
        if value_of_own_line(line, values) == Some("") {
            skip_blank = true;
            continue;
        }
        fill_line(line, values, &mut out);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// The value of the hole that is the whole line.
fn value_of_own_line<'a>(line: &str, values: &[(&str, &'a str)]) -> Option<&'a str> {
    let name = line.strip_prefix("{{")?.strip_suffix("}}")?;
    values.iter().find(|(hole, _)| *hole == name).map(|(_, value)| *value)
}

fn fill_line(line: &str, values: &[(&str, &str)], out: &mut String) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, tail)) = after.split_once("}}") else { break };
        out.push_str(before);
        out.push_str(values.iter().find(|(hole, _)| *hole == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_unused_and_misspelt_holes_are_seen() {
        assert!(holes_match("a {{x}} b {{y}} {{x}}", &["x", "y"]));
        assert!(!holes_match("a {{x}} b {{y}}", &["x"]), "a hole without a value");
        assert!(!holes_match("a {{x}}", &["x", "y"]), "a value without a hole");
        assert!(!holes_match("a {{xx}}", &["x"]) && !holes_match("a {{x}}", &["xx"]), "a part of a name");
        assert!(!holes_match("a {{ x }}", &["x"]) && !holes_match("a {{x", &["xy"]));
        assert!(holes_match("no holes {x}", &[]));
    }

    #[test]
    fn values_are_text_and_empty_lines_go() {
        let text = "a {{x}}\n\n{{gone}}\n\n{{y}}\n\nend\n\n{{gone}}\n";
        assert_eq!(render(text, &[("x", "{{y}}"), ("y", "1\n\n2"), ("gone", "")]), "a {{y}}\n\n1\n\n2\n\nend");
    }
}
