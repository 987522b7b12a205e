package architectures

// An InitKind names a distribution of initial values.
type InitKind int

// The kinds of initial values. The fans are the inputs and outputs of one unit.
const (
	// Constant sets every value to Init.Scale.
	Constant InitKind = iota
	// Normal draws from a normal distribution with standard deviation Init.Scale.
	Normal
	// HeNormal draws with standard deviation √(2/fan-in): He et al., "Delving Deep
	// into Rectifiers", ICCV 2015.
	HeNormal
	// GlorotUniform draws from ±√(6/(fan-in + fan-out)): Glorot and Bengio,
	// "Understanding the difficulty of training deep feedforward neural
	// networks", AISTATS 2010.
	GlorotUniform
	// FanInUniform draws from ±Init.Scale/fan-in: LeCun et al. 1998, appendix A.
	FanInUniform
	// FanOutNormal draws with standard deviation √(2/fan-out), and FanOutUniform from
	// ±1/√fan-out, as EfficientNet's authors do.
	FanOutNormal
	FanOutUniform
)

// An Init describes the initial values of a variable. The zero value means
// zeros.
type Init struct {
	Kind  InitKind
	Scale float64
	// FanIn and FanOut are set by the layer.
	FanIn, FanOut float64
}

func (i Init) fans(in, out float64) Init {
	i.FanIn, i.FanOut = in, out
	return i
}

// A Variable is one tensor of a network's weights.
type Variable struct {
	// Name is the layer's name, a slash and the variable's role: "conv1/kernel".
	// It does not depend on the order in which layers were made.
	Name  string
	Shape []int
	// Trainable is false for the running statistics of batch normalisation.
	Trainable bool
	// Decay means that weight decay applies: to kernels, not to biases or to
	// the scale and offset of batch normalisation.
	Decay bool
	Init  Init
}

// Elements returns the number of values in the variable.
func (v Variable) Elements() int { return Shape(v.Shape).Elements() }
