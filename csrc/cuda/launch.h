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
  void* divisor;     // the one number that the backward divides by, in the arithmetic type
  void* workspace;   // workspace_bytes(), of any content
  unsigned* ticket;  // zero, and left so; where needs_ticket() says so
};

struct BackwardLaunch : Launch {
  const void* divisor;
};

size_t workspace_bytes(const ForwardArguments& a, int processors);
bool needs_ticket(const ForwardArguments& a, int processors);

// With a reduction, a.loss is the one number; a.value and a.label_weight are not used. Returns what
// went wrong, or nullptr.
const char* forward(const ForwardArguments& a, const ForwardLaunch& launch);
// a.divisor is not used.
const char* backward(const BackwardArguments& a, const BackwardLaunch& launch);

}  // namespace noisykernels::cuda
