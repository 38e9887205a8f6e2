// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * definitions.c - what libvirt knows of a domain goes with it, in two parts.
 *
 * The table of Documentation/phases.rst ("Two definitions"), a variant a row;
 * and what a definition is made of. The domains have a firmware and no system.
 */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "hold.h"
#include "journey.h"
#include "selftests/lib/move.h"
#include "selftests/lib/process.h"
#include "selftests/lib/program.h"
#include "selftests/lib/traces.h"
#include "sys.h"
#include "uffd/sys.h"

#define GUEST		"db"
#define GUEST_UUID	"6a1b0b5e-0f7e-4f0c-9d39-3b0c8d5a7e10"
#define OTHER		"db-old"
#define OTHER_UUID	"6a1b0b5e-0f7e-4f0c-9d39-3b0c8d5a7e11"
#define TIMEOUT_S	180
#define XML_SIZE	16384
#define VIRSH		"virsh -q -c qemu:///system "

static const char *const uuids[] = { GUEST_UUID, OTHER_UUID };

/* ---- hosts, commands ------------------------------------------------------ */

struct field {
	struct journey journey;
	struct virt_host *source, *dest;
	char text[XML_SIZE];	/* what a command said last */
};

/* A shell's command on a host. Return: its exit status. */
__attribute__((format(printf, 3, 4)))
static int sh(struct field *field, struct virt_host *virt, const char *fmt, ...)
{
	char script[2048];
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	va_list args;
	int ret;

	va_start(args, fmt);
	vsnprintf(script, sizeof(script), fmt, args);
	va_end(args);
	ret = virt_host_run(virt, argv, field->text, sizeof(field->text), NULL);
	field->text[strcspn(field->text, "\n")] = '\0';
	return ret;
}

#define ASSERT_SH(virt, ...)						\
	ASSERT_EQ(0, sh(field, virt, __VA_ARGS__)) {			\
		TH_LOG("%s", field->text);				\
	}

static void field_up(struct field *field)
{
	const struct virt_options options = { .production = true };

	journey_up(&field->journey, &options);
	field->source = field->journey.here;
	field->dest = field->journey.there;
}

static void field_down(struct field *field)
{
	journey_down(&field->journey);
}

static int migrate(struct field *field, const char *name, const char *options)
{
	return move_run(&field->journey.move, field->source->host, name,
			field->dest->host->address, options);
}

/* Return: the exit status of straddle, its words in @field->text. */
static int command(struct field *field, const char *options)
{
	const struct host *host = field->source->host;
	char straddle[256];

	build_path(straddle, sizeof(straddle), "straddle");
	return sh(field, field->source, "%s --agent %s/straddled.sock migrate "
		  GUEST " %s --live %s 2>&1", straddle, host->run_dir,
		  field->dest->host->address, options);
}

static void arrives(struct field *field, const char *name, const char *options)
{
	EXPECT_EQ(0, migrate(field, name, options)) {
		TH_LOG("%s", field->journey.move.error);
		journey_explain(&field->journey);
	}
	EXPECT_EQ(0, host_settle(field->dest->host));
}

static void stays(struct field *field, const char *options, const char *words)
{
	EXPECT_EQ(-ECANCELED, migrate(field, GUEST, options));
	EXPECT_NE(NULL, strstr(field->journey.move.error, words)) {
		TH_LOG("%s", field->journey.move.error);
	}
	EXPECT_EQ(0, host_settle(field->dest->host));
}

/*
 * What libvirt of a host knows of a domain: its state, the title of the live
 * definition, that of the persistent one, whether it starts with the host.
 */
static const char *known(struct field *field, struct virt_host *virt,
			 const char *name)
{
	ASSERT_SH(virt,
		"title() { sed -n 's:.*<title>\\(.*\\)</title>.*:\\1:p'; }\n"
		"state=$(" VIRSH "domstate %s 2>/dev/null) || { echo nothing; exit 0; }\n"
		"info=$(" VIRSH "dominfo %s)\n"
		"printf %%s \"$state\"\n"
		"[ \"$state\" = 'shut off' ] || printf ', live: %%s' \"$(" VIRSH "dumpxml %s | title)\"\n"
		"case $info in *Persistent:*yes*Autostart:*)\n"
		"printf ', stored: %%s' \"$(" VIRSH "dumpxml --inactive %s | title)\"\n"
		"esac\n"
		"case $info in *Autostart:*enable*) printf ', autostart'; esac",
		name, name, name, name);
	return field->text;
}

