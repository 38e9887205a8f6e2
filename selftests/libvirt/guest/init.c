// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * init.c - PID 1 of the test guest: sets up, then waits for the power button.
 *
 * The kernel command line, all of it optional:
 *
 *   straddle.mem=MiB		memory to work on (64)
 *   straddle.ws=MiB		its first part, which is written to (all)
 *   straddle.rate=PAGES	written a second (1000), 0: as many as go
 *   straddle.walk=PAGES	walked and checked a second (20000), 0: as above
 *   straddle.disk=DEVICE	written and read back (/dev/vda if there is one);
 *				what was there is lost; none: no disk
 *   straddle.disk_mib=MiB	its first part, which is used (8)
 *   straddle.disk_rate=N	blocks of 4 KiB a second (200), 0: as above
 *   straddle.reader=N		buffers of 4 KiB that only reads of the disk write,
 *				behind disk_mib; see reader.c (0)
 *   straddle.witness=DEVICE	shared disk (/dev/vdb if there), see witness.c
 *   straddle.ip=ADDRESS/LEN	of eth0 (none)
 *
 * It says on ttyS0, each in one write(2), a line feed at the end:
 *
 *   straddle-guest: ready boot=ID mem_mib=N cpus=N	once, when all is set up
 *   straddle-guest: boot=ID n=N up_ms=N wall=S writes=N bad=N passes=N
 *	disk_ok=N disk_bad=N disk_err=N echo=N gap_ms=N mem_mib=N
 *	clock_back=N witness=N twins=N			twice a second, one line
 *   straddle-guest: bad page=N word=N generation=N expected=X found=X
 *   straddle-guest: disk bad block=N word=N generation=N expected=X found=X
 *   straddle-guest: witness twin n=N found=...
 *   straddle-guest: error: WHAT
 *   straddle-guest: power off / reboot			the last one
 *
 * bad counts a wrong page each time it is seen, disk_err the witness's errors,
 * too. After the last line the kernel may write one of its own.
 *
 * It reads lines there, too, and answers each: see command.c.
 */
#include <sys/mount.h>
#include <sys/klog.h>
#include <sys/random.h>

#include "sys.h"
#include "guest.h"

#define SYSLOG_CONSOLE_LEVEL	8	/* syslog(2) */

uint64_t boot_id;

static const struct {
	const char *type;
	const char *where;
} mounts[] = {
	{ "devtmpfs", "/dev" },
	{ "proc", "/proc" },
	{ "sysfs", "/sys" },
};

/* Without a serial line yet; what failed is reported once there is one. */
static void mount_all(int *errors)
{
	for (unsigned int i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].where, 0755);
		errors[i] = sys_ret(mount(mounts[i].type, mounts[i].where,
					  mounts[i].type, 0, NULL));
	}
}

static void mount_report(const int *errors)
{
	for (unsigned int i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (errors[i])
			report_error(errors[i], "mount %s", mounts[i].where);
}

/*
 * It need not be secret, only another one at each boot: a pool that is not
 * seeded yet has the TSC in it (extract_entropy() in drivers/char/random.c).
 * Waiting for the seed takes a second.
 */
static void boot_id_create(void)
{
	ssize_t got = sys_retry(getrandom(&boot_id, sizeof(boot_id),
					  GRND_INSECURE));

	if (got != (ssize_t)sizeof(boot_id))
		report_error((int)got, "getrandom");
}

int main(void)
{
	int errors[sizeof(mounts) / sizeof(mounts[0])];

	mount_all(errors);
	report_open();
	mount_report(errors);
	klogctl(SYSLOG_CONSOLE_LEVEL, NULL, 1);	/* panics only */
	config_read();
	modules_load();
	power_prepare();
	boot_id_create();

	memory_create();
	writer_start();
	memory_walk_start();
	disk_start();
	reader_start();
	witness_start();
	net_start();
	clock_start();
	report_start();
	command_start();
	power_wait();
}
