// Command kubelet-image-gc asks the kubelet's own image garbage collection, with its real code, which images it removes.
//
// It reads scenarios (JSON, see scenarios.ts) from standard input and writes one line of JSON for each: the distinct answers of many runs,
// since the kubelet leaves the order of images that it cannot tell apart to chance, and the error that the collection ended with, if any.
//
// The kubelet reads the clock where it needs it, so everything runs on the fake clock of testing/synctest.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"
	statsapi "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/kubernetes/pkg/kubelet/container"
	"k8s.io/kubernetes/pkg/kubelet/images"
)

// Times are in seconds since the scenario began, sizes in bytes.
type scenario struct {
	Name             string
	MinAge, MaxAge   int64
	High, Low        int
	Capacity         uint64
	Available        uint64
	Now              int64
	KubeletStartedAt int64
	Images           []image
}

type image struct {
	ID string
	// What the runtime reports.
	Size int64
	// What it occupies on the disk; images may share units.
	Units  []unit
	SeenAt int64
	// A container of a pod had it, at this moment only.
	UsedAt *int64
	// Whether a container of a pod has it now: "container", "volume", anything else that the kubelet does not know of, or "".
	Use    string
	Pinned bool
}

type unit struct {
	Key   string
	Bytes uint64
}

type answer struct {
	Name    string     `json:"name"`
	Removed [][]string `json:"removed"`
	Error   string     `json:"error"`
}

// Often enough that images in random order do not come in the same order each time.
const runs = 300

// node is a container runtime, and the disk below it, at one moment of a scenario.
type node struct {
	container.Runtime
	scenario scenario
	second   int64
	removed  []string
}

func (n *node) isThere(i image) bool {
	return i.SeenAt <= n.second && !slices.Contains(n.removed, i.ID)
}

func (n *node) isUsed(i image, how string) bool {
	return n.second == n.scenario.Now && i.Use == how || how == "container" && i.UsedAt != nil && *i.UsedAt == n.second
}

func (n *node) ListImages(context.Context) ([]container.Image, error) {
	var list []container.Image
	for _, i := range n.scenario.Images {
		if n.isThere(i) {
			list = append(list, container.Image{ID: i.ID, Size: i.Size, Pinned: i.Pinned})
		}
	}
	return list, nil
}

func (n *node) GetPods(context.Context, bool) ([]*container.Pod, error) {
	pod := &container.Pod{ID: "pod"}
	for _, i := range n.scenario.Images {
		if n.isUsed(i, "container") {
			pod.Containers = append(pod.Containers, &container.Container{ID: container.ContainerID{ID: i.ID}, ImageID: i.ID})
		}
		if n.isUsed(i, "volume") {
			pod.Containers = append(pod.Containers, &container.Container{ID: container.ContainerID{ID: "mounts " + i.ID}, ImageID: "another"})
		}
	}
	return []*container.Pod{pod}, nil
}

func (n *node) GetContainerStatus(_ context.Context, _ types.UID, id container.ContainerID) (*container.Status, error) {
	mounted, isVolume := strings.CutPrefix(id.ID, "mounts ")
	if !isVolume {
		return &container.Status{}, nil
	}
	return &container.Status{Mounts: []container.Mount{{Image: &runtimeapi.ImageSpec{Image: mounted}}}}, nil
}

func (n *node) RemoveImage(_ context.Context, spec container.ImageSpec) error {
	n.removed = append(n.removed, spec.Image)
	return nil
}

// ImageFsStats tells the disk as it is: what images that are still there share is not free. Before the last moment there is no need for space.
func (n *node) ImageFsStats(context.Context) (*statsapi.FsStats, *statsapi.FsStats, error) {
	capacity, available := n.scenario.Capacity, n.scenario.Available
	if n.second < n.scenario.Now {
		capacity, available = 1, 1
	}
	kept, gone := map[string]bool{}, map[string]uint64{}
	for _, i := range n.scenario.Images {
		for _, u := range i.Units {
			if slices.Contains(n.removed, i.ID) {
				gone[u.Key] = u.Bytes
			} else {
				kept[u.Key] = true
			}
		}
	}
	for key, bytes := range gone {
		if !kept[key] {
			available += bytes
		}
	}
	return &statsapi.FsStats{CapacityBytes: &capacity, AvailableBytes: &available}, nil, nil
}

// collect lives through a scenario from the start of the kubelet on, and returns what it removed at the end.
func collect(s scenario) ([]string, error) {
	n := &node{scenario: s}
	policy := images.ImageGCPolicy{
		HighThresholdPercent: s.High,
		LowThresholdPercent:  s.Low,
		MinAge:               time.Duration(s.MinAge) * time.Second,
		MaxAge:               time.Duration(s.MaxAge) * time.Second,
	}
	manager, err := images.NewImageGCManager(n, n, nil, &record.FakeRecorder{}, &v1.ObjectReference{}, policy, noop.NewTracerProvider())
	if err != nil {
		log.Fatalf("%s: %v", s.Name, err)
	}
	moments := []int64{s.KubeletStartedAt, s.Now}
	for _, i := range s.Images {
		moments = append(moments, i.SeenAt)
		if i.UsedAt != nil {
			moments = append(moments, *i.UsedAt)
		}
	}
	slices.Sort(moments)
	began := time.Now()
	for _, second := range slices.Compact(moments) {
		if second < s.KubeletStartedAt {
			continue
		}
		n.second = second
		time.Sleep(time.Until(began.Add(time.Duration(second-s.KubeletStartedAt) * time.Second)))
		if second < s.Now {
			// The kubelet looks at its images every five minutes. A collection does that too, and as one that begins now it removes none for its age.
			if err := manager.GarbageCollect(context.Background(), time.Now()); err != nil {
				log.Fatalf("%s: %v", s.Name, err)
			}
			continue
		}
		err = manager.GarbageCollect(context.Background(), began)
	}
	slices.Sort(n.removed)
	return n.removed, err
}

func answerOf(t *testing.T, s scenario) answer {
	a := answer{Name: s.Name}
	for range runs {
		// A clock for each run: one would reach the end of its time.
		synctest.Test(t, func(*testing.T) {
			removed, err := collect(s)
			if err != nil {
				a.Error = err.Error()
			}
			if !slices.ContainsFunc(a.Removed, func(other []string) bool { return slices.Equal(other, removed) }) {
				a.Removed = append(a.Removed, append([]string{}, removed...))
			}
		})
	}
	return a
}

func main() {
	klog.SetLogger(klog.Logger{})
	var scenarios []scenario
	if err := json.NewDecoder(os.Stdin).Decode(&scenarios); err != nil {
		log.Fatal(err)
	}
	output := json.NewEncoder(os.Stdout)
	answerAll := func(t *testing.T) {
		for _, s := range scenarios {
			if err := output.Encode(answerOf(t, s)); err != nil {
				log.Fatal(err)
			}
		}
	}
	// The fake clock is for tests alone, so this is one; what it says of itself is no answer.
	os.Stdout = os.Stderr
	everyTest := func(string, string) (bool, error) { return true, nil }
	testing.Main(everyTest, []testing.InternalTest{{Name: "answer", F: answerAll}}, nil, nil)
}
