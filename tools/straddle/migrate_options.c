/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migrate_options.c - options of migrate, named as virsh names them. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "migrate_options.h"
#include "number.h"
#include "protocol/address.h"
#include "tools/lib/migration_json.h"

#define LANES_MAX	32	/* of one role */

enum {
	OPT_LIVE = 256, OPT_POSTCOPY, OPT_POSTCOPY_AFTER_PRECOPY, OPT_BANDWIDTH,
	OPT_POSTCOPY_BANDWIDTH, OPT_TIMEOUT, OPT_TIMEOUT_POSTCOPY, OPT_TIMEOUT_SUSPEND,
	OPT_RECOVER_TIMEOUT,
	OPT_PERSISTENT, OPT_UNDEFINESOURCE, OPT_DNAME, OPT_XML, OPT_PERSISTENT_XML,
	OPT_VERBOSE, OPT_DOWNTIME, OPT_PRECOPY_ROUNDS, OPT_FAULT_LANES, OPT_PUSH_LANES,
	OPT_HANDOVER, OPT_DETACH, OPT_DRY_RUN, OPT_UNSAFE, OPT_ALLOW_VERSION_SKEW,
	OPT_COMPRESSED, OPT_ENGINE, OPT_DESTURI, OPT_MIGRATEURI, OPT_TLS,
	OPT_COPY_ALL, OPT_COPY_INC, OPT_COPY_SYNCHRONOUS, OPT_HELP,
};

static const struct option long_options[] = {
	{ "live", no_argument, NULL, OPT_LIVE },
	{ "postcopy", no_argument, NULL, OPT_POSTCOPY },
	{ "postcopy-after-precopy", no_argument, NULL, OPT_POSTCOPY_AFTER_PRECOPY },
	{ "bandwidth", required_argument, NULL, OPT_BANDWIDTH },
	{ "postcopy-bandwidth", required_argument, NULL, OPT_POSTCOPY_BANDWIDTH },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "timeout-postcopy", no_argument, NULL, OPT_TIMEOUT_POSTCOPY },
	{ "timeout-suspend", no_argument, NULL, OPT_TIMEOUT_SUSPEND },
	{ "recover-timeout", required_argument, NULL, OPT_RECOVER_TIMEOUT },
	{ "persistent", no_argument, NULL, OPT_PERSISTENT },
	{ "undefinesource", no_argument, NULL, OPT_UNDEFINESOURCE },
	{ "dname", required_argument, NULL, OPT_DNAME },
	{ "xml", required_argument, NULL, OPT_XML },
	{ "persistent-xml", required_argument, NULL, OPT_PERSISTENT_XML },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "downtime", required_argument, NULL, OPT_DOWNTIME },
	{ "precopy-rounds", required_argument, NULL, OPT_PRECOPY_ROUNDS },
	{ "fault-lanes", required_argument, NULL, OPT_FAULT_LANES },
	{ "push-lanes", required_argument, NULL, OPT_PUSH_LANES },
	{ "compressed", no_argument, NULL, OPT_COMPRESSED },
	{ "handover", no_argument, NULL, OPT_HANDOVER },
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "desturi", required_argument, NULL, OPT_DESTURI },
	{ "migrateuri", required_argument, NULL, OPT_MIGRATEURI },
	{ "tls", no_argument, NULL, OPT_TLS },
	{ "detach", no_argument, NULL, OPT_DETACH },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "unsafe", no_argument, NULL, OPT_UNSAFE },
	{ "allow-version-skew", no_argument, NULL, OPT_ALLOW_VERSION_SKEW },
	{ "copy-storage-all", no_argument, NULL, OPT_COPY_ALL },
	{ "copy-storage-inc", no_argument, NULL, OPT_COPY_INC },
	{ "copy-storage-synchronous-writes", no_argument, NULL, OPT_COPY_SYNCHRONOUS },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/* Options that only turn something on. */
struct flag_option {
	int option;
	size_t offset;
};

