use wasmparser::Payload;

use super::*;

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Makes a module with so many of something.
type Maker<'a> = &'a dyn Fn(usize) -> Vec<u8>;

/// A module with `count` times `item` in it, each with its number in place of `#`.
fn many(before: &str, item: &str, count: usize) -> Vec<u8> {
    let items: String = (0..count).map(|nth| item.replace('#', &nth.to_string())).collect();
    wasm(&format!("(module {before} {items})"))
}

/// A number as WebAssembly writes it.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A component of sections, each with its id. Ids: 1 core module, 2 core instances, 4 component, 6 aliases, 7 types, 8 functions,
/// 10 imports, 11 exports.
fn component(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for (id, contents) in sections {
        bytes.push(*id);
        bytes.extend(number(contents.len()));
        bytes.extend(contents);
    }
    bytes
}

/// `count` instances of the first core module.
fn instances(count: usize) -> Vec<u8> {
    [number(count), [0, 0, 0].repeat(count)].concat()
}

/// Components inside of each other. Written backwards, from the innermost outwards.
fn nested(depth: usize) -> Vec<u8> {
    let header: Vec<u8> = component(&[]).into_iter().rev().collect();
    let mut backwards = header.clone();
    for _ in 1..depth {
        let size = number(backwards.len());
        backwards.extend(size.iter().rev());
        backwards.push(4);
        backwards.extend(&header);
    }
    backwards.reverse();
    backwards
}

#[test]
fn everything_is_counted_in_whatever_it_stands() {
    let module = wasm(
        r#"(module (type (func)) (import "a" "b" (func (type 0))) (memory 1) (table 1 funcref) (global i32 (i32.const 0))
            (func) (func nop nop nop) (export "f" (func 0)) (elem func) (data "x") (data "y"))"#,
    );
    let inner = component(&[(1, wasm("(module (func))")), (2, instances(1))]);
    // A component function type, an import of it, and an export of what is imported.
    let (ty, import, export) = (vec![1, 0x40, 0, 1, 0], b"\x01\0\x01a\x01\0".to_vec(), b"\x01\0\x01b\x01\0\0".to_vec());
    let outer = component(&[(7, ty), (10, import), (1, module), (4, inner), (2, instances(2)), (11, export)]);
    let expected = Structure {
        bytes: outer.len() as u64,
        modules: 4,
        depth: 3,
        functions: 3,
        largest_body: 5,
        data_segments: 2,
        element_segments: 1,
        types: 3,
        imports: 2,
        exports: 2,
        globals: 1,
        memories: 2,
        wiring: 3,
        // Six of the outer component, ten of the first module (types to data), two of the inner component, three of its module.
        sections: 6 + 10 + 2 + 3,
    };
    assert_eq!(check(&outer).unwrap(), expected);
}

