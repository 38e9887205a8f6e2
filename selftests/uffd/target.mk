# SPDX-License-Identifier: LGPL-2.1-or-later
# The broker is a part of the agent: its tests stand with what it calls.
extra-objs-uffd := $(O)/tools/straddled/broker.o
