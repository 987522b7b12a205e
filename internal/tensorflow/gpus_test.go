package tensorflow

import (
	"math"
	"path/filepath"
	"testing"

	pb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// sent is the configuration that TensorFlow receives for a session.
func sent(t *testing.T, c Config) *pb.ConfigProto {
	t.Helper()
	b, err := c.proto()
	if err != nil {
		t.Fatal(err)
	}
	var m pb.ConfigProto
	if err := proto.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

// forget makes the process as new, now and after the test.
func forget(t *testing.T) {
	reset := func() {
		gpus.Lock()
		defer gpus.Unlock()
		gpus.GPUs, gpus.used = GPUs{}, false
	}
	reset()
	t.Cleanup(reset)
}

func TestGPUs(t *testing.T) {
	forget(t)
	want := GPUs{Visible: "0,2", MemoryFraction: 0.25, Growth: true}
	if err := UseGPUs(want); err != nil {
		t.Fatal(err)
	}
	m := sent(t, Config{IntraOpThreads: 3})
	if g := m.GetGpuOptions(); g.GetVisibleDeviceList() != "0,2" || g.GetPerProcessGpuMemoryFraction() != 0.25 || !g.GetAllowGrowth() {
		t.Errorf("TensorFlow receives %v", g)
	}
	if n, limited := m.GetDeviceCount()["GPU"]; limited {
		t.Errorf("the session may use %d GPUs", n)
	}
	m = sent(t, Config{Device: CPU})
	if n, limited := m.GetDeviceCount()["GPU"]; !limited || n != 0 || m.GetGpuOptions() != nil {
		t.Errorf("a session on the CPU receives %v", m)
	}
	if err := UseGPUs(want); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := UseGPUs(GPUs{Visible: "1"}); err == nil {
		t.Error("the GPUs change after a session has them")
	}
}

func TestNoGPUs(t *testing.T) {
	forget(t)
	if err := UseGPUs(GPUs{Visible: NoGPUs}); err != nil {
		t.Fatal(err)
	}
	if n, limited := sent(t, Config{}).GetDeviceCount()["GPU"]; !limited || n != 0 {
		t.Error("a session may use GPUs")
	}
	if err := UseGPUs(GPUs{}); err != nil {
		t.Errorf("no session has GPUs yet: %v", err)
	}
}

func TestInvalidGPUs(t *testing.T) {
	forget(t)
	for _, g := range []GPUs{{Visible: "all"}, {Visible: "0,"}, {Visible: "-1"}, {MemoryFraction: -.1}, {MemoryFraction: 1.5}, {MemoryFraction: math.NaN()}} {
		if err := UseGPUs(g); err == nil {
			t.Errorf("%+v is taken", g)
		}
	}
}

func TestLibrary(t *testing.T) {
	if name := filepath.Base(LibraryFile()); name != "libtensorflow_framework.so.2" {
		t.Errorf("the library is %q", name)
	}
	if _, err := BuiltForGPUs(); err != nil {
		t.Error(err)
	}
}
