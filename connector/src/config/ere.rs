//! Whether a POSIX extended regular expression matches the whole of a topic's name: what Kafka's C client will subscribe to.
//!
//! Only for finding mistakes: of an expression that is not understood, nothing is said. The work is bounded by states times bytes whatever
//! the expression, because it may come from anybody.

/// An expression that needs more states is not understood. Counted repetitions multiply.
const STATES_MAX: usize = 5_000;

/// Brackets may be nested this deep.
const DEPTH_MAX: usize = 50;

/// The largest count in `{…}`, as in POSIX.
const COUNT_MAX: usize = 255;

/// Bytes that may stand in a place. Topics have ASCII names, so no others are needed.
type Bytes = u128;

const ALL: Bytes = Bytes::MAX;

/// One state of the automaton.
#[derive(Debug, Clone, Copy)]
enum State {
    /// One of these bytes, then the next state.
    Byte(Bytes),
    /// On with either of these.
    Either(usize, usize),
    /// Only at the beginning.
    Start,
    /// Only at the end.
    End,
    /// The whole expression was there.
    Match,
}

/// Part of an expression.
#[derive(Debug, Clone)]
enum Node {
    Byte(Bytes),
    Start,
    End,
    All(Vec<Node>),
    Any(Vec<Node>),
    Repeat(Box<Node>, usize, Option<usize>),
}

/// Whether the expression matches all of `text`; `None` if it is not understood.
pub(crate) fn matches(pattern: &str, text: &str) -> Option<bool> {
    let mut parser = Parser { rest: pattern.as_bytes(), depth: 0 };
    let node = parser.alternatives()?;
    if !parser.rest.is_empty() {
        return None;
    }
    let mut compiler = Compiler::default();
    compiler.compile(&node)?;
    compiler.push(State::Match);
    Some(run(&compiler.states, text.as_bytes()))
}

/// Makes an automaton of an expression.
#[derive(Debug, Default)]
struct Compiler {
    states: Vec<State>,
    /// How many nodes were compiled: repetitions of nothing make no states.
    nodes: usize,
}

/// Goes through the text with all states at once that it may be in.
fn run(states: &[State], text: &[u8]) -> bool {
    let mut current = reached(states, [0], true, text.is_empty());
    for (at, byte) in text.iter().enumerate() {
        let takes =
            |state: &usize| matches!(states[*state], State::Byte(bytes) if *byte < 128 && bytes >> byte & 1 == 1);
        let next: Vec<usize> = current.iter().copied().filter(takes).map(|state| state + 1).collect();
        current = reached(states, next, false, at + 1 == text.len());
    }
    current.iter().any(|state| matches!(states[*state], State::Match))
}

/// All states that these lead to without a byte more.
fn reached(states: &[State], from: impl IntoIterator<Item = usize>, at_start: bool, at_end: bool) -> Vec<usize> {
    let (mut seen, mut all) = (vec![false; states.len()], Vec::new());
    let mut open: Vec<usize> = from.into_iter().collect();
    while let Some(state) = open.pop() {
        if std::mem::replace(&mut seen[state], true) {
            continue;
        }
        all.push(state);
        match states[state] {
            State::Either(one, other) => open.extend([one, other]),
            State::Start if at_start => open.push(state + 1),
            State::End if at_end => open.push(state + 1),
            State::Byte(_) | State::Start | State::End | State::Match => {}
        }
    }
    all
}

// === impl Compiler ===

