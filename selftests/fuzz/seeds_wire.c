/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds_wire.c - what hosts say to each other, as the real senders say it. */
#include <endian.h>
#include <string.h>

#include "copy/dest.h"
#include "copy/lane.h"
#include "copy/source.h"
#include "protocol/accept.h"
#include "protocol/channel.h"
#include "protocol/cookie.h"
#include "protocol/particulars.h"
#include "protocol/phase.h"
#include "protocol/preamble.h"
#include "seeds.h"
#include "sys.h"

#define UUID	"c7a5fdbd-edaf-9455-926a-d65c16db1809"

static struct seed seed;

/* ---- frames -------------------------------------------------------------- */

/* As frame.c reads it: 48 bytes as they are, then pages of one byte each. */
static void frame_add(const struct frame *frame)
{
	uint64_t payload = frame_payload(frame), piece;
	uint8_t wire[FRAME_HEADER_SIZE];

	frame_encode(frame, wire);
	seed_add_byte(&seed, FRAME_HEADER_SIZE - 1);
	seed_add(&seed, wire, sizeof(wire));
	for (; payload; payload -= piece) {
		piece = payload < 128 * 64 ? payload : 128 * 64;
		seed_add_byte(&seed, (unsigned int)(0x7f + piece / 64));
		seed_add_byte(&seed, 0x5a);
	}
}

/* Packed pages, as they are: below 128 bytes of them. */
static void packed_write(struct region *region)
{
	struct frame frame = { FRAME_PACKED, 1, region, 7, 2, { 1, 2 }, 0 };
	uint8_t pages[2 * 4096], wire[FRAME_HEADER_SIZE];
	struct packer *packer;
	const void *packed;

	memset(pages, 0x5a, sizeof(pages));
	FUZZ_CHECK(!packer_create(sizeof(pages), &packer));
	frame.packed = (uint32_t)packer_run(packer, pages, sizeof(pages), &packed);
	FUZZ_CHECK(frame.packed && frame.packed <= 128);
	frame_encode(&frame, wire);
	seed_start(&seed);
	seed_add_byte(&seed, 2);
	seed_add_byte(&seed, FRAME_HEADER_SIZE - 1);
	seed_add(&seed, wire, sizeof(wire));
	seed_add_byte(&seed, frame.packed - 1);
	seed_add(&seed, packed, frame.packed);
	seed_write("frame", "packed", seed.bytes, seed.size);
	packer_destroy(packer);
}

/**
 * seeds_frame() - a round on a push lane, wants on a fault lane
 */
void seeds_frame(void)
{
	static struct region_map map;
	struct frame frames[] = {
		{ FRAME_DATA, 1, &map.regions[0], 0, 16, { 1, 2 }, 0 },
		{ FRAME_ZERO, 1, &map.regions[0], 16, 984, { 3, 4 }, 0 },
		{ FRAME_ZERO, 1, &map.regions[1], 5, 1 << 20, { 3, 4 }, 0 },
		{ FRAME_BARRIER, 1, NULL, 0, 0, { 0, 0 }, 0 },
		{ FRAME_DATA, 2, &map.regions[0], 999, 1, { 5, 6 }, 0 },
		{ FRAME_WANT, 2, &map.regions[0], 7, 16, { 0, 0 }, 0 },
		{ FRAME_DATA, 2, &map.regions[1], 3, 1, { 7, 8 }, 0 },
		{ FRAME_WANT, 2, &map.regions[1], 7, 1, { 0, 0 }, 0 },
	};
	size_t i;

	fuzz_region(&map, 12, 1000);
	fuzz_region(&map, 21, 1ull << 22);
	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		char name[16];

		seed_start(&seed);
		seed_add_byte(&seed, 1);
		frame_add(&frames[i]);
		snprintf(name, sizeof(name), "%zu", i);
		seed_write("frame", name, seed.bytes, seed.size);
	}
	seed_start(&seed);
	seed_add_byte(&seed, 1);
	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		frame_add(&frames[i]);
	seed_write("frame", "all", seed.bytes, seed.size);
	packed_write(&map.regions[0]);
}

