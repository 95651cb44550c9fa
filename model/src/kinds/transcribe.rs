//! `transcribe`: what was said, as text.
//!
//! | port    | carries                                                              |
//! |---------|----------------------------------------------------------------------|
//! | `audio` | a signal of 16 000 samples a second, of which one channel counts       |
//! | `turns` | events of `speech.turns`: `what`, `turn`, `start_s`, `end_s`, perhaps `cut`   |
//! | `out`   | an event for each partial and each final                               |
//! | `words` | an event for each word, once it is not taken back any more              |

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use engine::{
    Answer, Body, Buffer, Call, Code, Diagnostic, Diagnostics, EventFormat, EventWriter, Fault,
    Field, FieldValue, Format, Frame, GapNotice, Io, Kind, Node, Outline, Param, Placement, Port,
    Reply, Timestamp,
};

use crate::{
    host::ModelService,
    kinds::speech::LEAD_MAX_S,
    transcription::{
        RATE_HZ, SpeechModel, Way, budget, languages,
        listener::{Asks, Event, Listener, Manner, News, Question, Says},
    },
};

use super::{absent::AbsentModel, asking::MODEL};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "transcribe",
    summary: "What was said, as text.",
    doc: "Events `what` = \"partial\" and \"final\" with the `text` of a turn. While somebody speaks a partial comes \
          every `partial_s`: what two in a row begin with (LocalAgreement-2, arXiv 2307.14743) is `stable`, is never \
          taken back, and comes word by word on `words`. Turns come from `speech.turns`, and nothing at \
          their start is clipped, however long its pre-roll is: 16 s are kept, 1 MB a session. Where that says that a turn may have \
          ended, the final is begun, so that it is mostly there when the turn has ended (`early`); it is thrown away when \
          the speaker goes on. Where the model fails at the end of a turn, what was heard of it before is told as `incomplete`. A turn of more \
          than 6 kB of text, or of more than `turn_max_s`, is told in parts: finals of the same number. Without `turns` the audio is heard in windows of up to 28 s, each told as a final, without \
          partials unless `partial_s` is written (14 s at most count); while one is understood the next ones wait, up to 5 min of audio or 19 MB: where \
          the model is slower than that for good, what a live source says meanwhile is lost, which is counted and told. Times are in seconds of the session; events have the moment at which they were decided. `confidence` is \
          the geometric mean of the probabilities of the words' parts, 0 to 1. Finals go before partials: where \
          the machine has no time, partials are left out, finals never. The model hears as much as there is, at least \
          5.1 s, and may say 16 words' parts and 12 for each second, in languages of other than Latin letters as many as it can; a final that it had more to say about is \
          `incomplete`, as is one at which it began to repeat itself and was stopped, be nothing left of it. What the \
          `cache` of the model has, of finals and windows, is not heard again; partials are. Silence stands for up to 2 s of missing audio, and for NaN; longer gaps end a turn. \
          Delay: none. Cost: the model's, on threads of its own, as many as the machine has processors; \
          without a `language` that of finding it out as well: with each partial until it is sure (0.8 of 3 s or more), and with \
          each final.",
    example: "model = \"voice\"\n\n[model.voice]\nfile = \"ggml-tiny.bin\"\noptional = true",
    inputs: &[
        Port::signal("audio").of_one_channel().fed_by(&["audio", "resample"]),
        Port::event("turns").optional().fed_by(&["speech.turns"]),
    ],
    outputs: &[Port::event("out"), Port::event("words")],
    params: &[
        &MODEL,
        &LANGUAGE,
        &TRANSLATE,
        &PROMPT,
        &PARTIAL_S,
        &SPECULATE,
        &TAIL_S,
        &TURN_MAX_S,
        &CONTEXT_MIN,
    ],
    placement: Placement::Asks,
    plan: |node| {
        fits(node)?;
        let mut outline =
            Outline::of([Format::event(fields(), 8.0), Format::event(word_fields(), 40.0)]);
        if let Some(absent) = node.services().find::<AbsentModel>(node.get(&MODEL)?) {
            let message = format!("`{}` tells nothing: {}", node.name(), absent.why);
            let warning = Diagnostic::warning(Code::BadFile, message);
            outline.warnings.push(warning.hint(absent.hint()));
        } else {
            let model = model(node)?;
            let manner = manner(node, model)?;
            outline.warnings.extend(idle(node, model)?);
            outline.warnings.extend(made_for_other(node, model, &manner.way)?);
            outline.warnings.extend(heard_otherwise(node, model)?);
        }
        Ok(outline)
    },
    build: |node| {
        if node.services().find::<AbsentModel>(node.get(&MODEL)?).is_some() {
            return Ok(Body::call(Deaf));
        }
        let model = model(node).map_err(engine::BuildError::Graph)?;
        let manner = manner(node, model).map_err(engine::BuildError::Graph)?;
        let (Format::Event(out), Format::Event(words)) = (node.output(0), node.output(1)) else {
            return Err(Fault::new("its outputs are events").into());
        };
        let (out, words) = (out.clone(), words.clone());
        let says: Says = Arc::new(move |news| answer(news, &out, &words));
        let SpeechModel { cascade, pool, cache } = model.clone();
        let asks = Asks { pool, cascade, cache, says };
        Ok(Body::call(Transcribe {
            listener: Listener::new(manner, asks),
            turns: Turns::of(node),
            open: BTreeMap::new(),
            // A body put in anew takes no question of the one before it for its own.
            numbers: BODIES.fetch_add(1, Ordering::Relaxed) << 32,
            until: Timestamp::ZERO,
        }))
    },
    ..Kind::BASE
};

