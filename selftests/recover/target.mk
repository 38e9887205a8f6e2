# SPDX-License-Identifier: LGPL-2.1-or-later
extra-objs-recover := $(O)/selftests/migrate/crossing.o
