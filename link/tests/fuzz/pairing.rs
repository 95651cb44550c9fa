//! Both sides of a pairing, whose other side sends whatever it likes.

use engine::Timestamp;
use link::trust::{
    Identity,
    pairing::{Code, Fresh, Guest, Introduction, Message, Offer, PairError},
};

use crate::{fuzz, shape};

const NOW: Timestamp = Timestamp::ZERO;

fn offer() -> Offer {
    Offer::new(code(), Timestamp::from_nanos(1))
}

fn code() -> Code {
    "K7QF-2M9D-XW3T".parse().expect("a code")
}

struct Hosts {
    edge: Identity,
    cloud: Identity,
}

impl Hosts {
    fn new() -> Self {
        Self { edge: Identity::from_seed(&[1; 32]), cloud: Identity::from_seed(&[2; 32]) }
    }

    fn edge(&self) -> Introduction<'_> {
        Introduction { identity: &self.edge, name: "edge" }
    }

    fn cloud(&self) -> Introduction<'_> {
        Introduction { identity: &self.cloud, name: "cloud" }
    }

    /// The four messages of one pairing.
    fn conversation(&self) -> Vec<Vec<u8>> {
        let mut offer = offer();
        let (guest, greeting) = Guest::new(self.edge(), &code(), Fresh::new());
        let (host, answer) =
            offer.greeted(NOW, self.cloud(), &greeting, Fresh::new()).expect("whole");
        let (_, proof) = guest.answered(&answer).expect("whole");
        let (_, last) = offer.proved(NOW, host, &proof).expect("whole");
        vec![greeting, answer, proof, last]
    }
}

#[test]
fn messages() {
    let whole = Hosts::new().conversation();
    fuzz(
        50_000,
        &whole,
        |_| 4_096,
        |bytes| {
            let read = Message::read(bytes);
            if let Ok(message) = &read {
                assert_eq!(message.to_bytes(), bytes, "there is one way to write it");
            }
            let len = bytes.first_chunk().map(|head| Message::body_len(*head).map(|len| len < 200));
            shape(&(read.map(|message| message.to_bytes()[3]), len))
        },
    );
}

#[test]
fn whatever_is_sent_to_a_host_pairs_nobody() {
    let hosts = Hosts::new();
    let whole = hosts.conversation();
    let stranger = Code::new();
    fuzz(
        1_500,
        &whole,
        |_| 16_384,
        |bytes| {
            let mut offer = offer();
            let greeted = offer.greeted(NOW, hosts.cloud(), bytes, Fresh::new());
            let greeted = greeted.map(|(host, _)| {
                // Who could greet with anything has nothing to prove with.
                let proved = offer.proved(NOW, host, &whole[2]).map(drop);
                assert_eq!(proved, Err(PairError::WrongCode));
            });
            let mut offer = self::offer();
            let (_, greeting) = Guest::new(hosts.edge(), &stranger, Fresh::new());
            let (host, _) =
                offer.greeted(NOW, hosts.cloud(), &greeting, Fresh::new()).expect("whole");
            let proved = offer.proved(NOW, host, bytes).map(drop);
            assert!(proved.is_err());
            shape(&(greeted, proved))
        },
    );
}

#[test]
fn whatever_is_sent_to_a_guest_pairs_nobody() {
    let hosts = Hosts::new();
    let whole = hosts.conversation();
    fuzz(
        1_500,
        &whole,
        |_| 16_384,
        |bytes| {
            let (guest, _) = Guest::new(hosts.edge(), &code(), Fresh::new());
            let answered = guest.answered(bytes).map(|(proving, _)| {
                assert!(proving.proved(&whole[3]).is_err());
            });
            let (guest, _) = Guest::new(hosts.edge(), &code(), Fresh::new());
            let (proving, _) = guest.answered(&whole[1]).expect("whole");
            let proved = proving.proved(bytes).map(drop);
            assert!(proved.is_err());
            shape(&(answered, proved))
        },
    );
}
