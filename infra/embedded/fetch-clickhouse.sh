#!/bin/sh
# Puts libchdb.so, the embedded ClickHouse, into the cache. Pinned and verified; does nothing when it is there already.
# usage: fetch-clickhouse.sh [cache folder]      (default: $GRIDWARDEN_CACHE, else ~/.cache/gridwarden)
set -eu

version=26.7.3-stable.1
sha256=36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5

cache=${1:-${GRIDWARDEN_CACHE:-${HOME:?neither GRIDWARDEN_CACHE nor HOME is set}/.cache/gridwarden}}
folder=$cache/clickhouse/$version
library=$folder/libchdb.so

say() { echo "clickhouse: $*" >&2; }
fail() { say "$*"; exit 1; }
verified() { [ -f "$1" ] && echo "$sha256  $1" | sha256sum --check --status; }

case $(uname -s)-$(uname -m) in
  Linux-x86_64) package=@chdb/lib-linux-x64-gnu ;;
  *) fail "embedded ClickHouse exists for Linux on x86-64 only, this is $(uname -s) on $(uname -m); point [clickhouse] url at a server instead" ;;
esac

# 566 MB take a second to hash: the mark says that this very file was verified.
if [ -f "$library" ] && [ "$(cat "$folder/verified" 2>/dev/null)" = "$sha256 $(stat -c '%s %Y' "$library")" ]; then
  exit 0
fi

if ! verified "$library"; then
  for tool in npm tar sha256sum; do
    command -v $tool >/dev/null || fail "$tool is missing; it is needed to fetch $package"
  done
  mkdir -p "$folder" || fail "cannot write to $folder"
  free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
  [ "$free" -gt 1000000 ] || fail "$folder has less than 1 GB free"
  work=$(mktemp -d "$folder/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT INT TERM
  say "fetching $package@$version (178 MB)"
  (cd "$work" && npm pack --silent "$package@$version" >/dev/null) || fail "npm could not fetch $package@$version"
  tar -xzf "$work"/*.tgz -C "$work" package/libchdb.so || fail "the package holds no libchdb.so"
  verified "$work/package/libchdb.so" || fail "$package@$version is not the file this program was built for: its SHA-256 is not $sha256"
  # A rename is all or nothing: nobody ever loads half a library.
  mv -f "$work/package/libchdb.so" "$library"
fi
printf '%s %s' "$sha256" "$(stat -c '%s %Y' "$library")" >"$folder/verified.new"
mv -f "$folder/verified.new" "$folder/verified"
say "ready: $library"
