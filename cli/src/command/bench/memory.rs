//! How often memory is asked for, counted rather than estimated.

use std::sync::Arc;

use engine::{Clock, ManualRun, Plan, Timestamp};

use crate::{allocations, exit::Failure};

/// Content that warms a graph up: by then every node has said something, if it ever does.
const WARM_S: i64 = 10;

/// Content that is counted at most.
const COUNTED_S: i64 = 60;

/// On the clock, for graphs that are slow.
const CLOCK_NS: i64 = 3_000_000_000;

/// What was counted.
#[derive(Clone, Debug)]
pub(super) enum Memory {
    /// Frames on all edges, how often memory was asked for meanwhile, and seconds of content.
    Counted { frames: u64, asked: u64, seconds: f64 },
    /// Why it was not.
    Unknown(&'static str),
}

/// Runs on manual time, on this thread: the same frames whenever it is done, and nobody else about.
pub(super) fn measured(plan: &Arc<Plan>, cores: usize) -> Result<Memory, Failure> {
    let mut run = ManualRun::new(plan, cores, Some(1.0)).map_err(|error| Failure::open(&error))?;
    let clock = Clock::system();
    let begun = clock.now();
    for second in 1..=WARM_S {
        if run.run_until(Timestamp::from_secs_f64(second as f64)) {
            return Ok(Memory::Unknown("the sources end within ten seconds of content"));
        }
        if clock.now().since(begun) > CLOCK_NS {
            return Ok(Memory::Unknown("ten seconds of content take more than three of the clock"));
        }
    }
    let frames_of =
        |run: &ManualRun| -> u64 { run.edges().iter().map(|(_, _, frames)| frames.taken).sum() };
    let before = frames_of(&run);
    let begun = clock.now();
    let mut seconds = 0;
    let ((), asked) = allocations::counted(|| {
        while seconds < COUNTED_S && clock.now().since(begun) < CLOCK_NS {
            seconds += 1;
            if run.run_until(Timestamp::from_secs_f64((WARM_S + seconds) as f64)) {
                break;
            }
        }
    });
    let Some(asked) = asked else {
        return Ok(Memory::Unknown("this program was built without what counts"));
    };
    let frames = frames_of(&run) - before;
    Ok(match frames {
        0 => Memory::Unknown("no frame came after ten seconds of content"),
        frames => Memory::Counted { frames, asked, seconds: seconds as f64 },
    })
}
