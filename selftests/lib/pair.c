// SPDX-License-Identifier: LGPL-2.1-or-later
/* pair.c - two hosts with an agent each, and guests that move between them. */
#include "selftests/lib/pair.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "cleanup.h"
#include "selftests/lib/process.h"
#include "sys.h"

#define READY_TRIES	600	/* 50 ms apart */
#define TRY_MS		50
#define CALL_TIMEOUT_MS	10000
#define WALK_TIMEOUT_MS	300000
#define ARGS_MAX	48

static const char *const psk_line =
	"straddle:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

static void try_again(void)
{
	poll(NULL, 0, TRY_MS);
}

static int psk_write(const struct host *host, char *path, size_t size)
{
	__cleanup_fd int fd = -1;

	snprintf(path, size, "%s/psk", host->dir);
	fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			  0600));
	return fd < 0 ? fd : sys_write_all(fd, psk_line, strlen(psk_line));
}

static void control_path(const struct host *host, char *path, size_t size)
{
	snprintf(path, size, "%s/straddled.sock", host->run_dir);
}

/* Is somebody listening at a Unix socket? */
static bool listens(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	bool there;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	there = fd >= 0 && !sys_ret(connect(fd, (struct sockaddr *)&address,
					    sizeof(address)));
	if (fd >= 0)
		close(fd);
	return there;
}

static int agent_ready(const struct host *host, pid_t pid, struct fail *fail)
{
	char path[256], log[2048] = "";
	int i;

	control_path(host, path, sizeof(path));
	for (i = 0; i < READY_TRIES; i++) {
		if (listens(path))
			return 0;
		if (process_wait(pid, 0) != -ETIMEDOUT)
			break;
		try_again();
	}
	host_log(host, "straddled.log", log, sizeof(log));
	return fail_set(fail, -ENOTCONN, "the agent of host %s did not start: %s",
			host->name, log);
}

static const char *inject_of(const struct pair *pair, const struct host *host)
{
	return pair->inject[host == &pair->hosts->source ? SIDE_SOURCE : SIDE_DEST];
}

/**
 * pair_start_agent() - start straddled on a host, wait until it answers
 * @pair: of the host
 * @host: where
 * @fail: says why not, with the agent's own words
 *
 * Return: its pid or -errno.
 */
pid_t pair_start_agent(struct pair *pair, const struct host *host,
		       struct fail *fail)
{
	const char *argv[ARGS_MAX] = { "straddled", "--listen", host->address,
		"--state-dir", host->state_dir, "--run-dir", host->run_dir,
		"--verbose" };
	char psk[192], seed[24];
	size_t n = 8;
	pid_t pid;
	int ret;

	switch (pair->security) {
	case PAIR_PLAIN:
		argv[n++] = "--tls";
		argv[n++] = "off";
		break;
	case PAIR_X509:
		argv[n++] = "--pki";
		argv[n++] = host->pki_dir;
		break;
	case PAIR_PSK:
		ret = psk_write(host, psk, sizeof(psk));
		if (ret < 0)
			return ret;
		argv[n++] = "--psk-file";
		argv[n++] = psk;
		break;
	}
	if (pair->allow_qmp)
		argv[n++] = "--allow-qmp";
	if (inject_of(pair, host)) {
		argv[n++] = "--inject";
		argv[n++] = inject_of(pair, host);
	}
	if (pair->allow_peer) {
		argv[n++] = "--allow-peer";
		argv[n++] = pair->allow_peer;
	}
	if (inject_of(pair, host) && pair->inject_seed) {
		snprintf(seed, sizeof(seed), "%" PRIu64, pair->inject_seed);
		argv[n++] = "--inject-seed";
		argv[n++] = seed;
	}
	/* For the guests that come in here. */
	setenv("STRADDLE_WITNESS", pair->witness, 1);
	pid = host_spawn(host, argv, "straddled.log", fail);
	unsetenv("STRADDLE_WITNESS");
	if (pid < 0)
		return pid;
	ret = agent_ready(host, pid, fail);
	return ret < 0 ? ret : pid;
}

static int pair_build(struct pair **pair, const struct pair *kind, const struct net_rate *rate,
		      struct fail *fail)
{
	struct pair *made;
	int ret;

	if (!STRADDLE_INJECT && (kind->inject[SIDE_SOURCE] || kind->inject[SIDE_DEST]))
		return fail_set(fail, -EOPNOTSUPP, "fault injection is not built in: "
				"make INJECT=1");
	made = malloc(sizeof(*made));
	if (!made)
		return -ENOMEM;
	*made = *kind;
	ret = two_hosts_create(&made->hosts, rate, fail);
	if (ret < 0) {
		free(made);
		return ret;
	}
	snprintf(made->witness, sizeof(made->witness), "%s/witness",
		 made->hosts->dir);
	if (kind->security == PAIR_X509)
		ret = two_hosts_issue(made->hosts, fail);
	if (!ret)
		made->source_agent = pair_start_agent(made,
				&made->hosts->source, fail);
	if (!ret && made->source_agent > 0)
		made->dest_agent = pair_start_agent(made, &made->hosts->dest,
						    fail);
	if (ret < 0 || made->source_agent < 0 || made->dest_agent <= 0) {
		pair_destroy(made);
		return ret < 0 ? ret : -ENOTCONN;
	}
	*pair = made;
	return 0;
}

