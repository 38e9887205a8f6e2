// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * power.c - the power button, ctrl-alt-del, and the end.
 */
#include <dirent.h>
#include <linux/input.h>
#include <linux/reboot.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <termios.h>

#include "sys.h"
#include "guest.h"

#define INPUTS_MAX	16
#define INPUT_DIR	"/dev/input"

/* The main thread's: a signalfd, then input devices. */
static struct pollfd sources[1 + INPUTS_MAX];
static unsigned int source_count;

static void source_add(int fd)
{
	sources[source_count].fd = fd;
	sources[source_count].events = POLLIN;
	source_count++;
}

static void inputs_open(void)
{
	DIR *dir = opendir(INPUT_DIR);
	struct dirent *entry;

	if (!dir) {
		report_error(-ENOENT, INPUT_DIR " (no power button)");
		return;
	}
	while ((entry = readdir(dir)) && source_count <= INPUTS_MAX) {
		int fd;

		if (strncmp(entry->d_name, "event", 5))
			continue;
		fd = sys_ret(openat(dirfd(dir), entry->d_name,
				    O_RDONLY | O_CLOEXEC));
		if (fd < 0)
			report_error(fd, INPUT_DIR "/%s", entry->d_name);
		else
			source_add(fd);
	}
	closedir(dir);
}

/**
 * power_prepare() - be told of ctrl-alt-del and of the power button
 *
 * Before any thread is started: they inherit which signals are blocked.
 */
void power_prepare(void)
{
	sigset_t signals;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);	/* what the kernel sends to PID 1 */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = sys_ret(signalfd(-1, &signals, SFD_CLOEXEC));
	if (fd < 0)
		report_error(fd, "signalfd");
	reboot(RB_DISABLE_CAD);
	source_add(fd);
	inputs_open();
}

static void __attribute__((noreturn)) power_end(const char *how, int command)
{
	report_line("%s", how);
	sync();
	tcdrain(report_fd());
	reboot(command);
	/* It does not return for these; a PID 1 that ends is a panic. */
	_exit(1);
}

/**
 * power_off() - write what is to be written, and switch off
 */
void power_off(void)
{
	power_end("power off", RB_POWER_OFF);
}

static bool power_pressed(struct pollfd *source)
{
	struct input_event event;

	if (!source->revents)
		return false;
	if (sys_read_all(source->fd, &event, sizeof(event))) {
		source->fd = -1;	/* unplugged: poll() skips it */
		return false;
	}
	return event.type == EV_KEY && event.code == KEY_POWER && event.value == 1;
}

/**
 * power_wait() - wait for the power button (off) or ctrl-alt-del (reboot)
 */
void power_wait(void)
{
	for (;;) {
		if (sys_retry(poll(sources, source_count, -1)) < 0)
			continue;
		if (sources[0].revents & POLLIN)
			power_end("reboot", RB_AUTOBOOT);
		for (unsigned int i = 1; i < source_count; i++)
			if (power_pressed(&sources[i]))
				power_off();
	}
}
