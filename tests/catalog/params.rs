//! Law 7: parameters outside their range are refused with a hint, and each default builds.

use engine::{AnyParam, Diagnostic};

use crate::subject::{Subject, every_kind, everyone};

/// Values outside the range of a parameter, and of another type, as TOML.
fn wrong(param: &dyn AnyParam) -> Vec<String> {
    let (min, max) = param.range();
    let list = |text: String| {
        if param.type_name() == "a list of numbers" { format!("[{text}]") } else { text }
    };
    let mut wrong = Vec::new();
    match param.type_name() {
        "a whole number" => {
            // As far outside as a whole number of 64 bits can show.
            wrong.extend(min.is_finite().then(|| format!("{}", min as i64 - 1)));
            wrong.extend((max < 9e15).then(|| format!("{}", max as i64 + 1)));
            wrong.push("0.5".to_owned());
        }
        "a number" | "a list of numbers" => {
            let beyond = |limit: f64, sign: f64| limit + sign * (limit.abs() * 1e-6).max(1e-9);
            wrong.extend(min.is_finite().then(|| list(format!("{:?}", beyond(min, -1.0)))));
            wrong.extend(max.is_finite().then(|| list(format!("{:?}", beyond(max, 1.0)))));
            wrong.extend(["nan", "inf", "-inf"].map(|odd| list(odd.to_owned())));
            wrong.push("\"text\"".to_owned());
        }
        "text" => {
            wrong.extend((!param.choices().is_empty()).then(|| "\"nonsense\"".to_owned()));
            wrong.push("1".to_owned());
        }
        "a text or a whole number" => wrong.extend(["0.5", "true"].map(str::to_owned)),
        _ => wrong.push("\"text\"".to_owned()),
    }
    wrong
}

#[test]
fn what_is_outside_a_range_is_refused_with_a_hint() {
    for kind in every_kind() {
        for param in kind.params {
            for value in wrong(*param) {
                let subject = Subject::new(kind).with(param.name(), &value);
                let place = format!("{}: {} = {value}", kind.name, param.name());
                let Err(refused) = subject.try_bench() else { panic!("{place} is taken") };
                let about = format!("`{}`", param.name());
                let tells = |problem: &&Diagnostic| problem.message.contains(&about);
                let told = refused.problems().iter().find(tells);
                let told = told.unwrap_or_else(|| panic!("{place}: {refused}"));
                assert!(told.hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{place}");
            }
        }
    }
}

#[test]
fn a_required_parameter_that_is_missing_is_explained() {
    for kind in every_kind() {
        for param in kind.params.iter().filter(|param| param.is_required()) {
            let mut subject = Subject::new(kind);
            let written = format!("{} =", param.name());
            let others = subject.params.lines().filter(|line| !line.starts_with(&written));
            subject.params = others.map(|line| format!("{line}\n")).collect();

            let refused = subject.try_bench().err();
            let text = refused.map(|refused| refused.to_string()).unwrap_or_default();
            let want = format!("`{}` is missing\n  hint: {}", param.name(), param.doc());
            assert!(text.contains(&want), "{}: {text}", kind.name);
        }
    }
}

#[test]
fn each_default_builds() {
    for subject in everyone() {
        subject.bench();
        let defaults = subject.kind.params.iter();
        let defaults = defaults.filter_map(|param| Some((param.name(), param.default_text()?)));
        for (name, value) in defaults {
            subject.fresh().with(name, &value).bench();
        }
    }
}

#[test]
fn no_live_parameter_changes_what_was_agreed() {
    for subject in everyone() {
        let agreed = |subject: &Subject| {
            let bench = subject.try_bench().ok()?;
            let formats = (0..subject.kind.outputs.len()).map(|port| bench.output(port).clone());
            let spans = [bench.delay_ns(), bench.look_back_ns()];
            Some((spans, bench.duration_ns(), formats.collect::<Vec<_>>()))
        };
        let want = agreed(&subject);
        for param in subject.kind.params.iter().filter(|param| param.is_live()) {
            let (min, max) = param.range();
            for share in [0.0, 1e-6, 1e-3, 0.1, 0.3, 0.7, 1.0] {
                let value = format!("{:?}", min + share * (max - min));
                // What cannot be planned, such as a frequency that is too high, cannot be set.
                let got = agreed(&subject.fresh().with(param.name(), &value));
                let place = format!("{}: {} = {value}", subject.name(), param.name());
                assert!(got.is_none() || got == want, "{place}: {got:?} is not {want:?}");
            }
        }
    }
}

#[test]
fn a_live_parameter_takes_its_own_value_and_no_other_parameter_any() {
    for subject in everyone().filter(|subject| !subject.kind.is_sink()) {
        let mut bench = subject.bench();
        for param in subject.kind.params {
            let number = param.default_text().and_then(|text| text.parse::<f64>().ok());
            let number = number.unwrap_or(10.0).clamp(param.range().0, param.range().1);
            let told = bench.set(param.name(), number);
            if param.is_live() {
                told.unwrap_or_else(|why| panic!("{} {}: {why}", subject.name(), param.name()));
            } else {
                assert!(told.is_err(), "{} {} is not live", subject.name(), param.name());
            }
        }
    }
}
