/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tls.c - a channel over TLS 1.3, by GnuTLS.
 *
 * GnuTLS allows one thread to send while another receives on one session as
 * long as nobody renegotiates: TLS 1.3 cannot, tickets are off, and a change
 * of keys concerns one direction only.
 */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/credentials.h"
#include "protocol/deadline.h"
#include "protocol/tls.h"

#define RECORD_SIZE		16384	/* bytes, the most that TLS allows */
#define HANDSHAKE_MAX		131072	/* bytes a stranger may make us hold */
#define INPUT_SIZE		(256u << 10)

struct tls {
	gnutls_session_t session;
	int fd;				/* the channel's */
	bool stranger;			/* receiver only: in the handshake */
	size_t shake_left;		/* receiver only: bytes of HANDSHAKE_MAX */
	size_t sealed;			/* sender only: bytes of the record that
					 * GnuTLS holds after -EAGAIN */
	uint8_t record[RECORD_SIZE];	/* sender only: gathers pieces */
	size_t start, end;		/* receiver only: of @input, not taken */
	uint8_t input[INPUT_SIZE];	/* receiver only: sealed, of the socket */
};

static int tls_errno(ssize_t code)
{
	switch (code) {
	case GNUTLS_E_AGAIN:
	case GNUTLS_E_INTERRUPTED:
		return -EAGAIN;
	case GNUTLS_E_PUSH_ERROR:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
	case GNUTLS_E_SESSION_EOF:
	case GNUTLS_E_INVALID_SESSION:
		return -ECONNRESET;
	case GNUTLS_E_MEMORY_ERROR:
		return -ENOMEM;
	default:
		return -EPROTO;
	}
}

/* ---- data -------------------------------------------------------------- */

/* Where a sender stands in its pieces. */
struct cursor {
	const struct iovec *iov;
	int count;
	size_t offset;			/* into the first piece */
};

static void cursor_skip(struct cursor *cursor, size_t size)
{
	cursor->offset += size;
	while (cursor->count && cursor->offset >= cursor->iov->iov_len) {
		cursor->offset -= cursor->iov->iov_len;
		cursor->iov++;
		cursor->count--;
	}
}

/* The next record: in place where one piece fills it, gathered otherwise. */
static const void *record_build(struct tls *tls, struct cursor cursor,
				size_t *size)
{
	const struct iovec *iov = cursor.iov;
	size_t left = iov->iov_len - cursor.offset, used = 0, part;

	if (left >= RECORD_SIZE || cursor.count == 1) {
		*size = left < RECORD_SIZE ? left : RECORD_SIZE;
		return (const char *)iov->iov_base + cursor.offset;
	}
	while (cursor.count && used < RECORD_SIZE) {
		part = cursor.iov->iov_len - cursor.offset;
		if (part > RECORD_SIZE - used)
			part = RECORD_SIZE - used;
		memcpy(tls->record + used,
		       (const char *)cursor.iov->iov_base + cursor.offset, part);
		used += part;
		cursor_skip(&cursor, part);
	}
	*size = used;
	return tls->record;
}

/* Bytes of the caller's that went out, or -errno. */
static ssize_t record_flush(struct tls *tls)
{
	ssize_t ret = gnutls_record_send(tls->session, NULL, 0);
	size_t sealed = tls->sealed;

	if (ret < 0)
		return tls_errno(ret);
	tls->sealed = 0;
	return (ssize_t)sealed;
}

static ssize_t tls_send(struct channel *channel, const struct iovec *iov,
			int count)
{
	struct cursor cursor = { .iov = iov, .count = count };
	struct tls *tls = channel->tls;
	ssize_t put = 0, done = 0;

	if (tls->sealed) {
		put = record_flush(tls);
		if (put < 0)
			return put;
		done = put;
	}
	cursor_skip(&cursor, (size_t)put);
	while (cursor.count) {
		size_t size;
		const void *record = record_build(tls, cursor, &size);

		put = gnutls_record_send(tls->session, record, size);
		if (put < 0) {
			put = tls_errno(put);
			if (put == -EAGAIN)
				tls->sealed = size;
			return done ?: put;
		}
		done += put;
		cursor_skip(&cursor, (size_t)put);
	}
	return done;
}

static ssize_t tls_receive(struct channel *channel, void *buf, size_t size)
{
	ssize_t got;

	if (!size)
		return 0;
	do {
		got = gnutls_record_recv(channel->tls->session, buf, size);
	} while (got == GNUTLS_E_WARNING_ALERT_RECEIVED);
	return got < 0 ? tls_errno(got) : got;
}

static size_t tls_pending(const struct channel *channel)
{
	const struct tls *tls = channel->tls;

	return gnutls_record_check_pending(tls->session) + tls->end - tls->start;
}

static void tls_close(struct channel *channel)
{
	struct tls *tls = channel->tls;

	if (!tls->sealed)
		(void)gnutls_bye(tls->session, GNUTLS_SHUT_WR);
	gnutls_deinit(tls->session);
	explicit_bzero(tls->record, sizeof(tls->record));
	free(tls);
}

