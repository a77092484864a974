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

# copy_checkout FOLDER: the checkout as it is, without what git ignores.
copy_checkout() {
    mkdir -p "$1"
    git -C "$root_dir" -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
        (cd "$root_dir" && while IFS= read -rd '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done) |
        tar -C "$root_dir" --null -T - -cf - | tar -C "$1" -xf -
}

# strip_tools FOLDER: puts all tools there, as they were built for tests: symbols make up nine tenths of them.
strip_tools() {
    local name
    mkdir -p "$1"
    for name in "$root_dir"/tools/*/; do
        name=$(basename "$name")
        strip -o "$1/$name" "$root_dir/target/debug/$name"
    done
}

# The triple of this machine.
host_triple() { as_user rustc -vV | sed -n 's/^host: //p'; }

# Where build_release puts the binaries.
release_folder() { echo "$root_dir/target/$(host_triple)/release"; }

# build_release [-p TOOL]...: static binaries of these tools, or of all.
build_release() {
    local target flags
    [ $# -gt 0 ] || set -- --workspace --bins
    target=$(host_triple)
    # A triple of its own keeps the flags from what runs during the build: procedural macros cannot be static.
    flags='-C target-feature=+crt-static -C force-unwind-tables=no -C link-arg=-Wl,-z,pack-relative-relocs'
    as_user env "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_RUSTFLAGS=$flags" \
        cargo build --quiet --release --target "$target" "$@" --features corescope/static
}
