//! The end of a process or thread, as it is printed.

use std::sync::Arc;

use corescope::{Column, Value, event, signal_name};

use crate::bpf::types::{exitsnoop_event as Event, exitsnoop_flags as Flags};

const ARGS: u32 = Flags::EXITSNOOP_ARGS.0;
const CUT: u32 = Flags::EXITSNOOP_CUT.0;

/// An end, with the arguments of who ended.
pub(crate) struct End {
    event: Event,
    args: Vec<u8>,
    label: Option<Arc<str>>,
}

pub(crate) const COLUMNS: &[Column<End>] = corescope::columns![End;
    TIME as "TIME" left 12: "When it ended; the header names the time zone" => |end| Value::TimeMs(end.event.time_ns),
    "LABEL" left 5 "label" text: "What --label gives, or null" => |end| end.label.as_deref().into(),
    COMM as "PCOMM" left 16: "Name of the process, or of the thread with --per-thread" =>
        |end| Value::c_string(&end.event.comm),
    PID => |end| end.event.pid.into(),
    PPID => |end| end.event.ppid.into(),
    TID: "Thread id: without --per-thread that of the first thread, which is the process id" =>
        |end| end.event.tid.into(),
    "AGE(s)" left 7 "age_ns" number: "Time since the start of the process, or of the thread with --per-thread" =>
        |end| Value::Scaled { raw: end.event.age_ns, per: 1_000_000_000, decimals: 2 },
    text "EXIT_CODE" left 10: "0, the code that it exited with, or the signal that ended it" => |end| end.outcome().into(),
    json "exit_code" number: "The code that it exited with; null if a signal ended it" => |end| end.code().into(),
    json SIGNAL: "The signal that ended it, or null" => |end| end.signal().into(),
    json SIGNAL_NAME => |end| end.signal().and_then(signal_name).into(),
    json "core_dumped" bool: "Whether a core dump was made" => |end| end.core_dumped().into(),
    ARGS: "Arguments, in text with --args; - or null if they cannot be read" => |end| end.argv(),
    json ARGS_CUT => |end| (end.event.flags & CUT != 0).into(),
];

impl End {
    /// The event of a record and the arguments behind it.
    pub(crate) fn new(record: &[u8], label: Option<Arc<str>>) -> Self {
        let (event, mut strings) = event::<Event>(record);
        Self { event: *event, args: strings.take(event.args_len).to_vec(), label }
    }

    /// The signal that ended it: the status is that of wait(2).
    fn signal(&self) -> Option<u32> {
        u32::try_from(self.event.status & 0x7f).ok().filter(|signal| *signal != 0)
    }

    fn code(&self) -> Option<i32> {
        self.signal().is_none().then_some(self.event.status >> 8 & 0xff)
    }

    fn core_dumped(&self) -> bool {
        self.event.status & 0x80 != 0
    }

    /// `0`, `code 7`, `signal 9 (KILL)`, `signal 11 (SEGV), core dumped`.
    fn outcome(&self) -> String {
        let core = if self.core_dumped() { ", core dumped" } else { "" };
        match (self.signal(), self.code()) {
            (Some(signal), _) => {
                let name = signal_name(signal).unwrap_or("unknown".into());
                format!("signal {signal} ({name}){core}")
            }
            (_, Some(code)) if code != 0 => format!("code {code}"),
            _ => "0".into(),
        }
    }

    fn argv(&self) -> Value<'_> {
        if self.event.flags & ARGS == 0 {
            return Value::Missing;
        }
        let args = self.args.strip_suffix(b"\0").unwrap_or(&self.args);
        // No argument at all is not one empty argument.
        Value::Words(if self.args.is_empty() { Vec::new() } else { args.split(|byte| *byte == 0).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::{ARGS, COLUMNS, End, Event};
    use corescope::{Output, Table, Value};

    fn end(status: i32, flags: u32, args: &[u8]) -> End {
        End { event: Event { status, flags, ..Event::default() }, args: args.to_vec(), label: None }
    }

    #[test]
    fn an_end_is_a_code_or_a_signal() {
        let known = [
            (0, "0", Some(0), None),
            (7 << 8, "code 7", Some(7), None),
            (255 << 8, "code 255", Some(255), None),
            (9, "signal 9 (KILL)", None, Some(9)),
            (0x8b, "signal 11 (SEGV), core dumped", None, Some(11)),
            (36, "signal 36 (RTMIN+2)", None, Some(36)),
            (33, "signal 33 (unknown)", None, Some(33)),
        ];
        for (status, text, code, signal) in known {
            let end = end(status, 0, b"");
            assert_eq!((end.outcome().as_str(), end.code(), end.signal()), (text, code, signal));
        }
    }

    #[test]
    fn text_is_that_of_bcc() {
        let mut end = end(9, ARGS, b"sh\0-c\0\0");
        end.event.comm[..2].copy_from_slice(b"sh");
        (end.event.pid, end.event.tid, end.event.ppid, end.event.age_ns) = (70, 71, 1, 1_234_567_890);
        let table = Table::new(COLUMNS).show("TIME", false).show("LABEL", false);
        let mut out = Output::to_memory(false);
        table.header(&mut out);
        table.row(&mut out, &end);
        assert_eq!(
            String::from_utf8_lossy(&out.buffer),
            "PCOMM            PID     PPID    TID     AGE(s)  EXIT_CODE  ARGS\n\
             sh               70      1       71      1.23    signal 9 (KILL) sh -c \"\"\n"
        );
    }

    #[test]
    fn arguments_are_known_or_missing() {
        assert_eq!(end(0, 0, b"").argv(), Value::Missing);
        assert_eq!(end(0, ARGS, b"").argv(), Value::Words(vec![]));
        assert_eq!(end(0, ARGS, b"\0").argv(), Value::Words(vec![b""]));
        assert_eq!(end(0, ARGS, b"a\0b c\0\0").argv(), Value::Words(vec![b"a", b"b c", b""]));
        // A program wrote over them, or they were cut.
        assert_eq!(end(0, ARGS, b"sshd: idle").argv(), Value::Words(vec![b"sshd: idle"]));
    }
}
