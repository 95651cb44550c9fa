//! Variants of a model, sessions split between two, and a shadow whose answers nobody sees.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use afferent_suite::{
    kinds::{tallied, tally},
    onnx,
};
use engine::{
    Answer, Buffer, ControlError, Fault, RunOptions, Running, Service, Services,
    testing::{Awaited, Outcome, reply},
};
use model::{
    backend::Loaded,
    host::{Chain, Door, Model, ModelService, Quality, Row, Rowwise, Split, Terms, Way, Workers},
};

use crate::{LIMIT, cold, host::Made, plan_of, run_plan, sections::file, server::wait, try_plan};

/// Reads the first number of the answer.
struct First;

impl Rowwise for First {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        Ok(Buffer::of_floats(&row.output(0)[..1], 1).into())
    }
}

/// Keeps its processor busy for so long, and multiplies by `factor`.
fn times(factor: f32, len: usize, takes: Duration) -> Made {
    Made::new(("x", len), &[("y", len)], move |_, x| {
        let began = Instant::now();
        while began.elapsed() < takes {
            std::hint::spin_loop();
        }
        Ok(vec![x.iter().map(|x| factor * x).collect()])
    })
}

/// Waits until it may go on, and multiplies by `factor`.
fn held(factor: f32, gate: &Arc<AtomicBool>) -> Made {
    let gate = gate.clone();
    Made::new(("x", 1), &[("y", 1)], move |_, x| {
        while !gate.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        Ok(vec![x.iter().map(|x| factor * x).collect()])
    })
}

fn variant(name: &str, loaded: impl Loaded + 'static, workers: &Workers) -> Arc<Model> {
    Model::variant_of("m", Some(name), Chain::one(Arc::new(loaded)), 1, workers)
}

fn door(service: &ModelService, quality: Option<Quality>, session: &str) -> Door {
    let way = Way::new(service.model.signature(), 0, vec![1], &[], Box::new(First));
    service.door(way.expect("a way"), Terms::default(), quality, session).expect("a door")
}

fn ask(door: &Door, within: Option<Duration>) -> Awaited {
    let (reply, awaited) = reply(within);
    door.ask(Buffer::of_floats(&[1.0], 1), reply);
    awaited
}

fn answer(awaited: &Awaited) -> f32 {
    match awaited.wait(LIMIT) {
        Outcome::Answer(Some(answer)) => answer.floats()[0],
        other => panic!("{other:?}"),
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "{what} never came");
        wait(Duration::from_millis(1));
    }
}

/// Three variants that give one, two and three times what they are asked.
fn three(workers: &Workers, quality: Quality) -> ModelService {
    let models = [("small", 1.0), ("middle", 2.0), ("large", 3.0)]
        .map(|(name, factor)| variant(name, times(factor, 1, Duration::ZERO), workers));
    ModelService::of_variants(models.into(), Vec::new(), quality, Duration::ZERO)
}

#[test]
fn the_knob_names_a_variant() {
    let service = three(&cold(1), Quality::At(1.0));
    let said = |quality| answer(&ask(&door(&service, quality, "0"), None));
    assert_eq!(said(None), 3.0);
    assert_eq!([0.0, 0.5, 1.0].map(|q| said(Some(Quality::At(q)))), [1.0, 2.0, 3.0]);
    // Without a deadline the best is in time.
    assert_eq!(said(Some(Quality::Auto)), 3.0);
    let answered: Vec<u64> = service.variants().iter().map(|it| it.tally().answered).collect();
    assert_eq!(answered, [1, 1, 3]);
    let line = service.remark().expect("it was asked");
    assert!(line.starts_with("5 answers, 60 % by `large` within "), "{line}");
}

#[test]
fn auto_takes_what_is_in_time_as_learned() {
    let workers = cold(1);
    let models = vec![
        variant("small", times(1.0, 1, Duration::ZERO), &workers),
        variant("large", times(2.0, 1, Duration::from_millis(40)), &workers),
    ];
    let dwell = Duration::from_millis(50);
    let service = ModelService::of_variants(models, Vec::new(), Quality::Auto, dwell);
    let door = door(&service, None, "0");
    // Nothing is known yet: the best may try.
    assert_eq!(answer(&ask(&door, Some(LIMIT))), 2.0);
    // No run of 40 ms is over in 30, on whatever machine.
    for _ in 0..5 {
        assert_eq!(answer(&ask(&door, Some(Duration::from_millis(30)))), 1.0);
    }
    assert_eq!(answer(&ask(&door, Some(LIMIT))), 2.0);
}

