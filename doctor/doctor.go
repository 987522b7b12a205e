package doctor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"tkit/catalog"
	"tkit/inference"
	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/plugins/host"
)

// State is the result of a check.
type State string

const (
	OK      State = "ok"
	Warning State = "warning" // it works, but not as well as it could
	Failed  State = "failed"  // something required is missing
)

// A Check is one thing that was examined.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Text  string `json:"text"` // what was found and, unless it is OK, the remedy
}

// A Report is the result of an examination.
type Report struct {
	Build  Build            `json:"build"`
	Device inference.Device `json:"device"`
	Checks []Check          `json:"checks"`
}

// Options say what to examine.
type Options struct {
	Version string // of tkit
	Home    string
	// RequireGPU makes a device other than a GPU a failure.
	RequireGPU bool
}

// ErrMissing is the error of a report with a failure.
var ErrMissing = errors.New("something that is required is missing")

// Examine examines the program, the device, the home and the sandbox of
// plugins. It creates no home, and changes nothing.
func Examine(o Options) (r Report, err error) {
	r.Build = Describe(o.Version)
	if r.Device, err = inference.FindDevice(); err != nil {
		return r, err
	}
	r.Checks = append(deviceChecks(r.Device, o.RequireGPU), homeCheck(o.Home), diskCheck(o.Home), sandboxCheck(host.Sandbox()))
	return r, nil
}

// Err is ErrMissing if a check failed.
func (r Report) Err() error {
	for _, c := range r.Checks {
		if c.State == Failed {
			return ErrMissing
		}
	}
	return nil
}

func deviceChecks(d inference.Device, requireGPU bool) []Check {
	device := Check{"device", OK, d.Name}
	switch {
	case requireGPU && !d.UsesGPUs:
		device.State, device.Text = Failed, d.Name+"; a GPU is required"
		if len(d.Hardware.GPUs) == 0 {
			device.Text += ", and this machine has none"
		}
	case len(d.Missing) > 0:
		device.State, device.Text = Warning, d.Name+", although there is "+strings.Join(d.Hardware.GPUs, ", ")
	}
	checks := []Check{device}
	if !d.BuiltForGPUs {
		for _, text := range d.Missing {
			checks = append(checks, Check{"libtensorflow", Warning, text})
		}
		return checks
	}
	if len(d.Hardware.GPUs) > 0 {
		driver := Check{"driver", OK, "NVIDIA driver " + d.Hardware.Driver}
		if problem := d.Hardware.DriverProblem(); problem != "" {
			driver.State, driver.Text = Failed, problem
		}
		checks = append(checks, driver)
	}
	for _, l := range d.Libraries {
		c := Check{l.Name, OK, l.Path}
		switch {
		case l.Problem != "" && (requireGPU || len(d.Hardware.GPUs) > 0):
			c.State, c.Text = Failed, l.Problem
		case l.Problem != "":
			c.Text = "not needed without a GPU; " + l.Problem
		}
		checks = append(checks, c)
	}
	return checks
}

// homeCheck examines whether the home can be used and only its owner can
// write to it.
func homeCheck(home string) Check {
	if err := (catalog.Options{Home: home}).Check(); err != nil {
		return Check{"home", Failed, err.Error()}
	}
	err := (catalog.Options{Home: home}).Exists()
	if errors.Is(err, catalog.ErrNoHome) {
		above := existing(home)
		if unix.Access(above, unix.W_OK|unix.X_OK) != nil {
			return Check{"home", Failed, fmt.Sprintf("%s is not there, and this account may not create it in %s", home, above)}
		}
		return Check{"home", OK, home + " is not there yet, and is created when it is needed"}
	}
	if err != nil {
		return Check{"home", Failed, err.Error()}
	}
	if err := unix.Access(home, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		return Check{"home", Failed, fmt.Sprintf("%s: this account may not read and write it: %v", home, err)}
	}
	return Check{"home", OK, home}
}

// scarce is the free space, in bytes, below which training and registering may fail.
const scarce = 2e9

// diskCheck examines the free space where the home is.
func diskCheck(home string) Check {
	var disk unix.Statfs_t
	folder := existing(home)
	if err := unix.Statfs(folder, &disk); err != nil {
		return Check{"disk", Failed, fmt.Sprintf("%s: %v", folder, err)}
	}
	free := int64(disk.Bavail) * int64(disk.Bsize)
	c := Check{"disk", OK, fmt.Sprintf("%s free for %s", present.Bytes(free), home)}
	if free < scarce {
		c.State, c.Text = Warning, c.Text+fmt.Sprintf("; less than %s may not be enough to train", present.Bytes(scarce))
	}
	return c
}

// sandboxCheck examines which parts of the plugins' sandbox this machine supports.
func sandboxCheck(p host.Protections, err error) Check {
	const name = "plugin sandbox"
	if err != nil {
		return Check{name, Warning, "plugins cannot be started: " + err.Error()}
	}
	if missing := p.Missing(false); len(missing) > 0 {
		return Check{name, Warning, "this kernel, or the container around tkit, does not provide: " + strings.Join(missing, "; ")}
	}
	return Check{name, OK, "complete"}
}

// existing returns the path, or the nearest folder above that exists.
func existing(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	for path != "/" {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}

// WriteText writes the report as text.
func (r Report) WriteText(w io.Writer) error {
	if err := r.Build.WriteText(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := present.Rows(w, nil, r.Checks, func(c Check) []string { return []string{string(c.State), c.Name, c.Text} }); err != nil {
		return err
	}
	for _, l := range r.Device.Libraries {
		if l.Problem != "" {
			_, err := printable.Fprintf(w, "\nLibraries were searched in %s.\n", strings.Join(r.Device.Searched, ", "))
			return err
		}
	}
	return nil
}
