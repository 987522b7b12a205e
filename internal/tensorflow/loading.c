// While libtensorflow is loaded, its initialisers greet on standard error that
// oneDNN is on, before any code of this process could turn the log off. What an
// executable has in .preinit_array runs before the initialisers of the libraries
// that it needs, and its constructors after them: in between standard error
// leads nowhere. Not where the user set the log's level, and not on a processor
// without AVX, on which the library ends the process and says why.

#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__) && defined(__x86_64__)

static int kept = -1;

static void divert(int argc, char **argv, char **envp) {
  static const char level[] = "TF_CPP_MIN_LOG_LEVEL=";
  (void)argc;
  (void)argv;
  for (; *envp; envp++) {
    if (strncmp(*envp, level, sizeof(level) - 1) == 0) return;
  }
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx")) return;
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return;
  kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (kept >= 0) dup2(nowhere, STDERR_FILENO);
  close(nowhere);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **, char **) = divert;

__attribute__((constructor)) static void restore(void) {
  if (kept < 0) return;
  dup2(kept, STDERR_FILENO);
  close(kept);
  kept = -1;
}

#endif
