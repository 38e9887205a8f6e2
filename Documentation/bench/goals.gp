$goals << END
"vm-down-growth" 0.845733 12597547
"vm-down-4096" 14.5483 2785087
"vm-down-1024" 5.66088 2785087
"vm-down-256" 1.77561 2785087
"vm-down-16" 7.06444 2785087
"vm-rate-qemu" 0.96172 12597547
"vm-rate" 1.04892 2785087
"vm-total-rounds" 1.10864 2785087
"vm-faults-rounds" 0.00263158 12597547
"vm-back-rounds" 0.291734 12597547
"vm-back" 0.387099 12597547
"vm-faults-qemu" 0.00360763 12597547
"vm-faults" 0.55492 12597547
"vm-cpu" 1.26755 2785087
"vm-push" 1.00737 2785087
"vm-busy-p99-plain" 15.3702 2785087
"vm-busy-p99" 1.36056 2785087
"vm-idle-p50" 1.72349 2785087
"resident-dest" 11.1456 2785087
"resident-source" 14.3342 2785087
"states-dest" 1 2785087
"states-source" 1.33333 2785087
"faults-256-16" 1.28064 2785087
"push-busy" 1.23422 2785087
"fault-busy-p99" 0.768596 12597547
"fault-idle-p99" 4.31051 2785087
"fault-idle" 4.59776 2785087
"line" 1.40184 2785087
"wire" 1.01126 2785087
"fault-huge" 1.96399 2785087
"push-narrow-packed-tls" 1.62228 2785087
"push-narrow-packed" 1.62123 2785087
"push-2-packed" 0.998014 12597547
"fill-warm-alias" 1.28109 2785087
"fill-warm" 1.18817 2785087
"fill-cold-alias" 2.00521 2785087
"fill-cold" 1.67685 2785087
"fill-insert" 1.23061 2785087
"round-1-tls" 0.929994 12597547
"round-1-memory" 1.58382 2785087
"round-2" 0.645564 12597547
"round-1" 1.60232 2785087
"push-2-tls" 0.819762 12597547
"push-1-tls-memory" 1.30005 2785087
"push-1-tls" 0.706408 12597547
"push-2-memory" 1.35167 2785087
"push-1-memory" 1.3632 2785087
"push-2" 0.632915 12597547
"push-1" 1.2735 2785087
END
set terminal svg size 900,1188 font 'sans,12' background 'white'
set output 'Documentation/bench/goals.svg'
set title 'How many times better than its goal each row is (median); 1: just met'
set logscale x
set xrange [*:*]
set yrange [-0.6:48.6]
set grid xtics
set lmargin 20
unset key
set arrow from 1, graph 0 to 1, graph 1 nohead lw 2 front
plot $goals using (1):0:(1):2:($0-0.35):($0+0.35):3:ytic(1) with boxxyerror fillstyle solid lc rgb variable
