//! Who may ask, and how often.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use subtle::ConstantTimeEq;

/// A bearer token, which is never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// None if it could not stand in a header.
    pub fn of(text: &str) -> Option<Self> {
        let is_token = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        is_token.then(|| Self(text.to_owned()))
    }

    /// Whether an `Authorization` header bears it. Takes as long for a wrong token as for the right one
    /// of the same length.
    pub fn opens(&self, header: Option<&[u8]>) -> bool {
        let Some((scheme, token)) = header.and_then(|header| header.split_at_checked(7)) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(token.ct_eq(self.0.as_bytes()))
    }
}

/// Callers that are remembered; beyond them those that may ask again anyway are forgotten first.
const CALLERS_MAX: usize = 4_096;

/// A bucket for each address: it holds what may be asked at once, and fills with time.
pub(super) struct Rates {
    per_second: f64,
    callers: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Rates {
    pub(super) fn new(per_second: f64) -> Self {
        Self { per_second, callers: Mutex::default() }
    }

    /// Admits a question; else says how long to wait.
    pub(super) fn admit(&self, caller: IpAddr, now: Instant) -> Result<(), Duration> {
        let most = self.per_second.max(1.0);
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX && !callers.contains_key(&caller) {
            let is_full = |left: f64, since: Instant| {
                left + now.duration_since(since).as_secs_f64() * self.per_second >= most
            };
            callers.retain(|_, (left, since)| !is_full(*left, *since));
            if callers.len() >= CALLERS_MAX {
                // So many at once are one attack from many addresses: whoever is new waits.
                return Err(Duration::from_secs(1));
            }
        }
        let (left, since) = callers.entry(caller).or_insert((most, now));
        let filled = *left + now.saturating_duration_since(*since).as_secs_f64() * self.per_second;
        (*left, *since) = (filled.min(most), now);
        if *left >= 1.0 {
            *left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - *left) / self.per_second))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_token_opens_with_itself_alone() {
        let token = Token::of("s3cret").expect("a token");

        assert!(token.opens(Some(b"Bearer s3cret")));
        assert!(token.opens(Some(b"bearer s3cret")));
        for wrong in [&b"Bearer s3cre"[..], b"Bearer s3cret2", b"Basic s3cret", b"s3cret", b""] {
            assert!(!token.opens(Some(wrong)), "{wrong:?}");
        }
        assert!(!token.opens(None));
        assert!(Token::of("").is_none() && Token::of("two words").is_none());
    }

    #[test]
    fn a_caller_may_ask_at_the_rate_and_others_notice_nothing() {
        let (rates, start) = (Rates::new(2.0), Instant::now());
        let [one, other] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));

        assert_eq!(rates.admit(one, start), Ok(()));
        assert_eq!(rates.admit(one, start), Ok(()));
        assert_eq!(rates.admit(one, start), Err(Duration::from_millis(500)));
        assert_eq!(rates.admit(other, start), Ok(()));
        assert_eq!(rates.admit(one, start + Duration::from_millis(500)), Ok(()));
        assert!(rates.admit(one, start + Duration::from_millis(500)).is_err());
    }

    #[test]
    fn callers_without_end_take_no_memory_without_end() {
        let (rates, start) = (Rates::new(1.0), Instant::now());
        for n in 0..2 * CALLERS_MAX as u32 {
            let _ = rates.admit(IpAddr::V4(Ipv4Addr::from_bits(n)), start);
        }
        assert_eq!(rates.callers.lock().expect("whole").len(), CALLERS_MAX);

        let later = start + Duration::from_secs(2);
        assert_eq!(rates.admit(IpAddr::V4(Ipv4Addr::from_bits(u32::MAX)), later), Ok(()));
        assert_eq!(rates.callers.lock().expect("whole").len(), 1);
    }
}
