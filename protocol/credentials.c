/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * credentials.c - who this host is: certificates or pre-shared keys.
 *
 * Certificates lie where libvirt keeps them. An agent connects with the
 * client certificate and listens with the server certificate; it may have
 * only one of them and then does only one of both.
 */
#include <string.h>

#include "cleanup.h"
#include "protocol/credentials.h"
#include "protocol/tls.h"
#include "sys.h"

#define PKI_DIR		"/etc/pki"
#define PSK_FILE	"/etc/straddle/psk"

/* AES-GCM first: the CPU does it. TLS 1.3 has no renegotiation to guard. */
#define PRIORITY	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:" \
			"+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"
#define PRIORITY_PSK	PRIORITY ":-KX-ALL:+ECDHE-PSK:+DHE-PSK"

struct pki_paths {
	char ca[256];
	char crl[256];
	char client_cert[256];
	char client_key[256];
	char server_cert[256];
	char server_key[256];
};

static int pki_paths_init(struct pki_paths *pki,
			  const struct credentials_paths *paths)
{
	const char *dir = paths && paths->pki_dir ? paths->pki_dir : PKI_DIR;

	if (strlen(dir) > 200)
		return -ENAMETOOLONG;
	snprintf(pki->ca, sizeof(pki->ca), "%.200s/CA/cacert.pem", dir);
	snprintf(pki->crl, sizeof(pki->crl), "%.200s/CA/cacrl.pem", dir);
	snprintf(pki->client_cert, sizeof(pki->client_cert),
		 "%.200s/libvirt/clientcert.pem", dir);
	snprintf(pki->client_key, sizeof(pki->client_key),
		 "%.200s/libvirt/private/clientkey.pem", dir);
	snprintf(pki->server_cert, sizeof(pki->server_cert),
		 "%.200s/libvirt/servercert.pem", dir);
	snprintf(pki->server_key, sizeof(pki->server_key),
		 "%.200s/libvirt/private/serverkey.pem", dir);
	return 0;
}

static bool file_exists(const char *path)
{
	return !sys_ret(access(path, F_OK));
}

/**
 * credentials_found() - could x509 credentials be loaded from there?
 * @paths: where to look, NULL: libvirt's default places
 *
 * Return: true if there is a CA and at least one certificate of this host.
 */
bool credentials_found(const struct credentials_paths *paths)
{
	struct pki_paths pki;

	if (pki_paths_init(&pki, paths))
		return false;
	return file_exists(pki.ca) &&
	       (file_exists(pki.client_cert) || file_exists(pki.server_cert));
}

/**
 * credentials_security() - what a connection with them speaks
 * @credentials: NULL: nothing but TCP
 *
 * Return: the kind of security.
 */
enum security credentials_security(const struct credentials *credentials)
{
	return credentials ? credentials->security : SECURITY_NONE;
}

/**
 * credentials_dial_by() - have somebody else make connections
 * @credentials: of this process
 * @dial: connects; called by any thread
 */
void credentials_dial_by(struct credentials *credentials, channel_dial_fn *dial)
{
	credentials->dial = dial;
}

/**
 * credentials_dial() - who makes connections with them
 * @credentials: NULL: nothing but TCP
 *
 * Return: the function, or NULL: address_connect().
 */
channel_dial_fn *credentials_dial(const struct credentials *credentials)
{
	return credentials ? credentials->dial : NULL;
}

static int key_check(const char *path, struct fail *fail)
{
	struct stat st;
	int ret = sys_ret(stat(path, &st));

	if (ret)
		return fail_set(fail, ret, "cannot read the private key %s: %s; it belongs to "
				"the certificate next to it", path, strerror(-ret));
	if (st.st_mode & 0007)
		return fail_set(fail, -EPERM, "the private key %s is open to everybody (mode "
				"%04o): 'chmod 0600 %s', and make a new key",
				path, st.st_mode & 07777, path);
	return 0;
}

static int pair_load(const struct pki_paths *pki, const char *cert,
		     const char *key, gnutls_certificate_credentials_t *pair,
		     struct fail *fail)
{
	gnutls_certificate_credentials_t new;
	int ret;

	ret = key_check(key, fail);
	if (ret)
		return ret;
	if (gnutls_certificate_allocate_credentials(&new))
		return fail_set(fail, -ENOMEM, "no memory for certificates");
	ret = gnutls_certificate_set_x509_trust_file(new, pki->ca, GNUTLS_X509_FMT_PEM);
	if (ret <= 0) {
		fail_set(fail, -EINVAL, "cannot use the CA certificate %s: %s", pki->ca,
			 ret ? gnutls_strerror(ret) : "there is none in it");
		goto err_free;
	}
	if (file_exists(pki->crl)) {
		ret = gnutls_certificate_set_x509_crl_file(new, pki->crl, GNUTLS_X509_FMT_PEM);
		if (ret < 0) {
			fail_set(fail, -EINVAL, "cannot use the revocation list %s: %s",
				 pki->crl, gnutls_strerror(ret));
			goto err_free;
		}
	}
	ret = gnutls_certificate_set_x509_key_file(new, cert, key, GNUTLS_X509_FMT_PEM);
	if (ret < 0) {
		fail_set(fail, -EINVAL, "cannot use certificate %s with key %s: %s", cert, key,
			 gnutls_strerror(ret));
		goto err_free;
	}
	*pair = new;
	return 0;

err_free:
	gnutls_certificate_free_credentials(new);
	return -EINVAL;
}

