/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pki.c - keys and certificates in the places where libvirt looks for them:
 *
 *	DIR/CA/cacert.pem
 *	DIR/libvirt/{server,client}cert.pem
 *	DIR/libvirt/private/{server,client}key.pem
 *
 * Keys are Ed25519, which takes no time to make.
 */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pki.h"
#include "sys.h"

#define DAY	(24 * 60 * 60)

struct pki {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	unsigned int serial;		/* of the last certificate */
};

static int tls_errno(int code)
{
	switch (code) {
	case GNUTLS_E_SUCCESS:
		return 0;
	case GNUTLS_E_MEMORY_ERROR:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int key_generate(gnutls_x509_privkey_t *key)
{
	int ret = tls_errno(gnutls_x509_privkey_init(key));

	if (ret)
		return ret;
	ret = tls_errno(gnutls_x509_privkey_generate(*key,
				GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(
				GNUTLS_ECC_CURVE_ED25519), 0));
	if (ret)
		gnutls_x509_privkey_deinit(*key);
	return ret;
}

/* What any certificate has; the first negative code stands. */
static int cert_fill(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key,
		     const char *name, unsigned int number, int days)
{
	unsigned char serial[4] = {
		(unsigned char)(number >> 24 & 0x7f),
		(unsigned char)(number >> 16),
		(unsigned char)(number >> 8), (unsigned char)number,
	};
	time_t now = time(NULL), end = now + (time_t)days * DAY;
	int code;

	code = gnutls_x509_crt_set_version(cert, 3);
	if (code >= 0)
		code = gnutls_x509_crt_set_key(cert, key);
	if (code >= 0)
		code = gnutls_x509_crt_set_serial(cert, serial,
						  sizeof(serial));
	if (code >= 0 && name)
		code = gnutls_x509_crt_set_dn_by_oid(cert,
				GNUTLS_OID_X520_COMMON_NAME, 0, name,
				(unsigned int)strlen(name));
	if (code >= 0)		/* from a day before now, or before its end */
		code = gnutls_x509_crt_set_activation_time(cert,
				(days < 0 ? end : now) - DAY);
	if (code >= 0)
		code = gnutls_x509_crt_set_expiration_time(cert,
				end);
	return code;
}

static int cert_mark_authority(gnutls_x509_crt_t cert)
{
	int code = gnutls_x509_crt_set_basic_constraints(cert, 1, -1);

	if (code < 0)
		return code;
	return gnutls_x509_crt_set_key_usage(cert, GNUTLS_KEY_KEY_CERT_SIGN);
}

/* Whom the certificate names; nobody where they are NULL. */
static int cert_name_host(gnutls_x509_crt_t cert, const char *name, const char *address)
{
	struct in_addr ip;
	int code = 0;

	if (address && inet_pton(AF_INET, address, &ip) != 1)
		return GNUTLS_E_INVALID_REQUEST;
	if (address)
		code = gnutls_x509_crt_set_subject_alt_name(cert,
				GNUTLS_SAN_IPADDRESS, &ip, sizeof(ip),
				GNUTLS_FSAN_SET);
	if (code >= 0 && name)
		code = gnutls_x509_crt_set_subject_alt_name(cert,
				GNUTLS_SAN_DNSNAME, name,
				(unsigned int)strlen(name), GNUTLS_FSAN_APPEND);
	return code;
}

/* What the certificate is good for. */
static int cert_mark_host(gnutls_x509_crt_t cert, const char *purpose)
{
	int code = gnutls_x509_crt_set_basic_constraints(cert, 0, -1);

	if (code >= 0)
		code = gnutls_x509_crt_set_key_usage(cert,
				GNUTLS_KEY_DIGITAL_SIGNATURE |
				/* libvirt insists, whatever the key is */
				GNUTLS_KEY_KEY_ENCIPHERMENT);
	if (code >= 0)
		code = gnutls_x509_crt_set_key_purpose_oid(cert, purpose, 0);
	return code;
}

static int authority_make(struct pki *pki)
{
	int code = cert_fill(pki->cert, pki->key, "Straddle test CA", 1, 30);

	if (code >= 0)
		code = cert_mark_authority(pki->cert);
	if (code >= 0)
		code = gnutls_x509_crt_sign2(pki->cert, pki->cert, pki->key,
					     GNUTLS_DIG_SHA512, 0);
	pki->serial = 1;
	return tls_errno(code);
}

/**
 * pki_create() - make a certificate authority
 * @pki: receives what pki_destroy() frees
 *
 * Return: 0 or -errno.
 */
int pki_create(struct pki **pki)
{
	struct pki *created = calloc(1, sizeof(*created));
	int ret;

	if (!created)
		return -ENOMEM;
	ret = key_generate(&created->key);
	if (ret)
		goto err_free;
	ret = tls_errno(gnutls_x509_crt_init(&created->cert));
	if (ret)
		goto err_key;
	ret = authority_make(created);
	if (ret)
		goto err_cert;
	*pki = created;
	return 0;
err_cert:
	gnutls_x509_crt_deinit(created->cert);
err_key:
	gnutls_x509_privkey_deinit(created->key);
err_free:
	free(created);
	return ret;
}

/**
 * pki_destroy() - forget an authority; the files it wrote stay
 * @pki: may be NULL
 */
void pki_destroy(struct pki *pki)
{
	if (!pki)
		return;
	gnutls_x509_crt_deinit(pki->cert);
	gnutls_x509_privkey_deinit(pki->key);
	free(pki);
}

static int file_write(const char *dir, const char *name, mode_t mode,
		      const gnutls_datum_t *data)
{
	__cleanup_fd int fd = -1;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			  mode));
	return fd < 0 ? fd : sys_write_all(fd, data->data, data->size);
}