/* ---- control messages ---------------------------------------------------- */

/* What a body of each type may look like; every field is there. */
struct bodies {
	ProtobufCBinaryData cookie;
	Straddle__Region region[2], *regions[2];
	Straddle__Disk disk[2], *disks[2];
	Straddle__RegionProof proof[2], *proofs[2];
	uint32_t copy[2];
	Straddle__Prepare prepare;
	Straddle__Prepared prepared;
	Straddle__Barrier barrier;
	Straddle__State state;
	Straddle__Finish finish;
	Straddle__Answer answer;
	Straddle__Query query;
	Straddle__Cancel cancel;
	Straddle__Confirmed confirmed;
	Straddle__Failed failed;
	Straddle__Progress progress;
	Straddle__PageSet set;
	Straddle__Recover recover;
	Straddle__Supersede supersede;
	Straddle__Recovered recovered;
	Straddle__Broken broken;
};

static uint8_t bytes32[32] = "0123456789abcdef0123456789abcdef";

static void cookie_make(struct bodies *b)
{
	struct cookie cookie;

	cookie_init(&cookie);
	cookie.stopped_ns = cookie.started_ns = 1790000000000000000ull;
	cookie.downtime_ns = cookie.total_ns = cookie.load_ns = 123456789;
	cookie.arm_ns = cookie.resume_ns = 1000;
	FUZZ_CHECK(!cookie_bake(&cookie, &b->cookie));
	seed_write("cookie", "all", b->cookie.data, b->cookie.len);
}

static void guest_make(struct guest_description *guest, struct guest_disk *disks)
{
	static const struct guest_disk disk = {
		.target = "vda", .path = "/var/lib/libvirt/images/db1.qcow2",
		.filesystem = 0xef53, .device = 64769, .inode = 131,
		.identity = "naa.600140512345", .capacity = 1 << 30,
		.allocation = 1 << 20, .backing = "/images/base.qcow2",
		.backing_format = "qcow2",
	};
	static const struct guest_region region = {
		.name = "pc.ram", .size = 64 << 20, .page_size = 4096,
		.shared = true, .physical = 0,
	};

	disks[0] = disks[1] = disk;
	guest->disks = disks;
	guest->disk_count = 2;
	guest->regions[0] = guest->regions[1] = region;
	guest->regions[1].physical = GUEST_NOWHERE;
	guest->region_count = 2;
}

static void prepare_make(struct bodies *b)
{
	static struct guest_description guest;
	static struct guest_disk disks[2];
	Straddle__Prepare *p = &b->prepare;

	guest_make(&guest, disks);
	straddle__prepare__init(p);
	regions_say(&guest, b->region, b->regions);
	disks_say(&guest, b->disk, b->disks);
	p->guest = p->dest_name = (char *)"db1";
	p->uuid = (char *)UUID;
	p->live = (char *)"{ \"name\": \"db1\",\n\t\"uuid\": \"" UUID "\" }";
	p->given = p->live;
	p->n_regions = p->n_disks = 2;
	p->regions = b->regions;
	p->disks = b->disks;
	p->vcpus = 2;
	p->epoch = 7;
	p->hypervisor = (char *)"libvirt";
	p->version = (char *)"QEMU 7.2.0 (Debian 1:7.2+dfsg-7)";
	p->boot_id = (char *)UUID;
	p->has_cookie = p->has_paused = p->has_postcopy = true;
	p->has_copy_storage = p->has_packs = p->packs = true;
	p->copy_storage = STRADDLE__COPY_STORAGE__COPY_INC;
	p->cookie = b->cookie;
}

