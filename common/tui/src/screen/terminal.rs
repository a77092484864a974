//! The terminal: taken for the live screen, and given back however that ends.

mod deaths;

use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Stdout, Write};
use std::mem::ManuallyDrop;
use std::panic;
use std::sync::Once;

use corescope::signals;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{Command, execute};

/// Whether there is a terminal for a live screen: one that shows it, and one that keys come from.
#[must_use]
pub fn is_usable() -> bool {
    can_move_cursor() && io::stdin().is_terminal()
}

/// Whether output goes to a terminal that understands more than lines.
pub(crate) fn can_move_cursor() -> bool {
    io::stdout().is_terminal() && env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != OsStr::new("dumb"))
}

/// The sequence that clears a terminal, for plain screens.
pub(crate) fn clear_sequence() -> String {
    use ratatui::crossterm::cursor::MoveTo;
    use ratatui::crossterm::terminal::{Clear, ClearType};
    let mut sequence = String::new();
    // Writing to a String does not fail.
    let _ = MoveTo(0, 0).write_ansi(&mut sequence);
    let _ = Clear(ClearType::All).write_ansi(&mut sequence);
    sequence
}

/// The terminal while the live screen is on it. Dropping it gives the terminal back as it was.
pub(crate) struct Taken {
    /// Never dropped: it would print an error where the terminal is gone, and panic because nobody takes that either.
    pub(crate) terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl Taken {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It refuses; then it is as it was.
    pub(crate) fn enter() -> io::Result<Self> {
        restore_on_panic();
        signals::on_suspend();
        deaths::restore_before();
        enable_raw_mode()?;
        let entered = execute!(io::stdout(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        if entered.is_err() {
            restore();
        }
        Ok(Self { terminal: ManuallyDrop::new(entered?) })
    }

    /// Gives the terminal back, stops the process until somebody lets it go on (`fg`), and takes the terminal again.
    ///
    /// # Errors
    /// The terminal refuses.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        restore();
        signals::suspend();
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        // Whatever was drawn before is gone.
        self.terminal.clear()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

/// Whether the process was asked to stop for a while (SIGTSTP); asking takes it back.
pub(crate) fn is_to_be_suspended() -> bool {
    signals::take_suspend()
}

/// A release build aborts at a panic: nothing is dropped then. The message has to appear on the ordinary screen.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            before(info);
        }));
    });
}

/// Nobody could be told that it fails.
fn restore() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = io::stdout().flush();
}
