//! An exec, as it is printed.

use corescope::{Column, Value, errno, escape, event, path};

use crate::bpf::types::{
    execsnoop_call as Call, execsnoop_event as Event, execsnoop_file as File, execsnoop_flags as Flags,
};

/// The system calls whose failures are seen, and how the kernel side reads their arguments.
pub(crate) const CALLS: &[(&str, u32)] =
    &[("execve", Call::EXECSNOOP_EXECVE.0), ("execveat", Call::EXECSNOOP_EXECVEAT.0)];

const CUT: u32 = Flags::EXECSNOOP_CUT.0;
const UNREADABLE: u32 = Flags::EXECSNOOP_UNREADABLE.0;
const SCRIPT: u32 = Flags::EXECSNOOP_SCRIPT.0;
const DELETED: u32 = Flags::EXECSNOOP_DELETED.0;

/// What a path begins with that the kernel makes of a descriptor.
const BY_FD: &[u8] = b"/dev/fd/";

/// An exec, with its strings.
pub(crate) struct Exec {
    event: Event,
    path: Vec<u8>,
    args: Vec<u8>,
    exe: Option<Vec<u8>>,
    cwd: Option<Vec<u8>>,
    /// What was named by a descriptor.
    file: Option<Vec<u8>>,
    /// How the file is shown.
    shown: Vec<u8>,
    max_args: usize,
    quote: bool,
}

pub(crate) const COLUMNS: &[Column<Exec>] = corescope::columns![Exec;
    TIME: "When it was executed" => |exec| Value::Time(exec.event.time_ns),
    text "TIME(s)" left 8: "The same, in seconds since the start" => |exec| Value::Elapsed(exec.event.time_ns),
    UID => |exec| exec.event.uid.into(),
    CPU: "CPU that it was executed on" => |exec| exec.event.cpu.into(),
    COMM as "PCOMM" left 16: "Name of the new program (of the caller if the exec failed)" =>
        |exec| Value::c_string(&exec.event.comm),
    PARENT_COMM => |exec| Value::c_string(&exec.event.parent_comm),
    PID => |exec| exec.event.pid.into(),
    PPID => |exec| exec.event.ppid.into(),
    RET: "0, or the error as a negative number" => |exec| exec.event.ret.into(),
    json ERRNO => |exec| errno::of(exec.event.ret).into(),
    json ERROR => |exec| errno::name_of(exec.event.ret).into(),
    text "EXE" left 24: "File that the kernel executes: of a script its interpreter" => |exec| exec.exe_marked().into(),
    json "exe" text: "File that the kernel executes, as seen from the process's root directory: of a script its \
        interpreter; null if the exec failed" => |exec| exec.exe.as_deref().into(),
    json "exe_deleted" bool: "Whether that file has no name any more, or never had one, as that of memfd_create(2)" =>
        |exec| exec.exe.as_ref().map_or(Value::Missing, |_| exec.is_deleted().into()),
    "CWD" left 24 "cwd" text: "Current directory, as seen from the process's root directory; null if the exec failed" =>
        |exec| exec.cwd.as_deref().into(),
    text "ARGS" left 0: "File that was executed and the arguments after the first; ... where they are cut" =>
        |exec| exec.line(),
    json PATH: "File that was executed, as the caller named it" => |exec| escape::c_string(&exec.path).into(),
    json FILE: "File that was executed, where the caller named it by a descriptor (execveat, fexecve); or null" =>
        |exec| exec.file.as_deref().into(),
    json ARGS => |exec| Value::Words(exec.argv().collect()),
    json ARGS_CUT => |exec| exec.is_cut().into(),
];

/// What follows a descriptor in the path that the kernel makes of it.
fn name_in_folder(path: &[u8]) -> &[u8] {
    let number = path.strip_prefix(BY_FD).unwrap_or_default();
    escape::c_string(number.splitn(2, |byte| *byte == b'/').nth(1).unwrap_or_default())
}

