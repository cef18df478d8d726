# shellcheck shell=sh
# Pieces shared by quickstart.sh, test.sh and uninstall.sh. Each ensure_* function looks first,
# and does something only where something is missing.

# Exit statuses, the same in every script here.
# shellcheck disable=SC2034
EXIT_FAILED=1 EXIT_USAGE=2
EXIT_NEEDS_ADMIN=3 EXIT_UNSUPPORTED=4

# Releases of runsc before this have no systrap platform, so they are no use on virtual machines.
RUNSC_OLDEST=20230501
UPSTREAM_RUNSC="Add gVisor's own apt repository (https://gvisor.dev/docs/user_guide/install/):
      its key to /usr/share/keyrings/gvisor-archive-keyring.gpg, a source line signed by that key
      for the suite 'release', then apt-get update, apt-get install runsc, and run this again."
IMAGE=evalbox/base:latest
VENV=.venv
# Ubuntu lacks Debian's keys and the gpg that mmdebstrap finds them with; uidmap lets it run as a user.
BOOTSTRAP_PACKAGES='mmdebstrap debian-archive-keyring gpg uidmap'
DOCKERD_LOG=/var/log/dockerd.log
REGISTER=packaging/register_runtimes.py

# An ordinary user's PATH leaves out where dockerd and iptables are.
PATH="$PATH:/usr/sbin:/sbin"
export PATH DEBIAN_FRONTEND=noninteractive

say() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }

fail() {
    status=$1
    shift
    printf 'error: %s\n' "$1" >&2
    shift
    for line in "$@"; do note "$line"; done
    exit "$status"
}

# --- who does what ---

is_root() { [ "$(id -u)" -eq 0 ]; }

can_be_root() {
    is_root && return
    command -v sudo >/dev/null || return
    # Without a terminal sudo cannot ask for a password.
    [ -t 0 ] || sudo -n true 2>/dev/null
}

as_root() {
    can_be_root || needs_admin
    if is_root; then "$@"; else sudo "$@"; fi
}

# Under 'sudo sh quickstart.sh' the virtual environment is still the user's, not root's.
as_user() {
    if is_root && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        runuser -u "$SUDO_USER" -- env "HOME=$(getent passwd "$SUDO_USER" | cut -d: -f6)" "$@"
    else
        "$@"
    fi
}

user_name() {
    if is_root; then echo "${SUDO_USER:-root}"; else id -un; fi
}

needs_admin() {
    printf 'error: %s\n' 'this needs root, and there is no root or sudo here.' >&2
    note 'An administrator must run these commands as root, then run this again:'
    admin_commands | sed 's/^/      /' >&2
    exit "$EXIT_NEEDS_ADMIN"
}

# Only what is missing here, so that an administrator can paste it.
admin_commands() {
    packages=
    command -v dockerd >/dev/null || packages="$packages docker.io iptables"
    [ -n "${PYTHON:-}" ] || packages="$packages python3 python3-venv"
    image_present || has_bootstrap || packages="$packages $BOOTSTRAP_PACKAGES"
    [ -z "$packages" ] || echo "apt-get update && apt-get install -y$packages"
    runsc_is_adequate || admin_commands_for_runsc
    status=0
    ping_engine as_user || status=$?
    [ "$status" -ne 3 ] || admin_commands_for_engine
    if ! in_docker_group "$(user_name)"; then
        echo "usermod -aG docker $(user_name)    # members of this group can do all that root can"
    fi
    if image_present; then
        runtimes_work || echo "cd '$(pwd)' && ${PYTHON:-python3} $REGISTER"
    else
        echo "# later, when the base image has been made: cd '$(pwd)' && ${PYTHON:-python3} $REGISTER"
    fi
}

admin_commands_for_runsc() {
    if [ "$(distribution)" = debian-12 ]; then
        echo "echo 'deb $(debian_mirror) bookworm-backports main' >/etc/apt/sources.list.d/backports.list"
        echo 'apt-get update && apt-get install -y -t bookworm-backports runsc'
    else
        echo "apt-get install -y runsc    # must be $RUNSC_OLDEST or newer; else https://gvisor.dev/docs/user_guide/install/"
    fi
}