/* A firmware that finds nothing to boot, and looks again. */
static void define(struct field *field, struct virt_host *virt,
		   const char *name, const char *title)
{
	const struct domain domain = {
		.name = name, .uuid = uuids[strcmp(name, GUEST) != 0],
		.memory_mib = 64,
	};

	ASSERT_EQ(0, domain_define(virt, &domain, &field->journey.ground.fail)) {
		TH_LOG("%s", field->journey.ground.fail.text);
	}
	ASSERT_SH(virt, VIRSH "desc %s --config --title %s", name, title);
}

static void start(struct field *field, const char *name)
{
	ASSERT_EQ(0, domain_start(field->source, name, &field->journey.ground.fail)) {
		TH_LOG("%s", field->journey.ground.fail.text);
	}
}

/* ---- the table ------------------------------------------------------------ */

enum kind { TRANSIENT, SAME, DIFFERS };

FIXTURE(row) {
	struct field field;
};

FIXTURE_VARIANT(row) {
	bool is_short;
	enum kind kind;
	const char *options;
	const char *source;	/* afterwards */
	const char *dest;	/* where there was nothing before */
	const char *old;	/* where an older definition of it lay */
};

#define PERSISTENT	",\"persistent\":true"
#define UNDEFINE	",\"undefine_source\":true"
#define ROW(name, ...)	FIXTURE_VARIANT_ADD(row, name) { __VA_ARGS__ }

ROW(transient, false, TRANSIENT, "",
    "nothing", "running, live: now", "running, live: now, stored: old");
ROW(transient_persistent, true, TRANSIENT, PERSISTENT,
    "nothing", "running, live: now, stored: now",
    "running, live: now, stored: now");
ROW(transient_undefine, false, TRANSIENT, UNDEFINE,
    "nothing", "running, live: now", "running, live: now, stored: old");
ROW(transient_persistent_undefine, false, TRANSIENT, PERSISTENT UNDEFINE,
    "nothing", "running, live: now, stored: now",
    "running, live: now, stored: now");
ROW(same, false, SAME, "",
    "shut off, stored: now", "running, live: now",
    "running, live: now, stored: old");
ROW(same_persistent, false, SAME, PERSISTENT,
    "shut off, stored: now", "running, live: now, stored: now",
    "running, live: now, stored: now");
ROW(same_undefine, false, SAME, UNDEFINE,
    "nothing", "running, live: now", "running, live: now, stored: old");
ROW(same_persistent_undefine, false, SAME, PERSISTENT UNDEFINE,
    "nothing", "running, live: now, stored: now",
    "running, live: now, stored: now");
ROW(differs, true, DIFFERS, "",
    "shut off, stored: next", "running, live: now",
    "running, live: now, stored: old");
ROW(differs_persistent, false, DIFFERS, PERSISTENT,
    "shut off, stored: next", "running, live: now, stored: next",
    "running, live: now, stored: next");
ROW(differs_undefine, false, DIFFERS, UNDEFINE,
    "nothing", "running, live: now", "running, live: now, stored: old");
ROW(differs_persistent_undefine, true, DIFFERS, PERSISTENT UNDEFINE,
    "nothing", "running, live: now, stored: next",
    "running, live: now, stored: next");

FIXTURE_SETUP(row)
{
	if (!variant->is_short && !journey_is_long())
		SKIP(return, "part of the long matrix: TEST_LONG=1 runs it");
	field_up(&self->field);
}

FIXTURE_TEARDOWN(row)
{
	field_down(&self->field);
}

static void make(struct field *field, const char *name, enum kind kind)
{
	define(field, field->source, name, "now");
	start(field, name);
	if (kind == TRANSIENT)
		ASSERT_SH(field->source, VIRSH "undefine %s", name);
	if (kind == DIFFERS)
		ASSERT_SH(field->source, VIRSH "desc %s --config --title next", name);
}

TEST_F_TIMEOUT(row, leaves_what_the_table_says, TIMEOUT_S)
{
	static const char *const names[] = { GUEST, OTHER };
	struct field *field = &self->field;
	char options[128];
	int i;

	snprintf(options, sizeof(options), "\"live\":true%s", variant->options);
	define(field, field->dest, OTHER, "old");
	for (i = 0; i < 2; i++) {
		make(field, names[i], variant->kind);
		arrives(field, names[i], options);
		EXPECT_STREQ(variant->source, known(field, field->source, names[i]));
		EXPECT_STREQ(i ? variant->old : variant->dest,
			     known(field, field->dest, names[i]));
	}
}

