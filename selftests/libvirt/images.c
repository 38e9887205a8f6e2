// SPDX-License-Identifier: LGPL-2.1-or-later
/* images.c - disks that two hosts do not share: made, compared, tidied up. */
#include "images.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/traces.h"
#include "sys.h"

#define BASE		VIRT_SHARED "/base.qcow2"
#define RANDOM_MIB	"8"	/* of each disk's 16 MiB */
#define GONE_TRIES	400
#define TRY_MS		50

/**
 * image_run() - a shell's command on a host, which is to end well
 * @virt: the host
 * @command: what to do
 */
void image_run(struct virt_host *virt, const char *command)
{
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	struct fail fail = { 0 };

	EXPECT_EQ(0, virt_host_run(virt, argv, NULL, 0, &fail)) {
		TH_LOG("%s", fail.text);
	}
}

/**
 * image_scribble() - what no guest writes, in an image's second half
 * @virt: whose image it is; it may be in use
 * @path: of the image
 * @format: "raw" or "qcow2"
 */
void image_scribble(struct virt_host *virt, const char *path,
		     const char *format)
{
	char command[600];

	snprintf(command, sizeof(command),
		 "head -c " RANDOM_MIB "M /dev/urandom > " VIRT_PRIVATE "/noise && "
		 "qemu-io -f %s -c 'write -s " VIRT_PRIVATE "/noise 8M 8M' %s && "
		 "rm " VIRT_PRIVATE "/noise", format, path);
	image_run(virt, command);
}

/**
 * image_make() - the content of a disk that nobody writes
 * @virt: whose it is
 * @disk: made already
 * @overlay: with a backing file, which both hosts have
 */
void image_make(struct virt_host *virt, const struct domain_disk *disk,
		       bool overlay)
{
	char command[400];

	if (!overlay) {
		image_scribble(virt, disk->path, disk->format);
		return;
	}
	snprintf(command, sizeof(command),
		 "qemu-img create -q -f qcow2 " BASE " 16M && "
		 "qemu-io -f qcow2 -c 'write -P 5 12M 2M' " BASE " && "
		 "chown libvirt-qemu:libvirt-qemu " BASE " && "
		 "qemu-img create -q -f qcow2 -b " BASE " -F qcow2 %s && "
		 "qemu-io -f qcow2 -c 'write -P 6 13M 2M' %s",
		 disk->path, disk->path);
	image_run(virt, command);
}

/**
 * image_expect_same() - a host's image is as the other's of that path
 * @journey: of the two hosts
 * @disk: of the domain that is at the first of them
 */
void image_expect_same(struct journey *journey, const struct domain_disk *disk)
{
	char other[300], text[400] = "";
	const char *const argv[] = {
		"/usr/bin/qemu-img", "compare", "-U", "-f", disk->format, "-F",
		disk->format, disk->path, other, NULL
	};
	struct fail fail = { 0 };

	snprintf(other, sizeof(other), "%s/lib/private/%s", journey->there->dir,
		 strrchr(disk->path, '/') + 1);
	EXPECT_EQ(0, virt_host_run(journey->here, argv, text, sizeof(text),
				   &fail)) {
		TH_LOG("%s%s", fail.text, text);
	}
}

/**
 * image_is_there() - does a host have such a file?
 * @virt: the host
 * @path: of the file
 *
 * Return: true if it does.
 */
bool image_is_there(const struct virt_host *virt, const char *path)
{
	char outside[300];

	snprintf(outside, sizeof(outside), "/proc/%d/root%s", virt->holder_pid,
		 path);
	return !access(outside, F_OK);
}

/* ---- what is left ------------------------------------------------------- */

/* Entries of a host's /run that begin with the name of our directories. */
static int sockets_left(const struct virt_host *virt)
{
	struct dirent *entry;
	char path[64];
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/root/run", virt->holder_pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		found += !strncmp(entry->d_name, "straddle-disks-", 15);
	if (dir)
		closedir(dir);
	return found;
}

/**
 * copy_expect_tidy() - of a copy no process, file or socket is left
 * @virt: a host
 */
void copy_expect_tidy(const struct virt_host *virt)
{
	int tries;

	/* The agent may have to try again, while libvirt ends its guest. */
	for (tries = 0; tries < GONE_TRIES &&
	     (host_processes(virt->host, QEMU_NBD) ||
	      host_files(virt->host, "disks-")); tries++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(0, host_processes(virt->host, QEMU_NBD));
	EXPECT_EQ(0, host_files(virt->host, "nbd-"));
	EXPECT_EQ(0, host_files(virt->host, "disks-"));
	EXPECT_EQ(0, sockets_left(virt));
}

static bool job_runs(struct virt_host *virt, const char *target)
{
	char text[400] = "";

	journey_virsh(virt, text, sizeof(text), "blockjob", JOURNEY_GUEST,
		      target, "--info", NULL);
	return strstr(text, "Copy");
}

/**
 * copy_expect_unharmed() - nothing but the guest, with the disks that it had
 * @journey: whose migration failed
 * @target: the guest's name for a disk that was copied
 */
void copy_expect_unharmed(struct journey *journey, const char *target)
{
	char is[128] = "";
	int tries;

	EXPECT_EQ(0, host_settle(journey->here->host));
	EXPECT_EQ(0, host_settle(journey->there->host));
	for (tries = 0; tries < GONE_TRIES &&
	     job_runs(journey->here, target); tries++)
		poll(NULL, 0, TRY_MS);
	EXPECT_FALSE(job_runs(journey->here, target));
	copy_expect_tidy(journey->here);
	copy_expect_tidy(journey->there);
	EXPECT_EQ(0, domain_state(journey->here, JOURNEY_GUEST, is, sizeof(is)));
	EXPECT_STREQ("running", is);
	EXPECT_EQ(0, host_processes(journey->there->host, "qemu-system-x86"));
	journey_proves_itself(journey);
}

/**
 * image_boot() - start a domain whose second disk holds what nobody writes
 * @journey: up
 * @domain: with two disks of its first host's own
 * @words: for the guest's kernel
 * @overlay: the second has a backing file
 */
void image_boot(struct journey *journey, const struct domain *domain,
		const char *words, bool overlay)
{
	struct fail *fail = &journey->ground.fail;

	journey_prepare(journey, domain, words);
	image_make(journey->here, &journey->domain.disks[1], overlay);
	ASSERT_EQ(0, domain_create(journey->here, &journey->domain, fail)) {
		TH_LOG("%s", fail->text);
	}
	journey_ready(journey);
}
