// SPDX-License-Identifier: LGPL-2.1-or-later
/* machine.c - starts and stops the vCPU threads; knows no engine's ways. */
#include "tools/vmm/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "sys.h"
#include "tools/vmm/engine.h"
#include "tools/vmm/pace.h"
#include "tools/vmm/witness.h"

/**
 * engine_of() - the engine of a kind
 * @kind: ENGINE_KVM or ENGINE_THREADS
 *
 * Return: its operations.
 */
const struct engine *engine_of(enum engine_kind kind)
{
	return kind == ENGINE_KVM ? &engine_kvm : &engine_threads;
}

static void note_change(struct machine *machine)
{
	uint64_t one = 1;

	sys_write_all(machine->changed, &one, sizeof(one));
}

/* This vCPU will not run the guest again until a resume. */
static void vcpu_out(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;

	pthread_mutex_lock(&machine->lock);
	vcpu->out = true;
	if (++machine->out_count == machine->vcpu_count) {
		witness_write(machine->witness, machine->definition.name,
			      "stop");
		note_change(machine);
	}
	pthread_mutex_unlock(&machine->lock);
}

/* False: the thread is to end. */
static bool vcpu_wait(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;
	bool go_on;

	pthread_mutex_lock(&machine->lock);
	while (!atomic_load(&machine->quit) && vcpu->out)
		pthread_cond_wait(&machine->resumed, &machine->lock);
	go_on = !atomic_load(&machine->quit);
	pthread_mutex_unlock(&machine->lock);
	return go_on;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	const struct engine *engine = vcpu->machine->engine;
	char name[16];

	snprintf(name, sizeof(name), "vcpu/%u", vcpu->index % 1000);
	pthread_setname_np(pthread_self(), name);
	engine->thread_start(vcpu);
	while (vcpu_wait(vcpu)) {
		struct fail fail = { 0 };

		if (engine->run(vcpu, &fail))
			machine_fail(vcpu->machine, &fail);
		vcpu_out(vcpu);
	}
	return NULL;
}

static int vcpu_start(struct vcpu *vcpu, struct fail *fail)
{
	int ret = pace_init(vcpu);

	if (!ret)
		ret = -pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
	if (ret)
		return fail_set(fail, ret, "cannot start vCPU %u: %s",
				vcpu->index, strerror(-ret));
	vcpu->started = true;
	return 0;
}

static void kick_all(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->vcpu_count; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		if (!vcpu->started)
			continue;
		pace_kick(vcpu);
		machine->engine->kick(vcpu);
	}
}

static void machine_init(struct machine *machine,
			 const struct definition *definition, bool incoming)
{
	machine->definition = *definition;
	machine->engine = engine_of(definition->engine);
	machine->incoming = incoming;
	machine->vcpu_count = (unsigned int)definition->vcpus;
	machine->out_count = machine->vcpu_count;
	machine->memory.fd = -1;
	machine->witness = -1;
	atomic_init(&machine->rate, definition->rate);
	console_init(&machine->console);
	pthread_mutex_init(&machine->lock, NULL);
	pthread_cond_init(&machine->resumed, NULL);
	machine->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned int i = 0; i < machine->vcpu_count; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		vcpu->machine = machine;
		vcpu->index = i;
		vcpu->out = true;
		vcpu->kick = -1;
		vcpu->timer = -1;
	}
}

static int machine_fill(struct machine *machine, struct fail *fail)
{
	const struct definition *definition = &machine->definition;
	int ret = layout_compute(definition, &machine->layout, fail);

	if (!ret)
		ret = memory_create(definition, &machine->memory, fail);
	if (!ret)
		ret = machine->engine->create(machine, fail);
	if (!ret && !machine->incoming) {
		layout_boot(definition, &machine->layout,
			    machine->memory.base);
		ret = machine->engine->boot(machine, fail);
	}
	for (unsigned int i = 0; !ret && i < machine->vcpu_count; i++)
		ret = vcpu_start(&machine->vcpus[i], fail);
	return ret;
}