/// Bodies so far, which number their questions apart.
static BODIES: AtomicU64 = AtomicU64::new(0);

const LANGUAGE: Param<&str> = Param::with_default(
    "language",
    "auto",
    "What is spoken, as in \"en\" or \"de\"; \"auto\" finds out, which takes as long as understanding it.",
);
const TRANSLATE: Param<bool> = Param::with_default(
    "translate",
    false,
    "Whether the text is to be English, whatever is spoken.",
);
const PROMPT: Param<&str> = Param::with_default(
    "prompt",
    "",
    "Words to be expected, such as names and technical terms: the model takes them for what was said before.",
);
const PARTIAL_S: Param<f64> = Param::optional(
    "partial_s",
    "New audio from one partial to the next, at least: a session takes at most a third of a processor for them. 0 for \
     none; 1 unless written, and none without `turns`.",
)
.within(0.0, 60.0);
const SPECULATE: Param<bool> = Param::with_default(
    "speculate",
    true,
    "Whether finals are begun where a turn may have ended, rather than when it has.",
);
const TAIL_S: Param<f64> =
    Param::with_default("tail_s", 0.1, "Audio behind the end of a turn that is heard, too.")
        .within(0.0, 2.0);
const TURN_MAX_S: Param<f64> = Param::with_default(
    "turn_max_s",
    60.0,
    "Longest turn; what is said then is told, and the turn goes on as another part of the same number.",
)
.within(5.0, 600.0);
const CONTEXT_MIN: Param<i64> = Param::with_default(
    "context_min",
    budget::FLOOR as i64,
    "Fewest positions of the encoder, of 1500 for 30 s: fewer make short turns quicker, and models that were not trained for \
     it repeat themselves.",
)
.within(64.0, 1_500.0);

/// Longest text that is told at once, in bytes; a turn that has more is told in parts: `listener::PART_BYTES`.
const TEXT_MAX: usize = 8_192;
const WORD_MAX: usize = 256;

fn fields() -> Vec<Field> {
    vec![
        Field::text("what", 8),
        Field::i64("turn"),
        Field::f64("start_s"),
        Field::f64("end_s"),
        Field::text("text", TEXT_MAX),
        Field::text("stable", TEXT_MAX),
        Field::text("language", 8),
        Field::f64("confidence"),
        Field::text("model", 64),
        Field::bool("early"),
        Field::bool("incomplete"),
    ]
}

fn word_fields() -> Vec<Field> {
    vec![
        Field::i64("turn"),
        Field::f64("start_s"),
        Field::f64("end_s"),
        Field::text("word", WORD_MAX),
        Field::f64("probability"),
    ]
}

