// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kvm.c - vCPUs of /dev/kvm, in 64-bit mode from their first instruction.
 *
 * No firmware and no devices but two ports. A vCPU is stopped by a signal
 * and immediate_exit, and enters the kernel once more with immediate_exit
 * set, so that an I/O instruction it was in is complete before its state is
 * read (Documentation/virt/kvm/api.rst, on KVM_EXIT_IO).
 */
#include "tools/vmm/kvm.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmm/pace.h"

#define KICK_SIGNAL	SIGUSR1
#define MSRS_MAX	1024
#define CPUID_MAX	256
#define TSS_ADDRESS	0xfffbd000ull	/* Intel: three pages nobody uses */

#define CR0_PE		(1ull << 0)
#define CR0_MP		(1ull << 1)
#define CR0_ET		(1ull << 4)
#define CR0_NE		(1ull << 5)
#define CR0_WP		(1ull << 16)
#define CR0_PG		(1ull << 31)
#define CR4_PAE		(1ull << 5)
#define EFER_LME	(1ull << 8)
#define EFER_LMA	(1ull << 10)
#define RFLAGS		0x3002ull	/* IOPL 3 and the bit that is always 1 */

static int broken(struct fail *fail, int err, const char *what)
{
	return fail_set(fail, err, "KVM: %s failed: %s", what,
			strerror(-err));
}

static void kick_handler(int signal)
{
	(void)signal;		/* only there to end KVM_RUN */
}

static void install_kick(void)
{
	struct sigaction action = { .sa_handler = kick_handler };

	sigaction(KICK_SIGNAL, &action, NULL);
}

static int read_msr_list(struct kvm_machine *kvm)
{
	size_t size = sizeof(*kvm->msrs) + MSRS_MAX * sizeof(uint32_t);

	kvm->msrs = calloc(1, size);
	if (!kvm->msrs)
		return -ENOMEM;
	kvm->msrs->nmsrs = MSRS_MAX;
	return kvm_ioctl(kvm->kvm, KVM_GET_MSR_INDEX_LIST, kvm->msrs);
}

/* A local APIC for each vCPU; the rest of an interrupt chip is not needed. */
static void make_lapics(struct kvm_machine *kvm)
{
	struct kvm_enable_cap split = {
		.cap = KVM_CAP_SPLIT_IRQCHIP,
		.args = { 24 },
	};

	kvm->lapic = !kvm_ioctl(kvm->vm, KVM_ENABLE_CAP, &split);
}

