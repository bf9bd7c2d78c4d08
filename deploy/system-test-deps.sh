#!/bin/sh
# Installs the real parts that the system tests speak with, where it can: on
# Debian, as root. What it cannot install it says, and goes on: the tests then
# use what they have, or skip and say so.
set -u

# Each package, and the program by which one sees that it is there.
want="mosquitto:/usr/sbin/mosquitto mosquitto-clients:mosquitto_pub prometheus-alertmanager:prometheus-alertmanager \
	postgresql:/usr/bin/pg_ctlcluster openssl:openssl iproute2:ip prometheus:promtool prometheus-postgres-exporter:prometheus-postgres-exporter"

# Telegraf is in no Debian: it is built, with the few parts that deploy/fleet
# uses, in a module of its own, in about a minute.
if ! command -v telegraf >/dev/null && [ "$(id -u)" = 0 ] && command -v go >/dev/null; then
	dir=$(mktemp -d)
	(
		cd "$dir" && export CGO_ENABLED=0 && go mod init telegraf && go get github.com/influxdata/telegraf@v1.37.2 &&
			timeout 480 go build -mod=mod -trimpath -ldflags '-s -w' -o /usr/local/bin/telegraf \
				-tags custom,inputs.mqtt_consumer,processors.strings,parsers.value,outputs.postgresql github.com/influxdata/telegraf/cmd/telegraf
	) >"$dir/log" 2>&1 || echo "system-test-deps: not built: telegraf: $(tail -n 1 "$dir/log")"
	rm -rf "$dir"
fi

missing=
for x in $want; do
	command -v "${x#*:}" >/dev/null || missing="$missing ${x%%:*}"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "system-test-deps: not installed:$missing (this is no Debian)"
	exit 0
fi
if [ "$(id -u)" != 0 ]; then
	echo "system-test-deps: not installed:$missing (ask root: apt-get install$missing)"
	exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# What a package starts when it is installed is not ours to leave running: where
# the service manager is there, it is kept from starting anything.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
	trap 'rm -f "$log" "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >"$log" 2>&1 || echo "system-test-deps: apt-get update: $(tail -n 1 "$log")"
for p in $missing; do
	apt-get install -y -qq --no-install-recommends "$p" >"$log" 2>&1 || echo "system-test-deps: not installed: $p: $(tail -n 1 "$log")"
done
