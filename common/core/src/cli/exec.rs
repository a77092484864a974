//! The command of `--exec`: its process is there when the tool starts, and the command runs when the tool is attached.

use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{namespace, signals};

/// The option of tools that run a command.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Exec {
    /// Run this command, and trace just it and what it starts
    #[arg(long = "exec", value_name = "CMD", value_parser = words)]
    words: Option<Words>,
}

/// A command line in its words, of which there is one at least.
#[derive(Debug, Clone)]
struct Words(Vec<CString>);

/// Splits a command line as a shell does, with quotes and backslashes. Nothing else has a meaning: no shell is asked.
fn words(text: &str) -> Result<Words, String> {
    let words = shlex::split(text).ok_or("a quote is not closed")?;
    let words: Result<Vec<CString>, _> = words.into_iter().map(CString::new).collect();
    match words {
        Ok(words) if !words.is_empty() => Ok(Words(words)),
        _ => Err("not a command".into()),
    }
}

impl Exec {
    /// Whether there is a command.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.words.is_some()
    }

    /// Starts a process for the command, which waits until [`Command::run`]. Without `--exec` there is none.
    ///
    /// # Errors
    /// There can be no such process.
    pub fn start(&self) -> Result<Command> {
        let Some(Words(words)) = &self.words else { return Ok(Command(None)) };
        ensure!(
            namespace::is_own(),
            "--exec needs a /proc of this process's own PID namespace (unshare --mount-proc makes one)"
        );
        Ok(Command(Some(Process::start(words).context("cannot start a process for the command")?)))
    }
}

/// The process of a command, if there is one. It gets SIGTERM where the tool ends first.
#[derive(Debug)]
pub struct Command(Option<Process>);

impl Command {
    /// The process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.0.as_ref().map(|process| process.pid.unsigned_abs())
    }

    /// Lets the command run: to be called when everything is attached. The tool's loops end when it has ended.
    ///
    /// # Errors
    /// It cannot be executed.
    pub fn run(&mut self) -> Result<()> {
        let Some(process) = &mut self.0 else { return Ok(()) };
        if signals::stopped() {
            return Ok(());
        }
        signals::stop_with(process.descriptor().context("cannot watch the command")?);
        process.run()
    }
}

#[derive(Debug)]
struct Process {
    pid: libc::pid_t,
    name: CString,
    /// One byte opens it; an error number comes back where the exec fails, and nothing where it is done.
    gate: UnixStream,
    executed: bool,
}

impl Process {
    fn start(words: &[CString]) -> io::Result<Self> {
        let argv: Vec<_> = words.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
        let (gate, inside) = UnixStream::pair()?;
        // SAFETY: the child calls async-signal-safe functions only, and never comes back.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => wait_and_execute(gate.as_raw_fd(), inside.as_raw_fd(), &argv),
            pid => Ok(Self { pid, name: words[0].clone(), gate, executed: false }),
        }
    }

    /// A descriptor that is readable when the process has ended (Linux 5.3).
    fn descriptor(&self) -> io::Result<OwnedFd> {
        // SAFETY: pidfd_open(2) takes no pointers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid, 0) };
        match RawFd::try_from(fd) {
            // SAFETY: the descriptor was just made and nobody else has it.
            Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn run(&mut self) -> Result<()> {
        let mut error = [0; size_of::<libc::c_int>()];
        // Who was killed at the gate neither reads nor answers, and has ended.
        if self.gate.write_all(&[1]).is_ok() && self.gate.read_exact(&mut error).is_ok() {
            let error = io::Error::from_raw_os_error(libc::c_int::from_ne_bytes(error));
            bail!("cannot execute {}: {error}", self.name.to_string_lossy());
        }
        self.executed = true;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: neither call takes a pointer that is not null. The id is that of a child: nobody has waited for it.
        unsafe {
            libc::kill(self.pid, libc::SIGTERM);
            // A command may take its time to end.
            libc::waitpid(self.pid, ptr::null_mut(), if self.executed { libc::WNOHANG } else { 0 });
        }
    }
}

/// The child: its standard output is the tool's standard error, for the tool's own has the tool's rows.
fn wait_and_execute(outside: RawFd, gate: RawFd, argv: &[*const libc::c_char]) -> ! {
    signals::restore();
    let mut byte = 0u8;
    // SAFETY: these functions are async-signal-safe (execvp(3) in glibc and musl), the pointers are to locals and to
    // strings that end in NUL, in a list that ends in a null pointer.
    unsafe {
        // A tool that is killed closes the gate with this.
        libc::close(outside);
        libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO);
        if libc::read(gate, (&raw mut byte).cast(), 1) == 1 {
            libc::execvp(argv[0], argv.as_ptr());
            let error = *libc::__errno_location();
            libc::write(gate, (&raw const error).cast(), size_of_val(&error));
        }
        libc::_exit(127)
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_command_line_is_split_into_words() {
        let split = |text| words(text).map(|words| words.0);
        assert_eq!(split("ls -l"), Ok(vec![c"ls".into(), c"-l".into()]));
        assert_eq!(
            split(r#"sh -c 'a "b"; c' """#),
            Ok(vec![c"sh".into(), c"-c".into(), c"a \"b\"; c".into(), c"".into()])
        );
        assert_eq!(split("echo $HOME | *").map(|words| words.len()), Ok(4));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for text in ["", "  ", "'a", "a \"b"] {
            assert!(words(text).is_err(), "{text}");
        }
    }
}
