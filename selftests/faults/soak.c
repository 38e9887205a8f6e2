// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * soak.c - migrations to and fro between two hosts, with faults by chance.
 *
 * N=100 SEED=7 soak: that many, of guests, memory, workloads, networks and
 * faults that follow from the seed. Each is bounded in time; after each there
 * is one owner with all its memory, and nothing is left on the other host. The
 * last line is the sum; exit code 1: a guest was lost, doubled, or wrong.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>

#include "aftermath.h"
#include "cell.h"
#include "chance.h"
#include "selftests/lib/descendants.h"
#include "selftests/lib/directory.h"
#include "selftests/lib/move.h"
#include "selftests/lib/process.h"
#include "sys.h"

#define N_DEFAULT	100
#define TICKS		500	/* visits of a guest before it first moves */
#define AGENT_MS	10000
#define LOG_SHOWN	24000

static const struct scenario by_chance = { .name = "chance" };

struct soak {
	unsigned long wanted, done;
	uint64_t seed, random;
	const struct cell *cells;
	size_t cell_count;
	struct pair *pair;
	bool back;			/* the guest is at the pair's dest */
	unsigned long survived, recovered, refused;
	unsigned long lost, doubled, wrong, unclean;
};

static struct soak soak;

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	uint64_t value = text ? strtoull(text, NULL, 10) : 0;

	return value ? value : otherwise;
}

static void hosts_end(void)
{
	pair_destroy(soak.pair);
	soak.pair = NULL;
}

static int ground_make(const struct ground *ground, struct fail *fail)
{
	int ret = pair_create(&soak.pair, ground->security, NULL, fail);

	soak.back = false;
	if (!ret)
		ret = pair_start_guest(soak.pair, COURSE_GUEST, ground->guest, fail);
	return ret;
}

/* Agents that inject what chance has chosen; sometimes one of them was killed. */
static int agents_change(struct course *course, const struct chance *chance,
			 struct fail *fail)
{
	enum side side;

	for (side = SIDE_SOURCE; side <= SIDE_DEST; side++) {
		const struct host *host = course_host(course, side);
		pid_t *agent = course_agent(course, side);
		bool first = host == &soak.pair->hosts->source;

		kill(*agent, chance_next(&soak.random) & 1 ? SIGTERM : SIGKILL);
		if (process_wait(*agent, AGENT_MS) == -ETIMEDOUT)
			return fail_set(fail, -ETIMEDOUT, "the agent of %s does not end",
					host->name);
		soak.pair->inject[first ? SIDE_SOURCE : SIDE_DEST] =
			*chance->inject[side] ? chance->inject[side] : NULL;
		*agent = pair_start_agent(soak.pair, host, fail);
		/* It may die of a fault as it starts: then it is started again. */
	}
	return 0;
}

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void logs_show(const struct course *course)
{
	static char log[LOG_SHOWN];
	enum side side;

	for (side = SIDE_SOURCE; side <= SIDE_DEST; side++) {
		const struct host *host = course_host(course, side);

		host_log(host, "straddled.log", log, sizeof(log));
		printf("---- log of %s (%s)\n%s\n", host->name, side_name(side), log);
	}
}

static const char *count(const struct course *course, const struct aftermath *found)
{
	bool arrived = found->owner == SIDE_DEST;

	soak.doubled += found->doubled;
	soak.wrong += found->wrong;
	/* One that does not come to its end in time is as good as lost. */
	soak.lost += found->lost || *course->wrong;
	if (found->outcome == OUTCOME_FAILED || *course->wrong) {
		soak.unclean++;
		return "FAILED";
	}
	if (!arrived) {
		soak.refused++;
		return "refused";
	}
	if (found->outcome == OUTCOME_COMPLETED) {
		soak.survived++;
		return "survived";
	}
	soak.recovered++;
	return "recovered";
}

