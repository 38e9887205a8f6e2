// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_incoming.c - have libvirt itself start the guest that comes.
 *
 * virDomainRestore reads a saved guest from a file; the file is a FIFO that
 * we write. First a save image's head and the definition: libvirt starts
 * QEMU, which waits for its state. Then, much later, that state; and when the
 * FIFO is closed libvirt has an ordinary, paused domain. A writer that dies
 * is an image cut short: libvirt ends the guest by itself.
 *
 * The head is that of libvirt's src/qemu/qemu_saveimage.h, version 2.
 */
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"
#include "tools/guests/qemu_stream.h"
#include "tools/net/net.h"
#include "uffd/sys.h"

#define START_MS	60000	/* libvirt to start a QEMU that waits */
#define LOAD_MS		60000	/* QEMU to load its devices */
#define END_MS		20000	/* libvirt to give up an incoming guest */
#define FORWARD_MS	20000	/* a bridge that runs STP, to forward */
#define PIPE_SIZE	4096	/* one page: writable means read up */
#define STATE_PIPE	(1u << 20)	/* for the rest; allowed to anybody */
#define IMAGE_VERSION	2

struct image_head {
	char magic[16];
	uint32_t version;
	uint32_t definition_size;	/* its NUL included */
	uint32_t was_running;
	uint32_t compressed;
	uint32_t cookie_offset;
	uint32_t unused[14];
};

_Static_assert(sizeof(struct image_head) == 92, "as libvirt's");

struct libvirt_incoming {
	virConnectPtr connection;	/* one of its own */
	char path[256];			/* of the FIFO; "": unlinked */
	char *given;			/* definition that the user gives, or NULL */
	int fifo;			/* our end; -1: closed */
	pthread_t thread;
	bool started;			/* there is a thread to join */
	int done;			/* eventfd: the thread is through */
	int ret;			/* the thread's until then */
	struct fail fail;		/* likewise */
};

static void *restore_main(void *arg)
{
	struct libvirt_incoming *incoming = arg;
	uint64_t one = 1;

	if (virDomainRestoreFlags(incoming->connection, incoming->path,
				  incoming->given, VIR_DOMAIN_SAVE_PAUSED) < 0)
		incoming->ret = libvirt_fail(&incoming->fail,
					     "cannot start the guest");
	(void)sys_retry(write(incoming->done, &one, sizeof(one)));
	return NULL;
}

static int wait_done(struct libvirt_incoming *incoming, int timeout_ms)
{
	int ret = sys_wait_fd(incoming->done, POLLIN, timeout_ms);

	if (ret)
		return ret;
	pthread_join(incoming->thread, NULL);
	incoming->started = false;
	return 0;
}

/* Why the restore ended before it should have. */
static int ended_early(struct libvirt_incoming *incoming, struct fail *fail)
{
	int ret = wait_done(incoming, 0);

	if (!ret)
		ret = incoming->ret ? incoming->ret : -EPIPE;
	return fail_set(fail, ret, "%s", incoming->fail.err ?
			incoming->fail.text :
			"libvirt stopped reading the guest that comes");
}

/* Wait for room in the FIFO, or for the end of the restore. */
static int wait_room(struct libvirt_incoming *incoming, uint64_t end_ns,
		     struct fail *fail)
{
	struct pollfd fds[] = {
		{ .fd = incoming->fifo, .events = POLLOUT },
		{ .fd = incoming->done, .events = POLLIN },
	};
	uint64_t now = now_ns();
	int ret = sys_retry(poll(fds, 2, now < end_ns ?
				 (int)((end_ns - now) / 1000000) : 0));

	if (ret < 0)
		return ret;
	if (!ret)
		return fail_set(fail, -ETIMEDOUT,
				"libvirt and QEMU do not take the guest that comes");
	return fds[1].revents ? ended_early(incoming, fail) : 0;
}

static int fifo_write(struct libvirt_incoming *incoming, const void *bytes,
		      size_t size, int timeout_ms, struct fail *fail)
{
	uint64_t end_ns = now_ns() + (uint64_t)timeout_ms * 1000000;
	size_t done = 0;

	while (done < size) {
		ssize_t put;
		int ret = wait_room(incoming, end_ns, fail);

		if (ret)
			return ret;
		put = sys_retry(write(incoming->fifo, (const char *)bytes + done,
				      size - done));
		if (put < 0 && put != -EAGAIN)
			return fail_set(fail, (int)put, "cannot hand over the guest: %s",
					strerror((int)-put));
		if (put > 0)
			done += (size_t)put;
	}
	/* What is writable again has been read to the end. */
	return wait_room(incoming, end_ns, fail);
}

