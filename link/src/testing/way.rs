//! [`Way`]: one direction of a network.

use super::Random;

/// How a network is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// Shortest time under way, in nanoseconds.
    pub delay_ns: i64,
    /// Mean of what is added to it for each packet alone (exponential), in nanoseconds; packets
    /// overtake each other.
    pub jitter_ns: i64,
    /// Share of packets that vanish.
    pub loss: f64,
    /// How many in a row on average (Gilbert's model); up to 1 each vanishes for itself.
    pub burst: f64,
    /// Share of packets held back by a further delay.
    pub reorder: f64,
    /// Share of packets that come twice.
    pub duplicate: f64,
    /// Share of packets that are damaged.
    pub corrupt: f64,
    /// Bytes per second; 0 is without limit.
    pub bytes_per_s: f64,
    /// Bytes that wait before the bottleneck at most; what comes then is dropped (drop tail).
    pub queue_bytes: f64,
}

impl Weather {
    /// A delay and nothing else.
    pub const fn calm(delay_ns: i64) -> Self {
        Self {
            delay_ns,
            jitter_ns: 0,
            loss: 0.0,
            burst: 1.0,
            reorder: 0.0,
            duplicate: 0.0,
            corrupt: 0.0,
            bytes_per_s: 0.0,
            queue_bytes: 0.0,
        }
    }
}

/// One direction of a network between two hosts.
///
/// What happens to a packet depends on the seed and on its number alone, and on when it comes only
/// where there is a bottleneck or an outage: the same packets have the same fate, however fast or slow
/// they are sent.
#[derive(Clone, Debug)]
pub struct Way {
    /// How it is now.
    pub weather: Weather,
    /// From when to when nothing gets through, in nanoseconds.
    pub outages: Vec<[i64; 2]>,
    seed: u64,
    /// In a burst of losses.
    is_losing: bool,
    /// When the bottleneck has sent what waits.
    free_ns: f64,
    /// Packets that went in, and that vanished.
    pub packets: [u64; 2],
}

/// A packet that comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at_ns: i64,
    /// Whether bits of it are wrong.
    pub damaged: bool,
}

impl Way {
    /// A way with its own random numbers.
    pub fn new(weather: Weather, seed: u64) -> Self {
        let (outages, is_losing) = (Vec::new(), false);
        Self { weather, outages, seed, is_losing, free_ns: 0.0, packets: [0; 2] }
    }

    /// Whether nothing gets through.
    pub fn is_out(&self, now_ns: i64) -> bool {
        self.outages.iter().any(|&[from, to]| (from..to).contains(&now_ns))
    }

    /// Sends a packet: when it comes out, not at all, or twice.
    pub fn send(&mut self, now_ns: i64, bytes: usize) -> Vec<Arrival> {
        let weather = self.weather;
        let mut random = Random::new(self.seed.rotate_left(32) ^ self.packets[0]);
        self.packets[0] += 1;
        let is_lost = self.loses(&mut random);
        let mut leaves_ns = now_ns as f64;
        if weather.bytes_per_s > 0.0 {
            let start_ns = self.free_ns.max(leaves_ns);
            let queued = (start_ns - leaves_ns) / 1e9 * weather.bytes_per_s;
            if queued + bytes as f64 > weather.queue_bytes.max(bytes as f64) {
                self.packets[1] += 1;
                return Vec::new();
            }
            leaves_ns = start_ns + bytes as f64 / weather.bytes_per_s * 1e9;
            self.free_ns = leaves_ns;
        }
        if self.is_out(now_ns) || is_lost {
            self.packets[1] += 1;
            return Vec::new();
        }
        let copies = 1 + usize::from(random.happens(weather.duplicate));
        let arrive = |_| {
            let jitter_ns = -(weather.jitter_ns as f64) * (1.0 - random.uniform()).ln();
            let held = f64::from(u8::from(random.happens(weather.reorder)));
            let way_ns = weather.delay_ns as f64 * (1.0 + 0.5 * held) + jitter_ns;
            let damaged = random.happens(weather.corrupt);
            Arrival { at_ns: (leaves_ns + way_ns) as i64, damaged }
        };
        (0..copies).map(arrive).collect()
    }

