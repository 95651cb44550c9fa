//! Reads the golden vectors of `tests/golden`: one case per line, written by the script beside it.

/// The cases of a golden file.
pub(crate) fn cases(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.contains('{'))
}

/// All numbers under `key`, nested lists flattened.
pub(crate) fn numbers(case: &str, key: &str) -> Vec<f64> {
    let end = |text: &str| text.find(['"', '}']).unwrap_or(text.len());
    let value = after(case, key);
    value[..end(value)]
        .split(['[', ']', ',', ' '])
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().expect("the script writes numbers"))
        .collect()
}

/// The word under `key`.
pub(crate) fn word<'a>(case: &'a str, key: &str) -> &'a str {
    after(case, key).trim_matches([' ', '"']).split('"').next().expect("split gives one at least")
}

fn after<'a>(case: &'a str, key: &str) -> &'a str {
    let name = format!("\"{key}\":");
    let at = case.find(&name).unwrap_or_else(|| panic!("no {name} in {case}"));
    &case[at + name.len()..]
}
