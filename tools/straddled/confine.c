/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* confine.c - give up what a worker does not need, for good. */
#include "confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#include "log.h"
#include "sys.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define SANITIZED	1
#endif
#endif

static int capabilities_drop(void)
{
	if (capng_get_caps_process())
		return -EIO;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	capng_clear(CAPNG_SELECT_BOTH);
	/* Bounds take CAP_SETPCAP; without new privileges they bound nothing. */
	if (capng_apply(CAPNG_SELECT_BOTH) < 0 && capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return 0;
}

/**
 * confine_descriptors() - close what may have been left open by accident
 * @first: all from this number on
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int confine_descriptors(unsigned int first, struct fail *fail)
{
	int ret = sys_ret(close_range(first, ~0u, 0));

	return ret ? fail_set(fail, ret, "a worker cannot close descriptors: %s",
			      strerror(-ret)) : 0;
}

/**
 * confine_rights() - no capability, no new privileges
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int confine_rights(struct fail *fail)
{
	int ret = sys_ret(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));

	if (!ret)
		ret = capabilities_drop();
	return ret ? fail_set(fail, ret, "a worker cannot give up its rights: %s",
			      strerror(-ret)) : 0;
}

#ifdef SANITIZED

/**
 * confine_calls() - no filter: sanitizers need calls that none would allow
 * @inject: not used
 * @fail: not used
 *
 * Return: 0.
 */
int confine_calls(bool inject, struct fail *fail)
{
	(void)inject;
	(void)fail;
	log_notice("built with a sanitizer: this worker's system calls are not filtered");
	return 0;
}

#else

static int values_allow(scmp_filter_ctx filter, const struct confine_call *call,
			unsigned int arg)
{
	size_t i;
	int ret = 0;

	/* The kernel looks at 32 bits of them, so the filter must, too. */
	for (i = 0; i < call->count && !ret; i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call->call, 1,
				       SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, UINT32_MAX,
						call->values[i]));
	return ret;
}

static int call_allow(scmp_filter_ctx filter, const struct confine_call *call)
{
	switch (call->rule) {
	case CALL_THREADS:
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call->call, 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM,
					CLONE_THREAD | CLONE_VM));
	case CALL_NOT_EXEC:
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call->call, 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	case CALL_SELF:
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call->call, 1,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	case CALL_ONE_OF_0:
		return values_allow(filter, call, 0);
	case CALL_ONE_OF_1:
		return values_allow(filter, call, 1);
	case CALL_REFUSED:
		return seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)call->error),
					call->call, 0);
	default:
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call->call, 0);
	}
}

static int filter_fill(scmp_filter_ctx filter)
{
	size_t i, j;
	int ret;

	ret = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* All threads; there is one yet. A tree: a guest's faults pass it. */
	if (!ret)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!ret)
		ret = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (i = 0; i < confine_table_count && !ret; i++)
		for (j = 0; j < confine_table[i].count && !ret; j++)
			ret = call_allow(filter, &confine_table[i].calls[j]);
	return ret;
}

/**
 * confine_calls() - only calls of confine_table[] from here on, in all threads
 * @inject: faults are injected here: a connection is reset by connect()
 * @fail: says what failed
 *
 * Any other ends this process with SIGSYS.
 *
 * Return: 0 or -errno.
 */
int confine_calls(bool inject, struct fail *fail)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int ret = filter ? filter_fill(filter) : -ENOMEM;

	if (!ret && inject)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret ? fail_set(fail, ret, "a worker cannot enter its filter of system calls: %s; "
			      "does this kernel have CONFIG_SECCOMP_FILTER?",
			      strerror(-ret)) : 0;
}

#endif
