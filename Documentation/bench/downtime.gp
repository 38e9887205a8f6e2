$down << END
16 8.63 8.342 9.311 209.225 188.504 225.057
256 9.608 9.141 11.152 52.867 45.749 56.133
1024 10.684 9.213 12.555 180.263 173.153 188.249
4096 13.897 12.316 16.308 725.861 707.589 747.318
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
