# Sourced by ./test and ./run, for machines that may have no Python yet: find_python prints the
# path of an interpreter that is new enough, Debian's own first, or installs it.

new_enough() {
    [ -n "$1" ] && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

first_new_enough() {
    local candidate
    for candidate in /usr/bin/python3 "${PYTHON:-}" "$(command -v python3 || true)"; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

install_python() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ ! -e /usr/bin/python3 ] || return 0
    echo "installing python3"
    {
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
            -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install python3 >/dev/null
    } </dev/null
}

find_python() {
    first_new_enough && return
    install_python >&2
    first_new_enough && return
    echo "virtproto needs Python 3.11 or newer: install it, or name it with PYTHON=" >&2
    return 1
}
