/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steward_driver.c - guest drivers whose work is done by the steward.
 *
 * Each looks as the driver behind it does, with a function wherever that has one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steward.h"
#include "steward_wire.h"
#include "sys.h"

#define DRIVERS_MAX	3

struct guest {
	uint32_t driver;	/* in guest_drivers[] */
	int pidfd;		/* ours */
	int news;		/* ours; -1: not watched */
};

static int guest_new(uint32_t driver, struct wire *reply, struct guest **guest)
{
	struct guest *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->driver = driver;
	made->news = -1;
	wire_fd(reply, &made->pidfd);
	*guest = made;
	return 0;
}

/* ---- before there is a guest -------------------------------------------- */

static int there_open(uint32_t driver, const char *name, struct guest **guest,
		      struct fail *fail)
{
	char text[GUEST_NAME_MAX] = "";
	struct wire request, reply;
	int ret;

	snprintf(text, sizeof(text), "%s", name);
	wire_init(&request);
	wire_chars(&request, text, sizeof(text));
	ret = steward_ask(STEWARD_OPEN, driver, &request, &reply, fail);
	if (!ret)
		ret = guest_new(driver, &reply, guest);
	wire_fini(&reply);
	return ret;
}

static int there_check(uint32_t driver, const struct guest_incoming *incoming,
		       struct fail *fail)
{
	struct guest_incoming copy = *incoming;
	struct incoming_parts none;
	struct wire request, reply;
	unsigned int i;
	int ret;

	wire_init(&request);
	wire_incoming(&request, &copy, &none);
	ret = steward_ask(STEWARD_CHECK, driver, &request, &reply, fail);
	for (i = 0; i < incoming->disk_count && ret >= 0; i++)
		wire_disk(&reply, &incoming->disks[i]);
	wire_fini(&reply);
	return ret;
}

static int there_create(uint32_t driver, const struct guest_incoming *incoming,
			struct guest **guest, struct fail *fail)
{
	struct guest_incoming copy = *incoming;
	struct incoming_parts none;
	struct wire request, reply;
	int ret;

	wire_init(&request);
	wire_incoming(&request, &copy, &none);
	ret = steward_ask(STEWARD_CREATE, driver, &request, &reply, fail);
	if (!ret)
		ret = guest_new(driver, &reply, guest);
	wire_fini(&reply);
	return ret;
}

static int there_define(uint32_t driver, const char *name, const char *text,
			char **previous, struct fail *fail)
{
	char called[GUEST_NAME_MAX] = "", *own = (char *)(uintptr_t)text;
	struct wire request, reply;
	int ret;

	snprintf(called, sizeof(called), "%s", name);
	wire_init(&request);
	wire_chars(&request, called, sizeof(called));
	wire_text(&request, &own, DEFINITION_MAX);
	ret = steward_ask(STEWARD_DEFINE, driver, &request, &reply, fail);
	if (!ret)
		wire_text(&reply, previous, DEFINITION_MAX);
	wire_fini(&reply);
	return ret;
}

static int there_define_end(uint32_t driver, const char *name, bool keep,
			    struct fail *fail)
{
	char called[GUEST_NAME_MAX] = "";
	struct wire request;
	uint8_t kept = keep;

	snprintf(called, sizeof(called), "%s", name);
	wire_init(&request);
	wire_chars(&request, called, sizeof(called));
	wire_value(&request, &kept);
	return steward_ask(STEWARD_DEFINE_END, driver, &request, NULL, fail);
}

/*
 * A driver's functions are not told which it is: those without a guest are
 * written out for each. Where guests are, the steward knows already.
 */