/// What is told, as events.
fn answer(news: &[News], out: &Arc<EventFormat>, words: &Arc<EventFormat>) -> Answer {
    let mut answer = Answer::nothing();
    for News { is_final, turn, start_s, end_s, told, is_early, is_incomplete } in news {
        let mut event = EventWriter::new(out)
            .text(0, if *is_final { "final" } else { "partial" })
            .i64(1, *turn)
            .f64(2, *start_s)
            .f64(3, *end_s)
            .text(4, &told.text)
            .text(5, &told.stable);
        if let Some(language) = &told.language {
            event = event.text(6, language);
        }
        if !told.text.is_empty() {
            event = event.f64(7, told.confidence);
        }
        event = event.text(8, &told.model).bool(9, *is_early).bool(10, *is_incomplete);
        event = event.duration_ns(((end_s - start_s).max(0.0) * 1e9) as i64);
        answer = answer.and(0, event.finish());
        for word in &told.words {
            let event = EventWriter::new(words)
                .i64(0, *turn)
                .f64(1, word.start_s)
                .f64(2, word.end_s)
                .text(3, word.text.trim())
                .f64(4, word.probability);
            let event = event.duration_ns(((word.end_s - word.start_s).max(0.0) * 1e9) as i64);
            answer = answer.and(1, event.finish());
        }
    }
    answer
}

/// The model of speech that a node names.
fn model<'a>(node: &Node<'a>) -> Result<&'a SpeechModel, Diagnostics> {
    let name = node.get(&MODEL)?;
    if node.services().find::<ModelService>(name).is_some() {
        let message = format!("the model `{name}` is none of speech");
        let problem = node.problem(Code::FormatMismatch, MODEL.name(), message);
        let hint = "name a Whisper model in ggml format as its `file`, such as ggml-tiny.bin; ONNX models are asked by `infer`";
        return Err(problem.hint(hint).into());
    }
    node.service::<SpeechModel>(&MODEL)
}

/// That its inputs are what it takes.
fn fits(node: &Node<'_>) -> Result<(), Diagnostics> {
    let mut problems = Vec::new();
    let place = |port: &str| {
        let input = node.inputs().iter().find(|input| input.port == port);
        input.and_then(|input| input.place.clone())
    };
    let rate_hz = node.rate_hz("audio");
    if (rate_hz - f64::from(RATE_HZ)).abs() > 1e-6 {
        let message = format!("models of speech take {RATE_HZ} samples a second, not {rate_hz}");
        let problem = Diagnostic::error(Code::FormatMismatch, message).at(&place("audio"));
        let hint = "put a node between: op = \"resample\", rate_hz = 16000.0";
        problems.push(problem.of_node(node.name()).hint(hint));
    }
    if let Some(input) = node.inputs().iter().find(|input| input.port == "turns") {
        let format = input.format.as_event();
        let missing = Turns::FIELDS.iter().filter(|name| {
            !format.is_some_and(|it| it.fields.iter().any(|field| field.name == **name))
        });
        let missing: Vec<String> = missing.map(|name| format!("`{name}`")).collect();
        if !missing.is_empty() {
            let message = format!("events without {} tell no turns", missing.join(", "));
            let problem = Diagnostic::error(Code::FormatMismatch, message).at(&place("turns"));
            let hint = "take them from the port `turns` of a node with op = \"speech\"";
            problems.push(problem.of_node(node.name()).hint(hint));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Diagnostics(problems)) }
}

