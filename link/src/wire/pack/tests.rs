use engine::{Frame, Timestamp};

use super::*;
use crate::testing::Random;

/// Packed length, after all bits were seen to come back.
fn round_trip(packer: &mut Packer, channels: usize, samples: &[f32]) -> Option<usize> {
    let frame = Frame::signal(Timestamp::ZERO, channels, samples);
    let mut packed = Vec::new();
    if !packer.pack(&frame, &mut packed) {
        assert!(packed.is_empty());
        return None;
    }
    let mut back = vec![0.0; samples.len()];
    unpack(&packed, frame.len(), &mut back).expect("just packed");
    let bits = |samples: &[f32]| samples.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back), bits(samples));
    Some(packed.len())
}

#[test]
fn every_bit_comes_back_whatever_the_samples_are() {
    let odd = [f32::NAN, -0.0, 0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, 1e-45];
    let mut random = Random::new(7);
    for round in 0..2_000 {
        let (channels, len) = (1 + random.below(4) as usize, 1 + random.below(100) as usize);
        let mut packer = Packer::new(channels);
        let samples: Vec<f32> = (0..channels * len)
            .map(|n| match round % 5 {
                0 => f32::from_bits(random.next_u64() as u32),
                1 => odd[random.below(7) as usize],
                2 => (random.below(2_000) as f32 - 1_000.0) / 200.0,
                3 => (n as f32 * 0.1).sin(),
                _ => 1.5,
            })
            .collect();
        round_trip(&mut packer, channels, &samples);
    }
}

#[test]
fn a_converter_s_steps_are_found_and_taken() {
    let mut random = Random::new(3);
    let mut level = 900i64;
    let samples: Vec<f32> = (0..90)
        .map(|_| {
            level += random.below(9) as i64 - 4;
            ((level - 1_024) as f64 / 200.0) as f32
        })
        .collect();

    let packed = round_trip(&mut Packer::new(1), 1, &samples).expect("shorter");

    // Differences of −4 to 4 fold to four bits (second differences need more): 89 of them are
    // 45 bytes, three widths, and some five for coding, steps and first value; raw it is 360.
    assert!(packed <= 54, "{packed}");
}

#[test]
fn noise_is_left_as_it_is() {
    let mut random = Random::new(1);
    let samples: Vec<f32> = (0..64).map(|_| f32::from_bits(random.next_u64() as u32)).collect();

    assert_eq!(round_trip(&mut Packer::new(1), 1, &samples), None);
}