impl Compiler {
    /// Appends the states of a node; they go on with whatever is appended next.
    fn compile(&mut self, node: &Node) -> Option<()> {
        self.nodes += 1;
        if self.nodes > STATES_MAX || self.states.len() > STATES_MAX {
            return None;
        }
        match node {
            Node::Byte(bytes) => _ = self.push(State::Byte(*bytes)),
            Node::Start => _ = self.push(State::Start),
            Node::End => _ = self.push(State::End),
            Node::All(nodes) => nodes.iter().try_for_each(|node| self.compile(node))?,
            Node::Any(nodes) => {
                let (last, others) = nodes.split_last()?;
                let mut jumps = Vec::new();
                for node in others {
                    let fork = self.later();
                    self.compile(node)?;
                    jumps.push(self.later());
                    self.states[fork] = State::Either(fork + 1, self.states.len());
                }
                self.compile(last)?;
                let end = self.states.len();
                jumps.into_iter().for_each(|jump| self.states[jump] = State::Either(end, end));
            }
            Node::Repeat(node, min, max) => {
                (0..*min).try_for_each(|_| self.compile(node))?;
                match max {
                    Some(max) => (*min..*max).try_for_each(|_| self.optional(node, false))?,
                    None => self.optional(node, true)?,
                }
            }
        }
        Some(())
    }

    /// A node that may be left out, and with `again` come as often as it likes.
    fn optional(&mut self, node: &Node, again: bool) -> Option<()> {
        let fork = self.later();
        self.compile(node)?;
        if again {
            self.push(State::Either(fork, fork));
        }
        self.states[fork] = State::Either(fork + 1, self.states.len());
        Some(())
    }

    fn push(&mut self, state: State) -> usize {
        self.states.push(state);
        self.states.len() - 1
    }

    /// The place of a state that is known later.
    fn later(&mut self) -> usize {
        self.push(State::Match)
    }
}

/// Reads an expression. Every function gives `None` for what it does not understand.
struct Parser<'a> {
    rest: &'a [u8],
    depth: usize,
}

// === impl Parser ===

impl Parser<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.rest.first() == Some(&byte);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }

    fn alternatives(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut nodes = vec![self.sequence()?];
        while self.takes(b'|') {
            nodes.push(self.sequence()?);
        }
        self.depth -= 1;
        Some(Node::Any(nodes))
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        while !matches!(self.rest.first(), None | Some(b'|' | b')')) {
            let mut node = self.atom()?;
            while let Some((min, max)) = self.repetition()? {
                // As deep as repetitions are written behind one another.
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return None;
                }
                node = Node::Repeat(Box::new(node), min, max);
            }
            nodes.push(node);
        }
        Some(Node::All(nodes))
    }

    fn atom(&mut self) -> Option<Node> {
        Some(match self.next()? {
            b'(' => {
                let inner = self.alternatives()?;
                self.takes(b')').then_some(inner)?
            }
            b'[' => Node::Byte(self.set()?),
            b'.' => Node::Byte(ALL),
            b'^' => Node::Start,
            b'$' => Node::End,
            b'\\' => match self.next()? {
                b'w' => Node::Byte(word()),
                b'W' => Node::Byte(!word()),
                // The C library's own, or a reference back.
                byte if byte.is_ascii_alphanumeric() || b"<>`'".contains(&byte) => return None,
                byte => Node::Byte(one(byte)),
            },
            b'*' | b'+' | b'?' | b'{' => return None,
            byte => Node::Byte(one(byte)),
        })
    }

    /// How often what was before may come: `Some(None)` if nothing is said of it.
    #[allow(clippy::option_option, reason = "not understood is something else than not there")]
    fn repetition(&mut self) -> Option<Option<(usize, Option<usize>)>> {
        Some(Some(match self.rest.first() {
            Some(b'*') => (self.next().map(|_| 0)?, None),
            Some(b'+') => (self.next().map(|_| 1)?, None),
            Some(b'?') => (self.next().map(|_| 0)?, Some(1)),
            Some(b'{') => {
                let end = self.rest.iter().position(|byte| *byte == b'}')?;
                let inner = std::str::from_utf8(&self.rest[1..end]).ok()?;
                self.rest = &self.rest[end + 1..];
                let count = |text: &str| text.parse().ok().filter(|count| *count <= COUNT_MAX);
                match inner.split_once(',') {
                    None => (count(inner)?, Some(count(inner)?)),
                    Some((min, "")) => (count(min)?, None),
                    Some((min, max)) => (count(min)?, Some(count(max)?)),
                }
            }
            _ => return Some(None),
        }))
    }

    /// The bytes of `[…]`, after the bracket.
    fn set(&mut self) -> Option<Bytes> {
        let is_other = self.takes(b'^');
        let (mut bytes, mut first) = (0, true);
        loop {
            let byte = self.next()?;
            match byte {
                b']' if !first => break,
                b'[' if matches!(self.rest.first(), Some(b'.' | b'=')) => return None,
                b'[' if self.takes(b':') => bytes |= self.class()?,
                low => {
                    let is_range =
                        self.rest.first() == Some(&b'-') && self.rest.get(1).is_some_and(|byte| *byte != b']');
                    if is_range {
                        self.next()?;
                        let high = self.next()?;
                        if high < low || high == b'[' {
                            return None;
                        }
                        bytes |= (low..=high).map(one).fold(0, |all, one| all | one);
                    } else {
                        bytes |= one(low);
                    }
                }
            }
            first = false;
        }
        Some(if is_other { !bytes } else { bytes })
    }

    /// `[:alpha:]` and the like, after the colon.
    fn class(&mut self) -> Option<Bytes> {
        let end = self.rest.windows(2).position(|pair| pair == b":]")?;
        let is_in: fn(&u8) -> bool = match &self.rest[..end] {
            b"alpha" => u8::is_ascii_alphabetic,
            b"digit" => u8::is_ascii_digit,
            b"alnum" => u8::is_ascii_alphanumeric,
            b"upper" => u8::is_ascii_uppercase,
            b"lower" => u8::is_ascii_lowercase,
            b"punct" => u8::is_ascii_punctuation,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return None,
        };
        self.rest = &self.rest[end + 2..];
        Some(all_that(is_in))
    }
}