static int cert_write(gnutls_x509_crt_t cert, const char *dir,
		      const char *name)
{
	gnutls_datum_t text;
	int ret = tls_errno(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM,
						    &text));

	if (ret)
		return ret;
	ret = file_write(dir, name, 0644, &text);
	gnutls_free(text.data);
	return ret;
}

static int key_write(gnutls_x509_privkey_t key, const char *dir,
		     const char *name)
{
	gnutls_datum_t text;
	int ret = tls_errno(gnutls_x509_privkey_export2_pkcs8(key,
			GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &text));

	if (ret)
		return ret;
	ret = file_write(dir, name, 0600, &text);
	gnutls_free(text.data);
	return ret;
}

struct holder {
	const char *common;		/* name; NULL, as the others: none */
	const char *name, *address;
	const char *purpose;
	const char *cert_file, *key_file;
	int days;
};

static int cert_sign(struct pki *pki, gnutls_x509_crt_t cert,
		     gnutls_x509_privkey_t key, const struct holder *holder)
{
	int code = cert_fill(cert, key, holder->common, ++pki->serial,
			     holder->days);

	if (code >= 0)
		code = cert_mark_host(cert, holder->purpose);
	if (code >= 0)
		code = cert_name_host(cert, holder->name, holder->address);
	if (code >= 0)
		code = gnutls_x509_crt_sign2(cert, pki->cert, pki->key,
					     GNUTLS_DIG_SHA512, 0);
	return tls_errno(code);
}

/* A key and its certificate, made and written. */
static int pair_issue(struct pki *pki, const char *dir,
		      const struct holder *holder)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	int ret = key_generate(&key);

	if (ret)
		return ret;
	ret = tls_errno(gnutls_x509_crt_init(&cert));
	if (ret)
		goto out_key;
	ret = cert_sign(pki, cert, key, holder);
	if (!ret)
		ret = cert_write(cert, dir, holder->cert_file);
	if (!ret)
		ret = key_write(key, dir, holder->key_file);
	gnutls_x509_crt_deinit(cert);
out_key:
	gnutls_x509_privkey_deinit(key);
	return ret;
}

static int directories_make(const char *dir)
{
	static const char *const names[] = {
		"", "/CA", "/libvirt", "/libvirt/private",
	};
	char path[512];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int ret;

		snprintf(path, sizeof(path), "%s%s", dir, names[i]);
		ret = sys_ret(mkdir(path, i == 3 ? 0700 : 0755));
		if (ret && ret != -EEXIST)
			return ret;
	}
	return 0;
}

/**
 * pki_issue() - give a host what it needs to prove who it is
 * @pki: the authority
 * @dir: the host's PKI folder, made if it is missing; files are replaced
 * @name: the host's name
 * @address: its IPv4 address
 * @days: how long the certificates hold; negative: until that long ago
 *
 * Return: 0 or -errno.
 */
int pki_issue(struct pki *pki, const char *dir, const char *name,
	      const char *address, int days)
{
	struct holder holder = {
		.common = name, .name = name, .address = address, .days = days,
		.purpose = GNUTLS_KP_TLS_WWW_SERVER,
		.cert_file = "libvirt/servercert.pem",
		.key_file = "libvirt/private/serverkey.pem",
	};
	int ret = directories_make(dir);

	if (!ret)
		ret = cert_write(pki->cert, dir, "CA/cacert.pem");
	if (!ret)
		ret = pair_issue(pki, dir, &holder);
	holder.purpose = GNUTLS_KP_TLS_WWW_CLIENT;
	holder.cert_file = "libvirt/clientcert.pem";
	holder.key_file = "libvirt/private/clientkey.pem";
	if (!ret)
		ret = pair_issue(pki, dir, &holder);
	return ret;
}

/**
 * pki_issue_named() - give a host that has a certificate to connect another one
 * @pki: the authority
 * @dir: of pki_issue()
 * @common: its common name
 * @name: its name as a host
 * @address: its IPv4 address
 *
 * Each may be NULL: then it has none.
 *
 * Return: 0 or -errno.
 */
int pki_issue_named(struct pki *pki, const char *dir, const char *common, const char *name,
		    const char *address)
{
	const struct holder holder = {
		.common = common, .name = name, .address = address, .days = 1,
		.purpose = GNUTLS_KP_TLS_WWW_CLIENT,
		.cert_file = "libvirt/clientcert.pem",
		.key_file = "libvirt/private/clientkey.pem",
	};

	return pair_issue(pki, dir, &holder);
}

/**
 * pki_client_digest() - SHA-256 of the certificate that a host connects with
 * @dir: of pki_issue()
 * @digest: receives 32 bytes
 *
 * Return: 0 or -errno.
 */
int pki_client_digest(const char *dir, unsigned char *digest)
{
	gnutls_x509_crt_t cert;
	gnutls_datum_t text;
	size_t size = 32;
	char path[512];
	int code;

	snprintf(path, sizeof(path), "%s/libvirt/clientcert.pem", dir);
	code = gnutls_load_file(path, &text);
	if (code)
		return tls_errno(code);
	code = gnutls_x509_crt_init(&cert);
	if (!code) {
		code = gnutls_x509_crt_import(cert, &text, GNUTLS_X509_FMT_PEM);
		if (!code)
			code = gnutls_x509_crt_get_fingerprint(cert, GNUTLS_DIG_SHA256, digest,
							       &size);
		gnutls_x509_crt_deinit(cert);
	}
	gnutls_free(text.data);
	return tls_errno(code);
}
