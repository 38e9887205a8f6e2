/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf8.h - text of others: fit for a terminal, for JSON and for a peer?
 *
 * Each of these refuses what is not UTF-8, or may: a reason that was cut in the
 * middle of a character must not cost more than that character.
 */
#ifndef STRADDLE_UTF8_H
#define STRADDLE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes of the UTF-8 sequence that starts with @c, its own bits in @code. */
static inline int utf8_start(unsigned char c, uint32_t *code)
{
	if (c < 0x80) {
		*code = c;
		return 1;
	}
	if (c >= 0xc2 && c < 0xe0) {
		*code = c & 0x1f;
		return 2;
	}
	if (c >= 0xe0 && c < 0xf0) {
		*code = c & 0x0f;
		return 3;
	}
	*code = c & 0x07;
	return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

/* One character at @text, NUL-terminated: its bytes, or 0: not UTF-8. */
static inline int utf8_char(const unsigned char *text, uint32_t *code)
{
	static const uint32_t shortest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int length = utf8_start(text[0], code), i;

	for (i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3f);
	}
	if (length && (*code < shortest[length] || *code > 0x10ffff ||
		       (*code >= 0xd800 && *code < 0xe000)))
		return 0;
	return length;
}

/* Neither a control character, nor a mark that reorders what a terminal shows. */
static inline bool utf8_shown(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return false;
	return !(code >= 0x202a && code <= 0x202e) &&
	       !(code >= 0x2066 && code <= 0x2069);
}

/**
 * utf8_mend() - make one line of printable UTF-8 of any text
 * @text: what is neither becomes question marks, a line's end a space
 */
static inline void utf8_mend(char *text)
{
	unsigned char *at = (unsigned char *)text;
	uint32_t code;

	while (*at) {
		int length = utf8_char(at, &code);

		if (length && utf8_shown(code)) {
			at += length;
			continue;
		}
		*at = *at == '\n' || *at == '\t' ? ' ' : '?';
		at++;
	}
}

#endif
