//! Options that mean the same in every tool. They are long only: the short ones are BCC's.

use std::path::PathBuf;

/// Options of every tool.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Print JSON, one object per line
    #[arg(long)]
    pub json: bool,

    /// Trace only tasks in this cgroup v2 directory and below; a unit's name will do, such as nginx.service
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<PathBuf>,

    /// In a PID namespace, trace all processes of the machine and show their ids in the initial namespace
    #[arg(long)]
    pub host_pids: bool,

    /// Read the kernel's types (BTF) from this file, if the kernel does not provide them
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,

    /// Report loading and attaching on standard error; given twice, also what libbpf says of it
    #[arg(long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}
