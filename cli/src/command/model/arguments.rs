//! What can be asked of `afferent model`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, builder::ValueParser};

#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    #[command(subcommand)]
    pub(super) what: What,
}

#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// Measure a model: what it takes and gives, latency, memory, accuracy
    Profile(ProfileArguments),
    /// Make an int8 variant of a model, and keep it if it is faster and right enough
    Quantize(QuantizeArguments),
    /// Tell by how many bytes this process grows with a model
    #[command(hide = true)]
    Weigh(WeighArguments),
}

/// A model, and how it is asked.
#[derive(Debug, Args)]
pub(super) struct SubjectArguments {
    /// The model: an ONNX file
    #[arg(value_name = "FILE.onnx")]
    pub(super) file: PathBuf,

    /// Questions: `.npz` with an array `x`, or one called like each input; `.npy`; or `.jsonl` as the sink
    /// `jsonl` writes tensors
    ///
    /// The first dimension counts questions. An array `y`, or a key `y` in every line, says the right class
    /// of each, by number or name. Without data, questions are made up: noise from -1 to 1, the same in every run.
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,

    /// The right class of each question, if the data does not say: `.npy`, or text with one a line
    #[arg(long, value_name = "FILE", requires = "data")]
    pub(super) truth: Option<PathBuf>,

    /// Names of the classes, in the order of the model's scores
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(super) labels: Option<Vec<String>>,

    /// The output with the answer [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(super) output: Option<String>,

    /// A number for an input that no data feeds; may be given several times
    #[arg(long, value_name = "INPUT=NUMBER", value_parser = ValueParser::new(fixed), allow_hyphen_values = true)]
    pub(super) fixed: Vec<(String, f64)>,

    /// The shape of one question for an input whose lengths are open; may be given several times
    #[arg(long, value_name = "INPUT=N,…", value_parser = ValueParser::new(shape))]
    pub(super) shape: Vec<(String, Vec<usize>)>,
}

#[derive(Debug, Args)]
#[command(after_long_help = PROFILE_EXAMPLES)]
pub(super) struct ProfileArguments {
    #[command(flatten)]
    pub(super) subject: SubjectArguments,

    /// Questions in a run
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2,4,8,16,32")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) batch: Vec<u16>,

    /// Workers that run it at once, one thread each [default: 1 and the number of processors]
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) threads: Option<Vec<u16>>,

    /// Who runs it: `rten`, `onnxruntime` [default: all that are there]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = ["rten", "onnxruntime", "auto"])]
    pub(super) backend: Vec<String>,

    /// Another model, run in turn with this one: latency, and how far answers agree
    #[arg(long, value_name = "OTHER.onnx")]
    pub(super) against: Option<PathBuf>,

    /// Seconds that each measurement takes
    #[arg(long, value_name = "S", default_value = "0.3", value_parser = ValueParser::new(seconds))]
    pub(super) seconds: f64,

    /// Write what was measured beside the model, to NAME.profile.toml
    #[arg(long)]
    pub(super) save: bool,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

const PROFILE_EXAMPLES: &str = "\
Examples:
  afferent model profile beats.onnx
  afferent model profile beats.onnx --data beats.npz --labels normal,premature,artefact
  afferent model profile beats.onnx --against beats.int8.onnx --data beats.npz --json
  afferent model profile vad.onnx --shape input=576 --shape state=2,128 --fixed sr=16000

Latency is of one run on one thread, as `[model.NAME]` runs it. `economy` is batch x p50 of one / p50
of the batch: how many times more questions a second the same thread answers. Where it stays near
one, batching pays nothing and costs latency.";

#[derive(Debug, Args)]
#[command(after_long_help = QUANTIZE_EXAMPLES)]
pub(super) struct QuantizeArguments {
    #[command(flatten)]
    pub(super) subject: SubjectArguments,

    /// Where the variant goes [default: NAME.int8.onnx]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// Find the ranges of numbers once, from the data, rather than in every run; for convolutions
    ///
    /// Every other question calibrates, 512 at most; the rest are scored.
    #[arg(long = "static", requires = "data")]
    pub(super) is_static: bool,

    /// How ranges are found from data
    #[arg(long, value_enum, default_value = "min-max", requires = "is_static")]
    pub(super) calibration: CalibrationArgument,

    /// A range for every channel of a weight: more accurate, hardly slower
    #[arg(long)]
    pub(super) per_channel: bool,