/**
 * pair_create() - two connected hosts, an agent on each
 * @pair: receives them; pair_destroy() removes every trace
 * @security: of the connections between them
 * @rate: of the link, or NULL
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int pair_create(struct pair **pair, enum pair_security security,
		const struct net_rate *rate, struct fail *fail)
{
	const struct pair kind = { .security = security };

	return pair_build(pair, &kind, rate, fail);
}

/**
 * pair_create_faulty() - two hosts whose agents inject faults
 * @pair: receives them; pair_destroy() removes every trace
 * @security: of the connections between them
 * @rate: of the link, or NULL
 * @source: what the source's agents inject, now and later ones; or NULL
 * @dest: what the dest's do
 * @fail: says why not
 *
 * Return: 0, -EOPNOTSUPP (agents of this build inject nothing) or -errno.
 */
int pair_create_faulty(struct pair **pair, enum pair_security security,
		       const struct net_rate *rate, const char *source,
		       const char *dest, struct fail *fail)
{
	const struct pair kind = { .security = security, .inject = { source, dest } };

	return pair_build(pair, &kind, rate, fail);
}

/**
 * pair_create_seeded() - two hosts whose agents inject the same each time
 * @pair: receives them; pair_destroy() removes every trace
 * @security: of the connections between them
 * @inject: by enum side; each may be NULL
 * @seed: what chance depends on; 0: it is chance
 * @fail: says why not
 *
 * Return: as pair_create_faulty().
 */
int pair_create_seeded(struct pair **pair, enum pair_security security,
		       const char *const inject[2], uint64_t seed, struct fail *fail)
{
	const struct pair kind = {
		.security = security, .inject = { inject[0], inject[1] }, .inject_seed = seed,
	};

	return pair_build(pair, &kind, NULL, fail);
}

/**
 * pair_destroy() - end everything on both hosts, remove both
 * @pair: NULL is fine
 */
void pair_destroy(struct pair *pair)
{
	if (!pair)
		return;
	process_kill_netns(pair->hosts->source.netns);
	process_kill_netns(pair->hosts->dest.netns);
	two_hosts_destroy(pair->hosts);
	free(pair);
}

/**
 * pair_start_guest() - start the reference VMM on the source, wait for it
 * @pair: of the source
 * @name: of the guest
 * @options: more options of straddle-vmm, NULL at the end
 * @fail: says why not, with the VMM's own words
 *
 * Return: 0 or -errno.
 */
int pair_start_guest(struct pair *pair, const char *name,
		     const char *const options[], struct fail *fail)
{
	const struct host *host = &pair->hosts->source;
	const char *argv[ARGS_MAX] = { "straddle-vmm", "--name", name,
		"--run-dir", host->run_dir, "--witness", pair->witness };
	char log[2048] = "";
	size_t i, n = 7;
	pid_t pid;

	for (i = 0; options[i] && n < ARGS_MAX - 1; i++)
		argv[n++] = options[i];
	pid = host_spawn(host, argv, "vmm.log", fail);
	if (pid < 0)
		return pid;
	for (i = 0; i < READY_TRIES; i++) {
		if (guest_exists(host, name))
			return 0;
		if (process_wait(pid, 0) != -ETIMEDOUT)
			break;
		try_again();
	}
	host_log(host, "vmm.log", log, sizeof(log));
	return fail_set(fail, -ENOTCONN, "guest '%s' did not start: %s", name,
			log);
}

static void straddle_args(const struct host *host, const char *const argv[],
			  char *path, size_t size, const char **all)
{
	size_t i, n = 0;

	control_path(host, path, size);
	all[n++] = "straddle";
	all[n++] = "--agent";
	all[n++] = path;
	for (i = 0; argv[i] && n < ARGS_MAX - 1; i++)
		all[n++] = argv[i];
	all[n] = NULL;
}

/**
 * pair_straddle() - run the command on a host, to its end
 * @pair: of the host
 * @host: where
 * @argv: its arguments after --agent, NULL at the end
 * @text: receives its output; may be NULL
 * @size: of @text
 *
 * Return: its exit status or -errno.
 */
