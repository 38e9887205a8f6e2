// SPDX-License-Identifier: LGPL-2.1-or-later
/* foreign.c - attaching to processes of every sort leaves them as they were. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "harness.h"
#include "peer.h"
#include "sys.h"
#include "uffd/uffd.h"

#define NOBODY	65534

static int wait_for_the_end(struct peer *peer)
{
	char byte;

	peer->board->ready = 1;
	return sys_ret(read(peer->wake[0], &byte, 1)) != 1;
}

static int ordinary(struct peer *peer)
{
	return wait_for_the_end(peer);
}

static int without_rights(struct peer *peer)
{
	return sys_ret(setresuid(NOBODY, NOBODY, NOBODY)) ||
	       wait_for_the_end(peer);
}

/* A filter that kills for the calls that an attachment makes. */
static int filtered(struct peer *peer)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_userfaultfd, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socketpair, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ||
	       wait_for_the_end(peer);
}

FIXTURE(foreign) { struct peer peer; };

FIXTURE_VARIANT(foreign) { peer_main_fn *life; };

FIXTURE_VARIANT_ADD(foreign, ordinary) { .life = ordinary };
FIXTURE_VARIANT_ADD(foreign, without_rights) { .life = without_rights };
FIXTURE_VARIANT_ADD(foreign, filtered) { .life = filtered };

FIXTURE_SETUP(foreign)
{
	self->peer = (struct peer){ .pidfd = -1 };
	ASSERT_EQ(0, peer_start(&self->peer, variant->life, true));
	ASSERT_EQ(0, peer_await_state(&self->peer, 'S'));
}

FIXTURE_TEARDOWN(foreign)
{
	peer_end(&self->peer);
}

/* Everything that an attachment could leave behind. */
struct traces {
	char maps[16384];
	char fds[4096];
	char status[4096];
};

static void take_traces(struct peer *peer, struct traces *traces)
{
	char *counters;

	memset(traces, 0, sizeof(*traces));
	if (peer_read_proc(peer, "maps", traces->maps, sizeof(traces->maps)))
		TH_LOG("no maps");
	ASSERT_EQ(0, peer_list_fds(peer, traces->fds, sizeof(traces->fds)));
	ASSERT_EQ(0, peer_read_proc(peer, "status", traces->status,
				    sizeof(traces->status)));
	/* From here on it counts what it did; before: signals, rights. */
	counters = strstr(traces->status, "Speculation_Store_Bypass");
	if (counters)
		*counters = '\0';
}

/* Numbers of memory in use move by themselves. */
static void compare_status(const struct traces *before,
			   const struct traces *after)
{
	static const char *const same[] = {
		"TracerPid", "FDSize", "Threads", "SigPnd", "ShdPnd", "SigBlk",
		"SigIgn", "SigCgt", "CapEff", "Seccomp",
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		const char *a = strstr(before->status, same[i]);
		const char *b = strstr(after->status, same[i]);

		ASSERT_TRUE(a && b);
		if (strncmp(same[i], "FDSize", 6))
			EXPECT_EQ(0, strncmp(a, b, strcspn(a, "\n")));
	}
}

/* Fails if a call is not undone, or the mask or seccomp are not restored. */
TEST_F(foreign, many_attachments_leave_no_trace)
{
	struct uffd_attachment attachment;
	struct traces before, after;

	take_traces(&self->peer, &before);
	for (unsigned long i = 0; i < test_sample(200); i++) {
		ASSERT_EQ(0, uffd_attach(self->peer.pid, &attachment));
		ASSERT_EQ(0, uffd_detach(&attachment));
	}
	take_traces(&self->peer, &after);
	EXPECT_STREQ(before.maps, after.maps);
	EXPECT_STREQ(before.fds, after.fds);
	compare_status(&before, &after);
	peer_wake(&self->peer);
	EXPECT_EQ(0, peer_exit_status(&self->peer));
}

TEST_F(foreign, attachment_is_a_userfaultfd_over_its_memory)
{
	struct range all = { (uintptr_t)self->peer.memory, PEER_SIZE };
	char name[32], link[64] = "", path[64];
	struct uffd_attachment attachment;

	ASSERT_EQ(0, uffd_attach(self->peer.pid, &attachment));
	snprintf(name, sizeof(name), "fd/%d", attachment.remote_fd);
	snprintf(path, sizeof(path), "/proc/%d/%s", self->peer.pid, name);
	EXPECT_LT(0, readlink(path, link, sizeof(link) - 1));
	EXPECT_STREQ("anon_inode:[userfaultfd]", link);
	ASSERT_EQ(0, uffd_enable(attachment.uffd, UFFD_FEATURE_MISSING_SHMEM));
	EXPECT_EQ(0, uffd_register(attachment.uffd, all,
				   UFFDIO_REGISTER_MODE_MISSING));
	EXPECT_EQ(0, uffd_unregister(attachment.uffd, all));
	EXPECT_EQ(0, uffd_detach(&attachment));
}

