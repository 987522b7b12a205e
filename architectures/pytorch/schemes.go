package pytorch

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"tkit/architectures"
	"tkit/internal/preprocessing"
)

// A scheme names the modules of a library's network after our layers.
type scheme struct {
	name   string
	module func(layer string) (string, bool)
	// auxiliary begins the names of heads that only training uses; "": there are none.
	auxiliary string
	// mode and unclear are those of Loaded.
	mode, unclear string
	// confused says why the scheme must be stated: another network has the same
	// names.
	confused string
}

const (
	// torchvision's GoogLeNet and Inception v3 convert their input where
	// transform_input is set, which it is for the published weights.
	transformed = "torchvision's published weights expect tf, since they were trained with transform_input; " +
		"weights trained without it expect what they were trained with, usually torch"
	padded = "timm's tf_efficientnet_lite and efficientnet_lite have the same names and compute differently; " +
		"the former is the network of tkit: state timm-tf if the weights are of a tf_ model"
)

// Schemes are the names of all schemes that Load knows.
func Schemes() []string { return []string{"torchvision", "timm", "timm-tf", "efficientnet-pytorch"} }

// schemesOf are the naming schemes in which weights of an architecture are published.
func schemesOf(name string, g *architectures.Graph) []scheme {
	switch {
	case name == "alexnet-onetower":
		return []scheme{{name: "torchvision", module: table(alexNet), mode: preprocessing.Torch}}
	case strings.HasPrefix(name, "vgg"):
		return []scheme{
			{name: "torchvision", module: vgg(g, map[string]string{"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}), mode: preprocessing.Torch},
			{name: "timm", module: vgg(g, map[string]string{"fc6": "pre_logits.fc1", "fc7": "pre_logits.fc2", "fc8": "head.fc"}), mode: preprocessing.Torch},
		}
	case name == "googlenet-torchvision":
		return []scheme{{name: "torchvision", module: googLeNet, auxiliary: "aux", mode: preprocessing.TF, unclear: transformed}}
	case name == "inceptionv3-torchvision":
		return []scheme{{name: "torchvision", module: inceptionV3(g), auxiliary: "AuxLogits.", mode: preprocessing.TF, unclear: transformed}}
	case name == "resnet18", name == "resnet34", strings.HasSuffix(name, "v1.5"):
		return []scheme{{name: "torchvision and timm", module: resNet, mode: preprocessing.Torch}}
	case strings.HasPrefix(name, "efficientnet-lite"):
		return []scheme{
			{name: "timm-tf", module: efficientNetLite, mode: preprocessing.TF, confused: padded},
			{name: "efficientnet-pytorch", module: efficientNetPyTorch(g)},
		}
	}
	return nil
}

func table(modules map[string]string) func(string) (string, bool) {
	return func(layer string) (string, bool) { m, ok := modules[layer]; return m, ok }
}

var alexNet = map[string]string{
	"conv1": "features.0", "conv2": "features.3", "conv3": "features.6", "conv4": "features.8", "conv5": "features.10",
	"fc6": "classifier.1", "fc7": "classifier.4", "fc8": "classifier.6",
}

// vgg counts what a network's features are made of: each convolution is followed by
// its ReLU, and each stage by its pool.
func vgg(g *architectures.Graph, classifier map[string]string) func(string) (string, bool) {
	modules := map[string]string{}
	at, stage := 0, ""
	for _, l := range g.Layers {
		if _, ok := l.Op.(architectures.Conv); !ok {
			continue
		}
		of, _, _ := strings.Cut(l.Name, "/")
		if stage != "" && of != stage {
			at++ // the pool
		}
		stage = of
		modules[l.Name] = fmt.Sprintf("features.%d", at)
		at += 2
	}
	for layer, module := range classifier {
		modules[layer] = module
	}
	return table(modules)
}

var resNetUnit = regexp.MustCompile(`^conv(\d+)/block(\d+)/(?:conv(\d+)|shortcut)(/bn)?$`)

func resNet(layer string) (string, bool) {
	switch layer {
	case "conv1", "fc":
		return layer, true
	case "conv1/bn":
		return "bn1", true
	}
	m := resNetUnit.FindStringSubmatch(layer)
	if m == nil {
		return "", false
	}
	unit := fmt.Sprintf("layer%d.%d.", number(m[1])-1, number(m[2])-1)
	switch conv, norm := m[3], m[4] != ""; {
	case conv == "" && norm:
		return unit + "downsample.1", true
	case conv == "":
		return unit + "downsample.0", true
	case norm:
		return unit + "bn" + conv, true
	default:
		return unit + "conv" + conv, true
	}
}

// convNorm is the name of a convolution, or of the normalisation behind it, in
// torchvision's unit of both.
func convNorm(layer string) (unit, part string) {
	if unit, norm := strings.CutSuffix(layer, "/bn"); norm {
		return unit, ".bn"
	}
	return layer, ".conv"
}

var googLeNetUnits = map[string]string{
	"conv1": "conv1", "conv2_reduce": "conv2", "conv2": "conv3",
	"1x1": "branch1", "3x3_reduce": "branch2.0", "3x3": "branch2.1",
	"5x5_reduce": "branch3.0", "5x5": "branch3.1", "pool_proj": "branch4.1",
}

func googLeNet(layer string) (string, bool) {
	if layer == "fc" {
		return layer, true
	}
	unit, part := convNorm(layer)
	module, branch, inside := strings.Cut(unit, "/")
	if !inside {
		m, ok := googLeNetUnits[module]
		return m + part, ok
	}
	m, ok := googLeNetUnits[branch]
	return "inception" + module + "." + m + part, ok
}

var (
	inceptionStem = map[string]string{
		"stem1": "Conv2d_1a_3x3", "stem2": "Conv2d_2a_3x3", "stem3": "Conv2d_2b_3x3", "stem5": "Conv2d_3b_1x1", "stem6": "Conv2d_4a_3x3",
	}
	inceptionMixed = map[string]string{
		"mixed0": "5b", "mixed1": "5c", "mixed2": "5d", "mixed3": "6a", "mixed4": "6b", "mixed5": "6c", "mixed6": "6d", "mixed7": "6e",
		"mixed8": "7a", "mixed9": "7b", "mixed10": "7c",
	}
)

// inceptionV3 numbers the convolutions of a branch where there are several; the two
// at the end of a branch that splits have one number and letters.
func inceptionV3(g *architectures.Graph) func(string) (string, bool) {
	convs := map[string]int{} // of each branch, without the split
	for _, l := range g.Layers {
		if _, ok := l.Op.(architectures.Conv); ok && strings.Contains(l.Name, "/conv") {
			convs[l.Name[:strings.LastIndex(l.Name, "/")]]++
		}
	}
	return func(layer string) (string, bool) {
		if layer == "fc" {
			return layer, true
		}
		unit, part := convNorm(layer)
		if stem, ok := inceptionStem[unit]; ok {
			return stem + part, true
		}
		names := strings.Split(unit, "/")
		mixed, ok := inceptionMixed[names[0]]
		if !ok || len(names) < 2 {
			return "", false
		}
		module := "Mixed_" + mixed + ".branch"
		if names[1] == "pool_proj" {
			return module + "_pool" + part, true
		}
		branch := names[0] + "/" + names[1]
		switch last := names[len(names)-1]; last {
		case "1x3":
			return fmt.Sprintf("%s%s_%da%s", module, names[1], convs[branch]+1, part), true
		case "3x1":
			return fmt.Sprintf("%s%s_%db%s", module, names[1], convs[branch]+1, part), true
		default:
			if convs[branch] == 1 && !splits(g, branch) {
				return module + names[1] + part, true
			}
			return module + names[1] + "_" + strings.TrimPrefix(last, "conv") + part, true
		}
	}
}

func splits(g *architectures.Graph, branch string) bool {
	_, ok := g.Layer(branch + "/1x3")
	return ok
}

var liteUnit = regexp.MustCompile(`^stage(\d+)/block(\d+)/(expand|depthwise|project)(/bn)?$`)

// efficientNetLite has timm's names. A unit of the first stage expands nothing: its
// convolutions are called by other names than those of the rest.
func efficientNetLite(layer string) (string, bool) {
	if m, ok := map[string]string{"stem": "conv_stem", "stem/bn": "bn1", "head": "conv_head", "head/bn": "bn2", "fc": "classifier"}[layer]; ok {
		return m, true
	}
	m := liteUnit.FindStringSubmatch(layer)
	if m == nil {
		return "", false
	}
	names := map[string]string{"expand": "conv_pw", "depthwise": "conv_dw", "project": "conv_pwl", "expand/bn": "bn1", "depthwise/bn": "bn2", "project/bn": "bn3"}
	if m[1] == "1" {
		names = map[string]string{"depthwise": "conv_dw", "project": "conv_pw", "depthwise/bn": "bn1", "project/bn": "bn2"}
	}
	name, ok := names[m[3]+m[4]]
	return fmt.Sprintf("blocks.%d.%d.%s", number(m[1])-1, number(m[2])-1, name), ok
}

// efficientNetPyTorch has the names of L. Melas-Kyriazi's EfficientNet-PyTorch, which
// numbers the units of all stages through.
func efficientNetPyTorch(g *architectures.Graph) func(string) (string, bool) {
	blocks := map[string]int{} // by "stageS/blockB"
	for _, l := range g.Layers {
		if m := liteUnit.FindStringSubmatch(l.Name); m != nil {
			unit := "stage" + m[1] + "/block" + m[2]
			if _, ok := blocks[unit]; !ok {
				blocks[unit] = len(blocks)
			}
		}
	}
	return func(layer string) (string, bool) {
		if m, ok := map[string]string{"stem": "_conv_stem", "stem/bn": "_bn0", "head": "_conv_head", "head/bn": "_bn1", "fc": "_fc"}[layer]; ok {
			return m, true
		}
		m := liteUnit.FindStringSubmatch(layer)
		if m == nil {
			return "", false
		}
		name := map[string]string{"expand": "_expand_conv", "depthwise": "_depthwise_conv", "project": "_project_conv",
			"expand/bn": "_bn0", "depthwise/bn": "_bn1", "project/bn": "_bn2"}[m[3]+m[4]]
		return fmt.Sprintf("_blocks.%d.%s", blocks["stage"+m[1]+"/block"+m[2]], name), true
	}
}

// number is the value of digits that an expression has matched.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		panic(err)
	}
	return n
}
