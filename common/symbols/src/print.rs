//! Stacks as text in BCC's look, as folded lines for flame graphs, and as JSON.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use corescope::json::{self, Object};
use corescope::{Output, escape};

use crate::frame::{Frame, Mark};
use crate::named::{End, Named, Space};

/// What stands for what is missing of a stack that is deeper than stacks are kept.
const CUT: &str = "[cut]";

/// What text shows beside the names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// A line between stacks.
    pub delimited: bool,
    /// The addresses.
    pub addresses: bool,
    /// How far into the function the address lies, as `name+0x1f`.
    pub offsets: bool,
}

/// Writes stacks as text, a frame per line, the innermost function first.
pub fn text(out: &mut Output, stacks: &[Named], look: Look) {
    let mut before = false;
    for stack in stacks {
        if look.delimited && before && !stack.frames.is_empty() {
            out.push("    --\n");
        }
        before |= !stack.frames.is_empty();
        one_as_text(out, stack, look);
    }
}

fn one_as_text(out: &mut Output, stack: &Named, look: Look) {
    if stack.lost {
        out.push("    ");
        out.push(missed(stack.space));
        out.end_line();
    }
    for alike in stack.frames.chunk_by(|one, next| look_alike(one, next, stack.space, look)) {
        let frame = &alike[0];
        out.push("    ");
        if look.addresses {
            // Writing to a Vec does not fail.
            let _ = write!(out.buffer, "{:016x} ", frame.address);
        }
        push_name(&mut out.buffer, stack.space, frame, look.offsets);
        if alike.len() > 1 {
            let _ = write!(out.buffer, " ({} times)", alike.len());
        }
        if frame.mark == Mark::Inlined {
            out.push(" (inlined)");
        }
        if let Some((file, line)) = &frame.source {
            out.push(" ");
            escape::push(&mut out.buffer, file.as_os_str().as_bytes());
            let _ = write!(out.buffer, ":{line}");
        }
        out.end_line();
    }
    if stack.end == End::Depth {
        out.push("    ");
        out.push(CUT);
        out.end_line();
    }
}

/// Whether two frames that follow each other are one line with a count: those without a name that are shown alike.
fn look_alike(one: &Frame, next: &Frame, space: Space, look: Look) -> bool {
    let with_address = look.addresses || space == Space::Kernel;
    let shown = |frame: &Frame| with_address.then_some(frame.address);
    one.symbol.is_none()
        && next.symbol.is_none()
        && (&one.module, one.module_address, shown(one)) == (&next.module, next.module_address, shown(next))
}

/// Writes stacks as a part of a line for flame graphs: `;outermost;...;innermost`, the one that text shows last first.
///
/// flamegraph.pl takes what follows the last space as the value and splits the rest at semicolons: a semicolon within a
/// name becomes a colon.
pub fn folded(out: &mut Output, stacks: &[Named], look: Look) {
    let mut before = false;
    for stack in stacks.iter().rev() {
        if look.delimited && before && !stack.frames.is_empty() {
            out.push(";-");
        }
        before |= !stack.frames.is_empty();
        push_folded(out, stack, look);
    }
}

/// Writes a name as another part of such a line: `;name`.
pub fn folded_name(out: &mut Output, name: &[u8]) {
    out.push(";");
    let start = out.buffer.len();
    escape::push(&mut out.buffer, name);
    colons(&mut out.buffer[start..]);
}

fn push_folded(out: &mut Output, stack: &Named, look: Look) {
    if stack.lost {
        out.push(";");
        out.push(missed(stack.space));
    }
    if stack.end == End::Depth {
        out.push(";");
        out.push(CUT);
    }
    for frame in stack.frames.iter().rev() {
        out.push(";");
        let start = out.buffer.len();
        push_name(&mut out.buffer, stack.space, frame, look.offsets);
        colons(&mut out.buffer[start..]);
    }
}

