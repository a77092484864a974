# shellcheck shell=bash
# Building with cargo, also under sudo, and running what needs root.

root_dir=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")

# cargo as the user whose checkout this is: under sudo, root's target folder would lock that user out.
as_user() {
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        sudo -u "$SUDO_USER" -H env "PATH=$(getent passwd "$SUDO_USER" | cut -d: -f6)/.cargo/bin:$PATH" "$@"
    else
        env "PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" "$@"
    fi
}

need_cargo() {
    as_user cargo --version >/dev/null 2>&1 || die "no cargo here; install Rust, see https://rustup.rs"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -E "$@"
    else
        die "this needs root; run it as root or install sudo"
    fi
}