static int open_kvm(struct kvm_machine *kvm, struct fail *fail)
{
	int size;

	kvm->kvm = sys_ret(open("/dev/kvm", O_RDWR | O_CLOEXEC));
	if (kvm->kvm < 0)
		return fail_set(fail, kvm->kvm,
				"cannot open /dev/kvm: %s; use --engine threads",
				strerror(-kvm->kvm));
	if (ioctl(kvm->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return fail_set(fail, -EOPNOTSUPP,
				"/dev/kvm has another API than version %d; use --engine threads",
				KVM_API_VERSION);
	kvm->vm = sys_ret(ioctl(kvm->kvm, KVM_CREATE_VM, 0));
	if (kvm->vm < 0)
		return broken(fail, kvm->vm, "KVM_CREATE_VM");
	ioctl(kvm->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS);
	make_lapics(kvm);
	kvm->run_size = (size_t)ioctl(kvm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	size = ioctl(kvm->vm, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
	if (size < (int)sizeof(struct kvm_xsave))
		size = sizeof(struct kvm_xsave);
	if (ioctl(kvm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE) > 0)
		kvm->xsave_size = (size_t)size;
	size = read_msr_list(kvm);
	return size ? broken(fail, size, "KVM_GET_MSR_INDEX_LIST") : 0;
}

static int add_slot(const struct machine *machine, uint32_t slot,
		    uint64_t offset, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = layout_physical(offset),
		.memory_size = size,
		.userspace_addr = (uint64_t)(uintptr_t)machine->memory.base +
				  offset,
	};

	return kvm_ioctl(kvm_of(machine)->vm, KVM_SET_USER_MEMORY_REGION,
			 &region);
}

static int add_memory(const struct machine *machine, struct fail *fail)
{
	uint64_t size = machine->memory.size;
	uint64_t low = size < LAYOUT_LOW_MAX ? size : LAYOUT_LOW_MAX;
	int ret = add_slot(machine, 0, 0, low);

	if (!ret && size > low)
		ret = add_slot(machine, 1, low, size - low);
	return ret ? broken(fail, ret, "KVM_SET_USER_MEMORY_REGION") : 0;
}

static int set_cpuid(const struct kvm_machine *kvm, int fd)
{
	struct kvm_cpuid2 *cpuid;
	int ret;

	cpuid = calloc(1, sizeof(*cpuid) +
			  CPUID_MAX * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = CPUID_MAX;
	ret = kvm_ioctl(kvm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
	if (!ret)
		ret = kvm_ioctl(fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	return ret;
}

static int make_vcpu(struct vcpu *vcpu, struct fail *fail)
{
	const struct kvm_machine *kvm = kvm_of(vcpu->machine);
	struct kvm_vcpu *got = calloc(1, sizeof(*got));
	void *run = NULL;
	int ret;

	if (!got)
		return broken(fail, -ENOMEM, "making a vCPU");
	vcpu->engine_data = got;
	got->fd = sys_ret(ioctl(kvm->vm, KVM_CREATE_VCPU,
				(unsigned long)vcpu->index));
	if (got->fd < 0)
		return broken(fail, got->fd, "KVM_CREATE_VCPU");
	ret = set_cpuid(kvm, got->fd);
	if (ret)
		return broken(fail, ret, "KVM_SET_CPUID2");
	ret = sys_mmap(&run, kvm->run_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED, got->fd, 0);
	if (ret)
		return broken(fail, ret, "mapping struct kvm_run");
	got->run = run;
	return 0;
}

static int kvm_create(struct machine *machine, struct fail *fail)
{
	struct kvm_machine *kvm = calloc(1, sizeof(*kvm));
	int ret;

	if (!kvm)
		return broken(fail, -ENOMEM, "making a machine");
	kvm->kvm = -1;
	kvm->vm = -1;
	machine->engine_data = kvm;
	install_kick();
	ret = open_kvm(kvm, fail);
	if (!ret)
		ret = add_memory(machine, fail);
	for (unsigned int i = 0; !ret && i < machine->vcpu_count; i++)
		ret = make_vcpu(&machine->vcpus[i], fail);
	return ret;
}

static void kvm_destroy(struct machine *machine)
{
	struct kvm_machine *kvm = kvm_of(machine);

	if (!kvm)
		return;
	for (unsigned int i = 0; i < machine->vcpu_count; i++) {
		struct kvm_vcpu *vcpu = kvm_vcpu_of(&machine->vcpus[i]);

		if (!vcpu)
			continue;
		if (vcpu->run)
			munmap(vcpu->run, kvm->run_size);
		if (vcpu->fd >= 0)
			close(vcpu->fd);
		free(vcpu);
	}
	if (kvm->vm >= 0)
		close(kvm->vm);
	if (kvm->kvm >= 0)
		close(kvm->kvm);
	free(kvm->msrs);
	free(kvm);
	machine->engine_data = NULL;
}

/*
 * 64-bit mode, ring 3 with I/O rights. A KVM without virtualisation hardware
 * (PVM) lets ring 3 run on the CPU and emulates ring 0 one instruction after
 * the other: a factor of 1000. With hardware it makes no difference.
 */
static void set_long_mode(struct kvm_sregs *sregs, uint64_t page_tables)
{
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 0x0b, .type = 11, .dpl = 3,
		.present = 1, .s = 1, .l = 1, .g = 1,
	};
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 0x13, .type = 3, .dpl = 3,
		.present = 1, .s = 1, .db = 1, .g = 1,
	};

	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->cr3 = page_tables;
	sregs->cr4 = CR4_PAE;
	sregs->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	sregs->efer = EFER_LME | EFER_LMA;
}

static int boot_vcpu(struct vcpu *vcpu, struct fail *fail)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_regs regs = {
		.rip = GUEST_IMAGE,
		.rsp = GUEST_STACKS + (vcpu->index + 1ull) * GUEST_PAGE_SIZE,
		.rdi = 0,
		.rsi = vcpu->index,
		.rflags = RFLAGS,
	};
	int fd = kvm_vcpu_of(vcpu)->fd;
	struct kvm_sregs sregs;
	int ret = kvm_ioctl(fd, KVM_GET_SREGS, &sregs);

	if (ret)
		return broken(fail, ret, "KVM_GET_SREGS");
	set_long_mode(&sregs, vcpu->machine->layout.page_tables);
	ret = kvm_ioctl(fd, KVM_SET_SREGS, &sregs);
	if (ret)
		return broken(fail, ret, "KVM_SET_SREGS");
	ret = kvm_ioctl(fd, KVM_SET_REGS, &regs);
	if (ret)
		return broken(fail, ret, "KVM_SET_REGS");
	ret = kvm_ioctl(fd, KVM_SET_MP_STATE, &runnable);
	return ret && kvm_of(vcpu->machine)->lapic ?
	       broken(fail, ret, "KVM_SET_MP_STATE") : 0;
}

static int kvm_boot(struct machine *machine, struct fail *fail)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < machine->vcpu_count; i++)
		ret = boot_vcpu(&machine->vcpus[i], fail);
	return ret;
}

static void kvm_thread_start(struct vcpu *vcpu)
{
	sigset_t kick;

	(void)vcpu;
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
}

/* The hypercall: arguments and answer as in the C calling convention. */
static int hypercall(struct vcpu *vcpu, struct fail *fail)
{
	int fd = kvm_vcpu_of(vcpu)->fd;
	struct guest_order order;
	struct kvm_regs regs;
	struct report report;
	int ret = kvm_ioctl(fd, KVM_GET_REGS, &regs);

	if (ret)
		return broken(fail, ret, "KVM_GET_REGS");
	report = (struct report){
		.ticks = regs.rdi,
		.bad = regs.rsi,
		.walk_done = regs.rdx,
		.walk_pages = regs.rcx,
		.walk_bad = regs.r8,
	};
	order = pace_report(vcpu, &report);
	regs.rax = order.batch;
	regs.rdx = order.walk;
	ret = kvm_ioctl(fd, KVM_SET_REGS, &regs);
	return ret ? broken(fail, ret, "KVM_SET_REGS") : 0;
}

static int io_exit(struct vcpu *vcpu, struct fail *fail)
{
	const struct kvm_run *run = kvm_vcpu_of(vcpu)->run;
	const char *data = (const char *)run + run->io.data_offset;

	if (run->io.direction == KVM_EXIT_IO_OUT &&
	    run->io.port == GUEST_PORT_REPORT)
		return hypercall(vcpu, fail);
	if (run->io.direction == KVM_EXIT_IO_OUT &&
	    run->io.port == GUEST_PORT_CONSOLE) {
		console_put(&vcpu->machine->console, *data);
		return 0;
	}
	return fail_set(fail, -EIO,
			"vCPU %u used port %#x, which is not there",
			vcpu->index, run->io.port);
}

static int handle_exit(struct vcpu *vcpu, struct fail *fail)
{
	const struct kvm_run *run = kvm_vcpu_of(vcpu)->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return io_exit(vcpu, fail);
	case KVM_EXIT_INTR:
		return 0;
	case KVM_EXIT_SHUTDOWN:
		return fail_set(fail, -EIO, "vCPU %u shut down (triple fault)",
				vcpu->index);
	case KVM_EXIT_INTERNAL_ERROR:
		return fail_set(fail, -EIO, "vCPU %u: KVM internal error %u",
				vcpu->index, run->internal.suberror);
	default:
		return fail_set(fail, -EIO, "vCPU %u: unexpected KVM exit %u",
				vcpu->index, run->exit_reason);
	}
}