static int fifo_make(struct libvirt_incoming *incoming, const char *run_dir,
		     struct fail *fail)
{
	int ret;

	snprintf(incoming->path, sizeof(incoming->path), "%s/incoming-%d.%p",
		 run_dir, (int)getpid(), (void *)incoming);
	ret = sys_ret(mkfifo(incoming->path, 0600));
	if (!ret) {
		/* For both: to open it waits for nobody. */
		incoming->fifo = sys_ret(open(incoming->path, O_RDWR |
					      O_NONBLOCK | O_CLOEXEC));
		ret = incoming->fifo < 0 ? incoming->fifo : 0;
	}
	if (!ret)
		ret = sys_ret(fcntl(incoming->fifo, F_SETPIPE_SZ, PIPE_SIZE));
	return ret < 0 ? fail_set(fail, ret, "cannot make %s: %s",
				  incoming->path, strerror(-ret)) : 0;
}

/* Definition and all up to where QEMU waits for the rest. */
static int image_begin(struct libvirt_incoming *incoming, const char *live,
		       struct fail *fail)
{
	struct image_head head = {
		.version = IMAGE_VERSION,
		.definition_size = (uint32_t)strlen(live) + 1,
		.was_running = 1,
	};
	int ret;

	memcpy(head.magic, "LibvirtQemudSave", sizeof(head.magic));
	ret = fifo_write(incoming, &head, sizeof(head), START_MS, fail);
	if (!ret)
		ret = fifo_write(incoming, live, head.definition_size,
				 START_MS, fail);
	if (!ret)
		ret = fifo_write(incoming, qemu_stream_head, QEMU_STREAM_HEAD,
				 START_MS, fail);
	return ret;
}

static int restore_start(struct libvirt_incoming *incoming,
			 const struct guest_host *host, const char *live,
			 struct fail *fail)
{
	int ret = libvirt_connect(&incoming->connection, fail);

	if (!ret) {
		incoming->done = sys_ret(eventfd(0, EFD_CLOEXEC));
		ret = incoming->done < 0 ? incoming->done : 0;
	}
	if (!ret)
		ret = fifo_make(incoming, host->run_dir, fail);
	if (!ret)
		ret = -pthread_create(&incoming->thread, NULL, restore_main,
				      incoming);
	if (ret)
		return ret;
	incoming->started = true;
	pthread_setname_np(incoming->thread, "restore");
	ret = image_begin(incoming, live, fail);
	if (ret)
		return ret;
	/* libvirt has it open: nobody who dies leaves it behind. */
	(void)sys_ret(unlink(incoming->path));
	*incoming->path = '\0';
	return 0;
}

static int port_wait(const struct xml *interface, void *arg)
{
	__cleanup_free char *name = xml_get(interface, "target/@dev");
	struct fail ignored = { 0 };

	(void)arg;
	if (name)
		net_bridge_wait(name, FORWARD_MS, &ignored);
	return 0;
}

/*
 * The guest announces itself when it starts; a port whose bridge still listens
 * would swallow that. What does not forward by then is not worth a guest.
 */
static void ports_wait(struct guest *guest)
{
	__cleanup_free char *live = virDomainGetXMLDesc(guest->domain, 0);
	struct fail ignored = { 0 };
	struct xml *xml;

	if (!live || xml_parse(live, &xml, &ignored))
		return;
	xml_each(xml, "/domain/devices/interface", port_wait, guest);
	xml_free(xml);
}

/**
 * libvirt_create_incoming() - start a guest that waits for its state
 * @host: where FIFOs go
 * @asked: what is to come
 * @guest: receives it
 * @fail: says why not; then nothing is left
 *
 * Return: 0 or -errno.
 */
int libvirt_create_incoming(const struct guest_host *host,
			    const struct guest_incoming *asked,
			    struct guest **guest, struct fail *fail)
{
	struct guest *made = libvirt_guest_new(fail);
	__cleanup_free char *live = NULL;
	int ret = made ? 0 : -ECONNREFUSED;

