/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm.h - straddle-vmm processes of a test. */
#ifndef STRADDLE_TEST_VMM_H
#define STRADDLE_TEST_VMM_H

#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "tools/guests/vmm_client.h"
#include "uffd/uffd.h"

struct test_vmm {
	pid_t pid;		/* our child */
	const char *name;
	char run_dir[300];
	struct vmm_client *client;	/* NULL: it did not start */
	struct fail fail;	/* what it said, or the last failed call */
};

/* How a guest of a test differs from the default; NULL or 0: it does not. */
struct test_vmm_options {
	const char *run_dir;	/* default: test_dir() */
	const char *const *more;	/* further options, NULL-ended */
};

int vmm_spawn(struct test_vmm *vmm, const char *name,
	      const struct test_vmm_options *options);
int vmm_wait_exit(struct test_vmm *vmm);
void vmm_kill(struct test_vmm *vmm);
int vmm_do(struct test_vmm *vmm, const char *verb);
uint64_t vmm_stat(struct test_vmm *vmm, const char *key);
int vmm_wait_for(struct test_vmm *vmm, const char *key, uint64_t value);
int vmm_wait_ticks(struct test_vmm *vmm, uint64_t more);
int vmm_walk(struct test_vmm *vmm, uint64_t *pages, uint64_t *bad);
int vmm_set_rate(struct test_vmm *vmm, uint64_t rate, bool live,
		 bool persistent);
int vmm_fd(struct test_vmm *vmm, const char *verb);
int vmm_load_state(struct test_vmm *vmm, int fd);
struct range vmm_memory_range(struct test_vmm *vmm);
int vmm_memory_fd(const struct test_vmm *vmm);
int vmm_copy_memory(struct test_vmm *from, struct test_vmm *to);

#endif
