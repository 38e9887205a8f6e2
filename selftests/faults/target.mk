# SPDX-License-Identifier: LGPL-2.1-or-later
extra-objs-faults := $(O)/selftests/migrate/crossing.o
