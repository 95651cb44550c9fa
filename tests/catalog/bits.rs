//! Laws 1, 2, 3 and 9, and saved states: the same bits.

use crate::{
    known::{is_per_frame, is_unsaved},
    recordings::SECONDS,
    subject::{Heard, Subject, everyone, operators, sinks, sources},
};

fn assert_same(name: &str, what: &str, got: &Heard, want: &Heard) {
    assert_eq!(got.written, want.written, "{name}: {what}");
    assert_eq!(got.events.len(), want.events.len(), "{name}: number of events {what}");
    assert_eq!(got.events, want.events, "{name}: {what}");
    for (channel, (got, want)) in got.samples.iter().zip(&want.samples).enumerate() {
        assert_eq!(got.len(), want.len(), "{name}: number of samples {what}");
        let differs = got.iter().zip(want).position(|(got, want)| got != want);
        assert_eq!(differs, None, "{name}: channel {channel} {what}");
    }
}

#[test]
fn built_twice_it_gives_the_same_bits() {
    for subject in everyone() {
        let first = subject.play(&mut subject.bench(), 200);
        let second = subject.play(&mut subject.bench(), 200);

        assert_same(subject.name(), "built twice", &second, &first);
        let silent = first == Heard::default() || first.samples.iter().all(Vec::is_empty);
        let silent = silent && first.events.is_empty() && first.written.is_empty();
        // What answers speaks to those who asked, `foxglove` to those who look: here nobody does.
        let is_unheard = ["null", "speaker", "foxglove"].contains(&subject.name());
        let may_be_silent = is_unheard || subject.kind.answers;
        assert!(!silent || may_be_silent, "{} says nothing at all", subject.name());
    }
}

#[test]
fn frame_borders_leave_no_trace() {
    for subject in operators().chain(sinks()) {
        if is_per_frame(subject.name()) {
            continue;
        }
        let want = subject.play(&mut subject.bench(), 200);
        for frame_ms in [4, 12, 20, 1_000, 7_777] {
            let got = subject.play(&mut subject.bench(), frame_ms);
            assert_same(subject.name(), &format!("in frames of {frame_ms} ms"), &got, &want);
        }
    }
    for source in sources() {
        let want = source.play(&mut source.bench(), 0);
        for frame_ms in ["4.0", "100.0", "5000.0"] {
            let source = Subject::new(source.kind).with("frame_ms", frame_ms);
            let got = source.play(&mut source.bench(), 0);
            assert_same(source.name(), &format!("in frames of {frame_ms} ms"), &got, &want);
        }
    }
}

#[test]
fn reset_equals_a_fresh_build() {
    for subject in operators().chain(sources()) {
        let want = subject.play(&mut subject.bench(), 200);
        let mut used = subject.bench();
        if subject.kind.is_source() {
            used.pull(3);
        } else {
            subject.feed(&mut used, 0..17, 130);
        }
        used.reset();

        assert_same(subject.name(), "after a reset", &subject.play(&mut used, 200), &want);

        used.reset();
        assert_same(subject.name(), "after the end", &subject.play(&mut used, 200), &want);
    }
}

#[test]
fn reset_keeps_what_was_tuned() {
    let mut tuned = 0;
    for subject in operators().chain(sources()) {
        for param in subject.kind.params.iter().filter(|param| param.is_live()) {
            let (name, default) = (param.name(), param.default_text());
            // A value that is neither the default nor the example's.
            let number = default.and_then(|text| text.parse::<f64>().ok()).unwrap_or(10.0);
            let value = (number * 0.75 + 0.125).clamp(param.range().0, param.range().1);
            let mut bench = subject.bench();
            bench.set(name, value).unwrap_or_else(|why| panic!("{} {name}: {why}", subject.name()));
            bench.reset();
            let fresh = subject.fresh().with(name, &format!("{value:?}"));
            let (got, want) = (subject.play(&mut bench, 200), fresh.play(&mut fresh.bench(), 200));
            assert_same(subject.name(), &format!("after {name} was set and a reset"), &got, &want);
            tuned += 1;
        }
    }
    assert!(tuned > 0, "some kind can be tuned");
}

#[test]
fn a_saved_state_goes_on_bit_for_bit() {
    for subject in operators().filter(|subject| !is_unsaved(subject.name())) {
        let mut whole = subject.bench();
        subject.feed(&mut whole, 0..23, 130);
        whole.take();
        subject.feed(&mut whole, 23..SECONDS, 130);
        whole.flush();
        let want = subject.heard(&mut whole);

        let mut broken = subject.bench();
        subject.feed(&mut broken, 0..23, 130);
        broken.take();
        let state = broken.save();
        broken.restart(&state).unwrap_or_else(|fault| panic!("{}: {fault}", subject.name()));
        subject.feed(&mut broken, 23..SECONDS, 130);
        broken.flush();

        assert_same(subject.name(), "after a restart", &subject.heard(&mut broken), &want);
    }
}

#[test]
fn what_is_no_state_is_refused() {
    for subject in operators() {
        let mut bench = subject.bench();
        subject.feed(&mut bench, 0..10, 200);
        let state = bench.save();
        if state.is_empty() {
            continue;
        }
        let longer = [&state[..], &[0]].concat();
        let mut other_version = state.clone();
        // The kind's version or, where the runtime writes one, the number of channels.
        other_version[0] ^= 0x80;
        for wrong in [&state[..state.len() - 1], &longer, &[0xff], &other_version] {
            assert!(bench.load(wrong).is_err(), "{} takes a wrong state", subject.name());
        }

        bench.reset();
        bench.load(&state).unwrap_or_else(|fault| panic!("{}: {fault}", subject.name()));
    }
}

#[test]
fn a_refused_state_leaves_nothing_behind() {
    for subject in operators() {
        let mut fresh = subject.bench();
        subject.feed(&mut fresh, 0..10, 200);
        let state = fresh.save();
        fresh.flush();
        let want = subject.heard(&mut fresh);

        for part in (0..5).filter(|_| !state.is_empty()) {
            let mut bench = subject.bench();
            let refused = bench.load(&state[..state.len() * part / 5]);
            assert!(refused.is_err(), "{} takes {part} fifths of a state", subject.name());
            subject.feed(&mut bench, 0..10, 200);
            bench.flush();
            let after = format!("after {part} fifths of a state");
            assert_same(subject.name(), &after, &subject.heard(&mut bench), &want);
        }
    }
}

#[test]
fn a_second_flush_says_nothing() {
    for subject in operators() {
        let mut bench = subject.bench();
        subject.feed(&mut bench, 0..SECONDS, 200);
        bench.flush();
        bench.take();
        bench.flush_again();

        let more = bench.take().len();
        assert_eq!(more, 0, "{} says {more} things again", subject.name());
    }
}
