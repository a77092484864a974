//! The loop of a live screen: it sleeps until a key, the source, a signal or the end of the interval wakes it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use corescope::lost::Lost;
use corescope::{Context, Result, output};
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};

use super::keys::{self, Action, Key};
use super::pace::{Next, Pace};
use super::terminal::{self, Taken};
use crate::draw::{Colours, help};

/// A new size of the terminal shows by then at the latest: the signal that tells of it can come just before a sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What is on the screen.
pub(crate) trait Screen {
    /// What it does with keys: the help lists them.
    fn keys(&self) -> &'static [Key];

    /// Readable when [`drain`](Self::drain) is to be called before the interval is over.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Takes what is waiting.
    fn drain(&mut self) -> Result<()> {
        Ok(())
    }

    /// Takes what came in the interval that just ended.
    fn update(&mut self, interval: Duration) -> Result<()>;

    /// Takes a key; `height` is that of the screen.
    fn press(&mut self, event: &KeyEvent, height: u16) -> Effect;

    /// Draws all of it, whatever room there is.
    fn draw(&mut self, frame: &mut Frame<'_>, status: &Status);
}

/// What is left to the loop to do after a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    Quit,
    Faster,
    Slower,
    Help,
    Suspend,
}

impl Effect {
    /// Of an action that all screens leave to the loop.
    pub(crate) fn of(action: Action) -> Self {
        match action {
            Action::Faster => Self::Faster,
            Action::Slower => Self::Slower,
            Action::Help => Self::Help,
            Action::Quit => Self::Quit,
            _ => Self::None,
        }
    }
}

/// What the loop knows and a screen shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status {
    /// Seconds between screens.
    pub(crate) interval: f64,
    /// Events that were lost so far.
    pub(crate) lost: u64,
    pub(crate) colours: Colours,
}

/// Shows a screen until the tool is asked to end or all intervals are over.
///
/// # Errors
/// Those of the screen; the terminal cannot be used.
pub(crate) fn run(screen: &mut impl Screen, mut lost: Lost<'_>, mut pace: Pace) -> Result<()> {
    let mut taken = Taken::enter().context("cannot use the terminal")?;
    let mut status = Status { interval: pace.interval().as_secs_f64(), lost: 0, colours: Colours::of_terminal() };
    // How far the help is scrolled, while it is shown.
    let mut helping = None;
    loop {
        let drawn = taken.terminal.draw(|frame| {
            screen.draw(frame, &status);
            if let Some(offset) = helping {
                help::draw(frame, screen.keys(), offset);
            }
        });
        let height = drawn.map_err(unwritable)?.area.height;
        let stdin = std::io::stdin();
        let ready: Vec<BorrowedFd<'_>> = std::iter::once(stdin.as_fd()).chain(screen.fd()).collect();
        let next = pace.wait(&ready, Some(LONGEST_SLEEP));
        screen.drain()?;
        if next == Next::Stop {
            return Ok(());
        }
        if terminal::is_to_be_suspended() {
            taken.suspend().context("cannot use the terminal")?;
        }
        while event::poll(Duration::ZERO).context("cannot read keys")? {
            let Event::Key(key) = event::read().context("cannot read keys")? else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            match press(screen, &mut helping, &key, height) {
                Effect::Quit => return Ok(()),
                Effect::Suspend => taken.suspend().context("cannot use the terminal")?,
                Effect::Faster => pace.step(false),
                Effect::Slower => pace.step(true),
                Effect::Help => helping = Some(0),
                Effect::None => {}
            }
        }
        if next == Next::Due {
            screen.update(pace.next())?;
            status.lost += lost.take().iter().map(|missing| missing.count).sum::<u64>();
            if pace.is_over() {
                return Ok(());
            }
        }
        status.interval = pace.interval().as_secs_f64();
    }
}

/// A key goes to the help while that is shown: it scrolls, or any other key closes it.
fn press(screen: &mut impl Screen, helping: &mut Option<usize>, key: &KeyEvent, height: u16) -> Effect {
    if keys::is_interrupt(key) {
        return Effect::Quit;
    }
    if keys::is_suspend(key) {
        return Effect::Suspend;
    }
    let Some(offset) = helping else { return screen.press(key, height) };
    let page = usize::from(height).saturating_sub(3).max(1);
    let scrolled = match keys::action(screen.keys(), key) {
        Some(Action::Up) => Some(offset.saturating_sub(1)),
        Some(Action::Down) => Some(*offset + 1),
        Some(Action::PageUp) => Some(offset.saturating_sub(page)),
        Some(Action::PageDown) => Some(*offset + page),
        _ => None,
    };
    let last = screen.keys().len().saturating_sub(help::room(height));
    *helping = scrolled.map(|offset| offset.min(last));
    Effect::None
}

/// A terminal that is gone is no error, as with a closed pipe.
fn unwritable(error: std::io::Error) -> corescope::Error {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => output::Closed.into(),
        _ => corescope::Error::new(error).context("cannot write to the terminal"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Screen, Status, press};
    use crate::screen::keys::{HEAT, Key};
    use corescope::Result;
    use ratatui::Frame;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use std::time::Duration;

    struct Nothing;

    impl Screen for Nothing {
        fn keys(&self) -> &'static [Key] {
            HEAT
        }

        fn update(&mut self, _: Duration) -> Result<()> {
            Ok(())
        }

        fn press(&mut self, _: &KeyEvent, _: u16) -> Effect {
            Effect::Faster
        }

        fn draw(&mut self, _: &mut Frame<'_>, _: &Status) {}
    }

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn the_help_scrolls_and_any_other_key_closes_it() {
        let mut helping = Some(0);
        press(&mut Nothing, &mut helping, &key(KeyCode::Down), 6);
        assert_eq!(helping, Some(1));
        press(&mut Nothing, &mut helping, &key(KeyCode::Up), 6);
        assert_eq!(helping, Some(0));
        assert_eq!(press(&mut Nothing, &mut helping, &key(KeyCode::Char('q')), 6), Effect::None);
        assert_eq!(helping, None);
        assert_eq!(press(&mut Nothing, &mut helping, &key(KeyCode::Char('q')), 6), Effect::Faster);
    }

    #[test]
    fn control_keys_are_the_loops_own() {
        for (letter, effect) in [('c', Effect::Quit), ('z', Effect::Suspend)] {
            let event = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
            for mut helping in [None, Some(0)] {
                assert_eq!(press(&mut Nothing, &mut helping, &event, 6), effect);
            }
        }
    }
}
