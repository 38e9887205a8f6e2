// SPDX-License-Identifier: LGPL-2.1-or-later
/* party.c - the two processes of a measurement, one on each host. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "sys.h"
#include "tools/bench/site.h"

/* Nothing here takes a minute; what does hangs. */
#define PARTY_TIMEOUT_MS	120000

struct child {
	pid_t pid;
	int result;		/* its outcome comes here */
	int netns;
	party_fn *fn;
	const char *name;
};

static int child_main(const struct child *child, struct party *party)
{
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ret = sys_ret(setns(child->netns, CLONE_NEWNET));
	if (!ret)
		ret = child->fn(party);
	party->outcome->err = ret;
	return sys_write_all(child->result, party->outcome, sizeof(*party->outcome));
}

static int child_start(struct child *child, struct party *party, int other)
{
	int pipe_fds[2], ret = sys_ret(pipe2(pipe_fds, O_CLOEXEC));

	if (ret)
		return ret;
	fflush(NULL);
	child->pid = sys_ret(fork());
	if (!child->pid) {
		close(other);
		close(pipe_fds[0]);
		child->result = pipe_fds[1];
		_exit(child_main(child, party) ? 1 : 0);
	}
	close(pipe_fds[1]);
	child->result = pipe_fds[0];
	return child->pid < 0 ? child->pid : 0;
}

static int child_finish(struct child *child, struct outcome *outcome, struct fail *fail)
{
	int ret = child->pid > 0 ? sys_wait_fd(child->result, POLLIN, PARTY_TIMEOUT_MS) : -ESRCH;

	if (!ret)
		ret = sys_read_all(child->result, outcome, sizeof(*outcome));
	if (ret)
		return fail_set(fail, ret, "the %s's process %s", child->name,
				ret == -ETIMEDOUT ? "hangs" : "died");
	if (!outcome->err)
		return 0;
	return fail_set(fail, outcome->err, "the %s failed: %s", child->name,
			outcome->fail.err ? outcome->fail.text : strerror(-outcome->err));
}

static void child_end(struct child *child)
{
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		sys_retry(waitpid(child->pid, NULL, 0));
	}
	if (child->result >= 0)
		close(child->result);
}

/**
 * parties_run() - run a measurement's two halves to their end
 * @site: where
 * @source: runs on the source host, in a process of its own
 * @dest: likewise on the dest
 * @arg: for both
 * @outcomes: receives the source's and the dest's
 * @fail: says which failed and why
 *
 * Return: 0 or -errno.
 */
int parties_run(const struct site *site, party_fn *source, party_fn *dest,
		void *arg, struct outcome outcomes[2], struct fail *fail)
{
	struct child children[2] = {
		{ -1, -1, site->source_netns, source, "source" },
		{ -1, -1, site->dest_netns, dest, "dest" },
	};
	int pair[2], i, ret;

	memset(outcomes, 0, 2 * sizeof(*outcomes));
	ret = sys_ret(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	if (ret)
		return fail_set(fail, ret, "no socketpair: %s", strerror(-ret));
	for (i = 0; i < 2 && !ret; i++) {
		struct party party = { site, pair[i], arg, &outcomes[i] };

		ret = child_start(&children[i], &party, pair[!i]);
	}
	close(pair[0]);
	close(pair[1]);
	/* The first one's failure ends the other: its socketpair closes. */
	for (i = 1; i >= 0; i--) {
		int got = child_finish(&children[i], &outcomes[i], fail);

		ret = ret ?: got;
	}
	for (i = 0; i < 2; i++)
		child_end(&children[i]);
	return ret;
}

/**
 * party_tell() - say something to the other process
 * @party: who says it
 * @what: bytes
 * @size: how many
 *
 * Return: 0 or -errno.
 */
int party_tell(const struct party *party, const void *what, size_t size)
{
	return sys_write_all(party->peer, what, size);
}

/**
 * party_hear() - wait for what the other process says
 * @party: who listens
 * @what: receives bytes
 * @size: how many
 *
 * Return: 0, -EPIPE (it has ended) or -errno.
 */
int party_hear(const struct party *party, void *what, size_t size)
{
	return sys_read_all(party->peer, what, size);
}

/**
 * party_meet() - wait until both processes are here
 * @party: one of them
 *
 * Return: 0 or -errno.
 */
int party_meet(const struct party *party)
{
	char byte = 'm';
	int ret = party_tell(party, &byte, 1);

	return ret ?: party_hear(party, &byte, 1);
}

/**
 * party_apart() - use no processor that the other process does
 * @source: which of the two this is; each gets half of the processors
 *
 * So to wake somebody on the other host is to wake another processor, as it is
 * between hosts. With one processor nothing changes.
 *
 * Return: 0 or -errno.
 */
int party_apart(bool source)
{
	unsigned int i, seen = 0, count;
	cpu_set_t all, own;
	int ret = sys_ret(sched_getaffinity(0, sizeof(all), &all));

	count = ret ? 0 : (unsigned int)CPU_COUNT(&all);
	if (count < 2)
		return ret;
	CPU_ZERO(&own);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all) && (seen++ < count / 2) == source)
			CPU_SET(i, &own);
	return sys_ret(sched_setaffinity(0, sizeof(own), &own));
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/**
 * party_begin() - what is measured begins here
 * @party: one of them; its outcome notes the time
 */
void party_begin(struct party *party)
{
	party->outcome->began_ns = now_ns();
	party->outcome->cpu_ns = cpu_ns();
}

/**
 * party_end() - what is measured ends here
 * @party: that began
 */
void party_end(struct party *party)
{
	party->outcome->ended_ns = now_ns();
	party->outcome->cpu_ns = cpu_ns() - party->outcome->cpu_ns;
}
