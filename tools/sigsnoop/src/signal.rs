//! A signal, as it is printed.

use std::borrow::Cow;

use corescope::syscalls::Abi;
use corescope::{Column, Value, errno, kill, signal_name};

use crate::bpf::types::signal_event as Event;

/// A signal, or a call that sends one, and whether names are shown.
pub(crate) struct Signal {
    pub(crate) event: Event,
    pub(crate) names: bool,
}

pub(crate) const COLUMNS: &[Column<Signal>] = corescope::columns![Signal;
    TIME: "When the signal was made, or the call returned" => |signal| Value::Time(signal.event.time_ns),
    text PID: "Process that sent it, or caused it; 0: no process did" => |signal| signal.event.pid.into(),
    json PID: "Process that sent it, or caused it; null if none did" => |signal| signal.sender(signal.event.pid.into()),
    json TID: "Its thread, or null" => |signal| signal.sender(signal.event.tid.into()),
    text COMM: "Name of that thread; [kernel] if no process sent it" => |signal| match signal.event.pid {
        0 => "[kernel]".into(),
        _ => Value::c_string(&signal.event.comm),
    },
    json COMM: "Name of that thread, or null" => |signal| signal.sender(Value::c_string(&signal.event.comm)),
    json SYSCALL: "The system call with -k, as in killsnoop(8); null otherwise" => |signal| signal.call().into(),
    json ABI: "Who called, with -k: native, or compat for a 32-bit program on a 64-bit kernel; null otherwise" =>
        |signal| signal.call().map(|_| Abi::of(signal.event.compat != 0).name()).into(),
    text "SIG" left 9: "Signal, by name with -n" => |signal| kill::show_signal(signal.event.signal, signal.names).into(),
    json SIGNAL => |signal| signal.event.signal.into(),
    json SIGNAL_NAME => |signal| u32::try_from(signal.event.signal).ok().and_then(signal_name).into(),
    TPID: "Process that it is for; with -k as in killsnoop(8)" => |signal| signal.tpid(),
    json TTID => |signal| Value::unless_zero(signal.event.ttid),
    TCOMM => |signal| Value::unless_empty(&signal.event.tcomm),
    text "RESULT" left 9: "What became of it, by name with -n; with -k 0, or the error as a negative number" =>
        |signal| match signal.result_name() {
            Some(name) if signal.names => name.into(),
            _ => signal.event.result.into(),
        },
    json "result" text: "delivered, ignored, pending, overflow or no_info, as RESULT is 0 to 4; null with -k" =>
        |signal| signal.result_name().into(),
    json RET: "Result of the call with -k; null otherwise" => |signal| signal.ret().into(),
    json ERRNO: "Number of the error (errno), or 0; null without -k" => |signal| signal.ret().map(errno::of).into(),
    json ERROR => |signal| signal.ret().and_then(errno::name_of).into(),
    text "CODE" left 0: "Why it was made, such as SI_USER, SI_TIMER or SEGV_MAPERR, see sigaction(2)" =>
        |signal| signal.code(),
    json "si_code" number: "Why it was made, see sigaction(2); null with -k" =>
        |signal| signal.call().is_none().then_some(signal.event.code).into(),
    json "si_code_name" text: "The same by name, or null if the code has none" => |signal| signal.code_name().into(),
];

/// `TRACE_SIGNAL_DELIVERED` and those that follow it.
const RESULTS: [&str; 5] = ["delivered", "ignored", "pending", "overflow", "no_info"];

/// What a code means for each signal, from -7 down to nothing.
const ANY: [&str; 8] =
    ["SI_USER", "SI_QUEUE", "SI_TIMER", "SI_MESGQ", "SI_ASYNCIO", "SI_SIGIO", "SI_TKILL", "SI_DETHREAD"];
const ASYNCNL: i32 = -60;
const KERNEL: i32 = 0x80;

/// What codes from 1 on mean for one signal.
const OWN: [(i32, &[&str]); 8] = [
    (
        libc::SIGILL,
        &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
            "ILL_BADIADDR",
        ],
    ),
    (
        libc::SIGFPE,
        &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ],
    ),
    (
        libc::SIGSEGV,
        &[
            "SEGV_MAPERR",
            "SEGV_ACCERR",
            "SEGV_BNDERR",
            "SEGV_PKUERR",
            "SEGV_ACCADI",
            "SEGV_ADIDERR",
            "SEGV_ADIPERR",
            "SEGV_MTEAERR",
            "SEGV_MTESERR",
            "SEGV_CPERR",
        ],
    ),
    (libc::SIGBUS, &["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"]),
    (libc::SIGTRAP, &["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"]),
    (libc::SIGCHLD, &["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"]),
    (libc::SIGIO, &["POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"]),
    (libc::SIGSYS, &["SYS_SECCOMP", "SYS_USER_DISPATCH"]),
];

