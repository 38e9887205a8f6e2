#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make-initrd.sh KERNEL INIT OUT MODULE... - write the initramfs OUT: INIT as
# /init, and modules of the kernel unpacked in KERNEL with all they depend on in
# /modules, with /modules/order naming them in the order to load them.
#
# The dependencies are those that the kernel's build wrote into each module; the
# package has no modules.dep, depmod makes that when it is installed.
set -eu

die()
{
	echo "make-initrd.sh: $*" >&2
	exit 1
}

# As file names have it: modules are named with either "-" or "_".
pattern_of()
{
	echo "$1.ko" | sed 's/[-_]/[-_]/g'
}

module_file()
{
	find "$kernel/lib/modules" -name "$(pattern_of "$1")" | head -n 1
}

is_builtin()
{
	grep -q "/$(pattern_of "$1")\$" "$kernel"/lib/modules/*/modules.builtin
}

depends_of()
{
	objcopy -O binary --only-section=.modinfo "$1" "$work/modinfo"
	tr '\0' '\n' <"$work/modinfo" | sed -n 's/^depends=//p' | tr ',' ' '
}

# Recurses: only $1 is the same after a call.
module_add()
{
	file=$(module_file "$1")
	if [ -z "$file" ]; then
		is_builtin "$1" || echo "  note: the kernel has no module $1"
		return 0
	fi
	[ ! -e "$work/root/modules/${file##*/}" ] || return 0
	for module in $(depends_of "$file"); do
		module_add "$module"
	done
	file=$(module_file "$1")
	cp "$file" "$work/root/modules/"
	echo "${file##*/}" >>"$work/root/modules/order"
}

[ $# -gt 3 ] || die "usage: make-initrd.sh KERNEL INIT OUT MODULE..."
kernel=$1
init=$2
out=$3
shift 3
if command -v cpio >/dev/null; then
	cpio=cpio
elif command -v busybox >/dev/null; then
	cpio='busybox cpio'
else
	die "there is no cpio: apt-get install cpio"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/modules" "$work/root/dev" "$work/root/proc" "$work/root/sys"
for module; do
	module_add "$module"
done
cp "$init" "$work/root/init"
strip "$work/root/init"
(cd "$work/root" && find . | LC_ALL=C sort | $cpio -o -H newc 2>"$work/log") \
	>"$work/initrd" || { cat "$work/log" >&2; die "$cpio failed"; }
mv "$work/initrd" "$out"
