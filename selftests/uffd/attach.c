// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * attach.c - a thread that is stopped in a system call does not notice.
 *
 * Each variant is a call that an idle hypervisor may sleep in. It is
 * interrupted again and again, and must then return what it returns to a
 * process that nobody touched.
 */
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "harness.h"
#include "peer.h"
#include "sys.h"
#include "uffd/uffd.h"

#define ROUNDS	20

static void count_signal(int signal, siginfo_t *info, void *context)
{
	struct peer_board *board = info->si_value.sival_ptr;

	(void)signal;
	(void)context;
	board->signals++;
}

static int handle(int signal, int flags)
{
	struct sigaction action = {
		.sa_sigaction = count_signal,
		.sa_flags = SA_SIGINFO | flags,
	};

	return sys_ret(sigaction(signal, &action, NULL));
}

static int in_poll(struct peer *peer)
{
	struct pollfd pfd = { .fd = peer->wake[0], .events = POLLIN };

	return sys_ret(poll(&pfd, 1, -1)) != 1;
}

static int in_poll_for_a_time(struct peer *peer)
{
	struct pollfd pfd = { .fd = peer->wake[0], .events = POLLIN };

	return sys_ret(poll(&pfd, 1, 60000)) != 1;
}

static int in_ppoll(struct peer *peer)
{
	struct pollfd pfd = { .fd = peer->wake[0], .events = POLLIN };
	sigset_t all;

	sigfillset(&all);
	return sys_ret(ppoll(&pfd, 1, NULL, &all)) != 1;
}

static int in_read(struct peer *peer)
{
	char byte;

	return sys_ret(read(peer->wake[0], &byte, 1)) != 1;
}

static int in_futex(struct peer *peer)
{
	int ret = 0;

	while (!ret && !peer->board->stop)
		ret = (int)sys_ret(syscall(__NR_futex, &peer->board->stop,
					   FUTEX_WAIT, 0, NULL));
	return ret && ret != -EAGAIN;
}

/* One whole second at least, in which nothing of it may get lost. */
static int in_nanosleep(struct peer *peer)
{
	struct timespec second = { 1, 0 };
	uint64_t start_ns = now_ns();
	/* style: a call that goes on after a stop is what is looked for */
	int ret = sys_ret(clock_nanosleep(CLOCK_MONOTONIC, 0, &second, NULL));

	(void)peer;
	return ret || now_ns() - start_ns < 1000000000u;
}

static int epoll_of(struct peer *peer)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(epoll, EPOLL_CTL_ADD, peer->wake[0], &event);
	return epoll;
}

static int in_epoll(struct peer *peer)
{
	struct epoll_event event;

	return sys_ret(epoll_wait(epoll_of(peer), &event, 1, -1)) != 1;
}

static int in_epoll_pwait(struct peer *peer)
{
	struct epoll_event event;
	sigset_t none;

	sigemptyset(&none);
	return sys_ret(epoll_pwait(epoll_of(peer), &event, 1, -1, &none)) != 1;
}

static int in_sigtimedwait(struct peer *peer)
{
	sigset_t set;

	(void)peer;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	peer->board->ready = 1;
	return sys_ret(sigtimedwait(&set, NULL, NULL)) != SIGUSR1;
}

/* A handler ends pause(): then, and only then, it must say -EINTR. */
static int in_pause(struct peer *peer)
{
	handle(SIGUSR1, 0);
	peer->board->ready = 1;
	return sys_ret(pause()) != -EINTR || peer->board->signals != 1;
}

static int in_read_with_a_handler(struct peer *peer)
{
	char byte;

	handle(SIGUSR1, 0);
	peer->board->ready = 1;
	return sys_ret(read(peer->wake[0], &byte, 1)) != -EINTR ||
	       peer->board->signals != 1;
}

FIXTURE(idle) { struct peer peer; };

