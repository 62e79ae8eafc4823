#!/bin/sh
# What a container that computes needs in its home before its command: a folder for temporary files,
# and the kernels that were compiled with the image. The home may be a volume that an older image
# filled, so the kernels are not left to Docker, which copies only into an empty one.
set -eu
umask 077
mkdir -p "$TMPDIR" "$ISLANDFLOW_HOME/kernels"
for kernels in "${KERNELS:-/opt/kernels}"/*; do
    home=$ISLANDFLOW_HOME/kernels/${kernels##*/}
    if [ -e "$kernels" ] && [ ! -e "$home" ]; then
        staged=$ISLANDFLOW_HOME/kernels/.staged-$$
        cp -R "$kernels" "$staged"
        # Another container on the same volume may have been faster.
        mv -T "$staged" "$home" 2>/dev/null || rm -rf "$staged"
    fi
done
# A driver of Ray works on a node of its cluster: this container becomes one, without processors.
if [ "${ISLANDFLOW_EXECUTOR:-}" = ray ] && [ "${ISLANDFLOW_RAY_ADDRESS:-auto}" != auto ]; then
    ray start --address="$ISLANDFLOW_RAY_ADDRESS" --num-cpus=0 --object-store-memory=100000000 --disable-usage-stats
fi
exec "$@"
