//! [`Roomy`]: congestion control that lets datagrams through where bulk has filled the window; see
//! [`flow`](super::flow).

use std::{any::Any, sync::Arc, time::Instant};

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use quinn_proto::RttEstimator;

use super::flow::{Flow, headroom};

/// Makes controls that let datagrams through where bulk has filled the window; see [`flow`](super::flow).
pub(super) struct Roomy;

impl ControllerFactory for Roomy {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        let inner = Arc::new(CubicConfig::default()).build(now, mtu);
        let flow = Arc::new(Flow::default());
        flow.set_window(inner.window());
        flow.set_packet(mtu.into());
        Box::new(WithHeadroom { inner, flow, packet: mtu.into(), drains: 0 })
    }
}

/// Another control, and a little more than it allows.
pub(super) struct WithHeadroom {
    inner: Box<dyn Controller>,
    pub(super) flow: Arc<Flow>,
    packet: u64,
    /// Bytes under way that the window held before it was cut: they drain, and what is urgent need not wait
    /// for that.
    drains: u64,
}

impl Controller for WithHeadroom {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        let app_limited = app_limited && !self.flow.wants_more();
        self.drains = self.drains.saturating_sub(bytes);
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
        self.flow.set_window(self.inner.window());
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        let app_limited = app_limited && !self.flow.wants_more();
        self.inner.on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
        self.flow.set_window(self.inner.window());
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        let before = self.inner.window();
        self.inner.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
        let cut = before.saturating_sub(self.inner.window());
        // Where nothing comes through at all, everybody waits.
        self.drains = if is_persistent_congestion { 0 } else { self.drains.max(cut) };
        self.flow.set_window(self.inner.window());
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.packet = new_mtu.into();
        self.flow.set_packet(self.packet);
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        let window = self.inner.window();
        window.saturating_add(headroom(window, self.packet)).saturating_add(self.drains)
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        let (inner, flow) = (self.inner.clone_box(), self.flow.clone());
        Box::new(Self { inner, flow, packet: self.packet, drains: self.drains })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
