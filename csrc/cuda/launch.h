// The kernels as the operators see them: one function for each direction. Plain structs and
// pointers, so that a kernel file compiles where there is no torch.
#pragma once

#include <stddef.h>

#include "../arguments.h"

namespace noisykernels::cuda {

// Memory and place for a launch. All pointers are to memory of the device.
struct Launch {
  void* stream;    // a cudaStream_t
  int processors;  // of the device
};

struct ForwardLaunch : Launch {
  void* divisor;  // the one number that the backward divides by, in the arithmetic type
  // Of several blocks: workspace_bytes() of any content, and a number that is zero and left so.
  void* workspace;
  unsigned* ticket;
};

struct BackwardLaunch : Launch {
  const void* divisor;
};

// Zero where no block has to wait for another.
size_t workspace_bytes(const ForwardArguments& a, int processors);

// With a reduction, a.loss is the one number; a.value and a.label_weight are not used. Returns what
// went wrong, or nullptr.
const char* forward(const ForwardArguments& a, const ForwardLaunch& launch);
// a.divisor is not used.
const char* backward(const BackwardArguments& a, const BackwardLaunch& launch);

}  // namespace noisykernels::cuda
