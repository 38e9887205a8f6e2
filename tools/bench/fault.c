// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fault.c - how long a guest waits for one page, while nothing else moves.
 *
 * The floor is what the way itself takes, measured in the same run: sixteen
 * bytes answered by 4 KiB between two threads that block in recv(), and a
 * local fault that another thread, blocked in read(), answers with a page
 * that is there.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>

#include "copy/kind.h"
#include "sys.h"
#include "tools/bench/bench.h"
#include "tools/bench/engine.h"

#define PAGE		4096
#define ECHO_REQUEST	16

static int compare_ns(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static double median_us(uint64_t *ns, size_t count)
{
	qsort(ns, count, sizeof(*ns), compare_ns);
	return (double)ns[count / 2] / 1e3;
}

static uint64_t touch(const uint8_t *page)
{
	uint64_t began = now_ns();

	(void)*(const volatile uint8_t *)page;
	return now_ns() - began;
}

/* All pages in an order that no neighbourhood explains: a prime stride. */
static double touch_all(const uint8_t *memory, uint64_t pages, uint64_t *ns, unsigned int count)
{
	uint64_t page = pages / 3;
	unsigned int i;

	for (i = 0; i < count; i++) {
		page = (page + 40487) % pages;
		ns[i] = touch(memory + page * PAGE);
	}
	return median_us(ns, count);
}

/* ---- over the network ------------------------------------------------------ */

static int fault_source(struct party *party)
{
	struct engine engine;
	int ret = engine_open_source(&engine, party, party->arg);

	if (ret)
		return ret;
	source_hold(engine.source);
	ret = party_meet(party);
	/* Wants are answered until the dest has seen enough. */
	return ret ?: party_meet(party);
}

static int fault_dest(struct party *party)
{
	unsigned int count = party->site->faults;
	struct engine engine;
	uint64_t *ns;
	int ret = engine_open_dest(&engine, party, party->arg);

	if (!ret)
		ret = engine_switch(&engine);
	if (!ret)
		ret = party_meet(party);
	if (ret)
		return ret;
	ns = calloc(count, sizeof(*ns));
	if (!ns)
		return -ENOMEM;
	party->outcome->value = touch_all(engine.guest, engine.plan->size / PAGE, ns, count);
	free(ns);
	if (stat_read(&engine.dest->stats.network_faults) != count)
		return -EBADMSG;
	return party_meet(party);
}

/**
 * fault_measure() - a touch of a missing page until the thread goes on
 * @site: where
 * @row: whether with TLS
 * @value: receives the median, microseconds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fault_measure(const struct site *site, const struct row *row, double *value,
		  struct fail *fail)
{
	struct plan plan = {
		.push_lanes = 1,
		.fault_lanes = 1,
		.tls = row->tls,
		.memory = site->memory,
		.size = site->memory_size,
		.filled = site->memory_size,
	};
	struct outcome outcomes[2];
	int ret = parties_run(site, fault_source, fault_dest, &plan, outcomes, fail);

	if (!ret)
		*value = outcomes[1].value;
	return ret;
}

/* ---- the floor: an echo ------------------------------------------------------- */

static int socket_at_once(int fd)
{
	int on = 1;

	return sys_ret(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
}

/* Answers as long as somebody asks. */
static int echo_source(struct party *party)
{
	uint8_t page[PAGE] = { 1 }, request[ECHO_REQUEST];
	int fd, ret = party_meet(party);

	if (ret)
		return ret;
	fd = socket_connect();
	if (fd < 0)
		return fd;
	ret = socket_at_once(fd);
	while (!ret) {
		ret = sys_read_all(fd, request, sizeof(request));
		if (!ret)
			ret = sys_write_all(fd, page, sizeof(page));
	}
	return ret == -EPIPE ? 0 : ret;
}

static int echo_dest(struct party *party)
{
	unsigned int i, count = party->site->faults;
	uint64_t *ns = calloc(count, sizeof(*ns));
	uint8_t page[PAGE], request[ECHO_REQUEST] = { 0 };
	int fd, listener = socket_listen();
	int ret = ns ? 0 : -ENOMEM;

	if (listener < 0)
		ret = listener;
	if (!ret)
		ret = party_meet(party);
	if (ret)
		return ret;
	fd = socket_accept(listener);
	if (fd < 0)
		return fd;
	ret = socket_at_once(fd);
	for (i = 0; i < count && !ret; i++) {
		uint64_t began = now_ns();

		ret = sys_write_all(fd, request, sizeof(request));
		if (!ret)
			ret = sys_retry(recv(fd, page, PAGE, MSG_WAITALL)) == PAGE ? 0 : -EPIPE;
		ns[i] = now_ns() - began;
	}
	close(fd);
	if (!ret)
		party->outcome->value = median_us(ns, count);
	free(ns);
	return ret;
}

/* ---- the floor: a local fault ------------------------------------------------ */

struct placer {
	int uffd;
	unsigned int count;
	int ret;
};

static void *placer_main(void *arg)
{
	struct placer *placer = arg;
	unsigned int done = 0;

	while (done < placer->count && !placer->ret) {
		struct uffd_event event;
		struct range page = { .len = PAGE };
		int got = uffd_events(placer->uffd, &event, 1);

		if (got > 0) {
			page.start = event.start & ~(uint64_t)(PAGE - 1);
			got = uffd_continue(placer->uffd, page, PAGE, 0);
			done++;
		}
		placer->ret = got;
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

static int local_run(struct placer *placer, const uint8_t *memory, uint64_t pages, double *value)
{
	uint64_t *ns = calloc(placer->count, sizeof(*ns));
	pthread_t thread;

	if (!ns)
		return -ENOMEM;
	if (pthread_create(&thread, NULL, placer_main, placer)) {
		free(ns);
		return -EAGAIN;
	}
	*value = touch_all(memory, pages, ns, placer->count);
	pthread_join(thread, NULL);
	free(ns);
	return placer->ret;
}

/* The memory is filled: a touch is a minor fault. */
static int local_source(struct party *party)
{
	const struct site *site = party->site;
	struct placer placer = { .count = site->faults };
	void *memory = NULL;
	int ret = sys_mmap(&memory, site->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   site->memory, 0);

	if (ret)
		return ret;
	placer.uffd = local_uffd(memory, site->memory_size);
	if (placer.uffd < 0)
		return placer.uffd;
	return local_run(&placer, memory, site->memory_size / PAGE, &party->outcome->value);
}

static int local_dest(struct party *party)
{
	(void)party;
	return 0;
}

/**
 * fault_floor_measure() - an echo and a local fault, one after the other
 * @site: where
 * @row: unused
 * @value: receives the sum of their medians, microseconds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fault_floor_measure(const struct site *site, const struct row *row, double *value,
			struct fail *fail)
{
	struct outcome echo[2], local[2];
	int ret = parties_run(site, echo_source, echo_dest, NULL, echo, fail);

	(void)row;
	if (!ret)
		ret = parties_run(site, local_source, local_dest, NULL, local, fail);
	if (!ret)
		*value = echo[1].value + local[0].value;
	return ret;
}
