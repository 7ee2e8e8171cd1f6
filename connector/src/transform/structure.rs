//! The first gate: what a module is made of, counted in one pass over its sections before anything heavier looks at it.
//!
//! A validator allows a million functions of seven megabytes each and a thousand components inside of each other, and a compiler
//! takes them as they come. No transform is like that. Nothing is allocated here by what the bytes say: a section tells how many items
//! it has, and more than the limit is refused before one of them is read.

use std::ops::Range;

use thiserror::Error;
use wasmparser::{Encoding, Parser, Payload, SectionLimited};

/// The largest module, in bytes.
pub const BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How deep modules and components may stand inside of each other, the outermost counted.
const DEPTH_MAX: u64 = 8;

/// What a transform's tool chain is asked to do where code is too large.
const SMALLER: &str = "build it optimised (cargo build --release) and leave out dependencies that it does not need";

/// Where a count is far from what any tool chain emits.
const GENERATED: &str = "no transform needs as many: look at what has generated the module";

/// The beginning of every module and component, without the version.
const MAGIC: &[u8] = b"\0asm";

/// The id of a custom section.
const CUSTOM: u8 = 0;

/// What a module is made of, those inside of it included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Structure {
    /// Bytes in all.
    pub bytes: u64,
    /// Modules and components, the outermost counted.
    pub modules: u64,
    /// How deep they stand inside of each other; 1 if there is only one.
    pub depth: u64,
    /// Functions with a body.
    pub functions: u64,
    /// The largest body, in bytes.
    pub largest_body: u64,
    /// Data segments.
    pub data_segments: u64,
    /// Element segments.
    pub element_segments: u64,
    /// Types, of core modules and of components.
    pub types: u64,
    /// Imports.
    pub imports: u64,
    /// Exports.
    pub exports: u64,
    /// Globals.
    pub globals: u64,
    /// Tables and memories.
    pub memories: u64,
    /// Instances, aliases and canonical functions of components.
    pub wiring: u64,
    /// Sections of all kinds.
    pub sections: u64,
}

/// Why a module's structure is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StructureError {
    /// More of something than a transform may have.
    #[error("it has {count} {what}, and {limit} are allowed; {advice}")]
    TooMany {
        /// What was counted.
        what: &'static str,
        /// How many there are, or at least are: the count ends where the limit is exceeded.
        count: u64,
        /// How many may be.
        limit: u64,
        /// What to do.
        advice: &'static str,
    },
    /// The sections can't be told apart: cut off or damaged.
    #[error("it is damaged or was cut off at byte {offset} of {bytes}: {reason}; build it or copy it again")]
    Malformed {
        /// Where.
        offset: u64,
        /// The module's size.
        bytes: u64,
        /// The parser's words.
        reason: String,
    },
}

/// Counts what a module is made of. The bytes are not validated: that is for the compiler, which is not asked if this fails.
///
/// # Errors
///
/// If a count exceeds its limit, or the sections can't be told apart.
pub fn check(bytes: &[u8]) -> Result<Structure, StructureError> {
    let mut found = Structure { bytes: bytes.len() as u64, ..Structure::default() };
    limit("bytes", found.bytes, BYTES_MAX, SMALLER)?;
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| StructureError::Malformed {
            offset: error.offset(),
            bytes: found.bytes,
            reason: error.message().to_owned(),
        })?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
        found.depth = found.depth.max(depth);
        found.add(&payload);
        found.keep_to_limits()?;
    }
    Ok(found)
}

