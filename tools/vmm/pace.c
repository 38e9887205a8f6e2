// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pace.c - answers the reports of a vCPU, late where a rate is to be held.
 *
 * The number of visits between two reports adapts: enough that the reports
 * cost nothing, few enough that orders arrive within milliseconds, on real
 * hardware and on a KVM that emulates.
 */
#include "tools/vmm/pace.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "sys.h"

#define SECOND		1000000000ull
#define BATCH_SHORT	(SECOND / 2000)	/* take less: make it longer */
#define BATCH_LONG	(SECOND / 250)	/* take more: make it shorter */
#define BATCH_MAX	4096
#define BATCHES_A_SECOND 100		/* at least, under a rate limit */
#define CATCH_UP	(SECOND / 10)	/* of lost time, at most */
#define IDLE_RATE	10		/* signs of life a second */

/**
 * pace_init() - descriptors of a vCPU
 * @vcpu: its kick and timer are filled
 *
 * Return: 0 or -errno.
 */
int pace_init(struct vcpu *vcpu)
{
	vcpu->batch = 64;
	vcpu->timer = -1;
	vcpu->kick = sys_ret(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (vcpu->kick < 0)
		return vcpu->kick;
	vcpu->timer = sys_ret(timerfd_create(CLOCK_MONOTONIC,
					     TFD_CLOEXEC | TFD_NONBLOCK));
	return vcpu->timer < 0 ? vcpu->timer : 0;
}

/**
 * pace_fini() - close what pace_init() opened
 * @vcpu: may be half initialised
 */
void pace_fini(struct vcpu *vcpu)
{
	if (vcpu->kick >= 0)
		close(vcpu->kick);
	if (vcpu->timer >= 0)
		close(vcpu->timer);
}

/**
 * pace_kick() - end a wait of the vCPU's thread, now or the next one
 * @vcpu: from any thread
 */
void pace_kick(struct vcpu *vcpu)
{
	uint64_t one = 1;

	sys_write_all(vcpu->kick, &one, sizeof(one));
}

static void wait_until(struct vcpu *vcpu, uint64_t due_ns)
{
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(due_ns / SECOND),
		.it_value.tv_nsec = (long)(due_ns % SECOND),
	};
	struct pollfd polls[] = {
		{ .fd = vcpu->kick, .events = POLLIN },
		{ .fd = vcpu->timer, .events = POLLIN },
	};
	uint64_t count;

	timerfd_settime(vcpu->timer, TFD_TIMER_ABSTIME, &when, NULL);
	while (sys_ret(ppoll(polls, 2, NULL, NULL)) == -EINTR &&
	       machine_runs(vcpu->machine))
		;
	if (polls[0].revents & POLLIN)
		sys_read_all(vcpu->kick, &count, sizeof(count));
}

static uint64_t vcpu_rate(const struct vcpu *vcpu)
{
	const struct machine *machine = vcpu->machine;
	uint64_t rate = atomic_load(&machine->rate);

	if (machine->definition.workload == WORKLOAD_IDLE)
		return IDLE_RATE;
	if (!rate)
		return 0;
	rate /= machine->vcpu_count;
	return rate ? rate : 1;
}

/* Let @visits more pages fall due, and wait for that time. */
static void hold_rate(struct vcpu *vcpu, uint64_t rate, uint64_t visits)
{
	uint64_t now = now_ns();

	if (!rate || rate != vcpu->ordered_rate) {
		vcpu->due_ns = now;	/* what another rate allowed is free */
		vcpu->ordered_rate = rate;
		return;
	}
	if (vcpu->due_ns + CATCH_UP < now)
		vcpu->due_ns = now - CATCH_UP;
	vcpu->due_ns += visits * SECOND / rate;
	if (vcpu->due_ns > now + 10 * SECOND)
		vcpu->due_ns = now + 10 * SECOND;
	if (vcpu->due_ns > now)
		wait_until(vcpu, vcpu->due_ns);
}

static void adapt_batch(struct vcpu *vcpu, uint64_t took_ns)
{
	if (took_ns < BATCH_SHORT && vcpu->batch < BATCH_MAX)
		vcpu->batch *= 2;
	else if (took_ns > BATCH_LONG && vcpu->batch > 1)
		vcpu->batch /= 2;
}

static void limit_batch(struct vcpu *vcpu, uint64_t rate)
{
	if (rate && vcpu->batch > rate / BATCHES_A_SECOND)
		vcpu->batch = rate / BATCHES_A_SECOND;
	if (!vcpu->batch)
		vcpu->batch = 1;
}

/* The guest's own records of bad pages; its memory is there: it runs. */
static void note_wrong(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;
	const struct guest_vcpu *own;
	uint64_t count;

	own = (const struct guest_vcpu *)(machine->memory.base + GUEST_VCPUS +
					  vcpu->index * GUEST_PAGE_SIZE);
	count = own->wrong_count < GUEST_WRONG_MAX ? own->wrong_count :
						     GUEST_WRONG_MAX;
	pthread_mutex_lock(&machine->lock);
	while (vcpu->wrong_seen < count &&
	       machine->wrong_count < GUEST_WRONG_MAX)
		machine->wrong[machine->wrong_count++] =
			own->wrong[vcpu->wrong_seen++];
	pthread_mutex_unlock(&machine->lock);
}

static void note_report(struct vcpu *vcpu, const struct report *report)
{
	struct machine *machine = vcpu->machine;
	bool walked = report->walk_done !=
		      atomic_load_explicit(&vcpu->walk_done,
					   memory_order_relaxed);
	uint64_t one = 1;

	if (report->bad)
		note_wrong(vcpu);
	atomic_store(&vcpu->ticks, report->ticks);
	atomic_store(&vcpu->bad, report->bad);
	atomic_store(&vcpu->walk_pages, report->walk_pages);
	atomic_store(&vcpu->walk_bad, report->walk_bad);
	atomic_store(&vcpu->walk_done, report->walk_done);
	if (walked)
		sys_write_all(machine->changed, &one, sizeof(one));
}

/**
 * pace_report() - take a vCPU's report and give it its next order
 * @vcpu: the caller's thread is this vCPU's
 * @report: what it says
 *
 * Waits as the rate asks for; a kick ends the wait.
 *
 * Return: the order; it does not say GUEST_STOP.
 */
struct guest_order pace_report(struct vcpu *vcpu, const struct report *report)
{
	uint64_t rate = vcpu_rate(vcpu);
	uint64_t visits = report->ticks - vcpu->seen_ticks;

	if (!vcpu->ordered_ns)
		visits = 0;	/* first report here: the past is not ours */
	else
		adapt_batch(vcpu, now_ns() - vcpu->ordered_ns);
	limit_batch(vcpu, rate);
	vcpu->seen_ticks = report->ticks;
	note_report(vcpu, report);
	hold_rate(vcpu, rate, visits);
	vcpu->ordered_ns = now_ns();
	return (struct guest_order){
		.batch = vcpu->batch,
		.walk = atomic_load(&vcpu->machine->walk),
	};
}