#define FLAG(option_, member_)	{ option_, offsetof(struct migrate_options, member_) }

static const struct flag_option flag_options[] = {
	FLAG(OPT_LIVE, migration.live),
	FLAG(OPT_POSTCOPY, migration.postcopy),
	FLAG(OPT_POSTCOPY_AFTER_PRECOPY, migration.postcopy_after_precopy),
	FLAG(OPT_PERSISTENT, migration.persistent),
	FLAG(OPT_UNDEFINESOURCE, migration.undefine_source),
	FLAG(OPT_COMPRESSED, migration.compressed),
	FLAG(OPT_HANDOVER, migration.handover),
	FLAG(OPT_DRY_RUN, migration.dry_run),
	FLAG(OPT_UNSAFE, migration.unsafe),
	FLAG(OPT_ALLOW_VERSION_SKEW, migration.allow_version_skew),
	FLAG(OPT_TLS, migration.tls),
	FLAG(OPT_COPY_SYNCHRONOUS, migration.copy_synchronous),
	FLAG(OPT_VERBOSE, verbose),
	FLAG(OPT_DETACH, detach),
	FLAG(OPT_HELP, help),
};

/* Options that have a number: what it counts, its bounds, where it goes. */
struct number_option {
	int option;
	const char *name;
	const char *unit;
	uint64_t least, most;
	uint64_t scale;
	size_t offset;
	size_t size;
};

#define NUMBER(option_, name_, unit_, least_, most_, scale_, member_)		\
	{ option_, name_, unit_, least_, most_, scale_,				\
	  offsetof(struct migration_options, member_),				\
	  sizeof(((struct migration_options *)0)->member_) }

static const struct number_option number_options[] = {
	NUMBER(OPT_BANDWIDTH, "--bandwidth", "MiB a second", 0, UINT64_C(1) << 40, 1 << 20,
	       bandwidth),
	NUMBER(OPT_POSTCOPY_BANDWIDTH, "--postcopy-bandwidth", "MiB a second", 0,
	       UINT64_C(1) << 40, 1 << 20, postcopy_bandwidth),
	NUMBER(OPT_TIMEOUT, "--timeout", "seconds", 1, 1000000000, 1000000000, timeout_ns),
	NUMBER(OPT_RECOVER_TIMEOUT, "--recover-timeout", "seconds", 1, 1000000000, 1000000000,
	       recover_timeout_ns),
	NUMBER(OPT_DOWNTIME, "--downtime", "milliseconds", 1, 1000000000, 1000000,
	       downtime_ns),
	NUMBER(OPT_PRECOPY_ROUNDS, "--precopy-rounds", "rounds", 0, UINT32_MAX - 1, 1,
	       rounds_max),
	NUMBER(OPT_FAULT_LANES, "--fault-lanes", "lanes", 1, LANES_MAX, 1, fault_lanes),
	NUMBER(OPT_PUSH_LANES, "--push-lanes", "lanes", 1, LANES_MAX, 1, push_lanes),
};

/**
 * migrate_help() - print the options of migrate
 */
