//! Questions made by hand, for tests of what is told the time.

use std::{sync::Arc, time::Instant};

use engine::{Answer, Buffer, Fault, Reply};

use crate::backend::{
    Loaded,
    mock::{Behaviour, Cost, Mock},
};

use super::{
    asked::{Asked, Note, Priority},
    way::{Row, Rowwise, Way},
};

/// Has nothing to say.
pub(super) struct Mute;

impl Rowwise for Mute {
    fn read(&self, _: &Row<'_>) -> Result<Answer, Fault> {
        Ok(Answer::nothing())
    }
}

/// A model that doubles one number.
pub(super) fn doubles() -> Mock {
    Mock::new(1, Cost::default(), Behaviour::Doubles)
}

/// A way to ask it.
pub(super) fn way() -> Arc<Way> {
    let way = Way::new(doubles().signature(), 0, vec![1], &[], Box::new(Mute));
    Arc::new(way.expect("it takes one number"))
}

/// A question that came at 0.
pub(super) fn asked(way: &Arc<Way>, priority: Priority, deadline: i64, reply: Reply) -> Asked {
    Asked {
        way: way.clone(),
        question: Buffer::with_bytes(4, 1),
        samples: None,
        reply,
        note: Note::default(),
        priority,
        pair: None,
        began: Instant::now(),
        arrived: 0,
        since: 0,
        deadline,
        watched: None,
    }
}
