use super::*;

fn tidy(text: &str) -> String {
    tidied(&SourceText::new("g.toml", text)).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn blanks_are_put_in_order_and_nothing_else() {
    let untidy = "\u{feff}\n\n# A graph.\r\n[ graph ]\n\nname=\"x\"   # called so\n\n\n\n  deadline_ms  =50\n[node.\"a b\" . c]# odd\n\top = 'sine'\n   # why\n   rate_hz=250.0\n# about b\n# in two lines\n[node.b]\nop=\"eat\"\nfrom=[ \"a\",'b' ,]\nset = {\"x.y\"=[1,2],  z . w = { } }\nlabels = [ # names\n\"one\", # first\n  [ 1,\n2],\n]\ntext = \"\"\"\n  kept   \n# no comment\n  \"\"\"\n\n\n";
    let wanted = "# A graph.\n[graph]\nname = \"x\"                      # called so\n\ndeadline_ms = 50\n\n[node.\"a b\".c]                  # odd\nop      = 'sine'\n# why\nrate_hz = 250.0\n\n# about b\n# in two lines\n[node.b]\nop     = \"eat\"\nfrom   = [\"a\", 'b']\nset    = { \"x.y\" = [1, 2], z.w = {} }\nlabels = [ # names\n    \"one\", # first\n    [ 1,\n        2],\n]\ntext   = \"\"\"\n  kept   \n# no comment\n  \"\"\"\n";

    assert_eq!(tidy(untidy), wanted);
    assert_eq!(tidy(wanted), wanted, "once is enough");
}

#[test]
fn quotes_hide_what_looks_like_something_else() {
    let text = "[a]\n\"k = # [\" = \"# ] = \\\" \" # a = \"b\"\nl         = '\\'\nm         = \"\"\"a\\\"\"\"\"\"\n";
    let once = tidy(text);

    assert_eq!(once, tidy(&once));
    assert!(once.contains("\"k = # [\" = \"# ] = \\\" \"         # a = \"b\"\n"), "{once}");
}

#[test]
fn a_comment_behind_a_long_line_stands_two_blanks_away() {
    let text = tidy("[a]\nkey = \"a text that is longer than that\" # why\n");

    assert_eq!(text, "[a]\nkey = \"a text that is longer than that\"  # why\n");
}

#[test]
fn nothing_is_made_of_nothing_and_what_is_no_toml_is_refused() {
    assert_eq!(tidy("\n\n \n"), "");
    assert_eq!(tidy("# alone"), "# alone\n");
    assert_eq!(tidy("a = nan"), "a = nan\n");

    let problems = tidied(&SourceText::new("g.toml", "[a\n")).expect_err("no TOML");
    assert_eq!(problems.0.len(), 1);
}

/// A file as long as there may be is done at once, whatever it is full of.
#[test]
fn long_files_take_no_longer_than_they_are() {
    for line in ["a{} = 1\n", "# c\n", "\n", "k{} = [1, [2, {x = 3}]] # c\n", "[t{}]\n"] {
        let text: String = (0..20_000).map(|n| line.replace("{}", &n.to_string())).collect();
        let once = tidy(&text);
        assert_eq!(tidy(&once), once);
    }
}

/// Texts of pieces that matter to a reader of TOML, in any order: those that are TOML stay what they are.
#[test]
fn whatever_is_toml_says_the_same_afterwards() {
    const PIECES: [&str; 24] = [
        "[a]",
        "[[t]]",
        "k = ",
        "k2=",
        "1",
        "\"x\"",
        "'y'",
        "\"\"\"z\n z\"\"\"",
        "[",
        "]",
        "{",
        "}",
        ",",
        "#c",
        "\n",
        "\n",
        " ",
        "\t",
        "nan",
        "\\",
        "\"",
        ".q",
        "=",
        "\r\n",
    ];
    let mut state = 7_u64;
    let mut sound = 0;
    for _ in 0..60_000 {
        let mut text = String::new();
        for _ in 0..(state >> 60) + 2 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text += PIECES[(state >> 33) as usize % PIECES.len()];
        }
        // Panics where the result says something else.
        if let Ok(once) = tidied(&SourceText::new("g.toml", text.as_str())) {
            sound += 1;
            assert_eq!(tidy(&once), once, "{text:?}");
        }
    }
    assert!(sound > 500, "{sound} of the texts were TOML");
}
