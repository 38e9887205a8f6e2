/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steward_client.c - a worker starts its steward, and asks it.
 *
 * There are a few streams, so that threads that ask at the same time do not
 * wait for each other: one may be in load() for seconds. A worker whose steward
 * is gone knows nothing of its guest any more, and guesses nothing: it ends.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "log.h"
#include "port.h"
#include "steward.h"
#include "steward_wire.h"
#include "sys.h"

#define STREAMS		STEWARD_FDS
#define OUT_OF_WAY	64

static struct {
	pid_t pid;		/* 0: there is none */
	pthread_mutex_t lock;
	pthread_cond_t freed;
	bool busy[STREAMS];	/* under @lock */
	int socket[STREAMS];
} client = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.freed = PTHREAD_COND_INITIALIZER,
};

/* Out of the way of the numbers to come. */
static int raise_fd(int fd)
{
	int raised = sys_ret(fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_WAY));

	close(fd);
	return raised;
}

/* Ours at its fixed number, so that all others can be closed. */
static int stream_make(unsigned int number, int *theirs)
{
	__cleanup_fd int ours = -1;
	int pair[2], ret;

	ret = sys_ret(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	if (ret)
		return ret;
	ours = raise_fd(pair[0]);
	*theirs = raise_fd(pair[1]);
	if (ours < 0 || *theirs < 0)
		return -EMFILE;
	client.socket[number] = STEWARD_FD + (int)number;
	ret = sys_ret(dup3(ours, client.socket[number], O_CLOEXEC));
	return ret < 0 ? ret : 0;
}

/* What it would have said of the guest may be anything. */
__attribute__((noreturn))
static void steward_lost(int err)
{
	log_error("the worker's second process (steward) is gone: %s; the worker ends, too",
		  strerror(-err));
	_exit(1);
}

/* In a handler: nothing but system calls. Another child of libvirt's may end, too. */
static void on_child(int signal)
{
	static const char said[] = "straddled: a worker's second process (steward) was killed; "
				   "the worker ends, too\n";
	siginfo_t info = { .si_pid = 0 };

	(void)signal;
	if (sys_ret(waitid(P_PID, (id_t)client.pid, &info, WEXITED | WNOHANG | WNOWAIT)) ||
	    !info.si_pid)
		return;
	(void)sys_write_all(STDERR_FILENO, said, sizeof(said) - 1);
	_exit(1);
}

/* At once, and not when it is asked the next time. */
static int watch(bool begin)
{
	struct sigaction action = { .sa_handler = begin ? on_child : SIG_DFL,
				    .sa_flags = SA_RESTART | SA_NOCLDSTOP };

	return sys_ret(sigaction(SIGCHLD, &action, NULL));
}

static void become(const struct steward_job *job, const int *theirs, pid_t worker)
{
	/* A worker that is killed leaves nobody behind who touches its guest. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != worker)
		_exit(1);
	steward_main(job, theirs, STREAMS);
}

/**
 * steward_start() - fork the steward off; this process has no other thread yet
 * @job: what it may be asked for
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int steward_start(const struct steward_job *job, struct fail *fail)
{
	pid_t worker = getpid();
	int theirs[STREAMS], ret = 0;
	unsigned int i;

	for (i = 0; i < STREAMS && !ret; i++)
		ret = stream_make(i, &theirs[i]);
	if (!ret)
		ret = client.pid = sys_ret(fork());
	if (ret < 0)
		return fail_set(fail, ret, "cannot start the worker's second process: %s",
				strerror(-ret));
	if (!client.pid)
		become(job, theirs, worker);
	for (i = 0; i < STREAMS; i++)
		close(theirs[i]);
	/* Who reads what strangers send does not say which guest it is. */
	close(PORT_BINDER_FD);
	close(PORT_GUEST_FD);
	ret = watch(true);
	/* It may have ended before. */
	on_child(SIGCHLD);
	return ret;
}

/**
 * steward_end() - have the steward end, and wait for that
 *
 * No thread asks any more.
 */
void steward_end(void)
{
	unsigned int i;

	if (!client.pid)
		return;
	(void)watch(false);
	for (i = 0; i < STREAMS; i++)
		close(client.socket[i]);
	sys_retry(waitpid(client.pid, NULL, 0));
	client.pid = 0;
}

static unsigned int stream_take(void)
{
	unsigned int i = 0;

	pthread_mutex_lock(&client.lock);
	while (client.busy[i]) {
		if (++i < STREAMS)
			continue;
		pthread_cond_wait(&client.freed, &client.lock);
		i = 0;
	}
	client.busy[i] = true;
	pthread_mutex_unlock(&client.lock);
	return i;
}

static void stream_give(unsigned int i)
{
	pthread_mutex_lock(&client.lock);
	client.busy[i] = false;
	pthread_cond_signal(&client.freed);
	pthread_mutex_unlock(&client.lock);
}

/**
 * steward_ask() - have something done
 * @verb: what
 * @driver: whose, by its place in guest_drivers[]
 * @request: written; freed. NULL: nothing to say
 * @reply: receives the answer, to be read and freed, also after an error; NULL:
 *	it holds nothing
 * @fail: receives its reason
 *
 * Any thread may; does not return when there is no steward any more.
 *
 * Return: its answer, >= 0 or -errno.
 */
int steward_ask(enum steward_verb verb, uint32_t driver, struct wire *request,
		struct wire *reply, struct fail *fail)
{
	struct wire_head head = { .verb = verb, .about = driver };
	struct wire none, answer;
	unsigned int stream;
	int ret;

	if (!client.pid)
		steward_lost(-ENOTCONN);
	wire_init(&none);
	ret = request ? request->err : 0;
	if (ret) {
		wire_fini(request);
		if (reply)
			wire_init(reply);
		return ret;
	}
	stream = stream_take();
	ret = wire_send(client.socket[stream], &head, request ? request : &none);
	if (!ret)
		ret = wire_receive(client.socket[stream], &head, &answer);
	if (ret)
		steward_lost(ret);
	stream_give(stream);
	if (request)
		wire_fini(request);
	if (head.verb < 0 || !reply) {
		wire_fail(&answer, fail);
		wire_fini(&answer);
		if (reply)
			wire_init(reply);
	} else {
		*reply = answer;
	}
	return head.verb;
}
