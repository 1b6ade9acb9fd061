//! Rules of the repository, as a test: what the compiler does not check and a reviewer should not have to.
//!
//! The list of rules comes first. Each rule looks at all files that git knows or would add, and returns its findings as
//! `path:line: what`. There are no exceptions besides those that stand here with their reason.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::support;

/// A rule: its name, and what it finds wrong.
type Rule = (&'static str, fn(&[File]) -> Vec<String>);

const RULES: [Rule; 13] = [
    ("nothing is left for later", no_promises),
    ("nothing names the machine it was written on", no_machine_paths),
    ("lock files name no registry", no_registry_hosts),
    ("links between documents lead somewhere", no_dead_links),
    ("lints are expected with a reason, tests are never switched off", no_silencing),
    ("files tell one story", no_long_files),
    ("every Rust file belongs to a module", no_orphans),
    ("core depends on serde alone", core_dependencies),
    ("inside core, modules name lower layers only", core_layers),
    ("inside the Worker, only the edge sees HTTP", worker_layers),
    ("inside the Worker, time and bindings have one door each", worker_doors),
    ("inside the runtime, decisions are pure", runtime_purity),
    ("inside the runtime, environment and processes have one door each", runtime_doors),
];

/// A file holds what a reader can keep in mind; tests at its end are counted apart.
const LINES_MAX: usize = 600;

/// Files that were longer when the rule came, with what they may have at most. They get shorter, and leave the list.
const LONG_FILES: [(&str, usize); 4] = [
    ("core/src/rig/command.rs", 800),
    ("core/src/rig/event.rs", 750),
    ("core/src/wire/control.rs", 850),
    ("core/src/wire/report.rs", 700),
];

/// Written by a tool from another file; nobody reads it as a story.
const GENERATED: [&str; 1] = ["docs/openapi.ts"];

/// With its tests, a file still has to open quickly.
const LINES_WITH_TESTS_MAX: usize = 900;

/// Modules of core by layer; a module names lower ones. The words at the bottom may name each other.
const CORE_LAYERS: [(&str, u8); 18] = [
    ("id", 0),
    ("time", 0),
    ("json", 0),
    ("sorted", 0),
    ("text", 0),
    ("schema", 0),
    ("limits", 0),
    ("session", 0),
    ("breaker", 0),
    ("models", 1),
    ("access", 1),
    ("rate", 1),
    ("config", 2),
    ("protocol", 3),
    ("container", 4),
    ("rig", 4),
    ("town", 4),
    ("prompt", 4),
];

/// The top layer: it may name every other module, and no other module may name it.
const CORE_TOP: &str = "wire";

#[test]
fn tidy() {
    let files = files();
    assert!(files.len() > 50, "only {} files found: git lists nothing", files.len());
    let mut report = String::new();
    for (name, rule) in RULES {
        for finding in rule(&files) {
            writeln!(report, "{name}\n    {finding}").unwrap();
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

struct File {
    /// Relative to the root of the repository.
    path: String,
    text: String,
}

impl File {
    fn is_below(&self, directory: &str) -> bool {
        self.path.starts_with(directory)
    }

    fn has_extension(&self, extensions: &[&str]) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| extensions.iter().any(|extension| *extension == e))
    }

    /// Whether people wrote this: lock files, goldens and data are somebody else's words.
    fn is_source(&self) -> bool {
        self.has_extension(&["rs", "ts", "tsx", "js", "mjs", "css", "sql", "md", "toml", "html"])
            && !self.path.ends_with("Cargo.lock")
            && !self.path.contains("generated")
    }

    /// Lines of code outside of comments and of the tests at the end, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line))
    }

    /// Lines of code that hold one of the words.
    fn code_with(&self, words: &[&str]) -> Vec<String> {
        self.code()
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
            .map(|(number, line)| format!("{}:{number}: {}", self.path, line.trim()))
            .collect()
    }

    /// Lines, comments and tests included, that hold one of the words.
    fn lines_with(&self, words: &[&str]) -> Vec<String> {
        let lines = self.text.lines().enumerate();
        lines
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
            .map(|(index, line)| format!("{}:{}: {}", self.path, index + 1, line.trim()))
            .collect()
    }
}

fn no_promises(files: &[File]) -> Vec<String> {
    let mut findings: Vec<String> =
        written(files).flat_map(|file| file.code_with(&["unimplemented!(", "todo!("])).collect();
    for file in written(files) {
        // In a comment; the scripted model may well write such a line, for the refinery to find.
        let comment = match Path::new(&file.path).extension().and_then(std::ffi::OsStr::to_str) {
            Some("sql") => "--",
            Some("toml") => "#",
            Some("md" | "html") => "<!--",
            Some(_) | None => "//",
        };
        for (index, line) in file.text.lines().enumerate() {
            let comment = line.split_once(comment).map(|(_, comment)| comment).unwrap_or_default();
            if ["TODO", "FIXME", "XXX", "HACK"].iter().any(|word| comment.contains(word)) {
                findings.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    findings
}

fn no_machine_paths(files: &[File]) -> Vec<String> {
    let words = ["/root/", "/work/", "/tmp/w/", "/Users/", "pkill ", "killall "];
    written(files).flat_map(|file| file.lines_with(&words)).collect()
}

fn no_registry_hosts(files: &[File]) -> Vec<String> {
    let npm = files.iter().filter(|file| file.path.ends_with("package-lock.json") || file.path.ends_with(".npmrc"));
    let mut findings: Vec<String> =
        npm.flat_map(|file| file.lines_with(&["\"resolved\"", "registry=", "npmjs.org"])).collect();
    for file in files.iter().filter(|file| file.path.ends_with("Cargo.lock")) {
        let foreign =
            file.text.lines().filter(|line| line.starts_with("source = ") && !line.contains("crates.io-index"));
        findings.extend(foreign.map(|line| format!("{}: {line}", file.path)));
    }
    findings
}

/// `[text](path)` in Markdown, relative to the document; addresses and anchors are not looked at.
fn no_dead_links(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.has_extension(&["md"])) {
        let home = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for link in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            let is_file = !path.is_empty() && !path.contains("://") && !path.contains(' ');
            if is_file && !support::root().join(home).join(path).exists() {
                findings.push(format!("{}: {link}", file.path));
            }
        }
    }
    findings
}

fn no_silencing(files: &[File]) -> Vec<String> {
    let words = ["#[allow(", "#![allow(", "#[ignore", "#[should_panic", "it.skip(", "test.skip(", "@ts-ignore"];
    written(files).flat_map(|file| file.lines_with(&words)).collect()
}

fn no_long_files(files: &[File]) -> Vec<String> {
    let code = files.iter().filter(|file| file.is_source() && !file.has_extension(&["md"]));
    code.filter(|file| !GENERATED.contains(&file.path.as_str()))
        .filter_map(|file| {
            let tests = file.text.lines().position(|line| line.trim() == "#[cfg(test)]");
            let all = file.text.lines().count();
            let lines = tests.unwrap_or(all);
            let lines = if file.path.contains("/tests/") { 0 } else { lines };
            let allowed = LONG_FILES.iter().find(|(path, _)| *path == file.path).map_or(LINES_MAX, |(_, lines)| *lines);
            (lines > allowed || all > LINES_WITH_TESTS_MAX)
                .then(|| format!("{}: {lines} lines, {all} with tests", file.path))
        })
        .collect()
}

fn no_orphans(files: &[File]) -> Vec<String> {
    let rust = files.iter().filter(|file| file.has_extension(&["rs"]));
    rust.filter_map(|file| {
        let (directory, name) = file.path.rsplit_once('/')?;
        let stem = name.strip_suffix(".rs")?;
        let is_root = matches!(stem, "lib" | "main") || directory.ends_with("/tests") || directory.ends_with("/bin");
        if is_root {
            return None;
        }
        let (module, home) = if stem == "mod" {
            let (parent, module) = directory.rsplit_once('/')?;
            (module, parent)
        } else {
            (stem, directory)
        };
        let parents =
            [format!("{home}/mod.rs"), format!("{home}/lib.rs"), format!("{home}/main.rs"), format!("{home}.rs")];
        let is_beside = |path: &str| path.rsplit_once('/').is_some_and(|(dir, _)| dir == home);
        // A directory of test binaries has many roots, and any file may name a neighbour by its path.
        let may_declare = |path: &String| parents.contains(path) || home.ends_with("/tests") && is_beside(path);
        let (by_name, by_path) = (format!("mod {module}"), format!("#[path = \"{name}\"]"));
        let neighbours = files.iter().filter(|parent| is_beside(&parent.path) || may_declare(&parent.path));
        let declared = neighbours.flat_map(|parent| parent.text.lines().map(move |line| (parent, line.trim()))).any(
            |(parent, line)| {
                line == by_path || may_declare(&parent.path) && line.trim_end_matches(';').ends_with(&by_name)
            },
        );
        (!declared).then(|| format!("{}: no `mod {module};`", file.path))
    })
    .collect()
}

fn core_dependencies(files: &[File]) -> Vec<String> {
    let Some(manifest) = files.iter().find(|file| file.path == "core/Cargo.toml") else {
        return vec!["core/Cargo.toml is missing".to_owned()];
    };
    let section = manifest.text.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty());
    names
        .filter(|name| !["serde", "serde_json", "schemars"].contains(name))
        .map(|name| format!("core/Cargo.toml: {name}"))
        .collect()
}

fn core_layers(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is_below("core/src/") && file.has_extension(&["rs"])) {
        let module = file.path.trim_start_matches("core/src/").split(['/', '.']).next().unwrap_or_default();
        if module == "lib" || module == CORE_TOP {
            continue;
        }
        let Some((_, layer)) = CORE_LAYERS.iter().find(|(name, _)| *name == module) else {
            findings.push(format!("{}: `{module}` has no layer in tidy.rs", file.path));
            continue;
        };
        let forbidden: Vec<String> = CORE_LAYERS
            .iter()
            .filter(|(name, other)| *name != module && (other > layer || (other == layer && *layer > 0)))
            .map(|(name, _)| *name)
            .chain([CORE_TOP])
            .map(|name| format!("crate::{name}::"))
            .collect();
        findings.extend(file.code_with(&forbidden.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    findings
}

fn worker_layers(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is_below("src/")) {
        let is_edge = file.is_below("src/http/") || file.path == "src/lib.rs" || file.path == "src/routes.rs";
        if is_edge {
            findings.extend(file.code_with(&["::store::", "crate::sql::"]));
        } else {
            findings.extend(file.code_with(&["crate::http::"]));
        }
        if file.path.contains("/store/") || file.path.ends_with("/store.rs") {
            findings.extend(file.code_with(&["::effects::", "::tick::"]));
        }
    }
    findings
}

fn worker_doors(files: &[File]) -> Vec<String> {
    let doors: [(&[&str], &[&str]); 3] = [
        (&["src/ambient.rs"], &["Date::now", "getrandom::", "Uuid::new_v4", "SystemTime::now", "Instant::now"]),
        (&["src/env.rs"], &["env.var(", "env.secret(", "env.durable_object(", "env.assets("]),
        (&["src/sql/workers.rs"], &["SqlStorage", "transactionSync"]),
    ];
    through_doors(files, "src/", &doors)
}

fn runtime_purity(files: &[File]) -> Vec<String> {
    let pure = files
        .iter()
        .filter(|file| file.is_below("container/src/fleet/machine") || file.is_below("container/src/kilo/config"));
    pure.flat_map(|file| file.code_with(&["tokio::", "axum::", "reqwest::", "std::fs", "std::env", "Instant::now"]))
        .collect()
}

fn runtime_doors(files: &[File]) -> Vec<String> {
    let doors: [(&[&str], &[&str]); 2] = [
        (&["container/src/config.rs"], &["env::var", "env::vars"]),
        (&["container/src/git/", "container/src/fleet/process.rs"], &["Command::new("]),
    ];
    through_doors(files, "container/src/", &doors)
}

/// Words below a directory that only some of its files may hold.
fn through_doors(files: &[File], directory: &str, doors: &[(&[&str], &[&str])]) -> Vec<String> {
    let inside = files.iter().filter(|file| file.is_below(directory) && file.has_extension(&["rs"]));
    inside
        .flat_map(|file| {
            let closed = doors.iter().filter(|(paths, _)| !paths.iter().any(|path| file.is_below(path)));
            closed.flat_map(|(_, words)| file.code_with(words)).collect::<Vec<_>>()
        })
        .collect()
}

/// What people wrote, apart from this file, which has to name what it forbids.
fn written(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.is_source() && file.path != "tests/integration/tidy.rs")
}

/// All text files that git knows or would add.
fn files() -> Vec<File> {
    let root = support::root();
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(output.status.success(), "git ls-files failed");
    let paths = String::from_utf8(output.stdout).unwrap();
    paths
        .split('\0')
        .filter(|path| !path.is_empty())
        .filter_map(|path| Some(File { path: path.to_owned(), text: std::fs::read_to_string(root.join(path)).ok()? }))
        .collect()
}
