//! Draws docs/tcptop.svg or docs/biolatency.svg: the real screen of the tool in a real terminal (tmux), while this process
//! transfers data, over connections or from a file. See scripts/picture.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use corescope_testing::tool::binary;
use corescope_testing::workload::{Aligned, direct};

const COLUMNS: usize = 110;
const LINES: usize = 18;
/// Pixels of a cell, in the font that browsers take for `monospace`.
const CELL: (usize, usize) = (8, 17);

fn main() {
    let name = std::env::args().nth(1).expect("tcptop or biolatency");
    let arguments: &[&str] = if name == "biolatency" { &["--tui", "0.5"] } else { &[] };
    if name == "biolatency" {
        requests();
    } else {
        traffic();
    }
    let session = format!("corescope-picture-{}", std::process::id());
    let tool = binary(&name).display().to_string();
    let size = [COLUMNS.to_string(), LINES.to_string()];
    let screen = ["-x", &size[0], "-y", &size[1]];
    let command = ["env", "TERM=screen-256color", &tool];
    tmux(&[&["new-session", "-d", "-s", &session][..], &screen, &command, arguments].concat());
    // Long enough for a history, and for a map over the whole width.
    thread::sleep(Duration::from_secs(if name == "biolatency" { 50 } else { 14 }));
    let text = tmux(&["capture-pane", "-e", "-p", "-t", &session]);
    tmux(&["kill-session", "-t", &session]);
    print!("{}", svg(&text));
}

fn tmux(arguments: &[&str]) -> String {
    let output = Command::new("tmux").args(arguments).output().expect("tmux, see scripts/setup test");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Reads and writes of different sizes and paces past the cache, until the process ends.
fn requests() {
    let path = std::path::PathBuf::from(format!("cs-picture-{}", std::process::id()));
    std::fs::write(&path, vec![1; 32 << 20]).expect("a writable folder");
    let file = direct(&path, 0);
    std::fs::remove_file(&path).expect("a file of one's own");
    let file = Arc::new(file);
    for reader in 0u64..3 {
        let file = Arc::clone(&file);
        thread::spawn(move || {
            for round in 0u64.. {
                let size = 4096 << (reader * 3);
                let mut memory = Aligned::new(size);
                for place in 0..(20 + 15 * (round / 9 % 4)) >> reader {
                    let at = ((round * 7 + place * 13) % 30) << 20;
                    // It is gone with the process.
                    let _ = file.read_exact_at(memory.bytes(), at);
                    if reader == 2 {
                        let _ = file.write_all_at(memory.bytes(), at);
                    }
                }
                thread::sleep(Duration::from_millis(60));
            }
        });
    }
}

/// Connections of different pace, until the process ends.
fn traffic() {
    for (number, address) in ["127.0.0.1:0", "127.0.0.1:0", "[::1]:0", "127.0.0.1:0"].iter().enumerate() {
        let listener = TcpListener::bind(address).expect("an address of this machine");
        let mut sender = TcpStream::connect(listener.local_addr().expect("bound")).expect("somebody listens");
        let (mut receiver, _) = listener.accept().expect("a connection");
        thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while receiver.read(&mut bytes).is_ok_and(|count| count > 0) {}
        });
        thread::spawn(move || {
            for round in 0u64.. {
                let wave = 1 + (round / 5 + number as u64 * 3) % 7;
                let bytes = vec![0; usize::try_from(wave).unwrap_or(1) * (4096 >> number) * 8];
                if sender.write_all(&bytes).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
    }
}

/// How a cell looks: what SGR sequences (console_codes(4)) have set so far.
#[derive(Clone, Default, PartialEq)]
struct Look {
    front: Option<String>,
    back: Option<String>,
    bold: bool,
    dim: bool,
    reverse: bool,
}

const PALETTE: [&str; 16] = [
    "#1d1f21", "#cc6666", "#b5bd68", "#f0c674", "#81a2be", "#b294bb", "#8abeb7", "#c5c8c6", "#666666", "#d54e53",
    "#b9ca4a", "#e7c547", "#7aa6da", "#c397d8", "#70c0b1", "#eaeaea",
];

/// One of the 256 colours of xterm: 16, a cube of 6, and greys.
fn colour(index: usize) -> String {
    let level = |step: usize| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        0..16 => PALETTE[index].into(),
        16..232 => {
            let cube = index - 16;
            format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        _ => format!("#{0:02x}{0:02x}{0:02x}", 8 + 10 * (index.min(255) - 232)),
    }
}

impl Look {
    fn apply(&mut self, sequence: &str) {
        let mut codes = sequence.split(';').map(|code| code.parse::<usize>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                22 => (self.bold, self.dim) = (false, false),
                7 => self.reverse = true,
                27 => self.reverse = false,
                30..=37 => self.front = Some(PALETTE[code - 30].into()),
                90..=97 => self.front = Some(PALETTE[code - 82].into()),
                40..=47 => self.back = Some(PALETTE[code - 40].into()),
                39 => self.front = None,
                49 => self.back = None,
                38 if codes.next() == Some(5) => self.front = codes.next().map(colour),
                48 if codes.next() == Some(5) => self.back = codes.next().map(colour),
                _ => {}
            }
        }
    }

    fn colours(&self) -> (String, Option<String>) {
        let front = self.front.clone().unwrap_or_else(|| "#c5c8c6".into());
        if self.reverse {
            (self.back.clone().unwrap_or_else(|| "#1d1f21".into()), Some(front))
        } else {
            (front, self.back.clone())
        }
    }
}

fn svg(screen: &str) -> String {
    let (width, height) = (COLUMNS * CELL.0 + 20, LINES * CELL.1 + 20);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#1d1f21\"/>\n"
    );
    let mut look = Look::default();
    for (line, text) in screen.lines().enumerate() {
        let mut column = 0;
        for piece in text.split('\u{1b}') {
            let text = match piece.strip_prefix('[').and_then(|rest| rest.split_once('m')) {
                Some((sequence, rest)) => {
                    look.apply(sequence);
                    rest
                }
                None => piece,
            };
            span(&mut svg, &look, text, column, line);
            column += text.chars().count();
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Text of one look: its background, then its characters, stretched to the width of its cells.
fn span(svg: &mut String, look: &Look, text: &str, column: usize, line: usize) {
    let cells = text.chars().count();
    if cells == 0 {
        return;
    }
    let (x, y, width) = (10 + column * CELL.0, 10 + line * CELL.1, cells * CELL.0);
    let (front, back) = look.colours();
    if let Some(back) = back {
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{back}\"/>", CELL.1);
    }
    if text.trim().is_empty() {
        return;
    }
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    let opacity = if look.dim { " opacity=\"0.6\"" } else { "" };
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" textLength=\"{width}\" xml:space=\"preserve\" fill=\"{front}\"{weight}{opacity}>{escaped}</text>",
        y + CELL.1 - 4
    );
}
