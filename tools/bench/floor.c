// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * floor.c - what a fault takes at the least, measured in the same run.
 *
 * Sixteen bytes answered by 4 KiB between two threads that block in recv(),
 * and a local fault that another thread, blocked in read(), answers with a
 * page that is there. For a page of 2 MiB only the first, of as many bytes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "copy/kind.h"
#include "sys.h"
#include "tools/bench/bench.h"
#include "tools/bench/huge.h"
#include "tools/bench/touch.h"

#define ECHO_REQUEST	16
#define READ_AT_ONCE	64	/* faults, where many threads wait */

/* ---- an echo ------------------------------------------------------------------ */

static int socket_at_once(int fd)
{
	int on = 1;

	return sys_ret(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
}

/* What the two processes go by. */
struct echo {
	const struct row *row;
	size_t answer;			/* bytes */
	unsigned int count;
};

/* Answers as long as somebody asks. */
static int echo_source(struct party *party)
{
	const struct echo *echo = party->arg;
	uint8_t *page = malloc(echo->answer), request[ECHO_REQUEST];
	int fd, ret = page ? party_apart(true) : -ENOMEM;

	if (!ret)
		ret = party_meet(party);
	if (ret)
		return ret;
	fd = socket_connect(NULL);
	if (fd < 0)
		return fd;
	ret = socket_at_once(fd);
	memset(page, 1, echo->answer);
	while (!ret) {
		ret = sys_read_all(fd, request, sizeof(request));
		if (!ret)
			ret = sys_write_all(fd, page, echo->answer);
	}
	free(page);
	return ret == -EPIPE ? 0 : ret;
}

static int echo_once(int fd, uint8_t *page, size_t answer, uint64_t *ns)
{
	static const uint8_t request[ECHO_REQUEST];
	uint64_t began = now_ns();
	int ret = sys_write_all(fd, request, sizeof(request));

	if (!ret && sys_retry(recv(fd, page, answer, MSG_WAITALL)) != (ssize_t)answer)
		ret = -EPIPE;
	*ns = now_ns() - began;
	return ret;
}

static int echo_dest(struct party *party)
{
	const struct echo *echo = party->arg;
	uint64_t *ns = calloc(echo->count, sizeof(*ns));
	uint8_t *page = malloc(echo->answer);
	int fd, listener = socket_listen();
	int ret = ns && page ? 0 : -ENOMEM;
	unsigned int i;

	if (listener < 0)
		ret = listener;
	if (!ret)
		ret = party_apart(false);
	if (!ret)
		ret = party_meet(party);
	if (ret)
		return ret;
	fd = socket_accept(listener);
	if (fd < 0)
		return fd;
	ret = socket_at_once(fd);
	for (i = 0; i < echo->count && !ret; i++)
		ret = echo_once(fd, page, echo->answer, &ns[i]);
	close(fd);
	if (!ret)
		party->outcome->value = quantile_us(ns, echo->count, row_quantile(echo->row));
	free(page);
	free(ns);
	return ret;
}

static int echo_measure(const struct site *site, struct echo *echo, double *value,
			struct fail *fail)
{
	struct outcome outcomes[2];
	int ret = parties_run(site, echo_source, echo_dest, echo, outcomes, fail);

	if (!ret)
		*value = outcomes[1].value;
	return ret;
}

/* ---- a local fault ------------------------------------------------------------ */

struct placer {
	int uffd;
	unsigned int count;
	int ret;
};

static int place_some(struct placer *placer)
{
	struct uffd_event events[READ_AT_ONCE];
	int i, ret = 0, got = uffd_events(placer->uffd, events, READ_AT_ONCE);

	for (i = 0; i < got && !ret; i++) {
		struct range page = { events[i].start & ~(uint64_t)(TOUCH_PAGE - 1), TOUCH_PAGE };

		ret = uffd_continue(placer->uffd, page, TOUCH_PAGE, 0);
	}
	return ret ?: got;
}

static void *placer_main(void *arg)
{
	struct placer *placer = arg;
	unsigned int done = 0;

	while (done < placer->count && placer->ret >= 0) {
		placer->ret = place_some(placer);
		done += placer->ret > 0 ? (unsigned int)placer->ret : 0;
	}
	return NULL;
}

/* A descriptor that blocks: its reader is woken by the fault itself. */
static int local_uffd(const uint8_t *memory, uint64_t size)
{
	struct range range = { (uintptr_t)memory, size };
	int uffd = uffd_open();
	int ret;

	if (uffd < 0)
		return uffd;
	ret = sys_ret(fcntl(uffd, F_SETFL, 0));
	if (!ret)
		ret = uffd_enable(uffd, kind_shmem.features);
	if (!ret)
		ret = uffd_register(uffd, range, kind_shmem.modes);
	return ret ?: uffd;
}

static int local_run(struct placer *placer, const struct touching *touching, double *value)
{
	pthread_t thread;
	int ret;

	if (pthread_create(&thread, NULL, placer_main, placer))
		return -EAGAIN;
	ret = touch_all(touching, value);
	pthread_join(thread, NULL);
	return placer->ret < 0 ? placer->ret : ret;
}

/* What the process goes by. */
struct local {
	const struct row *row;
	unsigned int count, threads;
};

/* The memory is filled: a touch is a minor fault. */
static int local_source(struct party *party)
{
	const struct site *site = party->site;
	const struct local *local = party->arg;
	struct touching touching = {
		.pages = site->memory_size / TOUCH_PAGE,
		.page_shift = TOUCH_SHIFT,
		.count = local->count,
		.threads = local->threads,
		.quantile = row_quantile(local->row),
	};
	struct placer placer = { .count = local->count };
	void *memory = NULL;
	int ret = party_apart(true);

	if (!ret)
		ret = sys_mmap(&memory, site->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			       site->memory, 0);
	if (ret)
		return ret;
	touching.memory = memory;
	placer.uffd = local_uffd(memory, site->memory_size);
	if (placer.uffd < 0)
		return placer.uffd;
	return local_run(&placer, &touching, &party->outcome->value);
}

static int local_dest(struct party *party)
{
	(void)party;
	return 0;
}

static int local_measure(const struct site *site, struct local *local, double *value,
			 struct fail *fail)
{
	struct outcome outcomes[2];
	int ret = parties_run(site, local_source, local_dest, local, outcomes, fail);

	if (!ret)
		*value = outcomes[0].value;
	return ret;
}

/**
 * faults_local_measure() - as many threads, and no network
 * @site: where
 * @row: how many threads
 * @value: receives faults a second, of all
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int faults_local_measure(const struct site *site, const struct row *row, double *value,
			 struct fail *fail)
{
	struct local local = { row, faults_many(site), row->lanes };

	return local_measure(site, &local, value, fail);
}

/**
 * fault_floor_measure() - an echo and a local fault, one after the other
 * @site: where
 * @row: which quantile
 * @value: receives the sum of the two, microseconds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fault_floor_measure(const struct site *site, const struct row *row, double *value,
			struct fail *fail)
{
	struct local local = { row, site->faults, 0 };
	struct echo echo = { row, TOUCH_PAGE, site->faults };
	double us = 0;
	int ret = echo_measure(site, &echo, &us, fail);

	if (!ret)
		ret = local_measure(site, &local, value, fail);
	*value += us;
	return ret;
}

/**
 * fault_huge_floor_measure() - an echo of as many bytes as a large page has
 * @site: where
 * @row: which quantile
 * @value: receives microseconds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fault_huge_floor_measure(const struct site *site, const struct row *row, double *value,
			     struct fail *fail)
{
	struct echo echo = { row, HUGE_PAGE, huge_faults(site) };

	return echo_measure(site, &echo, value, fail);
}
