//! Questions scaled as the graph's node scales them before it asks.

use engine::{GraphSpec, NodeSpec, Value};

use crate::{backend::Values, kinds::cut::Scale};

use super::{data::Dataset, trouble::Trouble};

/// What the node that asks a model does to each question before.
#[derive(Clone, Debug, PartialEq)]
pub struct AsAsked {
    /// The node.
    pub node: String,
    /// Its `normalize`, for people.
    pub word: String,
    scale: Scale,
    is_last: bool,
}

impl AsAsked {
    /// Of the nodes that ask a model of the graph; nothing if none of them changes questions.
    ///
    /// # Errors
    /// If they do not all do the same.
    pub fn of(graph: &GraphSpec, model: &str) -> Result<Option<Self>, Trouble> {
        let asks =
            |node: &&NodeSpec| node.param("model").and_then(|it| it.value.as_text()) == Some(model);
        let mut all = graph.nodes.iter().filter(asks).map(Self::of_node);
        let Some(first) = all.next() else { return Ok(None) };
        if let Some(other) =
            all.find(|other| (&other.scale, other.is_last) != (&first.scale, first.is_last))
        {
            let message = format!(
                "the nodes `{}` and `{}` both ask `{model}`, the one with `normalize` = {:?}, the other with {:?}",
                first.node, other.node, first.word, other.word
            );
            let hint = "give the questions as the model gets them, and say `--normalized`";
            return Err(Trouble::asked(message, hint));
        }
        Ok(Some(first).filter(|first| first.scale != Scale::None))
    }

    fn of_node(node: &NodeSpec) -> Self {
        let text = |name: &str| node.param(name).and_then(|it| it.value.as_text());
        let numbers = |name: &str, usual: f64| match node.param(name).map(|it| &it.value) {
            Some(Value::List(items)) => {
                items.iter().filter_map(|item| item.value.as_number()).collect()
            }
            Some(one) => one.as_number().into_iter().collect(),
            None => vec![usual],
        };
        let word = text("normalize").unwrap_or("none");
        let scale = match word {
            "zscore" => Scale::Zscore,
            "range" => Scale::Range,
            "peak" => Scale::Peak,
            "given" => Scale::Given { mean: numbers("mean", 0.0), std: numbers("std", 1.0) },
            _ => Scale::None,
        };
        let is_last = text("layout") == Some("channels_last");
        Self { node: node.name.value.clone(), word: word.to_owned(), scale, is_last }
    }

    /// Scales every question of the one input that data feeds, each channel by itself.
    ///
    /// # Errors
    /// If it cannot be told what a channel is.
    pub(super) fn apply(&self, data: &mut Dataset) -> Result<(), Trouble> {
        let unclear = |what: &str| {
            let message = format!(
                "`{}`: node `{}` has `normalize` = {:?}, which cannot be done here: {what}",
                data.path, self.node, self.word
            );
            Trouble::file(
                message,
                "give the questions as the model gets them, and say `--normalized`",
            )
        };
        let [column] = &data.columns[..] else {
            return Err(unclear("the data feeds several inputs"));
        };
        let long: Vec<usize> = column.shape.iter().copied().filter(|&len| len != 1).collect();
        let channels = match &column.shape[..] {
            [channels, _, ..] if long.len() > 1 => *channels,
            _ => 1,
        };
        if channels > 1 && self.is_last {
            return Err(unclear("its channels lie moment by moment"));
        }
        if !matches!(column.values, Values::F32(_)) {
            return Err(unclear("its numbers are whole"));
        }
        let count: usize = column.shape.iter().product();
        let Values::F32(values) = &mut data.columns[0].values else { unreachable!("just seen") };
        for question in values.chunks_exact_mut(count.max(1)) {
            for (channel, samples) in
                question.chunks_exact_mut((count / channels).max(1)).enumerate()
            {
                self.scale.apply(channel, samples);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::SourceText;

    use super::*;
    use crate::tools::data::Column;

    fn graph(nodes: &str) -> GraphSpec {
        let text = format!("[graph]\nname = \"g\"\n[node.a]\nop = \"sine\"\n{nodes}");
        GraphSpec::parse(&SourceText::new("g.toml", &text)).expect("it can be read")
    }

    fn node(name: &str, more: &str) -> String {
        format!("[node.{name}]\nop = \"classify\"\nfrom = \"a\"\nmodel = \"m\"\n{more}\n")
    }

    fn data(shape: &[usize], values: &[f32]) -> Dataset {
        let rows = values.len() / shape.iter().product::<usize>();
        let column = Column {
            name: "x".to_owned(),
            shape: shape.to_vec(),
            values: Values::F32(values.to_vec()),
        };
        Dataset { path: "d.npz".to_owned(), content: 0, rows, columns: vec![column], truth: None }
    }

    #[test]
    fn questions_are_scaled_as_their_node_does() {
        let asked = AsAsked::of(&graph(&node("k", "normalize = \"peak\"")), "m").expect("one way");
        let asked = asked.expect("it does something");
        assert_eq!((asked.node.as_str(), asked.word.as_str()), ("k", "peak"));
        for (shape, want) in [
            (&[4][..], [0.25, -0.5, 1.0, 0.0, 1.0, 0.0, 0.0, -0.5]),
            (&[1, 4], [0.25, -0.5, 1.0, 0.0, 1.0, 0.0, 0.0, -0.5]),
            (&[2, 2], [0.5, -1.0, 1.0, 0.0, 1.0, 0.0, 0.0, -1.0]),
        ] {
            let mut data = data(shape, &[1.0, -2.0, 4.0, 0.0, 8.0, 0.0, 0.0, -4.0]);
            asked.apply(&mut data).expect("its channels are clear");
            assert_eq!(data.columns[0].values, Values::F32(want.to_vec()), "{shape:?}");
        }
    }

    #[test]
    fn nodes_that_do_different_things_are_named() {
        let two = node("k", "normalize = \"peak\"") + &node("l", "");
        let told = AsAsked::of(&graph(&two), "m").expect_err("they differ").to_string();
        assert!(told.contains("`k` and `l` both ask `m`"), "{told}");
        assert_eq!(AsAsked::of(&graph(&two), "other").expect("nobody asks"), None);
        let same = node("k", "") + &node("l", "normalize = \"none\"");
        assert_eq!(AsAsked::of(&graph(&same), "m").expect("they agree"), None);
    }
}
