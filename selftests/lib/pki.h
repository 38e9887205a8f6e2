/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pki.h - a certificate authority for one test, and what it hands out. */
#ifndef STRADDLE_TEST_PKI_H
#define STRADDLE_TEST_PKI_H

struct pki;

int pki_create(struct pki **pki);
void pki_destroy(struct pki *pki);
int pki_issue(struct pki *pki, const char *dir, const char *name,
	      const char *address, int days);
/* A certificate to connect with, of these names; NULL: without. */
int pki_issue_named(struct pki *pki, const char *dir, const char *common, const char *name,
		    const char *address);
/* SHA-256 of the certificate that it connects with: 32 bytes. */
int pki_client_digest(const char *dir, unsigned char *digest);

#endif
