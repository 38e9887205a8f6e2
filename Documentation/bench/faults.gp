$faults << END
vm-idle-p50 95.0042 39.3782 411.932 166.277 165.095 185.48
vm-idle-p99 614.061 228.335 2337.88 1664.23 1066.35 2837.48
vm-busy-p50 244.803 222.174 272.07 1613.56 1550.4 1653.96
vm-busy-p99 1668.29 541.646 2180.17 5541.01 1962.45 9523.1
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
