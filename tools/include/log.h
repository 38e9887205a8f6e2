/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.h - log lines of the programs (libraries below tools/ do not log).
 *
 * Lines go to stderr with a <N> prefix when stderr is systemd's journal
 * (JOURNAL_STREAM is set), with the program's name otherwise. The level is
 * the one piece of global state in the project.
 */
#ifndef STRADDLE_LOG_H
#define STRADDLE_LOG_H

#include <syslog.h>

extern int log_level;		/* LOG_ERR .. LOG_DEBUG; LOG_NOTICE at start */

__attribute__((format(printf, 2, 3)))
void log_line(int level, const char *fmt, ...);

#define log_error(...)	log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(LOG_DEBUG, __VA_ARGS__)

#endif
