/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virt_config.c - what a libvirt host takes: packages, and files of its own,
 * which it mounts over the machine's.
 */
#include "virt_config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"

#define DRIVERS		"/usr/lib/x86_64-linux-gnu/libvirt/connection-driver"
#define ACCOUNT		"libvirt-qemu"
#define ACCOUNT_ID	64055		/* what Debian gives it */

/* ---- what the machine has to have --------------------------------------- */

static const struct {
	const char *path, *package;
} needs[] = {
	{ VIRT_LIBVIRTD, "libvirt-daemon" },
	{ DRIVERS "/libvirt_driver_qemu.so", "libvirt-daemon-driver-qemu" },
	{ "/usr/bin/virsh", "libvirt-clients" },
	{ VIRT_QEMU, "qemu-system-x86" },
	{ "/usr/bin/qemu-img", "qemu-utils" },
	{ "/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf" },
};

/**
 * virt_missing() - can there be libvirt hosts on this machine?
 * @fail: says what is missing, and how to get it
 *
 * Return: 0, -EPERM where it takes root, -ENOPKG, or -ENODEV.
 */
int virt_missing(struct fail *fail)
{
	size_t i;

	for (i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (access(needs[i].path, R_OK))
			return fail_set(fail, -ENOPKG,
				"there is no %s: apt-get install --no-install-recommends %s",
				needs[i].path, needs[i].package);
	if (access("/dev/net/tun", F_OK))
		return fail_set(fail, -ENODEV,
				"there is no /dev/net/tun: the kernel lacks CONFIG_TUN");
	if (geteuid())
		return fail_set(fail, -EPERM, "libvirt hosts take root");
	return 0;
}

/**
 * virt_is_required() - does a missing libvirt fail the tests?
 *
 * Return: true where STRADDLE_REQUIRE_LIBVIRT=1 says so, as CI does.
 */
bool virt_is_required(void)
{
	const char *text = getenv("STRADDLE_REQUIRE_LIBVIRT");

	return text && !strcmp(text, "1");
}

/* ---- the configuration -------------------------------------------------- */

const struct virt_bind virt_binds[] = {
	{ "lib",    "/var/lib/libvirt",	  false, false },
	{ "cache",  "/var/cache/libvirt", false, false },
	{ "log",    "/var/log/libvirt",	  false, false },
	{ "etc",    "/etc/libvirt",	  false, false },
	{ "run",    VIRT_SOCKETS,	  false, false },
	{ "tests",  VIRT_TESTS,		  false, false },
	{ "passwd", "/etc/passwd",	  true,	 false },
	{ "group",  "/etc/group",	  true,	 false },
	{ "hosts",  "/etc/hosts",	  true,	 false },
	{ "kvm",    "/dev/kvm",		  true,	 true },
	{ NULL,     NULL,		  false, false },
};

static int directory_make(const char *path, bool for_qemu)
{
	int ret = sys_ret(mkdir(path, 0755));

	if (ret == -EEXIST)
		ret = 0;
	if (!ret && for_qemu)
		ret = sys_ret(chown(path, ACCOUNT_ID, ACCOUNT_ID));
	return ret;
}

static int directories_make(const struct virt_host *virt)
{
	const struct virt_bind *bind;
	char path[256];
	int ret = directory_make(virt->dir, false);

	for (bind = virt_binds; bind->from && !ret; bind++) {
		snprintf(path, sizeof(path), "%s/%s", virt->dir, bind->from);
		if (!bind->is_file)
			ret = directory_make(path, false);
	}
	snprintf(path, sizeof(path), "%s/lib/private", virt->dir);
	if (!ret)
		ret = directory_make(path, true);
	snprintf(path, sizeof(path), "%s/lib/images", virt->dir);
	if (!ret)
		ret = directory_make(path, false);
	return ret ? ret : directory_make(virt->shared, true);
}

__attribute__((format(printf, 3, 4)))
static int file_write(const struct virt_host *virt, const char *name,
		      const char *fmt, ...)
{
	__cleanup_file FILE *file = NULL;
	char path[256];
	va_list args;
	int ret;

	snprintf(path, sizeof(path), "%s/%s", virt->dir, name);
	file = fopen(path, "we");
	if (!file)
		return -EIO;
	va_start(args, fmt);
	ret = vfprintf(file, fmt, args);
	va_end(args);
	return ret < 0 || fflush(file) ? -EIO : 0;
}

/*
 * A copy of passwd or group with the account in @line: the QEMU driver does
 * not load where it is missing.
 */
static int accounts_write(const struct virt_host *virt, const char *from,
			  const char *name, const char *line)
{
	__cleanup_file FILE *in = fopen(from, "re"), *out = NULL;
	__cleanup_free char *entry = NULL;
	char path[256];
	size_t size = 0;

	snprintf(path, sizeof(path), "%s/%s", virt->dir, name);
	out = fopen(path, "we");
	if (!in || !out)
		return -EIO;
	while (getline(&entry, &size, in) > 0)
		if (strncmp(entry, ACCOUNT ":", strlen(ACCOUNT ":")))
			fputs(entry, out);
	fprintf(out, "%s:x:%d:%s\n", ACCOUNT, ACCOUNT_ID, line);
	return fflush(out) ? -EIO : 0;
}

static int libvirtd_conf_write(const struct virt_host *virt)
{
	return file_write(virt, "etc/libvirtd.conf",
		"host_uuid = \"%s\"\n"
		"listen_tls = 0\n"
		"listen_tcp = 0\n"
		"unix_sock_dir = \"" VIRT_SOCKETS "\"\n"
		"auth_unix_ro = \"none\"\n"
		"auth_unix_rw = \"none\"\n"
		"log_outputs = \"3:stderr\"\n", virt->uuid);
}

static int qemu_conf_write(const struct virt_host *virt)
{
	bool production = virt->options.production;
	const char *user = production ? ACCOUNT : "root";

	return file_write(virt, "etc/qemu.conf",
		"user = \"%s\"\n"
		"group = \"%s\"\n"
		"dynamic_ownership = 0\n"
		"remember_owner = 0\n"
		"security_driver = \"none\"\n"
		"cgroup_controllers = []\n"
		"namespaces = []\n"
		"stdio_handler = \"file\"\n"
		"hugetlbfs_mount = \"/run/hugepages\"\n"
		"memory_backing_dir = \"%s\"\n"
		"clear_emulator_capabilities = %d\n"
		"seccomp_sandbox = %d\n",
		user, user, virt->options.memory_on_disk ?
		"/var/lib/libvirt/qemu/ram" : "/run/memory",
		production, production);
}

/*
 * /dev/kvm for all: QEMU's user has it on a real host. Where that cannot open
 * it, libvirt 9.0 believes no probe of QEMU and makes ten of them a start.
 */
static int kvm_make(const struct virt_host *virt)
{
	char path[256];
	struct stat kvm;
	int ret;

	if (stat("/dev/kvm", &kvm))
		return 0;
	snprintf(path, sizeof(path), "%s/kvm", virt->dir);
	ret = sys_ret(mknod(path, S_IFCHR, kvm.st_rdev));
	return ret ? ret : sys_ret(chmod(path, 0666));
}

static int uuid_make(char uuid[37])
{
	__cleanup_fd int fd = sys_ret(open("/proc/sys/kernel/random/uuid",
					   O_RDONLY | O_CLOEXEC));

	return fd < 0 ? fd : sys_read_all(fd, uuid, 36);
}

static int files_write(struct virt_host *virt, const struct two_hosts *hosts)
{
	int ret = uuid_make(virt->uuid);

	if (!ret)
		ret = accounts_write(virt, "/etc/passwd", "passwd",
			"64055::/var/lib/libvirt:/usr/sbin/nologin");
	if (!ret)
		ret = accounts_write(virt, "/etc/group", "group", "");
	if (!ret)
		ret = file_write(virt, "hosts",
				 "127.0.0.1 localhost\n%s %s\n%s %s\n",
				 hosts->source.address, hosts->source.name,
				 hosts->dest.address, hosts->dest.name);
	if (!ret)
		ret = libvirtd_conf_write(virt);
	if (!ret)
		ret = kvm_make(virt);
	return ret ? ret : qemu_conf_write(virt);
}

/**
 * virt_config_write() - make a host's directories and configuration
 * @virt: the host; its uuid is chosen here
 * @hosts: both hosts, which are to know each other's name
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int virt_config_write(struct virt_host *virt, const struct two_hosts *hosts,
		      struct fail *fail)
{
	int ret = directories_make(virt);

	if (!ret)
		ret = files_write(virt, hosts);
	return ret ? fail_set(fail, ret, "cannot write the configuration in %s: %s",
			      virt->dir, strerror(-ret)) : 0;
}
