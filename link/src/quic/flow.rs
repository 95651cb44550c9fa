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
//! window may be under way.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
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

    /// Bytes of streams that may be handed over and not acknowledged while bulk is among them.
    pub(super) fn bulk_max(&self, rtt: Duration) -> u64 {
        let ahead = self.bytes_per_s(rtt) * AHEAD.min(rtt / 2).as_secs_f64();
        self.window().saturating_add(ahead as u64).min(STREAMS_MAX)
    }

    /// Bytes of datagrams that may wait in the connection: as much as leaves within `delay`, but two
    /// packets in any case.
    pub(super) fn datagrams_max(&self, rtt: Duration, delay: Duration, packet: usize) -> usize {
        let leaves = self.bytes_per_s(rtt) * delay.as_secs_f64();
        (leaves as usize).max(2 * packet)
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
        flow
    }

    #[test]
    fn bulk_leaves_room_for_what_is_urgent() {
        for window in [2_400, 14_720, 200_000, 4 << 20] {
            for rtt_us in [20, 1_000, 80_000, 400_000] {
                let bulk = flow(window).bulk_max(Duration::from_micros(rtt_us));
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