#define FUNCTIONS_OF(number_)							\
static int open_##number_(const struct guest_host *host, const char *name,	\
			  struct guest **guest, struct fail *fail)		\
{										\
	(void)host;								\
	return there_open(number_, name, guest, fail);				\
}										\
static int check_##number_(const struct guest_host *host,			\
			   const struct guest_incoming *incoming,		\
			   struct fail *fail)					\
{										\
	(void)host;								\
	return there_check(number_, incoming, fail);				\
}										\
static int create_##number_(const struct guest_host *host,			\
			    const struct guest_incoming *incoming,		\
			    struct guest **guest, struct fail *fail)		\
{										\
	(void)host;								\
	return there_create(number_, incoming, guest, fail);			\
}										\
static int define_##number_(const struct guest_host *host, const char *name,	\
			    const char *text, char **previous,			\
			    struct fail *fail)					\
{										\
	(void)host;								\
	return there_define(number_, name, text, previous, fail);		\
}										\
static int define_end_##number_(const struct guest_host *host,			\
				const char *name, bool keep, struct fail *fail)	\
{										\
	(void)host;								\
	return there_define_end(number_, name, keep, fail);			\
}

FUNCTIONS_OF(0)
FUNCTIONS_OF(1)
FUNCTIONS_OF(2)

/* Only agents list guests. */
static int there_list(const struct guest_host *host, guest_each_fn *each,
		      void *arg, struct fail *fail)
{
	(void)host;
	(void)each;
	(void)arg;
	return fail_set(fail, -EOPNOTSUPP, "a worker lists no guests");
}

/* ---- with a guest ------------------------------------------------------- */

static int ask_plain(struct guest *guest, enum steward_verb verb, struct fail *fail)
{
	return steward_ask(verb, guest->driver, NULL, NULL, fail);
}

/* Its answer is a descriptor. */
static int ask_fd(struct guest *guest, enum steward_verb verb, int *fd, struct fail *fail)
{
	struct wire reply;
	int ret = steward_ask(verb, guest->driver, NULL, &reply, fail);

	if (!ret)
		wire_fd(&reply, fd);
	wire_fini(&reply);
	return ret;
}

static void there_close(struct guest *guest)
{
	ask_plain(guest, STEWARD_CLOSE, NULL);
	if (guest->pidfd >= 0)
		close(guest->pidfd);
	if (guest->news >= 0)
		close(guest->news);
	free(guest);
}

/* As each driver tells it. */
static bool there_alive(struct guest *guest)
{
	return guest->pidfd >= 0 && sys_wait_fd(guest->pidfd, POLLIN, 0) == -ETIMEDOUT;
}

static int there_pidfd(struct guest *guest)
{
	return guest->pidfd;
}

static int there_describe(struct guest *guest, struct guest_description *description,
			  struct fail *fail)
{
	struct guest_description got;
	struct wire reply;
	int ret = steward_ask(STEWARD_DESCRIBE, guest->driver, NULL, &reply, fail);

	if (!ret) {
		wire_description(&reply, &got);
		ret = reply.err;
		if (ret)
			guest_description_fini(&got);
		else
			*description = got;
	}
	wire_fini(&reply);
	return ret;
}

/* Only its regions change: its texts do not have to go there and back. */
static int there_map(struct guest *guest, struct guest_description *description,
		     struct fail *fail)
{
	struct guest_description plain = *description, got;
	struct wire request, reply;
	int ret;

	plain.live = plain.persistent = NULL;
	plain.disks = NULL;
	plain.disk_count = plain.region_count = 0;
	wire_init(&request);
	wire_description(&request, &plain);
	ret = steward_ask(STEWARD_MAP, guest->driver, &request, &reply, fail);
	if (!ret) {
		wire_description(&reply, &got);
		ret = reply.err;
		if (!ret) {
			description->region_count = got.region_count;
			memcpy(description->regions, got.regions, sizeof(got.regions));
			got.region_count = 0;
		}
		guest_description_fini(&got);
	}
	wire_fini(&reply);
	return ret;
}

static int there_pause(struct guest *guest, struct fail *fail)
{
	return ask_plain(guest, STEWARD_PAUSE, fail);
}

static int there_resume(struct guest *guest, struct fail *fail)
{
	return ask_plain(guest, STEWARD_RESUME, fail);
}

