//! `afferent model quantize`.

use model::tools::{
    Calibration, Mode, ProfileOptions, QuantizeOptions, Quantized, quantize as make,
};

use crate::{
    exit::{Exit, Failure, print},
    page::Page,
    status::bytes,
};

use super::{
    arguments::{CalibrationArgument, QuantizeArguments},
    options, table, watched,
};

pub(super) fn quantize(asked: &QuantizeArguments) -> Result<Exit, Failure> {
    let calibration = match asked.calibration {
        CalibrationArgument::MinMax => Calibration::MinMax,
        CalibrationArgument::Entropy => Calibration::Entropy,
        CalibrationArgument::Percentile => Calibration::Percentile,
    };
    let out = asked.out.clone().unwrap_or(asked.subject.file.with_extension("int8.onnx"));
    let options = QuantizeOptions {
        profile: ProfileOptions {
            batches: vec![usize::from(asked.batch_max)],
            workers: vec![1],
            backends: asked.backend.iter().cloned().collect(),
            seconds: asked.seconds,
            ..options(&asked.subject)
        },
        out,
        mode: if asked.is_static { Mode::Static(calibration) } else { Mode::Dynamic },
        per_channel: asked.per_channel,
        reduce_range: asked.reduce_range,
        ops: asked.ops.clone(),
        loss: asked.loss,
        keep_anyway: asked.keep_anyway,
    };
    let quantized = watched(|watch| make(&options, watch))?;
    if asked.json {
        print(&format!("{}\n", quantized.to_json()))?;
    } else {
        print(&told(&quantized, asked.keep_anyway))?;
    }
    if quantized.reasons.is_empty() || asked.keep_anyway {
        return Ok(Exit::Done);
    }
    let message = format!("the variant is not kept: {}", quantized.reasons.join("; "));
    let hint = if asked.is_static {
        "try --per-channel, another --calibration or --ops; allow more --loss, or --keep-anyway"
    } else {
        "try --per-channel, or --static with data; allow more --loss, or --keep-anyway"
    };
    Err(Failure::new(Exit::Fault, &message, hint))
}

fn told(quantized: &Quantized, is_kept_anyway: bool) -> String {
    let Quantized { profile, old_bytes, made, reasons, written } = quantized;
    let mut page = Page::of_stdout();
    let share = profile.bytes as f64 / *old_bytes as f64;
    page.line(&format!(
        "{}  {}, {:.0} % of {}",
        profile.file,
        bytes(profile.bytes),
        100.0 * share,
        bytes(*old_bytes)
    ));
    let made: Vec<String> = made.iter().map(|(op, count)| format!("{count} {op}")).collect();
    page.paragraph(&format!("new: {}", made.join(", ")), "  ");
    if let Some(against) = &profile.against {
        table::against(&mut page, profile, against);
        if against.asked == "noise" {
            page.line("");
            page.paragraph(
                "How accurate it is was not measured: that wants questions of yours, with `--data`.",
                "",
            );
        }
    }
    if let Some(accuracy) = &profile.accuracy {
        table::accuracy(&mut page, accuracy);
    }
    if is_kept_anyway {
        for reason in reasons {
            page.line("");
            page.paragraph(&format!("kept anyway, though {reason}"), "");
        }
    }
    if !written.is_empty() {
        page.line("");
    }
    for path in written {
        page.line(&format!("written: {}", path.display()));
    }
    table::end(page, profile)
}
