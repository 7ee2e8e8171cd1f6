//! What the documents say is true: links lead somewhere, commands and settings exist, and what is shown as typed at a terminal does what is shown.

mod console;
mod markdown;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use sluice::cli::Cli;

use console::Session;
use markdown::{Block, Document};

use crate::commands;
use crate::support::root;

/// Every document of the project, by its path from the root.
fn documents() -> Vec<Document> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    assert!(paths.len() > 15, "{paths:?}");
    paths.sort();
    paths.iter().map(|path| Document::read(path)).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && !["target", "node_modules", "corpus"].contains(&name.as_ref()) {
                collect(&path, into);
            }
        } else if name.ends_with(".md") {
            into.push(path);
        }
    }
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    let anchors: BTreeMap<&Path, _> =
        documents.iter().map(|document| (document.path.as_path(), &document.anchors)).collect();
    let mut broken = Vec::new();
    for document in &documents {
        for link in document.links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { document.path.clone() } else { document.path.parent().unwrap().join(file) };
            let leads = match target.canonicalize() {
                Ok(target) if anchor.is_empty() => target.starts_with(root()),
                Ok(target) => anchors.get(target.as_path()).is_some_and(|anchors| anchors.contains(anchor)),
                Err(_) => false,
            };
            if !leads {
                broken.push(format!("{}: {link}", shown(&document.path)));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_document_is_reached_from_the_readme() {
    let documents = documents();
    let by_path: BTreeMap<&Path, &Document> =
        documents.iter().map(|document| (document.path.as_path(), document)).collect();
    let (mut reached, mut left) = (Vec::new(), vec![root().join("README.md")]);
    while let Some(path) = left.pop() {
        let Some(document) = by_path.get(path.as_path()) else { continue };
        if reached.contains(&path) {
            continue;
        }
        let folder = path.parent().unwrap();
        let files = document.links.iter().map(|link| folder.join(link.split('#').next().unwrap()));
        // A link to a folder shows its README.
        let files = files.filter_map(|file| file.canonicalize().ok());
        left.extend(files.map(|file| if file.is_dir() { file.join("README.md") } else { file }));
        reached.push(path);
    }
    let lost: Vec<_> =
        by_path.keys().filter(|path| !reached.contains(&path.to_path_buf())).map(|path| shown(path)).collect();
    assert!(lost.is_empty(), "no link from README.md leads to {lost:?}");
}

/// Lines of a shell block without what the shell does with them: comments, pipes, redirections, variables before the command.
fn commands_of(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let parts = joined.lines().flat_map(|line| {
        let line = line.strip_prefix("$ ").unwrap_or(line);
        let line = line.split(" #").next().unwrap();
        let parts = line.split(" | ").flat_map(|part| part.split(" && ")).flat_map(|part| part.split(" || "));
        parts.map(str::to_owned).collect::<Vec<_>>()
    });
    let words = parts.filter_map(|part| {
        let words = shlex::split(part.trim().trim_end_matches(" &"))?;
        let words = words.into_iter().take_while(|word| !word.starts_with(['>', '<']) && !word.starts_with("2>"));
        let is_variable = |word: &String| {
            word.split_once('=')
                .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        };
        Some(words.skip_while(is_variable).collect::<Vec<_>>())
    });
    words.filter(|words| !words.is_empty()).collect()
}

#[test]
fn every_command_that_is_shown_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut wrong = Vec::new();
    for document in documents() {
        for block in document.blocks.iter().filter(|block| ["sh", "console", ""].contains(&block.language.as_str())) {
            for words in commands_of(&block.text) {
                let fault = match words[0].as_str() {
                    "sluice" => {
                        Cli::try_parse_from(&words).err().filter(clap::Error::use_stderr).map(|error| error.to_string())
                    }
                    "make" => words[1..].iter().find(|word| !word.contains('=')).and_then(|target| {
                        (!makefile.contains(&format!("\n{target}:"))).then(|| format!("no target {target}"))
                    }),
                    script
                        if script.contains('/')
                            && !script.contains(['$', '<'])
                            && words[0].starts_with(|c: char| c.is_ascii_lowercase()) =>
                    {
                        let is_there = [root().to_owned(), document.path.parent().unwrap().to_owned()]
                            .iter()
                            .any(|folder| folder.join(script).exists());
                        (!is_there && !script.starts_with("target/")).then(|| "there is no such file".to_owned())
                    }
                    _ => None,
                };
                wrong.extend(fault.map(|fault| format!("{}: {}: {fault}", shown(&document.path), words.join(" "))));
            }
        }
    }
    assert!(wrong.is_empty(), "commands that can't be typed:\n{}", wrong.join("\n"));
}

/// A connector as it is shown, with what the reader has to bring replaced.
fn connector(block: &Block) -> Option<String> {
    let has = |key: &str| block.text.lines().any(|line| line.starts_with(key));
    if block.language != "properties" || !has("name=") || !has("transform.module=") {
        return None;
    }
    let builtin = has("transform.module=builtin:");
    let lines = block.text.lines().filter(|line| builtin || !line.starts_with("transform.config."));
    let line = |line: &str| match line.split_once('=') {
        Some(("transform.module", _)) if !builtin => "transform.module=builtin:split-concat".to_owned(),
        Some((key, value)) if value.starts_with("${") => {
            format!("{key}={}", if key == "influx.url" { "http://localhost:8086" } else { "secret" })
        }
        _ => line.to_owned(),
    };
    Some(lines.map(line).collect::<Vec<_>>().join("\n"))
}

#[test]
fn every_connector_that_is_shown_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for document in documents() {
        for text in document.blocks.iter().filter_map(connector) {
            let file = folder.path().join(format!("{seen}.properties"));
            fs::write(&file, &text).unwrap();
            let ended = commands::run(&["validate", file.to_str().unwrap()]);
            assert_eq!(ended.code, Some(0), "{}:\n{text}\n{}{}", shown(&document.path), ended.stdout, ended.stderr);
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
}

/// Runs what a document shows at a terminal.
fn walk(name: &str) {
    Session::start().run(&Document::read(&root().join(name)));
}

#[test]
fn getting_started_does_what_it_says() {
    walk("docs/GETTING-STARTED.md");
}

#[test]
fn the_tutorial_of_a_transform_does_what_it_says() {
    walk("docs/TRANSFORMS.md");
}

#[test]
fn what_is_said_of_delivery_can_be_tried() {
    walk("docs/DELIVERY.md");
}

#[test]
fn no_document_shows_a_terminal_that_nobody_runs() {
    let with_terminal =
        documents().into_iter().filter(|document| document.blocks.iter().any(|block| block.language == "console"));
    let names: Vec<_> = with_terminal.map(|document| shown(&document.path)).collect();
    let source = include_str!("docs.rs");
    let unrun: Vec<_> = names.iter().filter(|name| !source.contains(&format!("walk(\"{name}\""))).collect();
    assert!(unrun.is_empty(), "{unrun:?}");
}
