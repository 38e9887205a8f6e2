/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tls_name.c - who a certificate says that its holder is. */
#include <arpa/inet.h>
#include <string.h>

#include "protocol/credentials.h"
#include "sys.h"

/**
 * cert_of_peer() - the certificate that a peer showed
 * @session: with certificates
 *
 * Return: the certificate, the caller's to gnutls_x509_crt_deinit(); or NULL.
 */
gnutls_x509_crt_t cert_of_peer(gnutls_session_t session)
{
	const gnutls_datum_t *chain;
	unsigned int count = 0;
	gnutls_x509_crt_t cert;

	chain = gnutls_certificate_get_peers(session, &count);
	if (!chain || !count || gnutls_x509_crt_init(&cert))
		return NULL;
	if (!gnutls_x509_crt_import(cert, &chain[0], GNUTLS_X509_FMT_DER))
		return cert;
	gnutls_x509_crt_deinit(cert);
	return NULL;
}

static void text_append(char *text, size_t size, const char *part)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? ", " : "", part);
}

static bool text_clean(const char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	return length > 0;
}

/**
 * cert_name() - one host name or address of a certificate
 * @cert: the certificate
 * @index: which subjectAltName, from 0
 * @text: receives it; empty where it is of another kind, or not printable
 * @size: of @text, 256
 *
 * Return: false: @index is past the last.
 */
bool cert_name(gnutls_x509_crt_t cert, unsigned int index, char *text, size_t size)
{
	unsigned char raw[256];
	size_t length = sizeof(raw) - 1;
	int type;

	type = gnutls_x509_crt_get_subject_alt_name(cert, index, raw, &length, NULL);
	if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return false;
	text[0] = 0;
	if (type == GNUTLS_SAN_DNSNAME && text_clean((char *)raw, length))
		snprintf(text, size, "%.*s", (int)length, raw);
	if (type == GNUTLS_SAN_IPADDRESS && (length == 4 || length == 16) &&
	    !inet_ntop(length == 4 ? AF_INET : AF_INET6, raw, text, (socklen_t)size))
		text[0] = 0;
	return true;
}

/**
 * cert_names() - host names and addresses of a peer's certificate, for messages
 * @session: with certificates
 * @text: receives the first of them, with commas between
 * @size: of @text
 */
void cert_names(gnutls_session_t session, char *text, size_t size)
{
	gnutls_x509_crt_t cert = cert_of_peer(session);
	unsigned int i;
	char name[256];

	text[0] = 0;
	if (!cert)
		return;
	for (i = 0; i < 8 && cert_name(cert, i, name, sizeof(name)); i++)
		if (name[0])
			text_append(text, size, name);
	gnutls_x509_crt_deinit(cert);
}

/**
 * name_print() - a peer's text, made safe to print
 * @name: it comes from a certificate or a client
 * @length: bytes of @name
 * @text: receives it, printable and cut where it is too long
 * @size: of @text
 */
void name_print(const char *name, size_t length, char *text, size_t size)
{
	size_t i;

	for (i = 0; i < length && i + 1 < size; i++)
		text[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
	text[i] = 0;
}
