package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"tkit/doctor"
	"tkit/inference"
	"tkit/internal/commandline"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "say which device computes, and what is missing",
		Description: `Examines the device, the libraries for GPUs, the home, its disk and the sandbox
of plugins. The exit status is 1 if something required is missing.`,
		Flags: append(gpuFlags(), jsonFlag(), &cli.BoolFlag{Name: "require-gpu", Usage: "fail unless a GPU is used"}),
		Action: func(c *cli.Context) error {
			if err := inference.UseGPUs(gpus(c)); err != nil {
				return err
			}
			r, err := doctor.Examine(doctor.Options{Version: version, Home: c.Path("home"), RequireGPU: c.Bool("require-gpu")})
			if err != nil {
				return err
			}
			return errors.Join(commandline.Show(c, r, r.WriteText), r.Err())
		},
	}
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version of tkit and what it was built with", Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			b := doctor.Describe(version)
			return commandline.Show(c, b, b.WriteText)
		},
	}
}

// gpuFlags are on every command that computes for long.
func gpuFlags() []cli.Flag {
	const category = "with GPUs:"
	return []cli.Flag{
		&cli.StringFlag{Category: category, Name: "gpus", Usage: "use the GPUs of this `LIST`, such as 0,2, or none", DefaultText: "all"},
		&cli.Float64Flag{Category: category, Name: "gpu-memory", Usage: "use at most this `PART` of each GPU's memory, such as 0.5", DefaultText: "nearly all"},
		&cli.BoolFlag{Category: category, Name: "gpu-growth", Usage: "allocate memory of GPUs when it is needed, and not at the start"},
	}
}

func gpus(c *cli.Context) inference.GPUs {
	return inference.GPUs{Visible: c.String("gpus"), MemoryFraction: c.Float64("gpu-memory"), Growth: c.Bool("gpu-growth")}
}
