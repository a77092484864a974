//! What the manual says of stacks in JSON.

use corescope::column::{Field, Kind};

/// Whose code a stack is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The kernel's.
    Kernel,
    /// A process's.
    Process,
}

/// What [`crate::print::json`] writes of the kernel and the user stack of a row.
#[must_use]
pub fn fields() -> Vec<Field> {
    [stack("kernel_stack", Of::Kernel), stack("user_stack", Of::Process)].concat()
}

/// What it writes of one stack under `key`.
#[must_use]
pub fn stack(key: &str, of: Of) -> Vec<Field> {
    // A manual is made once, when somebody asks for it.
    let named = |end: &str| -> &'static str { format!("{key}{end}").leak() };
    let field = |end, kind, help| Field::json(named(end), kind, help);
    let frames = match of {
        Of::Kernel => "Frames in the kernel, the innermost first; null if they were lost",
        Of::Process => "Frames in user space, the innermost first; null if they were lost",
    };
    let module = match of {
        Of::Kernel => "Kernel module; null if there is none",
        Of::Process => "Executable or library; null if it is not known",
    };
    let mut all = vec![
        field("", Kind::Objects, frames),
        field("[].address", Kind::Text, "Instruction, or the one to return to, in hexadecimal"),
        field("[].symbol", Kind::Text, "Name of the function; null if it is not known"),
        field("[].offset", Kind::Number, "Bytes from the function's start; null with the symbol"),
        field("[].module", Kind::Text, module),
    ];
    if of == Of::Process {
        const MODULE_ADDRESS: &str =
            "Address in that file, in hexadecimal, as addr2line takes it, of frames without a symbol; null of others";
        all.extend([
            field("[].module_address", Kind::Text, MODULE_ADDRESS),
            field("[].inlined", Kind::Bool, "Whether it is an inlined function; known with --source-lines only"),
            field("[].file", Kind::Text, "Source file, with --source-lines; null if it is not known"),
            field("[].line", Kind::Number, "Line in it; null likewise"),
        ]);
    }
    all.push(match of {
        Of::Kernel => field("_end", Kind::Text, "depth if the stack is cut at the limit of its depth, or null"),
        Of::Process => {
            const END: &str = "depth if the stack is cut at the limit of its depth, not_code if its last frame lies in no code \
                               (a caller has no frame pointers), or null";
            field("_end", Kind::Text, END)
        }
    });
    all
}