FIXTURE_VARIANT(idle) {
	peer_main_fn *life;
	long call;
	bool by_signal;		/* SIGUSR1 ends it, else a byte */
	bool by_itself;
};

FIXTURE_VARIANT_ADD(idle, poll) { .life = in_poll, .call = __NR_poll };
FIXTURE_VARIANT_ADD(idle, poll_for_a_time) {
	.life = in_poll_for_a_time, .call = __NR_poll,
};
FIXTURE_VARIANT_ADD(idle, ppoll) { .life = in_ppoll, .call = __NR_ppoll };
FIXTURE_VARIANT_ADD(idle, read) { .life = in_read, .call = __NR_read };
FIXTURE_VARIANT_ADD(idle, futex) { .life = in_futex, .call = __NR_futex };
FIXTURE_VARIANT_ADD(idle, nanosleep) {
	.life = in_nanosleep, .call = __NR_clock_nanosleep, .by_itself = true,
};
FIXTURE_VARIANT_ADD(idle, epoll) { .life = in_epoll, .call = __NR_epoll_wait };
FIXTURE_VARIANT_ADD(idle, epoll_pwait) {
	.life = in_epoll_pwait, .call = __NR_epoll_pwait,
};
FIXTURE_VARIANT_ADD(idle, sigtimedwait) {
	.life = in_sigtimedwait, .call = __NR_rt_sigtimedwait,
	.by_signal = true,
};
FIXTURE_VARIANT_ADD(idle, pause) {
	.life = in_pause, .call = __NR_pause, .by_signal = true,
};
FIXTURE_VARIANT_ADD(idle, read_with_a_handler) {
	.life = in_read_with_a_handler, .call = __NR_read, .by_signal = true,
};

/* Private memory: the variant's own ready is set before it calls. */
static peer_main_fn *idle_life;

static int idle_main(struct peer *peer)
{
	if (idle_life != in_sigtimedwait && idle_life != in_pause &&
	    idle_life != in_read_with_a_handler)
		peer->board->ready = 1;
	return idle_life(peer);
}

FIXTURE_SETUP(idle)
{
	self->peer = (struct peer){ .pidfd = -1 };
	idle_life = variant->life;
	ASSERT_EQ(0, peer_start(&self->peer, idle_main, false));
	ASSERT_EQ(0, peer_await_call(&self->peer, variant->call));
}

FIXTURE_TEARDOWN(idle)
{
	peer_end(&self->peer);
}

static void end_call(FIXTURE_DATA(idle) *self,
		     const FIXTURE_VARIANT(idle) *variant)
{
	union sigval value = { .sival_ptr = self->peer.board };

	if (variant->by_signal) {
		ASSERT_EQ(0, sigqueue(self->peer.pid, SIGUSR1, value));
	} else if (!variant->by_itself) {
		peer_wake(&self->peer);
		syscall(__NR_futex, &self->peer.board->stop, FUTEX_WAKE, 1);
	}
}

TEST_F(idle, attach_is_not_noticed)
{
	struct uffd_attachment attachment;

	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, uffd_attach(self->peer.pid, &attachment));
		EXPECT_EQ(0, uffd_enable(attachment.uffd, 0));
		ASSERT_EQ(0, uffd_detach(&attachment));
		EXPECT_EQ(-1, attachment.uffd);
	}
	end_call(self, variant);
	EXPECT_EQ(0, peer_exit_status(&self->peer));
}

/* The wake-up and the attach race: neither may get lost. */
TEST_F(idle, attach_while_the_call_ends_is_not_noticed)
{
	struct uffd_attachment attachment;
	int ret;

	end_call(self, variant);
	ret = uffd_attach(self->peer.pid, &attachment);
	if (ret)
		EXPECT_EQ(-ESRCH, ret);
	else
		uffd_attachment_close(&attachment);
	EXPECT_EQ(0, peer_exit_status(&self->peer));
}

TEST_HARNESS_MAIN
