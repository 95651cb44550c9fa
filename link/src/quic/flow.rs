//! [`Flow`]: how much of a connection's window bulk may take, and how much of datagrams may wait in it.
//!
//! ```text
//! window of the congestion control        headroom
//! ├───────────── streams' bytes ─────────┤─────────┤   what may be under way
//!                                         datagrams go on where bulk has filled the rest
//! ```
//!
//! Bulk that fills the window makes what is urgent wait until something is acknowledged, which may
//! take a round trip. So no more of it is handed over than the window holds, and a little more than the
//! window may be under way. Where what is urgent needs more than this little, bulk leaves it the rest. And when
//! the window is cut since a packet was lost, as much bulk is under way as the old one held: what is urgent does
//! not wait until that has drained, and bulk does.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Bytes that are handed over to streams at most, however wide the way is.
const STREAMS_MAX: u64 = 16 << 20;
/// Bulk is handed over this much ahead of what is acknowledged: until somebody brings more.
const AHEAD: Duration = Duration::from_micros(500);
/// Most bytes beyond the window.
const HEADROOM_MAX: u64 = 64 << 10;

/// Shared by a connection and its congestion control.
#[derive(Debug, Default)]
pub(super) struct Flow {
    window: AtomicU64,
    /// Bytes of a packet.
    packet: AtomicU64,
    wants_more: AtomicBool,
}

impl Flow {
    /// What the congestion control allows now.
    pub(super) fn set_window(&self, window: u64) {
        self.window.store(window, Ordering::Relaxed);
    }

    pub(super) fn window(&self) -> u64 {
        self.window.load(Ordering::Relaxed)
    }

    /// Bytes of the longest packet now.
    pub(super) fn set_packet(&self, bytes: u64) {
        self.packet.store(bytes, Ordering::Relaxed);
    }

    /// Whether bulk waits that [`Flow::bulk_max`] keeps back: then it is not for want of content that the
    /// window is not filled.
    pub(super) fn set_wants_more(&self, wants_more: bool) {
        self.wants_more.store(wants_more, Ordering::Relaxed);
    }

    pub(super) fn wants_more(&self) -> bool {
        self.wants_more.load(Ordering::Relaxed)
    }

    /// Bytes per second that the window lets through.
    pub(super) fn bytes_per_s(&self, rtt: Duration) -> f64 {
        self.window() as f64 / rtt.as_secs_f64().max(1e-6)
    }

    /// Bytes of streams that may be handed over and not acknowledged while bulk is among them, when so many
    /// bytes of what is urgent are under way.
    pub(super) fn bulk_max(&self, rtt: Duration, urgent: u64) -> u64 {
        let (window, packet) = (self.window(), self.packet.load(Ordering::Relaxed));
        let ahead = self.bytes_per_s(rtt) * AHEAD.min(rtt / 2).as_secs_f64();
        // Two packets more than there is on average: it comes in lumps.
        let lacks = (urgent + 2 * packet).saturating_sub(headroom(window, packet));
        // However much is urgent, bulk does not starve.
        let left = window.saturating_sub(lacks).max(window / 4);
        left.saturating_add(ahead as u64).min(STREAMS_MAX)
    }

    /// Bytes of datagrams that may wait in the connection: as much as leaves within `delay`, but two
    /// packets in any case.
    pub(super) fn datagrams_max(&self, rtt: Duration, delay: Duration, packet: usize) -> usize {
        let leaves = self.bytes_per_s(rtt) * delay.as_secs_f64();
        (leaves as usize).max(2 * packet)
    }
}

/// Follows how much of what is urgent is under way.
#[derive(Debug)]
pub(super) struct Urgent {
    bytes: f64,
    at: Instant,
}

impl Urgent {
    /// What was sent so long ago counts a third.
    const MEMORY: Duration = Duration::from_millis(250);
    /// Bytes of a packet beside its content.
    const BESIDE: usize = 40;

    pub(super) fn new(now: Instant) -> Self {
        Self { bytes: 0.0, at: now }
    }

    fn fade(&mut self, now: Instant) {
        let passed = now.duration_since(self.at).as_secs_f64() / Self::MEMORY.as_secs_f64();
        (self.bytes, self.at) = (self.bytes * (-passed).exp(), now);
    }

    /// As much goes now.
    pub(super) fn sent(&mut self, now: Instant, bytes: usize) {
        self.fade(now);
        self.bytes += (bytes + Self::BESIDE) as f64;
    }

    /// Bytes under way, of what takes a round trip to be acknowledged.
    pub(super) fn under_way(&mut self, now: Instant, rtt: Duration) -> u64 {
        self.fade(now);
        (self.bytes / Self::MEMORY.as_secs_f64() * rtt.as_secs_f64()) as u64
    }
}

/// How far beyond the window packets may be under way.
pub(super) fn headroom(window: u64, packet: u64) -> u64 {
    (window / 8).clamp(4 * packet, HEADROOM_MAX.max(4 * packet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(window: u64) -> Flow {
        let flow = Flow::default();
        flow.set_window(window);
        flow.set_packet(1_200);
        flow
    }

    #[test]
    fn bulk_leaves_what_is_urgent_the_room_that_it_takes() {
        let rtt = Duration::from_millis(80);
        let flow = flow(40_000);
        // Headroom is 5 000; 2 packets of it are for lumps.
        let alone = flow.bulk_max(rtt, 0);
        assert_eq!(flow.bulk_max(rtt, 2_600), alone);
        assert_eq!(flow.bulk_max(rtt, 6_600), alone - 4_000);
        assert!(flow.bulk_max(rtt, 1 << 20) >= 10_000, "it does not starve");
    }

    #[test]
    fn what_is_under_way_follows_what_is_sent() {
        let mut now = Instant::now();
        let mut urgent = Urgent::new(now);
        for _ in 0..200 {
            now += Duration::from_millis(10);
            urgent.sent(now, 360);
        }
        // 400 bytes each 10 ms are 3 200 in 80 ms; a sum of steps is some per cent off.
        let bytes = urgent.under_way(now, Duration::from_millis(80));
        assert!((3_000..3_500).contains(&bytes), "{bytes}");
        assert!(urgent.under_way(now + Duration::from_secs(2), Duration::from_millis(80)) < 5);
    }

    #[test]
    fn bulk_leaves_room_for_what_is_urgent() {
        for window in [2_400, 14_720, 200_000, 4 << 20] {
            for rtt_us in [20, 1_000, 80_000, 400_000] {
                let bulk = flow(window).bulk_max(Duration::from_micros(rtt_us), 0);
                let most = window + headroom(window, 1_200);
                // At the narrowest, half of the way there is ahead.
                let ahead = window as f64 * 500.0 / rtt_us.max(1_000) as f64;
                assert!(bulk as f64 <= window as f64 + ahead, "{window} {rtt_us}: {bulk}");
                assert!(rtt_us < 10_000 || bulk < most, "{window} {rtt_us}: {bulk} of {most}");
            }
        }
    }

    #[test]
    fn datagrams_wait_no_longer_than_is_said() {
        let (rtt, delay) = (Duration::from_millis(80), Duration::from_millis(10));
        // 200 000 bytes a round trip are 2.5 a microsecond.
        assert_eq!(flow(200_000).datagrams_max(rtt, delay, 1_200), 25_000);
        assert_eq!(flow(2_400).datagrams_max(rtt, delay, 1_200), 2_400);
    }
}
