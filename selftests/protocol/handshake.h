/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handshake.h - both ends of a connection in one process, for tests. */
#ifndef STRADDLE_TEST_HANDSHAKE_H
#define STRADDLE_TEST_HANDSHAKE_H

#include "protocol/channel.h"

struct handshake {
	struct credentials *client_keys;	/* borrowed, may be NULL */
	struct credentials *server_keys;
	const char *name;			/* must be in the certificate */
	int timeout_ms;

	int client_ret, server_ret;
	struct fail client_fail, server_fail;
	struct channel *client, *server;	/* NULL where it failed */
	struct preamble preamble;		/* as the server read it */
};

/* Connect and accept over a pair of sockets, each in a thread. */
void handshake_run(struct handshake *handshake);
void handshake_fini(struct handshake *handshake);
/* The preamble that handshake_run() sends: push lane 3 of migration 7777... */
struct preamble handshake_preamble(void);

#define PKI_DIR_MAX	300

struct pki;

/* These fail the test where they cannot do it. @dir, @file: in test_dir(). */
/* host-a (10.0.0.1) and host-b (10.0.0.2), of one CA; @a, @b: PKI_DIR_MAX. */
struct pki *pki_of_two(char *a, char *b);
struct credentials *keys_x509(const char *dir);
struct credentials *keys_psk(const char *file);
void psk_write(const char *file, const char *text, unsigned int mode);

#endif