static int x509_load(struct credentials *credentials,
		     const struct credentials_paths *paths, struct fail *fail)
{
	struct pki_paths pki;
	int ret = pki_paths_init(&pki, paths);

	if (ret)
		return fail_set(fail, ret, "the name of the PKI directory is too long");
	if (!file_exists(pki.ca))
		return fail_set(fail, -ENOENT, "no CA certificate in %s: set TLS up as for "
				"libvirt, or choose a pre-shared key", pki.ca);
	if (!file_exists(pki.client_cert) && !file_exists(pki.server_cert))
		return fail_set(fail, -ENOENT, "neither %s nor %s is there: this host has no "
				"certificate", pki.client_cert, pki.server_cert);
	memcpy(credentials->ca, pki.ca, sizeof(pki.ca));
	memcpy(credentials->client_cert, pki.client_cert, sizeof(pki.client_cert));
	memcpy(credentials->server_cert, pki.server_cert, sizeof(pki.server_cert));
	if (file_exists(pki.client_cert))
		ret = pair_load(&pki, pki.client_cert, pki.client_key,
				&credentials->client, fail);
	if (!ret && file_exists(pki.server_cert))
		ret = pair_load(&pki, pki.server_cert, pki.server_key,
				&credentials->server, fail);
	return ret;
}

/* GnuTLS asks for the key of a name that a client gave. */
static int psk_find(gnutls_session_t session, const char *name,
		    gnutls_datum_t *key)
{
	const struct credentials *credentials = gnutls_session_get_ptr(session);
	size_t i;

	for (i = 0; i < credentials->psk_count; i++) {
		const struct psk *psk = &credentials->psks[i];

		if (strcmp(psk->name, name))
			continue;
		key->data = gnutls_malloc(psk->size);
		if (!key->data)
			return -1;
		memcpy(key->data, psk->key, psk->size);
		key->size = (unsigned int)psk->size;
		return 0;
	}
	return -1;
}

static int psk_setup(struct credentials *credentials,
		     const struct credentials_paths *paths, struct fail *fail)
{
	const char *file = paths && paths->psk_file ? paths->psk_file : PSK_FILE;
	gnutls_datum_t key;
	int ret;

	snprintf(credentials->psk_file, sizeof(credentials->psk_file), "%s", file);
	ret = psk_load(credentials, file, fail);
	if (ret)
		return ret;
	if (gnutls_psk_allocate_client_credentials(&credentials->psk_client) ||
	    gnutls_psk_allocate_server_credentials(&credentials->psk_server))
		return fail_set(fail, -ENOMEM, "no memory for pre-shared keys");
	key.data = credentials->psks[0].key;
	key.size = (unsigned int)credentials->psks[0].size;
	ret = gnutls_psk_set_client_credentials(credentials->psk_client,
						credentials->psks[0].name, &key,
						GNUTLS_PSK_KEY_RAW);
	if (ret)
		return fail_set(fail, -EINVAL, "cannot use the first key of %s: %s",
				file, gnutls_strerror(ret));
	gnutls_psk_set_server_credentials_function(credentials->psk_server, psk_find);
	return 0;
}

/**
 * credentials_load() - read this host's certificates or keys
 * @security: which kind
 * @paths: where they lie, NULL: default places
 * @credentials: receives them; any number of channels may share them
 * @fail: says what is wrong with which file
 *
 * Return: 0 or -errno.
 */
int credentials_load(enum security security,
		     const struct credentials_paths *paths,
		     struct credentials **credentials, struct fail *fail)
{
	struct credentials *new = calloc(1, sizeof(*new));
	int ret = 0;

	if (!new)
		return fail_set(fail, -ENOMEM, "no memory for credentials");
	new->security = security;
	if (security == SECURITY_X509)
		ret = x509_load(new, paths, fail);
	else if (security == SECURITY_PSK)
		ret = psk_setup(new, paths, fail);
	if (!ret && security != SECURITY_NONE &&
	    gnutls_priority_init(&new->priority, security == SECURITY_PSK ?
				 PRIORITY_PSK : PRIORITY, NULL))
		ret = fail_set(fail, -EOPNOTSUPP, "this host's GnuTLS has no TLS 1.3: look at "
			       "its system-wide policy");
	if (ret) {
		credentials_free(new);
		return ret;
	}
	*credentials = new;
	return 0;
}

/**
 * credentials_free() - wipe and free credentials
 * @credentials: used by no channel any more; NULL is fine
 */
void credentials_free(struct credentials *credentials)
{
	if (!credentials)
		return;
	if (credentials->client)
		gnutls_certificate_free_credentials(credentials->client);
	if (credentials->server)
		gnutls_certificate_free_credentials(credentials->server);
	if (credentials->psk_client)
		gnutls_psk_free_client_credentials(credentials->psk_client);
	if (credentials->psk_server)
		gnutls_psk_free_server_credentials(credentials->psk_server);
	if (credentials->priority)
		gnutls_priority_deinit(credentials->priority);
	psk_unload(credentials);
	allow_unload(credentials);
	free(credentials);
}