/* ---- what a definition is made of ----------------------------------------- */

#define BOTH		"\"live\":true,\"persistent\":true,\"undefine_source\":true"

FIXTURE(definition) {
	struct field field;
};

FIXTURE_SETUP(definition)
{
	struct field *field = &self->field;

	field_up(field);
	if (!field->source)
		return;
	define(field, field->source, GUEST, "now");
	start(field, GUEST);
}

FIXTURE_TEARDOWN(definition)
{
	field_down(&self->field);
}

/* What of a definition matches, line by line in one line. */
static const char *grep(struct field *field, const char *dumpxml,
			const char *pattern)
{
	ASSERT_SH(field->dest, VIRSH "dumpxml %s | grep -oE \"%s\" | tr '\\n' ' '",
		  dumpxml, pattern);
	return field->text;
}

/* A disk each, and the same for what it is attached to. */
TEST_F_TIMEOUT(definition, device_plugged_live_is_in_the_live_one, TIMEOUT_S)
{
	static const char targets[] = "target dev='(sd|vd)[a-z]'";
	struct field *field = &self->field;

	ASSERT_SH(field->source, "cd " VIRT_SHARED " && truncate -s 1M live next && "
		  "chown libvirt-qemu live next && "
		  VIRSH "attach-disk " GUEST " " VIRT_SHARED "/live vdb --live && "
		  VIRSH "attach-disk " GUEST " " VIRT_SHARED "/next vdc --config && "
		  VIRSH "attach-interface " GUEST " bridge " SEGMENT_BRIDGE
		  " --model virtio --mac 52:54:00:99:00:21 --live");
	arrives(field, GUEST, BOTH);
	EXPECT_STREQ("target dev='vdb' ", grep(field, GUEST, targets));
	EXPECT_STREQ("52:54:00:99:00:21 ", grep(field, GUEST, "52:54[:0-9]*"));
	EXPECT_STREQ("target dev='vdc' ", grep(field, "--inactive " GUEST, targets));
	EXPECT_STREQ("", grep(field, "--inactive " GUEST, "52:54[:0-9]*"));
	ASSERT_SH(field->dest, VIRSH "destroy " GUEST " && " VIRSH "start " GUEST);
	EXPECT_STREQ("target dev='vdc' ", grep(field, GUEST, targets));
}

TEST_F_LONG(definition, texts_are_kept, TIMEOUT_S)
{
	static const char texts[] = "(live|next) (told|noted)";
	struct field *field = &self->field;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_SH(field->source, VIRSH "desc " GUEST " --%s '%s told' && "
			  VIRSH "metadata " GUEST " http://example.com/ --key k "
			  "--%s --set '<a>%s noted</a>'", i ? "live" : "config",
			  i ? "live" : "next", i ? "live" : "config",
			  i ? "live" : "next");
	arrives(field, GUEST, BOTH);
	EXPECT_STREQ("live told live noted ", grep(field, GUEST, texts));
	EXPECT_STREQ("next told next noted ", grep(field, "--inactive " GUEST, texts));
	EXPECT_STREQ("running, live: now, stored: now",
		     known(field, field->dest, GUEST));
}

TEST_F_TIMEOUT(definition, autostart_is_as_at_the_source, TIMEOUT_S)
{
	struct field *field = &self->field;

	define(field, field->dest, OTHER, "old");
	define(field, field->source, OTHER, "now");
	start(field, OTHER);
	ASSERT_SH(field->dest, VIRSH "autostart " OTHER);
	ASSERT_SH(field->source, VIRSH "autostart " GUEST);
	arrives(field, GUEST, BOTH);
	arrives(field, OTHER, BOTH);
	EXPECT_STREQ("running, live: now, stored: now, autostart",
		     known(field, field->dest, GUEST));
	EXPECT_STREQ("running, live: now, stored: now",
		     known(field, field->dest, OTHER));
}

TEST_F_LONG(definition, autostart_stays_without_persistent, TIMEOUT_S)
{
	struct field *field = &self->field;

	define(field, field->dest, GUEST, "old");
	ASSERT_SH(field->dest, VIRSH "autostart " GUEST);
	arrives(field, GUEST, "\"live\":true");
	EXPECT_STREQ("running, live: now, stored: old, autostart",
		     known(field, field->dest, GUEST));
	EXPECT_STREQ("shut off, stored: now", known(field, field->source, GUEST));
}

