package architectures_test

import (
	"fmt"
	"strings"
	"testing"

	"tkit/architectures"
)

// totals are the trainable parameters and the running statistics at the papers'
// numbers of classes, as counted by Keras and torchvision or by hand from the
// paper's table.
var totals = map[string][2]int{
	"lenet5":                  {61_706, 0},
	"lenet5-paper":            {156 + 12 + 1_516 + 32 + 48_120 + 10_164, 0},
	"alexnet":                 {60_965_224, 0},
	"alexnet-ungrouped":       {62_378_344, 0},
	"alexnet-onetower":        {61_100_840, 0},
	"zfnet":                   {62_357_608, 0},
	"vgg11":                   {132_863_336, 0},
	"vgg13":                   {133_047_848, 0},
	"vgg16":                   {138_357_544, 0},
	"vgg19":                   {143_667_240, 0},
	"googlenet":               {6_998_552, 0},
	"googlenet-aux":           {13_378_280, 0},
	"googlenet-bn":            {7_005_832, 2 * 7_280},
	"googlenet-torchvision":   {6_624_904, 2 * 7_280},
	"inceptionv3":             {23_817_352, 34_432},
	"inceptionv3-torchvision": {27_161_264, 34_432 + 2*(128+768)},
	"resnet18":                {11_689_512, 9_600},
	"resnet34":                {21_797_672, 17_024},
	"resnet50":                {25_557_032, 53_120},
	"resnet101":               {44_549_160, 105_344},
	"resnet152":               {60_192_808, 151_424},
	"resnet50v1.5":            {25_557_032, 53_120},
	"resnet101v1.5":           {44_549_160, 105_344},
	"resnet152v1.5":           {60_192_808, 151_424},
	"resnet50-keras":          {25_583_592, 53_120},
	"resnet101-keras":         {44_601_832, 105_344},
	"resnet152-keras":         {60_268_520, 151_424},
	// The second version in the paper has the convolutions of the first and
	// other batch normalisations: one before each convolution, none at
	// projections.
	"resnet18v2":        {11_689_512 - 9_600 + 7_808, 7_808},
	"resnet34v2":        {21_797_672 - 17_024 + 15_232, 15_232},
	"resnet50v2":        {25_557_032 - 53_120 + 45_440, 45_440},
	"resnet101v2":       {44_549_160 - 105_344 + 97_664, 97_664},
	"resnet152v2":       {60_192_808 - 151_424 + 143_744, 143_744},
	"resnet50v2-keras":  {25_568_360, 45_440},
	"resnet101v2-keras": {44_577_896, 97_664},
	"resnet152v2-keras": {60_236_904, 143_744},
	// As the authors' checkpoints have them.
	"efficientnet-lite0": {4_652_008, 2 * 21_008},
	"efficientnet-lite1": {5_416_680, 2 * 26_832},
	"efficientnet-lite2": {6_092_072, 2 * 29_048},
	"efficientnet-lite3": {8_197_096, 2 * 38_336},
	"efficientnet-lite4": {13_006_568, 2 * 56_184},
	"resnet20-cifar":     {269_722, 2 * (16 + 2*3*(16+32+64))},
	"resnet32-cifar":     {464_154, 2 * (16 + 2*5*(16+32+64))},
	"resnet44-cifar":     {658_586, 2 * (16 + 2*7*(16+32+64))},
	"resnet56-cifar":     {853_018, 2 * (16 + 2*9*(16+32+64))},
	"resnet110-cifar":    {1_727_962, 2 * (16 + 2*18*(16+32+64))},
}

func TestTotals(t *testing.T) {
	for _, a := range architectures.All() {
		want, ok := totals[a.Name]
		if !ok {
			t.Errorf("%s has no golden totals", a.Name)
			continue
		}
		g := graph(t, a.Name)
		trainable, statistics := g.Parameters()
		if got := [2]int{trainable, statistics}; got != want {
			t.Errorf("%s has %v trainable parameters and statistics, want %v", a.Name, got, want)
		}
		var rows [2]int
		for _, e := range g.Table() {
			rows[0] += e.Trainable
			rows[1] += e.Statistics
		}
		if rows != want {
			t.Errorf("the rows of %s add up to %v, want %v", a.Name, rows, want)
		}
	}
}

