#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check-docs.pl - programs, options and documents agree:
# - each program has a man page, without a warning of groff's;
# - each long option in a program's source is in its man page, and each option
#   in the page is in the source;
# - each fault that can be injected is in straddle-inject.7;
# - files of the project that a document names exist;
# - the documents are correct reStructuredText (where docutils is installed);
# - each document is linked from Documentation/index.rst, and all links lead to files;
# - Documentation/message-table.rst is what protocol/message_table.c says.
use strict;
use warnings;

my %PROGRAMS = (	# folder below tools/ => man page
	straddle	=> 'straddle.1',
	straddled	=> 'straddled.8',
	vmm		=> 'straddle-vmm.8',
	bench		=> 'straddle-bench.1',
);

# A row of struct option, and the name in it.
my $OPTION_ROW = qr/\{\s*(?:\.name\s*=\s*)?"([a-z][a-z0-9-]+)",\s*
	(?:\.has_arg\s*=\s*)?(?:no|required|optional)_argument/x;
# What looks like a file of this project: folder/name.ending
my $PROJECT_FILE = qr{(?<![\w/.\$-])(
	(?:uffd|copy|protocol|tools|selftests|Documentation)/
	[\w./-]+\.(?:[chS]|sh|pl|mk|rst|proto|[178]))\b}x;

my $found = 0;

sub report
{
	print join(': ', @_), "\n";
	$found++;
}

sub content
{
	my ($file) = @_;

	open(my $in, '<', $file) or die "$file: $!\n";
	local $/;
	return <$in> // '';
}

# The long options of a program: rows of struct option, or of a table like it.
sub options_of
{
	my ($folder) = @_;
	my %options;

	for my $file (glob("tools/$folder/*.c")) {
		my $text = content($file);

		$options{$1} = 1 while $text =~ /$OPTION_ROW/g;
	}
	return \%options;
}

sub check_man_page
{
	my ($folder, $page) = @_;
	my $path = "Documentation/man/$page";
	my ($text, $sources) = ('', '');

	if (!-f $path) {
		report($path, "missing, for the program in tools/$folder/");
		return;
	}
	$text = content($path);
	$text =~ s/\\-/-/g;
	$sources .= content($_) for glob("tools/$folder/*.c");
	my $options = options_of($folder);
	for my $option (sort keys %$options) {
		report($path, "--$option is missing")
			unless $text =~ /--\Q$option\E\b/;
	}
	my %named = map { $_ => 1 } $text =~ /(?<![\w-])--([a-z][a-z0-9-]*)/g;
	for my $option (sort keys %named) {
		report($path, "--$option is no option of the program")
			unless $options->{$option} || $sources =~ /"(?:--)?\Q$option\E"/;
	}
	return if system('command -v groff >/dev/null') != 0;
	my $warnings = `groff -man -Tutf8 -ww '$path' 2>&1 >/dev/null`;
	report($path, $warnings) if $warnings;
}

# Actions, frames and writes by their tables; messages and states are listed by
# the program itself.
sub check_inject
{
	my $path = 'Documentation/man/straddle-inject.7';
	my $text = -f $path ? content($path) : '';
	my $tables = content('protocol/inject_parse.c') . content('protocol/inject_point.c');

	$text =~ s/\\-/-/g;
	for my $name ($tables =~ /^\t\{ "([a-z-]+)", (?:INJECT|TYPE_BIT)/mg) {
		report($path, "$name is missing") unless $text =~ /\b\Q$name\E\b/;
	}
	return if system('command -v groff >/dev/null') != 0;
	my $warnings = `groff -man -Tutf8 -ww '$path' 2>&1 >/dev/null`;
	report($path, $warnings) if $warnings;
}

sub check_paths
{
	my ($file) = @_;
	my $text = content($file);
	my %seen;

	while ($text =~ /$PROJECT_FILE/g) {
		report($file, "there is no $1") unless $seen{$1}++ || -f $1;
	}
}

sub check_rst
{
	my ($file) = @_;
	my ($rst2html) = grep { -x } map { ("$_/rst2html", "$_/rst2html.py") }
			 split /:/, $ENV{PATH};

	return unless $rst2html;
	my $warnings = `'$rst2html' --report=2 --halt=5 '$file' 2>&1 >/dev/null`;
	report($file, $warnings) if $warnings;
}

# Links to other documents: `text <name.rst>`_ in reST, [text](name) in Markdown.
sub check_links
{
	my ($file) = @_;
	my $text = content($file);
	my ($dir) = $file =~ m{^(.*/)};
	my %links;

	$links{$_} = 1 for $text =~ /<([\w-]+\.\w+)>`_/g,
			   $text =~ /^\.\. (?:image|include):: (\S+)/mg,
			   $text =~ m{\]\(([\w./-]+)\)}g;
	for my $link (sort keys %links) {
		report($file, "the link to $link leads nowhere") unless -f ($dir // '') . $link;
	}
	return \%links;
}

sub check_index
{
	my $index = 'Documentation/index.rst';
	my $links = -f $index ? check_links($index) : {};

	for my $file (map { s{.*/}{}r } glob('Documentation/*.rst')) {
		next if $links->{$file} || $file eq 'index.rst';
		report($index, "$file is not linked");
	}
}

sub check_message_table
{
	my $path = 'Documentation/message-table.rst';
	my $table = `tools/scripts/message-table.pl`;

	return if -f $path && content($path) eq $table;
	report($path, 'is not what protocol/message_table.c says: ' .
	       "tools/scripts/message-table.pl > $path");
}

for my $folder (sort keys %PROGRAMS) {
	check_man_page($folder, $PROGRAMS{$folder}) if glob("tools/$folder/*.c");
}
report('README.md', 'missing') unless -f 'README.md';
for my $file (grep { -f } 'README.md', glob('Documentation/*.rst Documentation/man/*')) {
	check_paths($file);
	check_links($file) if $file =~ /\.(?:rst|md)$/ && $file !~ /index\.rst$/;
	check_rst($file) if $file =~ /\.rst$/;
}
check_index();
check_inject();
check_message_table();
print "$found faults in the documents\n" if $found;
exit($found ? 1 : 0);
