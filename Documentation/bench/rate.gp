set terminal svg size 900,420 font 'sans,12' background 'white'
set output 'Documentation/bench/rate.svg'
set title 'What the guest gets done: 128 of 1024 MiB written at random, post-copy over 1 Gbit/s'
set xlabel 's since the order to move'
set ylabel 'pages a second'
set xrange [-1:4]
set yrange [0:*]
set grid
set key outside bottom center horizontal
plot 'Documentation/bench/rate-hot-straddle.dat' with steps lw 2 title 'straddle', 'Documentation/bench/rate-hot-qemu.dat' with steps lw 2 title 'QEMU, post-copy'
