package train

import (
	"encoding/json"
	"io"
	"time"

	"tkit/datasets"
	"tkit/train/head"
	"tkit/train/scratch"
)

// An Event reports the progress of a run. Its Go type says what happened; every
// event can be encoded as JSON, and Name identifies its type there.
type Event interface{ Name() string }

// Observer receives a run's events, from one goroutine at a time. It must not
// block for long, because the run waits for it. The package itself prints
// nothing.
type Observer func(Event)

// tell calls o if it is set.
func (o Observer) tell(e Event) {
	if o != nil {
		o(e)
	}
}

// A Phase is a part of a run.
type Phase string

// The phases.
const (
	Importing   Phase = "import"      // read the base and convert it to the plain form
	Snapshot    Phase = "snapshot"    // read and hash every image
	Decoding    Phase = "decode"      // decode every image
	Bottlenecks Phase = "bottlenecks" // images through the trunk
	Cutting     Phase = "cut"         // compare the base's endpoints
	Head        Phase = "head"        // train the head
	Epochs      Phase = "epochs"      // train from scratch
	Evaluating  Phase = "evaluate"    // evaluate on the test images
)

// PhaseBegan reports the start of a phase. Total is the number of Units to do,
// 0 if unknown.
type PhaseBegan struct {
	Phase Phase  `json:"phase"`
	Total int    `json:"total,omitempty"`
	Unit  string `json:"unit,omitempty"`
}

// Progress reports the progress of the phase. It is frequent.
type Progress struct {
	Phase Phase `json:"phase"`
	Done  int   `json:"done"`
	Total int   `json:"total,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`
}

// PhaseEnded reports the end of the phase.
type PhaseEnded struct {
	Phase Phase         `json:"phase"`
	Took  time.Duration `json:"nanoseconds"`
}

// DataFound describes the dataset that will be used.
type DataFound struct {
	Report *datasets.Report `json:"report"`
	// Train, Validation and Test are numbers of images.
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Test       int `json:"test"`
}

// HeadTrained describes how the head was trained.
type HeadTrained struct {
	// Penalty is the chosen λ; Trials are the penalties tried, strongest first,
	// and empty if there was no choice.
	Penalty float64      `json:"penalty"`
	Trials  []head.Trial `json:"trials,omitempty"`
	// Folds is the number of parts of the cross-validation, 0 if validation
	// images were used.
	Folds int `json:"folds,omitempty"`
	// Objective is the minimum reached by the final solution, in Iterations.
	Objective  float64 `json:"objective"`
	Iterations int     `json:"iterations"`
}

// EpochEnded reports one pass over the training images.
type EpochEnded struct {
	scratch.Epoch
	Epochs int `json:"epochs"`
}

// Resumed reports that a run continues from its checkpoint.
type Resumed struct {
	Step  int `json:"step"`
	Steps int `json:"steps"`
}

// DeviceFound reports what the run computes on, and what keeps the machine's
// GPUs from being used.
type DeviceFound struct {
	Device  string   `json:"device"`
	Missing []string `json:"missing,omitempty"`
}

// Noted is information about the base for the user.
type Noted struct {
	Text string `json:"text"`
}

func (PhaseBegan) Name() string  { return "phase_began" }
func (Progress) Name() string    { return "progress" }
func (PhaseEnded) Name() string  { return "phase_ended" }
func (DataFound) Name() string   { return "data" }
func (HeadTrained) Name() string { return "head" }
func (EpochEnded) Name() string  { return "epoch" }
func (Resumed) Name() string     { return "resumed" }
func (DeviceFound) Name() string { return "device" }
func (Noted) Name() string       { return "note" }

// progressInterval is the least time between two lines of progress.
const progressInterval = 500 * time.Millisecond

// JSONLines returns an observer that writes each event as a line of JSON. Of the
// events of Progress it writes at most two a second, and omits the others.
func JSONLines(w io.Writer) Observer {
	var last time.Time // of the last line of progress
	return func(event Event) {
		if _, is := event.(Progress); is {
			if time.Since(last) < progressInterval {
				return
			}
			last = time.Now()
		}
		// A closed reader is no reason to abort the training.
		_ = WriteJSON(w, event.Name(), event)
	}
}

// WriteJSON writes one event, of any name, as a line of JSON.
func WriteJSON(w io.Writer, name string, data any) error {
	return json.NewEncoder(w).Encode(struct {
		Event string    `json:"event"`
		Time  time.Time `json:"time"`
		Data  any       `json:"data"`
	}{name, time.Now().UTC(), data})
}

// phase reports the start of a phase and returns functions that report its
// progress and its end.
func (o Observer) phase(p Phase, total int, unit string) (progress func(done int, bytes int64), end func()) {
	began := time.Now()
	o.tell(PhaseBegan{Phase: p, Total: total, Unit: unit})
	return func(done int, bytes int64) { o.tell(Progress{Phase: p, Done: done, Total: total, Bytes: bytes}) },
		func() { o.tell(PhaseEnded{Phase: p, Took: time.Since(began)}) }
}
