#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run.sh BUILD SECONDS [TARGET]... - run libFuzzer on the targets, or all.
# run.sh BUILD merge [TARGET]...   - keep what adds coverage: see "make fuzz-corpus".
#
# Last comes a table: executions, coverage and findings. A finding is kept in
# BUILD/fuzz/findings/; exit code 1: there are some. What a target may allocate is
# bounded: a single allocation beyond MALLOC_MB is a finding, and so is a process
# beyond RSS_MB.
set -u
export LC_ALL=C

MALLOC_MB=${MALLOC_MB:-64}
RSS_MB=${RSS_MB:-512}
TIMEOUT_S=${TIMEOUT_S:-20}	# for one input: the machine has other work
CORPUS_KB=100			# of a target, committed

cd "$(dirname "$0")/../.." || exit 1
build=$1/fuzz what=$2
shift 2
if [ $# = 0 ]; then
	mapfile -t all < <(grep -l '^FUZZ_TARGET' selftests/fuzz/*.c | xargs -n1 basename -s .c)
	set -- "${all[@]}"
fi

mkdir -p "$build/findings"
scratch=$(mktemp -d "$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)/straddle-fuzz.XXXXXX")
export TMPDIR=$scratch
running=
trap 'rm -rf "$scratch"' EXIT
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; exit 130' INT TERM

export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:quarantine_size_mb=32
export UBSAN_OPTIONS=print_stacktrace=1

# fuzzer TARGET ARG... - its log is BUILD/TARGET.log
fuzzer()
{
	local target=$1 dict=selftests/fuzz/dict/$1
	shift
	[ -f "$dict" ] && set -- -dict="$dict" "$@"
	"$build/$target" -malloc_limit_mb="$MALLOC_MB" -rss_limit_mb="$RSS_MB" \
		-timeout="$TIMEOUT_S" -artifact_prefix="$build/findings/$target-" \
		"$@" >"$build/$target.log" 2>&1 </dev/null &
	running=$!
	wait $running
	local code=$?
	running=
	return $code
}

# The seeds stay as they are; of what was found, each feature's smallest input,
# smallest first, as long as there is room.
merge()
{
	local target=$1 corpus=selftests/fuzz/corpus/$1 found=$build/corpus/$1 used=0 size name
	mkdir -p "$found" "$scratch/$target" "$scratch/old"
	cp -n "$corpus"/* "$found"/ 2>/dev/null
	cp "$found"/seed-* "$found"/finding-* "$scratch/old" 2>/dev/null
	fuzzer "$target" -merge=1 -max_len=8192 "$scratch/$target" "$scratch/old" "$found" || {
		tail -n 20 "$build/$target.log"
		return 1
	}
	rm -rf "$corpus"
	mkdir -p "$corpus"
	while read -r size name; do
		case $name in
		*/old/*) ;;
		*) [ $((used + size)) -le $((CORPUS_KB * 1000)) ] || break ;;
		esac
		used=$((used + size))
		cp "$name" "$corpus/"
	done < <(find "$scratch/old" -type f -printf '%s %p\n'
		find "$scratch/$target" -type f -printf '%s %p\n' | sort -n)
	rm -rf "$scratch/old"
	printf '  MERGE   %-14s %4d inputs, %6d bytes\n' "$target" \
		"$(find "$corpus" -type f | wc -l)" $used
}

findings=0
rows=

# One row of the table, from libFuzzer's own words.
row()
{
	local target=$1 code=$2
	rows+=$(awk -v target="$target" -v code="$code" '
	/ cov: [0-9]+ ft: [0-9]+/ {
		for (i = 1; i < NF; i++) {
			if ($i == "cov:") cov = $(i + 1)
			if ($i == "ft:") ft = $(i + 1)
		}
	}
	/^stat::number_of_executed_units:/	{ runs = $2 }
	/^stat::average_exec_per_sec:/		{ rate = $2 }
	/^stat::peak_rss_mb:/			{ rss = $2 }
	END { printf "%-14s %11d %8d %7d %9d %6d %9d", target, runs, rate, cov, ft, rss, code != 0 }
	' "$build/$target.log")$'\n'
}

fuzz()
{
	local target=$1 code=0
	mkdir -p "$build/corpus/$target" "selftests/fuzz/corpus/$target"
	printf '  FUZZ    %-14s %s s\n' "$target" "$what"
	fuzzer "$target" -max_total_time="$what" -print_final_stats=1 -max_len=65536 \
		"$build/corpus/$target" "selftests/fuzz/corpus/$target" || code=$?
	if [ $code != 0 ]; then
		findings=$((findings + 1))
		grep -E -m 3 'ERROR|runtime error|does not hold|SUMMARY' "$build/$target.log" |
			sed 's/^/    /'
		sed -n 's/.*Test unit written to /    reproducer: /p' "$build/$target.log"
		echo "    all of it: $build/$target.log"
	fi
	row "$target" $code
}

for target in "$@"; do
	if [ "$what" = merge ]; then
		merge "$target" || findings=1
	else
		fuzz "$target"
	fi
done
[ "$what" = merge ] || {
	printf '\n%-14s %11s %8s %7s %9s %6s %9s\n%s' \
		target executions per_s edges features MiB findings "$rows"
	echo "limits: $MALLOC_MB MiB an allocation, $RSS_MB MiB a process, $TIMEOUT_S s an input"
}
[ $findings = 0 ]
