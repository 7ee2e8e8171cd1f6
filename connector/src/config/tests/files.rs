//! Files: properties, JSON, and what placeholders point to.

use std::fs;
use std::path::Path;

use super::*;
use crate::config::load::{parse_json, parse_properties};
use crate::config::resolve::{Provider, System};

fn properties(text: &str) -> BTreeMap<String, String> {
    parse_properties(text).unwrap()
}

fn json(text: &str) -> BTreeMap<String, String> {
    parse_json(text).unwrap()
}

fn said(faults: Vec<Fault>) -> Vec<String> {
    faults.iter().map(Fault::to_string).collect()
}

/// A file of this name and content in a folder of its own, which is removed with the first of the two.
fn file(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn properties_are_read_as_java_does() {
    let text = "# comment \\u\n! another\n\n a = b \r\nb:c\rc d\nempty\ne\\ f\\==1 \\\n   2\\\\\nu=\\u00e9\\ud83d\\ude00é\\t\n  cont=x\\\n# y\nlast=z\\";
    let expected = [
        ("a", "b "),
        ("b", "c"),
        ("c", "d"),
        ("empty", ""),
        ("e f=", "1 2\\"),
        ("u", "é😀é\t"),
        ("cont", "x# y"),
        ("last", "z"),
    ];
    assert_eq!(properties(text), map(&expected));
}

#[test]
fn faults_in_properties_name_line_and_key() {
    let faults = parse_properties("a=1\nb=2\n\na=3\nb=4\n").unwrap_err();
    assert_eq!(
        said(faults),
        [
            ":4: a is given a second time, after line 1: remove one",
            ":5: b is given a second time, after line 2: remove one"
        ]
    );
    let faults = parse_properties("ok=1\n=x\np=\\u12\nq=\\ud83d\n").unwrap_err();
    assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [Some(2), Some(3), Some(4)]);
}

#[test]
fn properties_and_json_say_the_same() {
    let from_properties = properties("name=prices\ntasks.max=2\nlinger.ms=0\ninflux.tls.insecure=true\nx=1.5\n");
    let from_json = json(r#"{"name":"prices","tasks.max":2,"linger.ms":"0","influx.tls.insecure":true,"x":1.5}"#);
    assert_eq!(from_properties, from_json);
    let request =
        json(r#"{"name":"prices","config":{"tasks.max":2,"linger.ms":"0","influx.tls.insecure":true,"x":1.5}}"#);
    assert_eq!(from_properties, request);
}

#[test]
fn faults_in_json_name_the_key_and_never_a_value() {
    let cases = [
        (r#"{"a":["hunter2"],"b":{"c":"hunter2"},"d":null}"#, 3),
        (r#"{"a":"hunter2","a":"hunter2"}"#, 1),
        (r#"{"":"hunter2"}"#, 1),
        (r#"{"name":"a","config":{"name":"b"}}"#, 1),
        (r#"{"name":"a","config":{},"initial_state":"PAUSED"}"#, 1),
        ("\"hunter2\"", 1),
        ("{\"a\":hunter2}", 1),
        ("{\"a\":\"hunter2\"", 1),
        ("{\"a\":\"x\"} hunter2", 1),
        ("", 1),
    ];
    for (text, count) in cases {
        let faults = said(parse_json(text).unwrap_err());
        assert_eq!(faults.len(), count, "{faults:?}");
        assert!(!faults.concat().contains("hunter2"), "{faults:?}");
    }
    assert!(said(parse_json("{\n\"a\":\n}").unwrap_err())[0].starts_with(":3: "));
}

#[test]
fn files_are_known_by_name_and_by_content() {
    for (name, content) in
        [("c.json", "{\"a\":1}"), ("c.properties", "\u{feff}a=1"), ("c.conf", " {\"a\":\"1\"}"), ("c", "a=1")]
    {
        let (_folder, path) = file(name, content);
        assert_eq!(load(&path).unwrap(), map(&[("a", "1")]), "{name}");
    }
}

#[test]
fn unreadable_files_say_which_and_where() {
    let missing = load(Path::new("/does/not/exist.properties")).unwrap_err();
    assert_eq!(missing.to_string(), "cannot read the configuration file /does/not/exist.properties");
    assert!(std::error::Error::source(&missing).is_some());
    let (_folder, path) = file("x.properties", b"a=1\nb=\xff\n");
    assert_eq!(load(&path).unwrap_err().to_string(), format!("{}:2: the text is not UTF-8", path.display()));
    let (_folder, path) = file("x.properties", "a=1\na=2\n=3");
    assert_eq!(
        load(&path).unwrap_err().to_string(),
        format!("{}:3: there is no key before the = or :", path.display())
    );
    let (_folder, path) = file("x.properties", vec![b'a'; (1 << 20) + 1]);
    assert!(matches!(load(&path), Err(ConfigError::Read { .. })));
}

#[test]
fn placeholders_read_files_folders_and_the_environment() {
    let (folder, path) = file("secrets.properties", "user=u\npass=p:}x\n");
    fs::write(folder.path().join("token"), "t0k\r\n").unwrap();
    let (path, folder_path) = (path.to_str().unwrap(), folder.path().to_str().unwrap());
    let value = |provider, path, key| System.value(&Reference { name: "", provider, path, key });
    assert_eq!(value(Provider::File, path, "pass"), Ok("p:}x".to_owned()));
    assert_eq!(value(Provider::Dir, folder_path, "token"), Ok("t0k".to_owned()));
    assert_eq!(value(Provider::Env, "", "PATH"), Ok(std::env::var("PATH").unwrap()));
    for (provider, path, key) in [
        (Provider::File, path, "gone"),
        (Provider::File, "", "user"),
        (Provider::File, "/does/not/exist", "user"),
        (Provider::Dir, folder_path, "gone"),
        (Provider::Dir, folder_path, "../etc/passwd"),
        (Provider::Dir, folder_path, ".."),
        (Provider::Env, "", "SLUICE_TEST_SURELY_NOT_SET"),
        (Provider::Env, "p", "PATH"),
        (Provider::Env, "", ""),
    ] {
        assert!(value(provider, path, key).is_err(), "{provider:?} {path} {key}");
    }
    let setting = format!("a-${{file:{path}:user}}-${{dir:{folder_path}:token}}");
    let config = ConnectorConfig::check(&with(&[("influx.database", &setting)])).unwrap().config;
    assert_eq!(config.influx.database.as_deref(), Some("a-u-t0k"));
    assert_eq!(config.raw["influx.database"], setting);
}