#[test]
fn each_limit_holds_from_both_sides_and_is_named() {
    let cases: [(&str, usize, Maker<'_>); 12] = [
        ("functions", 100_000, &|count| many("", "(func)", count)),
        // Beside the instructions: how many locals there are, and the end.
        ("bytes in one function", (1 << 20) - 2, &|count| wasm(&format!("(module (func {}))", "nop ".repeat(count)))),
        ("data segments", 10_000, &|count| many("", r#"(data "")"#, count)),
        ("element segments", 10_000, &|count| many("", "(elem func)", count)),
        ("types", 50_000, &|count| many("", "(type (func))", count)),
        ("imports", 10_000, &|count| many("", r#"(import "" "" (memory 0))"#, count)),
        ("exports", 100_000, &|count| many("(memory 0)", r##"(export "#" (memory 0))"##, count)),
        ("globals", 100_000, &|count| many("", "(global i32 (i32.const 0))", count)),
        ("tables and memories", 300, &|count| many("", "(memory 0)", count)),
        ("instances, aliases and canonical functions", 50_000, &|count| {
            component(&[(1, wasm("(module)")), (2, instances(count))])
        }),
        // The outermost is one.
        ("modules and components", 99, &|count| component(&vec![(1, wasm("(module)")); count])),
        ("sections", 50_000, &|count| many("", r#"(@custom "" "")"#, count)),
    ];
    for (what, allowed, module) in cases {
        check(&module(allowed)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let error = check(&module(allowed + 1)).expect_err(what);
        assert!(matches!(error, StructureError::TooMany { what: named, .. } if named == what), "{what}: {error:?}");
        let text = error.to_string();
        let StructureError::TooMany { count, limit, advice, .. } = error else { panic!("{text}") };
        assert_eq!(count, limit + 1, "{what}");
        for word in [what, advice, &count.to_string(), &limit.to_string()] {
            assert!(text.contains(word), "{word} is not in: {text}");
        }
    }
}

#[test]
fn only_so_much_may_stand_inside_of_each_other() {
    assert_eq!(check(&nested(8)).unwrap().depth, 8);
    let error = check(&nested(9)).unwrap_err();
    assert!(error.to_string().contains("9 levels of modules inside of each other, and 8 are allowed"), "{error}");
    // Far beyond what a parser that recurses would survive.
    let error = check(&nested(100_000)).unwrap_err();
    assert!(matches!(error, StructureError::TooMany { count: 9, .. }), "{error}");
}

#[test]
fn too_many_bytes_are_refused_before_they_are_looked_at() {
    let error = check(&vec![0; BYTES_MAX as usize + 1]).unwrap_err();
    assert!(error.to_string().contains("33554433 bytes, and 33554432 are allowed"), "{error}");
    assert!(matches!(check(&vec![0; BYTES_MAX as usize]), Err(StructureError::Malformed { .. })));
}

#[test]
fn a_count_that_is_a_lie_is_refused_without_reading_on() {
    // A type section that claims 2^32 - 1 types in five bytes.
    let error = check(b"\0asm\x01\0\0\0\x01\x05\xff\xff\xff\xff\x0f").unwrap_err();
    assert!(matches!(error, StructureError::TooMany { what: "types", count: 4_294_967_295, .. }), "{error:?}");
}

/// Where the sections of the outermost module or component end, by another parser.
fn section_ends(module: &[u8]) -> Vec<usize> {
    let mut level = 0;
    let mut ends = vec![8];
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.unwrap();
        if let (1, Some((_, range))) = (level, payload.as_section()) {
            ends.push(range.end as usize);
        }
        match payload {
            Payload::Version { .. } => level += 1,
            Payload::End(_) => level -= 1,
            _ => {}
        }
    }
    ends
}

#[test]
fn a_file_is_complete_at_the_end_of_a_section_only() {
    let module = wasm(r#"(module (func) (func nop) (memory 1) (data "abc") (@custom "name" "xyz"))"#);
    let component = component(&[(1, module.clone()), (4, nested(2)), (2, instances(1))]);
    for module in [component, module] {
        let ends = section_ends(&module);
        assert!(ends.len() > 3 && ends.contains(&module.len()), "{ends:?}");
        for length in 0..=module.len() {
            assert_eq!(is_complete(&module[..length]), ends.contains(&length), "{length} of {}", module.len());
            // No length makes the check panic.
            let _ = check(&module[..length]);
        }
        // What a copy leaves where it has not written yet.
        let sparse = [&module[..ends[1]], &[0; 4096]].concat();
        assert!(!is_complete(&sparse));
    }
}

#[test]
fn what_is_no_module_is_not_waited_for() {
    assert!(is_complete(b"#!/bin/sh\n") && is_complete(b"\0asn"));
    assert!(!is_complete(b"") && !is_complete(b"\0as") && !is_complete(b"\0asm\x01\0\0"));
    // A size of six bytes, and one that is larger than any file.
    assert!(!is_complete(b"\0asm\x01\0\0\0\x01\x80\x80\x80\x80\x80\x00"));
    assert!(!is_complete(b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x0fx"));
}
