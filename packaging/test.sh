#!/bin/sh
# Runs every check of the project, after installing whatever a fresh machine lacks for that.
#
#     sh packaging/test.sh [--fast] [PYTEST_ARGUMENT...]
#
# --fast: linters and unit tests only, without Docker. The other arguments go to pytest.
# The sandbox tests run against a real Docker Engine with gVisor; where that cannot be had, this
# fails. The exit status is that of the first check that failed; all linters run in any case.

set -eu
SCRIPT=$0
SCRIPT_ARGUMENTS=$*
FAST=
if [ "${1:-}" = --fast ]; then
    FAST=yes
    shift
fi
case $SCRIPT in /*) ;; *) SCRIPT=$(pwd)/$SCRIPT ;; esac
cd "$(dirname "$SCRIPT")/.."
# shellcheck source=packaging/lib.sh
. packaging/lib.sh

FIRST_FAILURE=0

# check NAME COMMAND...: run it, and remember the first failure.
check() {
    name=$1
    shift
    say "$name"
    status=0
    "$@" || status=$?
    if [ "$status" -ne 0 ]; then
        note "$name failed (exit status $status)"
        [ "$FIRST_FAILURE" -ne 0 ] || FIRST_FAILURE=$status
    fi
}

# ensure_tool NAME: a program that is in a package of the same name.
ensure_tool() {
    command -v "$1" >/dev/null && return
    can_be_root && command -v apt-get >/dev/null || return
    say "Installing $1"
    (apt_install "$1")
}

# Not through check: the last lines are to be pytest's own.
run_pytest() {
    say 'pytest'
    [ "$FIRST_FAILURE" -eq 0 ] || note 'a linter failed: see above'
    status=0
    "$VENV/bin/pytest" "$@" || status=$?
    [ "$FIRST_FAILURE" -eq 0 ] || status=$FIRST_FAILURE
    exit "$status"
}

lint() {
    check 'ruff check' "$VENV/bin/ruff" check .
    check 'ruff format' "$VENV/bin/ruff" format --check .
    check 'mypy' "$VENV/bin/mypy"
    check 'mypy (packaging)' "$VENV/bin/mypy" --strict "$REGISTER"
    check 'import-linter' "$VENV/bin/lint-imports"
    if ensure_tool shellcheck; then
        check 'shellcheck' shellcheck packaging/*.sh .ci/run
    else
        note 'shellcheck is not here and cannot be installed: left out'
    fi
}

ensure_python
ensure_evalbox dev
lint

if [ -n "$FAST" ]; then
    run_pytest tests/unit "$@"
fi

ensure_engine
ensure_runsc
ensure_image
ensure_tool tmux || fail "$EXIT_FAILED" "tmux is not here and cannot be installed: the screen is tested in it."
ensure_runtimes || fail "$EXIT_FAILED" "No sandbox starts with a network here, so not all tests can run."

# Tests that need a sandbox fail where they would otherwise be skipped.
export EVALBOX_TEST_REQUIRE_GVISOR=1
# The files go to workers in their order, in which those that begin sandboxes are the last.
run_pytest --numprocesses="$(nproc)" --no-loadscope-reorder --cov --cov-report=term "$@"
