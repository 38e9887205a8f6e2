/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm.c - start, ask, feed and end straddle-vmm. */
#include "lib/vmm.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "harness.h"
#include "lib/program.h"
#include "sys.h"

#define CALL_MS		20000
#define SLOW_MS		120000	/* a walk, where KVM emulates */
#define ARGS_MAX	40
#define COPY_CHUNK	(2u << 20)

static void run_vmm(const struct test_vmm *vmm, int ready,
		    const char *const *more)
{
	const char *argv[ARGS_MAX] = {
		"straddle-vmm", "--name", vmm->name, "--run-dir",
		vmm->run_dir, "--ready-fd",
	};
	char path[512], number[16];
	int count = 6;

	snprintf(number, sizeof(number), "%d", ready);
	fcntl(ready, F_SETFD, 0);
	argv[count++] = number;
	for (; more && *more && count < ARGS_MAX - 1; more++)
		argv[count++] = *more;
	build_path(path, sizeof(path), "straddle-vmm");
	execv(path, (char *const *)(uintptr_t)argv);
	dprintf(ready, "%s cannot be run\n", path);
	_exit(127);
}

static int read_verdict(struct test_vmm *vmm, int fd)
{
	char text[600];
	size_t used = 0;
	ssize_t got;

	while (used < sizeof(text) - 1 &&
	       (got = sys_retry(read(fd, text + used,
				     sizeof(text) - 1 - used))) > 0)
		used += (size_t)got;
	while (used && text[used - 1] == '\n')
		used--;
	text[used] = '\0';
	if (!strcmp(text, "ready"))
		return 0;
	return fail_set(&vmm->fail, -EIO, "%s", text);
}

/**
 * vmm_spawn() - start a VMM and wait until it is up
 * @vmm: filled; vmm_kill() it in any case
 * @name: the guest's, kept
 * @options: or NULL
 *
 * Return: 0, or -errno with what it said in @vmm->fail.
 */
int vmm_spawn(struct test_vmm *vmm, const char *name,
	      const struct test_vmm_options *options)
{
	int ends[2], ret;

	*vmm = (struct test_vmm){ .name = name };
	snprintf(vmm->run_dir, sizeof(vmm->run_dir), "%s",
		 options && options->run_dir ? options->run_dir : test_dir());
	ret = sys_ret(pipe2(ends, O_CLOEXEC));
	if (ret)
		return ret;
	vmm->pid = sys_ret(fork());
	if (!vmm->pid)
		run_vmm(vmm, ends[1], options ? options->more : NULL);
	close(ends[1]);
	ret = vmm->pid < 0 ? vmm->pid : read_verdict(vmm, ends[0]);
	close(ends[0]);
	return ret ? ret : vmm_connect(vmm->run_dir, name, &vmm->client,
				       &vmm->fail);
}

/**
 * vmm_wait_exit() - wait for the VMM's end
 * @vmm: told to quit, or killed
 *
 * Return: its exit code, or 128 + the signal that ended it.
 */