static int enter(struct vcpu *vcpu, struct fail *fail)
{
	int ret = sys_ret(ioctl(kvm_vcpu_of(vcpu)->fd, KVM_RUN, 0));

	if (ret == -EINTR || ret == -EAGAIN)
		return 0;
	return ret ? broken(fail, ret, "KVM_RUN") : handle_exit(vcpu, fail);
}

/*
 * kvm_kick() sets immediate_exit after machine->run became false; here it is
 * cleared before run is looked at: one of the two always ends the loop.
 */
static int kvm_run(struct vcpu *vcpu, struct fail *fail)
{
	struct kvm_run *run = kvm_vcpu_of(vcpu)->run;
	int ret = 0;

	__atomic_store_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	while (!ret && machine_runs(vcpu->machine))
		ret = enter(vcpu, fail);
	__atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	ioctl(kvm_vcpu_of(vcpu)->fd, KVM_RUN, 0);	/* completes I/O */
	return ret;
}

static void kvm_kick(struct vcpu *vcpu)
{
	struct kvm_run *run = kvm_vcpu_of(vcpu)->run;

	__atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, KICK_SIGNAL);
}

const struct engine engine_kvm = {
	.name = "kvm",
	.kind = ENGINE_KVM,
	.create = kvm_create,
	.destroy = kvm_destroy,
	.boot = kvm_boot,
	.thread_start = kvm_thread_start,
	.run = kvm_run,
	.kick = kvm_kick,
	.save = kvm_save,
	.check = kvm_check,
	.load = kvm_load,
};
