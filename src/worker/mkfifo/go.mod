module mkfifo

go 1.21
