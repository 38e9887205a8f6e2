/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml.c - fuzz a domain's definition, as a source sends it.
 *
 * An input may be two definitions, with a NUL byte between them: what is taken
 * over from one to the other is looked at, too.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "fuzz.h"
#include "tools/guests/libvirt_xml.h"

static volatile size_t seen;	/* so that every text is read */

static void text_look(char *text)
{
	seen += text ? strlen(text) : 0;
	free(text);
}

static int disk_look(const struct xml *disk, void *arg)
{
	unsigned int *count = arg;

	text_look(xml_get(disk, "target/@dev"));
	text_look(xml_get(disk, "source/@file | source/@dev"));
	text_look(xml_node(disk, "."));
	*count += xml_count(disk, "readonly | transient | source[@index]");
	return ++*count > 100 ? -E2BIG : 0;
}

static void definition_look(struct xml *xml)
{
	unsigned int count = 0;

	text_look(xml_get(xml, "/domain/name"));
	text_look(xml_get(xml, "/domain/os/type/@machine"));
	text_look(xml_instruction(xml));
	xml_each(xml, "/domain/devices/disk", disk_look, &count);
	xml_remove(xml, "/domain/devices/interface");
	xml_remove(xml, "/domain/@id");
	(void)xml_set(xml, "/domain/name", "<&>\"");
	(void)xml_set(xml, "/domain/@type", "<&>\"");
	text_look(xml_text(xml));
}

static void texts_look(const char *one, const char *other)
{
	struct fail fail = { .err = 0 };
	char *named = NULL;
	int ret;

	text_look(xml_with(one, "/domain/cpu", other));
	text_look(xml_without(one, "/domain/seclabel"
			      "[@type='dynamic' and @relabel='yes' and not(*)]"));
	/* As deep as it may lie: one of them may hold another. */
	text_look(xml_without(one, "//alias | //address"));
	text_look(xml_with_instruction(one, "autostart", NULL));
	ret = xml_named(one, "db2", &named, &fail);
	FUZZ_CHECK(ret == fail.err && !ret == !!named);
	text_look(named);
}

/**
 * LLVMFuzzerTestOneInput() - look into a definition, and change it
 * @data: one or two definitions
 * @size: bytes of them
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__cleanup_free char *text = strndup((const char *)data, size);
	size_t length = strlen(text);
	__cleanup_free char *other = length < size ?
		strndup((const char *)data + length + 1, size - length - 1) :
		strdup("<domain><cpu><model>one</model></cpu></domain>");
	struct fail fail = { .err = 0 };
	struct xml *xml = NULL;
	int ret = xml_parse(text, &xml, &fail);

	FUZZ_CHECK(ret == fail.err && !ret == !!xml);
	if (xml)
		definition_look(xml);
	xml_free(xml);
	texts_look(text, other);
	return 0;
}

/* What is small to send and large to read. */
TEST(definition_with_entities_is_none)
{
	static const char *const texts[] = {
		"<!DOCTYPE d [<!ENTITY e 'text'>]><domain><name>&e;</name></domain>",
		"<!DOCTYPE d SYSTEM 'http://192.0.2.1/d.dtd'><domain/>",
		"<!DOCTYPE d><domain/>",
	};
	struct xml *xml = NULL;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		EXPECT_EQ(-EINVAL, xml_parse(texts[i], &xml, NULL)) {
			TH_LOG("%s", texts[i]);
		}
	EXPECT_NULL(xml);
}

TEST(node_within_one_that_goes_goes_too)
{
	char *left = xml_without("<a><b><b/><c><b/></c></b><d/></a>", "//b | //c");

	EXPECT_STREQ("<a><d/></a>", left);
	free(left);
}

FUZZ_TARGET(xml)

TEST_HARNESS_MAIN
