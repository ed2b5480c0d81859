//! Seeded randomness that gives the same numbers on every platform.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng as _;

use super::quantity::Share;

/// A sequence of random numbers that is a function of a seed and a name.
///
/// The generator is PCG (`Pcg64Mcg`), whose stream the crate holds stable and
/// tests against reference vectors. Its state is set here rather than by
/// `seed_from_u64`, and ranges are drawn here rather than by `rand`, whose
/// distributions may change between versions.
#[derive(Clone, Debug)]
pub(super) struct Random(Pcg64Mcg);

/// What a sequence is for. Each purpose has a sequence of its own, so that
/// disorder or an anomaly leaves the records as they are without it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// What the ordinary records say.
    Records,
    /// In which order users come.
    Users,
    /// When records arrive.
    Arrival,
    /// Which records have clocks that are ahead.
    Clock,
    /// Which records come twice, and when.
    Duplicates,
    /// Which records have a broken line before them, and where it is cut.
    Malformed,
    /// The anomaly of this place on the command line.
    Anomaly(usize),
}

impl Random {
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        let sequence = match purpose {
            Purpose::Records => 0,
            Purpose::Users => 1,
            Purpose::Arrival => 2,
            Purpose::Clock => 3,
            Purpose::Duplicates => 4,
            Purpose::Malformed => 5,
            Purpose::Anomaly(place) => 1_000 + place as u64,
        };
        let high = mix(mix(seed) ^ sequence);
        Self(Pcg64Mcg::new(u128::from(high) << 64 | u128::from(mix(high))))
    }

    /// A number from 0 to `bound` - 1, each as likely as the others to within
    /// `bound` / 2⁶⁴. For `bound` 0 it is 0.
    #[inline]
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True in this share of calls.
    #[inline]
    pub(super) fn chance(&mut self, share: Share) -> bool {
        self.below(u64::from(Share::ALL.millionths)) < u64::from(share.millionths)
    }

    /// A number whose logarithm is nearly normal, with mean ln(`median`) and
    /// standard deviation `sigma`.
    ///
    /// The normal deviate is a sum of eight uniform ones, so it never exceeds
    /// 4.9 standard deviations. That and [`exp`] use basic arithmetic only,
    /// which IEEE 754 fixes to the last bit: `ln`, `exp` and `sin` of the
    /// system's library differ between platforms.
    #[inline]
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        /// Standard deviation of a sum of eight 16-bit numbers.
        const SPREAD: f64 = 53_509.970_878_309_46;
        const MEAN: f64 = 8.0 * 65_535.0 / 2.0;
        let lanes = [self.0.next_u64(), self.0.next_u64()];
        let sum: u64 = lanes.iter().map(|x| x.to_le_bytes()).map(sum_of_four).sum();
        median * exp(sigma * ((sum as f64 - MEAN) / SPREAD))
    }
}

/// Sum of the four 16-bit numbers in eight bytes.
#[inline]
fn sum_of_four(bytes: [u8; 8]) -> u64 {
    bytes.chunks_exact(2).map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 8).sum()
}

/// eˣ for |x| ≤ 4, to 11 digits: the series at x/256, squared eight times.
#[inline]
fn exp(x: f64) -> f64 {
    let small = x / 256.0;
    let mut power = 1.0
        + small
            * (1.0 + small / 2.0 * (1.0 + small / 3.0 * (1.0 + small / 4.0 * (1.0 + small / 5.0))));
    for _ in 0..8 {
        power *= power;
    }
    power
}

/// A bijection of 64-bit numbers that looks random: neighbours map far apart,
/// and different numbers never meet.
///
/// Source: Steele, Lea, Flood, *Fast Splittable Pseudorandom Number
/// Generators* (2014), with the constants of Stafford's variant 13.
#[inline]
pub(super) const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_pinned() {
        let mut random = Random::new(1, Purpose::Records);
        let drawn: Vec<u64> = (0..4).map(|_| random.below(1_000_000)).collect();
        assert_eq!(drawn, [697_316, 204_357, 777_991, 184_939]);
        let times = random.log_normal(100.0, 0.5);
        assert_eq!(times.to_bits(), 4_634_282_614_163_832_880);
    }

    #[test]
    fn purposes_and_seeds_differ() {
        let first = |seed, purpose| Random::new(seed, purpose).below(u64::MAX);
        let mut all = vec![
            first(1, Purpose::Records),
            first(1, Purpose::Users),
            first(1, Purpose::Arrival),
            first(1, Purpose::Clock),
            first(1, Purpose::Duplicates),
            first(1, Purpose::Malformed),
            first(1, Purpose::Anomaly(0)),
            first(1, Purpose::Anomaly(1)),
            first(2, Purpose::Records),
            first(0, Purpose::Records),
        ];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 10);
    }

    #[test]
    fn exp_is_exp() {
        for step in -40..=40 {
            let x = f64::from(step) / 10.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-11, "{x}");
        }
    }

    #[test]
    fn log_normal_has_its_median_and_spread() {
        let mut random = Random::new(7, Purpose::Records);
        let logs: Vec<f64> = (0..40_000).map(|_| random.log_normal(80.0, 0.4).ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let variance = logs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / logs.len() as f64;
        assert!((mean - 80.0_f64.ln()).abs() < 0.01, "{mean}");
        assert!((variance.sqrt() - 0.4).abs() < 0.01, "{variance}");
    }

    #[test]
    fn shares_are_kept() {
        let mut random = Random::new(3, Purpose::Records);
        for (text, low, high) in [("0%", 0, 0), ("2%", 1_800, 2_200), ("100%", 100_000, 100_000)] {
            let share = text.parse().unwrap();
            let hits = (0..100_000).filter(|_| random.chance(share)).count();
            assert!((low..=high).contains(&hits), "{text}: {hits}");
        }
    }
}
