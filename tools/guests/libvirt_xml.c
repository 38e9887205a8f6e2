// SPDX-License-Identifier: LGPL-2.1-or-later
/* libvirt_xml.c - domain XML by XPath; the one file that knows libxml2. */
#include "tools/guests/libvirt_xml.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct xml {
	xmlDocPtr document;
	xmlXPathContextPtr context;
};

static void doctype_refuse(void *context, const xmlChar *name,
			   const xmlChar *external, const xmlChar *system)
{
	xmlParserCtxtPtr parser = context;

	(void)name;
	(void)external;
	(void)system;
	parser->wellFormed = 0;
	xmlStopParser(parser);
}

/*
 * libvirt writes no document type, and in one there may be entities: a hundred
 * kilobytes that are a gigabyte when somebody asks for their text.
 */
static xmlDocPtr document_read(const char *text, int options)
{
	xmlParserCtxtPtr parser = xmlNewParserCtxt();
	xmlDocPtr document = NULL;

	if (!parser)
		return NULL;
	parser->sax->internalSubset = doctype_refuse;
	document = xmlCtxtReadMemory(parser, text, (int)strlen(text),
				     "definition", NULL, XML_PARSE_NONET |
				     options | XML_PARSE_NOERROR |
				     XML_PARSE_NOWARNING);
	xmlFreeParserCtxt(parser);
	return document;
}

static int parse(const char *text, int options, struct xml **xml,
		 struct fail *fail)
{
	struct xml *got = calloc(1, sizeof(*got));

	if (!got)
		return -ENOMEM;
	got->document = document_read(text, options);
	if (got->document)
		got->context = xmlXPathNewContext(got->document);
	if (!got->context) {
		xml_free(got);
		return fail_set(fail, -EINVAL, "a definition is no XML");
	}
	*xml = got;
	return 0;
}

/**
 * xml_parse() - parse a definition
 * @text: of it; nothing outside of it is read, whatever it names, and one
 *	with a document type is none
 * @xml: receives it; xml_free() frees it
 * @fail: says that it is none
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int xml_parse(const char *text, struct xml **xml, struct fail *fail)
{
	return parse(text, 0, xml, fail);
}

/**
 * xml_free() - free a parsed definition
 * @xml: NULL is fine
 */
void xml_free(struct xml *xml)
{
	if (!xml)
		return;
	xmlXPathFreeContext(xml->context);
	xmlFreeDoc(xml->document);
	free(xml);
}

static char *node_text(xmlDocPtr document, xmlNodePtr node)
{
	xmlBufferPtr buffer = xmlBufferCreate();
	char *text = NULL;

	if (buffer && xmlNodeDump(buffer, document, node, 0, 0) > 0)
		text = strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return text;
}

/**
 * xml_text() - a definition as text
 * @xml: what to write
 *
 * Return: the text without an XML declaration, the caller's; or NULL.
 */
char *xml_text(const struct xml *xml)
{
	return node_text(xml->document, xmlDocGetRootElement(xml->document));
}

/* The nodes of a path; NULL: none. To be freed with its object. */
static xmlXPathObjectPtr find(const struct xml *xml, const char *path)
{
	xmlXPathObjectPtr found = xmlXPathEval((const xmlChar *)path,
					       xml->context);

	if (found && xmlXPathNodeSetIsEmpty(found->nodesetval)) {
		xmlXPathFreeObject(found);
		return NULL;
	}
	return found;
}

/**
 * xml_node() - the first node of a path, as XML
 * @xml: to look into
 * @path: XPath
 *
 * Return: its text, the caller's; NULL: there is none.
 */
char *xml_node(const struct xml *xml, const char *path)
{
	xmlXPathObjectPtr found = find(xml, path);
	char *text = NULL;

	if (found)
		text = node_text(xml->document, found->nodesetval->nodeTab[0]);
	xmlXPathFreeObject(found);
	return text;
}

/**
 * xml_get() - the text of the first node of a path
 * @xml: to look into
 * @path: XPath, "/domain/name" or "/domain/os/type/@machine"
 *
 * Return: its text, the caller's; NULL: there is none.
 */
char *xml_get(const struct xml *xml, const char *path)
{
	xmlXPathObjectPtr found = find(xml, path);
	xmlChar *content;
	char *text = NULL;

	if (!found)
		return NULL;
	content = xmlNodeGetContent(found->nodesetval->nodeTab[0]);
	if (content)
		text = strdup((char *)content);
	xmlFree(content);
	xmlXPathFreeObject(found);
	return text;
}

/**
 * xml_each() - look at each node of a path
 * @xml: to look into
 * @path: XPath
 * @each: called with each of them: paths without a first slash begin there
 * @arg: for @each
 *
 * Return: 0; what @each returned, which ends it; or -ENOMEM.
 */
int xml_each(const struct xml *xml, const char *path, xml_each_fn *each,
	     void *arg)
{
	xmlXPathObjectPtr found = find(xml, path);
	struct xml node = { .document = xml->document };
	int i, ret = 0;

	if (!found)
		return 0;
	node.context = xmlXPathNewContext(xml->document);
	if (!node.context)
		ret = -ENOMEM;
	for (i = 0; i < found->nodesetval->nodeNr && !ret; i++) {
		node.context->node = found->nodesetval->nodeTab[i];
		ret = each(&node, arg);
	}
	xmlXPathFreeContext(node.context);
	xmlXPathFreeObject(found);
	return ret;
}

/**
 * xml_count() - how many nodes a path has
 * @xml: to look into
 * @path: XPath
 *
 * Return: how many.
 */
