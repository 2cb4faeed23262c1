#include "launch.h"

#include "regimes.h"

namespace noisykernels::cuda {

#define FOR_EACH_DTYPE(X) \
  X(float32, kFloat) X(float64, kDouble) X(float16, kHalf) X(bfloat16, kBFloat16)

#define X(name, dtype)                                                   \
  namespace name {                                                       \
  const char* forward(const ForwardArguments&, const ForwardLaunch&);    \
  const char* backward(const BackwardArguments&, const BackwardLaunch&); \
  }
FOR_EACH_DTYPE(X)
#undef X

size_t workspace_bytes(const ForwardArguments& a, int processors) {
  const ForwardRegime regime = forward_regime(a, processors);
  if (regime.blocks == 1) return 0;
  const size_t blocks = size_t(regime.blocks);
  const size_t totals = blocks * 2 * sizeof(double);
  if (regime.splits == 1) return a.reduction == Reduction::kNone ? 0 : totals;
  return mergeable(a.plan) ? blocks * kSums * (a.dtype == ScalarType::kDouble ? 8 : 4)
                           : totals * (1 + kCrewNumbers);
}

const char* forward(const ForwardArguments& a, const ForwardLaunch& launch) {
  switch (a.dtype) {
#define X(name, type)    \
  case ScalarType::type: \
    return name::forward(a, launch);
    FOR_EACH_DTYPE(X)
#undef X
  }
  return "unknown dtype";
}

const char* backward(const BackwardArguments& a, const BackwardLaunch& launch) {
  switch (a.dtype) {
#define X(name, type)    \
  case ScalarType::type: \
    return name::backward(a, launch);
    FOR_EACH_DTYPE(X)
#undef X
  }
  return "unknown dtype";
}

}  // namespace noisykernels::cuda