static const struct channel_ops tls_ops = {
	.send = tls_send,
	.receive = tls_receive,
	.pending = tls_pending,
	.close = tls_close,
};

/* ---- handshake --------------------------------------------------------- */

static int session_wait(struct channel *channel, gnutls_session_t session,
			uint64_t deadline)
{
	short events = gnutls_record_get_direction(session) ? POLLOUT : POLLIN;

	return sys_wait_fd(channel->fd, events, deadline_left_ms(deadline));
}

/*
 * GnuTLS asks for the 5 bytes of a record's header and then for the rest of
 * it; the socket is asked for as much as there is. It is empty when GnuTLS is
 * told so: then nothing is left here either.
 */
static ssize_t input_take(struct tls *tls, void *buf, size_t size)
{
	if (tls->start == tls->end) {
		ssize_t got = recv(tls->fd, tls->input, sizeof(tls->input), 0);

		if (got <= 0)
			return got;
		tls->start = 0;
		tls->end = (size_t)got;
	}
	if (size > tls->end - tls->start)
		size = tls->end - tls->start;
	memcpy(buf, tls->input + tls->start, size);
	tls->start += size;
	return (ssize_t)size;
}

/*
 * GnuTLS gathers a handshake message of up to 16 MiB before it looks at it,
 * whatever its own limit says; so strangers get an end of file instead.
 * Called by GnuTLS, which reads errno behind it.
 */
static ssize_t tls_pull(gnutls_transport_ptr_t ptr, void *buf, size_t size)
{
	struct tls *tls = ptr;
	ssize_t got;

	if (!tls->stranger)
		return input_take(tls, buf, size);
	if (size > tls->shake_left)
		size = tls->shake_left;
	if (!size)
		return 0;
	got = recv(tls->fd, buf, size, 0);
	if (got > 0)
		tls->shake_left -= (size_t)got;
	return got;
}

static int session_shake(struct channel *channel, struct tls *tls,
			 const struct credentials *credentials,
			 uint64_t deadline, struct fail *fail)
{
	gnutls_session_t session = tls->session;
	int code, ret;

	for (;;) {
		code = gnutls_handshake(session);
		if (!code) {
			tls->stranger = false;
			return 0;
		}
		if (code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED) {
			ret = session_wait(channel, session, deadline);
			if (ret)
				return fail_set(fail, ret, "%s began a TLS handshake and did not "
						"finish it: %s", channel->peer_name,
						strerror(-ret));
			continue;
		}
		if (gnutls_error_is_fatal(code))
			break;
	}
	(void)gnutls_alert_send_appropriate(session, code);
	if (!tls->shake_left)
		return fail_set(fail, -EPROTO, "%s sent more than %u bytes of TLS handshake: it is "
				"no Straddle", channel->peer_name, HANDSHAKE_MAX);
	return tls_explain(session, code, channel->peer_name, credentials, fail);
}

/*
 * A client's handshake ends before the server has looked at its certificate;
 * this byte says that it has, so that a refusal is a failed connect.
 */
static int ready_receive(struct channel *channel, gnutls_session_t session,
			 const struct credentials *credentials,
			 uint64_t deadline, struct fail *fail)
{
	uint8_t ready;
	ssize_t got;
	int ret;

	for (;;) {
		got = gnutls_record_recv(session, &ready, 1);
		if (got == 1)
			return 0;
		if (got != GNUTLS_E_AGAIN && got != GNUTLS_E_INTERRUPTED)
			break;
		ret = session_wait(channel, session, deadline);
		if (ret)
			return fail_set(fail, ret, "%s did not confirm the TLS handshake: %s",
					channel->peer_name, strerror(-ret));
	}
	if (!got)
		got = GNUTLS_E_PREMATURE_TERMINATION;
	return tls_explain(session, (int)got, channel->peer_name, credentials,
			   fail);
}

/* The client is in ready_receive(), where this alert is a failed connect. */
static int peer_admit(struct channel *channel, gnutls_session_t session,
		      const struct credentials *credentials, struct fail *fail)
{
	int ret = allow_check(credentials, session, channel->peer_name, fail);

	if (ret == -EPERM)
		(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_ACCESS_DENIED);
	return ret;
}

static int session_keys(gnutls_session_t session,
			const struct credentials *credentials, bool server)
{
	if (credentials->security == SECURITY_PSK && server)
		return gnutls_credentials_set(session, GNUTLS_CRD_PSK,
					      credentials->psk_server);
	if (credentials->security == SECURITY_PSK)
		return gnutls_credentials_set(session, GNUTLS_CRD_PSK,
					      credentials->psk_client);
	return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
				      server ? credentials->server : credentials->client);
}

