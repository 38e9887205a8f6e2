// SPDX-License-Identifier: LGPL-2.1-or-later
/* auto.c - which engine moves a guest of libvirt's, and the way that it takes. */
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "moving.h"
#include "selftests/lib/virt_host.h"
#include "sys.h"

#define NOTE_MAX	sizeof(((struct progress *)0)->note)

/* What became of a migration, and who was said to do it. */
struct choice {
	struct moving moving;
	struct move move;
	char note[NOTE_MAX];		/* which engine it is, and why */
};

FIXTURE(engine) { struct choice choice; };
FIXTURE(production) { struct choice choice; };

static void choice_up(struct choice *self, bool production)
{
	memset(self, 0, sizeof(*self));
	moving_up(&self->moving, production);
	moving_by(&self->moving, "auto");
}

FIXTURE_SETUP(engine)
{
	choice_up(&self->choice, false);
}

FIXTURE_TEARDOWN(engine)
{
	moving_down(&self->choice.moving);
}

FIXTURE_SETUP(production)
{
	choice_up(&self->choice, true);
}

FIXTURE_TEARDOWN(production)
{
	moving_down(&self->choice.moving);
}

static void migrate(struct choice *self, const char *options)
{
	struct move *move = &self->move;

	moving_start(&self->moving, move, options);
	while (!move_next(move))
		if (!strncmp(move->progress.note, "engine", 6))
			strcpy(self->note, move->progress.note);
	move_end(move);
	EXPECT_TRUE(move->ok) {
		TH_LOG("%s", move->error);
	}
}

static void expect_native(struct choice *self, const char *why)
{
	EXPECT_EQ(self->note, strstr(self->note, "engine native"));
	EXPECT_NE(NULL, strstr(self->note, why)) {
		TH_LOG("%s", self->note);
	}
	EXPECT_EQ(ENGINE_NATIVE, self->move.progress.engine);
	moving_row(&self->moving, &self->move, "MOVED");
	moving_arrived(&self->moving);
}

/* Begin is fine, Prepare finds nobody of ours at the dest. */
TEST_F_TIMEOUT(engine, libvirt_is_taken_where_nobody_listens, TIMEOUT_S)
{
	moving_guest(&self->choice.moving, 10);
	migrate(&self->choice, "\"live\":true");
	expect_native(&self->choice, self->choice.moving.dest->host->address);
}

/*
 * An unprivileged QEMU, and nothing to make a userfaultfd of: the dest finds
 * out when it has made the guest, which has to be gone before libvirt begins.
 */
TEST_F_TIMEOUT(production, libvirt_is_taken_where_the_dest_cannot, TIMEOUT_S)
{
	static const char *const hide[] = {
		"/bin/mount", "--bind", "/dev/null", "/dev/userfaultfd", NULL
	};
	struct moving *moving = &self->choice.moving;

	ASSERT_EQ(0, virt_host_run(moving->dest, hide, NULL, 0, NULL));
	moving_agent(moving, moving->dest, NULL);
	moving_guest(moving, 10);
	migrate(&self->choice, "\"live\":true");
	expect_native(&self->choice, moving->dest->host->address);
}

TEST_F_TIMEOUT(engine, straddle_is_taken_where_it_can, TIMEOUT_S)
{
	moving_agent(&self->choice.moving, self->choice.moving.dest, NULL);
	moving_guest(&self->choice.moving, 10);
	migrate(&self->choice, "\"live\":true,\"postcopy\":true");
	EXPECT_EQ(self->choice.note, strstr(self->choice.note, "engine straddle")) {
		TH_LOG("%s", self->choice.note);
	}
	EXPECT_EQ(ENGINE_STRADDLE, self->choice.move.progress.engine);
	moving_row(&self->choice.moving, &self->choice.move, "TORN_DOWN");
	moving_arrived(&self->choice.moving);
}

/* What a user reads who has only libvirt there, and no certificates. */
TEST_F_LONG(engine, tls_is_the_way_unless_another_is_named, TIMEOUT_S)
{
	char uri[128];

	strcpy(self->choice.moving.way, "\"engine\":\"native\"");
	moving_guest(&self->choice.moving, 10);
	moving_start(&self->choice.moving, &self->choice.move, "\"live\":true");
	EXPECT_EQ(-ECANCELED, move_wait(&self->choice.move));
	move_end(&self->choice.move);
	snprintf(uri, sizeof(uri), "qemu+tls://%s/system",
		 self->choice.moving.dest->host->address);
	EXPECT_NE(NULL, strstr(self->choice.move.error, uri)) {
		TH_LOG("%s", self->choice.move.error);
	}
	moving_is_at(self->choice.moving.source, self->choice.moving.dest);
}

/* The same files of certificates that our agents take. */
static void libvirtd_listen(struct choice *self)
{
	static const char *const argv[] = { VIRT_LIBVIRTD, "--listen", NULL };
	struct virt_host *dest = self->moving.dest;
	const char *pki = dest->host->pki_dir;
	char conf[1024];

	ASSERT_EQ(0, two_hosts_issue(self->moving.ground.hosts, self->moving.fail));
	snprintf(conf, sizeof(conf), "host_uuid = \"%s\"\nlisten_tls = 1\n"
		 "auth_unix_rw = \"none\"\nca_file = \"%s/CA/cacert.pem\"\n"
		 "cert_file = \"%s/libvirt/servercert.pem\"\n"
		 "key_file = \"%s/libvirt/private/serverkey.pem\"\n",
		 dest->uuid, pki, pki, pki);
	ASSERT_EQ(0, virt_host_stop_libvirtd(dest, SIGTERM));
	ASSERT_EQ(0, virt_host_write(dest, "/etc/libvirt/libvirtd.conf", conf));
	ASSERT_LT(0, virt_host_spawn(dest, argv, "libvirtd.log", self->moving.fail));
}

/* A client of libvirt wants its files in one folder, or in /etc/pki. */
static void client_files(struct choice *self, const char *dir)
{
	const char *pki = self->moving.source->host->pki_dir;
	char script[1024];
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };

	snprintf(script, sizeof(script), "mkdir -p %s && cp %s/CA/cacert.pem "
		 "%s/libvirt/clientcert.pem %s/libvirt/private/clientkey.pem %s",
		 dir, pki, pki, pki, dir);
	ASSERT_EQ(0, virt_host_run(self->moving.source, argv, NULL, 0,
				   self->moving.fail)) {
		TH_LOG("%s", self->moving.fail->text);
	}
}

TEST_F_LONG(engine, tls_with_certificates_works, TIMEOUT_S)
{
	libvirtd_listen(&self->choice);
	client_files(&self->choice, "/run/client");
	moving_guest(&self->choice.moving, 10);
	snprintf(self->choice.moving.way, sizeof(self->choice.moving.way),
		 "\"engine\":\"native\",\"dest_uri\":"
		 "\"qemu+tls://%s/system?pkipath=/run/client\"",
		 self->choice.moving.dest->host->address);
	migrate(&self->choice, "\"live\":true");
	moving_row(&self->choice.moving, &self->choice.move, "MOVED");
	moving_arrived(&self->choice.moving);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
