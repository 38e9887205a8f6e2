#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# fetch-kernel.sh DIR - unpack Debian's current cloud kernel into DIR, which is
# emptied first. apt downloads the package, and verifies it, once: it is kept in
# /var/cache/straddle-tests, or in $STRADDLE_TEST_CACHE.
set -eu

meta=linux-image-cloud-amd64
cache=${STRADDLE_TEST_CACHE:-/var/cache/straddle-tests}

die()
{
	echo "fetch-kernel.sh: $*" >&2
	exit 1
}

# The package that the meta package stands for today.
kernel_resolve()
{
	apt-cache depends "$meta" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

# The candidate's file in the cache, if it is there; apt writes ":" as "%3a".
kernel_cached()
{
	version=$(apt-cache policy "$1" | sed -n 's/^ *Candidate: //p' |
		sed 's/:/%3a/g')
	if [ -f "$cache/$1_${version}_amd64.deb" ]; then
		echo "$cache/$1_${version}_amd64.deb"
	fi
}

# Into a folder of its own first: what is in the cache is whole and verified.
kernel_download()
{
	partial=$(mktemp -d "$cache/partial.XXXXXX") ||
		die "cannot write to $cache: be root, or set STRADDLE_TEST_CACHE"
	trap 'rm -rf "$partial"' EXIT
	(cd "$partial" && apt-get -q -o APT::Sandbox::User=root \
		download "$1") >&2 ||
		die "apt cannot download $1 (no network?), and it is not in $cache"
	mv "$partial"/*.deb "$cache/"
	rm -rf "$partial"
}

[ $# = 1 ] || die "usage: fetch-kernel.sh DIR"
for tool in apt-cache apt-get dpkg; do
	command -v "$tool" >/dev/null ||
		die "there is no $tool: the test guest needs Debian's kernel package"
done
mkdir -p "$cache" || die "cannot make $cache: be root, or set STRADDLE_TEST_CACHE"
kernel=$(kernel_resolve)
[ -n "$kernel" ] ||
	die "apt knows no $meta: run apt-get update; on amd64 Debian it is in main"
deb=$(kernel_cached "$kernel")
if [ -z "$deb" ]; then
	kernel_download "$kernel"
	deb=$(kernel_cached "$kernel")
fi
[ -n "$deb" ] || die "what apt downloaded for $kernel is not its candidate"
rm -rf "$1"
mkdir -p "$1"
dpkg -x "$deb" "$1" || die "cannot unpack $deb: remove it and try again"
