//! Questions that get none, and are told why.

use engine::Gap;

use super::{ask, bytes, oracle, request, serve, try_plan, until};

#[test]
fn what_is_dropped_inside_is_told_at_once_with_its_reason() {
    // Nobody waits for ten minutes here: what is not told at once fails by the limit of the client.
    let serving = serve(&oracle("within_ms = 600_000.0", "deadline = 50.0"));

    for (first, status, reason) in
        [(-1.0, 500, Gap::Poison), (-2.0, 504, Gap::Late), (-4.0, 500, Gap::Poison)]
    {
        let said = serving.ask_floats("ask", &[first, 0.0, 0.0, 0.0]);
        assert_eq!(said.status, status, "{}", said.text());
        let reason = format!("\"reason\":\"{}\"", reason.word());
        assert!(said.text().contains(&reason), "{}", said.text());
        // The next one is answered.
        assert_eq!(serving.ask_floats("ask", &[0.0; 4]).status, 200);
    }
    serving.drain();
}

#[test]
fn what_vanishes_inside_is_late_at_the_deadline() {
    let serving = serve(&oracle("within_ms = 80.0", ""));

    let said = serving.ask_floats("ask", &[-3.0, 0.0, 0.0, 0.0]);
    assert_eq!(said.status, 504);
    assert!(said.text().contains("no answer within 80 ms"), "{}", said.text());
    assert_eq!(serving.ask_floats("ask", &[0.0; 4]).status, 200);
    serving.drain();
}

#[test]
fn what_one_branch_drops_another_may_answer() {
    // The recorder's ring overflows; that is no reason to give the question up.
    let text = oracle("within_ms = 60_000.0", "").replace(
        "[node.answer]",
        "[node.beside]\nop = \"picky\"\nfrom = \"ask\"\n[node.beside_tally]\nop = \"tally\"\n\
         from = \"beside\"\n[node.answer]",
    );
    let serving = serve(
        &text
            .replace("from = \"picky\"", "from = \"ask\"")
            .replace("[node.picky]\n        op = \"picky\"\n        from = \"ask\"", ""),
    );

    // `beside` dies on it, the oracle does not.
    let said = serving.ask_floats("ask", &[-4.0, 1.0, 2.0, 3.0]);
    assert_eq!((said.status, said.floats()), (200, vec![-8.0, 2.0, 4.0, 6.0]));
    serving.drain();
    assert_eq!(serving.running.report().node("beside").expect("a node").poison, 1);
    afferent_suite::kinds::tally("beside_tally");
}

#[test]
fn wrong_questions_are_told_what_is_right() {
    let serving = serve(&oracle("", ""));
    let (address, path) = serving.at("ask");
    let raw = "content-type: application/octet-stream";
    let status = |body: &[u8], headers: &[&str], why: &str| {
        let said = serving.ask("ask", body, headers);
        assert_eq!(said.status, 400, "{}", said.text());
        assert!(said.text().contains(why), "{} lacks {why}", said.text());
        assert!(said.text().contains("\"expects\":{"), "{}", said.text());
    };

    status(b"", &[], "no JSON");
    status(b"{\"values\":[1,2,3]}", &[], "3 numbers, not 4");
    status(b"{\"values\":[1,2,\\\"x\\\",4]}", &[], "no JSON");
    status(b"{\"values\":[1,2,\"x\",4]}", &[], "text stands where a number should");
    status(b"{\"values\":7}", &[], "a number, not a list");
    status(b"[[1,2],[3,4]]", &[], "a list of 2 where the shape says 4");
    status(&[0; 15], &[raw], "15 bytes, but 4 numbers of f32 have 16");
    status(&[0; 16], &[raw, "afferent-shape: 2,2"], "\\\"2,2\\\", not \\\"4\\\"");
    status(&[0; 16], &[raw, "afferent-type: i64"], "\\\"i64\\\", not \\\"f32\\\"");

    let said = ask(address, &request("POST", "/else", b"", &[]));
    assert_eq!(said.status, 404);
    assert!(said.text().contains("[\"/\",\"/health\",\"/ask\"]"), "{}", said.text());
    let said = ask(address, &request("GET", &path, b"", &[]));
    assert_eq!(said.status, 405);
    assert!(said.head.contains("allow: post"), "{}", said.head);
    let said = ask(address, &request("POST", "/", b"", &[]));
    assert_eq!(said.status, 405);
    serving.drain();
}

#[test]
fn a_graph_tells_what_it_takes_and_gives() {
    let serving = serve(&oracle("", ""));
    let (address, _) = serving.at("ask");

    for path in ["/", "/health"] {
        let said = ask(address, &request("GET", path, b"", &[]));
        assert_eq!(said.status, 200);
        let told: serde_json::Value = serde_json::from_slice(&said.body).expect("JSON");
        assert_eq!(told["status"], "ok");
        assert_eq!(told["paths"][0]["path"], "/ask");
        assert_eq!(told["paths"][0]["takes"]["shape"], serde_json::json!([4]));
        assert_eq!(told["gives"]["oracle"]["shape"], serde_json::json!([4]));
    }
    serving.drain();
}

