//! What a model with variants, a rival or a shadow tells of itself.

use std::fmt::Write;

use engine::{Figures, Histogram, Series};

use super::{
    counts::Tally,
    figures::{lost, ms, plural},
    model::Model,
    service::ModelService,
    shadow::Compared,
};

impl ModelService {
    /// Figures of every model it has, told apart by `variant` where there are several.
    pub(super) fn all_figures(&self, name: &str, to: &mut dyn Figures) {
        for model in self.variants() {
            model.figures(name, to);
        }
        if let Some((other, _)) = &self.ab {
            other.figures(name, to);
        }
        if let Some((other, _, compared)) = &self.shadow {
            other.figures(name, to);
            compared.figures(name, other.variant().unwrap_or_default(), to);
        }
    }

    /// One line for people; nothing where nobody asked.
    pub(super) fn told(&self) -> Option<String> {
        if self.front.is_none() && self.ab.is_none() && self.shadow.is_none() {
            return self.model.remark();
        }
        let mut line = match &self.front {
            Some(front) => of_front(&front.models)?,
            None => self.model.remark().unwrap_or_else(|| "0 answers".to_owned()),
        };
        let mut is_asked = self.variants().iter().any(|model| model.tally().asked > 0);
        if let Some((other, _)) = &self.ab {
            let tally = other.tally();
            is_asked |= tally.asked > 0;
            let (answered, name) = (tally.answered, name(other));
            let _ = write!(line, "; B is `{name}`: {answered} answer{}", plural(answered));
            if let Some((b, b_most)) = middle(&other.counts.answers) {
                let _ = write!(line, " within {b} ms (p99 {b_most})");
            }
            let mine = self.variants().iter().rev().find_map(|it| middle(&it.counts.answers));
            if let Some((a, a_most)) = mine {
                let _ = write!(line, ", A's within {a} ms (p99 {a_most})");
            }
            lost(&mut line, &tally);
        }
        if let Some((other, _, compared)) = &self.shadow {
            let sums = compared.sums();
            let (name, count) = (name(other), sums.compared);
            let _ = write!(line, "; shadow `{name}`: {count} answer{} compared", plural(count));
            if let (Some(agree), Some(apart)) = (sums.agreement(), sums.mean_difference()) {
                let agree = 100.0 * agree;
                let _ = write!(line, ", {agree:.1} % agree, {apart:.3} apart on average");
            }
            let both = (middle(&compared.other_answers), middle(&compared.true_answers));
            if let (Some((took, _)), Some((own, _))) = both {
                let _ = write!(line, ", within {took} ms instead of {own}");
            }
            lost(&mut line, &other.tally());
        }
        is_asked.then_some(line)
    }
}

/// Median and 99 %, in milliseconds.
fn middle(took: &Histogram) -> Option<(String, String)> {
    let at = |quantile| Some(ms(took.quantile(quantile)? as f64));
    Some((at(0.5)?, at(0.99)?))
}

fn name(model: &Model) -> &str {
    model.variant().unwrap_or_else(|| model.name())
}

/// Which variant answered how much, the most accurate first.
fn of_front(models: &[std::sync::Arc<Model>]) -> Option<String> {
    let tallies: Vec<Tally> = models.iter().map(|model| model.tally()).collect();
    if tallies.iter().all(|tally| tally.asked == 0) {
        return Some("0 answers".to_owned());
    }
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let answered = sum(|tally| tally.answered);
    let mut line = format!("{answered} answer{}", plural(answered));
    for (model, tally) in models.iter().zip(&tallies).rev() {
        let share = 100.0 * tally.answered as f64 / answered.max(1) as f64;
        let _ = write!(line, ", {share:.0} % by `{}`", name(model));
        if let Some((half, most)) = middle(&model.counts.answers) {
            let _ = write!(line, " within {half} ms (p99 {most})");
        }
    }
    let handed = sum(|tally| tally.handed);
    if handed > 0 {
        let _ = write!(line, ", {handed} of them too late for a better one");
    }
    let all = Tally {
        refused: sum(|tally| tally.refused),
        late: sum(|tally| tally.late),
        failed: sum(|tally| tally.failed),
        forgotten: sum(|tally| tally.forgotten),
        inside: sum(|tally| tally.inside),
        ..Tally::default()
    };
    lost(&mut line, &all);
    Some(line)
}

impl Compared {
    fn figures(&self, name: &str, variant: &str, to: &mut dyn Figures) {
        let labels = [("model", name), ("variant", variant)];
        let series = |name, help| Series { name, help, labels: &labels };
        let sums = self.sums();
        let help = "Questions that a shadow and the model both answered.";
        to.counter(series("afferent_model_shadow_compared_total", help), sums.compared);
        let help = "Questions to which a shadow gave an answer that agrees.";
        to.counter(series("afferent_model_shadow_agreed_total", help), sums.agreed);
        let help =
            "Mean absolute difference of the numbers in answers of a shadow and of the model.";
        let apart = sums.mean_difference().unwrap_or(0.0);
        to.gauge(series("afferent_model_shadow_difference", help), apart);
        let help = "From a question that a shadow answered, too, to the answer that was given.";
        to.latency(series("afferent_model_shadow_true_seconds", help), &self.true_answers);
        let help = "From a question to the answer of a shadow.";
        to.latency(series("afferent_model_shadow_seconds", help), &self.other_answers);
    }
}
