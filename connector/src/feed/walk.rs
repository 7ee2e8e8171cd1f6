//! The prices: a random walk per symbol, the same for the same seed, rate and number of symbols.

use std::fmt::Write as _;
use std::num::NonZeroU32;

/// A symbol of the feed: its name, where its price starts and how many decimals it is quoted with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Symbol {
    /// Its name, which is the record's key.
    pub(crate) name: &'static str,
    start: f64,
    decimals: usize,
}

const fn symbol(name: &'static str, start: f64, decimals: usize) -> Symbol {
    Symbol { name, start, decimals }
}

/// The symbols, by size of their market: fewer are the first of them. Prices are made up near what they once were.
pub(crate) const SYMBOLS: [Symbol; 16] = [
    symbol("BTC-USD", 67_412.35, 2),
    symbol("ETH-USD", 3_518.42, 2),
    symbol("BNB-USD", 584.17, 2),
    symbol("SOL-USD", 151.284, 3),
    symbol("XRP-USD", 0.52714, 5),
    symbol("DOGE-USD", 0.13862, 5),
    symbol("ADA-USD", 0.44519, 5),
    symbol("TRX-USD", 0.12047, 5),
    symbol("AVAX-USD", 35.617, 3),
    symbol("SHIB-USD", 0.000_024_81, 8),
    symbol("LINK-USD", 17.2043, 4),
    symbol("DOT-USD", 6.8135, 4),
    symbol("BCH-USD", 462.71, 2),
    symbol("LTC-USD", 83.496, 3),
    symbol("UNI-USD", 9.7462, 4),
    symbol("XLM-USD", 0.10793, 5),
];

/// Relative change of a price in one second, one standard deviation: about 0.5 % in half a minute, which is what the view draws.
const VOLATILITY_PER_SQRT_SECOND: f64 = 0.001;

/// Share of the way back to the start price that the walk is drawn in one second: after hours it is still near it.
const PULL_PER_SECOND: f64 = 0.000_5;

/// The place of a symbol in the feed, for sorting; unknown ones come last.
pub(crate) fn rank(name: &str) -> usize {
    SYMBOLS.iter().position(|symbol| symbol.name == name).unwrap_or(SYMBOLS.len())
}

/// The endless sequence of prices of a seed and a rate: first one of each symbol, then symbols at random.
#[derive(Debug)]
pub(crate) struct Walk {
    random: fastrand::Rng,
    /// Natural logarithm of price over start price.
    offsets: [f64; SYMBOLS.len()],
    symbols: usize,
    opened: usize,
    step: f64,
    pull: f64,
}

// === impl Walk ===

impl Walk {
    /// `rate` is in prices per second over all symbols, so that the walk moves equally far in a second at any rate. `symbols`: how many,
    /// at least one, at most [`SYMBOLS`].
    pub(crate) fn new(seed: u64, rate: NonZeroU32, symbols: usize) -> Self {
        let symbols = symbols.clamp(1, SYMBOLS.len());
        let seconds_per_step = symbols as f64 / f64::from(rate.get());
        Self {
            random: fastrand::Rng::with_seed(seed),
            offsets: [0.0; SYMBOLS.len()],
            symbols,
            opened: 0,
            // A slow feed would make steps of half a minute; one second's worth is enough to see.
            step: VOLATILITY_PER_SQRT_SECOND * seconds_per_step.min(1.0).sqrt(),
            pull: PULL_PER_SECOND * seconds_per_step.min(1.0),
        }
    }

    /// Writes the next price to `text`, as `BTC-USD,67412.35`, and returns which symbol it is of.
    pub(crate) fn next_price(&mut self, text: &mut String) -> usize {
        let index = if self.opened < self.symbols {
            self.opened += 1;
            self.opened - 1
        } else {
            let index = self.random.usize(..self.symbols);
            let noise = self.normal();
            self.offsets[index] += self.step * noise - self.pull * self.offsets[index];
            index
        };
        let Symbol { name, start, decimals } = SYMBOLS[index];
        text.clear();
        let price = start * self.offsets[index].exp();
        write!(text, "{name},{price:.decimals$}").expect("writing to a string cannot fail");
        index
    }

    /// Nearly normal with variance 1: the sum of three uniform numbers in -1..1.
    fn normal(&mut self) -> f64 {
        (0..3).map(|_| self.random.f64() * 2.0 - 1.0).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn prices(seed: u64, rate: u32, number: usize) -> Vec<String> {
        let mut walk = Walk::new(seed, NonZeroU32::new(rate).unwrap(), SYMBOLS.len());
        let mut text = String::new();
        let next = |_| {
            walk.next_price(&mut text);
            text.clone()
        };
        (0..number).map(next).collect()
    }

    #[test]
    fn same_seed_gives_same_prices() {
        assert_eq!(prices(7, 2_000, 5_000), prices(7, 2_000, 5_000));
        assert_ne!(prices(7, 2_000, 5_000), prices(8, 2_000, 5_000));
    }

    #[test]
    fn opens_with_one_price_of_each_symbol() {
        let opening = prices(1, 2_000, SYMBOLS.len());
        assert_eq!(opening[0], "BTC-USD,67412.35");
        for (text, symbol) in opening.iter().zip(SYMBOLS) {
            let (name, price) = text.split_once(',').unwrap();
            assert_eq!(name, symbol.name);
            assert_eq!(price.parse::<f64>().unwrap(), symbol.start);
        }
    }

    #[test]
    fn fewer_symbols_are_the_first_ones() {
        let mut walk = Walk::new(1, NonZeroU32::MIN, 3);
        let mut text = String::new();
        let seen: std::collections::BTreeSet<_> = (0..200).map(|_| walk.next_price(&mut text)).collect();
        assert_eq!(seen, [0, 1, 2].into());
    }

    #[test]
    fn walk_moves_and_stays_near_its_start_for_hours() {
        // At one price per symbol and second, as far as ten hours.
        let prices = prices(3, 16, 16 * 36_000);
        let mut moved = 0;
        for text in &prices {
            let (name, price) = text.split_once(',').unwrap();
            let symbol = SYMBOLS[rank(name)];
            let price: f64 = price.parse().unwrap();
            assert!((0.5..2.0).contains(&(price / symbol.start)), "{text}");
            assert_eq!(text.rsplit('.').next().unwrap().len(), symbol.decimals, "{text}");
            moved += usize::from((price / symbol.start - 1.0).abs() > 0.005);
        }
        assert!(moved > prices.len() / 4, "moved by half a per cent {moved} times of {}", prices.len());
    }
}
