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

// An Init says how a variable starts. The zero value is zeros.
type Init struct {
	Kind  InitKind
	Scale float64
	// FanIn and FanOut are filled in by the layer.
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
	// Trainable is false for batch normalisation's running statistics.
	Trainable bool
	// Decay tells whether weight decay applies: to kernels, not to biases or to
	// batch normalisation's scale and offset.
	Decay bool
	Init  Init
}

// Elements is the number of values in the variable.
func (v Variable) Elements() int { return Shape(v.Shape).Elements() }
