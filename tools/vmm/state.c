// SPDX-License-Identifier: LGPL-2.1-or-later
/* state.c - written and read; what is read may come from anybody. */
#include "tools/vmm/state.h"

#include <assert.h>
#include <endian.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/guest.h"
#include "sys.h"
#include "tools/vmm/console.h"
#include "tools/vmm/guest/abi.h"

static_assert(sizeof(struct state_header) == 40, "no holes on the wire");
static_assert(sizeof(struct state_section) == 16, "no holes on the wire");

/* How long the payload of a type may be. */
static const struct rule {
	const char *name;	/* NULL: no such type */
	bool of_machine;
	uint32_t min, max, multiple;
} rules[STATE_TYPE_COUNT] = {
	[STATE_CONSOLE] = { "console", true, 0, CONSOLE_SIZE, 1 },
	[STATE_COUNTERS] = { "counters", false, 16, 16, 8 },
#define FIXED(type, text, what) \
	[type] = { text, false, sizeof(what), sizeof(what), 1 }
	FIXED(STATE_REGS, "regs", struct kvm_regs),
	FIXED(STATE_SREGS, "sregs", struct kvm_sregs),
	FIXED(STATE_FPU, "fpu", struct kvm_fpu),
	[STATE_XSAVE] = { "xsave", false, sizeof(struct kvm_xsave), 1u << 16,
			  4 },
	FIXED(STATE_XCRS, "xcrs", struct kvm_xcrs),
	[STATE_MSRS] = { "msrs", false, 0,
			 1024 * sizeof(struct kvm_msr_entry),
			 sizeof(struct kvm_msr_entry) },
	FIXED(STATE_DEBUGREGS, "debugregs", struct kvm_debugregs),
	FIXED(STATE_EVENTS, "events", struct kvm_vcpu_events),
	FIXED(STATE_MP_STATE, "mp_state", struct kvm_mp_state),
	FIXED(STATE_LAPIC, "lapic", struct kvm_lapic_state),
#undef FIXED
};

/**
 * state_type_name() - a section's name for messages
 * @type: of a known type
 *
 * Return: a constant string.
 */
const char *state_type_name(enum state_type type)
{
	return rules[type].name;
}

static size_t padded(size_t length)
{
	return (length + 7) & ~(size_t)7;
}

static void append(struct state_writer *writer, const void *bytes,
		   size_t length)
{
	if (writer->err)
		return;
	if (writer->room - writer->used < padded(length)) {
		size_t room = 2 * writer->room + padded(length) + 4096;
		uint8_t *more = realloc(writer->bytes, room);

		if (!more) {
			writer->err = -ENOMEM;
			return;
		}
		writer->bytes = more;
		writer->room = room;
	}
	if (length)
		memcpy(writer->bytes + writer->used, bytes, length);
	memset(writer->bytes + writer->used + length, 0,
	       padded(length) - length);
	writer->used += padded(length);
}

/**
 * state_begin() - start a state
 * @writer: initialised
 * @header: engine, vcpus and memory are taken from it
 */
void state_begin(struct state_writer *writer,
		 const struct state_header *header)
{
	struct state_header le = {
		.version = htole32(STATE_VERSION),
		.engine = htole32(header->engine),
		.vcpus = htole32(header->vcpus),
		.memory = htole64(header->memory),
	};

	memcpy(le.magic, STATE_MAGIC, sizeof(le.magic));
	*writer = (struct state_writer){ 0 };
	append(writer, &le, sizeof(le));
}

static void add_section(struct state_writer *writer, enum state_type type,
			uint32_t vcpu, uint32_t flags, const void *payload,
			size_t length)
{
	struct state_section le = {
		.type = htole32(type),
		.vcpu = htole32(vcpu),
		.flags = htole32(flags),
		.length = htole32((uint32_t)length),
	};
	struct state_header *header;

	append(writer, &le, sizeof(le));
	append(writer, payload, length);
	if (writer->err)
		return;
	header = (struct state_header *)writer->bytes;
	header->sections = htole32(le32toh(header->sections) + 1);
}