int pair_straddle(struct pair *pair, const struct host *host,
		  const char *const argv[], char *text, size_t size)
{
	const char *all[ARGS_MAX];
	struct fail fail = { 0 };
	char path[256];

	(void)pair;
	straddle_args(host, argv, path, sizeof(path), all);
	return host_run(host, all, text, size, &fail);
}

/**
 * pair_straddle_start() - run the command on a host, in the background
 * @pair: of the host
 * @host: where
 * @argv: its arguments after --agent, NULL at the end
 * @log: file of the host for its output
 * @fail: says why not
 *
 * Return: its pid or -errno.
 */
pid_t pair_straddle_start(struct pair *pair, const struct host *host,
			  const char *const argv[], const char *log,
			  struct fail *fail)
{
	const char *all[ARGS_MAX];
	char path[256];

	(void)pair;
	straddle_args(host, argv, path, sizeof(path), all);
	return host_spawn(host, all, log, fail);
}

/* One call of the guest's control protocol; the answer is the caller's. */
static int guest_call(const struct host *host, const char *name,
		      const char *verb, int timeout_ms,
		      struct json_object **answer, struct fail *fail)
{
	struct vmm_client *client;
	struct vmm_call call = {
		.send_fd = -1,
		.fd = -1,
		.timeout_ms = timeout_ms,
	};
	int ret = vmm_connect(host->run_dir, name, &client, fail);

	if (ret < 0)
		return ret;
	call.request = vmm_request(verb);
	ret = vmm_call(client, &call, fail);
	vmm_disconnect(client);
	if (!ret)
		*answer = call.answer;
	return ret;
}

/**
 * guest_stats_get() - what a guest has counted
 * @host: where it is
 * @name: of the guest
 * @stats: receives it
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int guest_stats_get(const struct host *host, const char *name,
		    struct guest_stats *stats, struct fail *fail)
{
	struct json_object *answer;
	const char *state;
	int ret = guest_call(host, name, "stats", CALL_TIMEOUT_MS, &answer,
			     fail);

	if (ret < 0)
		return ret;
	state = vmm_text(answer, "state");
	snprintf(stats->state, sizeof(stats->state), "%s", state ? state : "");
	stats->ticks = vmm_number(answer, "ticks");
	stats->bad = vmm_number(answer, "bad");
	json_object_put(answer);
	return 0;
}

/**
 * guest_run_on() - wait until a guest has made progress
 * @host: where it is
 * @name: of the guest
 * @ticks: visits that it has to make from now on
 * @fail: says why not
 *
 * Return: 0, -ETIMEDOUT (it does not get on) or -errno.
 */
int guest_run_on(const struct host *host, const char *name, uint64_t ticks,
		 struct fail *fail)
{
	struct guest_stats stats;
	uint64_t goal;
	int i, ret = guest_stats_get(host, name, &stats, fail);

	goal = stats.ticks + ticks;
	for (i = 0; i < READY_TRIES && !ret; i++) {
		if (stats.ticks >= goal)
			return 0;
		try_again();
		ret = guest_stats_get(host, name, &stats, fail);
	}
	return ret < 0 ? ret : fail_set(fail, -ETIMEDOUT,
			"guest '%s' on %s does not get on", name, host->name);
}

/**
 * guest_walk() - have a guest check every page of its memory
 * @host: where it is
 * @name: of the guest
 * @stats: receives the result, and its counters
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int guest_walk(const struct host *host, const char *name,
	       struct guest_stats *stats, struct fail *fail)
{
	struct json_object *answer;
	int ret = guest_call(host, name, "walk", WALK_TIMEOUT_MS, &answer,
			     fail);

	if (ret < 0)
		return ret;
	stats->walked = vmm_number(answer, "pages");
	stats->walk_bad = vmm_number(answer, "bad");
	json_object_put(answer);
	return guest_stats_get(host, name, stats, fail);
}

/**
 * guest_exists() - does a guest's control socket answer?
 * @host: where
 * @name: of the guest
 *
 * Return: true when it does.
 */
bool guest_exists(const struct host *host, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/guests/%s.sock", host->run_dir, name);
	return listens(path);
}

/**
 * witness_owners() - did two copies ever run at once?
 * @pair: whose guests wrote the witness
 *
 * Lines are "ns pid name start|stop"; one clock, one file, in append order.
 * A copy that was killed writes no stop: a start by another pid is then
 * counted as a second owner, so a source must stop before it is killed.
 *
 * Return: the number of owners at the worst moment, or -errno.
 */
int witness_owners(const struct pair *pair)
{
	__cleanup_file FILE *file = fopen(pair->witness, "re");
	char line[256], what[16];
	int owners = 0, worst = 0;

	if (!file)
		return -ENOENT;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*u %*d %*s %15s", what) != 1)
			return -EBADMSG;
		owners += !strcmp(what, "start") ? 1 : -1;
		if (owners > worst)
			worst = owners;
	}
	return worst;
}
