/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* credentials.h - keys as GnuTLS wants them; for credentials.c and tls*.c. */
#ifndef STRADDLE_CREDENTIALS_H
#define STRADDLE_CREDENTIALS_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "protocol/channel.h"

#define PSK_NAME_MAX	64	/* bytes, NUL included */
#define PSK_KEY_MIN	16	/* bytes */
#define PSK_KEY_MAX	64
#define PSK_COUNT_MAX	1024	/* lines of a file */

struct psk {
	char name[PSK_NAME_MAX];
	uint8_t key[PSK_KEY_MAX];
	size_t size;			/* bytes of @key */
};

struct credentials {
	enum security security;
	gnutls_priority_t priority;
	/* x509: either may be NULL where a host has no such certificate */
	gnutls_certificate_credentials_t client;
	gnutls_certificate_credentials_t server;
	char ca[256];			/* file names, for messages */
	char client_cert[256];
	char server_cert[256];
	/* PSK: the first is used to connect */
	gnutls_psk_client_credentials_t psk_client;
	gnutls_psk_server_credentials_t psk_server;
	struct psk *psks;
	size_t psk_count;
	char psk_file[256];
	channel_dial_fn *dial;		/* NULL: we connect ourselves */
	/* Patterns of --allow-peer, owned; none: every peer with a good key */
	char *allowed[ALLOW_MAX];
	size_t allowed_count;
};

/* allow.c: may the client of a session connect? */
int allow_check(const struct credentials *credentials, gnutls_session_t session,
		const char *peer, struct fail *fail);
void allow_unload(struct credentials *credentials);

/* psk.c: the file of pre-shared keys. */
int psk_load(struct credentials *credentials, const char *file,
	     struct fail *fail);
void psk_unload(struct credentials *credentials);

/*
 * tls_explain.c: note, in the user's words, why a handshake failed.
 * Returns the -errno it noted.
 */
int tls_explain(gnutls_session_t session, int code, const char *name,
		const struct credentials *credentials, struct fail *fail);

/* tls_peer.c: who a peer proved to be, once its handshake is through. */
int peer_note_x509(struct channel *channel, gnutls_session_t session);
int peer_note_psk(struct channel *channel, gnutls_session_t session,
		  const struct credentials *credentials, bool server);

/* tls_name.c: who a certificate says that its holder is. */
gnutls_x509_crt_t cert_of_peer(gnutls_session_t session);
bool cert_name(gnutls_x509_crt_t cert, unsigned int index, char *text, size_t size);
void cert_names(gnutls_session_t session, char *text, size_t size);
void name_print(const char *name, size_t length, char *text, size_t size);

#endif
