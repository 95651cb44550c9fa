//! The page itself, as it lies in `assets`.

/// A file of the page.
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) media: &'static str,
    pub(super) text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// All files, by the path of their URL.
pub(super) const ASSETS: &[Asset] = &[
    Asset { path: "/", media: HTML, text: include_str!("assets/index.html") },
    Asset { path: "/assets/icon.svg", media: PICTURE, text: include_str!("assets/icon.svg") },
    Asset { path: "/assets/style.css", media: STYLE, text: include_str!("assets/style.css") },
    script("/assets/app.js", include_str!("assets/app.js")),
    script("/assets/axes.js", include_str!("assets/axes.js")),
    script("/assets/charts.js", include_str!("assets/charts.js")),
    script("/assets/control.js", include_str!("assets/control.js")),
    script("/assets/details.js", include_str!("assets/details.js")),
    script("/assets/graph.js", include_str!("assets/graph.js")),
    script("/assets/header.js", include_str!("assets/header.js")),
    script("/assets/ink.js", include_str!("assets/ink.js")),
    script("/assets/layout.js", include_str!("assets/layout.js")),
    script("/assets/overlay.js", include_str!("assets/overlay.js")),
    script("/assets/panels.js", include_str!("assets/panels.js")),
    script("/assets/plot.js", include_str!("assets/plot.js")),
    script("/assets/stream.js", include_str!("assets/stream.js")),
    script("/assets/time.js", include_str!("assets/time.js")),
    script("/assets/track.js", include_str!("assets/track.js")),
    script("/assets/words.js", include_str!("assets/words.js")),
];

const fn script(path: &'static str, text: &'static str) -> Asset {
    Asset { path, media: SCRIPT, text }
}

/// The file at a path, if there is one.
pub(super) fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_for_what_there_is_and_nobody_else() {
        for asset in ASSETS {
            for word in asset.text.split(['"', '\'', '`', '(', ')', ' ', '\n']) {
                let is_elsewhere = word.contains("://") && !word.contains("www.w3.org/");
                assert!(!is_elsewhere, "{}: {word}", asset.path);
                let near = word.strip_prefix("./").map(|name| format!("/assets/{name}"));
                let path = near.as_deref().unwrap_or(word);
                if path.starts_with("/assets/") {
                    assert!(super::asset(path).is_some(), "{}: {path}", asset.path);
                }
            }
        }
    }

    #[test]
    fn nothing_stands_in_the_page_that_its_policy_forbids() {
        let page = asset("/").expect("it is there").text;
        for forbidden in ["<style", " style=", " onclick=", "javascript:"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(
            page.matches("<script").count() == 1 && page.contains("<script type=\"module\" src=")
        );
    }
}
