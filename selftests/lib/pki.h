/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pki.h - a certificate authority for one test, and what it hands out. */
#ifndef STRADDLE_TEST_PKI_H
#define STRADDLE_TEST_PKI_H

struct pki;

int pki_create(struct pki **pki);
void pki_destroy(struct pki *pki);
int pki_issue(struct pki *pki, const char *dir, const char *name,
	      const char *address, int days);

#endif
