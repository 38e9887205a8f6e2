#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# fetch-qemu.sh [DIR] - QEMU 10 from Debian's bookworm-backports, next to the
# QEMU 7.2 that is installed: nothing is installed or changed outside of DIR
# (/var/cache/straddle-tests/qemu10). DIR/qemu-system-x86_64 starts it and is
# what libvirt takes as <emulator>. When it is there already, nothing is done.
set -eu
export LC_ALL=C

dir=${1:-/var/cache/straddle-tests/qemu10}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# It is 10 or later, and finds all of its modules: libvirt asks for them.
works()
{
	"$1/qemu-system-x86_64" --version 2>/dev/null |
		grep -q 'version 1[0-9]\.' &&
		"$1/qemu-system-x86_64" -M none -device help >/dev/null 2>&1
}

works "$dir" && exit 0
command -v apt-get >/dev/null || {
	echo "fetch-qemu.sh: no apt-get here; unpack a QEMU 10 into $dir" >&2
	exit 1
}

mkdir -p "$(dirname "$dir")"
new=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$new"
mkdir -p "$new/apt/lists/partial" "$new/debs" "$new/root"
cat >"$new/apt/debian.sources" <<END
Types: deb
URIs: $mirror
Suites: bookworm bookworm-backports
Components: main
Signed-By: $keyring
END

# The system's package lists and caches stay as they are.
private_apt()
{
	apt-get -qq -o Dir::Etc::SourceList="$new/apt/debian.sources" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$new/apt/lists" \
		-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-o APT::Update::Post-Invoke-Success= \
		-o APT::Sandbox::User=root "$@"
}

# What installing it would install or replace, as NAME=VERSION.
wanted()
{
	private_apt --simulate --no-install-recommends -t bookworm-backports \
		install qemu-system-x86 qemu-system-common qemu-system-data \
		seabios ipxe-qemu |
		sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\] \)\?(\([^ ]*\) .*/\1=\3/p'
}

private_apt update
packages=$(wanted)
echo "  FETCH   $(echo "$packages" | tr '\n' ' ')"
# shellcheck disable=SC2086 # a list
(cd "$new/debs" && private_apt download $packages)
for deb in "$new"/debs/*.deb; do
	dpkg -x "$deb" "$new/root"
done
rm -r "$new/apt" "$new/debs"

# With a qemu-bundle next to it (its get_relocated_path()) QEMU looks for
# everything there, and not in /usr, where modules of 7.2 would abort it. The
# ROM files of network cards are the same for both: a package's in /usr do.
ln -s ../.. "$new/root/usr/bin/qemu-bundle"
cat >"$new/qemu-system-x86_64" <<'END'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root/usr
export LD_LIBRARY_PATH="$root/lib/x86_64-linux-gnu"
exec "$root/bin/qemu-system-x86_64" -L /usr/lib/ipxe/qemu "$@"
END
chmod 755 "$new/qemu-system-x86_64"
works "$new" || {
	"$new/qemu-system-x86_64" --version >&2
	echo "fetch-qemu.sh: what was fetched does not start" >&2
	exit 1
}

# Of two that fetch at the same time, the second one leaves the first one's.
if ! mv -T "$new" "$dir" 2>/dev/null && ! works "$dir"; then
	rm -rf "$dir"
	mv -T "$new" "$dir"
fi
