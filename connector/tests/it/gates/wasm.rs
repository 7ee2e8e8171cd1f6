//! Hostile modules, as small as they can be.

/// A core module in text.
pub(super) fn module(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {fields})")).unwrap()
}

/// A component of these sections, each with its id: 1 is a core module, 4 a component.
pub(crate) fn component(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let empty = b"\0asm\x0d\0\x01\0".to_vec();
    sections.iter().fold(empty, |all, (id, contents)| with(all, *id, contents))
}

/// A module or component with one more section.
pub(super) fn with(mut module: Vec<u8>, id: u8, contents: &[u8]) -> Vec<u8> {
    module.push(id);
    let mut size = contents.len();
    while size >= 0x80 {
        module.push(size as u8 | 0x80);
        size >>= 7;
    }
    module.push(size as u8);
    module.extend(contents);
    module
}

/// Components inside of each other.
pub(super) fn nested(depth: usize) -> Vec<u8> {
    (1..depth).fold(component(&[]), |inner, _| component(&[(4, inner)]))
}

/// A compile bomb: so many loops inside of each other, and so many variables that change in the innermost. Each loop needs its own
/// name for each variable, so the compiler's work grows with the product and more, and the module with the sum: 300 of both are
/// 4,600 bytes, and half a minute. Valid, and within every limit of the structure.
pub(crate) fn bomb(variables: usize, loops: usize) -> Vec<u8> {
    let changes: String =
        (0..variables).map(|nth| format!("local.get {nth} i32.const 1 i32.add local.set {nth} ")).collect();
    let (begin, end) = ("loop ".repeat(loops), "local.get 0 br_if 0 end ".repeat(loops));
    let locals = "i32 ".repeat(variables);
    component(&[(1, module(&format!("(func (local {locals}) {begin} {changes} {end})")))])
}
