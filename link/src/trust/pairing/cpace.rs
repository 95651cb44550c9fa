//! CPace over ristretto255 and SHA-512, as draft-irtf-cfrg-cpace-21 has it: `CPACE-RISTR255-SHA512`.
//!
//! Both sides turn the code into a generator of the group that nobody else knows, and exchange a
//! Diffie-Hellman key with it: `Y = g · y`, `K = Y' · y`, `ISK = H(… ‖ K ‖ transcript)`.

use curve25519_dalek::{
    RistrettoPoint, Scalar, ristretto::CompressedRistretto, traits::IsIdentity,
};
use ring::digest::{Digest, SHA512, digest};
use zeroize::Zeroizing;

const NAME: &[u8] = b"CPaceRistretto255";
const NAME_ISK: &[u8] = b"CPaceRistretto255_ISK";
/// Bytes that SHA-512 takes at once.
const BLOCK: usize = 128;

/// One side's half of an exchange.
pub(super) struct Half {
    secret: Zeroizing<Scalar>,
    /// What the other side is sent.
    pub(super) share: [u8; 32],
}

impl Half {
    /// From a code, a context that both sides know, the name of this exchange and 64 random bytes.
    pub(super) fn new(code: &[u8], context: &[u8], session: &[u8], random: &[u8; 64]) -> Self {
        Self::with(code, context, session, Scalar::from_bytes_mod_order_wide(random))
    }

    fn with(code: &[u8], context: &[u8], session: &[u8], secret: Scalar) -> Self {
        let generator = Zeroizing::new(generator(code, context, session));
        let share = (*generator * secret).compress().to_bytes();
        Self { secret: Zeroizing::new(secret), share }
    }

    /// The point that both sides reach, from the other's share.
    ///
    /// None for a share that is no point of the group, or the neutral one, which would make the
    /// secret known to all.
    fn point(&self, share: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        let share = CompressedRistretto(*share).decompress()?;
        let point = Zeroizing::new(share * *self.secret);
        (!point.is_identity()).then(|| Zeroizing::new(point.compress().to_bytes()))
    }

    /// The key that both sides share if they had the same code and context, and saw the same.
    pub(super) fn finish(
        self,
        session: &[u8],
        share: &[u8; 32],
        transcript: &[u8],
    ) -> Option<Zeroizing<[u8; 64]>> {
        let point = self.point(share)?;
        let mut hashed = Zeroizing::new(Vec::new());
        lv(&mut hashed, NAME_ISK);
        lv(&mut hashed, session);
        lv(&mut hashed, &*point);
        hashed.extend_from_slice(transcript);
        Some(Zeroizing::new(bytes(&digest(&SHA512, &hashed))))
    }
}

/// Who sent which share with which data: first the side that spoke first.
pub(super) fn transcript(first: (&[u8], &[u8]), second: (&[u8], &[u8])) -> Vec<u8> {
    let mut transcript = Vec::new();
    for part in [first.0, first.1, second.0, second.1] {
        lv(&mut transcript, part);
    }
    transcript
}

fn generator(code: &[u8], context: &[u8], session: &[u8]) -> RistrettoPoint {
    let hashed = Zeroizing::new(generator_string(code, context, session));
    let uniform = Zeroizing::new(bytes(&digest(&SHA512, &hashed)));
    RistrettoPoint::from_uniform_bytes(&uniform)
}

/// The code fills the first block of the hash, whose time therefore says nothing about it.
fn generator_string(code: &[u8], context: &[u8], session: &[u8]) -> Vec<u8> {
    let mut string = Vec::new();
    lv(&mut string, NAME);
    lv(&mut string, code);
    let zeros = (BLOCK - 1).saturating_sub(string.len());
    lv(&mut string, &[0; BLOCK][..zeros]);
    lv(&mut string, context);
    lv(&mut string, session);
    string
}

/// Appends bytes behind their length: seven bits per byte, the lowest first.
pub(super) fn lv(out: &mut Vec<u8>, bytes: &[u8]) {
    crate::wire::bytes::put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn bytes(hash: &Digest) -> [u8; 64] {
    hash.as_ref().try_into().expect("SHA-512 has 64 bytes")
}

#[cfg(test)]
mod tests {
    //! Vectors of appendix B.3 of the draft.

    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        assert_eq!(text.len(), 2 * N);
        std::array::from_fn(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).expect("hex"))
    }

    const CODE: &[u8] = b"Password";
    const CONTEXT: &[u8] = b"oc\x0bB_responder\x0bA_initiator";

    fn session() -> [u8; 16] {
        hex("7e4b4791d6a8ef019b936c79fb7f2c57")
    }

    fn half(secret: &str) -> Half {
        let secret = Scalar::from_canonical_bytes(hex(secret)).expect("canonical");
        Half::with(CODE, CONTEXT, &session(), secret)
    }

    #[test]
    fn the_generator_is_the_drafts() {
        let string = generator_string(CODE, CONTEXT, &session());
        assert_eq!(string.len(), 172);
        assert_eq!(
            string[..28],
            hex::<28>("11435061636552697374726574746f3235350850617373776f726464")
        );
        let generator = generator(CODE, CONTEXT, &session()).compress();
        assert_eq!(
            generator.to_bytes(),
            hex::<32>("a6fc82c3b8968fbb2e06fee81ca858586dea50d248f0c7ca6a18b0902a30b36b")
        );
    }

    #[test]
    fn an_exchange_is_the_drafts() {
        let first = half("da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08");
        let second = half("d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d");
        assert_eq!(
            first.share,
            hex::<32>("d40fb265a7abeaee7939d91a585fe59f7053f982c296ec413c624c669308f87a")
        );
        assert_eq!(
            second.share,
            hex::<32>("08bcf6e9777a9c313a3db6daa510f2d398403319c2341bd506a92e672eb7e307")
        );
        let (a, b) = (first.share, second.share);
        let point: [u8; 32] =
            hex("e22b1ef7788f661478f3cddd4c600774fc0f41e6b711569190ff88fa0e607e09");
        assert_eq!(first.point(&b).as_deref(), Some(&point));
        assert_eq!(second.point(&a).as_deref(), Some(&point));

        let said = transcript((&a, b"ADa"), (&b, b"ADb"));
        let isk: [u8; 64] = hex("4c5469a16b2364c4b944ebc1a79e51d1674ad47db26e8718154f59faebfaa52d\
             8346f30aa58377117eb20d527f2cbc5c76381f7fd372e89df8239f87f2e02ed1");
        assert_eq!(first.finish(&session(), &b, &said).as_deref(), Some(&isk));
        assert_eq!(second.finish(&session(), &a, &said).as_deref(), Some(&isk));
    }

    #[test]
    fn shares_outside_the_group_are_refused() {
        let secret = "7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05";
        let valid = hex("2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
        let reached: [u8; 32] =
            hex("7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e");
        assert_eq!(half(secret).point(&valid).as_deref(), Some(&reached));

        let no_point = hex("2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
        assert_eq!(half(secret).point(&no_point), None);
        assert_eq!(half(secret).point(&[0; 32]), None, "the neutral one");
        assert_eq!(half(secret).point(&[0xff; 32]), None);
    }
}
