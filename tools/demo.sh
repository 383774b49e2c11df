#!/bin/sh
# make demo: one Piranha file becomes a pair and its real servers; then the same setup runs twice in
# a kernel with IPVS, first without ARP rules on the real servers, then with the generated ones.
set -eu

drctl=$1
source=examples/piranha/lvs.cf
out=out/demo

echo "== drctl convert $source -o $out"
"$drctl" convert "$source" -o "$out" --force
echo
if [ "$(id -u)" != 0 ]; then
    echo "demo: the lab boots a guest with network namespaces and needs root; run: sudo make demo" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
fi
echo "== drctl lab run $source"
status=0
"$drctl" lab run "$source" --method none --method sysctl || status=$?
if [ "$status" = 2 ] && [ "${CI:-}" != true ]; then
    echo "demo: the lab is left out on this machine; the conversion above is complete" >&2
    exit 0
fi
exit "$status"
