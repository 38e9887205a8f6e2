/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h - a connection between two hosts: TCP, plain or TLS (GnuTLS).
 *
 * Every connection starts with a fixed, unencrypted preamble that only
 * routes it (version, role, migration id). Nothing in it is trusted: who the
 * peer is says TLS, what it may do says the token inside of it.
 */
#ifndef STRADDLE_CHANNEL_H
#define STRADDLE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "fail.h"

#define STRADDLE_VERSION	2
#define STRADDLE_PORT		"49300"
#define MIGRATION_ID_SIZE	16
#define TOKEN_SIZE		32

enum channel_role {
	ROLE_CONTROL = 1,
	ROLE_FAULT = 2,
	ROLE_PUSH = 3,
	ROLE_STORAGE = 4,
};

struct preamble {		/* 32 bytes, little-endian on the wire */
	uint8_t magic[8];	/* "STRADDLE" */
	uint16_t version;
	uint16_t role;
	uint16_t index;		/* of the lane within its role */
	uint16_t reserved;	/* 0 */
	uint8_t migration[MIGRATION_ID_SIZE];
};

/* The accepting side's unencrypted answer; it only explains a refusal. */
enum preamble_verdict {
	PREAMBLE_WELCOME = 1,
	PREAMBLE_VERSION = 2,	/* another version is spoken here */
	PREAMBLE_UNKNOWN = 3,	/* no such migration, role or lane here */
	PREAMBLE_BUSY = 4,	/* too many connections, or shutting down */
	PREAMBLE_NO_ROOM = 5,	/* no disk space for what a migration needs */
	PREAMBLE_SCARCE = 6,	/* no descriptors or memory */
};

struct preamble_reply {		/* 16 bytes, little-endian on the wire */
	uint8_t magic[8];	/* "STRADDLE" */
	uint16_t version;
	uint16_t verdict;
	uint16_t security;	/* enum security that is spoken here */
	uint16_t reserved;	/* 0 */
};

void preamble_init(struct preamble *preamble, enum channel_role role,
		   unsigned int index, const uint8_t *migration);
/* 0, -EPROTO (not ours) or -EPROTONOSUPPORT (another version). */
int preamble_check(const struct preamble *preamble, struct fail *fail);
/* Read one from a socket, wait at most @timeout_ms in all, and check it. */
int preamble_receive(int fd, int timeout_ms, struct preamble *preamble,
		     struct fail *fail);
/* Tell a peer why it is turned away; the caller closes @fd. */
void preamble_refuse(int fd, enum preamble_verdict verdict);

enum security {
	SECURITY_NONE,		/* loopback, or asked for by name */
	SECURITY_X509,		/* mutual, libvirt's PKI layout */
	SECURITY_PSK,
};

/* Where keys lie. NULL members: libvirt's default places. */
struct credentials_paths {
	const char *pki_dir;	/* "/etc/pki": CA/cacert.pem,
				 * libvirt/{server,client}cert.pem,
				 * libvirt/private/{server,client}key.pem */
	const char *psk_file;	/* "name:hexkey" lines, 0600 */
};

#define ALLOW_MAX		128	/* patterns of peers that may connect */
#define ALLOW_PATTERN_MAX	255	/* bytes of one */

struct credentials;		/* loaded once a process, shared by channels */

int credentials_load(enum security security,
		     const struct credentials_paths *paths,
		     struct credentials **credentials, struct fail *fail);
void credentials_free(struct credentials *credentials);
/*
 * Let those connect whose name fits @pattern; any number of times. As long as
 * there is none, all may whose certificate or key is good.
 */
int credentials_allow(struct credentials *credentials, const char *pattern,
		      struct fail *fail);
/* Could credentials_load() of x509 find its files? For the default choice. */
bool credentials_found(const struct credentials_paths *paths);

/* Connects to "HOST[:PORT]" as address_connect() does: a socket or -errno. */
typedef int channel_dial_fn(const char *host, const char *congestion,
			    int timeout_ms, struct fail *fail);
/* Have somebody else make connections, for a process that may not. */
void credentials_dial_by(struct credentials *credentials, channel_dial_fn *dial);

struct channel;

/*
 * channel_connect() - TCP connect, preamble, TLS handshake as client
 * @host: "HOST[:PORT]" or "[V6]:PORT"; the certificate must name HOST
 * Bounded by @timeout_ms in all.
 */
int channel_connect(const char *host, const struct preamble *preamble,
		    struct credentials *credentials, int timeout_ms,
		    struct channel **channel, struct fail *fail);
/*
 * channel_connect_fd() - the same over a stream socket that is connected
 * @name: whom the certificate must name (host name or IP address)
 * Owns @fd from the call on, also when it fails.
 */
int channel_connect_fd(int fd, const char *name,
		       const struct preamble *preamble,
		       struct credentials *credentials, int timeout_ms,
		       struct channel **channel, struct fail *fail);
/*
 * channel_accept() - TLS handshake as server on @fd, whose preamble has been
 * read. Owns @fd from the call on, also when it fails.
 */
int channel_accept(int fd, struct credentials *credentials, int timeout_ms,
		   struct channel **channel, struct fail *fail);
bool channel_accept_proved(const struct credentials *credentials, int ret);
/* Plain channel over any stream socket (layer tests); owns @fd. */
int channel_wrap(int fd, struct channel **channel);
void channel_close(struct channel *channel);	/* and free; NULL is fine */
/* Break both directions; a thread that waits in it returns with an error. */
void channel_shutdown(struct channel *channel);

int channel_fd(const struct channel *channel);	/* for poll() */
/* Bytes that TLS has out of the socket already: poll() does not tell of them. */
size_t channel_pending(const struct channel *channel);
/*
 * SHA-256 of all names of the peer's certificate (x509), of the PSK name, or
 * zeroes. Rows of older builds have that of the certificate instead: compare
 * by channel_is_peer().
 */
const uint8_t *channel_peer(const struct channel *channel);	/* 32 bytes */
bool channel_is_peer(const struct channel *channel, const uint8_t *recorded);
const char *channel_peer_name(const struct channel *channel);

/*
 * The socket is non-blocking; these say -EAGAIN where nothing can move now.
 * One thread may send while another receives. 0 from receive: end of file.
 * After -EAGAIN from a send, the next send must offer the same bytes first
 * (more may follow them): TLS has sealed them already. Likewise for the
 * bytes that a short send did not take.
 */
ssize_t channel_send_some(struct channel *channel, const void *buf,
			  size_t size);
ssize_t channel_receive_some(struct channel *channel, void *buf, size_t size);
/* A header and its payload in one go: one system call, or full records. */
ssize_t channel_sendv_some(struct channel *channel, const struct iovec *iov,
			   int count);
/* The whole of it, waiting as needed; -ETIMEDOUT when nothing moves so long. */
int channel_send(struct channel *channel, const void *buf, size_t size,
		 int timeout_ms);
int channel_sendv(struct channel *channel, struct iovec *iov, int count,
		  int timeout_ms);	/* uses @iov up */
/* -EPIPE: end of file before @size bytes. */
int channel_receive(struct channel *channel, void *buf, size_t size,
		    int timeout_ms);

/*
 * Set the socket up for what the role carries: queueing, priority, time-outs
 * of TCP. Sockets that are not TCP are left as they are.
 */
const char *channel_congestion(enum channel_role role);
size_t channel_narrow(struct channel *channel, bool hurry);
int channel_tune(struct channel *channel, enum channel_role role);

#endif