// tables are the endpoints' shapes at the papers' input sizes and, if the
// module's own count is known, its trainable parameters.
var tables = []struct{ names, rows string }{
	{"lenet5", `
		C1 28×28×6 156, S2 14×14×6 0, C3 10×10×16 2416, S4 5×5×16 0, C5 120 48120, F6 84 10164, output 10 850`},
	{"lenet5-paper", `
		C1 28×28×6 156, S2 14×14×6 12, C3 10×10×16 1516, S4 5×5×16 32, C5 1×1×120 48120, F6 84 10164, output 10 0`},
	{"alexnet alexnet-ungrouped", `
		conv1 55×55×96, pool1 27×27×96, conv2 27×27×256, pool2 13×13×256,
		conv3 13×13×384, conv4 13×13×384, conv5 13×13×256, pool5 6×6×256, fc6 4096, fc7 4096, fc8 1000`},
	{"alexnet-onetower", `
		conv1 55×55×64, pool1 27×27×64, conv2 27×27×192, pool2 13×13×192,
		conv3 13×13×384, conv4 13×13×256, conv5 13×13×256, pool5 6×6×256, fc6 4096, fc7 4096, fc8 1000`},
	{"zfnet", `
		conv1 110×110×96, pool1 55×55×96, conv2 26×26×256, pool2 13×13×256,
		conv3 13×13×384, conv4 13×13×384, conv5 13×13×256, pool5 6×6×256, fc6 4096, fc7 4096, fc8 1000`},
	{"vgg11 vgg13 vgg16 vgg19", `
		conv1_x 224×224×64, pool1 112×112×64, conv2_x 112×112×128, pool2 56×56×128, conv3_x 56×56×256, pool3 28×28×256,
		conv4_x 28×28×512, pool4 14×14×512, conv5_x 14×14×512, pool5 7×7×512, fc6 4096, fc7 4096, fc8 1000`},
	{"googlenet", `
		conv1 112×112×64 9472, pool1 56×56×64 0, conv2_reduce 56×56×64 4160, conv2 56×56×192 110784, pool2 28×28×192 0,
		3a 28×28×256 163696, 3b 28×28×480 388736, pool3 14×14×480 0,
		4a 14×14×512 376176, 4b 14×14×512 449160, 4c 14×14×512 510104, 4d 14×14×528 605376, 4e 14×14×832 868352, pool4 7×7×832 0,
		5a 7×7×832 1043456, 5b 7×7×1024 1444080, pool5 1024 0, fc 1000 1025000`},
	{"googlenet-aux", `
		conv1 112×112×64 9472, pool1 56×56×64 0, conv2_reduce 56×56×64 4160, conv2 56×56×192 110784, pool2 28×28×192 0,
		3a 28×28×256 163696, 3b 28×28×480 388736, pool3 14×14×480 0,
		4a 14×14×512 376176, aux_4a 1000 3188840, 4b 14×14×512 449160, 4c 14×14×512 510104,
		4d 14×14×528 605376, aux_4d 1000 3190888, 4e 14×14×832 868352, pool4 7×7×832 0,
		5a 7×7×832 1043456, 5b 7×7×1024 1444080, pool5 1024 0, fc 1000 1025000`},
	{"googlenet-bn googlenet-torchvision", `
		conv1 112×112×64, pool1 56×56×64, conv2_reduce 56×56×64, conv2 56×56×192, pool2 28×28×192, 3a 28×28×256, 3b 28×28×480, pool3 14×14×480,
		4a 14×14×512, 4b 14×14×512, 4c 14×14×512, 4d 14×14×528, 4e 14×14×832, pool4 7×7×832, 5a 7×7×832, 5b 7×7×1024, pool5 1024, fc 1000`},
	{"inceptionv3", `
		stem1 149×149×32, stem2 147×147×32, stem3 147×147×64, stem4 73×73×64, stem5 73×73×80, stem6 71×71×192, stem7 35×35×192,
		mixed0 35×35×256, mixed1 35×35×288, mixed2 35×35×288,
		mixed3 17×17×768, mixed4 17×17×768, mixed5 17×17×768, mixed6 17×17×768, mixed7 17×17×768,
		mixed8 8×8×1280, mixed9 8×8×2048, mixed10 8×8×2048, pool 2048, fc 1000`},
	{"inceptionv3-torchvision", `
		stem1 149×149×32, stem2 147×147×32, stem3 147×147×64, stem4 73×73×64, stem5 73×73×80, stem6 71×71×192, stem7 35×35×192,
		mixed0 35×35×256, mixed1 35×35×288, mixed2 35×35×288,
		mixed3 17×17×768, mixed4 17×17×768, mixed5 17×17×768, mixed6 17×17×768, mixed7 17×17×768, aux 1000,
		mixed8 8×8×1280, mixed9 8×8×2048, mixed10 8×8×2048, pool 2048, fc 1000`},
	{"resnet18 resnet34", `
		conv1 112×112×64, pool1 56×56×64, conv2_x 56×56×64, conv3_x 28×28×128, conv4_x 14×14×256, conv5_x 7×7×512, pool 512, fc 1000`},
	{"resnet50 resnet101 resnet152 resnet50v1.5 resnet101v1.5 resnet152v1.5 resnet50-keras resnet101-keras resnet152-keras", `
		conv1 112×112×64, pool1 56×56×64, conv2_x 56×56×256, conv3_x 28×28×512, conv4_x 14×14×1024, conv5_x 7×7×2048, pool 2048, fc 1000`},
	{"resnet18v2 resnet34v2", `
		conv1 112×112×64, pool1 56×56×64, conv2_x 56×56×64, conv3_x 28×28×128, conv4_x 14×14×256, conv5_x 7×7×512, norm 7×7×512, pool 512, fc 1000`},
	{"resnet50v2 resnet101v2 resnet152v2", `
		conv1 112×112×64, pool1 56×56×64, conv2_x 56×56×256, conv3_x 28×28×512, conv4_x 14×14×1024, conv5_x 7×7×2048, norm 7×7×2048, pool 2048, fc 1000`},
	{"resnet50v2-keras resnet101v2-keras resnet152v2-keras", `
		conv1 112×112×64, pool1 56×56×64, conv2_x 28×28×256, conv3_x 14×14×512, conv4_x 7×7×1024, conv5_x 7×7×2048, norm 7×7×2048, pool 2048, fc 1000`},
	{"efficientnet-lite0", `
		stem 112×112×32, stage1 112×112×16, stage2 56×56×24, stage3 28×28×40, stage4 14×14×80, stage5 14×14×112,
		stage6 7×7×192, stage7 7×7×320, head 7×7×1280, pool 1280, fc 1000 1281000`},
	{"efficientnet-lite1", `
		stem 120×120×32, stage1 120×120×16, stage2 60×60×24, stage3 30×30×40, stage4 15×15×80, stage5 15×15×112,
		stage6 8×8×192, stage7 8×8×320, head 8×8×1280, pool 1280, fc 1000`},
	{"efficientnet-lite2", `
		stem 130×130×32, stage1 130×130×16, stage2 65×65×24, stage3 33×33×48, stage4 17×17×88, stage5 17×17×120,
		stage6 9×9×208, stage7 9×9×352, head 9×9×1280, pool 1280, fc 1000`},
	{"efficientnet-lite3", `
		stem 140×140×32, stage1 140×140×24, stage2 70×70×32, stage3 35×35×48, stage4 18×18×96, stage5 18×18×136,
		stage6 9×9×232, stage7 9×9×384, head 9×9×1280, pool 1280, fc 1000`},
	{"efficientnet-lite4", `
		stem 150×150×32, stage1 150×150×24, stage2 75×75×32, stage3 38×38×56, stage4 19×19×112, stage5 19×19×160,
		stage6 10×10×272, stage7 10×10×448, head 10×10×1280, pool 1280, fc 1000`},
	{"resnet20-cifar resnet32-cifar resnet44-cifar resnet56-cifar resnet110-cifar", `
		conv1 32×32×16, conv2_x 32×32×16, conv3_x 16×16×32, conv4_x 8×8×64, pool 64, fc 10`},
}

func TestTables(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range tables {
		for name := range strings.FieldsSeq(c.names) {
			seen[name] = true
			table := graph(t, name).Table()
			rows := strings.Split(c.rows, ",")
			if len(rows) != len(table) {
				t.Errorf("%s has %d endpoints, want %d", name, len(table), len(rows))
				continue
			}
			for i, row := range rows {
				e, want := table[i], strings.Fields(row)
				got := []string{e.Name, e.Output.String(), fmt.Sprint(e.Trainable)}[:len(want)]
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s: endpoint %v, want %v", name, got, want)
				}
				if e.Operation == "" {
					t.Errorf("%s: endpoint %s has no description", name, e.Name)
				}
			}
		}
	}
	for _, a := range architectures.All() {
		if !seen[a.Name] {
			t.Errorf("%s has no golden table", a.Name)
		}
	}
}

func graph(t *testing.T, name string) *architectures.Graph {
	t.Helper()
	a, err := architectures.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	g, err := a.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}