static void dest_bodies_make(struct bodies *b)
{
	unsigned int i;

	straddle__prepared__init(&b->prepared);
	b->prepared.token = (ProtobufCBinaryData){ sizeof(bytes32), bytes32 };
	b->prepared.fault_lanes = b->prepared.push_lanes = 2;
	b->prepared.has_cookie = true;
	b->prepared.cookie = b->cookie;
	b->prepared.host = (char *)"h\xc3\xb6st";
	b->prepared.has_packs = b->prepared.packs = true;
	b->prepared.n_copy = 2;
	b->prepared.copy = b->copy;
	straddle__answer__init(&b->answer);
	for (i = 0; i < 2; i++) {
		straddle__region_proof__init(&b->proof[i]);
		b->proof[i].region = i;
		b->proof[i].sum_high = UINT64_MAX;
		b->proofs[i] = &b->proof[i];
	}
	b->answer.kind = STRADDLE__ANSWER_KIND__COMPLETE;
	b->answer.reason = (char *)"no reason";
	b->answer.n_proof = 2;
	b->answer.proof = b->proofs;
	b->answer.has_cookie = b->answer.has_epoch = true;
	b->answer.cookie = b->cookie;
	straddle__failed__init(&b->failed);
	b->failed.reason = (char *)"the disk is full";
	straddle__progress__init(&b->progress);
	b->progress.has_missing_pages = true;
	b->progress.missing_pages = 1ull << 40;
	straddle__recovered__init(&b->recovered);
	b->recovered.token = b->prepared.token;
	b->recovered.generation = 6;
	b->recovered.fault_lanes = b->recovered.push_lanes = 2;
	b->recovered.has_packs = b->recovered.packs = true;
	straddle__broken__init(&b->broken);
	b->broken.reason = (char *)"Connection reset by peer";
	straddle__barrier__init(&b->barrier);
	b->barrier.generation = 3;
}

static void source_bodies_make(struct bodies *b)
{
	straddle__state__init(&b->state);
	b->state.total = b->state.data.len = sizeof(bytes32);
	b->state.data.data = bytes32;
	b->state.has_ahead = true;
	straddle__finish__init(&b->finish);
	b->finish.generation = 4;
	b->finish.persistent = (char *)"<domain/>\n";
	b->finish.has_cookie = true;
	b->finish.cookie = b->cookie;
	straddle__query__init(&b->query);
	b->query.migration = (ProtobufCBinaryData){ MIGRATION_ID_SIZE, bytes32 };
	straddle__cancel__init(&b->cancel);
	b->cancel.reason = (char *)"aborted by the user";
	straddle__confirmed__init(&b->confirmed);
	b->confirmed.has_cookie = true;
	b->confirmed.cookie = b->cookie;
	straddle__recover__init(&b->recover);
	b->recover.generation = 5;
	b->recover.has_packs = b->recover.packs = true;
	straddle__supersede__init(&b->supersede);
	b->supersede.migration = b->query.migration;
	b->supersede.epoch = 9;
	straddle__page_set__init(&b->set);
	b->set.pages = 64;
	b->set.bitmap = (ProtobufCBinaryData){ sizeof(bytes32), bytes32 };
}

static const ProtobufCMessage *body_of(struct bodies *b, enum message_type type)
{
	switch (type) {
	case MSG_PREPARE: return &b->prepare.base;
	case MSG_PREPARED: return &b->prepared.base;
	case MSG_BARRIER: return &b->barrier.base;
	case MSG_KEEP: return &b->set.base;
	case MSG_STATE: return &b->state.base;
	case MSG_FINISH: return &b->finish.base;
	case MSG_ANSWER: return &b->answer.base;
	case MSG_QUERY: return &b->query.base;
	case MSG_CANCEL: return &b->cancel.base;
	case MSG_CONFIRMED: return &b->confirmed.base;
	case MSG_FAILED: return &b->failed.base;
	case MSG_PROGRESS: return &b->progress.base;
	case MSG_STALE: return &b->set.base;
	case MSG_RECOVER: return &b->recover.base;
	case MSG_PRESENT: return &b->set.base;
	case MSG_RECOVERED: return &b->recovered.base;
	case MSG_BROKEN: return &b->broken.base;
	case MSG_SUPERSEDE: return &b->supersede.base;
	case MSG_PING: return NULL;
	}
	return NULL;
}

/* Into the seed, as it goes over a connection. */
static void message_add(struct channel *channel, int other, struct bodies *b,
			enum message_type type)
{
	FUZZ_CHECK(!message_send(channel, type, body_of(b, type), NULL));
	seed_take(&seed, other);
}

