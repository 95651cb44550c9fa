//! The two programs: taken from git, built alike, put beside each other.
//!
//! Both are built in one folder, one after the other, so that the paths in them, and with these the names
//! and places of their functions, are the same: equal sources give equal programs to the bit. Cargo then
//! also compiles again only what differs. git writes the files there with an index of its own
//! and registers nothing, so that nothing of it remains in the repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{measure::Place, trouble::Trouble};

/// A release build from nothing takes minutes; on a busy machine, many.
const BUILD_MOST: Duration = Duration::from_secs(3_600);

/// A state of the sources.
pub(crate) struct Sources {
    /// As people name it.
    pub(crate) name: String,
    /// As git does, all files together.
    pub(crate) tree: String,
}

/// The repository and the folder in which we work.
pub(crate) struct Workshop {
    root: PathBuf,
    pub(crate) folder: PathBuf,
    /// Of cargo.
    profile: String,
    /// Held until we end, since two of us would take each other's files away.
    _alone: fs::File,
}

impl Workshop {
    /// Of the repository that the current folder is in.
    pub(crate) fn open(profile: &str) -> Result<Self, Trouble> {
        let root = PathBuf::from(git(Path::new("."), &["rev-parse", "--show-toplevel"], &[])?);
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        let folder = root.join(target).join("regress");
        Self::at(root, folder, profile)
    }

    fn at(root: PathBuf, folder: PathBuf, profile: &str) -> Result<Self, Trouble> {
        fs::create_dir_all(folder.join("tree")).map_err(file(&folder))?;
        let lock = folder.join("lock");
        let alone = fs::File::create(&lock).map_err(file(&lock))?;
        alone.try_lock().map_err(|_| {
            Trouble::Asked(format!(
                "another one measures in {}\n  hint: wait until it is through; both would be disturbed",
                folder.display()
            ))
        })?;
        Ok(Self { root, folder, profile: profile.to_owned(), _alone: alone })
    }

    /// Where the cases' graphs are: those of the new state serve both programs.
    pub(crate) fn cases(&self) -> PathBuf {
        self.root.join("benches/regress/cases")
    }

    /// What `BASE` names.
    pub(crate) fn base(&self, base: &str) -> Result<Sources, Trouble> {
        let asked = format!("{base}^{{commit}}");
        let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", &asked];
        let commit = git(&self.root, &words, &[]).map_err(|_| {
            Trouble::Asked(format!(
                "BASE={base} is no commit of this repository\n  hint: name one that `git log` shows, \
                 a branch or a tag: `make regress BASE=HEAD~1`"
            ))
        })?;
        let line = git(&self.root, &["log", "-1", "--format=%h %s", &commit], &[])?;
        let tree = git(&self.root, &["rev-parse", &format!("{commit}^{{tree}}")], &[])?;
        Ok(Sources { name: line, tree })
    }

    /// The files as they are now, saved or not.
    pub(crate) fn present(&self) -> Result<Sources, Trouble> {
        // With an index of its own, so that what is staged for a commit stays as it is.
        let index = self.folder.join("index.new");
        let own = [("GIT_INDEX_FILE", index.as_path())];
        let _ = fs::remove_file(&index);
        git(&self.root, &["read-tree", "HEAD"], &own)?;
        git(&self.root, &["add", "--all", "."], &own)?;
        let tree = git(&self.root, &["write-tree"], &own)?;
        let _ = fs::remove_file(&index);
        let line = git(&self.root, &["log", "-1", "--format=%h %s"], &[])?;
        let committed = git(&self.root, &["rev-parse", "HEAD^{tree}"], &[])?;
        let name = if tree == committed {
            line
        } else {
            format!("{line}, and what is not committed in the working tree")
        };
        Ok(Sources { name, tree })
    }