fn manner(node: &Node<'_>, model: &SpeechModel) -> Result<Manner, Diagnostics> {
    let has_turns = node.inputs().iter().any(|input| input.port == "turns");
    let language = node.get(&LANGUAGE)?;
    let wrong = |message, hint: String| -> Diagnostics {
        node.problem(Code::OutOfRange, LANGUAGE.name(), message).hint(hint).into()
    };
    if language != "auto" && !languages::is_known(language) {
        let message = format!("`language` = {language:?} is no language that models know");
        let code = languages::meant(language).unwrap_or("en");
        return Err(wrong(message, format!("write its code, such as {code:?}, or \"auto\"")));
    }
    let english: Vec<String> = model.cascade.english().map(|name| format!("`{name}`")).collect();
    if !["auto", "en"].contains(&language) && !english.is_empty() {
        let name = node.get(&MODEL)?;
        let know = if english.len() == 1 { "knows" } else { "know" };
        let message = format!(
            "`language` = {language:?}, and {} of the model `{name}` {know} English alone",
            english.join(" and ")
        );
        let hint =
            "name a model of many languages, whose name has no \".en\", such as ggml-tiny.bin";
        return Err(wrong(message, hint.to_owned()));
    }
    let usual = if has_turns { 1.0 } else { 0.0 };
    let step_s = node.get_optional(&PARTIAL_S)?.unwrap_or(usual);
    let way = Way {
        language: (language != "auto").then(|| language.into()),
        translates: node.get(&TRANSLATE)?,
        floor: node.get(&CONTEXT_MIN)? as usize,
        tokens: None,
    };
    Ok(Manner {
        way,
        prompt: node.get(&PROMPT)?.into(),
        // Anything shorter would be asked again before it is answered.
        step_s: (step_s > 0.0).then_some(step_s.max(0.2)),
        speculates: node.get(&SPECULATE)?,
        tail_s: node.get(&TAIL_S)?,
        turn_max_s: node.get(&TURN_MAX_S)?,
        lead_s: LEAD_MAX_S,
        has_turns,
    })
}

/// What is written and changes nothing.
fn idle(node: &Node<'_>, model: &SpeechModel) -> Result<Vec<Diagnostic>, Diagnostic> {
    if model.cascade.english().count() < model.cascade.names().count() {
        return Ok(Vec::new());
    }
    let (name, language) = (node.get(&MODEL)?, node.get(&LANGUAGE)?);
    // What is not written has the place of `op`. "en" beside it says what is so.
    let is_sought = language == "auto" && node.place(LANGUAGE.name()) != node.place("op");
    let mut all = Vec::new();
    let mut idles = |param: &str, value: String| {
        let message =
            format!("`{param}` = {value} changes nothing: the model `{name}` knows English alone");
        let warning = Diagnostic::warning(Code::NoEffect, message).at(node.place(param));
        all.push(warning.hint(format!(
            "leave `{param}` out, or name a model of many languages, whose name has no \".en\", such as ggml-tiny.bin"
        )));
    };
    if is_sought {
        idles(LANGUAGE.name(), format!("{language:?}"));
    }
    if node.get(&TRANSLATE)? {
        idles(TRANSLATE.name(), "true".to_owned());
    }
    Ok(all)
}

/// What the models were calibrated for, where that is something else.
fn made_for_other(
    node: &Node<'_>,
    model: &SpeechModel,
    way: &Way,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let Some((language, translates)) = model.cascade.is_made_for_other(way) else {
        return Ok(None);
    };
    let told = |language: &str, translates: bool| {
        let also = if translates { " and `translate`" } else { "" };
        format!("`language` = {language:?}{also}")
    };
    let name = node.get(&MODEL)?;
    let message = format!(
        "the `exits` of the model `{name}` were made for {}, and `{}` asks for {}: what they promise may not hold",
        told(language, translates),
        node.name(),
        told(way.language.as_deref().unwrap_or("auto"), way.translates)
    );
    let warning = Diagnostic::warning(Code::BadFile, message).at(node.place(LANGUAGE.name()));
    let hint = "run `afferent calibrate` again with recordings of what is spoken";
    Ok(Some(warning.hint(hint)))
}

/// How the models are heard otherwise than they were calibrated for.
fn heard_otherwise(node: &Node<'_>, model: &SpeechModel) -> Result<Option<Diagnostic>, Diagnostic> {
    let Some(why) = model.cascade.is_heard_otherwise() else { return Ok(None) };
    let name = node.get(&MODEL)?;
    let message = format!("what the `exits` of the model `{name}` promise may not hold: {why}");
    let warning = Diagnostic::warning(Code::BadFile, message).at(node.place(MODEL.name()));
    Ok(Some(warning.hint("run `afferent calibrate` again, which hears as the graph does")))
}

/// Where the fields of a turn's events are.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    what: usize,
    turn: usize,
    start_s: usize,
    end_s: usize,
    /// Where somebody tells it.
    cut: Option<usize>,
}

impl Turns {
    const FIELDS: [&str; 4] = ["what", "turn", "start_s", "end_s"];

