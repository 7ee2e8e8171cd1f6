//! What a test needs of a Markdown document: links, anchors, code blocks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) path: PathBuf,
    /// Where its links and pictures lead, as written.
    pub(super) links: Vec<String>,
    /// What `#…` may be, as GitHub makes it of headings.
    pub(super) anchors: BTreeSet<String>,
    pub(super) blocks: Vec<Block>,
}

/// A code block.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The first word after the fence; empty for an indented one.
    pub(super) language: String,
    /// The name of `file=NAME` after it: the text is to be put into that file.
    pub(super) file: Option<String>,
    pub(super) text: String,
}

// === impl Document ===

impl Document {
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut document =
            Self { path: path.to_owned(), links: Vec::new(), anchors: BTreeSet::new(), blocks: Vec::new() };
        let (mut heading, mut block) = (None, None);
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => document.add_anchor(&heading.take().unwrap_or_default()),
                Event::Start(Tag::CodeBlock(kind)) => block = Some(Block::of(&kind)),
                Event::End(TagEnd::CodeBlock) => document.blocks.extend(block.take()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(block) = &mut block {
                        block.text.push_str(&text);
                    } else if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        document
    }

    /// Lower case, without punctuation, blanks as hyphens; a number behind what is there already.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
            .collect::<String>();
        let anchor = kept.trim().replace(' ', "-");
        let others = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(others).find(|anchor| !self.anchors.contains(anchor));
        self.anchors.extend(free);
    }
}

// === impl Block ===

impl Block {
    fn of(kind: &CodeBlockKind<'_>) -> Self {
        let CodeBlockKind::Fenced(info) = kind else { return Self::default() };
        let mut words = info.split_whitespace();
        let language = words.next().unwrap_or_default().to_owned();
        let file = words.find_map(|word| word.strip_prefix("file=")).map(str::to_owned);
        Self { language, file, text: String::new() }
    }
}
