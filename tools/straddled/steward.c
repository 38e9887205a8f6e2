/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steward.c - serve one worker, until it is gone. */
#include "steward.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "definition.h"
#include "log.h"
#include "port.h"
#include "steward_own.h"
#include "tools/lib/migration_json.h"
#include "sys.h"
#include "thread.h"

struct place {
	struct steward *steward;
	int socket;
};

static int lock_take(struct steward *steward, const struct steward_row *row)
{
	if (row->lock == LOCK_NONE)
		return 0;
	if (row->lock != LOCK_GUEST)
		pthread_mutex_lock(&steward->turn);
	if (row->lock == LOCK_OPENS)
		pthread_rwlock_wrlock(&steward->open);
	else
		pthread_rwlock_rdlock(&steward->open);
	return (row->lock == LOCK_GUEST || row->lock == LOCK_TURN) && !steward->guest ?
	       -ENOENT : 0;
}

static void lock_give(struct steward *steward, const struct steward_row *row)
{
	if (row->lock == LOCK_NONE)
		return;
	pthread_rwlock_unlock(&steward->open);
	if (row->lock != LOCK_GUEST)
		pthread_mutex_unlock(&steward->turn);
}

static const struct guest_driver *driver_of(uint32_t number)
{
	uint32_t i;

	for (i = 0; guest_drivers[i] && i < number; i++)
		;
	return guest_drivers[i];
}

static unsigned int side_of(const struct steward_job *job)
{
	return job->side == SIDE_SOURCE ? FOR_SOURCE : FOR_DEST;
}

static int verb_do(struct steward *steward, const struct wire_head *head,
		   struct wire *in, struct wire *out, struct fail *fail)
{
	const struct guest_driver *driver = NULL;
	unsigned int side = side_of(&steward->job);
	const struct steward_row *row;
	int ret;

	if (head->verb <= 0 || head->verb >= STEWARD_VERBS)
		return -EPROTO;
	row = &steward_table[head->verb];
	if (!row->run || !(row->sides & side))
		return fail_set(fail, -EACCES, "a worker may not ask for that (%d)", head->verb);
	ret = lock_take(steward, row);
	if (row->lock != LOCK_NONE)
		driver = head->about == STEWARD_ITS ? steward->driver : driver_of(head->about);
	if (!ret && row->lock != LOCK_NONE &&
	    (!driver || (steward->guest && driver != steward->driver)))
		ret = -EACCES;
	if (!ret)
		ret = row->run(steward, driver, in, out, fail);
	lock_give(steward, row);
	return ret;
}

static int request_serve(struct steward *steward, int socket)
{
	struct wire_head head;
	struct fail fail = { 0 };
	struct wire in, out;
	int ret = wire_receive(socket, &head, &in);

	if (ret) {
		wire_fini(&in);
		return ret;
	}
	wire_init(&out);
	ret = verb_do(steward, &head, &in, &out, &fail);
	if (ret >= 0 && out.err)
		ret = out.err;
	if (ret < 0)
		wire_fini(&out);	/* nothing but the reason */
	wire_fail(&out, &fail);
	head = (struct wire_head){ .verb = ret };
	ret = wire_send(socket, &head, &out);
	wire_fini(&out);
	wire_fini(&in);
	return ret;
}

static void *place_main(void *arg)
{
	struct place *place = arg;

	while (!request_serve(place->steward, place->socket))
		;
	return NULL;
}

/* From @from on, up to @to, which stays open; and so do the binder and the other. */
static void between_close(unsigned int from, unsigned int to)
{
	if (from < PORT_BINDER_FD && PORT_GUEST_FD < to) {
		between_close(from, PORT_BINDER_FD);
		from = PORT_GUEST_FD + 1;
	}
	if (from < to)
		close_range(from, to - 1, 0);
}

/* In the child: nothing of the worker's but the sockets, what says which guest, its log. */
static void own_place(const int *sockets, unsigned int count)
{
	unsigned int i, next = STDERR_FILENO + 1;

	prctl(PR_SET_NAME, "steward");
	/* They are in ascending order, above the standard descriptors. */
	for (i = 0; i < count; i++) {
		between_close(next, (unsigned int)sockets[i]);
		next = (unsigned int)sockets[i] + 1;
	}
	between_close(next, ~0u);
	/* No program that it starts is to say which guest. */
	fcntl(PORT_BINDER_FD, F_SETFD, FD_CLOEXEC);
	fcntl(PORT_GUEST_FD, F_SETFD, FD_CLOEXEC);
}

/*
 * Who comes after us looks at it, so that no two do something at the same time;
 * see predecessor.c. It goes with the process, and no other has it.
 */
static int life_lock(const struct steward_job *job)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[320];
	int fd;

	snprintf(path, sizeof(path), "%s/steward.%s.%s", job->host.run_dir, job->id,
		 side_name(job->side));
	fd = sys_ret(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	return fd < 0 ? fd : sys_ret(fcntl(fd, F_SETLK, &lock));
}

/**
 * steward_main() - be a steward; does not return
 * @job: what its worker may ask for
 * @sockets: streams that it asks through, in ascending order
 * @count: how many
 *
 * The last of its threads to hear the end is this one: threads that started
 * programs live as long as it does.
 */
void steward_main(const struct steward_job *job, const int *sockets,
		  unsigned int count)
{
	struct steward *steward = calloc(1, sizeof(*steward));
	struct place *places = calloc(count, sizeof(*places));
	uint8_t id[MIGRATION_ID_SIZE];
	pthread_t thread;
	unsigned int i;
	int ret;

	own_place(sockets, count);
	if (!steward || !places || migration_id_from_text(job->id, id) < 0)
		_exit(1);
	ret = life_lock(job);
	if (ret) {
		log_error("the steward of migration %s cannot begin: %s", job->id,
			  ret == -EAGAIN || ret == -EACCES ? "there is another one" :
			  strerror(-ret));
		_exit(1);
	}
	steward->job = *job;
	steward->private = job->private;
	storage_host_init(&steward->storage, job->host.run_dir, id);
	pthread_rwlock_init(&steward->open, NULL);
	pthread_mutex_init(&steward->turn, NULL);
	/* Of a dest's successor: what its guest replaced is given up past GO. */
	if (side_of(job) == FOR_DEST && *job->guest)
		definition_settle(&job->host, job->guest, true);
	for (i = 0; i < count; i++) {
		places[i] = (struct place){ steward, sockets[i] };
		if (i && thread_create(&thread, "steward", place_main, &places[i])) {
			log_error("the steward of migration %s cannot start a thread", job->id);
			_exit(1);
		}
	}
	place_main(&places[0]);
	storage_host_fini(&steward->storage);
	_exit(0);
}