fn one(byte: u8) -> Bytes {
    if byte < 128 { 1 << byte } else { 0 }
}

fn word() -> Bytes {
    all_that(u8::is_ascii_alphanumeric) | one(b'_')
}

fn all_that(is_in: fn(&u8) -> bool) -> Bytes {
    (0..128).filter(is_in).map(one).fold(0, |all, one| all | one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_match_as_in_posix() {
        for (pattern, yes, no) in [
            ("t.*", "tx", "at"),
            ("a|bc", "bc", "ac"),
            ("(a|b)+c?", "abab", "c"),
            ("a{2}", "aa", "a"),
            ("a{2,}b", "aaaab", "ab"),
            ("(ab){1,2}", "abab", "ababab"),
            ("[a-c_]+", "ab_c", "abd"),
            ("[^a-c]", "d", "a"),
            ("[]x-]", "]", "a"),
            ("[[:digit:]]+", "42", "4x"),
            ("\\.x\\w", ".xy", "axy"),
            ("^a$|b", "a", "ab"),
            ("x(|y)", "x", "xz"),
            ("(a*)*b", "aab", "aac"),
            ("", "", "a"),
        ] {
            assert_eq!(matches(pattern, yes), Some(true), "{pattern} {yes}");
            assert_eq!(matches(pattern, no), Some(false), "{pattern} {no}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_judged() {
        for pattern in
            ["(", ")", "a{", "a{1", "a{x}", "a{256}", "*a", "[a", "[[.a.]]", "[[:no:]]", "[b-a]", "\\", "\\1", "a\\b"]
        {
            assert_eq!(matches(pattern, "a"), None, "{pattern}");
        }
    }

    #[test]
    fn work_is_bounded() {
        assert_eq!(matches("((a{255}){255}){255}", "a"), None);
        assert_eq!(matches(&"(".repeat(100_000), "a"), None);
        assert_eq!(matches(&format!("a{}", "*".repeat(100_000)), "a"), None);
        let nothing = format!("{}(){}", "(".repeat(40), "{255})".repeat(40));
        assert_eq!(matches(&nothing, "a"), None);
        let nested = format!("{}a*{}", "(".repeat(40), ")*".repeat(40));
        assert_eq!(matches(&nested, &"a".repeat(249)), Some(true));
        assert_eq!(matches(&nested, &format!("{}b", "a".repeat(248))), Some(false));
    }
}
