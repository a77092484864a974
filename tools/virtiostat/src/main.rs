//! The binary of its own.

fn main() -> std::process::ExitCode {
    virtiostat::main()
}