#[test]
fn under_load_it_falls_and_comes_back() {
    let workers = cold(1);
    let models = vec![
        variant("small", times(1.0, 1, Duration::ZERO), &workers),
        variant("large", times(2.0, 1, Duration::from_millis(50)), &workers),
    ];
    let dwell = Duration::from_millis(20);
    let service = ModelService::of_variants(models, Vec::new(), Quality::Auto, dwell);
    let door = door(&service, None, "0");
    assert_eq!(answer(&ask(&door, Some(LIMIT))), 2.0);
    // Far more at once than the large one could answer in time: 40 × 50 ms.
    let asked: Vec<Awaited> = (0..40).map(|_| ask(&door, Some(Duration::from_secs(1)))).collect();
    let said: Vec<Outcome> = asked.iter().map(|asked| asked.wait(LIMIT)).collect();
    let count = |factor: f32| {
        let is = |outcome: &&Outcome| matches!(outcome, Outcome::Answer(Some(answer)) if answer.floats()[0] == factor);
        said.iter().filter(is).count()
    };
    assert!(count(1.0) > 20, "{} by the small one", count(1.0));
    assert!((1..20).contains(&count(2.0)), "{} by the large one", count(2.0));
    until("the large one", || answer(&ask(&door, Some(LIMIT))) == 2.0);
    for model in service.variants() {
        let tally = model.tally();
        let out = tally.answered + tally.late + tally.refused + tally.failed + tally.handed;
        assert_eq!((tally.asked, tally.inside), (out + tally.forgotten, 0), "{tally:?}");
    }
}

#[test]
fn what_is_too_late_for_one_goes_to_a_cheaper_one() {
    let workers = cold(1);
    let gate = Arc::new(AtomicBool::new(false));
    let models = vec![
        variant("small", times(1.0, 1, Duration::ZERO), &workers),
        variant("large", times(2.0, 1, Duration::from_millis(200)), &workers),
    ];
    let blocks = variant("blocks", held(0.0, &gate), &workers);
    let (small, large) = (models[0].clone(), models[1].clone());
    let service = ModelService::of_variants(models, Vec::new(), Quality::At(1.0), Duration::ZERO);
    let best = door(&service, None, "0");
    assert_eq!(answer(&ask(&best, None)), 2.0);
    // An answer is given before its run is learned from.
    until("learned", || !large.costs()[0].is_empty());
    // At the door.
    assert_eq!(answer(&ask(&best, Some(Duration::from_millis(150)))), 1.0);
    assert_eq!((large.tally().asked, large.tally().refused), (1, 0));
    // While it waits, behind what takes until nothing but the small one is in time. A machine that sleeps in
    // between may let all be too late, or what was learned be too old.
    let blocker = door(&ModelService::new(blocks, Vec::new()), None, "0");
    let handed = (0..20).any(|_| {
        gate.store(true, Ordering::Relaxed);
        assert_eq!(answer(&ask(&best, None)), 2.0);
        gate.store(false, Ordering::Relaxed);
        let (before, began) = (ask(&blocker, None), Instant::now());
        let late = ask(&best, Some(Duration::from_millis(600)));
        wait(Duration::from_millis(450).saturating_sub(began.elapsed()));
        gate.store(true, Ordering::Relaxed);
        assert_eq!(answer(&before), 0.0);
        let said = late.wait(LIMIT);
        let is_small = matches!(&said, Outcome::Answer(Some(answer)) if answer.floats()[0] == 1.0);
        is_small && large.tally().handed > 0
    });
    assert!(handed, "{:?}", large.tally());
    let (large, small) = (large.tally(), small.tally());
    assert_eq!((small.failed, small.inside, large.inside), (0, 0, 0));
}