/// Writes a list of frames under `key`, `null` for a stack that could not be stored; and why it ends.
pub fn json(object: &mut Object<'_>, key: &str, stack: &Named) {
    let out = object.key(key);
    if stack.lost {
        out.extend_from_slice(b"null");
    } else {
        json::list(out, &stack.frames, |out, frame| push_json(out, stack.space, frame));
    }
    object.exact_text(&format!("{key}_end"), stack.end.name().map(str::as_bytes));
}

fn push_json(out: &mut Vec<u8>, space: Space, frame: &Frame) {
    let mut object = Object::new(out);
    // In a string, because many readers of JSON keep numbers to 53 bits only.
    object.text("address", format!("{:#018x}", frame.address).as_bytes());
    object.exact_text("symbol", frame.symbol.as_deref().map(str::as_bytes));
    push_number(&mut object, "offset", frame.symbol.as_ref().map(|_| frame.offset));
    object.exact_text("module", frame.module.as_deref().map(path_bytes));
    if space != Space::Kernel {
        let address = frame.module_address.map(|address| format!("{address:#x}"));
        object.exact_text("module_address", address.as_deref().map(str::as_bytes));
        object.number("inlined", frame.mark == Mark::Inlined);
        object.exact_text("file", frame.source.as_ref().map(|(file, _)| path_bytes(file)));
        push_number(&mut object, "line", frame.source.as_ref().map(|(_, line)| (*line).into()));
    }
    object.end();
}

fn push_number(object: &mut Object<'_>, key: &str, number: Option<u64>) {
    match number {
        Some(number) => object.number(key, number),
        None => object.null(key),
    }
}

fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
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
        (None, Space::Process(_)) => push_place(out, frame),
    }
}

/// Where a function without a name is, as `[libc.so.6+0x9c1f0]`.
fn push_place(out: &mut Vec<u8>, frame: &Frame) {
    let Some(name) = frame.module.as_deref().and_then(Path::file_name) else {
        out.extend_from_slice(b"[unknown]");
        return;
    };
    out.push(b'[');
    escape::push(out, name.as_bytes());
    if let Some(address) = frame.module_address {
        let _ = write!(out, "+{address:#x}");
    }
    out.push(b']');
}

