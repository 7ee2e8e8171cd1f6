//! A hundred swaps in a run under load, by every way there is, good ones and broken ones: every record has one point, by one version, and
//! nobody in the group notices.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::look::both_have;
use super::{Stage, digest, variant};
use crate::support::http;
use crate::support::sluice::{BINARY, Sluice};

const SWAPS: u32 = 100;

/// How a module gets there.
type Way = fn(&Stage, &Sluice, &[u8]);

/// Every way of changing the file, and every one over REST.
const WAYS: [(&str, Way); 8] = [
    ("rename", |stage, _, module| stage.replace(module)),
    ("copy in place", |stage, _, module| {
        let half = module.len() / 2;
        fs::write(stage.file(), &module[..half]).unwrap();
        let mut file = fs::File::options().append(true).open(stage.file()).unwrap();
        std::io::Write::write_all(&mut file, &module[half..]).unwrap();
    }),
    ("backup and new file", |stage, _, module| {
        fs::rename(stage.file(), stage.file().with_extension("wasm~")).unwrap();
        fs::write(stage.file(), module).unwrap();
    }),
    ("symlink", |stage, _, module| {
        let real = stage.folder().join(format!("{}.wasm", digest(module)));
        fs::write(&real, module).unwrap();
        put_symlink(&real, &stage.file());
    }),
    ("ConfigMap", config_map),
    ("upload", |stage, sluice, module| {
        stage.upload(sluice, module, "");
    }),
    ("command", |stage, sluice, module| {
        let file = stage.folder().join("upload.wasm");
        fs::write(&file, module).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["swap", &stage.connector.name, file.to_str().unwrap(), "--url", &sluice.url("")]);
        command.output().unwrap();
    }),
    ("by digest", |stage, sluice, module| {
        let known = format!(r#"{{"module": "sha256:{}"}}"#, digest(module));
        // It has to have been there: its dry run keeps nothing, so it is uploaded first.
        stage.upload(sluice, module, "");
        http::send("PUT", &stage.url(sluice, ""), &[("content-type", "application/json")], known.as_bytes()).unwrap();
    }),
];

/// As Kubernetes' kubelet does it: a folder of its own for each version, behind two symlinks, of which one is renamed.
fn config_map(stage: &Stage, _: &Sluice, module: &[u8]) {
    let modules = stage.file().parent().unwrap().to_owned();
    let version = modules.join(format!("..{}", &digest(module)[..12]));
    fs::create_dir(&version).unwrap();
    fs::write(version.join("transform.wasm"), module).unwrap();
    put_symlink(Path::new(version.file_name().unwrap()), &modules.join("..data"));
    if fs::read_link(stage.file()).ok().as_deref() != Some(Path::new("..data/transform.wasm")) {
        put_symlink(Path::new("..data/transform.wasm"), &stage.file());
    }
}

/// Over what is there, by rename.
fn put_symlink(to: &Path, at: &Path) {
    let temporary = at.with_file_name(".link");
    symlink(to, &temporary).unwrap_or_else(|error| panic!("{} to {}: {error}", temporary.display(), to.display()));
    fs::rename(temporary, at).unwrap();
}

/// Every fifth candidate is broken, each in another way; the gate or the end that it meets.
const BROKEN: [(&str, &str); 5] = [
    ("configure-error", "refused"),
    ("panic", "refused"),
    ("reject-tenth", "refused"),
    ("trap-at-10000", "rolled_back"),
    ("ends-past-bytes", "refused"),
];

#[test]
fn a_hundred_swaps_leave_one_point_of_each_record_and_the_group_alone() {
    let stage = Stage::new("swap-hundred", 4).set("tasks.max", "2");
    let mut sluice = stage.start();
    let mut taken_back = 0;
    let generation = stage.under_load(|| {
        sluice.until("version 1 to write", |_| stage.has_written(1));
        both_have(&mut sluice, 2.0);
        let assigned = sluice.log().matches("partitions assigned").count();
        for number in 2..SWAPS + 2 {
            let (name, way) = WAYS[number as usize % WAYS.len()];
            let (mode, outcome) = match number % 5 {
                0 => BROKEN[(number as usize / 5) % BROKEN.len()],
                _ => ("stamp", "on_probation"),
            };
            let module = variant(number, mode);
            way(&stage, &sluice, &module);
            let what = format!("candidate {number} ({mode}, by {name}) to be {outcome}");
            sluice.until(&what, |sluice| has_entry(&stage, sluice, &module, outcome));
            taken_back += usize::from(outcome == "rolled_back");
        }
        assigned
    });
    stage.finish(&mut sluice);
    let assigned = sluice.log().matches("partitions assigned").count();
    assert_eq!(assigned, generation, "the group was left alone");
    let metrics = sluice.metrics();
    assert_eq!(metrics.find("sluice_swaps_total", &["outcome=\"rolled_back\""]), Some(taken_back as f64));
    sluice.stop();
    for (partition, course) in stage.one_version_each() {
        let back = course.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(back <= taken_back, "partition {partition} went back {back} times: {course:?}");
        assert!(
            course
                .iter()
                .all(|number| number % 5 != 0 || BROKEN[(*number as usize / 5) % BROKEN.len()].1 == "rolled_back")
        );
    }
}

fn has_entry(stage: &Stage, sluice: &Sluice, module: &[u8], outcome: &str) -> Result<(), String> {
    let state: Value = stage.transform(sluice);
    let digest = digest(module);
    let is_it = |entry: &Value| entry["digest"] == *digest && entry["outcome"] == outcome;
    let history = state["history"].as_array().unwrap();
    if history.iter().any(is_it) { Ok(()) } else { Err(format!("{}", history.last().unwrap())) }
}
