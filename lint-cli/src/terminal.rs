//! Where output goes, and what can be shown there.

use std::fmt;
use std::io::{self, Write};

use anstream::stream::{AsLockedWrite, RawStream};
use anstream::{AutoStream, ColorChoice};
use terminal_size::{Height, Width, terminal_size_of};

/// One stream that output goes to.
pub struct Output {
    to: Box<dyn Write>,
    /// Colours are understood and wanted.
    pub color: bool,
    /// Columns of the terminal; none in a pipe or a file.
    pub width: Option<usize>,
}

impl Output {
    /// A pipe or a file.
    pub fn pipe(to: impl Write + 'static) -> Self {
        Self { to: Box::new(to), color: false, width: None }
    }

    /// A standard stream, looking at `NO_COLOR`, `CLICOLOR_FORCE` and `TERM`
    /// as [`anstream`] does.
    fn detect(
        stream: impl RawStream + AsLockedWrite + 'static,
        size: Option<(Width, Height)>,
    ) -> Self {
        let color = AutoStream::choice(&stream);
        // A serial line or an editor's terminal may not know its size.
        let width = size.map_or(80, |(Width(columns), _)| columns.into());
        Self {
            width: stream.is_terminal().then_some(width),
            color: color != ColorChoice::Never,
            // Nothing is written that wasn't made for it; a file that was mended
            // may have anything in it.
            to: Box::new(AutoStream::always(stream)),
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Whatever the stream says.
    pub fn write_str(&mut self, text: &str) -> io::Result<()> {
        self.write(text.as_bytes())
    }

    /// Writes bytes as they are, and flushes them.
    ///
    /// # Errors
    /// As the stream's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.to.flush()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("color", &self.color)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

/// The streams of a run. Standard input is read by the `input` module.
#[derive(Debug)]
pub struct Terminal {
    /// Reports.
    pub stdout: Output,
    /// Progress, profile, and why a run could not start.
    pub stderr: Output,
}

impl Terminal {
    /// Those of this process.
    pub fn detect() -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let (out_size, err_size) = (terminal_size_of(&stdout), terminal_size_of(&stderr));
        Self { stdout: Output::detect(stdout, out_size), stderr: Output::detect(stderr, err_size) }
    }
}
