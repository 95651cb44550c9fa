//! Reading `[[test]]` and its expectations.

use super::spec::{At, Check, Expectation, TestSpec, Wanted};
use crate::graph::keys;
use crate::graph::read::{Numbers, Reader};
use crate::graph::{Code, Diagnostic, GraphSpec, SourceRef, Spanned, Value};

impl GraphSpec {
    pub(in crate::graph) fn read_tests(&mut self, value: Spanned<Value>) {
        let Value::List(tests) = value.value else {
            let message = format!("`test` is {}, not a list of tables", value.value.type_name());
            let problem = Diagnostic::error(Code::WrongType, message).at(&value.place);
            self.problems.push(problem.hint("write `[[test]]`, with two brackets"));
            return;
        };
        for (n, test) in tests.into_iter().enumerate() {
            let origin = format!("test {}", n + 1);
            let reader = &mut Reader { origin: &origin, problems: &mut self.problems };
            self.tests.extend(reader.test(test));
        }
    }
}

impl Reader<'_> {
    fn test(&mut self, test: Spanned<Value>) -> Option<TestSpec> {
        let place = test.place.clone();
        let (mut name, mut seconds, mut set) = (None, None, Vec::new());
        let (mut inputs, mut expect) = (Vec::new(), Vec::new());
        let mut has_expectations = false;
        for (key, value) in self.table("test", test)? {
            match key.value.as_str() {
                "name" => name = self.text("name", value),
                "seconds" => seconds = self.number("seconds", value, Numbers::Positive),
                "set" => set = self.overrides(value),
                "input" => {
                    let entries = self.table("input", value).unwrap_or_default();
                    inputs.extend(entries.into_iter().filter_map(|(k, v)| self.test_input(k, v)));
                }
                "expect" => {
                    has_expectations = true;
                    let items = self.list("expect", value).unwrap_or_default();
                    expect.extend(items.into_iter().filter_map(|item| self.expectation(item)));
                }
                _ => self.unknown_key(&key, "`[[test]]`", &keys::TEST),
            }
        }
        if !has_expectations {
            let hint = "write `[[test.expect]]` below it";
            let _: Option<()> = self.missing("the test expects nothing".to_owned(), &place, hint);
        }
        let name = name.unwrap_or_else(|| Spanned::new(self.origin.to_owned(), place));
        Some(TestSpec { name, seconds, set, inputs, expect })
    }

    fn expectation(&mut self, value: Spanned<Value>) -> Option<Expectation> {
        let place = value.place.clone();
        let mut written = Written::default();
        let mut has_from = false;
        let known_before = self.problems.len();
        for (key, value) in self.table("expect", value)? {
            let name = key.value.as_str();
            match name {
                "from" => {
                    has_from = true;
                    written.from = self.text(name, value).and_then(|text| self.source(text));
                }
                "count" => written.count = self.count(name, value).map(|n| n.value.into()),
                "count_min" => written.count_min = self.count(name, value).map(|n| n.value.into()),
                "count_max" => written.count_max = self.count(name, value).map(|n| n.value.into()),
                "field" => written.field = self.text(name, value),
                "at" => written.at = self.at(value),
                "t_s" => {
                    let t_s = self.number(name, value, Numbers::Any);
                    written.t_s = t_s.map(|t_s| At::Time(t_s.value));
                }
                "is" => written.is = Some(value.value),
                "near" => written.near = self.finite(name, value),
                "within" => {
                    let within = self.number(name, value, Numbers::NotNegative);
                    written.within = within.map(|within| within.value);
                }
                "min" => written.min = self.finite(name, value),
                "max" => written.max = self.finite(name, value),
                _ => self.unknown_key(&key, "`[[test.expect]]`", &keys::EXPECT),
            }
        }
        if !has_from {
            let hint = "write `from = \"NODE\"`";
            return self.missing("the expectation names no node".to_owned(), &place, hint);
        }
        if self.problems.len() > known_before {
            return None;
        }
        match written.check() {
            Ok(check) => {
                Some(Expectation { from: written.from?, check: Spanned::new(check, place) })
            }
            Err((message, hint)) => {
                self.refuse(Diagnostic::error(Code::BadTest, message).at(&place).hint(hint))
            }
        }
    }

    fn finite(&mut self, name: &str, value: Spanned<Value>) -> Option<f64> {
        Some(self.number(name, value, Numbers::Any)?.value)
    }

    fn at(&mut self, value: Spanned<Value>) -> Option<At> {
        const WORDS: &[(&str, At)] =
            &[("every", At::Every), ("first", At::First), ("last", At::Last)];
        match value.value {
            Value::Integer(_) => Some(At::Index(self.count("at", value)?.value.into())),
            _ => Some(self.word("at", value, WORDS)?.value),
        }
    }
}

