//! Services: one per host and identity, whoever asks.

use engine::{
    Services,
    testing::{MockService, MockServiceKind},
};

use crate::{finish, plan_with, spec, start};

#[test]
fn sessions_and_sections_of_one_identity_share_a_service() {
    let text = r#"
        [graph]
        name = "services"
        [model.one]
        file = "weights"
        [model.same]
        file = "weights"
        [model.other]
        file = "others"
        [node.count]
        op = "count"
        samples = 100
        [node.first]
        op = "mock_call"
        from = "count"
        service = "one"
        [node.second]
        op = "mock_call"
        from = "first"
        service = "same"
        [node.out]
        op = "null"
        from = "second"
        "#;
    let kind = MockServiceKind::default();
    let services = Services::open(&kind, &spec(text).models).expect("valid sections");

    let running = start(&plan_with(text, services.clone()), 5);
    finish(&running);

    assert_eq!(kind.opened(), 2);
    let asked = |name| services.find::<MockService>(name).expect("open").asked();
    // Ten frames, twice, in each of five sessions.
    assert_eq!((asked("one"), asked("same"), asked("other")), (100, 100, 0));
}

#[test]
fn a_section_without_what_it_needs_is_told() {
    let spec = spec("[graph]\nname = \"x\"\n[model.m]\nweights = 3\n");

    let refused = Services::open(&MockServiceKind::default(), &spec.models).expect_err("refused");
    assert!(refused.to_string().contains("`file` is missing"), "{refused}");
}
