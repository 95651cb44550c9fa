//! Many guests at once, most of them up to no good, by seeds.

use super::{
    super::{Fresh, Host, Offer, PairError, Proving},
    support::{LATER, NOW, Party, code, wrong_code},
};
use crate::testing::Random;

/// A guest in the middle of its exchange.
enum Stage<'a> {
    Greeting { greeting: Vec<u8>, guest: super::super::Guest<'a> },
    Proof { host: Box<Host<'a>>, proof: Vec<u8>, proving: Box<Proving> },
}

struct Visitor<'a> {
    stage: Stage<'a>,
    /// Whether it knows the code and nobody has changed its messages.
    is_honest: bool,
    party: &'a Party,
}

fn spoil(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() as u64) as usize;
    match random.below(4) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, random.next_u64() as u8),
        _ => bytes.splice(at.., (0..random.below(200)).map(|n| n as u8)).for_each(drop),
    }
}

#[test]
fn only_the_first_who_knows_the_code_is_paired_and_nobody_after_a_wrong_guess() {
    let (mut pairings, mut burned) = (0, 0);
    for seed in crate::testing::seeds(300) {
        let mut random = Random::new(seed);
        let cloud = Party::new(200, "cloud");
        let parties: Vec<Party> = (0..8).map(|n| Party::new(n, "guest")).collect();
        let mut offer = Offer::new(code(), LATER);
        let mut visitors: Vec<Visitor<'_>> = Vec::new();
        let mut closed = None;
        for party in &parties {
            let knows = random.happens(0.3);
            let (guest, mut greeting) = party.greets(&if knows { code() } else { wrong_code() });
            let spoiled = random.happens(0.3);
            if spoiled {
                let whole = greeting.clone();
                while greeting == whole {
                    spoil(&mut random, &mut greeting);
                }
            }
            let stage = Stage::Greeting { greeting, guest };
            visitors.push(Visitor { stage, is_honest: knows && !spoiled, party });
        }
        while !visitors.is_empty() {
            let n = random.below(visitors.len() as u64) as usize;
            let Visitor { stage, is_honest, party } = visitors.swap_remove(n);
            match stage {
                Stage::Greeting { greeting, guest } => {
                    let met = offer.greeted(NOW, cloud.me(), &greeting, Fresh::new());
                    assert!(met.is_ok() || closed.is_some() || !is_honest, "seed {seed}");
                    let Ok((host, answer)) = met else { continue };
                    let (proving, mut proof) = guest.answered(&answer).expect("an answer");
                    let spoiled = random.happens(0.2);
                    if spoiled {
                        let whole = proof.clone();
                        while proof == whole {
                            spoil(&mut random, &mut proof);
                        }
                    }
                    let (host, proving) = (Box::new(host), Box::new(proving));
                    let stage = Stage::Proof { host, proof, proving };
                    visitors.push(Visitor { stage, is_honest: is_honest && !spoiled, party });
                }
                Stage::Proof { host, proof, proving } => {
                    match (offer.proved(NOW, *host, &proof), &closed) {
                        (Ok((paired, proof)), None) if is_honest => {
                            assert_eq!(paired, party.paired(), "seed {seed}");
                            assert_eq!(proving.proved(&proof), Ok(cloud.paired()), "seed {seed}");
                            closed = Some(PairError::Used);
                            pairings += 1;
                        }
                        (Err(PairError::WrongCode), None) if !is_honest => {
                            closed = Some(PairError::Burned);
                            burned += 1;
                        }
                        (Err(PairError::Malformed(_) | PairError::OutOfTurn), None)
                            if !is_honest => {}
                        (Err(why), Some(closed)) => assert_eq!(&why, closed, "seed {seed}"),
                        (met, closed) => {
                            panic!("seed {seed}: {:?}, {closed:?}", met.map(|(paired, _)| paired));
                        }
                    }
                }
            }
        }
        assert_eq!(offer.is_open(NOW).err(), closed, "seed {seed}");
    }
    assert!(pairings > 50 && burned > 50, "both happen: {pairings}, {burned}");
}
