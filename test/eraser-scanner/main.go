// A custom scanner as people have them: made to the contract of Eraser's scanner template (pkg/scanners/template), with its fixed paths, blocking
// opens and polling, and none the wiser about who is at the other ends. What it rejects, and how it fails, the environment says.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

const folder = "/run/eraser.sh/shared-data/"

type image struct {
	ImageID string   `json:"image_id"`
	Names   []string `json:"names,omitempty"`
	Digests []string `json:"digests,omitempty"`
}

func main() {
	flag.String("config", "", "")
	flag.Bool("enable-pprof", false, "")
	flag.Int("pprof-port", 6060, "")
	flag.Parse()

	// The template makes the pipe of the end first, so that the remover can see that there is a scanner.
	check(syscall.Mkfifo(folder+"eraseCompleteScan", 0o644))
	check(os.Chmod(folder+"eraseCompleteScan", 0o666))

	var offered []image
	check(json.Unmarshal(receive(folder+"collectScan"), &offered))
	fmt.Println("received", len(offered))

	send(folder+"scanErase", message(selectRejected(offered)))

	answer, err := os.ReadFile(folder + "eraseCompleteScan")
	check(err)
	if string(answer) != "complete" {
		fmt.Println("garbage in pipe:", string(answer))
		os.Exit(1)
	}
	fmt.Println("complete")
}

// nil where nothing is rejected, as in Go programs in general: it becomes null.
func selectRejected(offered []image) []image {
	var rejected []image
	for _, candidate := range offered {
		for _, name := range candidate.Names {
			if strings.Contains(","+os.Getenv("REJECT")+",", ","+name+",") {
				rejected = append(rejected, candidate)
			}
		}
	}
	for _, id := range strings.Fields(os.Getenv("REJECT_IDS")) {
		rejected = append(rejected, image{ImageID: id})
	}
	return rejected
}

func message(images []image) []byte {
	data, err := json.Marshal(images)
	check(err)
	switch os.Getenv("FAULT") {
	case "cut-off":
		return data[:len(data)-1]
	case "garbage":
		return []byte("no list at all")
	}
	return data
}

func receive(path string) []byte {
	for {
		file, err := os.OpenFile(path, os.O_RDONLY, 0)
		if err == nil {
			data, err := io.ReadAll(file)
			check(err)
			check(file.Close())
			return data
		}
		if !os.IsNotExist(err) {
			check(err)
		}
		time.Sleep(time.Second)
	}
}

func send(path string, data []byte) {
	check(syscall.Mkfifo(path, 0o644))
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	check(err)
	if os.Getenv("FAULT") == "killed" {
		_, err = file.Write(data[:len(data)/2])
		check(err)
		check(syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	_, err = file.Write(data)
	check(err)
	check(file.Close())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
