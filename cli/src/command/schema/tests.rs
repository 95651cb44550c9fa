use super::*;

#[test]
fn every_type_of_a_parameter_has_a_schema() {
    let catalog = catalog();
    let fed = catalog.iter().filter_map(|kind| kind.when_fed);
    let kinds = catalog.iter().chain(fed).flat_map(|kind| kind.params.iter().copied());
    let sections = [section::PARAMS, cache::PARAMS, carrier::PARAMS];
    for param in kinds.chain(sections.into_iter().flatten().copied()) {
        assert!(kinds::taken(param).is_some(), "{}: {}", param.name(), param.type_name());
    }
}

#[test]
fn every_key_of_a_graph_file_has_a_schema() {
    for table in KeyTable::ALL {
        for key in table.keys.iter().filter(|key| (table.name, key.name) != ("node", "from")) {
            // Panics where there is none.
            let schema = keys::key(table.name, key.name);
            assert!(schema["description"].as_str().is_some_and(|text| text.contains(key.doc)));
        }
    }
}

#[test]
fn a_kind_is_told_with_its_range_its_default_and_its_unit() {
    let schema = of(&catalog());
    let low = &schema["$defs"]["kind.bandpass"]["properties"]["low_hz"];

    assert_eq!(low["anyOf"][0]["type"], "number");
    assert!(low["anyOf"][0]["minimum"].as_f64().is_some_and(|least| least > 0.0), "{low}");
    assert!(low["description"].as_str().is_some_and(|text| text.contains("in hertz")), "{low}");
    let rate = &schema["$defs"]["kind.ecg"]["properties"]["rate_hz"];
    assert_eq!(rate["default"], 250.0, "{rate}");
    let rules = schema["$defs"]["node"]["allOf"].as_array().expect("rules");
    let is_of = |rule: &&Value| rule["if"]["properties"]["op"]["const"] == "bandpass";
    let rule = rules.iter().find(is_of).expect("one for each kind");
    // What must be there, must be there unless the node is left out.
    let (off, otherwise) = (&rule["then"]["if"], &rule["then"]["else"]);
    assert_eq!(off["properties"]["enabled"]["const"], false, "{rule}");
    let required = otherwise["required"].as_array().expect("keys");
    assert!(["from", "low_hz"].iter().all(|key| required.iter().any(|must| must == key)), "{rule}");
    assert!(schema["$defs"]["kind.csv.fed"].is_object() && schema["$defs"]["kind.csv"].is_object());
}
