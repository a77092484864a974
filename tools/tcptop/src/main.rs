//! The binary of its own.

fn main() -> std::process::ExitCode {
    tcptop::main()
}
