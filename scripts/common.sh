# Sourced by the other scripts: builds the programs and puts them first in PATH.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Where cargo puts what it builds, CARGO_TARGET_DIR and configuration honoured.
build_directory() {
    (cd "$root" && cargo metadata --no-deps --format-version 1 --locked) |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

build() {
    (cd "$root" && cargo build --release --locked --bins "$@")
    PATH="$(build_directory)/release:$PATH"
    export PATH
}