/* Who sends and where the receiver is, in one number, as message.c reads it. */
static bool is_legal(const struct message_rule *rule, unsigned int who)
{
	return rule->senders & 1u << (who & 1) && rule->phases & PHASE_BIT(who / 2);
}

/* All that a side may say in a phase, and what it may not at the end. */
static void phase_seed(struct channel *channel, int other, struct bodies *b,
		       unsigned int who)
{
	char name[64];
	size_t i;

	seed_start(&seed);
	seed_add_byte(&seed, who);
	for (i = 0; i < message_table_count; i++)
		if (is_legal(&message_table[i], who))
			message_add(channel, other, b, message_table[i].type);
	for (i = 0; i < message_table_count; i++)
		if (!is_legal(&message_table[i], who))
			message_add(channel, other, b, message_table[i].type);
	snprintf(name, sizeof(name), "%s-%s", phase_name(who / 2), side_name(who & 1));
	seed_write("message", name, seed.bytes, seed.size);
}

/* A message alone, each where it is legal and where it is not. */
static void message_seed(struct channel *channel, int other, struct bodies *b,
			 const struct message_rule *rule)
{
	unsigned int who, legal = 0, illegal = 0;
	char name[64];

	for (who = 0; who < 2 * PHASE_COUNT; who++)
		*(is_legal(rule, who) ? &legal : &illegal) = who;
	for (who = legal;; who = illegal) {
		seed_start(&seed);
		seed_add_byte(&seed, who);
		message_add(channel, other, b, rule->type);
		snprintf(name, sizeof(name), "%s-%u", rule->name, who);
		seed_write("message", name, seed.bytes, seed.size);
		if (who == illegal)
			return;
	}
}

/**
 * seeds_message() - every message from either side in every phase
 */
void seeds_message(void)
{
	static struct bodies b;
	struct channel *channel;
	unsigned int who;
	size_t i;
	int fds[2];

	cookie_make(&b);
	prepare_make(&b);
	dest_bodies_make(&b);
	source_bodies_make(&b);
	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	FUZZ_CHECK(!channel_wrap(fds[0], &channel));
	for (who = 0; who < 2 * PHASE_COUNT; who++)
		phase_seed(channel, fds[1], &b, who);
	for (i = 0; i < message_table_count; i++)
		message_seed(channel, fds[1], &b, &message_table[i]);
	channel_close(channel);
	close(fds[1]);
	free(b.cookie.data);
}

/* ---- sets of pages ------------------------------------------------------- */

static void set_seed(struct migration *m, int other, enum message_type type,
		     const char *name)
{
	seed_start(&seed);
	seed_add_byte(&seed, type == MSG_PRESENT);
	FUZZ_CHECK(!page_set_send(m, type));
	seed_take(&seed, other);
	seed_write("page_set", name, seed.bytes, seed.size);
}

static void state_seed(struct migration *m, int other)
{
	static const uint8_t state[1000];
	int fd = fuzz_file(state, sizeof(state));

	seed_start(&seed);
	seed_add_byte(&seed, 0);
	FUZZ_CHECK(!state_send(m, fd, true) && !state_send(m, fd, false));
	seed_take(&seed, other);
	seed_write("page_set", "state", seed.bytes, seed.size);
	close(fd);
}

/**
 * seeds_page_set() - KEEP, STALE, PRESENT and the device state
 *
 * The large region of the target is too large to be named here in full.
 */
void seeds_page_set(void)
{
	static struct migration m;
	char states[64];
	int fds[2];

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	FUZZ_CHECK(!channel_wrap(fds[0], &m.channel));
	fuzz_region(&m.map, 12, 1000);
	fuzz_region(&m.map, 12, 9ull << 20);
	FUZZ_CHECK(!source_create(&m.map, 0, &m.source));
	set_seed(&m, fds[1], MSG_KEEP, "keep");
	bitmap_set_range(&m.source->regions[0].dirty, 3, 500);
	bitmap_set_range(&m.source->regions[1].dirty, 64, 5ull << 20);
	set_seed(&m, fds[1], MSG_KEEP, "keep-some");
	set_seed(&m, fds[1], MSG_STALE, "stale");
	state_seed(&m, fds[1]);
	source_destroy(m.source);
	snprintf(states, sizeof(states), "/tmp/seeds-%d", (int)getpid());
	FUZZ_CHECK(!dest_create(&m.map, states, -1, &m.dest));
	set_seed(&m, fds[1], MSG_PRESENT, "present");
	dest_destroy(m.dest);
	unlink(states);
	channel_close(m.channel);
	close(fds[1]);
}

