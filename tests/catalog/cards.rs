//! A sound card for kinds that want one: it is there, and never calls back.

use std::sync::Arc;

use engine::Service;
use operators::audio::device::{
    Cards, Device, Ear, Encoding, Fate, Mouth, Now, Offer, Setup, Stream, Trouble, Way, as_service,
};

struct Still;

impl Stream for Still {}

impl Cards for Still {
    fn devices(&self, _: Way) -> Result<Vec<Device>, Trouble> {
        let offer = Offer { channels: 64, min_hz: 8_000, max_hz: 192_000, encoding: Encoding::F32 };
        let name = "still".to_owned();
        Ok(vec![Device { title: name.clone(), name, is_default: true, offers: vec![offer] }])
    }

    fn hear(&self, _: &str, _: Setup, _: Ear, _: Now, _: Fate) -> Result<Box<dyn Stream>, Trouble> {
        Ok(Box::new(Self))
    }

    fn speak(&self, _: &str, _: Setup, _: Mouth, _: Fate) -> Result<Box<dyn Stream>, Trouble> {
        Ok(Box::new(Self))
    }
}

pub(crate) fn still() -> (String, Arc<dyn Service>) {
    as_service(Arc::new(Still))
}
