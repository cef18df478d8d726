#!/bin/sh
# Takes back what quickstart.sh added for evalbox alone: its two runtimes in Docker's daemon.json,
# its base image, and the virtual environment. Docker, runsc and Python stay, and so do your
# evaluations.
#
#     sh packaging/uninstall.sh [--yes]

set -eu
case ${1:-} in
'' | --yes) ;;
-h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    echo "usage: sh $0 [--yes]" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
# shellcheck source=packaging/lib.sh
. packaging/lib.sh

if [ "${1:-}" != --yes ]; then
    printf 'Remove the evalbox runtimes from Docker, the image %s and %s/%s? [y/N] ' "$IMAGE" "$(pwd)" "$VENV"
    read -r answer || answer=
    case $answer in [yY]*) ;; *) fail "$EXIT_FAILED" 'Nothing was removed.' ;; esac
fi

ensure_python
say 'Removing the runtimes evalbox-gvisor and evalbox-gvisor-net from Docker'
as_root env ${DOCKER_HOST:+"DOCKER_HOST=$DOCKER_HOST"} "$PYTHON" "$REGISTER" --remove >&2
if image_present; then
    say "Removing the image $IMAGE"
    as_user "$VENV/bin/python" -c 'import docker, sys; docker.from_env().images.remove(sys.argv[1])' "$IMAGE" ||
        note "Not removed (message above). By hand: docker image rm $IMAGE"
fi
if [ -d "$VENV" ]; then
    say "Removing $VENV"
    rm -rf "$VENV"
fi
say 'Done. Your evaluations are kept.'
