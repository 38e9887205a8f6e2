/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.c - the agent's command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "options.h"
#include "protocol/inject.h"
#include "sys.h"
#include "tools/lib/parse.h"

#define EXIT_USAGE	2

static const char help[] =
"Usage: straddled [OPTION]...\n"
"Straddle's agent: migrates guests from and to this host.\n"
"\n"
"  --listen ADDR[:PORT]  where other hosts connect to (all addresses where\n"
"                        there are credentials, else 127.0.0.1; port " STRADDLE_PORT ")\n"
"  --state-dir DIR       journal (/var/lib/straddle)\n"
"  --run-dir DIR         sockets and page states, on tmpfs (/run/straddle)\n"
"  --control SOCKET      where the straddle command connects to\n"
"                        (RUN-DIR/straddled.sock)\n"
"  --definitions DIR     persistent definitions (STATE-DIR/definitions)\n"
"  --tls x509|psk|off    how to protect connections (what there is a key for)\n"
"  --pki DIR             certificates and keys, in libvirt's layout (/etc/pki)\n"
"  --psk-file FILE       pre-shared keys, lines of NAME:HEXKEY\n"
"  --allow-peer NAME     let in only this peer: host name, distinguished name or\n"
"                        key name; a pattern with * and ?; may be repeated\n"
"  --workers N           migrations at a time, both directions together (32)\n"
"  --allow-qmp           take in QEMUs without libvirt: who can connect may then\n"
"                        run any program here\n"
"  --inject FAULT        for tests: injure what this host sends and writes;\n"
"                        \"--inject help\" says how, or that this build cannot\n"
"  --inject-seed N       what their chance depends on (a random number)\n"
"  --verbose             log what is done, not only what matters\n"
"  --help, --version     print and exit\n";

enum {
	OPT_LISTEN = 256, OPT_STATE_DIR, OPT_RUN_DIR, OPT_CONTROL, OPT_DEFINITIONS,
	OPT_TLS, OPT_PKI, OPT_PSK_FILE, OPT_ALLOW_PEER, OPT_WORKERS, OPT_ALLOW_QMP,
	OPT_VERBOSE, OPT_INJECT, OPT_INJECT_SEED, OPT_WORKER, OPT_HELP, OPT_VERSION,
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "definitions", required_argument, NULL, OPT_DEFINITIONS },
	{ "tls", required_argument, NULL, OPT_TLS },
	{ "pki", required_argument, NULL, OPT_PKI },
	{ "psk-file", required_argument, NULL, OPT_PSK_FILE },
	{ "allow-peer", required_argument, NULL, OPT_ALLOW_PEER },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "allow-qmp", no_argument, NULL, OPT_ALLOW_QMP },
	{ "inject", required_argument, NULL, OPT_INJECT },
	{ "inject-seed", required_argument, NULL, OPT_INJECT_SEED },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "worker", no_argument, NULL, OPT_WORKER },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "straddled: %s '%s'; 'straddled --help' lists the options\n",
		what, value);
	return -EINVAL;
}

static int workers_parse(const char *text, unsigned int *count)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !number || number > WORKERS_LIMIT)
		return usage_error("--workers: give a number from 1 to 1024, not", text);
	*count = (unsigned int)number;
	return 0;
}

static int tls_parse(const char *text, const char **tls)
{
	if (strcmp(text, "x509") && strcmp(text, "psk") && strcmp(text, "off"))
		return usage_error("--tls: give x509, psk or off, not", text);
	*tls = text;
	return 0;
}

/* Return: the exit status. */
static int inject_explain(void)
{
	struct inject *inject;
	struct fail fail = { 0 };

	if (inject_create(&inject, &fail)) {
		fprintf(stderr, "straddled: %s\n", fail.text);
		return EXIT_USAGE;
	}
	inject_destroy(inject);
	inject_help(stdout);
	return EXIT_SUCCESS;
}

static int inject_take(struct agent_options *options, const char *text)
{
	struct fail fail = { 0 };
	int ret = options->inject ? 0 : inject_create(&options->inject, &fail);

	if (!ret)
		ret = inject_add(options->inject, text, &fail);
	if (ret)
		fprintf(stderr, "straddled: %s\n", fail.text);
	return ret;
}

