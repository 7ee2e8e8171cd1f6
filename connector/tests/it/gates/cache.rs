//! Machine code that is kept: it saves the compiler, and whatever is wrong with it costs no more than that.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use sluice::transform::code_cache::{CacheError, CodeCache};

use super::*;

/// A folder for machine code within a folder that is gone after the test.
struct Scene {
    _parent: tempfile::TempDir,
    folder: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("code");
        Self { _parent: parent, folder }
    }

    fn loader(&self, compiler: Compiler) -> Loader {
        Loader::new(engine().clone(), compiler, Some(CodeCache::open(&self.folder).unwrap()))
    }

    /// Loads the shipped module and says whether its machine code was there.
    fn cached(&self) -> bool {
        self.loader(Compiler::InProcess).load("sound.wasm", &shipped()).unwrap().cached
    }

    /// The one file.
    fn file(&self) -> PathBuf {
        let files: Vec<_> = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [file] = files.as_slice() else { panic!("not one file: {files:?}") };
        file.clone()
    }

    /// After this change to the file it is compiled again, and what is kept then is sound.
    #[track_caller]
    fn notices(&self, what: &str, change: impl FnOnce(&Path)) {
        assert!(self.cached(), "before {what}");
        change(&self.file());
        assert!(!self.cached(), "{what}");
        let kept = fs::symlink_metadata(self.file()).unwrap();
        assert!(kept.is_file() && kept.mode() & 0o7777 == 0o600, "{what}: {kept:?}");
        assert!(self.cached(), "after {what}");
    }
}

#[test]
fn a_module_that_was_compiled_needs_no_compiler_again() {
    let scene = Scene::new();
    let child = Compiler::Child { program: BINARY.into(), limits: AMPLE };
    let cold = scene.loader(child).load("sound.wasm", &shipped()).unwrap();
    let warm = scene.loader(Compiler::Child { program: "/nowhere/sluice".into(), limits: AMPLE });
    let warm = [(); 2].map(|()| warm.load("sound.wasm", &shipped()).unwrap());
    assert!(!cold.cached && warm[0].cached && warm[1].cached);
    assert_eq!(cold.module.digest(), warm[0].module.digest());
    // Another module is another.
    let other = wasm::with(shipped(), 0, b"\x04note\x01");
    let error = scene.loader(Compiler::Child { program: "/nowhere/sluice".into(), limits: AMPLE });
    assert!(matches!(error.load("other.wasm", &other), Err(LoadError::Compiler { .. })));
    // What compiles here is kept as well, and runs: see `sandbox` for that it does.
    assert!(scene.cached());
}

#[test]
fn a_changed_file_is_never_run() {
    let scene = Scene::new();
    assert!(!scene.cached());
    let flip = |file: &Path, at: usize| {
        let mut bytes = fs::read(file).unwrap();
        bytes[at] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    let length = fs::metadata(scene.file()).unwrap().len() as usize;
    for at in [0, 20, 100, length / 2, length - 1] {
        scene.notices(&format!("byte {at}"), |file| flip(file, at));
    }
    scene.notices("a shorter file", |file| File::options().write(true).open(file).unwrap().set_len(100).unwrap());
    scene.notices("an empty file", |file| fs::write(file, b"").unwrap());
}

#[test]
fn a_file_that_others_may_touch_is_never_run() {
    let scene = Scene::new();
    assert!(!scene.cached());
    for mode in [0o602, 0o620, 0o644] {
        scene.notices(&format!("mode {mode:o}"), |file| {
            fs::set_permissions(file, Permissions::from_mode(mode)).unwrap()
        });
    }
    scene.notices("a link", |file| {
        let elsewhere = scene.folder.with_extension("elsewhere");
        fs::rename(file, &elsewhere).unwrap();
        symlink(&elsewhere, file).unwrap();
    });
    // Only root can give files away.
    if fs::metadata(&scene.folder).unwrap().uid() == 0 {
        scene.notices("another owner", |file| chown(file, Some(65534), None).unwrap());
    }
    scene.notices("a pipe", |file| {
        fs::remove_file(file).unwrap();
        assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(file).status().unwrap().success());
    });
}

#[test]
fn machine_code_of_another_module_under_this_ones_name_is_never_run() {
    let (scene, other) = (Scene::new(), Scene::new());
    assert!(!scene.cached());
    let marked = wasm::with(shipped(), 0, b"\x04note\x01");
    assert!(!other.loader(Compiler::InProcess).load("other.wasm", &marked).unwrap().cached);
    scene.notices("another's code", |file| {
        fs::copy(other.file(), file).unwrap();
    });
}

#[test]
fn a_folder_that_may_hold_code_of_others_is_refused() {
    let scene = Scene::new();
    assert!(!scene.cached());
    let open = |path: &Path| CodeCache::open(path).map(drop);
    let mode = |mode| fs::set_permissions(&scene.folder, Permissions::from_mode(mode)).unwrap();
    for open_to_all in [0o777, 0o770, 0o702] {
        mode(open_to_all);
        let error = open(&scene.folder).unwrap_err();
        assert!(matches!(error, CacheError::NotPrivate { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("{open_to_all:04o}")) && text.contains("remove the folder"), "{text}");
    }
    // Only readable by others: nothing in it can be theirs, and now they see nothing either.
    mode(0o755);
    assert!(scene.cached());
    assert_eq!(fs::metadata(&scene.folder).unwrap().mode() & 0o7777, 0o700);

    let link = scene.folder.with_extension("link");
    symlink(&scene.folder, &link).unwrap();
    let file = scene.folder.with_extension("file");
    fs::write(&file, b"").unwrap();
    for path in [link, file] {
        let error = open(&path).unwrap_err();
        assert!(matches!(error, CacheError::Open { .. }) && error.to_string().contains("no link"), "{error:?}");
    }
    if fs::metadata(&scene.folder).unwrap().uid() == 0 {
        chown(&scene.folder, Some(65534), None).unwrap();
        let error = open(&scene.folder).unwrap_err();
        assert!(error.to_string().contains("belongs to user 65534"), "{error}");
    }
}
