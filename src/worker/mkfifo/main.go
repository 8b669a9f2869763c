// mkfifo makes the named pipes that its arguments name. Node has no call for it, and a worker's container has no other program.
package main

import (
	"os"
	"syscall"
)

// Exit codes, which make-fifo.ts knows.
const (
	failed        = 1
	badUsage      = 2
	existsAlready = 17
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: mkfifo PATH...", badUsage)
	}
	// Scanners of other users read it: no mask may take that away.
	syscall.Umask(0)
	code := 0
	for _, path := range os.Args[1:] {
		switch err := syscall.Mkfifo(path, 0o644); err {
		case nil:
		case syscall.EEXIST:
			code = existsAlready
		default:
			fail(err.Error(), failed)
		}
	}
	os.Exit(code)
}

func fail(message string, code int) {
	_, _ = os.Stderr.WriteString(message + "\n")
	os.Exit(code)
}
