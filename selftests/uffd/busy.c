// SPDX-License-Identifier: LGPL-2.1-or-later
/* busy.c - attaching to processes that compute, get signals, or die. */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "peer.h"
#include "sys.h"
#include "uffd/uffd.h"

#define THREADS	3

/* A sum that any register lost on the way would change. */
static uint64_t compute(uint64_t seed)
{
	uint64_t x = seed | 1;
	double real = 1.0;

	for (int i = 0; i < 20000; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		real = real * 1.0000001 + (double)(x >> 60);
	}
	return x ^ (uint64_t)real;
}

static struct peer *busy_peer;

/* Returns NULL if every round gave the same sum. */
static void *busy_thread(void *arg)
{
	size_t index = (size_t)arg;
	uint64_t expected = compute(index);

	while (!busy_peer->board->stop) {
		if (compute(index) != expected)
			return busy_peer;
		busy_peer->board->work[index]++;
	}
	return NULL;
}

static int busy(struct peer *peer)
{
	pthread_t threads[THREADS];
	void *wrong = NULL, *ret;

	busy_peer = peer;
	for (size_t i = 1; i < THREADS; i++)
		pthread_create(&threads[i], NULL, busy_thread, (void *)i);
	peer->board->ready = 1;
	ret = busy_thread(0);
	for (size_t i = 1; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		ret = ret ? ret : wrong;
	}
	return ret != NULL;
}

static void count_signal(int signal)
{
	(void)signal;
	__atomic_fetch_add(&busy_peer->board->signals, 1, __ATOMIC_RELAXED);
}

/* Queued signals: none may get lost, none may come twice. */
static int signalled(struct peer *peer)
{
	struct sigaction action = { .sa_handler = count_signal };

	busy_peer = peer;
	sigaction(SIGRTMIN, &action, NULL);
	return busy(peer);
}

static void await_ready(struct peer *peer)
{
	while (!peer->board->ready)
		ASSERT_EQ(-ETIMEDOUT, sys_wait_fd(peer->pidfd, POLLIN, 1));
}

FIXTURE(working) { struct peer peer; };

FIXTURE_SETUP(working)
{
	self->peer = (struct peer){ .pidfd = -1 };
	ASSERT_EQ(0, peer_start(&self->peer, signalled, false));
	await_ready(&self->peer);
}

FIXTURE_TEARDOWN(working)
{
	peer_end(&self->peer);
}

TEST_F(working, sums_come_out_right)
{
	struct uffd_attachment attachment;

	for (unsigned long i = 0; i < test_sample(100); i++) {
		ASSERT_EQ(0, uffd_attach(self->peer.pid, &attachment));
		ASSERT_EQ(0, uffd_detach(&attachment));
	}
	self->peer.board->stop = 1;
	EXPECT_EQ(0, peer_exit_status(&self->peer));
}

struct sender {
	pid_t pid;
	unsigned int count;
};

static void *send_signals(void *arg)
{
	struct sender *sender = arg;
	union sigval value = { .sival_int = 0 };

	for (unsigned int i = 0; i < sender->count; i++)
		if (sys_ret(sigqueue(sender->pid, SIGRTMIN, value)))
			return sender;
	return NULL;
}

/* Fails if the signal mask is not put back, or a stop eats a signal. */
TEST_F(working, signals_arrive_each_once)
{
	struct sender sender = { self->peer.pid, 2000 };
	struct uffd_attachment attachment;
	pthread_t thread;
	void *failed;

	ASSERT_EQ(0, pthread_create(&thread, NULL, send_signals, &sender));
	for (unsigned long i = 0; i < test_sample(100); i++) {
		ASSERT_EQ(0, uffd_attach(self->peer.pid, &attachment));
		ASSERT_EQ(0, uffd_detach(&attachment));
	}
	pthread_join(thread, &failed);
	ASSERT_NULL(failed);
	for (int i = 0; self->peer.board->signals < sender.count && i < 5000;
	     i++)
		sys_wait_fd(self->peer.pidfd, POLLIN, 1);
	EXPECT_EQ(sender.count, self->peer.board->signals);
	self->peer.board->stop = 1;
	EXPECT_EQ(0, peer_exit_status(&self->peer));
}

static void *kill_it(void *arg)
{
	struct sender *sender = arg;
	struct timespec at = { 0, sender->count };
	sigset_t none;

	/* Not a pause for its own sake: spreads the kill over an attach. */
	sigemptyset(&none);
	ppoll(NULL, 0, &at, &none);
	kill(sender->pid, SIGKILL);
	return NULL;
}

TEST(process_killed_meanwhile_is_gone)
{
	for (unsigned int i = 0; i < test_sample(60); i++) {
		struct uffd_attachment attachment;
		struct sender killer;
		struct peer peer;
		pthread_t thread;
		int ret;

		ASSERT_EQ(0, peer_start(&peer, busy, false));
		await_ready(&peer);
		killer = (struct sender){ peer.pid, i * 25000 };
		ASSERT_EQ(0, pthread_create(&thread, NULL, kill_it, &killer));
		ret = uffd_attach(peer.pid, &attachment);
		if (ret)
			EXPECT_EQ(-ESRCH, ret);
		else
			uffd_attachment_close(&attachment);
		pthread_join(thread, NULL);
		EXPECT_EQ(128 + SIGKILL, peer_exit_status(&peer));
		peer_end(&peer);
	}
}

static pid_t victim_pid;

/* Whoever traces it first keeps it; the other one is told so. */
static int attach_once(void)
{
	struct uffd_attachment attachment;
	int ret = uffd_attach(victim_pid, &attachment);

	if (!ret) {
		ret = uffd_detach(&attachment);
		uffd_attachment_close(&attachment);
	}
	return ret == -EPERM ? 0 : ret;
}

static int attach_on_and_on(struct peer *peer)
{
	peer->board->ready = 1;
	while (!peer->board->stop)
		if (attach_once())
			return 1;
	return 0;
}

TEST(two_that_attach_at_once_do_not_harm_the_process)
{
	struct uffd_attachment attachment;
	struct peer other, victim;

	ASSERT_EQ(0, peer_start(&victim, busy, false));
	await_ready(&victim);
	victim_pid = victim.pid;
	ASSERT_EQ(0, peer_start(&other, attach_on_and_on, false));
	await_ready(&other);
	for (unsigned long i = 0; i < test_sample(100); i++)
		ASSERT_EQ(0, attach_once());
	other.board->stop = 1;
	EXPECT_EQ(0, peer_exit_status(&other));
	ASSERT_EQ(0, uffd_attach(victim.pid, &attachment));
	ASSERT_EQ(0, uffd_detach(&attachment));
	victim.board->stop = 1;
	EXPECT_EQ(0, peer_exit_status(&victim));
	peer_end(&other);
	peer_end(&victim);
}

TEST_HARNESS_MAIN
