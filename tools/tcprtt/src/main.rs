//! The binary of its own.

fn main() -> std::process::ExitCode {
    tcprtt::main()
}