impl Signal {
    /// The system call, of a row that is about one.
    fn call(&self) -> Option<&'static str> {
        kill::call(self.event.call)
    }

    /// And its result.
    fn ret(&self) -> Option<i32> {
        self.call().map(|_| self.event.result)
    }

    fn sender<'a>(&'a self, value: Value<'a>) -> Value<'a> {
        if self.event.pid == 0 { Value::Missing } else { value }
    }

    fn tpid(&self) -> Value<'_> {
        // A descriptor that is no pidfd stands for nobody.
        if self.event.call == kill::BY_PIDFD && self.event.tpid == 0 {
            return Value::Missing;
        }
        self.event.tpid.into()
    }

    fn result_name(&self) -> Option<&'static str> {
        let result = usize::try_from(self.event.result).ok().filter(|_| self.event.call == 0)?;
        RESULTS.get(result).copied()
    }

    fn code_name(&self) -> Option<&'static str> {
        let (signal, code) = (self.event.signal, self.event.code);
        match code {
            _ if self.event.call != 0 => None,
            KERNEL => Some("SI_KERNEL"),
            ASYNCNL => Some("SI_ASYNCNL"),
            ..=0 => ANY.get(usize::try_from(code.unsigned_abs()).ok()?).copied(),
            _ => {
                let (_, names) = OWN.iter().find(|(own, _)| *own == signal)?;
                names.get(usize::try_from(code - 1).ok()?).copied()
            }
        }
    }

    fn code(&self) -> Value<'_> {
        match self.code_name() {
            Some(name) => name.into(),
            None if self.event.call != 0 => Value::Missing,
            None => Value::Text(Cow::Owned(self.event.code.to_string().into_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Signal};
    use corescope::Value;

    fn code(signal: i32, code: i32) -> Option<&'static str> {
        Signal { event: Event { signal, code, ..Event::default() }, names: false }.code_name()
    }

    #[test]
    fn codes_are_those_of_the_c_library() {
        let known = [
            (libc::SIGTERM, libc::SI_USER, "SI_USER"),
            (libc::SIGTERM, libc::SI_QUEUE, "SI_QUEUE"),
            (libc::SIGTERM, libc::SI_TKILL, "SI_TKILL"),
            (libc::SIGALRM, libc::SI_TIMER, "SI_TIMER"),
            (libc::SIGKILL, libc::SI_KERNEL, "SI_KERNEL"),
            (libc::SIGIO, libc::SI_ASYNCNL, "SI_ASYNCNL"),
            (libc::SIGIO, libc::SI_SIGIO, "SI_SIGIO"),
            (libc::SIGBUS, libc::BUS_ADRERR, "BUS_ADRERR"),
            (libc::SIGCHLD, libc::CLD_EXITED, "CLD_EXITED"),
            (libc::SIGCHLD, libc::CLD_CONTINUED, "CLD_CONTINUED"),
            (libc::SIGTRAP, libc::TRAP_HWBKPT, "TRAP_HWBKPT"),
            (libc::SIGSEGV, 1, "SEGV_MAPERR"),
            (libc::SIGSEGV, 10, "SEGV_CPERR"),
            (libc::SIGFPE, 1, "FPE_INTDIV"),
        ];
        for (signal, number, name) in known {
            assert_eq!(code(signal, number), Some(name));
        }
        assert_eq!(code(libc::SIGTERM, 1), None);
        assert_eq!(code(libc::SIGSEGV, 99), None);
        assert_eq!(code(libc::SIGTERM, i32::MIN), None);
    }

    #[test]
    fn results_of_signals_and_of_calls() {
        let signal = |result, call| Signal { event: Event { result, call, ..Event::default() }, names: true };
        assert_eq!(signal(1, 0).result_name(), Some("ignored"));
        assert_eq!(signal(9, 0).result_name(), None);
        assert_eq!(signal(0, 1).result_name(), None);
        assert_eq!(signal(0, 1).code(), Value::Missing);
    }
}
