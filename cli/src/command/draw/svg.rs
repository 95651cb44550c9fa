//! A picture as SVG.

use std::fmt::Write;

use engine::{Arrow, BoxOf, Picture, PictureNode};

use crate::markup::escaped;

use super::layout::{LABEL_PX, Layout, NAME_PX, Rect, layout};

pub(super) fn drawn(name: &str, picture: &Picture) -> String {
    let layout = layout(picture);
    let mut text = String::new();
    svg(name, picture, &layout, &mut text).expect("writing to a String cannot fail");
    text
}

fn svg(name: &str, picture: &Picture, layout: &Layout, text: &mut String) -> std::fmt::Result {
    let Layout { width, height, .. } = layout;
    writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif\">"
    )?;
    writeln!(text, "<title>{}</title>", escaped(name))?;
    writeln!(
        text,
        "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" fill=\"#555\"/></marker></defs>"
    )?;
    writeln!(text, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>")?;
    for (around, rect) in picture.boxes.iter().zip(&layout.boxes) {
        if rect.width > 0.0 {
            self::around(&around.label, around.is, *rect, text)?;
        }
    }
    for (edge, points) in picture.edges.iter().zip(&layout.edges) {
        let (width, dashes) = match edge.by {
            Arrow::Plain => (1.2, ""),
            Arrow::Ring => (2.6, ""),
            Arrow::Dropping => (2.0, " stroke-dasharray=\"2 4\""),
        };
        writeln!(
            text,
            "<path d=\"{}\" fill=\"none\" stroke=\"#555\" stroke-width=\"{width}\"{dashes} marker-end=\"url(#tip)\"/>",
            path(points)
        )?;
    }
    for label in &layout.labels {
        writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{LABEL_PX}\" fill=\"#555\"><title>{}</title>{}</text>",
            label.x,
            label.y,
            escaped(&label.title),
            escaped(&label.text)
        )?;
    }
    for (node, rect) in picture.nodes.iter().zip(&layout.nodes) {
        self::node(node, *rect, text)?;
    }
    writeln!(text, "</svg>")
}

fn around(label: &str, is: BoxOf, rect: Rect, text: &mut String) -> std::fmt::Result {
    let (fill, stroke, word) = match is {
        BoxOf::Host => ("#eef4fb", "#4a7ab5", "host "),
        BoxOf::Include => ("#eef6ed", "#5d8a5a", ""),
        BoxOf::Stage => ("#f6f6f6", "#888888", ""),
    };
    rectangle(rect, 8.0, fill, stroke, text)?;
    writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{LABEL_PX}\" font-weight=\"bold\" fill=\"{stroke}\">{word}{}</text>",
        rect.x + 10.0,
        rect.y + 16.0,
        escaped(label)
    )
}

/// Sources are round, sinks have double sides.
fn node(node: &PictureNode, rect: Rect, text: &mut String) -> std::fmt::Result {
    let radius = if node.is_source { (rect.height / 2.0).min(20.0) } else { 5.0 };
    rectangle(rect, radius, "#ffffff", "#333333", text)?;
    if node.is_sink {
        let Rect { x, y, width, height } = rect;
        let inner = Rect { x: x + 3.0, y: y + 3.0, width: width - 6.0, height: height - 6.0 };
        rectangle(inner, 3.0, "none", "#333333", text)?;
    }
    let (x, y) = (rect.x + rect.width / 2.0, rect.y + rect.height / 2.0);
    let has_kind = node.kind != node.name;
    let name_y = if has_kind { y - 2.0 } else { y + 4.5 };
    writeln!(
        text,
        "<text x=\"{x:.1}\" y=\"{name_y:.1}\" font-size=\"{NAME_PX}\" font-weight=\"bold\" fill=\"#111\" \
         text-anchor=\"middle\">{}</text>",
        escaped(&node.name)
    )?;
    if has_kind {
        writeln!(
            text,
            "<text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"{LABEL_PX}\" fill=\"#666\" text-anchor=\"middle\">{}</text>",
            y + 12.5,
            escaped(node.kind)
        )?;
    }
    Ok(())
}

fn rectangle(
    rect: Rect,
    radius: f64,
    fill: &str,
    stroke: &str,
    text: &mut String,
) -> std::fmt::Result {
    let Rect { x, y, width, height } = rect;
    writeln!(
        text,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius:.1}\" \
         fill=\"{fill}\" stroke=\"{stroke}\"/>"
    )
}

/// Level from each odd point to the next, curved from there on.
fn path(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (number, (x, y)) in points.iter().enumerate() {
        let step = match number {
            0 => format!("M{x:.1},{y:.1}"),
            level if level % 2 == 1 => format!(" L{x:.1},{y:.1}"),
            _ => {
                let (from_x, from_y) = points[number - 1];
                let middle = (from_x + x) / 2.0;
                format!(" C{middle:.1},{from_y:.1} {middle:.1},{y:.1} {x:.1},{y:.1}")
            }
        };
        path += &step;
    }
    path
}