admin_commands_for_engine() {
    if systemd_runs; then
        echo 'systemctl enable --now docker'
    else
        echo "setsid dockerd >$DOCKERD_LOG 2>&1 </dev/null &"
    fi
}

# --- the distribution and its packages ---

# For example debian-12 or ubuntu-24.04.
distribution() {
    # shellcheck source=/dev/null
    (. /etc/os-release && echo "${ID:-unknown}-${VERSION_ID:-}") 2>/dev/null || echo unknown-
}

require_apt() {
    case "$(distribution)" in debian-* | ubuntu-*) command -v apt-get >/dev/null && return ;; esac
    fail "$EXIT_UNSUPPORTED" "$1 is missing, and only Debian 12+ and Ubuntu packages are known here." \
        "Install these by hand, then run this again:" \
        "  a Docker Engine (running), runsc $RUNSC_OLDEST or newer on the PATH," \
        "  Python 3.11+ with venv, and mmdebstrap or debootstrap."
}

APT_UPDATED=
apt_update() {
    [ -z "$APT_UPDATED" ] || return 0
    as_root apt-get update -qq >&2 || fail "$EXIT_FAILED" \
        "apt-get update failed." "Check the network and /etc/apt (its message is above), then run this again."
    APT_UPDATED=yes
}

apt_install() {
    require_apt "$1"
    apt_update
    # sudo drops the environment.
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null || fail "$EXIT_FAILED" \
        "apt-get could not install: $*" \
        "Check the network and /etc/apt (its message is above), then run this again."
}

# Where this machine gets Debian from, so that an internal mirror serves backports as well.
debian_mirror() {
    mirror=$(apt-get indextargets --format "\$(REPO_URI)" 'Codename: bookworm' 2>/dev/null | head -n 1)
    echo "${mirror:-http://deb.debian.org/debian/}"
}

# --- Python ---

python_is_good() {
    as_user "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if python_is_good "$python"; then
            # A full path, as sudo has a PATH of its own.
            command -v "$python"
            return
        fi
    done
    return 1
}

ensure_python() {
    if PYTHON=$(find_python); then return; fi
    say 'Installing Python 3 with venv'
    apt_install python3 python3-venv
    for version in 3.13 3.12 3.11; do
        find_python >/dev/null && break
        apt-cache show "python$version-venv" >/dev/null 2>&1 || continue
        apt_install "python$version" "python$version-venv"
    done
    PYTHON=$(find_python) || fail "$EXIT_UNSUPPORTED" \
        "No Python 3.11 or newer with venv can be installed from this machine's packages." \
        "Install one (for example python3.11 and python3.11-venv), then run this again."
}

# --- Docker Engine ---

# ping_engine as_user|as_root. 0: it answers; 3: nothing there; 7: not for this user.
ping_engine() {
    [ -n "${PYTHON:-}" ] || return 3
    status=0
    "$1" "$PYTHON" "$REGISTER" --ping --image "$IMAGE" 2>/dev/null || status=$?
    # 5: it answers, and has no base image yet.
    [ "$status" -eq 5 ] || return "$status"
}

image_present() {
    [ -n "${PYTHON:-}" ] && as_user "$PYTHON" "$REGISTER" --ping --image "$IMAGE" 2>/dev/null
}

systemd_runs() { [ -d /run/systemd/system ]; }

ensure_engine() {
    status=0
    ping_engine as_user || status=$?
    case $status in
    0) return ;;
    7) join_docker_group && return ;;
    esac
    [ -z "${DOCKER_HOST:-}" ] || fail "$EXIT_FAILED" "No Docker Engine answers at DOCKER_HOST=$DOCKER_HOST." \
        "Start it there, or unset DOCKER_HOST to have an engine set up here."
    if ! command -v dockerd >/dev/null; then
        say 'Installing Docker Engine (docker.io)'
        apt_install docker.io iptables
    fi
    ping_engine as_root || start_engine
    ping_engine as_user || join_docker_group
}

