#!/bin/sh
# unpack.sh DIR: programs that tests ask but whose packages bring services that a machine may not
# want (NetworkManager would take over its cards at the next boot). The packages of purpose "unpack"
# in packages.txt are only unpacked below DIR, not installed. Like packages.sh it says what is missing
# and goes on; under CI=true that is an error.
set -eu

folder=$(dirname "$0")
case $1 in
/*) target=$1 ;;
*) target=$(pwd)/$1 ;;
esac
wanted=$(sed -n 's/^unpack[[:space:]]\{1,\}//p' "$folder/packages.txt")

for package in $wanted; do
    [ ! -e "$target/$package" ] || continue
    part=$(mktemp -d)
    if (cd "$part" && apt-get download "$package" && dpkg -x "$package"_*.deb root) >"$part/log" 2>&1; then
        mkdir -p "$target"
        cp -a "$part/root/." "$target/"
        : >"$target/$package"
        rm -rf "$part"
    else
        tail -n 5 "$part/log" >&2
        rm -rf "$part"
        echo "packages: $package cannot be unpacked; what needs it is left out" >&2
        [ "${CI:-}" != true ] || exit 1
    fi
done