/* ---- first bytes --------------------------------------------------------- */

static void hello_seed(enum channel_role role, unsigned int who, int fd, int other)
{
	struct preamble preamble;
	char name[32];

	preamble_init(&preamble, role, 1, bytes32);
	seed_start(&seed);
	seed_add_byte(&seed, who);
	FUZZ_CHECK(!preamble_send(fd, &preamble));
	seed_take(&seed, other);
	seed_add(&seed, bytes32, TOKEN_SIZE);
	snprintf(name, sizeof(name), "hello-%d-%u", role, who);
	seed_write("handshake", name, seed.bytes, seed.size);
}

static void reply_seed(enum preamble_verdict verdict, enum security security,
		       int fd, int other)
{
	uint32_t welcome = htole32(LANE_WELCOME);
	char name[32];

	seed_start(&seed);
	seed_add_byte(&seed, security == SECURITY_PSK ? 3 : 1);
	FUZZ_CHECK(!preamble_answer(fd, verdict, security));
	FUZZ_CHECK(!sys_write_all(fd, &welcome, sizeof(welcome)));
	seed_take(&seed, other);
	snprintf(name, sizeof(name), "reply-%d-%d", verdict, security);
	seed_write("handshake", name, seed.bytes, seed.size);
}

/**
 * seeds_handshake() - preambles with their token, and answers to them
 */
void seeds_handshake(void)
{
	int fds[2], role, verdict;

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	for (role = ROLE_CONTROL; role <= ROLE_STORAGE; role++) {
		hello_seed(role, 0, fds[0], fds[1]);
		hello_seed(role, 2, fds[0], fds[1]);
	}
	for (verdict = PREAMBLE_WELCOME; verdict <= PREAMBLE_BUSY; verdict++) {
		reply_seed(verdict, SECURITY_NONE, fds[0], fds[1]);
		reply_seed(verdict, SECURITY_PSK, fds[0], fds[1]);
	}
	close(fds[0]);
	close(fds[1]);
}

/* ---- NBD ----------------------------------------------------------------- */

/**
 * seeds_nbd() - what a server of QEMU's answers
 *
 * Greeting, an option, a simple reply that is an error, a structured one.
 */
void seeds_nbd(void)
{
	static const uint8_t greeting[] = {
		'N', 'B', 'D', 'M', 'A', 'G', 'I', 'C',
		'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 3,
	};
	static const uint8_t option[] = {
		0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0,
	};
	static const uint8_t simple[] = {
		0x67, 0x44, 0x66, 0x98, 0, 0, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8,
	};
	static const uint8_t chunk[] = {
		0x66, 0x8e, 0x33, 0xef, 0, 1, 0x80, 1, 1, 2, 3, 4, 5, 6, 7, 8,
		0, 0, 0, 6, 0, 0, 0, 28, 0, 0,
	};
	static const uint8_t size_and_flags[10] = { 0, 0, 0, 0, 0, 16, 0, 0, 0, 7 };

	seed_start(&seed);
	seed_add_byte(&seed, 255);
	seed_add(&seed, greeting, sizeof(greeting));
	seed_add(&seed, option, sizeof(option));
	seed_add(&seed, simple, sizeof(simple));
	seed_add(&seed, chunk, sizeof(chunk));
	seed_write("nbd", "watched", seed.bytes, seed.size);
	seed_start(&seed);
	seed_add_byte(&seed, 0);
	seed_add(&seed, greeting, sizeof(greeting));
	seed_add(&seed, size_and_flags, sizeof(size_and_flags));
	seed_add(&seed, simple, sizeof(simple));
	seed_write("nbd", "flushed", seed.bytes, seed.size);
}
