package architectures

import (
	"fmt"
	"math"

	"tkit/internal/preprocessing"
)

const efficientNetLiteCitation = "M. Tan, Q. V. Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML 2019, arXiv:1905.11946; " +
	"R. Liu: Higher accuracy on vision models with EfficientNet-Lite. TensorFlow Blog, 2020"

// efficientNetLiteTable contains the scaling: the factors of width and depth,
// the size of the input, and the dropout before the classifier.
var efficientNetLiteTable = []struct {
	width, depth float64
	side         int
	dropout      float64
}{
	{1.0, 1.0, 224, .2},
	{1.0, 1.1, 240, .2},
	{1.1, 1.2, 260, .3},
	{1.2, 1.4, 280, .3},
	{1.4, 1.8, 300, .3},
}

// mbStage is a row of EfficientNet's Table 1: units that expand their channels
// by a factor, convolve each channel separately, and project to a number of
// filters. The stride is that of the stage's first unit.
type mbStage struct{ units, size, stride, expansion, filters int }

// mbStages are the stages of EfficientNet-B0.
var mbStages = []mbStage{
	{1, 3, 1, 1, 16},
	{2, 3, 2, 6, 24},
	{2, 5, 2, 6, 40},
	{3, 3, 2, 6, 80},
	{3, 5, 1, 6, 112},
	{4, 5, 2, 6, 192},
	{1, 3, 1, 6, 320},
}

// efficientNetLites returns the networks for mobile processors: without squeeze
// and excitation, and with ReLU6 instead of swish. The first and last
// convolutions and the depth of the first and last stages are not scaled.
func efficientNetLites() []Architecture {
	var all []Architecture
	for i, r := range efficientNetLiteTable {
		a := define(fmt.Sprintf("efficientnet-lite%d", i), fmt.Sprintf("EfficientNet-Lite%d", i), efficientNetLiteCitation,
			[3]int{r.side, r.side, 3}, 1000, preprocessing.Standard,
			func(classes int, input [3]int) (*Graph, error) {
				c := compose(input, Init{Kind: FanOutNormal})
				c.norm = &BatchNorm{Epsilon: 1e-3, Momentum: .99}
				return efficientNetLite(c, scaled(mbStages, r.width, r.depth), classes, r.dropout)
			})
		// (x − 127) / 128
		normalise := a.Preprocessing.Steps[len(a.Preprocessing.Steps)-1].Normalise
		for range a.Input[2] {
			normalise.Mean, normalise.Deviation = append(normalise.Mean, 127./255), append(normalise.Deviation, 128./255)
		}
		all = append(all, a)
	}
	return all
}

// scaled makes stages wider and deeper: filters are rounded to the nearest
// multiple of 8, unless that removes more than a tenth, and units are rounded
// up.
func scaled(stages []mbStage, width, depth float64) []mbStage {
	all := make([]mbStage, len(stages))
	for i, s := range stages {
		wide := width * float64(s.filters)
		s.filters = max(8, int(wide+4)/8*8)
		if float64(s.filters) < .9*wide {
			s.filters += 8
		}
		if i > 0 && i < len(stages)-1 {
			s.units = int(math.Ceil(depth * float64(s.units)))
		}
		all[i] = s
	}
	return all
}

func efficientNetLite(c *composer, stages []mbStage, classes int, dropout float64) (*Graph, error) {
	c.row("stem", "")
	x := c.relu6("stem/relu", c.linear("stem", Input, Conv{Window: Square(3, 2, Same), Filters: 32}))
	for i, s := range stages {
		scope := fmt.Sprintf("stage%d", i+1)
		c.row(scope, fmt.Sprintf("MBConv%d, %d×%d, %d × %d", s.expansion, s.size, s.size, s.filters, s.units))
		for unit := range s.units {
			if unit > 0 {
				s.stride = 1
			}
			x = c.invertedResidual(fmt.Sprintf("%s/block%d", scope, unit+1), x, s)
		}
	}
	c.row("head", "")
	x = c.relu6("head/relu", c.linear("head", x, Conv{Window: Square(1, 1, Valid), Filters: 1280}))
	c.row("pool", "")
	x = c.add("pool", GlobalAverage{}, x)
	c.row("fc", "")
	x = c.add("dropout", Dropout{Rate: dropout}, x)
	return c.graph(c.add("fc", Dense{Units: classes, Init: Init{Kind: FanOutUniform}}, x))
}

// invertedResidual adds one unit of a stage: M. Sandler and others,
// "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, Figure
// 4(d). As in the authors' code, training does not drop units at random.
func (c *composer) invertedResidual(name, x string, s mbStage) string {
	y, channels := x, c.channels(x)
	if s.expansion > 1 {
		y = c.relu6(name+"/expand/relu", c.linear(name+"/expand", y, Conv{Window: Square(1, 1, Valid), Filters: s.expansion * channels}))
	}
	y = c.add(name+"/depthwise", Depthwise{Window: Square(s.size, s.stride, Same), Init: c.init}, y)
	y = c.relu6(name+"/depthwise/relu", c.add(name+"/depthwise/bn", *c.norm, y))
	y = c.linear(name+"/project", y, Conv{Window: Square(1, 1, Valid), Filters: s.filters})
	if s.stride > 1 || channels != s.filters {
		return y
	}
	return c.add(name+"/add", Add{}, x, y)
}
