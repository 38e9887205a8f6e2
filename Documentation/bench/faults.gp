$faults << END
vm-idle-p50 43.5296 41.4267 46.6238 64.6685 64.0477 76.9654
vm-idle-p99 264.031 240.119 266.935 133.503 129.147 149.094
vm-busy-p50 172.476 172.166 175.861 1633.98 1622.51 1647.16
vm-busy-p99 268.988 258.744 326.597 1771 1734.02 2175.15
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
