$goals << END
"vm-down-growth" 0.95072 12597547
"vm-down-4096" 15.6492 2785087
"vm-down-1024" 4.87082 2785087
"vm-down-256" 1.49647 2785087
"vm-down-16" 7.09866 2785087
"vm-rate-qemu" 0.994366 12597547
"vm-rate" 1.08252 2785087
"vm-total-rounds" 1.10411 2785087
"vm-faults-rounds" 0.00255204 12597547
"vm-back-rounds" 0.274482 12597547
"vm-back" 0.341417 12597547
"vm-faults-qemu" 0.00371274 12597547
"vm-faults" 0.57117 12597547
"vm-cpu" 1.49672 2785087
"vm-push" 1.16449 2785087
"vm-busy-p99-plain" 15.3097 2785087
"vm-busy-p99" 1.32336 2785087
"vm-idle-p50" 0.741947 12597547
"resident-dest" 11.2915 2785087
"resident-source" 14.5377 2785087
"states-dest" 1 2785087
"states-source" 1.33333 2785087
"faults-256-16" 1.1138 2785087
"push-busy" 1.23602 2785087
"fault-busy-p99" 0.848468 12597547
"fault-idle-p99" 3.46658 2785087
"fault-idle" 4.43361 2785087
"line" 0.811209 12597547
"wire" 1.01119 2785087
"fault-huge" 1.9057 2785087
"push-narrow-packed-tls" 1.62245 2785087
"push-narrow-packed" 1.62304 2785087
"push-2-packed" 0.968571 12597547
"fill-warm-alias" 1.35582 2785087
"fill-warm" 1.25254 2785087
"fill-cold-alias" 2.17359 2785087
"fill-cold" 1.61602 2785087
"fill-insert" 1.23309 2785087
"round-1-tls" 1.01413 2785087
"round-1-memory" 1.67289 2785087
"round-2" 0.695525 12597547
"round-1" 1.50675 2785087
"push-2-tls" 0.869066 12597547
"push-1-tls-memory" 1.30374 2785087
"push-1-tls" 1.40712 2785087
"push-2-memory" 1.49399 2785087
"push-1-memory" 1.56181 2785087
"push-2" 0.645107 12597547
"push-1" 1.22719 2785087
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