unsigned int xml_count(const struct xml *xml, const char *path)
{
	xmlXPathObjectPtr found = find(xml, path);
	unsigned int count = found ? (unsigned int)found->nodesetval->nodeNr : 0;

	xmlXPathFreeObject(found);
	return count;
}

/**
 * xml_remove() - remove the first node of a path, with all in it
 * @xml: to change
 * @path: XPath; nothing there is fine
 */
void xml_remove(struct xml *xml, const char *path)
{
	xmlXPathObjectPtr found = find(xml, path);

	if (!found)
		return;
	xmlUnlinkNode(found->nodesetval->nodeTab[0]);
	xmlFreeNode(found->nodesetval->nodeTab[0]);
	found->nodesetval->nodeTab[0] = NULL;
	xmlXPathFreeObject(found);
}

/**
 * xml_set() - replace the text of the first node of a path
 * @xml: to change
 * @path: XPath of a node that is there
 * @value: its new text
 *
 * Return: 0, -ENOENT or -ENOMEM.
 */
int xml_set(struct xml *xml, const char *path, const char *value)
{
	xmlXPathObjectPtr found = find(xml, path);
	xmlChar *escaped;

	if (!found)
		return -ENOENT;
	escaped = xmlEncodeSpecialChars(xml->document, (const xmlChar *)value);
	if (escaped)
		xmlNodeSetContent(found->nodesetval->nodeTab[0], escaped);
	xmlFree(escaped);
	xmlXPathFreeObject(found);
	return escaped ? 0 : -ENOMEM;
}

/* The node of a path in one document becomes that of the other. */
static void node_take(struct xml *to, const struct xml *from, const char *path)
{
	xmlXPathObjectPtr old = find(to, path), new = find(from, path);
	xmlNodePtr copy = NULL;

	if (old && new)
		copy = xmlDocCopyNode(new->nodesetval->nodeTab[0], to->document, 1);
	if (copy) {
		xmlReplaceNode(old->nodesetval->nodeTab[0], copy);
		xmlFreeNode(old->nodesetval->nodeTab[0]);
		old->nodesetval->nodeTab[0] = NULL;
	}
	xmlXPathFreeObject(old);
	xmlXPathFreeObject(new);
}

/**
 * xml_with() - a definition, with one of its nodes as another one has it
 * @text: of the definition
 * @path: XPath of the node; it stays where one of the two has none
 * @from: the other definition
 *
 * Return: the new text, the caller's; NULL: one of them is no XML.
 */
char *xml_with(const char *text, const char *path, const char *from)
{
	struct xml *xml, *other;
	char *made = NULL;

	if (xml_parse(text, &xml, NULL))
		return NULL;
	if (!xml_parse(from, &other, NULL)) {
		node_take(xml, other, path);
		made = xml_text(xml);
		xml_free(other);
	}
	xml_free(xml);
	return made;
}

/**
 * xml_without() - what a definition says, but for some of it
 * @text: of the definition
 * @path: XPath of what to leave out
 *
 * Return: it on one line, for comparison, the caller's; NULL: it is no XML.
 */
char *xml_without(const char *text, const char *path)
{
	xmlXPathObjectPtr found;
	struct xml *xml;
	char *rest;
	int i;

	if (parse(text, XML_PARSE_NOBLANKS, &xml, NULL))
		return NULL;
	found = find(xml, path);
	if (found)
		xmlXPathNodeSetSort(found->nodesetval);
	/* What lies within another one of them goes first. */
	for (i = found ? found->nodesetval->nodeNr : 0; i-- > 0;) {
		xmlUnlinkNode(found->nodesetval->nodeTab[i]);
		xmlFreeNode(found->nodesetval->nodeTab[i]);
		/* The set is looked at once more when it is freed. */
		found->nodesetval->nodeTab[i] = NULL;
	}
	rest = xml_text(xml);
	xmlXPathFreeObject(found);
	xml_free(xml);
	return rest;
}

/**
 * xml_instruction() - what a definition says to us before its root element
 * @xml: to look into
 *
 * Return: the text of its processing instruction for Straddle, the caller's;
 * NULL: it has none.
 */
char *xml_instruction(const struct xml *xml)
{
	return xml_get(xml, "/processing-instruction('straddle')");
}

/**
 * xml_with_instruction() - a definition as text, with a word to us before it
 * @text: of the definition; an instruction that it has is left out
 * @instruction: what to say, without "?>"
 * @fail: says what is wrong with @text
 *
 * libvirt never sees it: xml_text() begins with the root element.
 *
 * Return: the text, the caller's; or NULL.
 */
char *xml_with_instruction(const char *text, const char *instruction,
			   struct fail *fail)
{
	struct xml *xml;
	char *bare = NULL, *whole = NULL;

	if (xml_parse(text, &xml, fail))
		return NULL;
	bare = xml_text(xml);
	if (!bare || asprintf(&whole, "<?straddle %s?>\n%s", instruction, bare) < 0)
		whole = NULL;
	free(bare);
	xml_free(xml);
	return whole;
}

/**
 * xml_named() - a domain's definition under another name
 * @text: of the definition
 * @name: the name it is to have
 * @named: receives the new text, the caller's
 * @fail: says what is wrong with @text
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int xml_named(const char *text, const char *name, char **named,
	      struct fail *fail)
{
	struct xml *xml;
	char *got = NULL;
	int ret = xml_parse(text, &xml, fail);

	if (ret)
		return ret;
	ret = xml_set(xml, "/domain/name", name);
	if (!ret)
		got = xml_text(xml);
	xml_free(xml);
	if (!ret && !got)
		ret = -ENOMEM;
	if (ret)
		return fail_set(fail, ret == -ENOENT ? -EINVAL : ret,
				"the definition of guest '%s' names no domain",
				name);
	*named = got;
	return 0;
}