TEST_F(foreign, descriptor_left_there_can_be_adopted)
{
	struct uffd_attachment first, second;

	ASSERT_EQ(0, uffd_attach(self->peer.pid, &first));
	uffd_attachment_close(&first);
	ASSERT_EQ(0, uffd_adopt(self->peer.pid, first.remote_fd, &second));
	EXPECT_EQ(0, uffd_enable(second.uffd, 0));
	EXPECT_EQ(0, uffd_detach(&second));
	EXPECT_EQ(-EBADF, uffd_adopt(self->peer.pid, first.remote_fd,
				     &second));
	EXPECT_EQ(-EBADF, uffd_adopt(self->peer.pid, 0, &second));
}

/* Fails if detach trusts the number alone. */
TEST_F(foreign, detach_does_not_close_what_is_not_ours)
{
	struct uffd_attachment first, second;
	char before[4096], after[4096];
	int wrong;

	ASSERT_EQ(0, uffd_attach(self->peer.pid, &first));
	ASSERT_EQ(0, uffd_attach(self->peer.pid, &second));
	ASSERT_EQ(0, peer_list_fds(&self->peer, before, sizeof(before)));
	wrong = second.remote_fd;
	second.remote_fd = first.remote_fd;
	EXPECT_EQ(-EBADF, uffd_detach(&second));
	ASSERT_EQ(0, peer_list_fds(&self->peer, after, sizeof(after)));
	EXPECT_STREQ(before, after);
	EXPECT_EQ(0, uffd_adopt(self->peer.pid, wrong, &second));
	EXPECT_EQ(0, uffd_detach(&second));
	EXPECT_EQ(0, uffd_detach(&first));
}

TEST_F(foreign, stopped_process_stays_stopped)
{
	struct uffd_attachment attachment;

	ASSERT_EQ(0, kill(self->peer.pid, SIGSTOP));
	ASSERT_EQ(0, peer_await_state(&self->peer, 'T'));
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, uffd_attach(self->peer.pid, &attachment));
		ASSERT_EQ(0, peer_await_state(&self->peer, 'T'));
		ASSERT_EQ(0, uffd_detach(&attachment));
		ASSERT_EQ(0, peer_await_state(&self->peer, 'T'));
	}
	ASSERT_EQ(0, kill(self->peer.pid, SIGCONT));
	peer_wake(&self->peer);
	EXPECT_EQ(0, peer_exit_status(&self->peer));
}

TEST_F(foreign, process_that_ended_is_gone)
{
	struct uffd_attachment attachment, late;

	ASSERT_EQ(0, uffd_attach(self->peer.pid, &attachment));
	ASSERT_EQ(0, kill(self->peer.pid, SIGKILL));
	ASSERT_EQ(0, sys_wait_fd(self->peer.pidfd, POLLIN, 10000));
	EXPECT_EQ(-ESRCH, uffd_attach(self->peer.pid, &late));
	EXPECT_EQ(0, uffd_detach(&attachment));
	EXPECT_EQ(-1, attachment.uffd);
}

TEST(nonsense_is_refused)
{
	struct uffd_attachment attachment = { .uffd = 77 };

	EXPECT_EQ(-EINVAL, uffd_attach(0, &attachment));
	EXPECT_EQ(-EINVAL, uffd_attach(-1, &attachment));
	EXPECT_EQ(-EINVAL, uffd_attach(getpid(), &attachment));
	EXPECT_EQ(-EINVAL, uffd_adopt(getpid(), -1, &attachment));
	EXPECT_EQ(77, attachment.uffd);
}

/* ---- a descriptor of a process without rights is a full one ------------- */

static int read_into_missing_memory(struct peer *peer)
{
	char byte;

	if (sys_ret(setresuid(NOBODY, NOBODY, NOBODY)) ||
	    wait_for_the_end(peer))
		return 1;
	/* The kernel writes there on our behalf: a fault in the kernel. */
	if (sys_ret(read(peer->wake[0], peer->memory, 1)) != 1)
		return 2;
	byte = peer->memory[0];
	return byte == 'w' && peer->memory[1] == 'p' ? 0 : 3;
}

/* Fails with a user-mode-only descriptor: the read returns -EFAULT. */
TEST(fault_in_the_kernel_is_told_too)
{
	struct uffd_event event = { .kind = UFFD_OTHER };
	struct uffd_attachment attachment;
	struct range all;
	struct peer peer;
	char page[4096];

	memset(page, 'p', sizeof(page));
	ASSERT_EQ(0, peer_start(&peer, read_into_missing_memory, false));
	all = (struct range){ (uintptr_t)peer.memory, PEER_SIZE };
	ASSERT_EQ(0, peer_await_call(&peer, __NR_read));
	ASSERT_EQ(0, uffd_attach(peer.pid, &attachment));
	ASSERT_EQ(0, uffd_enable(attachment.uffd, 0));
	ASSERT_EQ(0, uffd_register(attachment.uffd, all,
				   UFFDIO_REGISTER_MODE_MISSING));
	peer_wake(&peer);
	peer_wake(&peer);
	ASSERT_EQ(0, sys_wait_fd(attachment.uffd, POLLIN, 10000));
	ASSERT_EQ(1, uffd_events(attachment.uffd, &event, 1));
	EXPECT_EQ(UFFD_FAULT_MISSING, event.kind);
	EXPECT_EQ(0, uffd_copy(attachment.uffd, all.start, page, 4096, 4096,
			       0));
	EXPECT_EQ(0, peer_exit_status(&peer));
	uffd_attachment_close(&attachment);
	peer_end(&peer);
}

TEST_HARNESS_MAIN
