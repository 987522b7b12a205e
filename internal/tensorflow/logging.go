package tensorflow

// #cgo LDFLAGS: -ldl
// #define _GNU_SOURCE
// #include <dlfcn.h>
//
// // SetMinLogLevel of the Abseil release inside libtensorflow 2.18 has no C
// // name. With a library that lacks it nothing is lost but silence.
// static void set_min_log_level(int level) {
//   void (*set)(int) = (void (*)(int))dlsym(RTLD_DEFAULT,
//       "_ZN4absl12lts_2023080214SetMinLogLevelENS0_18LogSeverityAtLeastE");
//   if (set) set(level);
// }
import "C"

import (
	"os"
	"strconv"
)

// logLevel is the variable that sets TensorFlow's log level on standard error:
// 0 for everything, 1 without information, 2 without warnings, 3 without
// errors.
const logLevel = "TF_CPP_MIN_LOG_LEVEL"

// Failures are returned as errors, so the log is off unless the user turns it
// on. Parts of TensorFlow write to Abseil's log, which ignores the variable.
func init() {
	if _, set := os.LookupEnv(logLevel); !set {
		os.Setenv(logLevel, "3")
	}
	if level, err := strconv.Atoi(os.Getenv(logLevel)); err == nil {
		C.set_min_log_level(C.int(level))
	}
}
