// The kernels as the operators see them: one pair of functions per SIMD level.
#pragma once

#include "../arguments.h"

namespace noisykernels {

// Classes that are summed on their own in a longer row even if one thread has it all: additions
// have the same order, and results the same bits, with any number of threads.
constexpr int64_t kChunk = 65536;

struct Kernels {
  const char* level;
  // Rows from `begin` to `end`. What a row gets does not depend on the range it is in.
  void (*forward)(const ForwardArguments&, int64_t begin, int64_t end);
  void (*backward)(const BackwardArguments&, int64_t begin, int64_t end);
  bool (*labels_in_range)(const int64_t* label, int64_t count, int64_t classes,
                          int64_t ignore_index);
};

namespace baseline {
extern const Kernels kernels;
}
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define NOISYKERNELS_X86_LEVELS
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}
#endif

}  // namespace noisykernels
