//! Reading `[test.input.NODE]`.

use super::spec::{Feed, TestEvent, TestInput};
use crate::graph::keys;
use crate::graph::read::{Numbers, Reader};
use crate::graph::{Code, Diagnostic, Place, Spanned, Value};

impl Reader<'_> {
    pub(super) fn test_input(
        &mut self,
        key: Spanned<String>,
        value: Spanned<Value>,
    ) -> Option<TestInput> {
        let what = format!("input.{}", key.value);
        let target = self.source(key)?;
        if let Some(channels) = &target.value.channels {
            let problem = Diagnostic::error(Code::BadTest, "an input replaces all channels");
            return self.refuse(problem.at(&channels.place).hint("leave the brackets out"));
        }
        let place = value.place.clone();
        let entries = self.table(&what, value)?;
        let has = |name: &str| entries.iter().any(|(key, _)| key.value == name);
        let feed = match (has("op"), has("samples"), has("events")) {
            (true, false, false) => self.kind_feed(entries),
            (false, true, false) => self.sample_feed(entries, &place),
            (false, false, true) => self.event_feed(entries),
            _ => {
                let message = format!("`{what}` does not say what it feeds");
                let problem = Diagnostic::error(Code::BadTest, message).at(&place);
                self.refuse(problem.hint("write one of `samples`, `events` and `op`"))
            }
        };
        Some(TestInput { target, feed: feed? })
    }

    fn kind_feed(&mut self, entries: Vec<(Spanned<String>, Spanned<Value>)>) -> Option<Feed> {
        let (mut op, mut params) = (None, Vec::new());
        for (key, value) in entries {
            match key.value.as_str() {
                "op" => op = self.text("op", value),
                _ => params.push((key, value)),
            }
        }
        Some(Feed::Kind { op: op?, params })
    }

    fn sample_feed(
        &mut self,
        entries: Vec<(Spanned<String>, Spanned<Value>)>,
        place: &Option<Place>,
    ) -> Option<Feed> {
        let (mut rate_hz, mut channels, mut unit, mut samples) = (None, Vec::new(), None, None);
        let mut has_rate = false;
        for (key, value) in entries {
            match key.value.as_str() {
                "rate_hz" => {
                    has_rate = true;
                    rate_hz = self.number("rate_hz", value, Numbers::Positive);
                }
                "channels" => {
                    let items = self.list("channels", value).unwrap_or_default();
                    channels
                        .extend(items.into_iter().filter_map(|item| self.text("channels", item)));
                }
                "unit" => unit = self.text("unit", value),
                "samples" => samples = self.samples(value),
                _ => self.unknown_key(&key, "an input of samples", &keys::FEED),
            }
        }
        if !has_rate {
            let hint = "write `rate_hz = …`, samples per second";
            return self.missing("samples need a rate".to_owned(), place, hint);
        }
        let samples = samples?;
        if !channels.is_empty() && channels.len() != samples.value.len() {
            let message = format!(
                "`channels` names {}, but `samples` holds {}",
                channels.len(),
                samples.value.len()
            );
            let problem = Diagnostic::error(Code::BadTest, message).at(&samples.place);
            return self.refuse(problem.hint("write one list of samples per channel"));
        }
        Some(Feed::Samples { rate_hz: rate_hz?, channels, unit, samples })
    }

    /// One list of numbers, or one such list per channel.
    fn samples(&mut self, value: Spanned<Value>) -> Option<Spanned<Vec<Vec<f64>>>> {
        let place = value.place.clone();
        let items = self.list("samples", value)?;
        let is_nested = matches!(items.first(), Some(Spanned { value: Value::List(_), .. }));
        let lists = match is_nested {
            true => items
                .into_iter()
                .map(|item| self.list("samples", item))
                .collect::<Option<Vec<_>>>()?,
            false => vec![items],
        };
        let channels = lists.into_iter().map(|list| self.channel(list));
        let channels = channels.collect::<Option<Vec<Vec<f64>>>>()?;
        let length = channels.first().map_or(0, Vec::len);
        let problem = if length == 0 {
            "`samples` is empty".to_owned()
        } else if let Some(other) = channels.iter().find(|channel| channel.len() != length) {
            format!("the channels of `samples` have {length} and {} samples", other.len())
        } else {
            return Some(Spanned::new(channels, place));
        };
        self.refuse(Diagnostic::error(Code::BadTest, problem).at(&place))
    }

    fn channel(&mut self, items: Vec<Spanned<Value>>) -> Option<Vec<f64>> {
        let numbers = items.into_iter().map(|item| match item.value.as_number() {
            // A signal may hold NaN, and graphs must be tested for it.
            Some(number) => Some(number),
            None => self.wrong_type("samples", item, "a number"),
        });
        numbers.collect()
    }

    fn event_feed(&mut self, entries: Vec<(Spanned<String>, Spanned<Value>)>) -> Option<Feed> {
        let mut events: Vec<TestEvent> = Vec::new();
        let mut is_whole = true;
        for (key, value) in entries {
            if key.value != "events" {
                self.unknown_key(&key, "an input of events", &keys::FEED);
                continue;
            }
            for item in self.list("events", value)? {
                let Some(event) = self.event(item) else {
                    is_whole = false;
                    continue;
                };
                if let Some(last) = events.last().filter(|last| last.t_s.value > event.t_s.value) {
                    let message =
                        format!("`t_s` = {:?} is before {:?}", event.t_s.value, last.t_s.value);
                    let problem = Diagnostic::error(Code::BadTest, message).at(&event.t_s.place);
                    return self.refuse(problem.hint("write events in the order of their times"));
                }
                events.push(event);
            }
        }
        is_whole.then_some(Feed::Events(events))
    }

    fn event(&mut self, value: Spanned<Value>) -> Option<TestEvent> {
        let place = value.place.clone();
        let mut fields = self.table("events", value)?;
        let Some(at) = fields.iter().position(|(key, _)| key.value == "t_s") else {
            return self.missing("the event has no `t_s`".to_owned(), &place, "write `t_s = …`");
        };
        let (_, t_s) = fields.remove(at);
        Some(TestEvent { t_s: self.number("t_s", t_s, Numbers::Any)?, fields })
    }
}
