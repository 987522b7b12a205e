package train

import (
	"encoding/json"
	"io"
	"time"

	"tkit/datasets"
	"tkit/train/head"
	"tkit/train/scratch"
)

// An Event tells how a run goes on. Its Go type says what happened; every
// event encodes to JSON, and Name is what programs tell events apart by.
type Event interface{ Name() string }

// Observer hears a run's events, from one goroutine at a time. It must not
// block for long: the run waits for it. The package itself prints nothing.
type Observer func(Event)

// tell is o(e) where there is an observer.
func (o Observer) tell(e Event) {
	if o != nil {
		o(e)
	}
}

// A Phase is a part of a run that takes time.
type Phase string

// The phases.
const (
	Importing   Phase = "import"      // read the base and bring it to the plain form
	Snapshot    Phase = "snapshot"    // read and hash every image
	Decoding    Phase = "decode"      // decode every image
	Bottlenecks Phase = "bottlenecks" // images through the trunk
	Cutting     Phase = "cut"         // compare the base's endpoints
	Head        Phase = "head"        // train the head
	Epochs      Phase = "epochs"      // train from scratch
	Evaluating  Phase = "evaluate"    // judge on the test images
)

// PhaseBegan says what is done now. Total is the number of Units to do, 0
// where it isn't known.
type PhaseBegan struct {
	Phase Phase  `json:"phase"`
	Total int    `json:"total,omitempty"`
	Unit  string `json:"unit,omitempty"`
}

// Progress says how far the phase has come. It comes often.
type Progress struct {
	Phase Phase `json:"phase"`
	Done  int   `json:"done"`
	Total int   `json:"total,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`
}

// PhaseEnded says that the phase is over.
type PhaseEnded struct {
	Phase Phase         `json:"phase"`
	Took  time.Duration `json:"nanoseconds"`
}

// DataFound is the dataset as it will be used.
type DataFound struct {
	Report *datasets.Report `json:"report"`
	// Train, Validation and Test are numbers of images.
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Test       int `json:"test"`
}

// HeadTrained is how the head came about.
type HeadTrained struct {
	// Penalty is the chosen λ; Trials are the ones tried, strongest first, and
	// none where there was nothing to choose by.
	Penalty float64      `json:"penalty"`
	Trials  []head.Trial `json:"trials,omitempty"`
	// Folds is the number of parts of the cross-validation that chose, 0 where
	// validation images did.
	Folds int `json:"folds,omitempty"`
	// Objective is the value minimised by the final solution, in Iterations.
	Objective  float64 `json:"objective"`
	Iterations int     `json:"iterations"`
}

// EpochEnded is one pass over the training images.
type EpochEnded struct {
	scratch.Epoch
	Epochs int `json:"epochs"`
}

// Resumed says that a run goes on from its checkpoint.
type Resumed struct {
	Step  int `json:"step"`
	Steps int `json:"steps"`
}

// Noted is something about the base that the user should know.
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
func (Noted) Name() string       { return "note" }

// JSONLines returns an observer that writes each event as a line of JSON.
func JSONLines(w io.Writer) Observer {
	return func(event Event) {
		// A reader that has gone away is no reason to give up the training.
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

// phase tells that one begins and returns what tells its progress and its end.
func (o Observer) phase(p Phase, total int, unit string) (progress func(done int, bytes int64), end func()) {
	began := time.Now()
	o.tell(PhaseBegan{Phase: p, Total: total, Unit: unit})
	return func(done int, bytes int64) { o.tell(Progress{Phase: p, Done: done, Total: total, Bytes: bytes}) },
		func() { o.tell(PhaseEnded{Phase: p, Took: time.Since(began)}) }
}
