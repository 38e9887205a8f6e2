/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds_qmp.c - what a real QEMU answers, recorded; without one: nothing. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "seeds.h"
#include "sys.h"

static struct seed seed;

/* In the order in which qmp.c asks. */
static const char *const questions[] = {
	"{\"execute\":\"query-status\"}",
	"{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/objects\"}}",
	"{\"execute\":\"query-uuid\"}",
	"{\"execute\":\"query-cpus-fast\"}",
	"{\"execute\":\"query-memory-size-summary\"}",
	"{\"execute\":\"human-monitor-command\","
	"\"arguments\":{\"command-line\":\"info ramblock\"}}",
	"{\"execute\":\"human-monitor-command\","
	"\"arguments\":{\"command-line\":\"info mtree -f\"}}",
	"{\"execute\":\"human-monitor-command\","
	"\"arguments\":{\"command-line\":\"gpa2hva 0x0\"}}",
	"{\"execute\":\"human-monitor-command\","
	"\"arguments\":{\"command-line\":\"gpa2hva 0x0\"}}",
	"{\"execute\":\"query-status\"}",
	"{\"execute\":\"stop\"}",
};

#define FIRST_OF_MEMORY	5

static pid_t qemu_start(int *fd)
{
	int fds[2];
	pid_t pid;

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	pid = fork();
	FUZZ_CHECK(pid >= 0);
	if (!pid) {
		dup2(fds[1], STDIN_FILENO);
		dup2(fds[1], STDOUT_FILENO);
		execlp("qemu-system-x86_64", "qemu-system-x86_64", "-machine", "microvm",
		       "-accel", "tcg", "-nodefaults", "-display", "none", "-m", "16",
		       "-S", "-uuid", "c7a5fdbd-edaf-9455-926a-d65c16db1809", "-qmp",
		       "stdio", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	*fd = fds[0];
	return pid;
}

/* One line that is no event; false: it ended. */
static bool answer_read(FILE *from, char **line, size_t *room)
{
	do {
		if (getline(line, room, from) < 0)
			return false;
	} while (strstr(*line, "\"event\""));
	return true;
}

static bool question_ask(FILE *from, int fd, const char *question, char **line,
			 size_t *room)
{
	return !sys_write_all(fd, question, strlen(question)) &&
	       !sys_write_all(fd, "\n", 1) && answer_read(from, line, room);
}

static void answer_add(const char *line)
{
	size_t length = strcspn(line, "\r\n");

	seed_add(&seed, line, length);
	seed_add_byte(&seed, '\n');
}

static void talk_record(FILE *from, int fd, size_t first, const char *name)
{
	size_t i, room = 0;
	char *line = NULL;

	seed_start(&seed);
	seed_add_byte(&seed, first == 0);
	for (i = first; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (question_ask(from, fd, questions[i], &line, &room))
			answer_add(line);
	free(line);
	seed_write("qmp", name, seed.bytes, seed.size);
}

/**
 * seeds_qmp() - a QEMU described, and asked for its memory
 */
void seeds_qmp(void)
{
	char *line = NULL;
	size_t room = 0;
	FILE *from;
	pid_t pid;
	int fd;

	pid = qemu_start(&fd);
	from = fdopen(fd, "r");
	FUZZ_CHECK(from);
	if (answer_read(from, &line, &room) &&
	    question_ask(from, fd, "{\"execute\":\"qmp_capabilities\"}", &line, &room)) {
		talk_record(from, fd, 0, "described");
		talk_record(from, fd, FIRST_OF_MEMORY, "memory");
	} else {
		fprintf(stderr, "no QEMU to ask: no seeds of what one answers\n");
	}
	free(line);
	fclose(from);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
