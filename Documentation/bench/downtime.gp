$down << END
16 16.116 12.777 21.982 216.984 129.787 243.973
256 15.928 11.469 19.547 76.799 72.904 93.112
1024 19.697 15.669 22.374 251.56 215.78 282.192
4096 19.536 17.827 25.482 789.899 775.699 882.674
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
