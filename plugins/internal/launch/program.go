package launch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"tkit/plugins/internal/sealed"
)

// program is the executable that Start runs. It is opened once and stays open
// for the process's lifetime.
var program = sync.OnceValues(func() (*os.File, error) {
	if carried == nil {
		return os.OpenFile("/proc/self/exe", unix.O_PATH, 0)
	}
	return inMemory(carried)
})

// inMemory returns a sealed file with exactly the given content.
func inMemory(content []byte) (*os.File, error) {
	file, err := sealed.Copy(name, bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("the launcher of plugins: %w", err)
	}
	there, err := io.ReadAll(io.NewSectionReader(file, 0, int64(len(content))+1))
	if err == nil && !bytes.Equal(there, content) {
		err = errors.New("another process has changed it")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the launcher of plugins: %w", err), file.Close())
	}
	return file, nil
}

// programEnvironment returns the environment needed to load the program. The
// plugin's environment is in its Spec.
func programEnvironment() []string {
	if carried != nil {
		return []string{}
	}
	env := []string{"TF_CPP_MIN_LOG_LEVEL=3"} // libtensorflow may print when it is loaded
	if path, set := os.LookupEnv("LD_LIBRARY_PATH"); set {
		env = append(env, "LD_LIBRARY_PATH="+path)
	}
	return env
}
