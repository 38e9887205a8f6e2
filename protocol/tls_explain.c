/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tls_explain.c - why a handshake failed, and what to do about it.
 *
 * GnuTLS's own text is always kept: it is what a search engine knows.
 */
#include <string.h>
#include <time.h>

#include "protocol/credentials.h"
#include "sys.h"

static void date_print(time_t when, char *text, size_t size)
{
	struct tm tm;

	if (!gmtime_r(&when, &tm) ||
	    !strftime(text, size, "%Y-%m-%d %H:%M UTC", &tm))
		snprintf(text, size, "an unknown date");
}

static void cert_dates(gnutls_session_t session, char *from, char *until,
		       size_t size)
{
	gnutls_x509_crt_t cert = cert_of_peer(session);

	date_print(cert ? gnutls_x509_crt_get_activation_time(cert) : 0, from, size);
	date_print(cert ? gnutls_x509_crt_get_expiration_time(cert) : 0, until, size);
	if (cert)
		gnutls_x509_crt_deinit(cert);
}

static int explain_certificate(gnutls_session_t session, const char *name,
			       const struct credentials *credentials,
			       struct fail *fail)
{
	unsigned int status = gnutls_session_get_verify_cert_status(session);
	char from[40], until[40], names[200];
	gnutls_datum_t text = { .data = NULL };
	const char *said = "";

	cert_dates(session, from, until, sizeof(from));
	cert_names(session, names, sizeof(names));
	if (!gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0))
		said = (const char *)text.data;

	if (status & GNUTLS_CERT_REVOKED)
		fail_set(fail, -EKEYREVOKED, "the certificate of %s is revoked: give that host a "
			 "new one (GnuTLS: %s)", name, said);
	else if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
			   GNUTLS_CERT_SIGNATURE_FAILURE))	/* another CA of that name */
		fail_set(fail, -EKEYREJECTED, "the certificate of %s is not signed by a CA in %s: "
			 "use the same CA on both hosts (GnuTLS: %s)",
			 name, credentials->ca, said);
	else if (status & GNUTLS_CERT_EXPIRED)
		fail_set(fail, -EKEYEXPIRED, "the certificate of %s expired on %s: renew it "
			 "there, or set the clock (GnuTLS: %s)", name, until, said);
	else if (status & GNUTLS_CERT_NOT_ACTIVATED)
		fail_set(fail, -EKEYREJECTED, "the certificate of %s is not valid before %s: "
			 "compare the clocks of both hosts (GnuTLS: %s)", name, from, said);
	else if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
		fail_set(fail, -EKEYREJECTED, "the certificate of %s does not name it, but [%s]: "
			 "use such a name, or issue the certificate anew with that subjectAltName "
			 "(GnuTLS: %s)", name, names, said);
	else
		fail_set(fail, -EKEYREJECTED, "the certificate of %s cannot be trusted: issue it "
			 "anew (GnuTLS: %s)", name, said);
	gnutls_free(text.data);
	return fail ? fail->err : -EKEYREJECTED;
}

/* What to do when the peer turned our certificate or key down. */
static const char *alert_advice(gnutls_alert_description_t alert, bool psk)
{
	if (alert == GNUTLS_A_ACCESS_DENIED)
		return psk ? "it does not let in the name of this host's key (its straddled "
			     "--allow-peer)" :
			     "it does not let in what this host's certificate names (its "
			     "straddled --allow-peer)";
	if (psk)
		return "is the same name and key in the file of pre-shared keys on both hosts?";
	switch (alert) {
	case GNUTLS_A_UNKNOWN_CA:
		return "its CA did not sign this host's certificate: use the same CA on both";
	case GNUTLS_A_CERTIFICATE_EXPIRED:
		return "this host's certificate has expired: renew it here";
	case GNUTLS_A_CERTIFICATE_REVOKED:
		return "this host's certificate is revoked: get a new one";
	case GNUTLS_A_BAD_CERTIFICATE:
	case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
	case GNUTLS_A_CERTIFICATE_UNKNOWN:
		return "it does not trust this host's certificate: its log says why";
	case GNUTLS_A_PROTOCOL_VERSION:
		return "it does not speak TLS 1.3";
	default:
		return "its log says why";
	}
}

static int explain_alert(gnutls_session_t session, const char *name, bool psk,
			 struct fail *fail)
{
	gnutls_alert_description_t alert = gnutls_alert_get(session);
	const char *said = gnutls_alert_get_name(alert);

	return fail_set(fail, -EACCES, "%s refused the TLS handshake (GnuTLS: %s): %s", name,
			said ? said : "unknown alert", alert_advice(alert, psk));
}

/**
 * tls_explain() - note, in the user's words, why a handshake failed
 * @session: the session, not yet freed
 * @code: GnuTLS's error
 * @name: the peer
 * @credentials: this host's
 * @fail: receives what happened, why, and what to do
 *
 * Return: -EKEYREJECTED, -EKEYEXPIRED, -EKEYREVOKED (this host does not trust
 * the peer), -EACCES (the peer does not trust this host), -ECONNRESET, or
 * -EPROTO (it does not speak TLS as it should).
 */
int tls_explain(gnutls_session_t session, int code, const char *name,
		const struct credentials *credentials, struct fail *fail)
{
	bool psk = credentials->security == SECURITY_PSK;

	switch (code) {
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
	case GNUTLS_E_CERTIFICATE_ERROR:
		return explain_certificate(session, name, credentials, fail);
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return explain_alert(session, name, psk, fail);
	case GNUTLS_E_NO_CERTIFICATE_FOUND:
	case GNUTLS_E_CERTIFICATE_REQUIRED:
		return fail_set(fail, -EACCES, "%s shows no certificate (GnuTLS: %s): it needs one "
				"from the CA in %s", name, gnutls_strerror(code), credentials->ca);
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		return fail_set(fail, -ECONNRESET, "%s closed the connection during the TLS "
				"handshake (GnuTLS: %s): its log says why",
				name, gnutls_strerror(code));
	default:
		break;
	}
	if (psk)
		return fail_set(fail, -EACCES, "the TLS handshake with %s failed (GnuTLS: %s): is "
				"the same name and key in %s on both hosts?",
				name, gnutls_strerror(code), credentials->psk_file);
	return fail_set(fail, -EPROTO, "the TLS handshake with %s failed (GnuTLS: %s): does it "
			"speak TLS on this port?", name, gnutls_strerror(code));
}