    /// Whether the next packet vanishes: a chain of two states whose bad one loses everything.
    fn loses(&mut self, random: &mut Random) -> bool {
        let Weather { loss, burst, .. } = self.weather;
        let burst = burst.max(1.0);
        // Where losses are single, one that follows another is as likely as any.
        let stays = if burst > 1.0 { 1.0 - 1.0 / burst } else { loss };
        // Such that both states together lose their share.
        let begins = if burst > 1.0 { loss / (1.0 - loss).max(1e-9) / burst } else { loss };
        self.is_losing = random.happens(if self.is_losing { stays } else { begins });
        self.is_losing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bottleneck_delays_by_its_queue_and_drops_its_tail() {
        let weather =
            Weather { bytes_per_s: 1e6, queue_bytes: 3_000.0, ..Weather::calm(1_000_000) };
        let mut way = Way::new(weather, 1);

        let arrivals: Vec<_> = (0..5).map(|_| way.send(0, 1_000)).collect();

        // A packet of 1 000 bytes takes a millisecond; the fourth finds three waiting.
        let at =
            |arrivals: &Vec<Arrival>| arrivals.first().map(|arrival| arrival.at_ns / 1_000_000);
        let at: Vec<_> = arrivals.iter().map(at).collect();
        assert_eq!(at, [Some(2), Some(3), Some(4), None, None]);
        assert_eq!(way.packets, [5, 2]);
    }

    #[test]
    fn a_fate_depends_on_seed_and_number_alone() {
        let weather = Weather {
            jitter_ns: 1_000,
            loss: 0.3,
            burst: 4.0,
            reorder: 0.1,
            duplicate: 0.1,
            corrupt: 0.1,
            ..Weather::calm(1_000)
        };
        let fates = |seed: u64, step_ns: i64, bytes: usize| {
            let mut way = Way::new(weather, seed);
            let after = |n: i64, arrivals: Vec<Arrival>| {
                arrivals.into_iter().map(|a| (a.at_ns - n * step_ns, a.damaged)).collect::<Vec<_>>()
            };
            (0..1_000).map(|n| after(n, way.send(n * step_ns, bytes))).collect::<Vec<_>>()
        };

        assert_eq!(fates(5, 10, 100), fates(5, 1_000_000, 1_400));
        assert_ne!(fates(5, 10, 100), fates(6, 10, 100));
    }

    #[test]
    fn losses_come_in_bursts_of_the_length_that_is_said() {
        let weather = Weather { loss: 0.1, burst: 5.0, ..Weather::calm(1) };
        let mut way = Way::new(weather, 3);

        let lost: Vec<bool> = (0..400_000).map(|_| way.send(0, 100).is_empty()).collect();

        let count = lost.iter().filter(|lost| **lost).count() as f64;
        let bursts = lost.windows(2).filter(|two| !two[0] && two[1]).count() as f64;
        // 8 000 bursts: five standard deviations of their mean length (geometric) are 0.25, of the
        // share 0.0065.
        assert!((count / 4e5 - 0.1).abs() < 0.0065, "{count}");
        assert!((count / bursts - 5.0).abs() < 0.25, "{count} {bursts}");
    }

    #[test]
    fn shares_are_what_they_are_said_to_be() {
        let weather = Weather { loss: 0.2, duplicate: 0.1, corrupt: 0.05, ..Weather::calm(1) };
        let mut way = Way::new(weather, 9);

        let arrivals: Vec<_> = (0..100_000).map(|_| way.send(0, 100)).collect();

        // Five standard deviations of a share of 100 000 are below 0.0065.
        let share = |count: usize| count as f64 / 1e5;
        let is_near = |is: f64, wanted: f64| assert!((is - wanted).abs() < 0.0065, "{is} {wanted}");
        is_near(share(arrivals.iter().filter(|a| a.is_empty()).count()), 0.2);
        is_near(share(arrivals.iter().filter(|a| a.len() == 2).count()), 0.08);
        is_near(share(arrivals.iter().flatten().filter(|a| a.damaged).count()), 0.88 * 0.05);
    }
}