/* One migration. Return: 0; or -errno: there is no going on with this guest. */
static int migrate(struct fail *fail)
{
	struct course course = {
		.pair = soak.pair, .scenario = &by_chance, .back = soak.back,
	};
	struct aftermath found;
	struct chance chance;
	struct move move;
	char text[1024];
	int ret;

	chance_choose(&chance, soak.cells, soak.cell_count, &soak.random);
	chance_say(&chance, text, sizeof(text));
	ret = agents_change(&course, &chance, fail);
	if (ret)
		return ret;
	course.since_ns = wall_ns();
	course.meanwhile = chance_strike;
	course.arg = &chance;
	chance.began_ns = now_ns();
	ret = move_start(&move, course_host(&course, SIDE_SOURCE), COURSE_GUEST,
			 course_host(&course, SIDE_DEST)->address, chance.options);
	move_end(&move);
	course_run(&course);
	chance_end(&course, &chance);
	aftermath(&course, 1, &found);
	printf("%5lu %s: %s%s%s%s%s\n", ++soak.done, count(&course, &found), text,
	       ret || *course.rows[SIDE_SOURCE].error ? "; " : "",
	       ret ? move.error : course.rows[SIDE_SOURCE].error,
	       *course.wrong || *found.text ? "; WRONG: " : "",
	       *course.wrong ? course.wrong : found.text);
	fflush(stdout);
	soak.back = (found.owner == SIDE_DEST) != soak.back;
	if (!*course.wrong && found.outcome != OUTCOME_FAILED)
		return 0;
	logs_show(&course);
	return -EUCLEAN;	/* what comes after it would only be its echo */
}

static int ground_run(struct fail *fail)
{
	struct ground ground;
	unsigned int i;
	int ret;

	ground_choose(&ground, &soak.random);
	ret = ground_make(&ground, fail);
	if (ret)
		return ret;
	printf("      guest:");
	for (i = 0; ground.guest[i]; i++)
		printf(" %s", ground.guest[i]);
	printf(", security %d\n", ground.security);
	ret = guest_run_on(&soak.pair->hosts->source, COURSE_GUEST, TICKS, fail);
	for (i = 0; i < ground.migrations && soak.done < soak.wanted && !ret; i++)
		ret = migrate(fail);
	hosts_end();
	return ret == -EUCLEAN ? 0 : ret;
}

static int soak_run(void)
{
	struct fail fail = { 0 };
	uint64_t chosen = 1;
	int ret = 0;

	if (getrandom(&chosen, sizeof(chosen), 0) != (ssize_t)sizeof(chosen))
		return 1;
	soak.seed = environment_number("SEED", chosen >> 40);
	soak.random = soak.seed;
	soak.wanted = environment_number("N", N_DEFAULT);
	soak.cell_count = cells_make(&soak.cells);
	while (soak.done < soak.wanted && !ret)
		ret = ground_run(&fail);
	if (ret)
		printf("it cannot go on: %s\n", fail.text);
	printf("soak: N=%lu survived=%lu recovered=%lu refused=%lu lost=%lu doubled=%lu "
	       "wrong=%lu seed=%" PRIu64 "\n", soak.done, soak.survived, soak.recovered,
	       soak.refused, soak.lost, soak.doubled, soak.wrong, soak.seed);
	return ret || soak.lost || soak.doubled || soak.wrong || soak.unclean;
}

/* Until the child ends, or somebody wants an end. Return: the exit code. */
static int child_wait(pid_t child, const sigset_t *signals)
{
	int signal, status;

	while (!sigwait(signals, &signal) && signal == SIGCHLD)
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	kill(child, SIGKILL);
	return 128 + signal;
}

/* Whatever ends it, nothing is left: the child does it, this one cleans up. */
int main(void)
{
	sigset_t signals;
	char dir[256];
	pid_t child;
	int code;

	if (!STRADDLE_INJECT) {
		puts("fault injection is not built in: make INJECT=1");
		return 1;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (directory_create(dir, sizeof(dir)))
		return 1;
	setenv("TMPDIR", dir, 1);
	child = fork();
	if (!child) {
		sigprocmask(SIG_UNBLOCK, &signals, NULL);
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		exit(soak_run());
	}
	code = child > 0 ? child_wait(child, &signals) : 1;
	descendants_kill();
	directory_remove(dir);
	return code;
}
