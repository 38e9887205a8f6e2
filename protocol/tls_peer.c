/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tls_peer.c - who a peer proved to be, as later connections are compared.
 *
 * By its names, which a CA of ours has signed, and not by its certificate: that
 * may be renewed, with another key, while a migration is open. All names count,
 * so two hosts that share some of them are two peers. Who signed does not: each
 * CA in the file is trusted to say who a host is.
 */
#include <ctype.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509-ext.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/credentials.h"
#include "protocol/tls.h"

#define SAN_OID		"2.5.29.17"

/* In front of what is hashed: no certificate begins so. */
static const char names_label[] = "straddle peer names 1";

/* The subjectAltNames, each as its digest: in whatever order they come. */
struct san_digests {
	uint8_t (*digests)[PEER_DIGEST_SIZE];
	size_t count;
};

/* Two names are one where their kinds and bytes are; a host's has no case. */
static int san_digest(unsigned int type, const gnutls_datum_t *name, const gnutls_datum_t *oid,
		      uint8_t *digest)
{
	gnutls_hash_hd_t hash;
	uint8_t kind = (uint8_t)type, c;
	unsigned int i;
	int code = gnutls_hash_init(&hash, GNUTLS_DIG_SHA256);

	if (code)
		return code;
	code = gnutls_hash(hash, &kind, 1);
	if (!code && type == GNUTLS_SAN_OTHERNAME)
		code = gnutls_hash(hash, oid->data, oid->size);
	if (!code)
		code = gnutls_hash(hash, "", 1);
	for (i = 0; i < name->size && !code; i++) {
		c = name->data[i];
		if (type == GNUTLS_SAN_DNSNAME && isascii(c))
			c = (uint8_t)tolower(c);
		code = gnutls_hash(hash, &c, 1);
	}
	gnutls_hash_deinit(hash, digest);
	return code;
}

static int sans_collect(gnutls_subject_alt_names_t list, struct san_digests *sans)
{
	gnutls_datum_t name, oid = { .data = NULL };
	unsigned int type;
	int code;

	for (;;) {
		void *more;

		code = gnutls_subject_alt_names_get(list, (unsigned int)sans->count, &type, &name,
						    &oid);
		if (code)
			return code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ? 0 : code;
		more = reallocarray(sans->digests, sans->count + 1, sizeof(*sans->digests));
		if (!more)
			return GNUTLS_E_MEMORY_ERROR;
		sans->digests = more;
		code = san_digest(type, &name, &oid, sans->digests[sans->count++]);
		if (code)
			return code;
	}
}

static int digest_compare(const void *a, const void *b)
{
	return memcmp(a, b, PEER_DIGEST_SIZE);
}

/* A certificate may have none of them. */
static int sans_read(gnutls_x509_crt_t cert, struct san_digests *sans)
{
	gnutls_subject_alt_names_t list;
	gnutls_datum_t extension;
	int code = gnutls_x509_crt_get_extension_by_oid2(cert, SAN_OID, 0, &extension, NULL);

	if (code)
		return code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ? 0 : code;
	code = gnutls_subject_alt_names_init(&list);
	if (!code) {
		code = gnutls_x509_ext_import_subject_alt_names(&extension, list, 0);
		if (!code)
			code = sans_collect(list, sans);
		gnutls_subject_alt_names_deinit(list);
	}
	gnutls_free(extension.data);
	if (!code && sans->count)
		qsort(sans->digests, sans->count, sizeof(*sans->digests), digest_compare);
	return code;
}

static int names_hash(const gnutls_datum_t *dn, const struct san_digests *sans, uint8_t *digest)
{
	uint8_t dn_digest[PEER_DIGEST_SIZE];
	gnutls_hash_hd_t hash;
	int code = gnutls_hash_fast(GNUTLS_DIG_SHA256, dn->data, dn->size, dn_digest);

	if (!code)
		code = gnutls_hash_init(&hash, GNUTLS_DIG_SHA256);
	if (code)
		return code;
	code = gnutls_hash(hash, names_label, sizeof(names_label));
	if (!code)
		code = gnutls_hash(hash, dn_digest, sizeof(dn_digest));
	if (!code && sans->count)
		code = gnutls_hash(hash, sans->digests, sans->count * sizeof(*sans->digests));
	gnutls_hash_deinit(hash, digest);
	return code;
}

