//! Tells a module that is still being copied from a whole one by the lengths of its sections, without judging anything else.

/// What WebAssembly files start with.
const MAGIC: &[u8] = b"\0asm";

/// Magic number and version.
const HEADER_BYTES: usize = 8;

/// The versions of a core module and of a component; their sections are framed alike.
const VERSIONS: [[u8; 4]; 2] = [[1, 0, 0, 0], [0x0d, 0, 1, 0]];

/// The bytes that an unsigned 32-bit number in LEB128 has at most.
const LEB_BYTES_MAX: usize = 5;

/// The id of a section of the author's own; it has a name, so it is never empty.
const CUSTOM: u8 = 0;

/// Whether `bytes` are the beginning of a module, cut off inside the header or a section, or have a hole of zeros where a section should be,
/// as files have that were given their size before their bytes. Everything else, among it what is no WebAssembly at all, is for the loader
/// to judge.
pub(super) fn cut_off(bytes: &[u8]) -> bool {
    if bytes.len() < HEADER_BYTES {
        return bytes.starts_with(MAGIC) || MAGIC.starts_with(bytes);
    }
    let (header, mut rest) = bytes.split_at(HEADER_BYTES);
    if !header.starts_with(MAGIC) || !VERSIONS.iter().any(|version| header.ends_with(version)) {
        return false;
    }
    while let Some((id, after_id)) = rest.split_first() {
        let (size, content) = match leb(after_id) {
            Leb::Number(size, content) => (size, content),
            Leb::CutOff => return true,
            Leb::TooLong => return false,
        };
        if *id == CUSTOM && size == 0 {
            return true;
        }
        match usize::try_from(size).ok().and_then(|size| content.get(size..)) {
            Some(next) => rest = next,
            None => return true,
        }
    }
    false
}

enum Leb<'a> {
    /// The number, and what follows it.
    Number(u64, &'a [u8]),
    CutOff,
    TooLong,
}

fn leb(bytes: &[u8]) -> Leb<'_> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(LEB_BYTES_MAX).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Leb::Number(number, &bytes[at + 1..]);
        }
    }
    if bytes.len() < LEB_BYTES_MAX { Leb::CutOff } else { Leb::TooLong }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A core module with a section longer than 127 bytes, and a component of two of them.
    fn samples() -> [Vec<u8>; 2] {
        let data = "x".repeat(300);
        let text = format!("(module (memory 1) (func (export \"f\")) (data (i32.const 0) \"{data}\"))");
        let core = wat::parse_str(text).unwrap();
        let len = u16::try_from(core.len()).unwrap();
        let section = [&[1, (len & 0x7f) as u8 | 0x80, (len >> 7) as u8], core.as_slice()].concat();
        let component = [MAGIC, &VERSIONS[1], &section, &section].concat();
        [core, component]
    }

    /// The lengths after which a cut can't be seen: the header, and the end of each section, as another reader has them.
    fn seams(bytes: &[u8]) -> Vec<usize> {
        let mut seams = vec![HEADER_BYTES];
        let mut depth = 0;
        for payload in wasmparser::Parser::new(0).parse_all(bytes) {
            let payload = payload.unwrap();
            if let (Some((_, range)), 1) = (payload.as_section(), depth) {
                seams.push(usize::try_from(range.end).unwrap());
            }
            match &payload {
                wasmparser::Payload::Version { .. } => depth += 1,
                wasmparser::Payload::End(_) => depth -= 1,
                _ => {}
            }
        }
        seams
    }

    #[test]
    fn every_prefix_is_cut_off_but_those_that_end_with_a_section() {
        for bytes in samples() {
            let seams = seams(&bytes);
            assert!(seams.len() > 2 && bytes.len() > 300);
            for len in 0..=bytes.len() {
                assert_eq!(cut_off(&bytes[..len]), !seams.contains(&len), "{len} of {}: {seams:?}", bytes.len());
            }
        }
    }

    #[test]
    fn a_hole_at_the_end_is_cut_off() {
        for bytes in samples() {
            assert!(cut_off(&[bytes.as_slice(), &[0; 100]].concat()));
        }
    }

    #[test]
    fn what_is_no_webassembly_is_left_to_the_loader() {
        for bytes in [
            b"(module)".as_slice(),
            b"\x7fELF\x02\x01\x01\0\0\0\0\0",
            b"\0asn",
            b"x",
            b"\0asm\x07\0\0\0\x01\x7f",
            b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\xff\x01",
        ] {
            assert!(!cut_off(bytes), "{bytes:?}");
        }
    }
}
