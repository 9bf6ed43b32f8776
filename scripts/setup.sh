#!/usr/bin/env bash
# Makes ready what `make demo` and `make test` need: system libraries, .venv, the package.
# The Makefile calls it only when pyproject.toml, constraints.txt or this file has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv

# For a window, real or under Xvfb: none of these is pulled in by the others.
libraries=(
  xvfb libegl1 libdbus-1-3 libfontconfig1 libglib2.0-0
  libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0
)

stop() {
  echo "setup: $1" >&2
  exit 1
}

# The first Python that the package supports, as a command name; $PYTHON goes first.
find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
      2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  stop "Python 3.11, 3.12 or 3.13 is needed; install one, or name it: make PYTHON=/path/to/python3.11 …"
}

# Prints those of its arguments that dpkg does not know as installed, under any name.
missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}, ${Provides}\n' |
    sed -n 's/^installed //p' | tr ',' '\n' | sed 's/^ *//; s/ .*//')
  for package in "$@"; do
    grep -qxF -- "$package" <<<"$installed" || echo "$package"
  done
}

install_system_packages() {
  local missing line become=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  line="apt-get install --no-install-recommends ${missing[*]}"
  if ((EUID != 0)); then
    become=(sudo -n)
    "${become[@]}" true 2>/dev/null ||
      stop "these system packages are missing and only an administrator may install them: sudo $line"
  fi
  echo "setup: installing system packages: ${missing[*]}"
  "${become[@]}" apt-get -qq update ||
    stop "the package lists could not be fetched; when the network is back, run: $line"
  "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
    -o DPkg::Lock::Timeout=120 install --no-install-recommends "${missing[@]}" >/dev/null ||
    stop "the system packages could not be installed; try it by hand: $line"
}

python=$(find_python)
needed=("${libraries[@]}")
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  # Debian cuts these two modules out of Python and packs them apart.
  needed+=("$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")
fi
if command -v dpkg-query >/dev/null; then
  install_system_packages "${needed[@]}"
fi

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  "$python" -m venv --clear "$venv"
fi
echo "setup: installing the pinned packages into $venv (some minutes the first time)"
# --use-pep517: the pip of Debian 12 would build packages without a wheel in a way of the past.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 \
  -c constraints.txt -e '.[dev]'
touch "$venv/.installed"
