// SPDX-License-Identifier: LGPL-2.1-or-later
/* gate.c - what a definition may not have is named, with what to do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"

#define DOMAIN(machine, devices)						\
	"<domain type='kvm'><name>a</name><os>"					\
	"<type arch='x86_64' machine='" machine "'>hvm</type></os>"		\
	"<devices>" devices "</devices></domain>"
#define WITH(devices)	DOMAIN("pc-q35-7.2", devices)

FIXTURE(definition) {
	struct obstacles all;
};

FIXTURE_VARIANT(definition) {
	const char *text;
	const char *words;		/* NULL: nothing is in the way */
};

#define REFUSED(name_, text_, words_)					\
	FIXTURE_VARIANT_ADD(definition, name_) {			\
		.text = text_, .words = words_,				\
	}

REFUSED(plain, WITH("<disk type='file'><target dev='vda'/></disk>"
		    "<interface type='bridge'/><memory model='dimm'/>"), NULL);
REFUSED(hostdev, WITH("<hostdev mode='subsystem' type='pci'/>"), "hostdev");
REFUSED(hostdev_interface, WITH("<interface type='hostdev'/>"), "hostdev");
REFUSED(vdpa, WITH("<interface type='vdpa'/>"), "vDPA");
REFUSED(vhost_user, WITH("<interface type='vhostuser'/>"), "vhost-user");
REFUSED(vhost_user_disk, WITH("<disk type='vhostuser'/>"), "vhost-user");
REFUSED(filesystem, WITH("<filesystem type='mount'/>"), "filesystem");
REFUSED(shmem, WITH("<shmem name='x'/>"), "shmem");
REFUSED(tpm, WITH("<tpm model='tpm-crb'/>"), "TPM");
REFUSED(virtio_mem, WITH("<memory model='virtio-mem'/>"), "virtio-mem");
REFUSED(nvdimm, WITH("<memory model='nvdimm'/>"), "nvdimm");
REFUSED(sev, "<domain type='kvm'><launchSecurity type='sev'/></domain>",
	"launchSecurity");
REFUSED(lease, WITH("<lease/>"), "lease");
REFUSED(reservations,
	WITH("<disk><source><reservations managed='yes'/></source></disk>"),
	"reservations");
REFUSED(old_machine, DOMAIN("pc-i440fx-2.1", ""), "older than 2.4");
REFUSED(old_q35, DOMAIN("pc-q35-2.3", ""), "older than 2.4");
REFUSED(machine_of_2_10, DOMAIN("pc-q35-2.10", ""), NULL);
REFUSED(machine_of_2_4, DOMAIN("pc-i440fx-2.4", ""), NULL);

FIXTURE_SETUP(definition)
{
	struct fail fail = { 0 };
	struct xml *xml;

	memset(&self->all, 0, sizeof(self->all));
	ASSERT_EQ(0, xml_parse(variant->text, &xml, &fail)) {
		TH_LOG("%s", fail.text);
	}
	libvirt_check_devices(xml, &self->all);
	xml_free(xml);
}

FIXTURE_TEARDOWN(definition)
{
}

TEST_F(definition, is_refused_with_what_to_do)
{
	if (!variant->words) {
		EXPECT_EQ(0, self->all.err) {
			TH_LOG("%s", self->all.text);
		}
		return;
	}
	EXPECT_EQ(-EOPNOTSUPP, self->all.err);
	EXPECT_TRUE(strstr(self->all.text, variant->words)) {
		TH_LOG("%s", self->all.text);
	}
	EXPECT_TRUE(strstr(self->all.text, "virsh")) {
		TH_LOG("%s", self->all.text);
	}
}

TEST(all_that_is_in_the_way_is_in_one_message)
{
	static const char text[] = WITH("<hostdev/><tpm/><shmem/><filesystem/>");
	static const char *const words[] = { "hostdev", "TPM", "shmem", "filesystem" };
	struct obstacles all = { 0 };
	struct xml *xml;
	size_t i;

	ASSERT_EQ(0, xml_parse(text, &xml, NULL));
	libvirt_check_devices(xml, &all);
	xml_free(xml);
	for (i = 0; i < 4; i++)
		EXPECT_TRUE(strstr(all.text, words[i])) {
			TH_LOG("%s: %s", words[i], all.text);
		}
}

TEST(what_is_no_xml_is_no_definition)
{
	struct fail fail = { 0 };
	struct xml *xml;

	EXPECT_EQ(-EINVAL, xml_parse("<domain>", &xml, &fail));
	EXPECT_EQ(-EINVAL, xml_parse("", &xml, &fail));
	EXPECT_TRUE(*fail.text);
}

TEST(cpu_that_runs_replaces_a_model)
{
	static const char migratable[] =
		"<domain><name>a</name><cpu mode='host-model'/><os/></domain>";
	static const char runs[] =
		"<domain><name>b</name><cpu mode='custom'><model>x</model></cpu></domain>";
	char *made = xml_with(migratable, "/domain/cpu", runs);

	ASSERT_NE(NULL, made);
	EXPECT_STREQ("<domain><name>a</name><cpu mode=\"custom\"><model>x</model></cpu>"
		     "<os/></domain>", made);
	free(made);
	made = xml_with(migratable, "/domain/cpu", "<domain/>");
	ASSERT_NE(NULL, made);
	EXPECT_NE(NULL, strstr(made, "host-model"));
	free(made);
	EXPECT_EQ(NULL, xml_with("<domain>", "/domain/cpu", runs));
	EXPECT_EQ(NULL, xml_with(migratable, "/domain/cpu", "none"));
}

/* An entity that would read a file of this host is no content. */
TEST(definition_reads_nothing_from_outside)
{
	static const char text[] =
		"<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>"
		"<domain><name>&e;</name></domain>";
	struct xml *xml;
	char *name;

	if (xml_parse(text, &xml, NULL))
		return;		/* refused as a whole: as good */
	name = xml_get(xml, "/domain/name");
	EXPECT_TRUE(!name || !*name) {
		TH_LOG("'%s'", name);
	}
	free(name);
	xml_free(xml);
}

TEST_HARNESS_MAIN
