// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_persistent.c - the definitions that go with a domain, and what would
 * be lost on its way.
 *
 * That a domain starts with its host is no part of its XML. It goes before it,
 * as a processing instruction: <?straddle autostart='yes'?>
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"

static const char *autostart_words(int autostart)
{
	return autostart ? LIBVIRT_AUTOSTART : LIBVIRT_NO_AUTOSTART;
}

/**
 * libvirt_persistent_get() - a domain's persistent definition, as it travels
 * @domain: the domain
 * @flags: VIR_DOMAIN_XML_*
 * @text: receives it, the caller's; NULL: the domain is transient
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int libvirt_persistent_get(virDomainPtr domain, unsigned int flags,
			   char **text, struct fail *fail)
{
	__cleanup_free char *xml = NULL;
	const char *name = virDomainGetName(domain);
	int autostart, persistent = virDomainIsPersistent(domain);

	*text = NULL;
	if (persistent < 0)
		return libvirt_fail(fail, "cannot ask for guest '%s'", name);
	if (!persistent)
		return 0;
	xml = virDomainGetXMLDesc(domain, flags | VIR_DOMAIN_XML_INACTIVE);
	if (!xml || virDomainGetAutostart(domain, &autostart) < 0)
		return libvirt_fail(fail, "cannot read the persistent definition of guest '%s'",
				    name);
	*text = xml_with_instruction(xml, autostart_words(autostart), fail);
	return *text ? 0 : -ENOMEM;
}

/**
 * libvirt_same() - do two live definitions say the same?
 * @then: an earlier one
 * @now: a later one
 *
 * A libvirtd that was restarted writes down security labels that it would
 * choose by itself.
 *
 * Return: whether all else is equal.
 */
bool libvirt_same(const char *then, const char *now)
{
	static const char *const chosen = "/domain/seclabel"
		"[@type='dynamic' and @relabel='yes' and not(*)]";
	__cleanup_free char *a = xml_without(then, chosen);
	__cleanup_free char *b = xml_without(now, chosen);

	return a && b && !strcmp(a, b);
}

static void check_word(const struct xml *xml, const char *option,
		       const char *path, const char *ours,
		       struct obstacles *found)
{
	__cleanup_free char *theirs = xml_get(xml, path);

	if (!theirs || strcasecmp(theirs, ours))
		obstacle(found, -EINVAL, "the file of %s has '%.64s' as %s, and the guest '%s'",
		     option, theirs ? theirs : "", path, ours);
}

/* Whatever else it says, it is to be of this very guest. */
static void check_given(const struct guest_description *description,
			const char *option, const char *text,
			struct obstacles *found)
{
	struct fail why = { 0 };
	struct xml *xml;

	if (xml_parse(text, &xml, &why)) {
		obstacle(found, -EINVAL, "the file of %s is no XML", option);
		return;
	}
	check_word(xml, option, "/domain/uuid", description->uuid, found);
	check_word(xml, option, "/domain/name", description->name, found);
	xml_free(xml);
}

/* libvirt of one host knows them; nothing carries them to another. */
static void check_snapshots(struct guest *guest, struct obstacles *found)
{
	int snapshots = virDomainSnapshotNum(guest->domain, 0);
	int checkpoints = virDomainListAllCheckpoints(guest->domain, NULL, 0);

	if (snapshots > 0 || checkpoints > 0)
		obstacle(found, -EINVAL,
			 "libvirt would forget its %d snapshots and %d checkpoints, which do not "
			 "move: leave --undefinesource out, or delete them (virsh snapshot-delete)",
		     snapshots > 0 ? snapshots : 0,
		     checkpoints > 0 ? checkpoints : 0);
}

/* The user's file says nothing of it: as it is here. */
static int autostart_add(struct guest *guest, char **text, struct fail *fail)
{
	char *marked;
	int autostart;

	if (virDomainGetAutostart(guest->domain, &autostart) < 0)
		return libvirt_fail(fail, "cannot ask for guest '%s'",
				    guest->qemu.name);
	marked = xml_with_instruction(*text, autostart_words(autostart), fail);
	if (!marked)
		return -ENOMEM;
	free(*text);
	*text = marked;
	return 0;
}

/**
 * libvirt_check_given() - check what a user wants of a domain that leaves
 * @guest: it
 * @description: what it is
 * @leaving: what the user wants; the persistent definition gets what we add
 * @all: receives the obstacles
 */
void libvirt_check_given(struct guest *guest,
			 const struct guest_description *description,
			 struct guest_leaving *leaving, struct obstacles *all)
{
	struct fail why = { 0 };

	if (leaving->live)
		check_given(description, "--xml", leaving->live, all);
	if (leaving->persistent)
		check_given(description, "--persistent-xml",
			    leaving->persistent, all);
	if (leaving->undefine || !description->persistent)
		check_snapshots(guest, all);
	if (leaving->persistent && description->persistent &&
	    autostart_add(guest, &leaving->persistent, &why) < 0)
		obstacle(all, why.err ? why.err : -ENOMEM, "%s",
			 why.err ? why.text : "no memory");
}