int vmm_wait_exit(struct test_vmm *vmm)
{
	int status = 0;

	if (vmm->pid > 0)
		sys_retry(waitpid(vmm->pid, &status, 0));
	vmm->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

/**
 * vmm_kill() - end the VMM, however it is
 * @vmm: all zero, failed to start, running or ended
 */
void vmm_kill(struct test_vmm *vmm)
{
	if (vmm->pid > 0) {
		kill(vmm->pid, SIGKILL);
		vmm_wait_exit(vmm);
	}
	vmm_disconnect(vmm->client);
	vmm->client = NULL;
}

static int call(struct test_vmm *vmm, struct json_object *request,
		int send_fd, int timeout_ms, struct vmm_call *done)
{
	*done = (struct vmm_call){
		.request = request,
		.send_fd = send_fd,
		.timeout_ms = timeout_ms,
	};
	vmm->fail.err = 0;
	return vmm_call(vmm->client, done, &vmm->fail);
}

static void finish(struct vmm_call *done)
{
	json_object_put(done->answer);
	if (done->fd >= 0)
		close(done->fd);
}

/**
 * vmm_do() - a request without arguments
 * @vmm: running
 * @verb: pause, resume, quit, ...
 *
 * Return: 0, or -errno with the reason in @vmm->fail.
 */
int vmm_do(struct test_vmm *vmm, const char *verb)
{
	vmm->fail.err = 0;
	return vmm_verb(vmm->client, verb, CALL_MS, &vmm->fail);
}

/**
 * vmm_stat() - one number of stats
 * @vmm: running
 * @key: ticks, rate, bad, ...
 *
 * Return: the number; it is 0 also when there is no answer.
 */
uint64_t vmm_stat(struct test_vmm *vmm, const char *key)
{
	struct vmm_call done;
	uint64_t number;

	if (call(vmm, vmm_request("stats"), -1, CALL_MS, &done))
		return 0;
	number = vmm_number(done.answer, key);
	finish(&done);
	return number;
}

/**
 * vmm_wait_for() - wait until a count of the guest is high enough
 * @vmm: running
 * @key: ticks or bad
 * @value: how high
 *
 * Return: 0 or -errno.
 */
int vmm_wait_for(struct test_vmm *vmm, const char *key, uint64_t value)
{
	struct json_object *request = vmm_request("wait");
	struct vmm_call done;
	int ret;

	json_object_object_add(request, key, json_object_new_uint64(value));
	ret = call(vmm, request, -1, SLOW_MS, &done);
	if (!ret)
		finish(&done);
	return ret;
}

/**
 * vmm_wait_ticks() - let the guest do some visits
 * @vmm: its guest runs
 * @more: how many
 *
 * Return: 0 or -errno.
 */
int vmm_wait_ticks(struct test_vmm *vmm, uint64_t more)
{
	return vmm_wait_for(vmm, "ticks", vmm_stat(vmm, "ticks") + more);
}

/**
 * vmm_walk() - have the guest check all of its memory
 * @vmm: its guest runs
 * @pages: receives how many it looked at
 * @bad: receives how many were wrong
 *
 * Return: 0 or -errno.
 */
int vmm_walk(struct test_vmm *vmm, uint64_t *pages, uint64_t *bad)
{
	struct vmm_call done;
	int ret = call(vmm, vmm_request("walk"), -1, SLOW_MS, &done);

	if (ret)
		return ret;
	*pages = vmm_number(done.answer, "pages");
	*bad = vmm_number(done.answer, "bad");
	finish(&done);
	return 0;
}

/**
 * vmm_set_rate() - change the rate of one or both definitions
 * @vmm: running
 * @rate: pages a second
 * @live: of the guest as it runs
 * @persistent: of the one that is stored
 *
 * Return: 0 or -errno.
 */
int vmm_set_rate(struct test_vmm *vmm, uint64_t rate, bool live,
		 bool persistent)
{
	struct json_object *request = vmm_request("set");
	struct vmm_call done;
	int ret;

	json_object_object_add(request, "rate", json_object_new_uint64(rate));
	json_object_object_add(request, "live",
			       json_object_new_boolean(live));
	json_object_object_add(request, "persistent",
			       json_object_new_boolean(persistent));
	ret = call(vmm, request, -1, CALL_MS, &done);
	if (!ret)
		finish(&done);
	return ret;
}

/**
 * vmm_fd() - a request whose answer is a descriptor
 * @vmm: running
 * @verb: memory, save or userfaultfd
 *
 * Return: the descriptor, the caller's, or -errno.
 */
int vmm_fd(struct test_vmm *vmm, const char *verb)
{
	struct vmm_call done;
	int ret = call(vmm, vmm_request(verb), -1, CALL_MS, &done);
	int fd = done.fd;

	if (ret)
		return ret;
	done.fd = -1;
	finish(&done);
	return fd >= 0 ? fd : -EBADMSG;
}

/**
 * vmm_load_state() - hand device state to an incoming guest
 * @vmm: incoming
 * @fd: the state; stays open
 *
 * Return: 0, or -errno with the reason in @vmm->fail.
 */
int vmm_load_state(struct test_vmm *vmm, int fd)
{
	struct vmm_call done;
	int ret = call(vmm, vmm_request("load"), fd, CALL_MS, &done);

	if (!ret)
		finish(&done);
	return ret;
}

/**
 * vmm_memory_range() - where guest memory is in the VMM's process
 * @vmm: running
 *
 * Return: address and size; 0 and 0 when there is no answer.
 */
struct range vmm_memory_range(struct test_vmm *vmm)
{
	struct range range = { 0, 0 };
	struct json_object *regions = NULL, *ram;
	struct vmm_call done;

	if (call(vmm, vmm_request("describe"), -1, CALL_MS, &done))
		return range;
	json_object_object_get_ex(done.answer, "regions", &regions);
	ram = json_object_array_get_idx(regions, 0);
	range.start = vmm_number(ram, "address");
	range.len = vmm_number(ram, "size");
	finish(&done);
	return range;
}

/**
 * vmm_memory_fd() - the VMM's memory as a file, for pread and pwrite
 * @vmm: running
 *
 * Return: /proc/PID/mem, the caller's; offsets are addresses. Or -errno.
 */
int vmm_memory_fd(const struct test_vmm *vmm)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)vmm->pid);
	return sys_ret(open(path, O_RDWR | O_CLOEXEC));
}

/**
 * vmm_copy_memory() - give one guest the memory of another
 * @from: paused
 * @to: incoming, of the same size
 *
 * Return: 0 or -errno.
 */
int vmm_copy_memory(struct test_vmm *from, struct test_vmm *to)
{
	struct range source = vmm_memory_range(from);
	struct range dest = vmm_memory_range(to);
	__cleanup_fd int in = vmm_memory_fd(from);
	__cleanup_fd int out = vmm_memory_fd(to);
	__cleanup_free char *chunk = malloc(COPY_CHUNK);
	int ret = 0;

	if (!source.len || source.len != dest.len || in < 0 || out < 0 ||
	    !chunk)
		return -EINVAL;
	for (uint64_t at = 0; !ret && at < source.len; at += COPY_CHUNK) {
		size_t size = source.len - at < COPY_CHUNK ?
			      source.len - at : COPY_CHUNK;

		if (sys_retry(pread(in, chunk, size,
				    (off_t)(source.start + at))) !=
		    (ssize_t)size)
			return -EIO;
		ret = sys_pwrite_all(out, chunk, size, dest.start + at);
	}
	return ret;
}
