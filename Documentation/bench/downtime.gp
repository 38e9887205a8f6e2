$down << END
16 8.397 6.988 8.478 189.949 172.134 198.864
256 8.033 7.816 9.035 47.545 45.625 50.636
1024 9.525 9.156 11.097 179.733 162.155 212.759
4096 14.893 13.195 16.198 705.419 660.528 722.28
END
set terminal svg size 900,420 font 'sans,12' background 'white'
set output 'Documentation/bench/downtime.svg'
set title 'From STOP to RESUME after pre-copy, by what is dirty'
set xlabel 'dirty, MiB'
set ylabel 'ms'
set logscale x 2
set logscale y
set yrange [1:*]
set xrange [8:8192]
set grid
set key outside bottom center horizontal
plot $down using 1:2:3:4 with yerrorlines lw 2 pt 7 title 'straddle', $down using 1:5:6:7 with yerrorlines lw 2 pt 5 title 'QEMU, post-copy'
