#!/bin/sh
# Installs the Debian packages that packages.txt lists for the given purposes, as far as they are
# missing. Without root or apt it says what is missing and goes on; under CI=true that is an error.
set -eu

folder=$(dirname "$0")
wanted=
for purpose in "$@"; do
    wanted="$wanted $(sed -n "s/^${purpose}[[:space:]]\{1,\}//p" "$folder/packages.txt")"
done

missing=
for package in $wanted; do
    case " $missing " in *" $package "*) continue ;; esac
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

complain() {
    echo "packages: $1; missing:$missing" >&2
    echo "packages: what needs them is left out; install them with: apt-get install$missing" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
}

command -v apt-get >/dev/null || complain "no apt-get here"
[ "$(id -u)" = 0 ] || complain "not root"
echo "packages: installing$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# RUNLEVEL=1 keeps the packages' services from being started: only their programs are wanted.
run() {
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "$@" >"$log" 2>&1 </dev/null && return
    tail -n 20 "$log" >&2
    return 1
}
run apt-get update || echo "packages: apt-get update failed; trying with the lists that are here" >&2
# shellcheck disable=SC2086
run apt-get install -y --no-install-recommends $missing || complain "apt-get install failed"