/**
 * machine_create() - a guest that does not run yet
 * @definition: complete and checked
 * @incoming: leave its memory alone: it comes with a migration
 * @machine: receives it
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int machine_create(const struct definition *definition, bool incoming,
		   struct machine **machine, struct fail *fail)
{
	struct machine *got = calloc(1, sizeof(*got));
	int ret;

	if (!got)
		return fail_set(fail, -ENOMEM, "no memory for a guest");
	machine_init(got, definition, incoming);
	ret = machine_fill(got, fail);
	if (ret) {
		machine_destroy(got);
		return ret;
	}
	*machine = got;
	return 0;
}

/**
 * machine_destroy() - end the vCPU threads and free everything
 * @machine: stopped, or NULL
 */
void machine_destroy(struct machine *machine)
{
	if (!machine)
		return;
	pthread_mutex_lock(&machine->lock);
	atomic_store(&machine->run, false);
	atomic_store(&machine->quit, true);
	pthread_cond_broadcast(&machine->resumed);
	pthread_mutex_unlock(&machine->lock);
	kick_all(machine);
	for (unsigned int i = 0; i < machine->vcpu_count; i++) {
		if (machine->vcpus[i].started)
			pthread_join(machine->vcpus[i].thread, NULL);
		pace_fini(&machine->vcpus[i]);
	}
	machine->engine->destroy(machine);
	memory_destroy(&machine->memory);
	if (machine->witness >= 0)
		close(machine->witness);
	if (machine->changed >= 0)
		close(machine->changed);
	pthread_cond_destroy(&machine->resumed);
	pthread_mutex_destroy(&machine->lock);
	pthread_mutex_destroy(&machine->console.lock);
	free(machine);
}

/**
 * machine_resume() - let the vCPUs run; fine when they do already
 * @machine: the guest
 * @fail: says why it cannot run
 *
 * Return: 0, -EBUSY while it is stopping, -EINVAL without device state.
 */
int machine_resume(struct machine *machine, struct fail *fail)
{
	int ret = machine_failure(machine, fail);

	if (ret)
		return ret;
	if (machine->incoming && !machine->loaded)
		return fail_set(fail, -EINVAL,
				"guest %s is incoming and has no device state yet; load it first",
				machine->definition.name);
	pthread_mutex_lock(&machine->lock);
	if (atomic_load(&machine->run)) {
		ret = 0;
	} else if (atomic_load(&machine->balloon.busy)) {
		ret = fail_set(fail, -EBUSY, "guest %s gives memory back",
			       machine->definition.name);
	} else if (machine->out_count < machine->vcpu_count) {
		ret = fail_set(fail, -EBUSY, "guest %s is still stopping",
			       machine->definition.name);
	} else {
		witness_write(machine->witness, machine->definition.name,
			      "start");
		machine->incoming = false;
		machine->out_count = 0;
		for (unsigned int i = 0; i < machine->vcpu_count; i++)
			machine->vcpus[i].out = false;
		atomic_store(&machine->run, true);
		pthread_cond_broadcast(&machine->resumed);
	}
	pthread_mutex_unlock(&machine->lock);
	return ret;
}

/**
 * machine_stop() - ask all vCPUs to stop; machine_stopped() says when
 * @machine: the guest; fine when it is stopped already
 *
 * machine->changed becomes readable when the last one is out. A loaded guest
 * is no longer incoming then: it was decided that it is here.
 */
void machine_stop(struct machine *machine)
{
	bool ran;

	pthread_mutex_lock(&machine->lock);
	ran = atomic_exchange(&machine->run, false);
	if (machine->loaded)
		machine->incoming = false;
	pthread_mutex_unlock(&machine->lock);
	if (ran)
		kick_all(machine);
}

/**
 * machine_stopped() - is every vCPU out of the guest?
 * @machine: the guest
 *
 * Return: true when none runs and none will without a resume.
 */
