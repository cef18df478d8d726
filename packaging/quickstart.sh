#!/bin/sh
# Sets up everything evalbox needs on Debian 12+ or Ubuntu, and runs a first evaluation.
#
#     sh packaging/quickstart.sh [--no-run]
#
# Run it as root, or as a user who may use sudo. It looks before each step and does only what is
# missing, so it can be run again at any time.
#
# Exit status: 0 all is set up; 1 a step failed; 2 wrong usage; 3 an administrator is needed (the
# commands are printed); 4 this system is not one it knows how to install on.

set -eu
SCRIPT=$0
SCRIPT_ARGUMENTS=$*
RUN_SAMPLE=yes
for argument; do
    case $argument in
    --no-run) RUN_SAMPLE= ;;
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "$SCRIPT"
        exit 0
        ;;
    *)
        echo "usage: sh $SCRIPT [--no-run]" >&2
        exit 2
        ;;
    esac
done
# The script is named by its full path, as a step may have to run it again from elsewhere.
case $SCRIPT in /*) ;; *) SCRIPT=$(pwd)/$SCRIPT ;; esac
cd "$(dirname "$SCRIPT")/.."
# shellcheck source=packaging/lib.sh
. packaging/lib.sh

say 'Python'
ensure_python
say 'Docker Engine'
ensure_engine
say 'gVisor'
ensure_runsc
say 'evalbox'
ensure_evalbox ''
say 'Base image'
ensure_image
say 'gVisor runtimes in Docker'
status=0
ensure_runtimes || status=$?
if [ "$status" -ne 0 ]; then
    note "No sandbox starts with a network here, so evaluations that ask for one will be refused."
fi

if [ -n "$RUN_SAMPLE" ]; then
    say 'A first evaluation, in a fresh gVisor sandbox'
    status=0
    as_user "$VENV/bin/evalbox" run sample_tasks/hello/hello.py || status=$?
    [ "$status" -eq 0 ] || fail "$EXIT_FAILED" "The evaluation ended with status $status." \
        "'$VENV/bin/evalbox doctor' says what is wrong on this machine."
    say 'Verdict: ok (exit status 0)'
fi

say 'All is set up. Next:'
note "$VENV/bin/evalbox run YOUR_SCRIPT      run your own program in a sandbox"
note "$VENV/bin/evalbox ls                   what has been run, and how it ended"
note "$VENV/bin/evalbox doctor               how this machine is doing"