TEST_F_TIMEOUT(definition, dname_renames_both, TIMEOUT_S)
{
	struct field *field = &self->field;

	arrives(field, GUEST, BOTH ",\"dest_name\":\"new\"");
	EXPECT_STREQ("nothing", known(field, field->dest, GUEST));
	EXPECT_STREQ("running, live: now, stored: now",
		     known(field, field->dest, "new"));
	EXPECT_STREQ(GUEST_UUID " ", grep(field, "new", GUEST_UUID));
	EXPECT_STREQ(GUEST_UUID " ", grep(field, "--inactive new", GUEST_UUID));
	EXPECT_STREQ("nothing", known(field, field->source, GUEST));
}

/* Definitions of the guest, changed by sed, at /tmp of the source. */
static void edit(struct field *field, const char *file, const char *script)
{
	ASSERT_SH(field->source, VIRSH "dumpxml --security-info --migratable "
		  GUEST " | sed \"%s\" > " VIRT_PRIVATE "/%s", script, file);
}

TEST_F_TIMEOUT(definition, files_are_what_is_there, TIMEOUT_S)
{
	struct field *field = &self->field;

	ASSERT_SH(field->source, VIRSH "autostart " GUEST);
	edit(field, "live.xml", "s:<title>now:<title>given:");
	edit(field, "next.xml", "s:<title>now:<title>next:");
	EXPECT_EQ(0, command(field, "--persistent --dname new --xml " VIRT_PRIVATE
			     "/live.xml --persistent-xml " VIRT_PRIVATE "/next.xml")) {
		TH_LOG("%s", field->text);
	}
	EXPECT_STREQ("running, live: given, stored: next, autostart",
		     known(field, field->dest, "new"));
	EXPECT_STREQ("shut off, stored: now, autostart",
		     known(field, field->source, GUEST));
}

TEST_F_LONG(definition, files_are_read_from_where_one_is, TIMEOUT_S)
{
	struct field *field = &self->field;

	EXPECT_EQ(2, command(field, "--xml nowhere.xml"));
	EXPECT_NE(NULL, strstr(field->text, "no such file"));
	EXPECT_EQ(2, command(field, "--persistent-xml /etc/hosts"));
	EXPECT_NE(NULL, strstr(field->text, "add --persistent")) {
		TH_LOG("%s", field->text);
	}
	EXPECT_EQ(-EINVAL, migrate(field, GUEST, "\"xml\":\"nowhere.xml\""));
}

TEST_F_LONG(definition, snapshots_are_not_lost, TIMEOUT_S)
{
	struct field *field = &self->field;

	ASSERT_SH(field->source, "cd " VIRT_PRIVATE " && echo '<domainsnapshot>"
		  "<name>s</name><state>shutoff</state><creationTime>1</creationTime>' > s.xml && "
		  VIRSH "dumpxml --inactive " GUEST " >> s.xml && "
		  "echo '</domainsnapshot>' >> s.xml && "
		  VIRSH "snapshot-create " GUEST " s.xml --redefine");
	stays(field, BOTH, "its 1 snapshots and 0 checkpoints, which do not move");
	EXPECT_STREQ("running, live: now, stored: now",
		     known(field, field->source, GUEST));
	arrives(field, GUEST, "\"live\":true,\"persistent\":true");
	ASSERT_SH(field->source, VIRSH "snapshot-list " GUEST " --name");
	EXPECT_STREQ("s", field->text);
}

/* Its file is the guest's memory written down: at the dest a new one. */
TEST_F_LONG(definition, nvram_stays_where_it_is, TIMEOUT_S)
{
	const struct domain domain = {
		.name = OTHER, .uuid = OTHER_UUID, .memory_mib = 128,
		.machine = "q35", .ovmf = true,
	};
	struct field *field = &self->field;

	ASSERT_EQ(0, domain_define(field->source, &domain,
				   &field->journey.ground.fail));
	start(field, OTHER);
	arrives(field, OTHER, BOTH);
	ASSERT_SH(field->source, "stat -c %%s " VIRT_PRIVATE "/" OTHER ".nvram");
	EXPECT_STREQ("540672", field->text);
	ASSERT_SH(field->dest, "stat -c %%s " VIRT_PRIVATE "/" OTHER ".nvram");
	EXPECT_STREQ("540672", field->text);
	EXPECT_STREQ("nothing", known(field, field->source, OTHER));
	EXPECT_STREQ("running, live: , stored: ", known(field, field->dest, OTHER));
}

