#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# deps.sh [tests|bench|fuzz|ci] - install the Debian packages that the build needs and
# this machine lacks, saying which. "tests" adds what only the selftests need,
# "bench" what "make bench" needs, "fuzz" what only "make fuzz" needs, "ci" what only
# .ci/run needs. DEPS=skip turns it off.
set -eu

build="gcc libc6-dev linux-libc-dev make pkg-config protobuf-c-compiler
	libprotobuf-c-dev libgnutls28-dev libsqlite3-dev libjson-c-dev
	libnl-3-dev libnl-route-3-dev libxxhash-dev libzstd-dev libsystemd-dev
	libseccomp-dev libcap-ng-dev liburcu-dev systemtap-sdt-dev
	libvirt-dev libxml2-dev"
tests="libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients
	qemu-system-x86 qemu-utils ovmf busybox-static spin"
bench="qemu-system-x86 gnuplot-nox"
fuzz="clang libclang-rt-14-dev"
ci="$fuzz groff-base python3-docutils shellcheck"

[ "${DEPS:-}" != skip ] || exit 0
if ! command -v dpkg-query >/dev/null; then
	echo "This is no Debian: install what has these names there, and use" \
		"DEPS=skip: $build" | tr -s '\n\t ' ' ' >&2
	echo >&2
	exit 1
fi

wanted=$build
case ${1:-} in
tests) wanted="$build $tests" ;;
bench) wanted="$build $bench" ;;
fuzz) wanted="$build $fuzz" ;;
ci) wanted="$build $tests $ci" ;;
esac
missing=
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" \
		2>/dev/null) || status=none
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "  DEPS    installing$missing"
if [ "$(id -u)" != 0 ]; then
	echo "Installing packages takes root. As root: apt-get install$missing" >&2
	exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list
if ! { apt-get update && apt-get install -y --no-install-recommends $missing
} >"$log" 2>&1; then
	cat "$log" >&2
	echo "apt could not install$missing; DEPS=skip goes on without" >&2
	exit 1
fi
