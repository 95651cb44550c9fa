//! The link is down for a while.

use super::{
    super::support::{MS, S},
    hosts::{EVENTS, Hosts, KEPT, narrow},
};
use crate::spool::WhenFull;

#[test]
fn an_outage_loses_nothing_and_is_made_up_for_without_hurting_what_is_live() {
    for (outage, seed) in [(30 * S, 1), (600 * S, 2)] {
        let mut hosts = Hosts::new(narrow(), seed, 64 << 20, WhenFull::Block);
        hosts.run(20 * S);
        let before = hosts.lateness(5 * S, 20 * S);

        hosts.outage(outage);
        hosts.run(outage);
        let (healed, behind) = (hosts.pair.now_ns(), hosts.pair.sessions[0].sent(EVENTS));
        let behind = behind.expect("it sends").inside;
        assert!(behind as i64 >= outage / (20 * MS) - 10, "{behind}");
        assert_eq!(hosts.refused, 0, "the disk takes what memory does not");
        // Each half of memory, and a gap in each.
        assert!(hosts.most_held <= KEPT + 2, "{}", hosts.most_held);

        let mut caught_up = None;
        for _ in 0..600 {
            hosts.run(100 * MS);
            let inside = hosts.pair.sessions[0].sent(EVENTS).expect("it sends").inside;
            if inside < 20 {
                caught_up = Some(hosts.pair.now_ns() - healed);
                break;
            }
        }
        let took = caught_up.expect("it catches up");
        let during = hosts.lateness(healed + S, healed + took.max(2 * S));
        hosts.rest(5 * S);
        assert_eq!(hosts.tags(), hosts.handed, "each once, in order");
        assert_eq!(hosts.gaps(), []);

        let p99 = |late: &[i64]| late[late.len() * 99 / 100];
        println!(
            "{} s: made up for in {:.1} s, {:.0} times real time; samples late by {:.1} ms before \
             and {:.1} ms meanwhile (p99)",
            outage / S,
            took as f64 / S as f64,
            outage as f64 / took as f64,
            p99(&before) as f64 / MS as f64,
            p99(&during) as f64 / MS as f64,
        );
        // What the link is to reach (issue "Links"), in the network's own time.
        assert!(took * 5 <= outage, "{took}");
        assert!(p99(&during) <= p99(&before) + 20 * MS, "{during:?}");
    }
}
