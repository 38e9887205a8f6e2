# SPDX-License-Identifier: LGPL-2.1-or-later
# The tests read the model, wherever they are started.
$(O)/selftests/model/checker.o $(O)/selftests/model/moves.o: cflags-selftests/model += \
	-DMODEL_DIR='"$(CURDIR)/selftests/model"'
