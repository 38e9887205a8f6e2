/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ground.c - what the tests with libvirt hosts stand on. */
#include "ground.h"

#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "sys.h"

#define DISK_MIB	16

static bool qemu_is_there(const char *qemu, struct fail *fail)
{
	if (!qemu || !access(qemu, X_OK))
		return true;
	fail_set(fail, -ENOPKG,
		 "there is no %s: run selftests/libvirt/fetch-qemu.sh", qemu);
	return false;
}

/**
 * ground_up() - two libvirt hosts; in a fixture's setup
 * @ground: receives them; ground_down() takes them down
 * @options: of both
 *
 * Skips the test where the machine lacks what they take, and says how to get
 * it; where STRADDLE_REQUIRE_LIBVIRT=1 says so, the test fails instead.
 */
void ground_up(struct ground *ground, const struct virt_options *options)
{
	struct fail *fail = &ground->fail;

	memset(ground, 0, sizeof(*ground));
	if (virt_missing(fail) || !qemu_is_there(options->qemu, fail)) {
		ASSERT_FALSE(virt_is_required()) {
			TH_LOG("%s", fail->text);
		}
		SKIP(return, "%s", fail->text);
	}
	ASSERT_EQ(0, two_hosts_create(&ground->hosts, NULL, fail)) {
		TH_LOG("%s", fail->text);
	}
	ASSERT_EQ(0, virt_hosts_create(&ground->virts, ground->hosts, options,
				       fail)) {
		TH_LOG("%s", fail->text);
	}
}

/**
 * ground_down() - end all on both hosts, remove them
 * @ground: what ground_up() made
 */
void ground_down(struct ground *ground)
{
	virt_hosts_destroy(ground->virts);
	two_hosts_destroy(ground->hosts);
}

/**
 * ground_disks() - make the images of a domain's disks
 * @virt: a host that has them
 * @domain: the domain
 */
void ground_disks(struct virt_host *virt, const struct domain *domain)
{
	struct fail fail = { 0 };
	int i;

	for (i = 0; i < DOMAIN_DISKS_MAX && domain->disks[i].path; i++)
		ASSERT_EQ(0, domain_disk_create(virt, &domain->disks[i],
						DISK_MIB, &fail)) {
			TH_LOG("%s", fail.text);
		}
}
