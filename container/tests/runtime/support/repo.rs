//! A bare repository with one commit on main, and commits on branches of it.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Repo {
    pub(crate) path: PathBuf,
}

impl Repo {
    pub(crate) fn new(path: &Path) -> Self {
        std::fs::create_dir_all(path).unwrap();
        let repo = Self { path: path.to_owned() };
        repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", "."]);
        repo.commit("main", "README.md", "hello\n");
        repo
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// Runs git in the bare repository; its output.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.path, args)
    }

    /// The commit of a ref, when it exists.
    pub(crate) fn head(&self, name: &str) -> Option<String> {
        let output =
            Command::new("git").current_dir(&self.path).args(["rev-parse", "--verify", "--quiet", name]).output();
        let output = output.unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// Adds a commit that writes one file; the branch is made from main when it is new.
    pub(crate) fn commit(&self, branch: &str, file: &str, content: &str) -> String {
        let clone = self.path.with_extension(format!("clone-{}", uuid::Uuid::new_v4()));
        let from = self.path.display().to_string();
        git(self.path.parent().unwrap(), &["clone", "--quiet", &from, &clone.display().to_string()]);
        if self.head(&format!("refs/heads/{branch}")).is_some() {
            git(&clone, &["checkout", "--quiet", "-B", branch, &format!("origin/{branch}")]);
        } else {
            git(&clone, &["checkout", "--quiet", "-B", branch]);
        }
        std::fs::write(clone.join(file), content).unwrap();
        git(&clone, &["add", "-A"]);
        git(&clone, &["commit", "--quiet", "-m", &format!("write {file}")]);
        git(&clone, &["push", "--quiet", "origin", &format!("HEAD:refs/heads/{branch}")]);
        std::fs::remove_dir_all(&clone).unwrap();
        self.head(&format!("refs/heads/{branch}")).unwrap()
    }

    /// A hook of the remote, as a forge's rule.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path.join("hooks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "init.defaultBranch=main"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