#[test]
fn sessions_are_split_by_their_names_alone() {
    let workers = cold(1);
    let own = variant("own", times(1.0, 1, Duration::ZERO), &workers);
    let other = variant("other", times(2.0, 1, Duration::ZERO), &workers);
    let split = Split::new("m ab", 0.3);
    let service = ModelService::new(own.clone(), Vec::new()).with_ab(other.clone(), split);
    let names: Vec<String> = (0..50).map(|number| format!("person-{number}")).collect();
    let mut given = 0;
    for name in &names {
        let want = if split.takes(name) { 2.0 } else { 1.0 };
        for _ in 0..2 {
            assert_eq!(answer(&ask(&door(&service, None, name), None)), want, "{name}");
        }
        given += u64::from(split.takes(name));
    }
    assert!((5..25).contains(&given), "{given}");
    assert_eq!((own.tally().answered, other.tally().answered), (100 - 2 * given, 2 * given));
    // Told beforehand, with the reference implementation of xxh3 in Python: nothing else says who is who.
    let taken: Vec<&String> = names.iter().filter(|name| split.takes(name)).take(5).collect();
    assert_eq!(taken, TAKEN, "the hash has changed: everybody would be dealt anew");
    let line = service.remark().expect("it was asked");
    assert!(line.contains(&format!("; B is `other`: {} answers within ", 2 * given)), "{line}");
}

/// The first of `person-0`, `person-1`, … below 0.3: `xxh3_64(name, seed=xxh3_64("m ab")) / 2**64`.
const TAKEN: [&str; 5] = ["person-5", "person-9", "person-11", "person-17", "person-24"];

#[test]
fn a_shadow_is_compared_and_nobody_waits_for_it() {
    let workers = cold(2);
    let gate = Arc::new(AtomicBool::new(false));
    let own = variant("own", times(1.0, 1, Duration::ZERO), &workers);
    let other = variant("other", held(1.5, &gate), &workers);
    let split = Split::new("m shadow", 1.0);
    let service = ModelService::new(own.clone(), Vec::new()).with_shadow(other.clone(), split);
    let door = door(&service, None, "0");
    // The shadow answers nothing all this while, and takes one of two workers.
    for _ in 0..300 {
        assert_eq!(answer(&ask(&door, Some(LIMIT))), 1.0);
    }
    let compared = service.compared().expect("a shadow");
    assert_eq!(compared.sums().compared, 0);
    let tally = other.tally();
    assert_eq!(tally.asked, 300);
    // No more than 256 wait; the others are refused, and counted.
    assert!(tally.inside <= 257 && tally.inside + tally.refused == 300, "{tally:?}");
    gate.store(true, Ordering::Relaxed);
    until("the shadow's answers", || other.tally().inside == 0);
    let sums = compared.sums();
    assert_eq!(sums.compared, other.tally().answered);
    // One number is no class, and half of it is not within 5 %.
    assert_eq!((sums.agreement(), sums.mean_difference()), (Some(0.0), Some(0.5)));
    assert_eq!(own.tally().answered, 300);
    let line = service.remark().expect("it was asked");
    assert!(line.contains("; shadow `other`: "), "{line}");
    assert!(line.contains("0.0 % agree, 0.500 apart on average"), "{line}");
}

#[test]
fn a_shadow_that_fails_harms_nobody() {
    let workers = cold(1);
    let own = variant("own", times(1.0, 1, Duration::ZERO), &workers);
    let fails = Made::new(("x", 1), &[("y", 1)], |_, _| Err(Fault::new("as planned")));
    let other = variant("other", fails, &workers);
    let split = Split::new("m shadow", 1.0);
    let service = ModelService::new(own, Vec::new()).with_shadow(other.clone(), split);
    let door = door(&service, None, "0");
    for _ in 0..50 {
        assert_eq!(answer(&ask(&door, Some(LIMIT))), 1.0);
    }
    until("the shadow's faults", || other.tally().inside == 0);
    let tally = other.tally();
    assert_eq!((tally.answered, tally.failed + tally.refused), (0, 50), "{tally:?}");
    assert_eq!(service.compared().expect("a shadow").sums().compared, 0);
}

