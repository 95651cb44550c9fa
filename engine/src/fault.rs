//! [`Fault`]: a body cannot go on.

use std::{borrow::Cow, error::Error, fmt, io};

/// Why a body cannot go on: a lower-case fragment that can follow ``node `x`: ``.
///
/// The runtime adds node and time; a policy decides what happens next.
#[derive(Debug)]
pub struct Fault {
    text: Cow<'static, str>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    class: FaultClass,
}

/// Who is to blame, as far as the exit code of a program goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultClass {
    /// The body itself.
    Body,
    /// A file, device or pipe.
    Io,
    /// The reader of a pipe went away: not a failure, the run ends cleanly.
    Closed,
    /// A panic: a defect in the body.
    Panic,
    /// Of an answer: it would come too late.
    Late,
}

impl Fault {
    /// A fault told in a fragment without a full stop.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), cause: None, class: FaultClass::Body }
    }

    /// A fault of a file, device or pipe.
    pub fn io(text: impl Into<Cow<'static, str>>, cause: io::Error) -> Self {
        let class = if cause.kind() == io::ErrorKind::BrokenPipe {
            FaultClass::Closed
        } else {
            FaultClass::Io
        };
        Self { text: text.into(), cause: Some(Box::new(cause)), class }
    }

    /// A fault of outside data, such as a recording that cannot be read on.
    pub fn data(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), cause: None, class: FaultClass::Io }
    }

    /// An answer would come too late.
    pub fn late(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), cause: None, class: FaultClass::Late }
    }

    /// A panic, told by its message.
    pub(crate) fn panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "panicked".to_owned());
        Self {
            text: Cow::Owned(format!("panicked: {text}")),
            cause: None,
            class: FaultClass::Panic,
        }
    }

    /// Keeps what led to this.
    #[must_use]
    pub fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// The same, for another whom it concerns as well.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { text: Cow::Owned(self.to_string()), cause: None, class: self.class }
    }

    /// Who is to blame.
    pub const fn class(&self) -> FaultClass {
        self.class
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as _)
    }
}
