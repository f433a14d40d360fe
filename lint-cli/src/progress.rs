//! A progress bar for runs that take a while.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Runs that are over sooner show no bar: it would only flicker.
const PATIENCE: Duration = Duration::from_millis(500);

/// Counts the objects that are judged, and shows it on standard error once
/// that is worth it.
pub(crate) struct Progress {
    /// Standard error is a terminal.
    visible: bool,
    since: Instant,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(visible: bool) -> Self {
        Self { visible, since: Instant::now(), bar: OnceLock::new() }
    }

    /// To be called when `done` objects of `all` are judged; from any thread.
    pub(crate) fn advance(&self, done: usize, all: usize) {
        if self.visible && self.since.elapsed() >= PATIENCE {
            self.bar.get_or_init(|| self.draw(all)).set_position(done as u64);
        }
    }

    /// Removes the bar, so that a report can follow.
    pub(crate) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }

    fn draw(&self, all: usize) -> ProgressBar {
        let style = ProgressStyle::with_template("{pos}/{len} objects {wide_bar}")
            .expect("the template is a constant");
        ProgressBar::with_draw_target(Some(all as u64), ProgressDrawTarget::stderr())
            .with_style(style)
            .with_elapsed(self.since.elapsed())
    }
}
