/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.h - log lines of the programs (libraries below tools/ do not log).
 *
 * Lines go to stderr with a <N> prefix when stderr is systemd's journal
 * (JOURNAL_STREAM is set), with the program's name otherwise. The level, and
 * how much was said by log_refusal(), are the global state of the project.
 */
#ifndef STRADDLE_LOG_H
#define STRADDLE_LOG_H

#include <stdint.h>
#include <syslog.h>

extern int log_level;		/* LOG_ERR .. LOG_DEBUG; LOG_NOTICE at start */

__attribute__((format(printf, 2, 3)))
void log_line(int level, const char *fmt, ...);

/*
 * Whom this host refuses, and who may come again at once: LOG_LIMIT a minute of
 * each kind at the most, so that none of them hides another one.
 */
#define LOG_LIMIT	20
enum refusal_kind {
	REFUSED_STRANGER,	/* of another host, and nothing is proven */
	REFUSED_PEER,		/* of another host that is known, and may not */
	REFUSED_CLIENT,		/* a user of this host */
	REFUSED_SCARCE,		/* anybody: this host has no descriptors left */
	REFUSAL_KINDS
};

__attribute__((format(printf, 2, 3)))
void log_refusal(enum refusal_kind kind, const char *fmt, ...);

extern uint64_t log_limit_ns;	/* that minute; tests have less time */
uint64_t log_left_out(uint64_t now_ns);
#define log_error(...)	log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(LOG_DEBUG, __VA_ARGS__)

#endif
