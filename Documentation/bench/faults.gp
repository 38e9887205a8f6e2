$faults << END
vm-idle-p50 18.1147 17.9445 19.016 61.8545 61.454 68.8841
vm-idle-p99 45.2819 42.8786 53.0625 126.453 124.67 136.366
vm-busy-p50 171.374 169.662 172.556 1639.79 1634.32 1650.27
vm-busy-p99 262.449 254.398 288.604 1733.63 1723.78 2163.99
END
set terminal svg size 900,420 font 'sans,12' background 'white'
set output 'Documentation/bench/faults.svg'
set title 'A network fault, measured in the guest (medians of runs)'
set ylabel 'us'
set logscale y
set yrange [10:*]
set grid ytics
set style data histograms
set style histogram errorbars gap 2 lw 1
set style fill solid 0.8
set key outside bottom center horizontal
plot $faults using 2:3:4:xtic(1) title 'straddle', $faults using 5:6:7 title 'QEMU, postcopy-preempt'