void migrate_help(void)
{
	fputs("Usage: straddle migrate GUEST HOST[:PORT] [OPTION]...\n"
	      "Move a guest that runs here to another host.\n\n"
	      "  --live                    the guest runs on while its memory is sent\n"
	      "  --postcopy                may switch to post-copy; does when pre-copy\n"
	      "                            would not reach the downtime target\n"
	      "  --postcopy-after-precopy  switch after the first round\n"
	      "  --precopy-rounds N        switch or stop after N rounds; 0: post-copy only\n"
	      "  --downtime MS             stop when this downtime is in reach (300)\n"
	      "  --bandwidth MIB           limit, MiB a second\n"
	      "  --postcopy-bandwidth MIB  limit after the switch, MiB a second\n"
	      "  --timeout SECONDS         when pre-copy takes longer, do one of:\n"
	      "  --timeout-suspend           stop the guest and copy the rest (default)\n"
	      "  --timeout-postcopy          switch to post-copy\n"
	      "  --recover-timeout SECONDS try a link that is cut for so long; then, after the\n"
	      "                            switch, wait for 'straddle recover' (for ever)\n"
	      "  --persistent              define the guest at the other host\n"
	      "  --undefinesource          undefine it here\n"
	      "  --dname NAME              its name at the other host\n"
	      "  --xml FILE                start it there from this definition\n"
	      "  --persistent-xml FILE     with --persistent: define this there\n"
	      "  --fault-lanes N           connections for missing pages\n"
	      "  --push-lanes N            connections for the rest\n"
	      "  --compressed              compress what is pushed, while that is faster\n"
	      "  --handover                the guest hands over its userfaultfd\n"
	      "  --dry-run                 say what is in the way, and move nothing\n"
	      "  --unsafe                  go although a disk may not be shared, or its\n"
	      "                            cache not be safe, or the host that it came from\n"
	      "                            not know that it arrived\n"
	      "  --copy-storage-all        copy disks that the hosts do not share\n"
	      "  --copy-storage-inc        likewise, without what is in backing files\n"
	      "  --copy-storage-synchronous-writes\n"
	      "                            the guest's writes wait for the copy's\n"
	      "  --allow-version-skew      go although the hypervisors' versions differ\n"
	      "  --engine ENGINE           who moves it: straddle (default), native (libvirt\n"
	      "                            itself, watched and switched by us), auto (native\n"
	      "                            where straddle cannot)\n"
	      "  --desturi URI             native: libvirt there (qemu+tls://HOST/system)\n"
	      "  --migrateuri URI          native: where QEMU there is to listen\n"
	      "  --tls                     native: QEMU encrypts what it sends\n"
	      "  --verbose                 show how far it is\n"
	      "  --detach                  start it, and do not wait\n", stdout);
}

static int number_take(struct migration_options *migration, int option, const char *text)
{
	const struct number_option *row = number_options;
	uint64_t number;

	while (row->option != option)
		row++;
	if (number_parse(text, row->most, &number) || number < row->least)
		return usage_error("migrate: %s '%s': give a whole number of %s from %llu to "
				   "%llu", row->name, text, row->unit,
				   (unsigned long long)row->least,
				   (unsigned long long)row->most);
	number *= row->scale;
	if (row->size == sizeof(uint32_t))
		*(uint32_t *)((char *)migration + row->offset) = (uint32_t)number;
	else
		*(uint64_t *)((char *)migration + row->offset) = number;
	return 0;
}

static int text_take(char *to, size_t size, const char *what, const char *text)
{
	if (!*text || strlen(text) >= size)
		return usage_error("migrate: %s '%.80s' is to be 1 to %zu bytes long", what,
				   text, size - 1);
	strcpy(to, text);
	return 0;
}

/* For the agent, which is somewhere else in the file system. */
static int file_take(char *to, const char *what, const char *text)
{
	char *path = realpath(text, NULL);
	int ret = path ? text_take(to, FILE_NAME_MAX, what, path) :
			 usage_error("migrate: %s '%s': there is no such file", what, text);

	free(path);
	return ret;
}

static int engine_take(struct migration_options *migration, const char *text)
{
	if (engine_named(text, &migration->engine))
		return usage_error("migrate: --engine '%.80s': give straddle, native or auto",
				   text);
	return 0;
}

/* What getopt_long() did not take: @argv stands behind it. */
static int option_wrong(int option, char **argv)
{
	const char *given = argv[optind - 1];

	if (option == ':')
		return usage_error("migrate: %s needs a value; 'straddle migrate --help' lists "
				   "the options", given);
	return usage_error("migrate: unknown or ambiguous option '%s'; 'straddle migrate --help' "
			   "lists the options", given);
}

static bool flag_take(struct migrate_options *options, int option)
{
	size_t i;

	for (i = 0; i < sizeof(flag_options) / sizeof(flag_options[0]); i++)
		if (flag_options[i].option == option) {
			*(bool *)((char *)options + flag_options[i].offset) = true;
			return true;
		}
	return false;
}

