#!/usr/bin/env bash
# Brings Apache Kafka's jars into the cache by Maven: $GRIDWARDEN_CACHE/kafka/4.4.0/lib (default ~/.cache/gridwarden).
# Idempotent and atomic: the folder appears complete or not at all.
set -euo pipefail
cd "$(dirname "$0")"
VERSION=4.4.0
CACHE="${GRIDWARDEN_CACHE:-$HOME/.cache/gridwarden}"
HOME_OF_VERSION="$CACHE/kafka/$VERSION"
LIB="$HOME_OF_VERSION/lib"
CLASSES="$HOME_OF_VERSION/classes.jsa"

say() { printf 'fetch-kafka: %s\n' "$*" >&2; }

# Classes as the Java machine holds them in memory, dumped once: a broker then starts in a third of the time. It is only a
# gain: another Java, or moved jars, and it is ignored.
dump_classes() {
  local java=java work pid
  if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then java="$JAVA_HOME/bin/java"; fi
  command -v "$java" >/dev/null 2>&1 || return 0
  work="$(mktemp -d "$HOME_OF_VERSION/.dump-XXXXXX")"
  local client=$((RANDOM % 6000 + 20000)) controller=$((RANDOM % 6000 + 26000))
  cat >"$work/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$client,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$work/log
END
  local quiet=-Dorg.slf4j.simpleLogger.defaultLogLevel=warn
  local tell=-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info
  "$java" -cp "$LIB/*" "$quiet" kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg -c "$work/server.properties" >"$work/out" 2>&1 \
    || { rm -rf "$work"; return 0; }
  "$java" -Xmx256m -XX:+UseG1GC -XX:TieredStopAtLevel=1 -XX:ArchiveClassesAtExit="$work/classes.jsa" -cp "$LIB/*" "$quiet" "$tell" \
    kafka.Kafka "$work/server.properties" >"$work/out" 2>&1 &
  pid=$!
  for _ in $(seq 600); do
    grep -q 'Server started' "$work/out" 2>/dev/null && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  if [ -s "$work/classes.jsa" ]; then
    mv -f "$work/classes.jsa" "$CLASSES"
    say "classes dumped: $CLASSES"
  fi
  rm -rf "$work"
}

if [ -f "$LIB/kafka_2.13-$VERSION.jar" ] && compgen -G "$LIB/slf4j-simple-*.jar" >/dev/null; then
  [ -f "$CLASSES" ] || dump_classes
  exit 0
fi
command -v mvn >/dev/null 2>&1 || { say "Maven is missing: apt-get install maven"; exit 1; }
mkdir -p "$HOME_OF_VERSION" || { say "cannot write $HOME_OF_VERSION"; exit 1; }
NEW="$(mktemp -d "$HOME_OF_VERSION/.new-XXXXXX")"
trap 'rm -rf "$NEW"' EXIT
say "fetching Kafka $VERSION into $LIB"
mvn -B -ntp -q -f kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$NEW" -DincludeScope=runtime >&2 \
  || { say "Maven could not fetch Kafka $VERSION: see its words above"; exit 1; }
[ -f "$NEW/kafka_2.13-$VERSION.jar" ] || { say "Maven ended well, but kafka_2.13-$VERSION.jar is not there"; exit 1; }
chmod 755 "$NEW"
rm -rf "$LIB"
mv -T "$NEW" "$LIB"
trap - EXIT
say "$(ls "$LIB" | wc -l) jars"
rm -f "$CLASSES"
dump_classes