static int seed_take(struct agent_options *options, const char *text)
{
	if (parse_count(text, &options->inject_seed))
		return usage_error("--inject-seed: give a number, not", text);
	options->inject_seeded = true;
	return 0;
}

static int control_parse(struct agent_options *options, const char *path)
{
	if (strlen(path) >= sizeof(options->control))
		return usage_error("the path of the control socket is longer than 107 bytes:",
				   path);
	strcpy(options->control, path);
	return 0;
}

/* What is in it is for credentials_allow() to judge. */
static int peer_parse(struct agent_options *options, const char *pattern)
{
	if (options->allow_peers_count == ALLOW_MAX)
		return usage_error("--allow-peer: more than 128 names, the last is", pattern);
	options->allow_peers[options->allow_peers_count++] = pattern;
	return 0;
}

static int option_take(struct agent_options *options, int option, const char *value)
{
	switch (option) {
	case OPT_LISTEN:
		options->listen = value;
		return 0;
	case OPT_STATE_DIR:
		options->state_dir = value;
		return 0;
	case OPT_RUN_DIR:
		options->run_dir = value;
		return 0;
	case OPT_CONTROL:
		return control_parse(options, value);
	case OPT_DEFINITIONS:
		if (strlen(value) >= sizeof(options->definitions))
			return usage_error("--definitions: the path is too long:", value);
		strcpy(options->definitions, value);
		return 0;
	case OPT_TLS:
		return tls_parse(value, &options->tls);
	case OPT_PKI:
		options->pki_dir = value;
		return 0;
	case OPT_PSK_FILE:
		options->psk_file = value;
		return 0;
	case OPT_ALLOW_PEER:
		return peer_parse(options, value);
	case OPT_WORKERS:
		return workers_parse(value, &options->workers_max);
	case OPT_ALLOW_QMP:
		options->allow_qmp = true;
		return 0;
	case OPT_INJECT:
		return inject_take(options, value);
	case OPT_INJECT_SEED:
		return seed_take(options, value);
	case OPT_VERBOSE:
		log_level = LOG_INFO;
		return 0;
	case OPT_WORKER:
		options->worker = true;
		return 0;
	default:
		fprintf(stderr, "'straddled --help' lists the options\n");
		return -EINVAL;
	}
}

static int options_complete(struct agent_options *options)
{
	char path[512];

	if (strlen(options->run_dir) > 200 || strlen(options->state_dir) > 200)
		return usage_error("--run-dir, --state-dir: the path is too long:",
				   strlen(options->run_dir) > 200 ? options->run_dir :
				   options->state_dir);
	if (!*options->definitions)
		snprintf(options->definitions, sizeof(options->definitions),
			 "%s/definitions", options->state_dir);
	if (*options->control)
		return 0;
	snprintf(path, sizeof(path), "%s/straddled.sock", options->run_dir);
	return control_parse(options, path);
}

/**
 * options_parse() - read the command line
 * @options: receives what it says, and the defaults for the rest
 * @argc: of main()
 * @argv: of main()
 * @status: receives the exit status, where the program is to end
 *
 * Help, the version and errors are printed here.
 *
 * Return: 0: go on; else: end with @status.
 */
int options_parse(struct agent_options *options, int argc, char **argv, int *status)
{
	int option;

	*options = (struct agent_options){
		.state_dir = "/var/lib/straddle",
		.run_dir = "/run/straddle",
		.workers_max = WORKERS_DEFAULT,
	};
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPT_HELP || option == OPT_VERSION) {
			if (option == OPT_HELP)
				fputs(help, stdout);
			else
				printf("straddled, protocol version %d\n", STRADDLE_VERSION);
			*status = EXIT_SUCCESS;
			return 1;
		}
		if (option == OPT_INJECT && !strcmp(optarg, "help")) {
			*status = inject_explain();
			return 1;
		}
		*status = EXIT_USAGE;
		if (option_take(options, option, optarg))
			return 1;
	}
	*status = EXIT_USAGE;
	if (optind < argc)
		return usage_error("no such argument:", argv[optind]);
	return options_complete(options);
}
