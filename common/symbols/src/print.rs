//! Stacks as text in BCC's look, as folded lines for flame graphs, and as JSON.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use corescope::json::{self, Object};
use corescope::{Output, escape};

use crate::frame::Frame;
use crate::symbols::{Named, Space};

/// What text shows beside the names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// The addresses.
    pub addresses: bool,
    /// How far into the function the address lies, as `name+0x1f`.
    pub offsets: bool,
}

/// Writes the stack, a frame per line, the innermost function first.
pub fn text(out: &mut Output, stack: &Named, look: Look) {
    if stack.lost {
        out.push("    ");
        out.push(missed(stack.space));
        out.end_line();
    }
    for frame in &stack.frames {
        out.push("    ");
        if look.addresses {
            // Writing to a Vec does not fail.
            let _ = write!(out.buffer, "{:016x} ", frame.address);
        }
        push_name(&mut out.buffer, stack.space, frame, look.offsets);
        if frame.inlined {
            out.push(" (inlined)");
        }
        if let Some((file, line)) = &frame.source {
            out.push(" ");
            escape::push(&mut out.buffer, file.as_os_str().as_bytes());
            let _ = write!(out.buffer, ":{line}");
        }
        out.end_line();
    }
}

/// Writes both stacks as text, the kernel's first; `delimited` puts a line between them where both are there.
pub fn both_as_text(out: &mut Output, kernel: &Named, user: &Named, delimited: bool, look: Look) {
    text(out, kernel, look);
    if delimited && !kernel.frames.is_empty() && !user.frames.is_empty() {
        out.push("    --\n");
    }
    text(out, user, look);
}

/// Writes one line for flame graphs: `comm;outermost;...;innermost value`, the user stack before the kernel's.
///
/// flamegraph.pl takes what follows the last space as the value and splits the rest at semicolons: a semicolon within a
/// name becomes a colon.
pub fn folded(out: &mut Output, comm: &[u8], user: &Named, kernel: &Named, delimited: bool, look: Look, value: u64) {
    let start = out.buffer.len();
    escape::push(&mut out.buffer, comm);
    colons(&mut out.buffer[start..]);
    push_folded(out, user, look);
    if delimited && !kernel.frames.is_empty() && !user.frames.is_empty() {
        out.push(";-");
    }
    push_folded(out, kernel, look);
    let _ = write!(out.buffer, " {value}");
    out.end_line();
}

fn push_folded(out: &mut Output, stack: &Named, look: Look) {
    if stack.lost {
        out.push(";");
        out.push(missed(stack.space));
    }
    for frame in stack.frames.iter().rev() {
        out.push(";");
        let start = out.buffer.len();
        push_name(&mut out.buffer, stack.space, frame, look.offsets);
        colons(&mut out.buffer[start..]);
    }
}

/// Writes both stacks into the object of a row, under the keys of [`crate::batch::FIELDS`].
pub fn both_as_json(object: &mut Object<'_>, kernel: &Named, user: &Named) {
    json(object.key("kernel_stack"), kernel);
    json(object.key("user_stack"), user);
}

/// Writes a list of frames; one that could not be stored is `null`.
pub fn json(out: &mut Vec<u8>, stack: &Named) {
    if stack.lost {
        out.extend_from_slice(b"null");
    } else {
        json::list(out, &stack.frames, push_json);
    }
}

fn push_json(out: &mut Vec<u8>, frame: &Frame) {
    let mut object = Object::new(out);
    // In a string, for many readers of JSON keep numbers to 53 bits only.
    object.text("address", format!("{:#018x}", frame.address).as_bytes());
    if let Some(symbol) = &frame.symbol {
        object.text("symbol", symbol.as_bytes());
        object.number("offset", frame.offset);
    }
    if let Some(module) = &frame.module {
        object.text("module", module.as_os_str().as_bytes());
    }
    if frame.inlined {
        object.number("inlined", true);
    }
    if let Some((file, line)) = &frame.source {
        object.text("file", file.as_os_str().as_bytes());
        object.number("line", line);
    }
    object.end();
}

fn missed(space: Space) -> &'static str {
    match space {
        Space::Kernel => "[Missed Kernel Stack]",
        Space::Process(_) => "[Missed User Stack]",
    }
}

