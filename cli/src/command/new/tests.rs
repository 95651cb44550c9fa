use engine::GraphSpec;

use super::*;

#[test]
fn every_template_tells_what_it_does_in_a_line() {
    for template in TEMPLATES {
        let summary = template.summary();
        assert!((20..=115).contains(&summary.len()), "{}: {summary}", template.name);
        assert!(!summary.ends_with(','), "{}: {summary}", template.name);
    }
}

#[test]
fn a_template_says_its_new_name_and_where_it_stands() {
    for template in TEMPLATES {
        let text = renamed(template, Path::new("sub/my \"own\".toml"));

        let spec = GraphSpec::parse(&SourceText::new("g.toml", text.as_str())).expect("TOML");
        assert_eq!(spec.name.value, "my own", "{}", template.name);
        assert!(!text.contains(&format!("graphs/{}.toml", template.name)), "{}", template.name);
    }
}

#[test]
fn whatever_a_template_names_comes_along() {
    for template in TEMPLATES {
        let lines = template.text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let named = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
        let files = named.filter(|text| text.ends_with(".onnx") || text.ends_with(".toml"));
        for file in files {
            assert!(FILES.iter().any(|(path, _)| path == &file), "{}: {file}", template.name);
        }
    }
    for (path, _) in FILES {
        assert!(TEMPLATES.iter().any(|template| template.needs(path)), "{path} is for nobody");
    }
}
