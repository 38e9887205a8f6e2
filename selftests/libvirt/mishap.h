/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mishap.h - a domain on its way, to which something is to happen.
 *
 * Its guest is busy, its memory dirtier after each round than before, its link
 * slow: there is time. Afterwards its guest finds its memory and its disk as
 * they were, and on the disk that leaves its trace nobody else's.
 */
#ifndef STRADDLE_TEST_MISHAP_H
#define STRADDLE_TEST_MISHAP_H

#include "journey.h"

#define VIRSH	"virsh -q -c qemu:///system "

struct mishap {
	struct journey journey;
	struct virt_host *source, *dest;
};

void mishap_up(struct mishap *self, const struct domain *domain);
void mishap_down(struct mishap *self);
void mishap_begin(struct mishap *self, const char *options,
		  enum owner_state state);

__attribute__((format(printf, 2, 3)))
int mishap_sh(struct virt_host *virt, const char *fmt, ...);
void mishap_kill(pid_t pid);
void mishap_libvirtd(struct mishap *self, struct virt_host *virt);

void mishap_rows(struct mishap *self, const char *source, const char *dest);
void mishap_nothing(struct virt_host *virt);
void mishap_images(struct mishap *self, struct virt_host *virt);
void mishap_stays(struct mishap *self);
void mishap_goes_on(struct mishap *self, const char *words);
void mishap_arrives(struct mishap *self);

#endif