fn colons(text: &mut [u8]) {
    for byte in text.iter_mut().filter(|byte| **byte == b';') {
        *byte = b':';
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, folded, folded_name, json, text};
    use crate::frame::{Frame, Mark};
    use crate::named::{End, Named, Space};
    use corescope::Output;
    use corescope::json::Object;

    const DELIMITED: Look = Look { delimited: true, addresses: false, offsets: false };

    fn frame(address: u64, symbol: &str) -> Frame {
        Frame { address, symbol: Some(symbol.into()), offset: 0x1f, ..Frame::default() }
    }

    fn named(space: Space, frames: Vec<Frame>) -> Named {
        Named { space, lost: false, frames, end: End::Walked }
    }

    /// The kernel's and the user's.
    fn stacks() -> [Named; 2] {
        let kernel = vec![frame(0xffff_ffff_8100_0000, "__schedule"), Frame::unknown(0xffff_ffff_8200_0000)];
        let user = vec![frame(0x1000, "in<A;B>"), Frame::unknown(0x2000), frame(0x3000, "main")];
        [named(Space::Kernel, kernel), named(Space::Process(7), user)]
    }

    fn lost(space: Space) -> Named {
        Named { lost: true, ..named(space, Vec::new()) }
    }

    fn string(out: Output) -> String {
        String::from_utf8(out.buffer).expect("escaped text is UTF-8")
    }

    fn parsed(stack: &Named) -> serde_json::Value {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        json(&mut object, "stack", stack);
        object.end();
        serde_json::from_slice(&out).expect("valid JSON")
    }

    #[test]
    fn text_is_bccs() {
        let mut out = Output::to_memory(false);
        text(&mut out, &stacks(), DELIMITED);
        assert_eq!(
            string(out),
            "    __schedule\n    0xffffffff82000000\n    --\n    in<A;B>\n    [unknown]\n    main\n"
        );
    }

    #[test]
    fn text_may_have_addresses_offsets_and_lines() {
        let mut out = Output::to_memory(false);
        text(&mut out, &stacks()[1..], Look { delimited: false, addresses: true, offsets: true });
        assert!(string(out).starts_with("    0000000000001000 in<A;B>+0x1f\n    0000000000002000 [unknown]\n"));
        let detailed = Frame { mark: Mark::Inlined, source: Some(("a\n.c".into(), 7)), ..frame(1, "f") };
        let mut out = Output::to_memory(false);
        text(&mut out, &[named(Space::Kernel, vec![detailed])], Look::default());
        assert_eq!(string(out), "    f (inlined) a\\n.c:7\n");
    }

    #[test]
    fn folded_lines_are_what_flame_graphs_read() {
        let mut out = Output::to_memory(false);
        folded_name(&mut out, b"a;b\n c");
        folded(&mut out, &stacks(), DELIMITED);
        assert_eq!(string(out), ";a:b\\n c;main;[unknown];in<A:B>;-;0xffffffff82000000;__schedule");
        let mut out = Output::to_memory(false);
        folded(&mut out, &[lost(Space::Kernel), lost(Space::Process(7))], DELIMITED);
        assert_eq!(string(out), ";[Missed User Stack];[Missed Kernel Stack]");
    }

    #[test]
    fn a_stack_that_is_cut_is_marked_everywhere() {
        let cut = Named { end: End::Depth, ..named(Space::Process(7), vec![frame(1, "f")]) };
        let mut out = Output::to_memory(false);
        text(&mut out, std::slice::from_ref(&cut), Look::default());
        folded(&mut out, std::slice::from_ref(&cut), Look::default());
        assert_eq!(string(out), "    f\n    [cut]\n;[cut];f");
        assert_eq!((&parsed(&cut)["stack_end"], &parsed(&stacks()[0])["stack_end"]), (&"depth".into(), &().into()));
    }

    #[test]
    fn frames_without_a_name_have_a_place() {
        let place =
            |address| Frame { module: Some("/usr/a;b.so".into()), module_address: Some(address), ..Frame::unknown(1) };
        let file = Frame { module: Some("/usr/c".into()), ..Frame::unknown(2) };
        let frames = vec![
            place(0x10),
            place(0x10),
            file.clone(),
            file.clone(),
            Frame::unknown(3),
            Frame::unknown(4),
            Frame::unknown(5),
        ];
        let stack = named(Space::Process(7), frames);
        let mut out = Output::to_memory(false);
        text(&mut out, std::slice::from_ref(&stack), Look::default());
        let lines = "    [a;b.so+0x10] (2 times)\n    [c] (2 times)\n    [unknown] (3 times)\n";
        assert_eq!(string(out), lines);
        let mut out = Output::to_memory(false);
        folded(&mut out, std::slice::from_ref(&stack), Look::default());
        assert_eq!(string(out), ";[unknown];[unknown];[unknown];[c];[c];[a:b.so+0x10];[a:b.so+0x10]");
        let json = serde_json::json!(
            {"address": "0x0000000000000001", "symbol": null, "offset": null, "module": "/usr/a;b.so",
             "module_address": "0x10", "inlined": false, "file": null, "line": null}
        );
        assert_eq!(parsed(&stack)["stack"][0], json);
        // With addresses they differ.
        let mut out = Output::to_memory(false);
        text(&mut out, &[stack], Look { addresses: true, ..Look::default() });
        assert_eq!(string(out).lines().count(), 5);
    }

    #[test]
    fn json_keeps_what_is_known() {
        let stack = &parsed(&stacks()[1])["stack"];
        assert_eq!((&stack[0]["symbol"], &stack[0]["offset"]), (&"in<A;B>".into(), &31.into()));
        let kernel = &parsed(&stacks()[0])["stack"];
        let unknown =
            serde_json::json!({"address": "0xffffffff82000000", "symbol": null, "offset": null, "module": null});
        assert_eq!(kernel[1], unknown);
        assert_eq!(parsed(&lost(Space::Kernel))["stack"], serde_json::Value::Null);
    }
}