	if (ret)
		return ret;
	made->incoming = calloc(1, sizeof(*made->incoming));
	if (!made->incoming) {
		libvirt_guest_close(made);
		return -ENOMEM;
	}
	made->incoming->fifo = made->incoming->done = -1;
	ret = qemu_expect(&made->qemu, asked);
	if (!ret)
		ret = xml_named(asked->live, asked->name, &live, fail);
	if (!ret && asked->given)
		ret = xml_named(asked->given, asked->name,
				&made->incoming->given, fail);
	if (!ret && asked->given)
		ret = libvirt_disks_flat(asked, &made->incoming->given);
	if (!ret)
		ret = libvirt_disks_flat(asked, &live);
	if (!ret)
		ret = restore_start(made->incoming, host, live, fail);
	if (!ret)
		ret = libvirt_guest_find(made, asked->name, fail);
	if (!ret)
		ports_wait(made);
	if (ret) {
		libvirt_guest_close(made);
		return ret;
	}
	*guest = made;
	return 0;
}

static int state_hand_over(struct guest *guest, int state_fd,
			   struct fail *fail)
{
	struct qemu_rest rest;
	int ret = qemu_rest_open(state_fd, !guest->qemu.came_ahead, &rest, fail);

	if (ret)
		return ret;
	ret = fifo_write(guest->incoming, rest.bytes, rest.size, LOAD_MS, fail);
	qemu_rest_close(&rest);
	return ret;
}

/* virDomainMemoryPeek leaves no mark on the domain; a monitor command does. */
static int memory_look(void *arg, uint64_t physical, void *bytes, size_t size,
		       struct fail *fail)
{
	struct guest *guest = arg;

	if (virDomainMemoryPeek(guest->domain, physical, size, bytes,
				VIR_MEMORY_PHYSICAL) < 0)
		return libvirt_fail(fail, "cannot look into the memory of guest '%s'",
				    guest->qemu.name);
	return 0;
}

/**
 * libvirt_load_ahead() - hand over what came before the guest stopped
 * @guest: that comes in
 * @state_fd: the stream's first part, of the source's qemu_save_ahead()
 * @fail: says what failed, in libvirt's words
 *
 * Return: 0 or -errno.
 */
int libvirt_load_ahead(struct guest *guest, int state_fd, struct fail *fail)
{
	int ret = state_hand_over(guest, state_fd, fail);

	guest->qemu.came_ahead = !ret;
	return ret;
}

/**
 * libvirt_load() - hand over the device state; the guest stays paused
 * @guest: that comes in
 * @state_fd: the stream, or its rest, of the source's qemu_save()
 * @fail: says what failed, in libvirt's words
 *
 * Return: 0 or -errno.
 */
int libvirt_load(struct guest *guest, int state_fd, struct fail *fail)
{
	struct libvirt_incoming *incoming = guest->incoming;
	int ret;

	/* Read while it is written, not a page at a time. */
	(void)sys_ret(fcntl(incoming->fifo, F_SETPIPE_SZ, STATE_PIPE));
	ret = state_hand_over(guest, state_fd, fail);
	if (ret)
		return ret;
	close(incoming->fifo);
	incoming->fifo = -1;
	ret = wait_done(incoming, LOAD_MS);
	if (!ret)
		ret = incoming->ret;
	if (ret)
		return fail_set(fail, ret, "%s", incoming->fail.err ?
				incoming->fail.text :
				"QEMU does not finish loading its devices");
	return qemu_confirm(&guest->qemu, memory_look, guest, fail);
}

/**
 * libvirt_incoming_end() - what was needed until the guest was loaded
 * @incoming: NULL is fine; freed. A guest that is not loaded ends
 */
void libvirt_incoming_end(struct libvirt_incoming *incoming)
{
	if (!incoming)
		return;
	if (incoming->fifo >= 0)
		close(incoming->fifo);
	if (*incoming->path)
		(void)sys_ret(unlink(incoming->path));
	/* A libvirtd that hangs keeps its thread, and that thread this. */
	if (incoming->started && wait_done(incoming, END_MS))
		return;
	if (incoming->connection)
		virConnectClose(incoming->connection);
	if (incoming->done >= 0)
		close(incoming->done);
	free(incoming->given);
	free(incoming);
}
