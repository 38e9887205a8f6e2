/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.c - the agent's command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "options.h"
#include "protocol/channel.h"
#include "sys.h"

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
"  --workers N           migrations at a time, both directions together (32)\n"
"  --allow-qmp           take in QEMUs without libvirt: who can connect may then\n"
"                        run any program here\n"
"  --verbose             log what is done, not only what matters\n"
"  --help, --version     print and exit\n";

enum {
	OPT_LISTEN = 256, OPT_STATE_DIR, OPT_RUN_DIR, OPT_CONTROL, OPT_DEFINITIONS,
	OPT_TLS, OPT_PKI, OPT_PSK_FILE, OPT_WORKERS, OPT_ALLOW_QMP, OPT_VERBOSE, OPT_WORKER,
	OPT_HELP, OPT_VERSION,
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
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "allow-qmp", no_argument, NULL, OPT_ALLOW_QMP },
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

static int control_parse(struct agent_options *options, const char *path)
{
	if (strlen(path) >= sizeof(options->control))
		return usage_error("the path of the control socket is longer than 107 bytes:",
				   path);
	strcpy(options->control, path);
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
	case OPT_WORKERS:
		return workers_parse(value, &options->workers_max);
	case OPT_ALLOW_QMP:
		options->allow_qmp = true;
		return 0;
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
		*status = EXIT_USAGE;
		if (option_take(options, option, optarg))
			return 1;
	}
	*status = EXIT_USAGE;
	if (optind < argc)
		return usage_error("no such argument:", argv[optind]);
	return options_complete(options);
}
