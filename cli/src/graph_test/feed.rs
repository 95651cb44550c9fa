//! Sources for tests: inline samples and events.

use engine::{
    Body, BuildError, Channel, Code, Diagnostic, EventWriter, Fault, Feed, Field, FieldKind, Flow,
    Format, Io, Kind, Node, Outline, Port, Rate, SignalFormat, Source, SourceRef, Spanned,
    TestEvent, Timestamp, Unit, Value,
};

/// What comes out of one output of a replaced node.
#[derive(Clone, Debug)]
pub(crate) enum PortFeed {
    Samples { rate: Rate, channels: Vec<Channel>, samples: Vec<Vec<f32>> },
    Events { fields: Vec<Field>, rate_max: f64, events: Vec<TestEvent> },
}

impl PortFeed {
    /// Weighs the inline values against each other.
    pub(crate) fn read(feed: &Feed, target: &Spanned<SourceRef>) -> Result<Self, Diagnostic> {
        match feed {
            Feed::Events(events) => Self::events(events),
            Feed::Samples { rate_hz, channels, unit, samples } => {
                let rate = Rate::new(rate_hz.value).ok_or_else(|| {
                    let message = format!("`rate_hz` = {:?} is no sample rate", rate_hz.value);
                    let problem = Diagnostic::error(Code::OutOfRange, message);
                    problem.at(&rate_hz.place).hint("choose one from 1e-6 to 1e9")
                })?;
                let unit = unit.as_ref().map_or(Unit::UNKNOWN, |unit| Unit::named(&unit.value));
                let name = |n: usize| channels.get(n).map_or(n.to_string(), |c| c.value.clone());
                let samples = samples.value.iter();
                let samples: Vec<Vec<f32>> =
                    samples.map(|list| list.iter().map(|x| *x as f32).collect()).collect();
                let channels = (0..samples.len()).map(|n| Channel { name: name(n), unit });
                Ok(Self::Samples { rate, channels: channels.collect(), samples })
            }
            Feed::Kind { .. } => {
                Err(Diagnostic::error(Code::BadTest, "a kind is no inline feed").at(&target.place))
            }
        }
    }

    /// An output that nobody takes.
    pub(crate) fn nothing() -> Self {
        Self::Events { fields: Vec::new(), rate_max: 1.0, events: Vec::new() }
    }

    fn events(events: &[TestEvent]) -> Result<Self, Diagnostic> {
        let mut fields: Vec<Field> = Vec::new();
        for (key, value) in events.iter().flat_map(|event| &event.fields) {
            let refuse =
                |message: String| Err(Diagnostic::error(Code::BadTest, message).at(&value.place));
            let Some(kind) = field_kind(&value.value) else {
                let what = value.value.type_name();
                return refuse(format!("`{}` is {what}, which no field can be", key.value));
            };
            match fields.iter_mut().find(|known| known.name == key.value) {
                None => fields.push(Field { name: Box::leak(key.value.clone().into()), kind }),
                Some(known) => match wider(known.kind, kind) {
                    Some(kind) => known.kind = kind,
                    None => return refuse(format!("`{}` is of two types", key.value)),
                },
            }
        }
        if fields.len() > FIELDS_MAX {
            let message = format!("the events have {} fields; {FIELDS_MAX} fit", fields.len());
            return Err(Diagnostic::error(Code::BadTest, message).at(&events[0].t_s.place));
        }
        let rate_max = most_in_a_second(events) as f64;
        Ok(Self::Events { fields, rate_max, events: events.to_vec() })
    }

    fn format(&self, node: &Node<'_>) -> Format {
        match self {
            Self::Samples { rate, channels, .. } => {
                let frame_len = node.frame_len(*rate, FRAME_MS);
                Format::Signal(
                    SignalFormat { channels: channels.clone(), rate: *rate, frame_len }.into(),
                )
            }
            Self::Events { fields, rate_max, .. } => Format::event(fields.clone(), *rate_max),
        }
    }

    fn ends(&self) -> Timestamp {
        match self {
            Self::Samples { rate, samples, .. } => {
                Timestamp::from_nanos(rate.span_ns(samples[0].len() as i64))
            }
            Self::Events { events, .. } => events.last().map_or(Timestamp::ZERO, time),
        }
    }
}

/// As many as an event can say which are there.
const FIELDS_MAX: usize = 64;

/// Short enough that a test of timing sees more than one frame.
const FRAME_MS: f64 = 10.0;

fn time(event: &TestEvent) -> Timestamp {
    Timestamp::from_secs_f64(event.t_s.value)
}

fn most_in_a_second(events: &[TestEvent]) -> usize {
    let within = |n: usize| {
        let end_s = events[n].t_s.value + 1.0;
        events[n..].iter().take_while(|event| event.t_s.value < end_s).count()
    };
    (0..events.len()).map(within).max().unwrap_or(1)
}

fn field_kind(value: &Value) -> Option<FieldKind> {
    Some(match value {
        Value::Bool(_) => FieldKind::Bool,
        Value::Integer(_) => FieldKind::I64,
        Value::Float(_) => FieldKind::F64,
        Value::Text(text) => FieldKind::Text { max: text.len() },
        Value::List(items) if items.iter().all(|item| item.value.as_number().is_some()) => {
            FieldKind::Floats { max: items.len() }
        }
        Value::List(_) | Value::Table(_) => return None,
    })
}