/// Runs with three variants, called `m`, at the pace of its content, far longer than any of these tests.
fn start(name: &str, node: &str) -> Running {
    let text = crate::graph(name, "", &format!("op = \"infer\"\nmodel = \"m\"\n{node}"));
    let text = text.replace("samples = 400", "samples = 1_000_000");
    let workers = cold(1);
    let models = [("small", 1.0), ("middle", 2.0), ("large", 3.0)]
        .map(|(name, factor)| variant(name, times(factor, 10, Duration::ZERO), &workers));
    let service =
        ModelService::of_variants(models.into(), Vec::new(), Quality::At(1.0), Duration::ZERO);
    let spec = engine::GraphSpec::parse(&engine::SourceText::new("models.toml", text));
    let service: Arc<dyn Service> = Arc::new(service);
    let plan = plan_of(&spec.expect("a graph"), Services::new([("m".to_owned(), service)]));
    let options = RunOptions { speed: Some(1.0), ..RunOptions::default() };
    plan.unwrap_or_else(|problems| panic!("{problems}")).start(&options).expect("bodies")
}

#[test]
fn the_knob_can_be_turned_while_it_runs() {
    let running = start("knob", "quality = 0.0");
    // Of samples that rise by one the model gives samples that rise by its factor.
    let said = || -> Vec<f32> {
        let rise = |(_, frame): &(usize, engine::Frame)| {
            let numbers = frame.buffer().floats();
            numbers[1] - numbers[0]
        };
        tally("knob").iter().map(rise).collect()
    };
    until("the small one", || said().contains(&1.0));
    for (quality, factor) in [(0.5, 2.0), (1.0, 3.0), (0.0, 1.0)] {
        running.set(0, "ask", "quality", quality).expect("a live parameter");
        until("the one that was set", || said().contains(&factor));
        // From then on nobody else answers.
        let mut heard = Vec::new();
        until("ten more", || {
            heard.extend(said());
            heard.len() >= 10
        });
        assert_eq!(heard, vec![factor; heard.len()]);
    }
    running.set(0, "ask", "quality", "auto").expect("a live parameter");
    until("the large one", || said().contains(&3.0));
    for wrong in [engine::Value::from(1.5), engine::Value::from("best")] {
        let refused = running.set(0, "ask", "quality", wrong);
        assert!(matches!(refused, Err(ControlError::Refused(_))), "{refused:?}");
    }
    running.stop();
    assert_eq!(running.wait_for(LIMIT).expect("ends").fault, None);
}

/// A profile that says so much of a file.
fn profile(content: &[u8], p50_us: f64, top1: f64, labels: &str) -> String {
    let content = xxhash_rust::xxh3::xxh3_128(content);
    format!(
        r#"
        format = 1
        file = "m.onnx"
        content = "xxh3-128:{content:032x}"
        bytes = 1
        takes = []
        gives = []
        asked = "data"
        [machine]
        processor = "p"
        processors = 1
        system = "s"
        [[latency]]
        backend = "rten"
        workers = 1
        batch = 1
        runs = 10
        p50_us = {p50_us:?}
        p99_us = {p50_us:?}
        per_s = 1.0
        economy = 1.0
        [accuracy]
        data = "d.npz"
        data_content = "xxh3-128:00"
        backend = "rten"
        output = "y"
        rows = 100
        top1 = {top1:?}
        labels = {labels}
        confusion = []
        "#
    )
}

fn graph(section: &str, node: &str) -> String {
    let section = format!("[model.m]\nbackend = \"rten\"\n{section}");
    crate::graph("front", &section, &format!("op = \"infer\"\nmodel = \"m\"\n{node}"))
}

