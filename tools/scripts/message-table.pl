#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# message-table.pl - print Documentation/message-table.rst, from the table in
# protocol/message_table.c and the numbers in protocol/message.h.
use strict;
use warnings;

my %UNITS = (KIB => 1 << 10, MIB => 1 << 20);
my @HEADS = ('No.', 'Name', 'From', 'Phases', 'Limit', 'Says');

sub content
{
	my ($file) = @_;

	open(my $in, '<', $file) or die "$file: $!\n";
	local $/;
	return <$in>;
}

sub senders
{
	my ($text) = @_;
	my $source = $text =~ /FROM_SOURCE/;
	my $dest = $text =~ /FROM_DEST/;

	return $source && $dest ? 'either' : $source ? 'source' : 'dest';
}

sub phases
{
	my ($text) = @_;

	return 'all but ' . ucfirst lc $1 if $text =~ /ANY_PHASE & ~PHASE_BIT\(PHASE_(\w+)\)/;
	return 'all' if $text =~ /ANY_PHASE/;
	return join(', ', map { ucfirst lc } $text =~ /PHASE_BIT\(PHASE_(\w+)\)/g);
}

# "4 * MIB" as "4 MiB"
sub limit
{
	my ($text) = @_;

	return "$1 KiB" if $text =~ /^(\d+) \* KIB$/;
	return "$1 MiB" if $text =~ /^(\d+) \* MIB$/;
	return $text;
}

# A row's field: up to the comma that ends it.
sub field
{
	my ($row, $name) = @_;

	$row =~ /\.$name = ("(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*|[^,]+),/s or return '';
	my $value = $1;
	$value =~ s/"\s*"//g;
	$value =~ s/^"|"$//g;
	$value =~ s/\s+/ /g;
	return $value;
}

my %numbers = content('protocol/message.h') =~ /^\t(MSG_\w+) = (\d+),/mg;
my ($table) = content('protocol/message_table.c') =~
	/message_table\[\] = \{\n(.*?)\n\};/s;
my @rows = (\@HEADS);

for my $row (split /\n\t\}, \{\n/, $table) {
	my $number = $numbers{field($row, 'type')} or die "unknown: $row\n";

	push @rows, [$number, field($row, 'name'), senders(field($row, 'senders')),
		     phases(field($row, 'phases')), limit(field($row, 'limit')),
		     field($row, 'purpose')];
}

my @widths = map { my $column = $_;
		   (sort { $b <=> $a } map { length $_->[$column] } @rows)[0]
		 } 0 .. $#HEADS;
my $rule = join('  ', map { '=' x $_ } @widths) . "\n";

print ".. Made by tools/scripts/message-table.pl; change protocol/message_table.c.\n\n";
print $rule;
for my $i (0 .. $#rows) {
	my $line = join('  ', map { sprintf("%-*s", $widths[$_], $rows[$i][$_]) } 0 .. $#HEADS);

	print $line =~ s/\s+$//r, "\n";
	print $rule if $i == 0;
}
print $rule;