/// What holds values of both.
fn wider(a: FieldKind, b: FieldKind) -> Option<FieldKind> {
    use FieldKind::{F64, Floats, I64, Text};
    Some(match (a, b) {
        (a, b) if a == b => a,
        (I64 | F64, I64 | F64) => F64,
        (Text { max: a }, Text { max: b }) => Text { max: a.max(b) },
        (Floats { max: a }, Floats { max: b }) => Floats { max: a.max(b) },
        _ => return None,
    })
}

/// A source whose outputs play what was written.
pub(crate) fn kind(name: &str, ports: Vec<(&'static str, PortFeed)>) -> &'static Kind {
    let outputs: Vec<Port> = ports
        .iter()
        .map(|(name, feed)| match feed {
            PortFeed::Samples { .. } => Port::signal(name),
            PortFeed::Events { .. } => Port::event(name),
        })
        .collect();
    let feeds: Vec<PortFeed> = ports.into_iter().map(|(_, feed)| feed).collect();
    Box::leak(Box::new(Kind {
        name: Box::leak(format!("(input {name})").into()),
        summary: "Plays what a test says.",
        outputs: Box::leak(outputs.into()),
        plan: |node| {
            let feeds = feeds_of(node);
            let ends = feeds.iter().map(PortFeed::ends).max();
            Ok(Outline {
                duration_ns: ends.map(Timestamp::nanos),
                ..Outline::of(feeds.iter().map(|feed| feed.format(node)))
            })
        },
        build,
        data: Some(Box::leak(Box::new(feeds))),
        ..Kind::BASE
    }))
}

fn feeds_of(node: &Node<'_>) -> &'static [PortFeed] {
    let data = node.kind().data.expect("the kind was made with it");
    data.downcast_ref::<Vec<PortFeed>>().expect("the kind was made with it")
}

fn build(node: &Node<'_>) -> Result<Body, BuildError> {
    let feeds = feeds_of(node);
    let frame_len = |port| node.output(port).as_signal().map_or(1, |signal| signal.frame_len);
    let players = feeds.iter().enumerate();
    let players = players.map(|(port, feed)| Player { feed, frame_len: frame_len(port), at: 0 });
    Ok(Body::source(Playing(players.collect())))
}

/// All outputs of one replaced node.
struct Playing(Vec<Player>);

struct Player {
    feed: &'static PortFeed,
    frame_len: usize,
    /// Samples or events sent.
    at: usize,
}

impl Source for Playing {
    /// Sends one stretch of time, of all outputs: whoever joins them sees one time line.
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let signals = self.0.iter().filter_map(Player::frame_end);
        let Some(until) = signals.min().or(self.0.iter().filter_map(Player::next_event).min())
        else {
            return Ok(Flow::End);
        };
        for (port, player) in self.0.iter_mut().enumerate() {
            player.send(port, until, io);
        }
        let is_over = self.0.iter().all(Player::has_ended);
        Ok(if is_over { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        for player in &mut self.0 {
            player.at = 0;
        }
        Ok(())
    }
}

impl Player {
    fn frame_end(&self) -> Option<Timestamp> {
        let PortFeed::Samples { rate, samples, .. } = self.feed else { return None };
        let end = (self.at + self.frame_len).min(samples[0].len());
        (end > self.at).then(|| Timestamp::from_nanos(rate.span_ns(end as i64)))
    }

    fn next_event(&self) -> Option<Timestamp> {
        let PortFeed::Events { events, .. } = self.feed else { return None };
        events.get(self.at).map(time)
    }

    fn has_ended(&self) -> bool {
        self.frame_end().is_none() && self.next_event().is_none()
    }

    fn send(&mut self, port: usize, until: Timestamp, io: &mut Io<'_>) {
        match self.feed {
            PortFeed::Samples { rate, samples, .. } => {
                let due = |n: &usize| rate.span_ns((self.at + n) as i64) < until.nanos();
                let left = samples[0].len() - self.at;
                let len = (0..left.min(self.frame_len)).take_while(due).count();
                if len == 0 {
                    return;
                }
                let mut buffer = io.signal(port, len);
                let planes = buffer.floats_mut().expect("a fresh buffer has one holder");
                for (plane, channel) in planes.chunks_exact_mut(len).zip(samples) {
                    plane.copy_from_slice(&channel[self.at..self.at + len]);
                }
                let time = Timestamp::from_nanos(rate.span_ns(self.at as i64));
                io.send_buffer(port, time, buffer);
                self.at += len;
            }
            PortFeed::Events { fields, events, .. } => {
                while let Some(event) = events.get(self.at).filter(|event| time(event) <= until) {
                    let mut writer = io.event_for(port);
                    for (key, value) in &event.fields {
                        let field = fields.iter().position(|field| field.name == key.value);
                        let field = field.expect("every key has its field");
                        writer = write(writer, field, fields[field].kind, &value.value);
                    }
                    io.send_event(port, time(event), writer);
                    self.at += 1;
                }
            }
        }
    }
}

fn write(event: EventWriter, field: usize, kind: FieldKind, value: &Value) -> EventWriter {
    match (value, kind) {
        (Value::Bool(yes), _) => event.bool(field, *yes),
        (Value::Integer(number), FieldKind::I64) => event.i64(field, *number),
        (Value::Text(text), _) => event.text(field, text),
        (Value::List(items), _) => {
            let numbers = items.iter().filter_map(|item| item.value.as_number());
            event.floats(field, &numbers.map(|number| number as f32).collect::<Vec<_>>())
        }
        (value, _) => event.f64_or_absent(field, value.as_number()),
    }
}