    fn of(node: &Node<'_>) -> Self {
        let input = node.inputs().iter().find(|input| input.port == "turns");
        let at = |name: &str| {
            let fields = input.and_then(|input| input.format.as_event()).map(|it| &it.fields);
            fields.and_then(|fields| fields.iter().position(|field| field.name == name))
        };
        let [what, turn, start_s, end_s] = Self::FIELDS.map(|name| at(name).unwrap_or(0));
        Self { what, turn, start_s, end_s, cut: at("cut") }
    }

    /// What an event says; nothing where it says nothing that is known.
    fn read(&self, io: &Io<'_>) -> Option<(i64, Event)> {
        let event = io.event();
        let Some(FieldValue::Text(what)) = event.field(self.what) else { return None };
        let turn = match event.field(self.turn) {
            Some(FieldValue::I64(turn)) => turn,
            _ => 0,
        };
        let seconds = |field| event.f64(field).filter(|seconds: &f64| seconds.is_finite());
        let event = match what {
            "start" => Event::Start(seconds(self.start_s)?),
            "speculate" => Event::Speculate(seconds(self.end_s)?),
            "resume" => Event::Resume,
            "end" => match self.cut.and_then(|cut| event.field(cut)) {
                Some(FieldValue::Bool(true)) => Event::Cut(seconds(self.end_s)?),
                _ => Event::End(seconds(self.end_s)?),
            },
            _ => return None,
        };
        Some((turn, event))
    }
}

/// Hears, asks and tells.
struct Transcribe {
    listener: Listener,
    turns: Turns,
    /// Questions that were not asked yet, by their number.
    open: BTreeMap<u64, Question>,
    numbers: u64,
    /// The moment up to which it has heard.
    until: Timestamp,
}

impl Transcribe {
    fn send(&mut self, io: &mut Io<'_>, time: Timestamp, question: Question) {
        self.numbers += 1;
        let mut buffer = Buffer::with_bytes(8, 1);
        buffer.bytes_mut().expect("fresh").copy_from_slice(&self.numbers.to_le_bytes());
        self.open.insert(self.numbers, question);
        io.send_buffer(0, time, buffer);
    }
}

fn seconds(time: Timestamp) -> f64 {
    time.nanos() as f64 / 1e9
}

impl Call for Transcribe {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let time = io.frame().header.time;
        if io.port() == 1 {
            let Some((turn, event)) = self.turns.read(io) else { return Ok(()) };
            if let Some(question) = self.listener.tell(turn, event) {
                self.send(io, time, question);
            }
            return Ok(());
        }
        let (begins, end) = (io.time_of(0), io.end());
        let frame = io.take();
        self.until = end;
        for question in self.listener.hear(seconds(begins), frame.channel(0)) {
            let at = Timestamp::from_nanos((question.end_s() * 1e9).round() as i64);
            self.send(io, at.clamp(begins, end.max(begins)), question);
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice) {
        // The time of the next frame says how long it is.
    }

    fn void(&mut self) {
        self.open.clear();
        self.listener.void();
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if let Some(question) = self.listener.end() {
            self.send(io, self.until, question);
        }
        Ok(())
    }

    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let number = question.buffer().bytes().first_chunk().map(|it| u64::from_le_bytes(*it));
        match number.and_then(|number| self.open.remove(&number)) {
            Some(question) => self.listener.ask(question, reply),
            // What was heard for it is gone: asked again (`retries`), it fails again.
            None if number.is_some_and(|number| number >> 32 == self.numbers >> 32) => {
                reply.fail(Fault::new("what was heard is not kept to be asked about again"));
            }
            // Put in anew, it knows nothing of what was heard before.
            None => reply.answer(Answer::nothing()),
        }
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        self.listener.remark()
    }

    fn in_flight(&self) -> usize {
        self.listener.in_flight()
    }

    fn keeps_here(&self) -> Option<&'static str> {
        Some("what is asked about a turn hangs together")
    }
}

/// Stands for one whose model is not there: tells nothing.
struct Deaf;

impl Call for Deaf {
    fn process(&mut self, _: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn ask(&mut self, _: &Frame, reply: Reply) -> Result<(), Fault> {
        reply.answer(Answer::nothing());
        Ok(())
    }
}
