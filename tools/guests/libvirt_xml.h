/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_xml.h - look into a domain's definition, and change a little. */
#ifndef STRADDLE_GUESTS_LIBVIRT_XML_H
#define STRADDLE_GUESTS_LIBVIRT_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "fail.h"

struct xml;			/* a parsed definition */

int xml_parse(const char *text, struct xml **xml, struct fail *fail);
void xml_free(struct xml *xml);
char *xml_text(const struct xml *xml);
char *xml_node(const struct xml *xml, const char *path);
char *xml_get(const struct xml *xml, const char *path);
typedef int xml_each_fn(const struct xml *node, void *arg);
int xml_each(const struct xml *xml, const char *path, xml_each_fn *each,
	     void *arg);
unsigned int xml_count(const struct xml *xml, const char *path);
void xml_remove(struct xml *xml, const char *path);
int xml_set(struct xml *xml, const char *path, const char *value);

char *xml_with(const char *text, const char *path, const char *from);
char *xml_without(const char *text, const char *path);
char *xml_instruction(const struct xml *xml);
char *xml_with_instruction(const char *text, const char *instruction,
			   struct fail *fail);
int xml_named(const char *text, const char *name, char **named,
	      struct fail *fail);

#endif