    /// Builds both, and gives them whole: what is run are copies.
    pub(crate) fn both(
        &self,
        place: &Place<'_>,
        old: &Sources,
        new: &Sources,
    ) -> Result<[Vec<u8>; 2], Trouble> {
        let kept = [self.built(place, "old", old)?, self.built(place, "new", new)?];
        self.forget_all_but(&kept)?;
        let read = |path: &PathBuf| fs::read(path).map_err(file(path));
        Ok([read(&kept[0])?, read(&kept[1])?])
    }

    /// The program of a state of the sources, built unless it was before.
    fn built(
        &self,
        place: &Place<'_>,
        which: &'static str,
        sources: &Sources,
    ) -> Result<PathBuf, Trouble> {
        let programs = self.folder.join("programs");
        fs::create_dir_all(&programs).map_err(file(&programs))?;
        let kept = programs.join(format!("{}-{}", sources.tree, self.profile));
        if kept.exists() {
            return Ok(kept);
        }
        eprintln!("regress: builds the {which} program: {}", sources.name);
        self.check_out(&sources.tree)?;
        let build = self.folder.join("build");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(self.folder.join("tree"))
            .args(["build", "--locked", "--package", "afferent-cli", "--bin", "afferent"])
            .args(["--profile", &self.profile, "--target-dir"])
            .arg(&build)
            .stderr(Stdio::inherit());
        // What cargo tells programs that it runs, such as us under `make`: build scripts look at it, and would build
        // what stands beneath TLS anew whenever it changes.
        let told = |name: &std::ffi::OsString| {
            let name = name.to_string_lossy();
            ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| told(name)) {
            cargo.env_remove(name);
        }
        let (succeeded, ..) = place.follow(&mut cargo, BUILD_MOST)?;
        if !succeeded {
            let hint = "  hint: cargo's own words are above; choose a BASE that can be built";
            return Err(Trouble::Build(which, hint.to_owned()));
        }
        let made = build.join(folder_of(&self.profile)).join("afferent");
        let half = programs.join("half");
        strip(&made, &half)?;
        fs::rename(&half, &kept).map_err(file(&kept))?;
        Ok(kept)
    }

    /// Makes the folder hold a state of the sources. Files that stay the same keep their times, by which cargo
    /// knows them.
    fn check_out(&self, tree: &str) -> Result<(), Trouble> {
        let (index, folder) = (self.folder.join("index"), self.folder.join("tree"));
        if !folder.join("Cargo.toml").exists() {
            let _ = fs::remove_file(&index);
        }
        let own = [("GIT_INDEX_FILE", index.as_path()), ("GIT_WORK_TREE", folder.as_path())];
        git(&self.root, &["read-tree", "--reset", "-u", tree], &own)?;
        // What somebody changed there, or an interrupted run left.
        git(&self.root, &["checkout-index", "--force", "--all", "--index"], &own)?;
        Ok(())
    }