impl Exec {
    /// The event of a record and the strings behind it; at most `max_args` arguments are shown.
    pub(crate) fn new(record: &[u8], max_args: usize, quote: bool) -> Self {
        let (event, mut strings) = event::<Event>(record);
        let mut names = |which: File| {
            let which = which.0 as usize;
            (strings.take(event.names_len[which]), event.names_end[which])
        };
        let (exe, cwd, by_fd) = (names(File::EXECSNOOP_EXE), names(File::EXECSNOOP_CWD), names(File::EXECSNOOP_BY_FD));
        let (path, args) = (strings.take(event.path_len), strings.take(event.args_len));
        // Of a script the descriptor may be that of a folder, and the script's name follow: /dev/fd/3/name.
        let inside = if event.flags & SCRIPT == 0 { b"" } else { name_in_folder(path) };
        let file = path::join(by_fd.0, by_fd.1, inside);
        let mut shown = escape::c_string(path).to_vec();
        if let Some(file) = &file {
            shown.extend([b"<", &file[..], b">"].concat());
        }
        let (exe, cwd) = (path::join(exe.0, exe.1, b""), path::join(cwd.0, cwd.1, b""));
        Self { event: *event, path: path.to_vec(), args: args.to_vec(), exe, cwd, file, shown, max_args, quote }
    }

    fn is_deleted(&self) -> bool {
        self.event.flags & DELETED != 0
    }

    /// As the kernel marks it in /proc/PID/exe.
    fn exe_marked(&self) -> Option<Vec<u8>> {
        let mark: &[u8] = if self.is_deleted() { b" (deleted)" } else { b"" };
        self.exe.as_ref().map(|exe| [exe, mark].concat())
    }

    fn argv(&self) -> impl Iterator<Item = &[u8]> {
        let args = self.args.strip_suffix(b"\0").unwrap_or(&self.args);
        // No argument at all is not one empty argument.
        let count = if self.args.is_empty() { 0 } else { self.max_args };
        args.split(|byte| *byte == 0).take(count)
    }

    fn is_cut(&self) -> bool {
        self.event.flags & (CUT | UNREADABLE) != 0 || self.args.split(|byte| *byte == 0).count() > self.max_args + 1
    }

    /// What it is called: by the kernel, which keeps 15 bytes, and the last part of the file's path, which has all of it.
    pub(crate) fn names(&self) -> [&[u8]; 2] {
        let path = escape::c_string(&self.path);
        [escape::c_string(&self.event.comm), path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()]
    }

    /// What the caller asked for: of a script the kernel makes arguments of its interpreter, the file name among them.
    pub(crate) fn line(&self) -> Value<'_> {
        let path = escape::c_string(&self.path);
        let argv: Vec<&[u8]> = self.argv().collect();
        let mut skip = 1;
        if self.event.flags & SCRIPT != 0 {
            // Interpreter, its argument if there is one, file name.
            skip += argv.iter().skip(1).position(|argument| *argument == path).map_or(0, |index| index + 1);
        }
        let mut words = vec![&self.shown[..]];
        words.extend(argv.iter().skip(skip));
        if self.is_cut() {
            words.push(b"...");
        }
        if self.quote { Value::Quoted(words) } else { Value::Words(words) }
    }
}

#[cfg(test)]
mod tests {
    use super::{CUT, Event, Exec, SCRIPT};
    use corescope::{Value, escape};

    fn line(flags: u32, path: &[u8], args: &[u8], max_args: usize) -> Vec<Vec<u8>> {
        let event = Event { flags, ..Event::default() };
        let exec = Exec {
            event,
            path: path.to_vec(),
            args: args.to_vec(),
            exe: None,
            cwd: None,
            file: None,
            shown: escape::c_string(path).to_vec(),
            max_args,
            quote: false,
        };
        let Value::Words(words) = exec.line() else { panic!("words") };
        words.into_iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn the_file_name_stands_for_the_first_argument() {
        assert_eq!(line(0, b"/bin/ls\0", b"ls\0-l\0\0", 20), [&b"/bin/ls"[..], b"-l", b""]);
        assert_eq!(line(0, b"/bin/ls\0", b"", 20), [b"/bin/ls"]);
    }

    #[test]
    fn a_script_is_shown_as_it_was_called() {
        let args = b"/bin/sh\0-e\0./run\0now\0";
        assert_eq!(line(SCRIPT, b"./run\0", args, 20), [&b"./run"[..], b"now"]);
        // A program that is given its own name is no script.
        assert_eq!(line(0, b"/bin/cp\0", b"cp\0/bin/cp\0x\0", 20), [&b"/bin/cp"[..], b"/bin/cp", b"x"]);
    }

    #[test]
    fn what_was_cut_is_marked() {
        assert_eq!(line(0, b"/a\0", b"a\0b\0c\0", 2), [&b"/a"[..], b"b", b"..."]);
        assert_eq!(line(0, b"/a\0", b"a\0b\0c\0", 3), [&b"/a"[..], b"b", b"c"]);
        assert_eq!(line(CUT, b"/a\0", b"a\0b", 3), [&b"/a"[..], b"b", b"..."]);
    }
}
