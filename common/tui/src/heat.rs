//! A heat map: time to the right, values upwards in the buckets of a histogram, counts as shades.

mod draw;
mod model;
mod shades;
mod state;

use std::time::Duration;

use corescope::clock::Clock;
use corescope::histogram::{Histogram, Look};
use corescope::interval::Interval;
use corescope::lost::Lost;
use corescope::{Output, Result};
use ratatui::Frame;
use ratatui::crossterm::event::KeyEvent;

use crate::screen::keys::{self, Key};
use crate::screen::{self, Effect, Pace, Screen, Status};
use model::Model;
use state::State;

/// How long an interval is where the user asks for none.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows the histograms of each interval until the tool is asked to end or all intervals are over: `source` gives those
/// that counted something, each with the name of what it is of. Of one histogram the name is not shown.
///
/// # Errors
/// Those of the source; the terminal cannot be used.
pub fn heat(
    name: &'static str,
    look: &Look,
    interval: &Interval,
    lost: Lost<'_>,
    out: Output,
    source: impl FnMut() -> Result<Vec<(String, Histogram)>>,
) -> Result<()> {
    let pace = Pace::new(interval.interval.unwrap_or(INTERVAL), interval.count);
    let mut heat =
        Heat { name, look: *look, clock: out.clock, model: Model::default(), state: State::default(), source };
    screen::run(&mut heat, lost, pace)
}

struct Heat<Source> {
    name: &'static str,
    look: Look,
    clock: Clock,
    model: Model,
    state: State,
    source: Source,
}

impl<Source: FnMut() -> Result<Vec<(String, Histogram)>>> Screen for Heat<Source> {
    fn keys(&self) -> &'static [Key] {
        keys::HEAT
    }

    fn update(&mut self, _: Duration) -> Result<()> {
        let all = (self.source)()?;
        self.clock.resync();
        let now = self.clock.now_ns();
        self.model.push(self.clock.hms(now).to_string(), all);
        self.state.came(&self.model);
        Ok(())
    }

    fn press(&mut self, event: &KeyEvent, _: u16) -> Effect {
        self.state.press(event, &self.model)
    }

    fn draw(&mut self, frame: &mut Frame<'_>, status: &Status) {
        let view = draw::View { name: self.name, look: &self.look, model: &self.model, state: &self.state, status };
        draw::screen(frame, &view);
    }
}