start_engine() {
    if systemd_runs; then
        say 'Starting Docker Engine (systemctl enable --now docker)'
        as_root systemctl enable --now docker >&2 || fail "$EXIT_FAILED" \
            "The service docker does not start." "See: journalctl -u docker"
    else
        say "Starting Docker Engine (no systemd here: in the background, log in $DOCKERD_LOG)"
        as_root sh -c "setsid dockerd >$DOCKERD_LOG 2>&1 </dev/null &"
    fi
    wait_for_engine
}

wait_for_engine() {
    for _ in $(seq 60); do
        if ping_engine as_root; then return; fi
        sleep 0.5
    done
    systemd_runs || as_root tail -n 5 "$DOCKERD_LOG" >&2
    fail "$EXIT_FAILED" "Docker Engine does not answer." \
        "Its log says why: journalctl -u docker, or $DOCKERD_LOG (last lines above)."
}

in_docker_group() {
    [ "$1" = root ] || id -nG "$1" | grep -qw docker
}

# The engine is there, but its socket is not for this user.
join_docker_group() {
    user=$(user_name)
    [ -z "${EVALBOX_JOINED_DOCKER:-}" ] || fail "$EXIT_NEEDS_ADMIN" \
        "$user still may not use the Docker Engine." "Log in again, or run this as root."
    if ! in_docker_group "$user"; then
        say "Adding $user to the group docker (its members can do all that root can)"
        as_root usermod -aG docker "$user"
    fi
    # as_user takes the groups anew; else go on in a process that has the new one.
    if is_root; then return; fi
    EVALBOX_JOINED_DOCKER=yes
    export EVALBOX_JOINED_DOCKER
    exec sg docker -c "sh '$SCRIPT' $SCRIPT_ARGUMENTS"
}

# --- gVisor ---

runsc_date() {
    runsc --version 2>/dev/null | sed -n '1s/.*\(20[0-9]\{6\}\).*/\1/p'
}

# A runsc without a date in its version was built by hand: the probe finds out what it can do.
runsc_is_adequate() {
    command -v runsc >/dev/null || return
    date=$(runsc_date)
    [ "${date:-$RUNSC_OLDEST}" -ge "$RUNSC_OLDEST" ]
}

ensure_runsc() {
    if runsc_is_adequate; then return; fi
    require_apt runsc
    apt_update
    version=$(adequate_runsc_package)
    if [ -n "$version" ]; then
        say "Installing gVisor (runsc $version)"
        apt_install "runsc=$version"
    elif [ "$(distribution)" = debian-12 ]; then
        install_runsc_from_backports
    fi
    runsc_is_adequate || fail "$EXIT_UNSUPPORTED" \
        "There is no runsc of $RUNSC_OLDEST or newer among this machine's packages ($(distribution))." \
        "$UPSTREAM_RUNSC"
}

adequate_runsc_package() {
    apt-cache madison runsc 2>/dev/null | while IFS='| ' read -r _ version _; do
        date=$(echo "$version" | sed -n 's/.*\(20[0-9]\{6\}\).*/\1/p')
        if [ "${date:-0}" -ge "$RUNSC_OLDEST" ]; then
            echo "$version"
            break
        fi
    done
}

# bookworm's own runsc is too old. Backports is read from a source list and package lists of its
# own in a temporary directory, so that the machine's apt stays as it is.
install_runsc_from_backports() {
    say 'Installing gVisor (runsc) from bookworm-backports'
    directory=$(mktemp -d)
    mkdir -p "$directory/lists/partial"
    chmod -R a+rX "$directory"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) bookworm-backports main" \
        >"$directory/sources.list"
    download_runsc "$directory" >&2 || fail "$EXIT_FAILED" "bookworm-backports cannot be read from $(debian_mirror)." \
        "Check the network (apt's message is above), or install runsc $RUNSC_OLDEST or newer by hand."
    apt_install "$directory"/runsc_*.deb
    as_root rm -rf "$directory"
}