static int copy_take(struct migration_options *migration, enum copy_storage how)
{
	if (migration->copy_storage && migration->copy_storage != how)
		return usage_error("migrate: --copy-storage-all and --copy-storage-inc exclude "
				   "each other: give one");
	migration->copy_storage = how;
	return 0;
}

static int option_take(struct migrate_options *options, int option, bool *suspend)
{
	struct migration_options *migration = &options->migration;

	if (flag_take(options, option))
		return 0;
	switch (option) {
	case OPT_TIMEOUT_POSTCOPY:
		migration->timeout_action = TIMEOUT_POSTCOPY;
		return 0;
	case OPT_COPY_ALL:
		return copy_take(migration, COPY_STORAGE_ALL);
	case OPT_COPY_INC:
		return copy_take(migration, COPY_STORAGE_INC);
	case OPT_TIMEOUT_SUSPEND:
		*suspend = true;
		return 0;
	case OPT_DNAME:
		return text_take(migration->dest_name, sizeof(migration->dest_name), "--dname",
				 optarg);
	case OPT_XML:
		return file_take(migration->xml, "--xml", optarg);
	case OPT_PERSISTENT_XML:
		return file_take(migration->persistent_xml, "--persistent-xml", optarg);
	case OPT_ENGINE:
		return engine_take(migration, optarg);
	case OPT_DESTURI:
		return text_take(migration->dest_uri, sizeof(migration->dest_uri),
				 "--desturi", optarg);
	case OPT_MIGRATEURI:
		return text_take(migration->migrate_uri, sizeof(migration->migrate_uri),
				 "--migrateuri", optarg);
	default:
		return number_take(migration, option, optarg);
	}
}

static int together(const struct migration_options *migration, bool suspend)
{
	bool postcopy = migration->timeout_action == TIMEOUT_POSTCOPY;
	struct address address;
	struct fail fail = { 0 };

	if (suspend && postcopy)
		return usage_error("migrate: --timeout-suspend and --timeout-postcopy exclude "
				   "each other: give one");
	if ((suspend || postcopy) && !migration->timeout_ns)
		return usage_error("migrate: %s needs --timeout: add --timeout SECONDS",
				   suspend ? "--timeout-suspend" : "--timeout-postcopy");
	if (migration_options_check(migration, &fail) ||
	    address_parse(migration->host, &address, &fail))
		return usage_error("migrate: %s", fail.text);
	return 0;
}

/**
 * migrate_options_parse() - read the command line of migrate
 * @options: receives it
 * @argc: of the command
 * @argv: of the command; reordered
 *
 * Return: 0, or EXIT_USAGE: what is wrong has been said.
 */
int migrate_options_parse(struct migrate_options *options, int argc, char **argv)
{
	static const char arguments[] = "GUEST HOST[:PORT] [OPTION]...";
	struct migration_options *migration = &options->migration;
	bool suspend = false;
	int option, ret = 0;

	*options = (struct migrate_options){ .verbose = false };
	migration_options_init(migration);
	opterr = 0;
	while (!ret && (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
		ret = option == '?' || option == ':' ? option_wrong(option, argv) :
		      option_take(options, option, &suspend);
	if (ret || options->help)
		return ret;
	if (argc - optind < 2)
		return usage_error("migrate: %s is missing; usage: straddle migrate %s",
				   argc == optind ? "the guest" : "the host", arguments);
	if (argc - optind > 2)
		return usage_error("migrate: '%s' is too much; usage: straddle migrate %s",
				   argv[optind + 2], arguments);
	ret = text_take(migration->guest, sizeof(migration->guest), "the guest's name",
			argv[optind]);
	if (!ret)
		ret = text_take(migration->host, sizeof(migration->host), "the host",
				argv[optind + 1]);
	return ret ? ret : together(migration, suspend);
}
