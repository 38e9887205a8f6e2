/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.h - what the agent is started with. */
#ifndef STRADDLE_OPTIONS_H
#define STRADDLE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/channel.h"

#define WORKERS_DEFAULT	32
#define WORKERS_LIMIT	1024

struct inject;

struct agent_options {
	const char *listen;		/* "ADDR[:PORT]", or NULL: by credentials */
	const char *state_dir;
	const char *run_dir;
	const char *tls;		/* "x509", "psk", "off", or NULL: what is there */
	const char *pki_dir;		/* or NULL: libvirt's places */
	const char *psk_file;		/* or NULL */
	const char *allow_peers[ALLOW_MAX];	/* patterns */
	size_t allow_peers_count;	/* 0: every peer with a good key */
	unsigned int workers_max;
	bool allow_qmp;			/* run command lines that peers send */
	bool worker;			/* be a worker, not the agent */
	struct inject *inject;		/* faults to inject, or NULL */
	uint64_t inject_seed;		/* where @inject_seeded */
	bool inject_seeded;
	char control[108];		/* path of the control socket */
	char definitions[256];		/* directory of persistent definitions */
};

/* 0: go on with @options; else the caller ends with *@status. */
int options_parse(struct agent_options *options, int argc, char **argv, int *status);

#endif
