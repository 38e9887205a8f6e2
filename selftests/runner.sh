#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# runner.sh BUILD [TARGET]... - run the test programs of the targets, or all.
#
# Each program's KTAP goes to BUILD/selftests/TARGET/NAME.log. Shown are a line
# a program, the output of tests that failed, the reasons of those skipped,
# and as the last line "N passed, N failed, N skipped". Exit code 1: some
# failed. TEST_ARGS is handed to the programs: -t PATTERN.
set -u
export LC_ALL=C

build=$1
shift
cd "$(dirname "$0")" || exit 1
case $build in /*) ;; *) build=../$build ;; esac

passed=0 failed=0 skipped=0
reasons=
running=

# The program cleans up before it ends; what did not run has not failed.
interrupted()
{
	trap '' INT TERM
	if [ "$running" ]; then
		kill -TERM "$running"
		wait "$running"
	fi 2>/dev/null
	echo "interrupted: $passed passed, $failed failed, $skipped skipped so far"
	exit 130
}
trap interrupted INT TERM

# The folder/name of each test program of the targets.
test_names()
{
	local target
	for target in "$@"; do
		grep -l '^TEST_HARNESS_MAIN' "$target"/*.c /dev/null
	done | sed 's/\.c$//'
}

# Counts of a log: "passed failed skipped". Tests that were planned and never
# reported have failed, and so has a program that planned none.
count_log()
{
	awk '
	/^1\.\.[0-9]+/	{ planned = substr($0, 4) + 0; has_plan = 1 }
	/^not ok /	{ failed++ }
	/^ok .* # SKIP/	{ skipped++; next }
	/^ok /		{ passed++ }
	END {
		missing = planned - passed - failed - skipped
		failed += missing > 0 ? missing : 0
		failed += !has_plan
		print passed + 0, failed + 0, skipped + 0
	}' "$1"
}

# What the failed tests said; all that follows the last result, if any is
# missing there.
show_failures()
{
	awk '
	/^(# RUN )/	{ text = "" }
			{ text = text "    " $0 "\n" }
	/^not ok /	{ printf "%s", text }
	/^(not )?ok /	{ text = ""; seen++ }
	/^1\.\.[0-9]+/	{ planned = substr($0, 4) + 0 }
	END		{ if (seen < planned || !planned) printf "%s", text }
	' "$1"
}

run_program()
{
	local name=$1 program=$build/selftests/$1 log=$build/selftests/$1.log
	local p f s start=$SECONDS code=0

	# shellcheck disable=SC2086 # TEST_ARGS is a list
	"$program" ${TEST_ARGS:-} >"$log" 2>&1 </dev/null &
	running=$!
	wait $running || code=$?	# in the background: so that a trap runs
	running=
	case $code in 130|143) interrupted ;; esac
	read -r p f s < <(count_log "$log")
	if [ "$f" = 0 ] && [ $code != 0 ] && [ $code != 4 ]; then
		echo "# the program ended with $code" >>"$log"
		f=1
	fi
	printf '  TEST    %-28s %4d passed %3d failed %3d skipped %4d s\n' \
		"$name" "$p" "$f" "$s" $((SECONDS - start))
	sed -n 's/^# NOTE /          /p' "$log"	# what a program has to say at its end
	if [ "$f" != 0 ]; then
		show_failures "$log"
		echo "    all of it: $log"
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	reasons+=$(sed -n "s|^ok [0-9]* \(.*\) # SKIP \(.*\)|\2\t$name: \1|p" \
		"$log")$'\n'
}

# One line a reason, with how many tests it kept from running.
show_reasons()
{
	awk -F'\t' '
	NF == 2	{ count[$1]++; first[$1] = first[$1] ? first[$1] : $2 }
	END	{ for (r in count)
			printf "  SKIP    %s (%d: %s%s)\n", r, count[r], first[r],
				(count[r] > 1 ? ", ..." : "") }' <<<"$reasons" | sort
}

if [ $# = 0 ]; then
	mapfile -t all < <(printf '%s\n' */*.c | sed 's|/.*||' | sort -u |
		grep -vx -e lib -e demo)
	set -- "${all[@]}"
fi
for name in $(test_names "$@"); do
	run_program "$name"
done
show_reasons
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $((passed + skipped)) -gt 0 ]