static int there_watch(struct guest *guest, int *fd, struct fail *fail)
{
	int ret = ask_fd(guest, STEWARD_WATCH, &guest->news, fail);

	if (!ret)
		*fd = guest->news;
	return ret;
}

static enum guest_runs there_runs(struct guest *guest)
{
	int ret = ask_plain(guest, STEWARD_RUNS, NULL);

	return ret < 0 ? GUEST_UNKNOWN : (enum guest_runs)ret;
}

static int there_save_ahead(struct guest *guest, int *fd, struct fail *fail)
{
	return ask_fd(guest, STEWARD_SAVE_AHEAD, fd, fail);
}

static int there_save(struct guest *guest, int *fd, struct fail *fail)
{
	return ask_fd(guest, STEWARD_SAVE, fd, fail);
}

static int hand_fd(struct guest *guest, enum steward_verb verb, int fd, struct fail *fail)
{
	struct wire request;

	wire_init(&request);
	wire_fd(&request, &fd);
	return steward_ask(verb, guest->driver, &request, NULL, fail);
}

static int there_load_ahead(struct guest *guest, int fd, struct fail *fail)
{
	return hand_fd(guest, STEWARD_LOAD_AHEAD, fd, fail);
}

static int there_load(struct guest *guest, int fd, struct fail *fail)
{
	return hand_fd(guest, STEWARD_LOAD, fd, fail);
}

static bool there_loads(struct guest *guest, uint32_t thread)
{
	struct wire request;

	wire_init(&request);
	wire_value(&request, &thread);
	return steward_ask(STEWARD_LOADS, guest->driver, &request, NULL, NULL) > 0;
}

static int there_hold(struct guest *guest, bool hold, struct fail *fail)
{
	struct wire request;
	uint8_t held = hold;

	wire_init(&request);
	wire_value(&request, &held);
	return steward_ask(STEWARD_HOLD, guest->driver, &request, NULL, fail);
}

static void there_check_leaving(struct guest *guest, struct guest_description *description,
				struct guest_leaving *leaving, struct obstacles *all)
{
	struct guest_description got;
	struct guest_leaving left;
	struct wire request, reply;
	struct fail fail = { 0 };
	int ret;

	wire_init(&request);
	wire_description(&request, description);
	wire_leaving(&request, leaving);
	wire_obstacles(&request, all);
	ret = steward_ask(STEWARD_CHECK_LEAVING, guest->driver, &request, &reply, &fail);
	if (!ret) {
		wire_description(&reply, &got);
		wire_leaving(&reply, &left);
		wire_obstacles(&reply, all);
		free(leaving->live);
		free(leaving->persistent);
		*leaving = left;
		guest_description_fini(description);
		*description = got;
		ret = reply.err;
	}
	if (ret)
		obstacle(all, ret, "%s", fail.err ? fail.text : strerror(-ret));
	wire_fini(&reply);
}

static int there_destroy(struct guest *guest, struct fail *fail)
{
	return ask_plain(guest, STEWARD_DESTROY, fail);
}

static void there_forget(struct guest *guest)
{
	ask_plain(guest, STEWARD_FORGET, NULL);
}

static int there_userfaultfd(struct guest *guest, int *uffd, struct fail *fail)
{
	return ask_fd(guest, STEWARD_USERFAULTFD, uffd, fail);
}

static int there_userfaultfd_close(struct guest *guest, struct fail *fail)
{
	return ask_plain(guest, STEWARD_USERFAULTFD_CLOSE, fail);
}

/* ---- copies of disks; images are asked for by struct storage_port --------- */

static int there_copy_start(struct guest *guest, const struct guest_copying *what,
			    struct fail *fail)
{
	struct guest_copying copy = *what;
	struct guest_disk disk = *what->disk;
	char socket[64] = "", export[64] = "";
	struct wire request;

