module eraserscanner

go 1.21
