$goals << END
"vm-down-growth" 1.22617 2785087
"vm-down-4096" 13.0538 2785087
"vm-down-1024" 3.60728 2785087
"vm-down-256" 1.46203 2785087
"vm-down-16" 4.54157 2785087
"vm-rate-qemu" 1.00882 2785087
"vm-rate" 1.07174 2785087
"vm-faults-rounds" 0.00365079 12597547
"vm-back-rounds" 0.309985 12597547
"vm-back" 0.363451 12597547
"vm-faults-qemu" 0.00382278 12597547
"vm-faults" 0.634056 12597547
"vm-cpu" 1.15152 2785087
"vm-push" 0.712005 12597547
"vm-busy-p99-plain" 5.81437 2785087
"vm-busy-p99" 0.660137 12597547
"vm-idle-p50" 0.972848 12597547
"resident-dest" 11.2837 2785087
"resident-source" 14.512 2785087
"states-dest" 1 2785087
"states-source" 1 2785087
"faults-256-16" 1.44599 2785087
"push-busy" 1.2297 2785087
"fault-busy-p99" 1.85681 2785087
"fault-idle-p99" 2.09472 2785087
"fault-idle" 3.04549 2785087
"line" 0.456048 12597547
"wire" 1.01077 2785087
"push-narrow-packed-tls" 1.52925 2785087
"push-narrow-packed" 1.56026 2785087
"push-2-packed" 1.0282 2785087
"fill-warm-alias" 1.65491 2785087
"fill-warm" 1.26291 2785087
"fill-cold-alias" 1.47677 2785087
"fill-cold" 1.28373 2785087
"round-1-tls" 0.916183 12597547
"round-1-memory" 1.51501 2785087
"round-2" 0.652263 12597547
"round-1" 1.28388 2785087
"push-2-tls" 0.705988 12597547
"push-1-tls-memory" 1.05773 2785087
"push-1-tls" 0.917859 12597547
"push-2-memory" 1.0952 2785087
"push-1-memory" 1.28958 2785087
"push-2" 0.44258 12597547
"push-1" 0.871733 12597547
END
set terminal svg size 900,1122 font 'sans,12' background 'white'
set output 'Documentation/bench/goals.svg'
set title 'How many times better than its goal each row is (median); 1: just met'
set logscale x
set xrange [*:*]
set yrange [-0.6:45.6]
set grid xtics
set lmargin 20
unset key
set arrow from 1, graph 0 to 1, graph 1 nohead lw 2 front
plot $goals using (1):0:(1):2:($0-0.35):($0+0.35):3:ytic(1) with boxxyerror fillstyle solid lc rgb variable