fn push_name(out: &mut Vec<u8>, space: Space, frame: &Frame, offsets: bool) {
    match (&frame.symbol, space) {
        (Some(symbol), _) => {
            escape::push(out, symbol.as_bytes());
            if offsets {
                let _ = write!(out, "+{:#x}", frame.offset);
            }
        }
        // Kernel addresses are worth something by themselves: they can be looked up later.
        (None, Space::Kernel) => _ = write!(out, "{:#x}", frame.address),
        (None, Space::Process(_)) => out.extend_from_slice(b"[unknown]"),
    }
}

fn colons(text: &mut [u8]) {
    for byte in text.iter_mut().filter(|byte| **byte == b';') {
        *byte = b':';
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, both_as_text, folded, json, text};
    use crate::frame::Frame;
    use crate::symbols::{Named, Space};
    use corescope::Output;

    fn frame(address: u64, symbol: &str) -> Frame {
        Frame { address, symbol: Some(symbol.into()), offset: 0x1f, ..Frame::default() }
    }

    fn stacks() -> (Named, Named) {
        let user = vec![frame(0x1000, "in<A;B>"), Frame::unknown(0x2000), frame(0x3000, "main")];
        let kernel = vec![frame(0xffff_ffff_8100_0000, "__schedule"), Frame::unknown(0xffff_ffff_8200_0000)];
        (
            Named { space: Space::Process(7), lost: false, frames: user },
            Named { space: Space::Kernel, lost: false, frames: kernel },
        )
    }

    fn lost(space: Space) -> Named {
        Named { space, lost: true, frames: Vec::new() }
    }

    fn string(out: Output) -> String {
        String::from_utf8(out.buffer).expect("escaped text is UTF-8")
    }

    #[test]
    fn text_is_bccs() {
        let (user, kernel) = stacks();
        let mut out = Output::to_memory(false);
        both_as_text(&mut out, &kernel, &user, true, Look::default());
        assert_eq!(
            string(out),
            "    __schedule\n    0xffffffff82000000\n    --\n    in<A;B>\n    [unknown]\n    main\n"
        );
    }

    #[test]
    fn text_may_have_addresses_offsets_and_lines() {
        let (user, _) = stacks();
        let mut out = Output::to_memory(false);
        text(&mut out, &user, Look { addresses: true, offsets: true });
        assert!(string(out).starts_with("    0000000000001000 in<A;B>+0x1f\n    0000000000002000 [unknown]\n"));
        let detailed = Frame { inlined: true, source: Some(("a\n.c".into(), 7)), ..frame(1, "f") };
        let mut out = Output::to_memory(false);
        text(&mut out, &Named { space: Space::Kernel, lost: false, frames: vec![detailed] }, Look::default());
        assert_eq!(string(out), "    f (inlined) a\\n.c:7\n");
    }

    #[test]
    fn folded_lines_are_what_flame_graphs_read() {
        let (user, kernel) = stacks();
        let mut out = Output::to_memory(false);
        folded(&mut out, b"a;b\n c", &user, &kernel, true, Look::default(), 42);
        assert_eq!(string(out), "a:b\\n c;main;[unknown];in<A:B>;-;0xffffffff82000000;__schedule 42\n");
        let mut out = Output::to_memory(false);
        let (user, kernel) = (lost(Space::Process(7)), lost(Space::Kernel));
        folded(&mut out, b"c", &user, &kernel, true, Look::default(), 1);
        assert_eq!(string(out), "c;[Missed User Stack];[Missed Kernel Stack] 1\n");
    }

    #[test]
    fn json_keeps_what_is_known() {
        let (user, _) = stacks();
        let mut out = Vec::new();
        json(&mut out, &user);
        let parsed: serde_json::Value = serde_json::from_slice(&out).expect("valid JSON");
        assert_eq!(parsed[0], serde_json::json!({"address": "0x0000000000001000", "symbol": "in<A;B>", "offset": 31}));
        assert_eq!(parsed[1], serde_json::json!({"address": "0x0000000000002000"}));
        let mut out = Vec::new();
        json(&mut out, &lost(Space::Kernel));
        assert_eq!(out, b"null");
    }
}
