# Sourced by the other scripts: builds the programs and puts them first in PATH, and fetches what
# runs on Java.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Jars that Maven has fetched stay here from run to run.
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/highwater

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

# Sees to it that a command is there: needs COMMAND PACKAGE, the package by apt. Nothing on stdout.
needs() {
    command -v "$1" >/dev/null && return
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$2"; } >&2
}

# The same for a package with a service, which is not to start.
needs_stopped() (
    command -v "$1" >/dev/null && exit
    policy=/usr/sbin/policy-rc.d
    trap 'rm -f "$policy"; [ ! -e "$policy.kept" ] || mv "$policy.kept" "$policy"' EXIT
    [ ! -e "$policy" ] || mv "$policy" "$policy.kept"
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    needs "$@"
)

# Prometheus and what belongs to it, and what checks the file for Docker Compose.
prometheus_servers() {
    needs_stopped prometheus prometheus
    needs_stopped prometheus-pushgateway prometheus-pushgateway
    needs_stopped prometheus-node-exporter prometheus-node-exporter
    needs docker-compose docker-compose
}

# A browser, and a font for it to write with.
browser() {
    needs chromium chromium
    [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] && return
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends fonts-dejavu-core; } >&2
}

# Spark and Kafka run on Java 17 or later.
java_runtime() { needs java openjdk-17-jre-headless; }

# Prints a folder with the jars of some artifacts and of all that they need, fetched once:
# maven_jars NAME GROUP:ARTIFACT:VERSION… NAME names the folder and has to change with the versions.
maven_jars() {
    local folder=$cache/$1 artifact group version fresh
    shift
    if [ ! -d "$folder" ]; then
        needs mvn maven
        mkdir -p "$cache"
        fresh=$(mktemp -d "$cache/fetching.XXXXXX")
        {
            echo '<project><modelVersion>4.0.0</modelVersion>'
            echo '<groupId>highwater</groupId><artifactId>jars</artifactId><version>1</version><dependencies>'
            for artifact in "$@"; do
                IFS=: read -r group artifact version <<<"$artifact"
                echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
            done
            echo '</dependencies></project>'
        } >"$fresh/pom.xml"
        if ! mvn -q -B -f "$fresh/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
            -DoutputDirectory="$fresh/jars" >"$fresh/log" 2>&1; then
            { echo "$(basename "$0"): Maven could not fetch $*:"; grep -m 3 ERROR "$fresh/log"; } >&2
            rm -rf "$fresh"
            return 1
        fi
        # Whole or not at all; where another run was faster, its jars are as good.
        mv -T "$fresh/jars" "$folder" 2>/dev/null || [ -d "$folder" ]
        rm -rf "$fresh"
    fi
    echo "$folder"
}