bool machine_stopped(struct machine *machine)
{
	bool stopped;

	pthread_mutex_lock(&machine->lock);
	stopped = !atomic_load(&machine->run) &&
		  machine->out_count == machine->vcpu_count;
	pthread_mutex_unlock(&machine->lock);
	return stopped;
}

/**
 * machine_failure() - did the guest break?
 * @machine: the guest
 * @fail: receives why
 *
 * Return: 0, or the -errno it broke with.
 */
int machine_failure(struct machine *machine, struct fail *fail)
{
	int ret;

	pthread_mutex_lock(&machine->lock);
	ret = machine->failure.err;
	if (ret)
		fail_set(fail, ret, "%s", machine->failure.text);
	pthread_mutex_unlock(&machine->lock);
	return ret;
}

/**
 * machine_fail() - the guest broke: stop it for good
 * @machine: the guest
 * @fail: why; the first reason is kept
 */
void machine_fail(struct machine *machine, const struct fail *fail)
{
	pthread_mutex_lock(&machine->lock);
	fail_set(&machine->failure, fail->err, "%s", fail->text);
	pthread_mutex_unlock(&machine->lock);
	machine_stop(machine);
	note_change(machine);
}

/**
 * machine_set_rate() - change the pace of a live guest
 * @machine: the guest
 * @rate: pages a second in all, 0: unlimited
 */
void machine_set_rate(struct machine *machine, uint64_t rate)
{
	machine->definition.rate = rate;
	atomic_store(&machine->rate, rate);
	for (unsigned int i = 0; i < machine->vcpu_count; i++)
		pace_kick(&machine->vcpus[i]);
}

/**
 * machine_walk() - have the guest check all of its memory
 * @machine: the guest
 * @fail: says why it cannot
 *
 * machine_walked() says when it is done. The number of a walk is a time, so
 * that a guest that walked elsewhere takes it for a new one.
 *
 * Return: 0 or -EBUSY.
 */
int machine_walk(struct machine *machine, struct fail *fail)
{
	if (!machine_runs(machine))
		return fail_set(fail, -EBUSY,
				"guest %s is not running; resume it before it can walk",
				machine->definition.name);
	if (!machine_walked(machine))
		return fail_set(fail, -EBUSY, "guest %s walks already",
				machine->definition.name);
	atomic_store(&machine->walk, now_ns());
	for (unsigned int i = 0; i < machine->vcpu_count; i++)
		pace_kick(&machine->vcpus[i]);
	return 0;
}

/**
 * machine_walked() - is the walk that was asked for last done?
 * @machine: the guest
 *
 * Return: true also when there was none.
 */
bool machine_walked(struct machine *machine)
{
	uint64_t walk = atomic_load(&machine->walk);

	for (unsigned int i = 0; walk && i < machine->vcpu_count; i++)
		if (atomic_load(&machine->vcpus[i].walk_done) != walk)
			return false;
	return true;
}

/**
 * machine_report() - what all vCPUs last reported
 * @machine: the guest
 * @total: receives the sums; walk_done is the number of the last walk
 */
void machine_report(struct machine *machine, struct report *total)
{
	*total = (struct report){ .walk_done = atomic_load(&machine->walk) };
	for (unsigned int i = 0; i < machine->vcpu_count; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		total->ticks += atomic_load(&vcpu->ticks);
		total->bad += atomic_load(&vcpu->bad);
		total->walk_pages += atomic_load(&vcpu->walk_pages);
		total->walk_bad += atomic_load(&vcpu->walk_bad);
	}
}

/**
 * machine_state_name() - what the guest does, in the control protocol's words
 * @machine: to ask
 *
 * Return: "incoming", "running", "stopping" or "paused".
 */
const char *machine_state_name(struct machine *machine)
{
	if (machine->incoming)
		return "incoming";
	if (machine_runs(machine))
		return "running";
	return machine_stopped(machine) ? "paused" : "stopping";
}