/**
 * state_add() - append a section
 * @writer: after state_begin()
 * @type: what it is
 * @vcpu: whose, or STATE_MACHINE
 * @payload: its bytes, copied
 * @length: how many
 */
void state_add(struct state_writer *writer, enum state_type type,
	       uint32_t vcpu, const void *payload, size_t length)
{
	add_section(writer, type, vcpu, 0, payload, length);
}

/**
 * state_add_absent() - say that this host's KVM has no such state
 * @writer: after state_begin()
 * @type: what there is not
 * @vcpu: whose
 */
void state_add_absent(struct state_writer *writer, enum state_type type,
		      uint32_t vcpu)
{
	add_section(writer, type, vcpu, STATE_ABSENT, NULL, 0);
}

/**
 * state_finish() - end a state and put it into a memfd
 * @writer: freed, also on error
 * @fd: receives the memfd, its offset at 0
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int state_finish(struct state_writer *writer, int *fd, struct fail *fail)
{
	__cleanup_free uint8_t *bytes = writer->bytes;
	__cleanup_fd int got = -1;
	int ret = writer->err;

	writer->bytes = NULL;
	if (ret)
		return fail_set(fail, ret, "cannot save device state: %s",
				strerror(-ret));
	((struct state_header *)bytes)->length = htole64(writer->used);
	got = sys_ret(memfd_create("straddle-state", MFD_CLOEXEC));
	if (got < 0)
		return fail_set(fail, got, "cannot save device state: %s",
				strerror(-got));
	ret = sys_pwrite_all(got, bytes, writer->used, 0);
	if (ret)
		return fail_set(fail, ret, "cannot save device state: %s",
				strerror(-ret));
	*fd = take_fd(&got);
	return 0;
}

static struct state_section section_at(const struct state *state, size_t at)
{
	struct state_section section;

	memcpy(&section, state->bytes + at, sizeof(section));
	section.type = le32toh(section.type);
	section.vcpu = le32toh(section.vcpu);
	section.flags = le32toh(section.flags);
	section.length = le32toh(section.length);
	return section;
}

static bool section_legal(const struct state *state,
			  const struct state_section *section)
{
	const struct rule *rule;

	if (section->type >= STATE_TYPE_COUNT ||
	    !rules[section->type].name ||
	    section->flags & ~STATE_ABSENT)
		return false;
	rule = &rules[section->type];
	if (rule->of_machine ? section->vcpu != STATE_MACHINE :
			       section->vcpu >= state->header.vcpus)
		return false;
	if (section->flags & STATE_ABSENT)
		return !section->length;
	return section->length >= rule->min && section->length <= rule->max &&
	       !(section->length % rule->multiple);
}

/* Every section is legal, none is there twice, and they fill the file. */
static int check_sections(const struct state *state, struct fail *fail)
{
	bool seen[STATE_TYPE_COUNT][GUEST_VCPUS_MAX] = { { false } };
	size_t at = sizeof(state->header);

	for (uint32_t i = 0; i < state->header.sections; i++) {
		struct state_section section;
		bool *before;

		if (state->size - at < sizeof(section))
			return fail_set(fail, -EPROTO,
					"device state ends within section %u",
					i);
		section = section_at(state, at);
		at += sizeof(section);
		if (!section_legal(state, &section) ||
		    padded(section.length) > state->size - at)
			return fail_set(fail, -EPROTO,
					"device state has a malformed section %u (type %u, vCPU "
					"%u, %u bytes)",
					i, section.type, section.vcpu,
					section.length);
		before = &seen[section.type][section.vcpu % GUEST_VCPUS_MAX];
		if (*before)
			return fail_set(fail, -EPROTO,
					"device state has section %s twice",
					rules[section.type].name);
		*before = true;
		at += padded(section.length);
	}
	if (at != state->size)
		return fail_set(fail, -EPROTO,
				"device state has %zu bytes after its last section",
				state->size - at);
	return 0;
}