fn said(section: &str) -> String {
    match try_plan(&graph(section, "")) {
        Ok(_) => panic!("it is planned"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_section_of_variants_with_profiles_answers_by_quality() {
    // `Relu`, `Neg` and `Abs` of what is asked less 200: each tells who it is.
    let made = [("Relu", 10.0, 0.8), ("Neg", 30.0, 0.9), ("Abs", 40.0, 0.85)];
    let paths = made.map(|(operator, p50_us, top1)| {
        let content = onnx::unary(operator, &[None, Some(20)]);
        let text = profile(&content, p50_us, top1, "[\"a\", \"b\"]");
        file(&format!("front-{operator}.profile.toml"), text.as_bytes());
        file(&format!("front-{operator}.onnx"), &content)
    });
    let section = format!("variants = {paths:?}");
    let answers = |node: &str| {
        let text = graph(&section, &format!("normalize = \"given\"\nmean = [200.0]\n{node}"));
        run_plan(&try_plan(&text).unwrap_or_else(|problems| panic!("{problems}")), 1);
        tallied("front").0
    };
    let of = |f: fn(f32) -> f32| (0..400).map(|n| f(n as f32 - 200.0)).collect::<Vec<_>>();
    assert_eq!(answers("quality = 0.0"), of(|x| x.max(0.0)));
    assert_eq!(answers("quality = 1.0"), of(|x| -x), "`Abs` is slower and no better");
    assert_eq!(answers(""), of(|x| -x));
    assert_eq!(answers("quality = \"auto\""), of(|x| -x));
}

#[test]
fn a_profile_beside_a_model_says_what_it_cannot_keep() {
    let content = onnx::unary("Neg", &[None, Some(20)]);
    let path = file("slow.onnx", &content);
    let told = |p50_us: f64, deadline_ms: f64| -> Vec<String> {
        let text = profile(&content, p50_us, 0.9, "[\"a\", \"b\"]");
        file("slow.profile.toml", text.as_bytes());
        let section = format!("file = {path:?}");
        let text = graph(&section, "")
            .replace("[graph]", &format!("[graph]\ndeadline_ms = {deadline_ms:?}"));
        let plan = try_plan(&text).unwrap_or_else(|problems| panic!("{problems}"));
        plan.warnings().iter().map(|it| format!("[{}] {}", it.code.name(), it.message)).collect()
    };
    // Fifty questions a second come, and by the profile it has answered one.
    let [outrun] = &told(4_000.0, 5.0)[..] else { panic!("one warning") };
    assert!(
        outrun.contains("asks 50 questions a second; by its profile the model answers 1"),
        "{outrun}"
    );
    let both = told(6_000.0, 5.0).join("");
    let late = "will hardly keep `deadline_ms` = 5.0: by its profile `ask` answers after 6 ms";
    assert!(both.contains("[outrun]") && both.contains(late), "{both}");
    fs::remove_file(path.with_extension("profile.toml")).expect("it was written");
    let section = format!("file = {path:?}");
    let plan = try_plan(&graph(&section, "")).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(plan.warnings().len(), 0, "nobody knows");
}

#[test]
fn a_wrong_section_of_variants_is_told_with_what_to_do() {
    let a = file("va.onnx", &onnx::unary("Relu", &[None, Some(20)]));
    let b = file("vb.onnx", &onnx::unary("Neg", &[None, Some(20)]));
    let by_hand = |path: &std::path::Path, more: &str| {
        format!("{{ file = {path:?}, latency_ms = 1.0, accuracy = 0.5{more} }}")
    };
    let text = said(&format!("variants = [{a:?}, {b:?}]"));
    assert!(text.contains("nobody knows how fast the variant `va` is"), "{text}");
    assert!(text.contains("models.toml:") && text.contains("--data FILE --save"), "{text}");
    assert!(text.contains("`vb` is"), "all at once: {text}");

    let text = said(&format!("variants = [{}]", by_hand(&a, ", acuracy = 1.0")));
    assert!(text.contains("a variant has no `acuracy`"), "{text}");
    assert!(text.contains("did you mean `accuracy`?"), "{text}");
    let text = said("variants = [{ latency_ms = 1.0, accuracy = 1.5 }]");
    assert!(text.contains("a variant has no `file`"), "{text}");
    assert!(text.contains("`accuracy` = 1.5 is out of range"), "{text}");
    assert!(said("variants = []").contains("`variants` is empty"));
    assert!(said("variants = [1]").contains("takes a list of files or tables"));
    let text = said(&format!("variants = [{}]\nfile = {b:?}", by_hand(&a, "")));
    assert!(text.contains("`file` and `variants` exclude each other"), "{text}");
    let text = said(&format!("file = {a:?}\nquality = 0.5"));
    assert!(text.contains("`quality` needs `variants`"), "{text}");
    let text = said(&format!("variants = [{}]\nquality = 1.5", by_hand(&a, "")));
    assert!(text.contains("`quality` = 1.5 is outside 0.0 to 1.0"), "{text}");
    let text = said("variants = [\"no/such.onnx\"]");
    assert!(text.contains("cannot read `no/such.onnx`"), "{text}");

    let text = said(&format!("file = {a:?}\nab = {{ share = 1.5 }}"));
    assert!(text.contains("`ab` has no `file`") && text.contains("`share` = 1.5"), "{text}");
    let text = said(&format!("file = {a:?}\nshadow = {{ file = {b:?} }}"));
    assert!(text.contains("`shadow` has no `share`"), "{text}");

    let short = file("vshort.onnx", &onnx::unary("Neg", &[None, Some(10)]));
    let pair =
        format!("[{}, {{ file = {short:?}, latency_ms = 2.0, accuracy = 0.9 }}]", by_hand(&a, ""));
    let text = said(&format!("variants = {pair}"));
    assert!(text.contains("`vshort` takes `x f32[?, 10]`, but `va` `x f32[?, 20]`"), "{text}");
    let text = said(&format!("file = {a:?}\nab = {{ file = {short:?}, share = 0.5 }}"));
    assert!(text.contains("`ab`: `vshort` takes `x f32[?, 10]`"), "{text}");
}

#[test]
fn variants_with_other_labels_or_a_profile_of_another_file_are_refused() {
    let contents = ["Relu", "Neg"].map(|operator| onnx::unary(operator, &[None, Some(20)]));
    let write = |name: &str, content: &[u8], of: &[u8], top1: f64, labels: &str| {
        let text = profile(of, 10.0 * top1, top1, labels);
        file(&format!("{name}.profile.toml"), text.as_bytes());
        file(&format!("{name}.onnx"), content)
    };
    let a = write("la", &contents[0], &contents[0], 0.8, "[\"a\", \"b\"]");
    let b = write("lb", &contents[1], &contents[1], 0.9, "[\"b\", \"a\"]");
    let text = said(&format!("variants = [{a:?}, {b:?}]"));
    assert!(text.contains("`la` and `lb` have different labels"), "{text}");
    let c = write("lc", &contents[1], &contents[0], 0.9, "[\"a\", \"b\"]");
    let text = said(&format!("variants = [{a:?}, {c:?}]"));
    assert!(text.contains("lc.profile.toml` is of another model than"), "{text}");
    fs::remove_file(c.with_extension("profile.toml")).expect("it was written");
    let text = said(&format!("variants = [{a:?}, {c:?}]"));
    assert!(text.contains("nobody knows how fast the variant `lc` is"), "{text}");
}

#[test]
fn answers_of_variants_are_kept_apart() {
    let [a, b] = [("ka", "Relu"), ("kb", "Neg")]
        .map(|(name, op)| file(&format!("{name}.onnx"), &onnx::unary(op, &[None, Some(20)])));
    let section = |quality: f64| {
        format!(
            "variants = [{{ file = {a:?}, latency_ms = 1.0, accuracy = 0.5 }}, \
             {{ file = {b:?}, latency_ms = 2.0, accuracy = 0.9 }}]\ncache = \"c\"\nquality = {quality:?}\n\
             [cache.c]\nentries = 1000"
        )
    };
    // Two nodes of one graph ask both about the same numbers, twice.
    let asks = |name: &str, quality: f64| {
        format!(
            "[node.{name}]\nop = \"infer\"\nfrom = \"count\"\nmodel = \"m\"\nquality = {quality:?}\n\
             normalize = \"peak\"\n[node.kept_{name}]\nop = \"tally\"\nfrom = \"{name}\"\n"
        )
    };
    let text = graph(&section(1.0), "normalize = \"peak\"");
    let text = format!("{text}\n{}{}", asks("low", 0.0), asks("high", 1.0));
    run_plan(&try_plan(&text).unwrap_or_else(|problems| panic!("{problems}")), 1);
    let (low, high, front) = (tallied("kept_low").0, tallied("kept_high").0, tallied("front").0);
    assert_eq!(front, high);
    assert!(low.iter().all(|x| *x >= 0.0) && high.iter().all(|x| *x <= 0.0));
    assert_eq!(low, high.iter().map(|x| -x).collect::<Vec<_>>());
    assert_eq!(low.len(), 400);
}