    fn forget_all_but(&self, kept: &[PathBuf]) -> Result<(), Trouble> {
        let programs = self.folder.join("programs");
        for entry in fs::read_dir(&programs).map_err(file(&programs))?.flatten() {
            if !kept.contains(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }
}

/// Copies a program without what only debuggers read, most of it: it is written anew for every run. Binutils
/// come with every C compiler; without them it takes longer.
fn strip(from: &Path, to: &Path) -> Result<(), Trouble> {
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg("-o").arg(to).arg(from).stderr(Stdio::null());
    if !strip.status().is_ok_and(|status| status.success()) {
        fs::copy(from, to).map_err(file(from))?;
    }
    Ok(())
}

/// Where cargo puts what it builds with a profile.
fn folder_of(profile: &str) -> &str {
    match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        own => own,
    }
}

fn git(folder: &Path, words: &[&str], variables: &[(&str, &Path)]) -> Result<String, Trouble> {
    let mut git = Command::new("git");
    let variables = variables.iter().copied();
    let told = git.current_dir(folder).args(words).envs(variables).output();
    let told = told.map_err(|error| Trouble::Machine(format!("git: {error}")))?;
    if !told.status.success() {
        let said = String::from_utf8_lossy(&told.stderr);
        return Err(Trouble::Machine(format!("git {}: {}", words.join(" "), said.trim())));
    }
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Trouble {
    let path = path.to_owned();
    move |error| Trouble::Machine(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with one commit of three files.
    fn repository(name: &str) -> Workshop {
        let name = format!("afferent-regress-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&root);
        let folder = root.join("target/regress");
        fs::create_dir_all(&root).expect("a folder for the test");
        for (file, text) in [
            ("Cargo.toml", "[package]\n"),
            ("a.rs", "a\n"),
            ("b.rs", "b\n"),
            (".gitignore", "/target\n"),
        ] {
            fs::write(root.join(file), text).expect("written");
        }
        run(&root, &["init", "--quiet"]);
        run(&root, &["add", "."]);
        let who = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"];
        run(&root, &[&who[..], &["commit", "--quiet", "-m", "one"]].concat());
        Workshop::at(root, folder, "test").expect("nobody else is there")
    }

    fn run(root: &Path, words: &[&str]) -> String {
        git(root, words, &[]).expect("git can")
    }

    fn text(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap_or_else(|_| "missing".to_owned())
    }

    #[test]
    fn what_is_not_committed_is_new_and_stays_as_it_is() {
        let workshop = repository("dirty");
        let root = &workshop.root;
        let clean = workshop.present().expect("a state");
        assert_eq!(clean.tree, workshop.base("HEAD").expect("a commit").tree);
        fs::write(root.join("a.rs"), "changed\n").expect("written");
        fs::write(root.join("new.rs"), "new\n").expect("written");
        run(root, &["add", "a.rs"]);
        let before = run(root, &["status", "--porcelain"]);

        let dirty = workshop.present().expect("a state");

        assert!(
            dirty.name.ends_with("what is not committed in the working tree"),
            "{}",
            dirty.name
        );
        assert_eq!(run(root, &["ls-tree", "--name-only", &dirty.tree]).lines().count(), 5);
        assert_eq!(run(root, &["status", "--porcelain"]), before);
        assert_eq!(run(root, &["worktree", "list"]).lines().count(), 1);
        fs::remove_dir_all(root).expect("it was made");
    }

    #[test]
    fn a_state_is_written_whole_and_what_stays_the_same_keeps_its_time() {
        let workshop = repository("states");
        let (root, tree) = (&workshop.root, workshop.folder.join("tree"));
        let old = workshop.base("HEAD").expect("a commit");
        fs::write(root.join("a.rs"), "changed\n").expect("written");
        fs::rename(root.join("b.rs"), root.join("c.rs")).expect("renamed");
        let new = workshop.present().expect("a state");
        let time = || fs::metadata(tree.join("Cargo.toml")).and_then(|file| file.modified());

        workshop.check_out(&old.tree).expect("written");
        let first = time().expect("it is there");
        assert_eq!(
            (text(tree.join("a.rs")), text(tree.join("b.rs"))),
            ("a\n".into(), "b\n".into())
        );
        workshop.check_out(&new.tree).expect("written");

        assert_eq!(text(tree.join("a.rs")), "changed\n");
        assert_eq!(
            (text(tree.join("b.rs")), text(tree.join("c.rs"))),
            ("missing".into(), "b\n".into())
        );
        assert_eq!(time().expect("it is there"), first);

        fs::write(tree.join("a.rs"), "what somebody did there\n").expect("written");
        fs::remove_file(tree.join("c.rs")).expect("it was there");
        workshop.check_out(&new.tree).expect("written");
        assert_eq!(
            (text(tree.join("a.rs")), text(tree.join("c.rs"))),
            ("changed\n".into(), "b\n".into())
        );
        fs::remove_dir_all(root).expect("it was made");
    }

    #[test]
    fn two_at_a_time_are_refused() {
        let workshop = repository("two");
        let second = Workshop::at(workshop.root.clone(), workshop.folder.clone(), "test");

        let said = second.err().expect("refused").to_string();
        assert!(said.contains("another one measures in") && said.contains("hint: wait"), "{said}");
        fs::remove_dir_all(&workshop.root).expect("it was made");
    }
}
