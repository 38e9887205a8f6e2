# SPDX-License-Identifier: LGPL-2.1-or-later
# Parts of a worker and of an agent: their tests stand with what they call.
extra-objs-agent := $(addprefix $(O)/tools/straddled/,confine.o confine_table.o \
		    steward.o steward_verbs.o steward_host.o steward_disks.o \
		    steward_wire.o definition.o \
		    port_rpc.o port_begin.o port_guest.o record.o predecessor.o workers.o \
		    uplink.o left_out.o)