/// An expectation's keys before they are weighed against each other.
#[derive(Default)]
struct Written {
    from: Option<Spanned<SourceRef>>,
    count: Option<u64>,
    count_min: Option<u64>,
    count_max: Option<u64>,
    field: Option<Spanned<String>>,
    at: Option<At>,
    t_s: Option<At>,
    is: Option<Value>,
    near: Option<f64>,
    within: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

impl Written {
    /// What is checked, or what does not fit together and how it would.
    fn check(&self) -> Result<Check, (&'static str, &'static str)> {
        let counts = self.count.is_some() || self.count_min.is_some() || self.count_max.is_some();
        let bounds = self.min.is_some() || self.max.is_some();
        let is_near = self.near.is_some() || self.within.is_some();
        let looks = self.field.is_some() || self.at.is_some() || self.t_s.is_some();
        let one_of = "write one of `count`, `is`, `near` with `within`, and `min` or `max`";

        match [counts, self.is.is_some(), is_near, bounds].iter().filter(|given| **given).count() {
            0 => return Err(("the expectation expects nothing", one_of)),
            1 => {}
            _ => return Err(("the expectation expects several things", one_of)),
        }
        if counts {
            return if looks {
                let hint = "leave `field`, `at` and `t_s` out, or write a second `[[test.expect]]`";
                Err(("a count looks at no value", hint))
            } else {
                self.counted()
            };
        }
        let at = match (self.at, self.t_s, &self.field) {
            (Some(_), Some(_), _) => {
                return Err(("`at` and `t_s` both choose a sample", "write one of them"));
            }
            (_, Some(_), Some(_)) => {
                return Err(("`t_s` chooses a sample, not an event", "write `at` for events"));
            }
            (at, t_s, _) => at.or(t_s).unwrap_or(At::Every),
        };
        let wanted = self.wanted()?;
        Ok(match self.field.clone() {
            Some(field) => Check::Field(field, at, wanted),
            None => Check::Sample(at, wanted),
        })
    }

    fn counted(&self) -> Result<Check, (&'static str, &'static str)> {
        match (self.count, self.count_min, self.count_max) {
            (Some(_), None, None) => Ok(Check::Count { min: self.count, max: self.count }),
            (Some(_), ..) => {
                Err(("`count` is exact", "leave `count_min` and `count_max` out, or `count`"))
            }
            (None, Some(min), Some(max)) if min > max => {
                Err(("`count_min` is above `count_max`", "swap them"))
            }
            (None, min, max) => Ok(Check::Count { min, max }),
        }
    }

    fn wanted(&self) -> Result<Wanted, (&'static str, &'static str)> {
        match (&self.is, self.near, self.within, self.min, self.max) {
            (Some(Value::List(_) | Value::Table(_)), ..) => {
                Err(("`is` compares single values", "write a number, a text, true or false"))
            }
            (Some(value), ..) => Ok(Wanted::Is(value.clone())),
            (None, Some(value), Some(within), ..) => Ok(Wanted::Near { value, within }),
            (None, Some(_), None, ..) => {
                Err(("`near` does not say how near", "write `within = …`, or `is` for exactly"))
            }
            (None, None, Some(_), ..) => Err(("`within` says not of what", "write `near = …`")),
            (None, None, None, Some(min), Some(max)) if min > max => {
                Err(("`min` is above `max`", "swap them"))
            }
            (None, None, None, min, max) => Ok(Wanted::Between { min, max }),
        }
    }
}
