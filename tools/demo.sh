#!/bin/sh
# make demo: one Piranha file becomes a pair and its real servers; a live pair of directors is killed,
# cut, hung and switched; then the converted setup runs twice in a kernel with IPVS, first without ARP
# rules on the real servers, then with the generated ones.
set -eu

drctl=$1
python=$(dirname "$drctl")/python
source=examples/piranha/lvs.cf
out=out/demo

# What this machine cannot show is left out, but not under CI=true.
left_out() {
    [ "${CI:-}" = true ] && exit 1
    echo "demo: $1" >&2
}

echo "== drctl convert $source -o $out"
"$drctl" convert "$source" -o "$out" --force
echo
if [ "$(id -u)" != 0 ]; then
    left_out "the pair and the lab need root for network namespaces; run: sudo make demo"
    exit 0
fi
echo "== drctl run on two directors"
status=0
"$python" tools/demo_pair.py || status=$?
case $status in
    0) ;;
    2) left_out "the pair is left out on this machine" ;;
    *) exit "$status" ;;
esac
echo
echo "== drctl lab run $source"
status=0
"$drctl" lab run "$source" --method none --method sysctl || status=$?
case $status in
    2) left_out "the lab is left out on this machine; what is above is complete" ;;
    *) exit "$status" ;;
esac
