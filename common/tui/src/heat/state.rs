//! What the user chose of a heat map.

use ratatui::crossterm::event::KeyEvent;

use super::model::Model;
use crate::screen::Effect;
use crate::screen::keys::{self, Action};

/// How many intervals a key scrolls.
const STEP: usize = 10;

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The thing whose map is shown; without one that of all together.
    pub(crate) key: Option<String>,
    /// How many of the newest intervals are scrolled out on the right.
    pub(crate) back: usize,
    /// How many rows are scrolled out at the bottom.
    pub(crate) up: usize,
    pub(crate) paused: bool,
}

impl State {
    /// An interval came. What is held, or scrolled back, stays where it is.
    pub(crate) fn came(&mut self, model: &Model) {
        if self.paused || self.back > 0 {
            self.scroll(self.back + 1, model);
        }
    }

    pub(crate) fn press(&mut self, event: &KeyEvent, model: &Model) -> Effect {
        match keys::action(keys::HEAT, event) {
            None => return Effect::None,
            Some(Action::Earlier) => self.scroll(self.back + STEP, model),
            Some(Action::Later) => self.back = self.back.saturating_sub(STEP),
            Some(Action::First) => self.scroll(usize::MAX, model),
            Some(Action::Last) => self.back = 0,
            Some(Action::Up) => self.up += 1,
            Some(Action::Down) => self.up = self.up.saturating_sub(1),
            Some(Action::AllKeys) => self.key = None,
            Some(Action::NextKey) => self.choose(model, 1),
            Some(Action::PreviousKey) => self.choose(model, model.keys().len()),
            Some(Action::Pause) => {
                self.paused = !self.paused;
                if !self.paused {
                    self.back = 0;
                }
            }
            Some(other) => return Effect::of(other),
        }
        Effect::None
    }

    /// At least the oldest interval stays on the screen.
    fn scroll(&mut self, back: usize, model: &Model) {
        self.back = back.min(model.len().saturating_sub(1));
    }

    /// The key that is so many behind the present one in the list, in which all together come first.
    fn choose(&mut self, model: &Model, steps: usize) {
        let keys = model.keys();
        let now = self.key.as_deref().and_then(|key| keys.iter().position(|known| *known == key));
        let next = (now.map_or(0, |now| now + 1) + steps) % (keys.len() + 1);
        self.key = next.checked_sub(1).map(|index| keys[index].to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::State;
    use crate::heat::model::Model;
    use crate::heat::model::tests::histogram;
    use crate::screen::Effect;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    fn press(state: &mut State, model: &Model, code: KeyCode) -> Effect {
        state.press(&KeyEvent::new(code, KeyModifiers::NONE), model)
    }

    fn model(intervals: usize) -> Model {
        let mut model = Model::default();
        for _ in 0..intervals {
            model.push(String::new(), vec![("a".into(), histogram(&[1], 1)), ("b".into(), histogram(&[2], 3))]);
        }
        model
    }

    #[test]
    fn keys_go_round() {
        let (mut state, model) = (State::default(), model(1));
        let mut after = |code| {
            press(&mut state, &model, code);
            state.key.clone().unwrap_or_else(|| "all".into())
        };
        assert_eq!([KeyCode::Tab, KeyCode::Tab, KeyCode::Tab].map(&mut after), ["b", "a", "all"]);
        assert_eq!([KeyCode::BackTab, KeyCode::BackTab, KeyCode::Char('a')].map(&mut after), ["a", "b", "all"]);
    }

    #[test]
    fn what_is_held_stays() {
        let (mut state, mut model) = (State::default(), model(30));
        state.came(&model);
        assert_eq!(state.back, 0);
        press(&mut state, &model, KeyCode::Char('p'));
        model.push(String::new(), Vec::new());
        state.came(&model);
        assert_eq!(state.back, 1);
        press(&mut state, &model, KeyCode::Char('p'));
        assert_eq!(state.back, 0);
    }

    #[test]
    fn scrolling_ends_at_the_oldest() {
        let (mut state, model) = (State::default(), model(30));
        press(&mut state, &model, KeyCode::Left);
        assert_eq!(state.back, 10);
        press(&mut state, &model, KeyCode::Home);
        assert_eq!(state.back, 29);
        press(&mut state, &model, KeyCode::End);
        assert_eq!(state.back, 0);
        press(&mut state, &Model::default(), KeyCode::Left);
        assert_eq!(state.back, 0);
    }

    #[test]
    fn the_rest_is_left_to_the_loop() {
        let (mut state, model) = (State::default(), model(1));
        assert_eq!(press(&mut state, &model, KeyCode::Char('q')), Effect::Quit);
        assert_eq!(press(&mut state, &model, KeyCode::Char('?')), Effect::Help);
        assert_eq!(press(&mut state, &model, KeyCode::Char('x')), Effect::None);
    }
}
