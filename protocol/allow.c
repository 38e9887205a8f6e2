/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * allow.c - which peers may connect to this host, by the name they proved.
 *
 * As libvirt's tls_allowed_dn_list: who has a certificate of our CA has shown
 * who it is, and the list says whether that is enough.
 *
 * A pattern with a '=' in it is for distinguished names, any other for host
 * names (or for names of pre-shared keys): "*.example.com" must not let in
 * "CN=guest7,O=www.example.com".
 */
#include <fnmatch.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/credentials.h"
#include "sys.h"

#define HOST_NAMES_MAX	64	/* of one certificate that are looked at */
#define NAME_MAX_BYTES	256

/**
 * credentials_allow() - add a name to those that may connect
 * @credentials: of SECURITY_X509 or SECURITY_PSK
 * @pattern: of fnmatch(3), with '*', '?' and '[...]'; copied
 * @fail: says what is wrong with it
 *
 * Without a single one of them, all may whose certificate or key is good.
 *
 * Return: 0, -EINVAL (no name), -EOPNOTSUPP (peers have none without TLS),
 * -E2BIG or -ENOMEM.
 */
int credentials_allow(struct credentials *credentials, const char *pattern,
		      struct fail *fail)
{
	size_t length = strlen(pattern);
	char *copy;

	if (credentials->security == SECURITY_NONE)
		return fail_set(fail, -EOPNOTSUPP, "--allow-peer %s needs to know who a peer is: "
				"set up certificates (--pki DIR) or a key (--psk-file FILE)",
				pattern);
	if (!length || length > ALLOW_PATTERN_MAX)
		return fail_set(fail, -EINVAL, "--allow-peer: a name has 1 to %d bytes",
				ALLOW_PATTERN_MAX);
	if (credentials->security == SECURITY_PSK && strchr(pattern, '='))
		return fail_set(fail, -EINVAL, "--allow-peer %s: a pre-shared key has no "
				"distinguished name: give the name in front of its colon", pattern);
	if (credentials->allowed_count == ALLOW_MAX)
		return fail_set(fail, -E2BIG, "--allow-peer: more than %d names: use a pattern "
				"such as '*.example.com'", ALLOW_MAX);
	copy = strdup(pattern);
	if (!copy)
		return fail_set(fail, -ENOMEM, "no memory for the names of peers");
	credentials->allowed[credentials->allowed_count++] = copy;
	return 0;
}

/**
 * allow_unload() - free the list
 * @credentials: whose
 */
void allow_unload(struct credentials *credentials)
{
	while (credentials->allowed_count)
		free(credentials->allowed[--credentials->allowed_count]);
}

/* Host names have no case; the rest is compared byte by byte. */
static bool name_fits(const struct credentials *credentials, const char *name, bool dn)
{
	bool host = !dn && credentials->security == SECURITY_X509;
	size_t i;

	for (i = 0; i < credentials->allowed_count; i++) {
		const char *pattern = credentials->allowed[i];

		if (dn == !!strchr(pattern, '=') &&
		    !fnmatch(pattern, name, FNM_NOESCAPE | (host ? FNM_CASEFOLD : 0)))
			return true;
	}
	return false;
}

/* Its subjectAltNames; the common name, where it has none of them. */
static bool host_names_fit(const struct credentials *credentials, gnutls_x509_crt_t cert)
{
	char name[NAME_MAX_BYTES];
	size_t size = sizeof(name);
	bool named = false;
	unsigned int i;

	for (i = 0; i < HOST_NAMES_MAX && cert_name(cert, i, name, sizeof(name)); i++) {
		named |= !!*name;
		if (*name && name_fits(credentials, name, false))
			return true;
	}
	return !named && !gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
							name, &size) &&
	       strlen(name) == size && name_fits(credentials, name, false);
}

/* An end of text in the middle is a trick, and fits nothing. */
static bool dn_fits(const struct credentials *credentials, const gnutls_datum_t *dn)
{
	return strlen((const char *)dn->data) == dn->size &&
	       name_fits(credentials, (const char *)dn->data, true);
}

/* Unlike in a host's name, a space is nothing strange here. */
static void dn_print(const gnutls_datum_t *dn, char *text, size_t size)
{
	size_t i;

	for (i = 0; i < dn->size && i + 1 < size; i++)
		text[i] = dn->data[i] >= ' ' && dn->data[i] < 0x7f ? (char)dn->data[i] : '?';
	text[i] = 0;
}

static int certificate_check(const struct credentials *credentials, gnutls_session_t session,
			     const char *peer, struct fail *fail)
{
	gnutls_x509_crt_t cert = cert_of_peer(session);
	gnutls_datum_t dn = { .data = NULL };
	char names[200], shown[400];
	int ret = 0;

	if (!cert || gnutls_x509_crt_get_dn2(cert, &dn)) {
		ret = fail_set(fail, -EPROTO, "cannot tell who %s is", peer);
	} else if (!dn_fits(credentials, &dn) && !host_names_fit(credentials, cert)) {
		cert_names(session, names, sizeof(names));
		dn_print(&dn, shown, sizeof(shown));
		ret = fail_set(fail, -EPERM, "%s may not migrate guests here: its certificate, "
			       "'%s', names [%s], and no --allow-peer of this host fits one of "
			       "them: add one, if it is to", peer, shown, names);
	}
	gnutls_free(dn.data);
	if (cert)
		gnutls_x509_crt_deinit(cert);
	return ret;
}

/**
 * allow_check() - may this client connect?
 * @credentials: with the list
 * @session: whose handshake succeeded
 * @peer: who it is, for messages
 * @fail: says why not, with the names that could be allowed
 *
 * Return: 0, -EPERM: it is not on the list; or -EPROTO.
 */
int allow_check(const struct credentials *credentials, gnutls_session_t session,
		const char *peer, struct fail *fail)
{
	const char *name;

	if (!credentials->allowed_count)
		return 0;
	if (credentials->security == SECURITY_X509)
		return certificate_check(credentials, session, peer, fail);
	name = gnutls_psk_server_get_username(session);
	if (name && name_fits(credentials, name, false))
		return 0;
	return fail_set(fail, -EPERM, "%s may not migrate guests here: no --allow-peer of this "
			"host fits the name of its key: add one, if it is to", peer);
}
