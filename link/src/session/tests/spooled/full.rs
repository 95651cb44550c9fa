//! No room on disk, or no disk.

use engine::Gap;

use super::{
    super::support::S,
    hosts::{EVENTS, Hosts, KEPT, narrow},
};
use crate::spool::{State, WhenFull};

#[test]
fn a_full_spool_does_what_was_asked_and_tells_it() {
    for when_full in [WhenFull::EvictOldest, WhenFull::DropNewest, WhenFull::Block] {
        let mut hosts = Hosts::new(narrow(), 5, 256 << 10, when_full);
        hosts.run(5 * S);
        hosts.outage(60 * S);
        hosts.run(60 * S);
        hosts.rest(10 * S);
        hosts.run(S);
        hosts.rest(5 * S);

        let sent = hosts.pair.sessions[0].sent(EVENTS).expect("it sends");
        let (tags, lost) = (hosts.tags(), sent.dropped_for(Gap::Full));
        let told: u64 = hosts.gaps().iter().map(|(_, frames)| frames).sum();
        assert!(tags.is_sorted(), "{when_full:?}");
        assert_eq!(tags.len() as u64 + lost, hosts.handed.len() as u64, "{when_full:?}");
        assert_eq!(told, lost, "{when_full:?}: {:?}", hosts.gaps());
        assert_eq!((sent.inside, lost > 0), (0, when_full != WhenFull::Block), "{when_full:?}");
        assert_eq!(hosts.refused > 0, when_full == WhenFull::Block);
        // From before the outage, and 60 s of 50 events a second less what 256 KiB hold.
        let holds = |from: u64, to: u64| tags.iter().filter(|tag| (from..to).contains(tag)).count();
        match when_full {
            WhenFull::EvictOldest => assert!(holds(300, 2_000) == 0 && holds(3_000, 3_250) == 250),
            _ => assert!(holds(260, 500) == 240 && holds(2_000, 3_000) == 0),
        }
    }
}

#[test]
fn a_disk_that_refuses_during_an_outage_costs_what_memory_does_not_hold() {
    for when_full in [WhenFull::EvictOldest, WhenFull::DropNewest, WhenFull::Block] {
        let mut hosts = Hosts::new(narrow(), 6, 4 << 20, when_full);
        hosts.run(5 * S);
        hosts.disks[0].refuse(Some(std::io::ErrorKind::StorageFull));
        // The link is up: nothing needs the disk.
        hosts.run(10 * S);
        assert_eq!((hosts.refused, hosts.gaps()), (0, vec![]), "{when_full:?}");
        let (status, is_slow) = hosts.pair.sessions[0].spool(EVENTS).expect("spooled");
        assert!(matches!(status.state, State::Memory(_)), "{status:?}");
        assert!(!is_slow, "what is acknowledged needs no disk");
        hosts.outage(10 * S);
        hosts.run(10 * S);
        assert!(hosts.most_held <= KEPT + 2, "{}", hosts.most_held);
        hosts.disks[0].refuse(None);
        hosts.run(10 * S);
        hosts.rest(5 * S);

        let sent = hosts.pair.sessions[0].sent(EVENTS).expect("it sends");
        let told: u64 = hosts.gaps().iter().map(|(_, frames)| frames).sum();
        assert_eq!(told, sent.dropped_for(Gap::Full), "{when_full:?}");
        assert_eq!(hosts.tags().len() as u64 + told, hosts.handed.len() as u64, "{when_full:?}");
        assert_eq!(hosts.refused > 0, when_full == WhenFull::Block, "{when_full:?}");
        let (status, _) = hosts.pair.sessions[0].spool(EVENTS).expect("spooled");
        assert_eq!(status.state, State::Disk);
    }
}

#[test]
fn a_full_spool_whose_disk_dies_stops_nothing_while_the_link_is_up() {
    let mut hosts = Hosts::new(narrow(), 7, 256 << 10, WhenFull::Block);
    hosts.outage(60 * S);
    hosts.run(60 * S);
    assert!(hosts.refused > 0, "it is full");
    hosts.disks[0].refuse(Some(std::io::ErrorKind::ReadOnlyFilesystem));
    hosts.run(20 * S);
    let refused = hosts.refused;
    hosts.run(20 * S);
    hosts.rest(5 * S);
    assert_eq!(hosts.refused, refused);
    assert_eq!(hosts.tags(), hosts.handed);
}
