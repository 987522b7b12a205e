package architectures

// Summary describes an architecture built for a number of classes.
type Summary struct {
	Architecture
	Classes   int        `json:"classes"`
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Trainable is the number of trainable weights, and Statistics that of the
	// running statistics of batch normalisation.
	Trainable  int `json:"trainable"`
	Statistics int `json:"statistics"`
}

// Summary builds the architecture for a number of classes, at the paper's input
// size. Zero selects the paper's number of classes.
func (a Architecture) Summary(classes int) (Summary, error) {
	if classes == 0 {
		classes = a.Classes
	}
	g, err := a.Build(classes, a.Input)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{Architecture: a, Classes: classes, Endpoints: g.Table()}
	s.Trainable, s.Statistics = g.Parameters()
	return s, nil
}

// Summaries returns the summaries of all architectures, without endpoints.
func Summaries() ([]Summary, error) {
	var list []Summary
	for _, a := range All() {
		s, err := a.Summary(a.Classes)
		if err != nil {
			return nil, err
		}
		s.Endpoints = nil
		list = append(list, s)
	}
	return list, nil
}
