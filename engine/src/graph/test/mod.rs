//! `[[test]]`: what a graph is given, and what it must answer, on manual time.
//!
//! ```toml
//! [[test]]
//! name    = "a slow heart"
//! seconds = 30.0                     # event time to run; left out: until the sources end
//! set     = { "ecg.rate_bpm" = 45 }  # as `--set ecg.rate_bpm=45`; `set.ecg.rate_bpm = 45` too
//!
//! [[test.expect]]                    # how many frames of a signal, or events
//! from      = "beats"                # the same SOURCE as in a node's `from`
//! count_min = 21                     # or `count_max`, both, or `count = 22`
//! count_max = 23
//!
//! [[test.expect]]                    # a field of events …
//! from   = "beats"
//! field  = "rr_ms"                   # `t_s` is the event's own time
//! at     = "last"                    # "every" (the default), "first", "last" or an index from 0
//! near   = 1333.0                    # |rr_ms − near| ≤ within
//! within = 5.0
//!
//! [[test.expect]]                    # … or, without `field`, samples
//! from = "clean[0]"                  # every channel the SOURCE names must fit
//! t_s  = 1.5                         # the sample nearest to this time, in place of `at`
//! min  = -0.1                        # `min`, `max` or both; or `near` + `within`; or `is = 0.0`,
//! max  = 0.1                         # which takes texts and truth values too
//! ```
//!
//! A source is replaced for the length of a test by `[test.input.NODE]` (`[test.input."NODE.port"]`
//! for one of several outputs), which says one of three things:
//!
//! ```toml
//! [test.input.ecg]                   # samples; one channel may be a plain list
//! rate_hz  = 4.0
//! channels = ["left", "right"]       # optional; so is `unit`
//! samples  = [[0.0, 1.0, 0.0], [0.5, 0.5, 0.5]]
//!
//! [test.input.beats]                 # events, in the order of `t_s`
//! events = [{ t_s = 0.8, rr_ms = 800.0 }, { t_s = 1.6, rr_ms = 800.0 }]
//!
//! [test.input.ecg]                   # another kind with its parameters
//! op   = "wfdb"
//! file = "100.hea"
//! ```

mod expect;
mod input;
mod spec;

pub use spec::{At, Check, Expectation, Feed, TestEvent, TestInput, TestSpec, Wanted};