static int check_header(struct state *state, struct fail *fail)
{
	struct state_header *header = &state->header;

	memcpy(header, state->bytes, sizeof(*header));
	header->version = le32toh(header->version);
	header->engine = le32toh(header->engine);
	header->vcpus = le32toh(header->vcpus);
	header->sections = le32toh(header->sections);
	header->memory = le64toh(header->memory);
	header->length = le64toh(header->length);
	if (memcmp(header->magic, STATE_MAGIC, sizeof(header->magic)))
		return fail_set(fail, -EPROTO,
				"this is not a device state of straddle-vmm");
	if (header->version != STATE_VERSION)
		return fail_set(fail, -EPROTONOSUPPORT,
				"device state of version %u; this straddle-vmm reads %u",
				header->version, STATE_VERSION);
	if (header->length != state->size)
		return fail_set(fail, -EPROTO,
				"device state says %llu bytes but has %zu",
				(unsigned long long)header->length,
				state->size);
	if (!header->vcpus || header->vcpus > GUEST_VCPUS_MAX)
		return fail_set(fail, -EPROTO, "device state of %u vCPUs",
				header->vcpus);
	return check_sections(state, fail);
}

/**
 * state_read() - read a state and check its form
 * @fd: any file that can be read from offset 0; stays open
 * @state: receives a copy that @fd's owner cannot change
 * @fail: says what is wrong with it
 *
 * Return: 0, -EPROTO, -EPROTONOSUPPORT, -E2BIG or -errno.
 */
int state_read(int fd, struct state *state, struct fail *fail)
{
	struct state got = { 0 };
	struct stat st;
	int ret = sys_ret(fstat(fd, &st));

	if (ret)
		return fail_set(fail, ret, "cannot read device state: %s",
				strerror(-ret));
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(got.header))
		return fail_set(fail, -EPROTO,
				"this is not a device state of straddle-vmm");
	if (st.st_size > (off_t)GUEST_STATE_MAX)
		return fail_set(fail, -E2BIG, "device state of %lld bytes is too long",
				(long long)st.st_size);
	got.size = (size_t)st.st_size;
	got.bytes = malloc(got.size);
	if (!got.bytes)
		return fail_set(fail, -ENOMEM, "no memory for device state");
	if (sys_retry(pread(fd, got.bytes, got.size, 0)) !=
	    (ssize_t)got.size)
		ret = fail_set(fail, -EIO, "cannot read device state");
	else
		ret = check_header(&got, fail);
	if (ret) {
		free(got.bytes);
		return ret;
	}
	*state = got;
	return 0;
}

/**
 * state_free() - forget a state
 * @state: of state_read(), or all zero
 */
void state_free(struct state *state)
{
	free(state->bytes);
	*state = (struct state){ 0 };
}

/**
 * state_find() - look up a section
 * @state: of state_read()
 * @type: which
 * @vcpu: whose, or STATE_MACHINE
 * @payload: receives where its bytes are, 8-byte aligned
 * @length: receives how many
 *
 * Return: 0, -ENODATA (said to be absent) or -ENOENT (not mentioned).
 */
int state_find(const struct state *state, enum state_type type, uint32_t vcpu,
	       const void **payload, size_t *length)
{
	size_t at = sizeof(state->header);

	for (uint32_t i = 0; i < state->header.sections; i++) {
		struct state_section section = section_at(state, at);

		at += sizeof(section);
		if (section.type == (uint32_t)type && section.vcpu == vcpu) {
			if (section.flags & STATE_ABSENT)
				return -ENODATA;
			*payload = state->bytes + at;
			*length = section.length;
			return 0;
		}
		at += padded(section.length);
	}
	return -ENOENT;
}
