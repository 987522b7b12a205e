package main

import (
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/internal/commandline"
)

// Numbers that nobody means are refused before anything is read, by the flag's name
// and with what it wants.
func TestBounds(t *testing.T) {
	t.Parallel()
	train := "train --architecture lenet5 --data missing --name x "
	for _, args := range []string{
		train + "--epochs 0", train + "--epochs -1", train + "--epochs 999999999", train + "--batch-size 0", train + "--batch-size 2000000000",
		train + "--learning-rate NaN", train + "--learning-rate Inf", train + "--learning-rate -0.1", train + "--learning-rate 0", train + "--learning-rate 1e300",
		train + "--momentum 1", train + "--momentum NaN", train + "--weight-decay -1", train + "--weight-decay +Inf", train + "--warmup NaN", train + "--warmup inf",
		train + "--label-smoothing 1", train + "--patience -1", train + "--threads -1", train + "--threads 1000000", train + "--shift -1", train + "--shift 100000",
		train + "--brightness NaN", train + "--brightness 2", train + "--contrast Inf", train + "--validation NaN", train + "--test -0.1", train + "--validation 1.5",
		train + "--per-class -5", train + "--plugin-processes 0", train + "--plugin-processes 100000", train + "--plugin-timeout -1s", train + "--plugin-memory -1",
		"train --base b --data d --name x --cache-size -1", "train --base b --data d --name x --cache-size 9223372036", "train --base b --data d --name x --copies -1 --flip",
		"predict --model m x.png --top 0", "predict --model m x.png --top -1", "predict --model m x.png --top 99999999999", "datasets check missing --per-class -1",
		"datasets check missing --validation NaN", "datasets audit --last -1", "registry gc --wait -1s", "registry gc --wait 9999h",
		"architectures show lenet5 --classes 0", "architectures show lenet5 --classes 1000000000", "plugins test x --rounds 0", "plugins bench x --batch -1",
		"serve --timeout 0s", "serve --timeout 9999h", "serve --max-batch 0", "serve --max-queue -1", "serve --max-images 0", "serve --max-body -1",
		"serve --max-body 0", "serve --drain -1s", "serve --grace 9999h", "serve --threads -1",
	} {
		words := strings.Fields(args)
		flag := ""
		for _, w := range words { // the last one
			if strings.HasPrefix(w, "--") && w != "--flip" {
				flag = w
			}
		}
		a := app()
		err := commandline.Run(t.Context(), a, append([]string{"tkit", "--home", t.TempDir()}, words...))
		if err == nil || !strings.Contains(err.Error(), flag+" is ") || !strings.Contains(err.Error(), "want ") {
			t.Errorf("tkit %s: %v", args, err)
		}
	}
}

// Every flag with bounds is there and is a number, and every default is within.
func TestBoundsFit(t *testing.T) {
	t.Parallel()
	met := make(map[string]bool)
	var walk func([]*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			for _, f := range c.Flags {
				name := f.Names()[0]
				key := c.Name
				l, known := bounds.Of(key, name)
				if _, own := bounds[key][name]; !own {
					key = ""
				}
				if !known {
					switch f.(type) {
					case *cli.IntFlag, *cli.Int64Flag, *cli.Float64Flag, *cli.DurationFlag, *cli.GenericFlag:
						t.Errorf("%s --%s has no bounds", c.Name, name)
					}
					continue
				}
				met[key+" "+name] = true
				var value float64
				switch f := f.(type) {
				case *cli.IntFlag:
					value = float64(f.Value)
				case *cli.Int64Flag:
					value = float64(f.Value)
				case *cli.Float64Flag:
					value = f.Value
				case *cli.GenericFlag:
					value = time.Duration(*f.Value.(*commandline.Duration)).Seconds()
				default:
					t.Errorf("%s --%s has bounds and is a %T", c.Name, name, f)
				}
				if value != 0 && (value < l[0] || value > l[1]) {
					t.Errorf("%s --%s: the default %v is out of bounds", c.Name, name, value)
				}
			}
			walk(c.Subcommands)
		}
	}
	walk(app().Commands)
	for command, flags := range bounds {
		for flag := range flags {
			if !met[command+" "+flag] {
				t.Errorf("no command %q has --%s", command, flag)
			}
		}
	}
}
