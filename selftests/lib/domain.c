/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain.c - define and start domains by virsh; look at them, talk to them. */
#include "domain.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "cleanup.h"
#include "sys.h"

#define XML_MAX		8192
#define TRY_MS		50

/**
 * domain_disk_create() - make a disk's image, as large as said, for QEMU's user
 * @virt: the host whose file it is
 * @disk: its path and format
 * @mib: its size
 * @fail: says why not
 *
 * Return: 0 or an error as of virt_host_run().
 */
int domain_disk_create(struct virt_host *virt, const struct domain_disk *disk,
		       unsigned int mib, struct fail *fail)
{
	const char *const own[] = {
		"/bin/chown", "libvirt-qemu:libvirt-qemu", disk->path, NULL
	};
	char size[16];
	const char *const create[] = {
		"/usr/bin/qemu-img", "create", "-q", "-f",
		disk->format ? disk->format : "raw", disk->path, size, NULL
	};
	int ret;

	snprintf(size, sizeof(size), "%uM", mib);
	ret = virt_host_run(virt, create, NULL, 0, fail);
	return ret ? ret : virt_host_run(virt, own, NULL, 0, fail);
}

/* ---- virsh -------------------------------------------------------------- */

/**
 * domain_virsh() - run virsh with a verb on one domain
 * @virt: the host
 * @verb: "suspend", "undefine", ...
 * @name: of the domain, or the path of a file
 * @text: receives the output; may be NULL
 * @size: of @text
 * @fail: has virsh's words on error
 *
 * Return: 0 or an error as of virt_host_run().
 */
int domain_virsh(struct virt_host *virt, const char *verb, const char *name,
		 char *text, size_t size, struct fail *fail)
{
	const char *const argv[] = {
		"/usr/bin/virsh", "-q", "-c", "qemu:///system", verb, name, NULL
	};

	return virt_host_run(virt, argv, text, size, fail);
}

static int by_file(struct virt_host *virt, const char *verb,
		   const struct domain *domain, struct fail *fail)
{
	char xml[XML_MAX], path[128];
	int ret = domain_xml(virt, domain, xml, sizeof(xml));

	snprintf(path, sizeof(path), VIRT_PRIVATE "/%s.xml", domain->name);
	if (!ret)
		ret = virt_host_write(virt, path, xml);
	if (ret)
		return fail_set(fail, ret, "cannot write the XML of %s: %s",
				domain->name, strerror(-ret));
	return domain_virsh(virt, verb, path, NULL, 0, fail);
}

/**
 * domain_define() - make a domain persistent; it does not run yet
 * @virt: the host
 * @domain: the domain
 * @fail: has virsh's words on error
 *
 * Return: 0 or an error as of virt_host_run().
 */
int domain_define(struct virt_host *virt, const struct domain *domain,
		  struct fail *fail)
{
	return by_file(virt, "define", domain, fail);
}

/**
 * domain_create() - start a domain that is transient
 * @virt: the host
 * @domain: the domain
 * @fail: has virsh's words on error
 *
 * Return: 0 or an error as of virt_host_run().
 */
int domain_create(struct virt_host *virt, const struct domain *domain,
		  struct fail *fail)
{
	return by_file(virt, "create", domain, fail);
}

/**
 * domain_start() - start a domain that was defined
 * @virt: the host
 * @name: of the domain
 * @fail: has virsh's words on error
 *
 * Return: 0 or an error as of virt_host_run().
 */
int domain_start(struct virt_host *virt, const char *name, struct fail *fail)
{
	return domain_virsh(virt, "start", name, NULL, 0, fail);
}

/**
 * domain_destroy() - end a domain without asking its guest
 * @virt: the host
 * @name: of the domain
 * @fail: has virsh's words on error
 *
 * Return: 0 or an error as of virt_host_run().
 */
int domain_destroy(struct virt_host *virt, const char *name, struct fail *fail)
{
	return domain_virsh(virt, "destroy", name, NULL, 0, fail);
}

/**
 * domain_state() - what libvirt says of a domain: "running", "paused", ...
 * @virt: the host
 * @name: of the domain
 * @text: receives it without a newline; virsh's words on error
 * @size: of @text
 *
 * Return: 0 or an error as of virt_host_run().
 */
int domain_state(struct virt_host *virt, const char *name, char *text,
		 size_t size)
{
	int ret = domain_virsh(virt, "domstate", name, text, size, NULL);

	text[strcspn(text, "\n")] = '\0';
	return ret;
}