/// Whether a file's bytes end where a section ends, as those of a file that is still being copied do not, or only by chance.
///
/// Bytes that are no WebAssembly at all count as complete: waiting for more would not make a module of them. A tail of zeros, which
/// a copy may leave where it has not written yet, does not.
pub fn is_complete(bytes: &[u8]) -> bool {
    if !bytes.starts_with(MAGIC) {
        return !MAGIC.starts_with(bytes);
    }
    let Some(mut rest) = bytes.get(MAGIC.len() + 4..) else { return false };
    while let Some((&id, after)) = rest.split_first() {
        let Some((size, contents)) = leb128(after) else { return false };
        // A custom section begins with its name, so an empty one is none.
        if id == CUSTOM && size == 0 {
            return false;
        }
        match usize::try_from(size).ok().and_then(|size| contents.get(size..)) {
            Some(next) => rest = next,
            None => return false,
        }
    }
    true
}

/// A number as sections begin with it, and what follows it. Five bytes at most, as WebAssembly has it.
fn leb128(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

fn limit(what: &'static str, count: u64, limit: u64, advice: &'static str) -> Result<(), StructureError> {
    if count > limit { Err(StructureError::TooMany { what, count, limit, advice }) } else { Ok(()) }
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

// === impl Structure ===

impl Structure {
    fn add(&mut self, payload: &Payload<'_>) {
        fn count<T>(section: &SectionLimited<'_, T>) -> u64 {
            u64::from(section.count())
        }
        // Beginnings, ends and bodies are none.
        let section = !matches!(payload, Payload::Version { .. } | Payload::End(_) | Payload::CodeSectionEntry(_));
        self.sections += u64::from(section);
        match payload {
            Payload::Version { encoding: Encoding::Module | Encoding::Component, .. } => self.modules += 1,
            Payload::FunctionSection(section) => self.functions += count(section),
            Payload::CodeSectionEntry(body) => self.largest_body = self.largest_body.max(length(&body.range())),
            Payload::DataSection(section) => self.data_segments += count(section),
            Payload::ElementSection(section) => self.element_segments += count(section),
            Payload::TypeSection(section) => self.types += count(section),
            Payload::CoreTypeSection(section) => self.types += count(section),
            Payload::ComponentTypeSection(section) => self.types += count(section),
            Payload::ImportSection(section) => self.imports += count(section),
            Payload::ComponentImportSection(section) => self.imports += count(section),
            Payload::ExportSection(section) => self.exports += count(section),
            Payload::ComponentExportSection(section) => self.exports += count(section),
            Payload::GlobalSection(section) => self.globals += count(section),
            Payload::TableSection(section) => self.memories += count(section),
            Payload::MemorySection(section) => self.memories += count(section),
            Payload::InstanceSection(section) => self.wiring += count(section),
            Payload::ComponentInstanceSection(section) => self.wiring += count(section),
            Payload::ComponentAliasSection(section) => self.wiring += count(section),
            Payload::ComponentCanonicalSection(section) => self.wiring += count(section),
            _ => {}
        }
    }

    /// Every limit: several times what the largest tool chains emit (whole interpreters), and far below what hurts.
    fn keep_to_limits(&self) -> Result<(), StructureError> {
        limit("levels of modules inside of each other", self.depth, DEPTH_MAX, GENERATED)?;
        limit("modules and components", self.modules, 100, GENERATED)?;
        limit("functions", self.functions, 100_000, SMALLER)?;
        limit(
            "bytes in one function",
            self.largest_body,
            1024 * 1024,
            "split the function, or look at what has generated it",
        )?;
        // wasmtime has failed on more than 32,768.
        limit("data segments", self.data_segments, 10_000, "let the linker merge them, as it does by default")?;
        limit("element segments", self.element_segments, 10_000, GENERATED)?;
        limit("types", self.types, 50_000, GENERATED)?;
        limit("imports", self.imports, 10_000, GENERATED)?;
        limit("exports", self.exports, 100_000, "let the linker export only what is called")?;
        limit("globals", self.globals, 100_000, GENERATED)?;
        limit("tables and memories", self.memories, 300, GENERATED)?;
        limit("instances, aliases and canonical functions", self.wiring, 50_000, GENERATED)?;
        limit("sections", self.sections, 50_000, GENERATED)
    }
}

#[cfg(test)]
mod tests;
