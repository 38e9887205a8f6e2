#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check-style.pl [FILE]... - the rules of the code that a script can check, on
# all files of the project. Prints "file:line: what", exits with 1 if any.
use strict;
use warnings;

my $LONGEST_FUNCTION = 80;
my $LONGEST_LINE = 100;
my $SOURCE = qr/\.(?:[chS]|ld|mk|sh|pl|proto)$|(?:^|\/)Makefile$|^\.ci\/run$/;
# Where errno may be read.
my $SHIMS = qr/^(?:tools\/include|uffd)\/sys\.h$/;
# What waits for time to pass instead of an event; where that is what is wanted,
# a comment "style: why" stands in the line above.
my $SLEEPS = qr/\b(?:u|nano|clock_nano)?sleep|(?:sched|thrd|pthread)_yield/;
# What a library must not do.
my $PRINTS = qr/\b(?:v?printf|puts|putchar|perror|v?syslog|v?dprintf)\b|\bfprintf(?=\s*\(\s*std)/;

my $found = 0;

sub report
{
	my ($file, $line, $what) = @_;

	print "$file:$line: $what\n";
	$found++;
}

# The same text with comments and what is in quotes blanked: lines stay.
sub code_of
{
	my ($text) = @_;

	$text =~ s{(/\*.*?\*/|//[^\n]*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}
		  {my $c = defined $1 ? $1 : '""';
		   $c =~ s/[^\n]+//g if defined $1;
		   $c}gse;
	return $text;
}

sub check_lines
{
	my ($file, @lines) = @_;

	report($file, 1, "no SPDX-License-Identifier in the first 3 lines")
		unless grep { /SPDX-License-Identifier: / }
			@lines[0 .. ($#lines < 2 ? $#lines : 2)];
	for my $i (0 .. $#lines) {
		my $line = $lines[$i];

		1 while $line =~ s/^([^\t]*)\t/$1 . ' ' x (8 - length($1) % 8)/e;
		report($file, $i + 1, "line of " . length($line) . " columns")
			if length($line) > $LONGEST_LINE &&
			   $line !~ /^\s*".*"/;	# told to users: stays whole
		report($file, $i + 1, "white space at the end of the line")
			if $line =~ /\s$/;
		report($file, $i + 1, "indented by spaces, not tabs")
			if $file =~ /\.[ch]$/ && $lines[$i] =~ /^ {8}/;
		report($file, $i + 1, "unfinished: $1")
			if $line =~ /\b(TO[D]O|FIX[M]E|XX[X])\b/;
	}
}

sub check_words
{
	my ($file, $lines, @code) = @_;

	for my $i (0 .. $#code) {
		local $_ = $code[$i];
		next if /^#\s*include\b/;
		report($file, $i + 1, "errno is for tools/include/sys.h and uffd/sys.h")
			if /\berrno\b/ && $file !~ $SHIMS;
		report($file, $i + 1, "$1() waits for time; wait for an event")
			if /($SLEEPS)\s*\(/ &&
			   "@$lines[$i - 1 .. $i]" !~ /style: /;
		report($file, $i + 1, "a library prints: $1()")
			if $file =~ /^(?:uffd|copy|protocol)\// && /($PRINTS)\s*\(/;
	}
}

# Is there a comment above line $first that starts with "/**" and "$name() -"?
sub has_kernel_doc
{
	my ($name, $first, @lines) = @_;
	my $i = $first - 1;

	return 0 if $i < 0 || $lines[$i] !~ /\*\/\s*$/;
	$i-- while $i > 0 && $lines[$i] !~ /^\/\*/;
	return $lines[$i] =~ /^\/\*\*$/ &&
	       $lines[$i + 1] =~ /^ \* \Q$name\E\(\) - /;
}

# A function starts at a "{" in the first column below a line that ends in ")".
sub check_functions
{
	my ($file, $lines, $code) = @_;

	for my $i (1 .. $#$code) {
		next unless $code->[$i] =~ /^\{/ &&
			    $code->[$i - 1] =~ /\)\s*(?:__\w+\s*)*$/;
		my $end = $i;
		$end++ while $end < $#$code && $code->[$end] !~ /^\}/;
		my $first = $i - 1;
		$first-- while $first > 0 && $code->[$first - 1] =~ /\S/ &&
			       $code->[$first - 1] !~ /^[#}]/ &&
			       $lines->[$first - 1] !~ /\*\/\s*$/;
		my $head = join(' ', @$code[$first .. $i - 1]);
		my $size = $end - $i - 1;

		$head =~ s/__attribute__\s*\(\(.*?\)\)+//g;
		report($file, $i + 1, "function of $size lines, $LONGEST_FUNCTION is the end")
			if $size > $LONGEST_FUNCTION;
		# A macro such as TEST(name) has no type before it.
		next unless $head =~ /^\s*(?:[A-Za-z_]\w*[\s*]+)+(\w+)\s*\(/;
		my $name = $1;
		next if $head =~ /\bstatic\b/ || $name eq 'main';
		report($file, $first + 1, "no kernel-doc above $name()")
			unless has_kernel_doc($name, $first, @$lines);
	}
}

my @files = @ARGV ? @ARGV : split /\0/,
	`git ls-files -z --cached --others --exclude-standard`;
for my $file (sort grep { $_ =~ $SOURCE && -f } @files) {
	open(my $in, '<', $file) or die "$file: $!\n";
	my $text = do { local $/; <$in> } // '';
	close($in);
	my @lines = split /\n/, $text;

	check_lines($file, @lines);
	next unless $file =~ /\.[ch]$/;
	my @code = split /\n/, code_of($text);
	check_words($file, \@lines, @code);
	check_functions($file, \@lines, \@code) if $file =~ /\.c$/;
}
print "$found lines break the style\n" if $found;
exit($found ? 1 : 0);
