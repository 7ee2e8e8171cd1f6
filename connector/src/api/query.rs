//! Query parameters as Connect's server reads them: words may be repeated, unknown ones are passed over, a flag is what Java's
//! `Boolean.valueOf` makes of it.

/// A request's query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a>(&'a str);

// === impl Query ===

impl<'a> Query<'a> {
    pub(super) fn new(query: Option<&'a str>) -> Self {
        Self(query.unwrap_or_default())
    }

    /// Every value of a parameter, in order; one without `=` is empty.
    pub(super) fn all(self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The first value of a parameter.
    pub(super) fn first(self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Whether a flag is `true`, in any case; anything else, and its absence, is `default` only if it is absent.
    pub(super) fn flag(self, name: &'a str, default: bool) -> bool {
        self.first(name).map_or(default, |value| value.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_flags() {
        let query = Query::new(Some("expand=info&x&expand=status&a=True&b=1&a=false"));
        assert_eq!(query.all("expand").collect::<Vec<_>>(), ["info", "status"]);
        assert_eq!((query.first("x"), query.first("y")), (Some(""), None));
        assert_eq!((query.flag("a", false), query.flag("b", true), query.flag("c", true)), (true, false, true));
        assert!(!Query::new(None).flag("a", false));
    }
}
