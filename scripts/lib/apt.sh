# shellcheck shell=bash
# A private apt: its own sources, lists and downloads in one folder, so that the machine's stay as they are.
# The mirror is the machine's own: no host name is written here.
# shellcheck disable=SC2016  # apt expands the dollars in its formats

say() { echo "${0##*/}: $*" >&2; }
die() { say "$@"; exit 1; }

# mirror SUITE: the address this machine's apt has for Debian, or for Debian's security updates.
mirror() {
    local suite=$1 uri release main='' security=''
    while read -r uri release; do
        case $release in
            *-security | */updates) security=${security:-$uri} ;;
            bullseye | bookworm | trixie | forky | sid | oldstable | stable | testing | unstable) main=${main:-$uri} ;;
        esac
    done < <(apt-get --no-release-info indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages')
    case $suite in
        *-security) echo "$security" ;;
        *) echo "$main" ;;
    esac
}

# source_line SUITE ARCH: one line for a sources.list; the lists of experimental may be past their valid-until date.
source_line() {
    local uri
    uri=$(mirror "$1")
    [ -n "$uri" ] || return 1
    echo "deb [arch=$2 target=Packages check-valid-until=no" \
        "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $1 main"
}

# private_apt DIR ARCH SUITE...: a configuration for `apt-get -c DIR/apt.conf` that knows these suites only.
private_apt() {
    local dir=$1 arch=$2 suite found=''
    shift 2
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    : >"$dir/status"
    : >"$dir/sources.list"
    for suite in "$@"; do
        if source_line "$suite" "$arch" >>"$dir/sources.list"; then found=1; fi
    done
    [ -n "$found" ] || {
        say "apt's configuration on this machine names no Debian mirror; corescope's kernels are Debian's"
        return 1
    }
    # Machines clean up after apt in hooks; as a normal user those would fail.
    cat >"$dir/apt.conf" <<END
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$dir/lists";
Dir::State::Status "$dir/status";
Dir::Cache "$dir/cache";
END
}

# packages DIR REGEX: "VERSION PACKAGE" of all packages in the private lists whose name matches, oldest first.
packages() {
    local file
    apt-get -c "$1/apt.conf" --no-release-info indextargets --format '$(FILENAME)' 'Created-By: Packages' |
        while read -r file; do
            for file in "$file" "$file".*; do
                if [ -e "$file" ]; then /usr/lib/apt/apt-helper cat-file "$file"; fi
            done
        done |
        awk -v regex="$2" '/^Package: / { name = $2 } /^Version: / && name ~ regex { print $2, name }' |
        sort -k1,1V -k2,2r
}
