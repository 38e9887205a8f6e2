#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check-layers.pl - includes point only down: tools -> protocol -> copy -> uffd;
# tools/include is for all and includes nothing of ours; a library's headers are
# included where its errors are translated, and nowhere else.
use strict;
use warnings;

my %RANK = (uffd => 0, copy => 1, protocol => 2, tools => 3, selftests => 4);

# header => the files that may include it
my @OWNERS = (
	[qr/^netlink\//,	qr/^tools\/net\//],
	[qr/^gnutls\//,		qr/^protocol\/|^selftests\/(?:lib|protocol)\//],
	[qr/^sqlite3\.h$/,	qr/^protocol\/journal|^selftests\/(?:fuzz|protocol|recover)\//],
	[qr/^protobuf-c\/|\.pb-c\.h$/, qr/^protocol\/|^selftests\/protocol\//],
	[qr/^json-c\/|^json\.h$/, qr/^tools\/|^selftests\//],
	[qr/^zstd\.h$/,		qr/^copy\/pack\.c$|^protocol\/page_set\.c$|^selftests\//],
	[qr/^systemd\//,	qr/^tools\/straddled\//],
	[qr/^libvirt\//,	qr/^tools\/guests\//],
	[qr/^libxml\//,	qr/^tools\/guests\/libvirt_xml/],
	[qr/^linux\/userfaultfd\.h$/, qr/^uffd\/|^selftests\//],
	[qr/^linux\/kvm\.h$/,	qr/^tools\/vmm\//],
);

my $found = 0;

sub report
{
	my ($file, $line, $what) = @_;

	print "$file:$line: $what\n";
	$found++;
}

# The file that a quoted include of $file means, as the build finds it.
sub resolve
{
	my ($file, $name) = @_;
	my ($dir) = $file =~ m{^(.*)/};

	for my $path ("$dir/$name", $name, "tools/include/$name", "selftests/$name") {
		my $clean = $path;

		1 while $clean =~ s{[^/]+/\.\./}{};
		return $clean if -f $clean;
	}
	return $name;
}

sub check_include
{
	my ($file, $line, $name) = @_;
	my $target = resolve($file, $name);
	my ($from) = $file =~ m{^([^/]+)/};
	my ($to) = $target =~ m{^([^/]+)/};

	return unless defined $to && exists $RANK{$to};
	return if $target =~ /^tools\/include\//;
	if ($file =~ /^tools\/include\//) {
		report($file, $line, "tools/include includes nothing of ours: $target");
	} elsif ($RANK{$to} > $RANK{$from}) {
		report($file, $line, "$from/ must not know $target");
	}
}

for my $file (split /\0/, `git ls-files -z --cached --others --exclude-standard '*.[ch]'`) {
	my ($layer) = $file =~ m{^([^/]+)/};

	next unless defined $layer && exists $RANK{$layer} && -f $file;
	open(my $in, '<', $file) or die "$file: $!\n";
	while (<$in>) {
		next unless /^\s*#\s*include\s*([<"])([^>"]+)[>"]/;
		my ($quote, $name) = ($1, $2);

		check_include($file, $., $name) if $quote eq '"';
		for my $owner (@OWNERS) {
			report($file, $., "<$name> is not for this file")
				if $name =~ $owner->[0] && $file !~ $owner->[1];
		}
	}
	close($in);
}
print "$found includes break the layers\n" if $found;
exit($found ? 1 : 0);
