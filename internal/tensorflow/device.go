package tensorflow

// #include <stdlib.h>
// #include "tensorflow/c/c_api.h"
import "C"

import "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"

// DeviceInfo describes a device that TensorFlow computes on.
type DeviceInfo struct {
	Name   string // like "/job:localhost/replica:0/task:0/device:CPU:0"
	Type   string // "CPU", "GPU"
	Memory int64  // bytes that TensorFlow may use
}

// Devices lists the devices available to a session configured by c.
func Devices(c Config) ([]DeviceInfo, error) {
	g, err := ImportGraph(&graph_go_proto.GraphDef{})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	s, err := NewSession(g, c)
	if err != nil {
		return nil, err
	}
	defer s.Close()

	st := newStatus()
	defer st.delete()
	list := C.TF_SessionListDevices(s.c, st.c)
	if err := st.err("list devices"); err != nil {
		return nil, err
	}
	defer C.TF_DeleteDeviceList(list)
	devices := make([]DeviceInfo, int(C.TF_DeviceListCount(list)))
	for i := range devices {
		n := C.int(i)
		devices[i] = DeviceInfo{
			Name:   C.GoString(C.TF_DeviceListName(list, n, st.c)),
			Type:   C.GoString(C.TF_DeviceListType(list, n, st.c)),
			Memory: int64(C.TF_DeviceListMemoryBytes(list, n, st.c)),
		}
		if err := st.err("list devices"); err != nil {
			return nil, err
		}
	}
	return devices, nil
}