/* The distinguished name, as --allow-peer reads it, and all subjectAltNames. */
static int names_digest(gnutls_x509_crt_t cert, struct channel *channel)
{
	struct san_digests sans = { .count = 0 };
	gnutls_datum_t dn = { .data = NULL };
	int code = gnutls_x509_crt_get_dn2(cert, &dn);

	if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		code = 0;
	if (!code)
		code = sans_read(cert, &sans);
	if (!code && !dn.size && !sans.count)	/* it names nobody, so it is its own proof */
		memcpy(channel->peer, channel->certificate, PEER_DIGEST_SIZE);
	else if (!code)
		code = names_hash(&dn, &sans, channel->peer);
	gnutls_free(dn.data);
	free(sans.digests);
	return code;
}

/**
 * peer_note_x509() - note who the certificate of a peer names
 * @channel: its; receives the digests and a name for messages
 * @session: whose handshake verified the certificate
 *
 * Return: 0 or -EPROTO: it cannot be told.
 */
int peer_note_x509(struct channel *channel, gnutls_session_t session)
{
	size_t size = PEER_DIGEST_SIZE, length;
	const gnutls_datum_t *chain;
	unsigned int count = 0;
	gnutls_x509_crt_t cert;
	char name[256];
	int ret = 0;

	chain = gnutls_certificate_get_peers(session, &count);
	cert = cert_of_peer(session);
	if (!cert)
		return -EPROTO;
	if (gnutls_fingerprint(GNUTLS_DIG_SHA256, &chain[0], channel->certificate, &size) ||
	    names_digest(cert, channel))
		ret = -EPROTO;
	length = sizeof(name);
	if (!gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &length))
		name_print(name, length, channel->peer_name, sizeof(channel->peer_name));
	gnutls_x509_crt_deinit(cert);
	return ret;
}

/**
 * peer_note_psk() - note whose pre-shared key a peer has
 * @channel: its; receives the digests and a name for messages
 * @session: whose handshake verified the key
 * @credentials: with the key that is used to connect
 * @server: is this end the server?
 *
 * Return: 0 or -EPROTO: it cannot be told.
 */
int peer_note_psk(struct channel *channel, gnutls_session_t session,
		  const struct credentials *credentials, bool server)
{
	const char *name = credentials->psks[0].name;

	if (server)
		name = gnutls_psk_server_get_username(session);
	if (!name || gnutls_hash_fast(GNUTLS_DIG_SHA256, name, strlen(name), channel->peer))
		return -EPROTO;
	memcpy(channel->certificate, channel->peer, PEER_DIGEST_SIZE);
	if (server)
		name_print(name, strlen(name), channel->peer_name, sizeof(channel->peer_name));
	return 0;
}

/**
 * channel_peer() - who the peer proved to be
 * @channel: which
 *
 * Return: 32 bytes: SHA-256 of the names of its certificate (of the certificate
 * itself, where it has none), of the name of its pre-shared key, or zeroes.
 */
const uint8_t *channel_peer(const struct channel *channel)
{
	return channel->peer;
}

/**
 * channel_is_peer() - did the peer prove to be that one?
 * @channel: which
 * @recorded: what channel_peer() said of an earlier connection; or, of a build
 *	before it told of names, SHA-256 of the very certificate
 *
 * Return: true if it is the same.
 */
bool channel_is_peer(const struct channel *channel, const uint8_t *recorded)
{
	return !memcmp(channel->peer, recorded, PEER_DIGEST_SIZE) ||
	       !memcmp(channel->certificate, recorded, PEER_DIGEST_SIZE);
}
