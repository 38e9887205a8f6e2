// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_persistent.c - the definition that goes with a domain.
 *
 * That a domain starts with its host is no part of its XML. It goes before it,
 * as a processing instruction: <?straddle autostart='yes'?>
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <stdlib.h>

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
	int autostart;

	*text = NULL;
	if (virDomainIsPersistent(domain) != 1)
		return 0;
	xml = virDomainGetXMLDesc(domain, flags | VIR_DOMAIN_XML_INACTIVE);
	if (!xml || virDomainGetAutostart(domain, &autostart) < 0)
		return libvirt_fail(fail, "cannot read the persistent definition of guest '%s'",
				    name);
	*text = xml_with_instruction(xml, autostart_words(autostart), fail);
	return *text ? 0 : -ENOMEM;
}
