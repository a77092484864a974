//! The loop of the live screen: it sleeps until a key, the source, a signal or the end of the interval wakes it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use corescope::clock::Clock;
use corescope::lost::Lost;
use corescope::{Context, Result, output};
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::draw::{self, View};
use crate::history;
use crate::model::Model;
use crate::pace::Next;
use crate::plain::interval;
use crate::state::{Effect, State};
use crate::terminal::{self, Screen};
use crate::{Pace, Source, Top, load};

/// A new size of the terminal shows by then at the latest: the signal that tells of it can come just before a sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

pub(crate) fn run<Row>(
    top: &Top<Row>,
    source: &mut impl Source<Row>,
    mut lost: Lost<'_>,
    mut clock: Clock,
    mut pace: Pace,
) -> Result<()> {
    let mut screen = Screen::enter().context("cannot use the terminal")?;
    let mut state = State::new(top.live.shown().len(), top.sort_column());
    let mut model = Model::new();
    let mut missed = 0;
    let (bars, colour) = (history::bars(), terminal::has_colour());
    loop {
        let view = View {
            top,
            state: &state,
            model: &model,
            interval: pace.interval().as_secs_f64(),
            lost: missed,
            bars,
            colour,
        };
        let drawn = screen.terminal.draw(|frame| draw::screen(frame, &view, &mut clock));
        let height = drawn.map_err(unwritable)?.area.height;

        let stdin = std::io::stdin();
        let ready: Vec<BorrowedFd<'_>> = std::iter::once(stdin.as_fd()).chain(source.fd()).collect();
        let next = pace.wait(&ready, Some(LONGEST_SLEEP));
        source.drain()?;
        if next == Next::Stop || keys(&mut state, &mut model, &mut pace, draw::page(height), top, &mut clock)? {
            return Ok(());
        }
        if next == Next::Due {
            let rows = interval(source, &mut pace)?;
            clock.resync();
            let now = clock.now_ns();
            let time = clock.hms(now).to_string();
            model.update(top, rows, time, load::averages(&load::line()), state.paused);
            missed += lost.take().iter().map(|missing| missing.count).sum::<u64>();
            if pace.is_over() {
                return Ok(());
            }
        }
        state.clamp(model.lines(top, &state, &mut clock).len(), draw::page(height));
    }
}

/// Takes all keys that are waiting; gives whether one of them ends the tool. `fitting` is how many rows the screen holds.
fn keys<Row>(
    state: &mut State,
    model: &mut Model<Row>,
    pace: &mut Pace,
    fitting: usize,
    top: &Top<Row>,
    clock: &mut Clock,
) -> Result<bool> {
    while event::poll(Duration::ZERO).context("cannot read keys")? {
        let Event::Key(key) = event::read().context("cannot read keys")? else {
            continue;
        };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let rows = model.lines(top, state, clock).len();
        match state.press(&key, rows, fitting) {
            Effect::Quit => return Ok(true),
            Effect::Faster => pace.step(false),
            Effect::Slower => pace.step(true),
            Effect::None => {}
        }
        if !state.paused {
            model.release();
        }
    }
    Ok(false)
}

/// A terminal that is gone is no error, as with a closed pipe.
fn unwritable(error: std::io::Error) -> corescope::Error {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => output::Closed.into(),
        _ => corescope::Error::new(error).context("cannot write to the terminal"),
    }
}
