// SPDX-License-Identifier: LGPL-2.1-or-later
/* options.c - a definition file first, then the options that override it. */
#include "tools/vmm/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/lib/textfile.h"

enum {
	OPT_FIELD = 1000,	/* a field of the definition */
	OPT_PRIVATE,
	OPT_WITNESS,
	OPT_MEMORY_DIR,
	OPT_RUN_DIR,
	OPT_DEFINITION,
	OPT_PERSISTENT,
	OPT_INCOMING,
	OPT_READY_FD,
	OPT_PAUSED,
	OPT_VERBOSE,
	OPT_HELP,
};

static const struct option longs[] = {
	{ "engine", required_argument, NULL, OPT_FIELD },
	{ "memory", required_argument, NULL, OPT_FIELD },
	{ "vcpus", required_argument, NULL, OPT_FIELD },
	{ "name", required_argument, NULL, OPT_FIELD },
	{ "uuid", required_argument, NULL, OPT_FIELD },
	{ "hugepages", required_argument, NULL, OPT_FIELD },
	{ "private", no_argument, NULL, OPT_PRIVATE },
	{ "workload", required_argument, NULL, OPT_FIELD },
	{ "working-set", required_argument, NULL, OPT_FIELD },
	{ "rate", required_argument, NULL, OPT_FIELD },
	{ "witness", required_argument, NULL, OPT_WITNESS },
	{ "memory-dir", required_argument, NULL, OPT_MEMORY_DIR },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "definition", required_argument, NULL, OPT_DEFINITION },
	{ "persistent", required_argument, NULL, OPT_PERSISTENT },
	{ "incoming", no_argument, NULL, OPT_INCOMING },
	{ "ready-fd", required_argument, NULL, OPT_READY_FD },
	{ "paused", no_argument, NULL, OPT_PAUSED },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
"Usage: straddle-vmm --name NAME [OPTION]...\n"
"Run a guest that writes its memory and checks what it wrote.\n"
"\n"
"The guest:\n"
"  --name NAME            its name; letters, digits, '.', '_', '-'\n"
"  --uuid UUID            its UUID (default: a random one)\n"
"  --engine kvm|threads   what runs its vCPUs (default: kvm where /dev/kvm\n"
"                         opens, else threads)\n"
"  --memory SIZE          memory, in bytes or with K, M, G, T (default 64M)\n"
"  --vcpus N              vCPUs, 1 to 64 (default 1)\n"
"  --hugepages 2M         memory of 2 MiB pages\n"
"  --private              anonymous private memory, not a memfd\n"
"  --workload KIND        hot, random, sequential, zipf or idle (default hot)\n"
"  --working-set SIZE     memory that the workload uses (default: half of it\n"
"                         for hot, else all)\n"
"  --rate N               pages a second, in all (default 0: unlimited)\n"
"  --definition FILE      take all of these from a JSON file; options win\n"
"\n"
"The process:\n"
"  --persistent FILE      where its persistent definition is kept; written\n"
"                         from the live one when there is none\n"
"  --witness FILE         append a line when the vCPUs start and stop\n"
"  --memory-dir DIR       memory of small pages in a file there, on a tmpfs\n"
"  --run-dir DIR          control socket in DIR/guests (default /run/straddle)\n"
"  --incoming             wait for a migration; do not touch memory\n"
"  --paused               do not start the vCPUs\n"
"  --ready-fd N           write \"ready\" there once it is up, or the error\n"
"  --verbose              print ticks, rate and bad pages every second\n"
"  --help                 print this\n";

/**
 * options_help() - print the help
 */
void options_help(void)
{
	fputs(help, stdout);
}

static int set_ready_fd(struct options *options, const char *value,
			struct fail *fail)
{
	char *end;
	long fd = strtol(value, &end, 10);

	if (end == value || *end || fd < 0 || fd > INT_MAX ||
	    fcntl((int)fd, F_GETFD) < 0)
		return fail_set(fail, -EBADF,
				"--ready-fd %s is not an open descriptor",
				value);
	options->ready_fd = (int)fd;
	return fcntl(options->ready_fd, F_SETFD, FD_CLOEXEC) < 0 ? -EBADF : 0;
}