    /// Weights of 7 bits: for x86 processors without VNNI, where sums of 8 bit products can overflow
    #[arg(long)]
    pub(super) reduce_range: bool,

    /// ONNX operators to quantise [default: MatMul, Gemm and Gather; static: all that can be]
    #[arg(long, value_name = "OP,…", value_delimiter = ',')]
    pub(super) ops: Vec<String>,

    /// Share of answers that may become wrong or, where nobody says what is right, other
    #[arg(long, value_name = "PERCENT", default_value = "0.5%", allow_negative_numbers = true)]
    #[arg(value_parser = ValueParser::new(percent))]
    pub(super) loss: f64,

    /// Most questions in a run, as `batch_max` of the section `[model.NAME]`
    #[arg(long, value_name = "N", default_value_t = 32)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) batch_max: u16,

    /// Who will run it, and so measures it [default: onnxruntime where it is, else rten]
    #[arg(long, value_name = "NAME", value_parser = ["rten", "onnxruntime", "auto"])]
    pub(super) backend: Option<String>,

    /// Seconds that each measurement takes
    #[arg(long, value_name = "S", default_value = "0.3", value_parser = ValueParser::new(seconds))]
    pub(super) seconds: f64,

    /// Keep the variant even if it is slower or too inaccurate
    #[arg(long)]
    pub(super) keep_anyway: bool,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

const QUANTIZE_EXAMPLES: &str = "\
Examples:
  afferent model quantize mlp.onnx
  afferent model quantize beats.onnx --static --data beats.npz --per-channel
  afferent model quantize beats.onnx --static --data beats.npz --loss 1% --backend rten

Old and new are run in turn, with one question and with --batch-max of them, in the backend that would
serve them; a variant that is slower beyond the noise, or loses more than --loss, is not kept and the
program ends with 1. A kept one has its profile beside it, in NAME.int8.profile.toml.

Wants a Python with the packages onnx and onnxruntime: the one named in AFFERENT_PYTHON, else that of
an active or near virtual environment (.venv, venv), else python3.";

#[derive(Debug, Args)]
pub(super) struct WeighArguments {
    #[command(flatten)]
    pub(super) subject: SubjectArguments,
    #[arg(long)]
    pub(super) backend: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum CalibrationArgument {
    /// From the least to the largest number seen
    MinMax,
    /// Such that the numbers' distribution changes least
    Entropy,
    /// Without the outermost numbers
    Percentile,
}

fn pair(text: &str) -> Result<(String, &str), String> {
    let (name, value) = text.split_once('=').ok_or("write INPUT=VALUE")?;
    if name.is_empty() {
        Err("name an input before `=`".to_owned())
    } else {
        Ok((name.to_owned(), value))
    }
}

fn fixed(text: &str) -> Result<(String, f64), String> {
    let (name, value) = pair(text)?;
    match value.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((name, value)),
        _ => Err(format!("`{value}` is no number")),
    }
}

pub(crate) fn shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let (name, lens) = pair(text)?;
    let lens = lens.split(',').map(str::trim).filter(|len| !len.is_empty());
    let lens: Result<Vec<usize>, _> = lens.map(str::parse).collect();
    let lens =
        lens.map_err(|_| "write lengths with commas between them, such as 3,224,224".to_owned())?;
    if lens.contains(&0) { Err("a length is at least 1".to_owned()) } else { Ok((name, lens)) }
}

/// Long enough to measure, short enough to wait for.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("write seconds from 0.001 to 600".to_owned()),
    }
}

/// As a share of one.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("write a percentage from 0 to 100, such as 0.5%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_in_per_cent() {
        assert_eq!(percent("0.5%"), Ok(0.005));
        assert_eq!(percent("2"), Ok(0.02));
        for text in ["-1%", "101", "nan", "", "half"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn inputs_have_a_number_or_a_shape() {
        assert_eq!(fixed("sr=16000"), Ok(("sr".to_owned(), 16_000.0)));
        assert_eq!(shape("x=3,224,224"), Ok(("x".to_owned(), vec![3, 224, 224])));
        assert_eq!(shape("sr="), Ok(("sr".to_owned(), vec![])), "a single number");
        for text in ["sr", "=3", "x=3;4", "x=0", "x=-1", "x=99999999999999999999"] {
            assert!(shape(text).is_err(), "{text}");
        }
        assert!(fixed("sr=inf").is_err() && fixed("sr=").is_err());
    }
}