static int tls_create(struct channel *channel, struct credentials *credentials,
		      bool server, struct tls **tls, struct fail *fail)
{
	struct tls *new = calloc(1, sizeof(*new));
	int code;

	if (!new)
		return fail_set(fail, -ENOMEM, "no memory for a TLS session");
	code = gnutls_init(&new->session, GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
			   GNUTLS_NO_TICKETS | (server ? GNUTLS_SERVER : GNUTLS_CLIENT));
	if (code)
		goto err_free;
	code = gnutls_priority_set(new->session, credentials->priority);
	if (!code)
		code = session_keys(new->session, credentials, server);
	if (code)
		goto err_deinit;
	gnutls_session_set_ptr(new->session, credentials);
	gnutls_handshake_set_max_packet_length(new->session, HANDSHAKE_MAX);
	new->fd = channel->fd;
	new->stranger = true;
	new->shake_left = HANDSHAKE_MAX;
	gnutls_transport_set_ptr2(new->session, new, (gnutls_transport_ptr_t)(long)channel->fd);
	gnutls_transport_set_pull_function(new->session, tls_pull);
	*tls = new;
	return 0;

err_deinit:
	gnutls_deinit(new->session);
err_free:
	free(new);
	return fail_set(fail, -EOPNOTSUPP, "cannot set TLS up: %s", gnutls_strerror(code));
}

static void tls_destroy(struct tls *tls)
{
	gnutls_deinit(tls->session);
	free(tls);
}

/**
 * tls_connect() - make a TLS channel of a plain one, as client
 * @channel: connected, nothing sent by either side but the preamble
 * @credentials: of SECURITY_X509 or SECURITY_PSK
 * @name: host name or IP address that the server's certificate must name
 * @deadline: when to give up
 * @fail: says why not, and what to do
 *
 * Return: 0 or -errno; then the channel is of no use.
 */
int tls_connect(struct channel *channel, struct credentials *credentials,
		const char *name, uint64_t deadline, struct fail *fail)
{
	gnutls_typed_vdata_st verify[] = {
		{ .type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)name },
		{ .type = GNUTLS_DT_KEY_PURPOSE_OID,
		  .data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER },
	};
	bool x509 = credentials->security == SECURITY_X509;
	struct tls *tls;
	int ret;

	if (x509 && !credentials->client)
		return fail_set(fail, -ENOENT, "this host cannot connect with TLS: it has no "
				"client certificate in %s", credentials->client_cert);
	ret = tls_create(channel, credentials, false, &tls, fail);
	if (ret)
		return ret;
	if (x509)
		gnutls_session_set_verify_cert2(tls->session, verify, 2, 0);
	snprintf(channel->peer_name, sizeof(channel->peer_name), "%s", name);
	ret = session_shake(channel, tls, credentials, deadline, fail);
	if (!ret)
		ret = ready_receive(channel, tls->session, credentials, deadline, fail);
	if (!ret)
		ret = x509 ? peer_note_x509(channel, tls->session) :
			     peer_note_psk(channel, tls->session, credentials, false);
	if (ret) {
		tls_destroy(tls);
		return fail_set(fail, ret, "cannot tell who %s is", name);
	}
	channel->tls = tls;
	channel->ops = &tls_ops;
	return 0;
}

/**
 * tls_accept() - make a TLS channel of a plain one, as server
 * @channel: accepted, preamble and its answer exchanged
 * @credentials: of SECURITY_X509 or SECURITY_PSK
 * @deadline: when to give up
 * @fail: says why not, and what to do
 *
 * Return: 0 or -errno; then the channel is of no use.
 */
int tls_accept(struct channel *channel, struct credentials *credentials,
	       uint64_t deadline, struct fail *fail)
{
	gnutls_typed_vdata_st verify = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	bool x509 = credentials->security == SECURITY_X509;
	struct iovec ready = { .iov_base = "R", .iov_len = 1 };
	struct tls *tls;
	int ret;

	if (x509 && !credentials->server)
		return fail_set(fail, -ENOENT, "this host cannot accept TLS connections: it has "
				"no server certificate in %s", credentials->server_cert);
	ret = tls_create(channel, credentials, true, &tls, fail);
	if (ret)
		return ret;
	if (x509) {
		gnutls_certificate_server_set_request(tls->session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert2(tls->session, &verify, 1, 0);
	}
	ret = session_shake(channel, tls, credentials, deadline, fail);
	if (!ret)
		ret = x509 ? peer_note_x509(channel, tls->session) :
			     peer_note_psk(channel, tls->session, credentials, true);
	if (!ret)
		ret = peer_admit(channel, tls->session, credentials, fail);
	if (ret) {
		tls_destroy(tls);
		return fail_set(fail, ret, "cannot tell who %s is", channel->peer_name);
	}
	channel->tls = tls;
	channel->ops = &tls_ops;
	ret = channel_sendv(channel, &ready, 1, deadline_left_ms(deadline));
	if (ret)
		return fail_set(fail, ret, "%s left at the end of the TLS handshake: %s",
				channel->peer_name, strerror(-ret));
	return 0;
}