static int set_field(struct options *options, const char *name,
		     const char *value, struct fail *fail)
{
	char key[32];

	snprintf(key, sizeof(key), "%s", name);
	for (char *c = key; *c; c++)
		if (*c == '-')
			*c = '_';
	return definition_set(&options->definition, key, value, fail);
}

/* A descriptor that was handed over to be read: it would stay for ever. */
static void handed_close(const char *path)
{
	int fd;

	if (sscanf(path, "/dev/fd/%d", &fd) == 1 && fd > STDERR_FILENO)
		close(fd);
}

static int load_definition(struct options *options, const char *path,
			   struct fail *fail)
{
	__cleanup_free char *text = NULL;
	int ret = textfile_read(path, GUEST_DEFINITION_MAX, &text, fail);

	handed_close(path);
	if (ret)
		return ret;
	if (!text)
		return fail_set(fail, -ENOENT, "there is no file %s", path);
	return definition_parse(&options->definition, text, path, fail);
}

static int apply(struct options *options, int code, const char *name,
		 char *value, struct fail *fail)
{
	switch (code) {
	case OPT_FIELD:
		return set_field(options, name, value, fail);
	case OPT_PRIVATE:
		return definition_set(&options->definition, "private", "true",
				      fail);
	case OPT_WITNESS:
		options->witness = value;
		return 0;
	case OPT_MEMORY_DIR:
		options->definition.memory_dir = value;
		return 0;
	case OPT_RUN_DIR:
		options->run_dir = value;
		return 0;
	case OPT_DEFINITION:
		return load_definition(options, value, fail);
	case OPT_PERSISTENT:
		options->persistent = value;
		return 0;
	case OPT_INCOMING:
		options->incoming = true;
		return 0;
	case OPT_READY_FD:
		return set_ready_fd(options, value, fail);
	case OPT_PAUSED:
		options->paused = true;
		return 0;
	case OPT_VERBOSE:
		options->verbose = true;
		return 0;
	case OPT_HELP:
		options->help = true;
		return 0;
	default:
		return 0;
	}
}

static int bad_option(int code, char *const *argv, struct fail *fail)
{
	if (code == ':')
		return fail_set(fail, -EINVAL, "%s needs a value",
				argv[optind - 1]);
	return fail_set(fail, -EINVAL, "no option %s; see straddle-vmm --help",
			argv[optind - 1]);
}

/* One walk over the command line, for one option or for those left over. */
static int walk(int argc, char **argv, struct options *options, int only,
		struct fail *fail)
{
	int code, index, ret = 0;

	optind = 1;
	opterr = 0;
	while (!ret && (code = getopt_long(argc, argv, ":", longs,
					   &index)) != -1) {
		if (only ? code != only : code == OPT_READY_FD ||
					  code == OPT_DEFINITION)
			continue;
		if (code == '?' || code == ':')
			ret = bad_option(code, argv, fail);
		else
			ret = apply(options, code, longs[index].name, optarg,
				    fail);
	}
	if (!ret && !only && optind < argc)
		ret = fail_set(fail, -EINVAL,
			       "\"%s\" is not an option; see straddle-vmm --help",
			       argv[optind]);
	return ret;
}

/**
 * options_parse() - the command line, checked
 * @argc: of main()
 * @argv: of main(); strings of it are kept
 * @options: filled; ready_fd also when something else is wrong
 * @fail: says what is wrong
 *
 * Return: 0 or -errno.
 */
int options_parse(int argc, char **argv, struct options *options,
		  struct fail *fail)
{
	int ret;

	*options = (struct options){
		.run_dir = "/run/straddle",
		.ready_fd = -1,
	};
	definition_init(&options->definition);
	/* First who is to hear of errors, then what the others override. */
	ret = walk(argc, argv, options, OPT_READY_FD, fail);
	if (!ret)
		ret = walk(argc, argv, options, OPT_DEFINITION, fail);
	if (!ret)
		ret = walk(argc, argv, options, 0, fail);
	if (ret || options->help)
		return ret;
	if (options->incoming && options->paused)
		return fail_set(fail, -EINVAL,
				"--incoming is paused until it is resumed; leave out --paused");
	ret = definition_complete(&options->definition, fail);
	return ret ? ret : definition_check(&options->definition, fail);
}
