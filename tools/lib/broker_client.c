/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker_client.c - ask the broker for what needs CAP_SYS_PTRACE. */
#include <stddef.h>
#include <string.h>

#include "sys.h"
#include "tools/lib/broker_client.h"
#include "tools/lib/parcel.h"

static const char *reason(int err)
{
	switch (err) {
	case -EPERM:
		return "it may not be traced: a debugger or strace may hold "
		       "it (end that), or the agent lacks CAP_SYS_PTRACE or "
		       "CAP_SYS_ADMIN (give it both)";
	case -EACCES:
		return "it is not the process that this worker may name";
	case -ESRCH:
		return "the process is gone";
	case -ETIMEDOUT:
		return "none of its threads could be stopped within two "
		       "seconds; it was left as it was, try again";
	case -EBUSY:
		return "all its threads wait for a device; it was left as it "
		       "was, try again";
	case -EOPNOTSUPP:
		return "it is not a 64-bit program";
	case -EMFILE:
		return "it has no descriptor left; raise its limit (nofile)";
	case -EPIPE:
		return "the agent's broker process is gone; restart the agent";
	default:
		return strerror(-err);
	}
}

/* Descriptors only if it succeeded. */
static int take_reply(int client_fd, struct broker_reply *reply, struct parcel_fds *fds)
{
	int ret = parcel_receive(client_fd, reply, sizeof(*reply), fds);

	if (ret == (int)sizeof(*reply) && !reply->err)
		return 0;
	parcel_fds_close(fds);
	if (ret < 0)
		return ret == -ECONNRESET ? -EPIPE : ret;
	if (!ret)
		return -EPIPE;
	return ret == (int)sizeof(*reply) ? reply->err : -EPROTO;
}

/* One request and its reply. */
static int ask(int client_fd, const struct broker_request *request,
	       const struct parcel_fds *send, struct broker_reply *reply,
	       struct parcel_fds *fds)
{
	size_t size = offsetof(struct broker_request, ranges) +
		      request->range_count * sizeof(struct range);
	int ret;

	ret = parcel_send(client_fd, request, size, send);
	return ret ? ret : take_reply(client_fd, reply, fds);
}

static int take_attachment(int client_fd, const struct broker_request *request,
			   struct uffd_attachment *attachment)
{
	struct broker_reply reply;
	struct parcel_fds fds;
	int ret = ask(client_fd, request, NULL, &reply, &fds);

	if (ret)
		return ret;
	if (fds.count != 2) {
		parcel_fds_close(&fds);
		return -EPROTO;
	}
	attachment->pid = request->pid;
	attachment->pidfd = fds.fd[0];
	attachment->uffd = fds.fd[1];
	attachment->remote_fd = reply.remote_fd;
	return 0;
}

/**
 * broker_bind() - say which process a worker may name from now on
 * @binder_fd: the worker's second connection
 * @pidfd: of that process; stays the caller's
 * @fail: receives the reason
 *
 * Return: 0 or -errno; -EINVAL: that is no pidfd of a process that lives.
 */
int broker_bind(int binder_fd, int pidfd, struct fail *fail)
{
	const struct parcel_fds named = { { pidfd }, 1 };
	uint32_t verb = BROKER_BIND;
	struct broker_reply reply;
	struct parcel_fds none;
	int ret = parcel_send(binder_fd, &verb, sizeof(verb), &named);

	if (!ret)
		ret = take_reply(binder_fd, &reply, &none);
	if (!ret)
		parcel_fds_close(&none);
	return ret ? fail_set(fail, ret, "cannot tell the broker which process the guest is: %s",
			      reason(ret)) : 0;
}

/**
 * broker_attach() - have a userfaultfd made inside a process
 * @client_fd: connection to the broker
 * @pid: the process, that the connection is bound to
 * @attachment: receives the attachment; unchanged on an error
 * @fail: receives the reason
 *
 * Return: 0 or -errno as uffd_attach(); -EACCES: not bound to it.
 */
int broker_attach(int client_fd, pid_t pid,
		  struct uffd_attachment *attachment, struct fail *fail)
{
	struct broker_request request = { .verb = BROKER_ATTACH, .pid = pid };
	int ret = take_attachment(client_fd, &request, attachment);

	if (ret)
		fail_set(fail, ret, "cannot attach to process %d: %s", pid,
			 reason(ret));
	return ret;
}

/**
 * broker_adopt() - have a userfaultfd handed out that a process keeps
 * @client_fd: connection to the broker
 * @pid: the process, that the connection is bound to
 * @remote_fd: the descriptor's number there
 * @attachment: receives the attachment; unchanged on an error
 * @fail: receives the reason
 *
 * Return: 0 or -errno as uffd_adopt(); -EACCES: not bound to it.
 */
int broker_adopt(int client_fd, pid_t pid, int remote_fd,
		 struct uffd_attachment *attachment, struct fail *fail)
{
	struct broker_request request = {
		.verb = BROKER_ADOPT, .pid = pid, .remote_fd = remote_fd,
	};
	int ret = take_attachment(client_fd, &request, attachment);

	if (ret)
		fail_set(fail, ret, "cannot take userfaultfd %d of process "
			 "%d: %s", remote_fd, pid, reason(ret));
	return ret;
}

/**
 * broker_detach() - have the descriptor in the process closed, and close ours
 * @client_fd: connection to the broker, bound to the process
 * @attachment: an attachment whose ranges are unregistered; closed unless
 *	the process could not be stopped
 * @fail: receives the reason
 *
 * Return: 0 or -errno as uffd_detach().
 */
int broker_detach(int client_fd, struct uffd_attachment *attachment,
		  struct fail *fail)
{
	struct broker_request request = {
		.verb = BROKER_DETACH,
		.pid = attachment->pid,
		.remote_fd = attachment->remote_fd,
	};
	struct parcel_fds send = { .fd = { attachment->uffd }, .count = 1 };
	struct broker_reply reply;
	struct parcel_fds fds;
	int ret = ask(client_fd, &request, &send, &reply, &fds);

	if (!ret)
		parcel_fds_close(&fds);
	if (!ret || ret == -EBADF)
		uffd_attachment_close(attachment);
	if (ret)
		fail_set(fail, ret, "cannot detach from process %d: %s",
			 request.pid, reason(ret));
	return ret;
}

/* As many requests as it takes. */
static int zap_all(int client_fd, const struct range *ranges, size_t count)
{
	struct broker_request request = { .verb = BROKER_ZAP };
	struct broker_reply reply;
	struct parcel_fds fds;
	int ret = 0;

	while (!ret && count) {
		size_t n = count < BROKER_RANGES_MAX ? count :
						       BROKER_RANGES_MAX;

		memcpy(request.ranges, ranges, n * sizeof(*ranges));
		request.range_count = (uint32_t)n;
		ret = ask(client_fd, &request, NULL, &reply, &fds);
		if (!ret)
			parcel_fds_close(&fds);
		ranges += n;
		count -= n;
	}
	return ret;
}

/**
 * broker_zap() - have ranges unmapped in the bound process
 * @client_fd: connection to the broker, bound to the process
 * @ranges: whole pages
 * @count: how many, any number
 * @fail: receives the reason
 *
 * Return: 0 or -errno as uffd_zap(); -EACCES: not bound.
 */
int broker_zap(int client_fd, const struct range *ranges, size_t count,
	       struct fail *fail)
{
	int ret = zap_all(client_fd, ranges, count);

	if (ret)
		fail_set(fail, ret, "cannot drop pages of the guest's "
			 "process: %s", reason(ret));
	return ret;
}
