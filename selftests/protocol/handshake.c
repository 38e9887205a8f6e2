/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handshake.c - both ends of a connection in one process, for tests. */
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "harness.h"
#include "handshake.h"
#include "lib/pki.h"
#include "sys.h"

struct server {
	struct handshake *handshake;
	int fd;
};

/**
 * handshake_preamble() - the preamble that handshake_run() sends
 *
 * Return: the preamble.
 */
struct preamble handshake_preamble(void)
{
	uint8_t migration[MIGRATION_ID_SIZE];
	struct preamble preamble;

	memset(migration, 0x77, sizeof(migration));
	preamble_init(&preamble, ROLE_PUSH, 3, migration);
	return preamble;
}

static void *server_run(void *arg)
{
	struct server *server = arg;
	struct handshake *h = server->handshake;

	h->server_ret = preamble_receive(server->fd, h->timeout_ms, &h->preamble,
					 &h->server_fail);
	if (h->server_ret) {
		close(server->fd);
		return NULL;
	}
	h->server_ret = channel_accept(server->fd, h->server_keys, h->timeout_ms, &h->server,
				       &h->server_fail);
	return NULL;
}

/**
 * handshake_run() - connect and accept over a pair of sockets
 * @handshake: keys, name and time limit given; receives how each side fared
 */
void handshake_run(struct handshake *handshake)
{
	struct preamble preamble = handshake_preamble();
	struct server server = { .handshake = handshake };
	pthread_t thread;
	int fds[2];

	handshake->client = NULL;
	handshake->server = NULL;
	handshake->client_fail.err = 0;
	handshake->server_fail.err = 0;
	if (!handshake->timeout_ms)
		handshake->timeout_ms = 10000;
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	server.fd = fds[1];
	ASSERT_EQ(0, pthread_create(&thread, NULL, server_run, &server));
	handshake->client_ret = channel_connect_fd(fds[0], handshake->name, &preamble,
						   handshake->client_keys,
						   handshake->timeout_ms, &handshake->client,
						   &handshake->client_fail);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/**
 * handshake_fini() - close what handshake_run() opened
 * @handshake: whose
 */
void handshake_fini(struct handshake *handshake)
{
	channel_close(handshake->client);
	channel_close(handshake->server);
	handshake->client = NULL;
	handshake->server = NULL;
}

/**
 * pki_of_two() - certificates of host-a and host-b, or fail the test
 * @a: receives the folder of host-a
 * @b: and of host-b
 *
 * Return: their CA, for pki_destroy().
 */
struct pki *pki_of_two(char *a, char *b)
{
	struct pki *pki = NULL;

	snprintf(a, PKI_DIR_MAX, "%s/a", test_dir());
	snprintf(b, PKI_DIR_MAX, "%s/b", test_dir());
	ASSERT_EQ(0, pki_create(&pki));
	ASSERT_EQ(0, pki_issue(pki, a, "host-a", "10.0.0.1", 1));
	ASSERT_EQ(0, pki_issue(pki, b, "host-b", "10.0.0.2", 1));
	return pki;
}

/**
 * keys_x509() - load certificates, or fail the test
 * @dir: of pki_issue()
 *
 * Return: the credentials.
 */
struct credentials *keys_x509(const char *dir)
{
	struct credentials_paths paths = { .pki_dir = dir };
	struct credentials *keys = NULL;
	struct fail fail = { .err = 0 };

	ASSERT_EQ(0, credentials_load(SECURITY_X509, &paths, &keys, &fail)) {
		TH_LOG("%s", fail.text);
	}
	return keys;
}

/**
 * keys_psk() - load a pre-shared key, or fail the test
 * @file: of psk_write()
 *
 * Return: the credentials.
 */
struct credentials *keys_psk(const char *file)
{
	struct credentials_paths paths = { .psk_file = file };
	struct credentials *keys = NULL;
	struct fail fail = { .err = 0 };

	ASSERT_EQ(0, credentials_load(SECURITY_PSK, &paths, &keys, &fail)) {
		TH_LOG("%s", fail.text);
	}
	return keys;
}

/**
 * psk_write() - write a file of pre-shared keys, or fail the test
 * @file: its name
 * @text: what is in it
 * @mode: its mode
 */
void psk_write(const char *file, const char *text, unsigned int mode)
{
	__cleanup_fd int fd = sys_ret(open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, sys_write_all(fd, text, strlen(text)));
	ASSERT_EQ(0, sys_ret(fchmod(fd, mode)));
}
