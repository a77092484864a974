//! The live screen of rows.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use corescope::Result;
use corescope::clock::Clock;
use ratatui::Frame;
use ratatui::crossterm::event::KeyEvent;

use super::draw::{self, View};
use super::model::Model;
use super::state::State;
use super::{Source, Span, Top};
use crate::draw::bars;
use crate::screen::keys::{self, Key};
use crate::screen::{Effect, Screen, Status, load};

pub(crate) struct Live<'run, Row: 'static, From> {
    top: &'run Top<Row>,
    source: &'run mut From,
    clock: Clock,
    state: State,
    model: Model<Row>,
    bars: &'static bars::Bars,
}

impl<'run, Row, From: Source<Row>> Live<'run, Row, From> {
    pub(crate) fn new(top: &'run Top<Row>, source: &'run mut From, clock: Clock) -> Self {
        let state = State::new(top.live.shown().len(), top.sort_column(), top.groups.len());
        Self { top, source, clock, state, model: Model::new(), bars: bars::bars() }
    }

    fn group(&mut self) {
        self.model.group(self.state.group.checked_sub(1).and_then(|index| self.top.groups.get(index)));
    }

    fn rows(&mut self) -> usize {
        self.model.lines(self.top, &self.state, &mut self.clock).len()
    }
}

impl<Row, From: Source<Row>> Screen for Live<'_, Row, From> {
    fn keys(&self) -> &'static [Key] {
        keys::TOP
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.source.fd()
    }

    fn drain(&mut self) -> Result<()> {
        self.source.drain()
    }

    fn update(&mut self, interval: Duration) -> Result<()> {
        let rows = self.source.rows(Span::ending_now(interval))?;
        self.clock.resync();
        let now = self.clock.now_ns();
        let time = self.clock.hms(now).to_string();
        self.model.update(self.top, rows, time, load::averages(&load::line()), self.state.paused);
        self.group();
        Ok(())
    }

    fn press(&mut self, event: &KeyEvent, height: u16) -> Effect {
        let rows = self.rows();
        let effect = self.state.press(event, rows, draw::page(height));
        if !self.state.paused {
            self.model.release();
        }
        self.group();
        effect
    }

    fn draw(&mut self, frame: &mut Frame<'_>, status: &Status) {
        let rows = self.rows();
        self.state.clamp(rows, draw::page(frame.area().height));
        let view = View { top: self.top, state: &self.state, model: &self.model, status, bars: self.bars };
        draw::screen(frame, &view, &mut self.clock);
    }
}
