//! The binary of its own.

fn main() -> std::process::ExitCode {
    netqtop::main()
}