#[test]
fn without_the_token_nothing_is_told() {
    let secret = std::env::temp_dir().join(format!("afferent-token-{}", std::process::id()));
    std::fs::write(&secret, "s3cret-of-this-test\n").expect("a folder for it");
    let params = format!("token_file = {:?}", secret.display().to_string());
    let serving = serve(&oracle(&params, ""));
    std::fs::remove_file(&secret).expect("it is there");
    let (address, _) = serving.at("ask");

    let body = bytes(&[0.0; 4]);
    let raw = "content-type: application/octet-stream";
    for header in
        ["x: y", "authorization: Bearer wrong", "authorization: Basic s3cret-of-this-test"]
    {
        let said = serving.ask("ask", &body, &[raw, header]);
        assert_eq!(said.status, 401, "{header}");
        assert!(said.head.contains("www-authenticate: bearer"), "{}", said.head);
    }
    let bearer = "authorization: Bearer s3cret-of-this-test";
    assert_eq!(serving.ask("ask", &body, &[raw, bearer]).status, 200);

    let told = |headers: &[&str]| ask(address, &request("GET", "/health", b"", headers)).text();
    assert!(!told(&[]).contains("/ask") && !told(&[]).contains("oracle"), "{}", told(&[]));
    assert!(told(&[bearer]).contains("/ask"));
    assert!(!told(&[bearer]).contains("s3cret"));
    serving.drain();
}

#[test]
fn too_long_and_too_often_are_refused() {
    let serving = serve(&oracle("bytes_max = 100\nquestions_per_s = 0.5", ""));

    let said = serving.ask("ask", &[b' '; 101], &[]);
    assert_eq!(said.status, 413, "{}", said.text());
    assert!(said.text().contains("at most 100 bytes"), "{}", said.text());
    let said = serving.ask_floats("ask", &[0.0; 4]);
    assert_eq!(said.status, 429, "{}", said.text());
    // Half a question per second: the next in two seconds at most.
    let wait = said.head.lines().find_map(|line| line.strip_prefix("retry-after: "));
    assert!(matches!(wait, Some("1" | "2")), "{}", said.head);
    serving.drain();

    // In pieces nobody says beforehand how long it will be.
    let serving = serve(&oracle("bytes_max = 100", ""));
    let (address, path) = serving.at("ask");
    let pieces = "32\r\n".to_owned() + &" ".repeat(0x32) + "\r\n";
    let sent = format!(
        "POST {path} HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{pieces}{pieces}{pieces}0\r\n\r\n"
    );
    assert_eq!(ask(address, sent.as_bytes()).status, 413);
    serving.drain();
}

#[test]
fn more_than_may_be_open_are_turned_away() {
    let serving = serve(&oracle("in_flight = 2\nwithin_ms = 60_000.0", "deadline = 3_000.0"));

    std::thread::scope(|scope| {
        let wait = || serving.ask_floats("ask", &[-2.0, 0.0, 0.0, 0.0]).status;
        let waiting = [scope.spawn(wait), scope.spawn(wait)];
        until(|| serving.running.report().edge("ask", "picky").expect("an edge").frames.sent == 2);
        let said = serving.ask_floats("ask", &[0.0; 4]);
        assert_eq!(said.status, 503, "{}", said.text());
        assert!(said.text().contains("too many questions are open"), "{}", said.text());
        assert!(said.head.contains("retry-after: 1"), "{}", said.head);
        for waits in waiting {
            assert_eq!(waits.join().expect("it asks"), 504);
        }
    });
    serving.drain();
}

fn problems(text: &str) -> String {
    match try_plan(text) {
        Ok(plan) => engine::Diagnostics(plan.warnings().to_vec()).to_string(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn graphs_that_cannot_answer_are_refused() {
    let base = |ask: &str| {
        format!(
            "[graph]\nname = \"g\"\n[node.ask]\nop = \"http\"\n{ask}\n[node.out]\nop = \"jsonl\"\nfrom = \"ask\"\n"
        )
    };
    let answered = |ask: &str| base(ask).replace("jsonl", "http");

    let told = problems(&base("shape = [4]"));
    assert!(told.contains("error[nobody-answers]"), "{told}");
    let told = problems(&answered(""));
    assert!(told.contains("nothing says what a question is"), "{told}");
    let told = problems(&answered("shape = [4]\nfields = [\"a\"]"));
    assert!(told.contains("different sorts of questions"), "{told}");
    let told = problems(&answered("channels = [\"a\"]"));
    assert!(told.contains("`channels` have no `rate_hz`"), "{told}");
    let told = problems(&answered("shape = [4]\naddress = \"here\""));
    assert!(told.contains("is no IP address"), "{told}");
    let told = problems(&answered("shape = [4]\npath = \"ask\""));
    assert!(told.contains("is no path of a URL"), "{told}");
    let told = problems(&answered("shape = [4]\naddress = \"0.0.0.0\""));
    assert!(told.contains("warning[open-to-all]"), "{told}");
    assert_eq!(problems(&answered("shape = [4]\naddress = \"0.0.0.0\"\ntoken_env = \"T\"")), "");
    let door = "[node.live]\nop = \"websocket\"\nshape = [4]\n[node.say]\nop = \"websocket\"\nfrom = \"live\"\n";
    let told = problems(&(answered("shape = [4]") + door));
    assert!(told.contains("error[door-clash]"), "{told}");
}

#[test]
fn a_port_that_is_taken_is_told_with_a_remedy() {
    let first = serve(&oracle("", ""));
    let (address, _) = first.at("ask");

    let text = oracle("", "").replace("port = 0", &format!("port = {}", address.port()));
    let plan = try_plan(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let error = plan.start(&engine::RunOptions::default()).err().expect("refused").to_string();
    assert!(error.contains(&format!("cannot listen on {address}")), "{error}");
    assert!(error.contains("another program has this port"), "{error}");

    // A token that is not there keeps it from starting, too.
    let plan = try_plan(&oracle("token_env = \"AFFERENT_NO_SUCH_TOKEN\"", ""));
    let plan = plan.unwrap_or_else(|problems| panic!("{problems}"));
    let error = plan.start(&engine::RunOptions::default()).err().expect("refused").to_string();
    assert!(error.contains("`AFFERENT_NO_SUCH_TOKEN` is not set"), "{error}");
    first.drain();
}