/* What lies at the dest, as a worker would keep it before it replaces it. */
static int keep_leased(struct field *field)
{
	static const char head[] = "<?straddle autostart='yes'?>\n";
	char before[XML_SIZE] = "";

	strcpy(before, head);
	ASSERT_EQ(0, journey_virsh(field->dest, before + strlen(head),
				   sizeof(before) - strlen(head), "dumpxml",
				   "--inactive", GUEST, NULL));
	return hold_loaded(field->dest, GUEST, before);
}

/*
 * The dest is held up just before it stores the definition, by a lease on what
 * it keeps; then its agent dies, so that GO cannot be journalled.
 */
TEST_F_TIMEOUT(definition, one_that_was_replaced_is_restored_before_go, TIMEOUT_S)
{
	struct field *field = &self->field;
	struct journey *journey = &field->journey;
	const struct host *dest = field->dest->host;
	int lease, worker;

	define(field, field->dest, GUEST, "old");
	ASSERT_SH(field->dest, VIRSH "autostart " GUEST);
	lease = keep_leased(field);
	ASSERT_EQ(0, move_start(&journey->move, field->source->host, GUEST,
				dest->address, BOTH));
	hold_reached(field->dest, journey->move.id, "LOADED");
	worker = sys_pidfd_open(host_worker(dest, "dest"));
	ASSERT_LE(0, worker);
	kill(journey->agents[1], SIGKILL);
	ASSERT_EQ(128 + SIGKILL, process_wait(journey->agents[1], -1));
	close(lease);
	ASSERT_EQ(0, sys_wait_fd(worker, POLLIN, 60000));
	close(worker);
	/* The worker cannot know whether GO was written: the next agent does. */
	journey->agents[1] = journey_agent(field->dest, NULL);
	EXPECT_EQ(-ECANCELED, move_wait(&journey->move));
	EXPECT_STREQ("RESUMED", journey->move.state);
	move_end(&journey->move);
	EXPECT_STREQ("running, live: now, stored: now",
		     known(field, field->source, GUEST));
	EXPECT_STREQ("shut off, stored: old, autostart",
		     known(field, field->dest, GUEST));
}

/* ---- what is refused ------------------------------------------------------ */

FIXTURE(refused) {
	FIXTURE_DATA(definition) base;
};

FIXTURE_VARIANT(refused) {
	const char *option, *script, *words;
};

#define XML		"\"xml\":\"" VIRT_PRIVATE "/file.xml\""
#define PERSISTENT_XML	"\"persistent\":true,\"persistent_xml\":\"" VIRT_PRIVATE "/file.xml\""
#define REFUSED(name, ...) FIXTURE_VARIANT_ADD(refused, name) { __VA_ARGS__ }

REFUSED(xml_of_another_name, XML, "s:<name>db:<name>dc:",
	"the file of --xml has 'dc' as /domain/name, and the guest 'db'");
REFUSED(xml_of_another_uuid, XML, "s:<uuid>6:<uuid>7:", "as /domain/uuid");
REFUSED(xml_that_is_none, XML, "s:</name>::", "the file of --xml is no XML");
REFUSED(xml_of_another_machine, XML, "/memory/s:65536:131072:;/Memory/s:65536:131072:",
	"Target domain max memory 131072 does not match source 65536");
REFUSED(persistent_xml_of_another_name, PERSISTENT_XML, "s:<name>db:<name>dc:",
	"the file of --persistent-xml has 'dc'");
REFUSED(persistent_xml_without_uuid, PERSISTENT_XML, "/<uuid>/d",
	"has '' as /domain/uuid");
/* ... which only libvirt of the dest finds out, when the guest stands still. */
REFUSED(persistent_xml_of_no_machine, PERSISTENT_XML, "s:machine='[^']*:machine='pc-none:",
	"pc-none");

FIXTURE_SETUP(refused)
{
	fixture_setup_definition_body(&self->base, NULL);
}

FIXTURE_TEARDOWN(refused)
{
	fixture_teardown_definition_body(&self->base, NULL);
}

TEST_F_LONG(refused, file_leaves_all_as_it_was, TIMEOUT_S)
{
	struct field *field = &self->base.field;

	define(field, field->dest, GUEST, "old");
	ASSERT_SH(field->dest, VIRSH "autostart " GUEST);
	edit(field, "file.xml", variant->script);
	stays(field, variant->option, variant->words);
	EXPECT_STREQ("running, live: now, stored: now",
		     known(field, field->source, GUEST));
	EXPECT_STREQ("shut off, stored: old, autostart",
		     known(field, field->dest, GUEST));
	EXPECT_EQ(0, host_files(field->dest->host, "incoming-"));
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
