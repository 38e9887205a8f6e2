// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_define.c - persistent definitions, which libvirt keeps.
 *
 * What a definition that comes in replaces is kept in a file until the
 * migration is decided, so that it can be put back by whoever is left.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"
#include "tools/lib/textfile.h"

#define UNDEFINE (VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |		\
		  VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |	\
		  VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |	\
		  VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)

static int old_path(const struct guest_host *host, const char *name,
		    char *path, size_t size, struct fail *fail)
{
	if (!*name || *name == '.' || strchr(name, '/'))
		return fail_set(fail, -EINVAL,
				"\"%.80s\" cannot be a guest's name", name);
	if (snprintf(path, size, "%s/.%s.xml.old", host->definitions_dir,
		     name) >= (int)size)
		return fail_set(fail, -ENAMETOOLONG, "%s: the path is too long",
				host->definitions_dir);
	return 0;
}

/* Its persistent definition, or NULL: it has none, or there is no domain. */
static int definition_get(virConnectPtr connection, const char *name,
			  char **text, struct fail *fail)
{
	virDomainPtr domain = virDomainLookupByName(connection, name);
	int ret = 0;

	*text = NULL;
	if (!domain)
		return libvirt_errno() == -ENOENT ? 0 :
		       libvirt_fail(fail, "cannot look for domain '%s'", name);
	ret = libvirt_persistent_get(domain, VIR_DOMAIN_XML_SECURE, text, fail);
	virDomainFree(domain);
	return ret;
}

static int autostart_put(virDomainPtr domain, const char *name,
			 const char *words, struct fail *fail)
{
	int autostart = !strcmp(words, LIBVIRT_AUTOSTART);

	if (!autostart && strcmp(words, LIBVIRT_NO_AUTOSTART))
		return 0;	/* of a version that knows more */
	return virDomainSetAutostart(domain, autostart) < 0 ?
	       libvirt_fail(fail, "cannot set whether guest '%s' starts with its host",
			    name) : 0;
}

static int definition_put(virConnectPtr connection, const char *name,
			  const char *text, struct fail *fail)
{
	__cleanup_free char *named = NULL, *words = NULL;
	virDomainPtr domain;
	struct xml *xml;
	int ret = xml_named(text, name, &named, fail);

	if (!ret)
		ret = xml_parse(text, &xml, fail);
	if (ret)
		return ret;
	words = xml_instruction(xml);
	xml_free(xml);
	domain = virDomainDefineXML(connection, named);
	if (!domain)
		return libvirt_fail(fail, "cannot store the persistent definition of guest '%s'",
				    name);
	ret = words ? autostart_put(domain, name, words, fail) : 0;
	virDomainFree(domain);
	return ret;
}

static int definition_remove(virConnectPtr connection, const char *name,
			     struct fail *fail)
{
	virDomainPtr domain = virDomainLookupByName(connection, name);
	int ret = 0;

	if (!domain)
		return libvirt_errno() == -ENOENT ? 0 :
		       libvirt_fail(fail, "cannot look for domain '%s'", name);
	if (virDomainIsPersistent(domain) == 1 &&
	    virDomainUndefineFlags(domain, UNDEFINE) < 0)
		ret = libvirt_fail(fail, "cannot undefine domain '%s'", name);
	virDomainFree(domain);
	return ret;
}

/* The first that is kept is what was there before it all. */
static int keep_old(const struct guest_host *host, const char *name,
		    const char *before, struct fail *fail)
{
	__cleanup_free char *old = NULL;
	char path[PATH_MAX];
	int ret = old_path(host, name, path, sizeof(path), fail);

	if (!ret && sys_ret(access(host->definitions_dir, F_OK)))
		mkdir(host->definitions_dir, 0700);
	if (!ret)
		ret = textfile_read(path, GUEST_DEFINITION_MAX, &old, fail);
	return ret || old ? ret :
	       textfile_write(path, before ? before : "", fail);
}

static int store(const struct guest_host *host, virConnectPtr connection,
		 const char *name, const char *text, const char *before,
		 struct fail *fail)
{
	int ret = keep_old(host, name, before, fail);

	return ret ? ret : definition_put(connection, name, text, fail);
}

/**
 * libvirt_define() - store or remove a domain's persistent definition
 * @host: where the definition that is replaced is kept for a while
 * @name: the domain's name here, which a stored definition is given
 * @text: XML, or NULL: remove it
 * @previous: receives what was there, owned by the caller; or NULL
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int libvirt_define(const struct guest_host *host, const char *name,
		   const char *text, char **previous, struct fail *fail)
{
	__cleanup_free char *before = NULL;
	virConnectPtr connection;
	int ret = libvirt_connect(&connection, fail);

	if (ret)
		return ret;
	ret = definition_get(connection, name, &before, fail);
	if (!ret)
		ret = text ? store(host, connection, name, text, before, fail)
			   : definition_remove(connection, name, fail);
	virConnectClose(connection);
	if (!ret && previous)
		*previous = take_ptr(before);
	return ret;
}

static int put_back(const char *name, const char *old, struct fail *fail)
{
	virConnectPtr connection;
	int ret = libvirt_connect(&connection, fail);

	if (ret)
		return ret;
	ret = *old ? definition_put(connection, name, old, fail) :
		     definition_remove(connection, name, fail);
	virConnectClose(connection);
	return ret;
}

/**
 * libvirt_define_end() - what libvirt_define() stored is to stay, or not
 * @host: where the definition that was replaced is kept
 * @name: the domain's name here
 * @keep: false: put back what was there before
 * @fail: says what failed; then it can be tried again
 *
 * Return: 0, also when nothing was stored; or -errno.
 */
int libvirt_define_end(const struct guest_host *host, const char *name,
		       bool keep, struct fail *fail)
{
	__cleanup_free char *old = NULL;
	char path[PATH_MAX];
	int ret = old_path(host, name, path, sizeof(path), fail);

	if (!ret)
		ret = textfile_read(path, GUEST_DEFINITION_MAX, &old, fail);
	if (ret || !old)
		return ret;
	if (!keep)
		ret = put_back(name, old, fail);
	return ret ? ret : textfile_remove(path, fail);
}