/**
 * domain_dumpxml() - the live XML of a domain
 * @virt: the host
 * @name: of the domain
 * @xml: receives it
 * @size: of @xml
 * @fail: has virsh's words on error
 *
 * Return: 0 or an error as of virt_host_run().
 */
int domain_dumpxml(struct virt_host *virt, const char *name, char *xml,
		   size_t size, struct fail *fail)
{
	return domain_virsh(virt, "dumpxml", name, xml, size, fail);
}

/* ---- what runs ---------------------------------------------------------- */

/**
 * domain_qemu() - the QEMU process of a domain that runs
 * @virt: the host
 * @name: of the domain
 *
 * Return: its pid out here, or -errno.
 */
pid_t domain_qemu(const struct virt_host *virt, const char *name)
{
	char path[128], text[32];
	int ret;

	snprintf(path, sizeof(path), "/run/libvirt/qemu/%s.pid", name);
	ret = virt_host_read(virt, path, text, sizeof(text));
	return ret ? ret : virt_host_pid(virt, atoi(text));
}

/**
 * domain_serial() - what a guest wrote to its first serial line
 * @virt: the host; each has what was written while the guest was there
 * @name: of the domain
 * @text: receives as much as fits of its end
 * @size: of @text
 *
 * Return: 0 or -errno.
 */
int domain_serial(const struct virt_host *virt, const char *name, char *text,
		  size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), DOMAIN_SERIAL_LOG, name);
	return virt_host_read(virt, path, text, size);
}

/**
 * domain_says() - wait until a guest wrote something to its serial line
 * @virt: the host
 * @name: of the domain
 * @words: what it is to write
 * @timeout_ms: how long at most
 *
 * Return: 0, -ETIMEDOUT, or -ENOMEM.
 */
int domain_says(const struct virt_host *virt, const char *name,
		const char *words, int timeout_ms)
{
	enum { SERIAL_MAX = 1 << 16 };
	__cleanup_free char *text = malloc(SERIAL_MAX);

	if (!text)
		return -ENOMEM;
	for (; timeout_ms > 0; timeout_ms -= TRY_MS) {
		if (!domain_serial(virt, name, text, SERIAL_MAX) &&
		    strstr(text, words))
			return 0;
		poll(NULL, 0, TRY_MS);
	}
	return -ETIMEDOUT;
}

static int serial_connect(const struct virt_host *virt, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret, fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (fd < 0)
		return fd;
	snprintf(address.sun_path, sizeof(address.sun_path),
		 "/proc/%d/root" DOMAIN_SERIAL_SOCKET, virt->holder_pid, name);
	ret = sys_ret(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* The next line, without its end; too long: its beginning. */
static int line_read(int fd, char *line, size_t size, uint64_t end_ns)
{
	size_t used = 0;
	char byte = '\0';

	while (byte != '\n') {
		uint64_t now = now_ns();
		int ret = now >= end_ns ? -ETIMEDOUT :
			sys_wait_fd(fd, POLLIN, (int)((end_ns - now) / 1000000) + 1);

		if (!ret)
			ret = sys_read_all(fd, &byte, 1);
		if (ret)
			return ret;
		if (byte != '\r' && byte != '\n' && used < size - 1)
			line[used++] = byte;
	}
	line[used] = '\0';
	return 0;
}

/**
 * domain_ask() - write a line to a guest, wait for the line that answers it
 * @virt: the host
 * @name: of the domain, whose serial line is DOMAIN_SERIAL_UNIX
 * @line: what to write, without a newline
 * @words: what is in the answer
 * @answer: receives the line, without its end
 * @size: of @answer
 * @timeout_ms: how long to wait at most
 *
 * Return: 0, -ETIMEDOUT, -EPIPE when QEMU ends, or another -errno.
 */
int domain_ask(const struct virt_host *virt, const char *name,
	       const char *line, const char *words, char *answer, size_t size,
	       int timeout_ms)
{
	__cleanup_fd int fd = serial_connect(virt, name);
	uint64_t end_ns = now_ns() + (uint64_t)timeout_ms * 1000000u;
	int ret = fd < 0 ? fd : sys_write_all(fd, line, strlen(line));

	if (!ret)
		ret = sys_write_all(fd, "\n", 1);
	while (!ret) {
		ret = line_read(fd, answer, size, end_ns);
		if (!ret && strstr(answer, words))
			break;
	}
	return ret;
}
