package scratch

import "math"

// Schedule names the course of the learning rate over a run.
type Schedule string

// The schedules, after the warm-up.
const (
	// Constant keeps the rate constant.
	Constant Schedule = "constant"
	// Cosine decreases to zero along half a cosine: Loshchilov and Hutter,
	// "SGDR", ICLR 2017, without restarts.
	Cosine Schedule = "cosine"
	// Steps divides the rate by ten after half of the run and again after
	// three quarters: He et al., "Deep Residual Learning", §4.2.
	Steps Schedule = "steps"
)

func (s Schedule) known() bool { return s == Constant || s == Cosine || s == Steps }

// rate returns the learning rate of a step, counted from 0, of a run of steps
// steps with perEpoch steps per epoch.
func (o Options) rate(step, steps, perEpoch int) float64 {
	warm := o.Warmup * float64(perEpoch)
	if at := float64(step) + 1; at < warm {
		return o.LearningRate * at / warm
	}
	done := float64(step) / float64(steps)
	switch o.Schedule {
	case Cosine:
		return o.LearningRate * (1 + math.Cos(math.Pi*done)) / 2
	case Steps:
		switch {
		case done >= 0.75:
			return o.LearningRate / 100
		case done >= 0.5:
			return o.LearningRate / 10
		}
	}
	return o.LearningRate
}