	snprintf(socket, sizeof(socket), "%s", what->socket);
	snprintf(export, sizeof(export), "%s", what->export);
	wire_init(&request);
	wire_disk(&request, &disk);
	wire_chars(&request, socket, sizeof(socket));
	wire_chars(&request, export, sizeof(export));
	wire_value(&request, &copy.incremental);
	wire_value(&request, &copy.synchronous);
	wire_value(&request, &copy.bandwidth);
	return steward_ask(STEWARD_COPY_START, guest->driver, &request, NULL, fail);
}

static void target_out(struct wire *request, const char *target)
{
	char text[sizeof(((struct guest_disk *)NULL)->target)] = "";

	snprintf(text, sizeof(text), "%s", target);
	wire_init(request);
	wire_chars(request, text, sizeof(text));
}

static int there_copy_look(struct guest *guest, const char *target,
			   struct guest_copy *copy, struct fail *fail)
{
	struct wire request, reply;
	int ret;

	target_out(&request, target);
	ret = steward_ask(STEWARD_COPY_LOOK, guest->driver, &request, &reply, fail);
	if (!ret)
		wire_value(&reply, copy);
	wire_fini(&reply);
	return ret;
}

static int there_copy_limit(struct guest *guest, const char *target,
			    uint64_t bandwidth, struct fail *fail)
{
	struct wire request;

	target_out(&request, target);
	wire_value(&request, &bandwidth);
	return steward_ask(STEWARD_COPY_LIMIT, guest->driver, &request, NULL, fail);
}

static int there_copy_end(struct guest *guest, const char *target, struct fail *fail)
{
	struct wire request;

	target_out(&request, target);
	return steward_ask(STEWARD_COPY_END, guest->driver, &request, NULL, fail);
}

static const struct guest_storage_ops there_storage = {
	.copy_start = there_copy_start,
	.copy_look = there_copy_look,
	.copy_limit = there_copy_limit,
	.copy_end = there_copy_end,
};

/* ---- the drivers -------------------------------------------------------- */

#define HAS(what)	(real->what ? there_##what : NULL)

static void driver_fill(struct guest_driver *driver, const struct guest_driver *real)
{
	*driver = (struct guest_driver){
		.name = real->name, .prefix = real->prefix,
		.described_elsewhere = real->described_elsewhere,
		.list = there_list, .close = there_close, .alive = there_alive,
		.pidfd = there_pidfd, .describe = there_describe, .map = there_map,
		.pause = there_pause, .resume = there_resume,
		.watch = HAS(watch), .runs = HAS(runs),
		.same = real->same,	/* it only compares texts */
		.save_ahead = HAS(save_ahead), .load_ahead = HAS(load_ahead),
		.save = there_save, .load = there_load,
		.hold = HAS(hold), .loads = HAS(loads),
		.check_leaving = HAS(check_leaving),
		.destroy = there_destroy, .forget = HAS(forget),
		.userfaultfd = there_userfaultfd,
		.userfaultfd_close = there_userfaultfd_close,
		.storage = real->storage ? &there_storage : NULL,
	};
}

#define OWN(number_) do {							\
	drivers[number_].open = open_##number_;					\
	drivers[number_].check = check_##number_;				\
	drivers[number_].create_incoming = create_##number_;			\
	drivers[number_].define = define_##number_;				\
	drivers[number_].define_end = define_end_##number_;			\
} while (0)

/**
 * steward_drivers() - drivers as guest_drivers[], whose work the steward does
 *
 * Return: them; NULL at the end.
 */
const struct guest_driver *const *steward_drivers(void)
{
	static struct guest_driver drivers[DRIVERS_MAX];
	static const struct guest_driver *list[DRIVERS_MAX + 1];
	unsigned int i;

	for (i = 0; i < DRIVERS_MAX && guest_drivers[i]; i++) {
		driver_fill(&drivers[i], guest_drivers[i]);
		list[i] = &drivers[i];
	}
	OWN(0);
	OWN(1);
	OWN(2);
	return list;
}