download_runsc() (
    cd "$1" || return
    set -- as_root apt-get -qq -o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=- \
        -o "Dir::State::Lists=$1/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Sandbox::User=root
    "$@" update && "$@" download runsc
)

runtimes_work() {
    as_user "$PYTHON" "$REGISTER" --check --image "$IMAGE" >/dev/null 2>&1
}

# 0: both work; 6: only the one without a network (the caller decides); else it ends here.
ensure_runtimes() {
    if runtimes_work; then return; fi
    say 'Finding out how gVisor starts on this kernel, and registering it with Docker'
    can_be_root || needs_admin
    status=0
    output=$(as_root env ${DOCKER_HOST:+"DOCKER_HOST=$DOCKER_HOST"} \
        "$PYTHON" "$REGISTER" --image "$IMAGE" 2>&1) || status=$?
    printf '%s\n' "$output" | sed 's/^/    /' >&2
    case $status in
    0 | 6) return "$status" ;;
    esac
    fail "$EXIT_FAILED" "gVisor does not start on this machine (reasons above)." \
        "A newer runsc may start. $UPSTREAM_RUNSC"
}

# --- evalbox itself ---

# The stamp holds what was installed from: nothing is done again until pyproject.toml changes.
ensure_evalbox() {
    extras=${1:-}
    stamp="$VENV/.evalbox${extras:+-$extras}"
    sum=$(sha256sum <pyproject.toml)
    # pip's first line names its interpreter by full path, so this fails in a moved checkout.
    if ! "$VENV/bin/pip" --version >/dev/null 2>&1; then
        say "Making a virtual environment ($VENV)"
        as_user "$PYTHON" -m venv --clear "$VENV" || fail "$EXIT_FAILED" \
            "No virtual environment can be made in $(pwd)/$VENV." "Check that the directory is yours to write."
    fi
    if ! installed_from "$sum" "$stamp"; then
        say "Installing evalbox${extras:+ [$extras]} into $VENV"
        as_user "$VENV/bin/pip" install -q --disable-pip-version-check -e ".${extras:+[$extras]}" >&2 || fail "$EXIT_FAILED" \
            "pip could not install evalbox." \
            "Check the network (pip's message is above). Without one: PIP_NO_INDEX=1 PIP_FIND_LINKS=DIRECTORY_OF_WHEELS"
        echo "$sum" | as_user tee "$stamp" >/dev/null
    fi
}

# What was installed with extras serves for the bare need too.
installed_from() {
    if [ "$2" = "$VENV/.evalbox" ]; then
        grep -qsxF "$1" "$VENV"/.evalbox*
    else
        grep -qsxF "$1" "$2"
    fi
}

has_bootstrap() { command -v mmdebstrap >/dev/null || command -v debootstrap >/dev/null; }

ensure_image() {
    if image_present; then return; fi
    if ! has_bootstrap; then
        say 'Installing mmdebstrap, which makes the base image where no registry can be reached'
        # shellcheck disable=SC2086
        apt_install $BOOTSTRAP_PACKAGES
    fi
    say "Making the base image $IMAGE"
    build_image || fail "$EXIT_FAILED" \
        "The base image could not be made (message above)." "Try again with: $VENV/bin/evalbox images build"
}

# Some machines do not let a user make user namespaces, which mmdebstrap needs without root.
build_image() {
    as_user "$VENV/bin/evalbox" images build >&2 && return
    if is_root || ! can_be_root; then return 1; fi
    say 'Making the base image once more, as root'
    as_root env PYTHONDONTWRITEBYTECODE=1 ${DOCKER_HOST:+"DOCKER_HOST=$DOCKER_HOST"} \
        "$VENV/bin/evalbox" images build >&2
}
