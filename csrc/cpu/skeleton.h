// The one forward skeleton and the one backward kernel, over blocks of rows. Included once by each
// SIMD level.
#pragma once

#include "backward.h"
#include "forward.h"
#include "labels.h"

namespace noisykernels {
namespace {

void forward(const ForwardArguments& a, int64_t begin, int64_t end) {
  switch (a.dtype) {
    case ScalarType::kFloat:
      return forward_rows<float>(a, begin, end);
    case ScalarType::kDouble:
      return forward_rows<double>(a, begin, end);
    case ScalarType::kHalf:
      return forward_rows<Half>(a, begin, end);
    case ScalarType::kBFloat16:
      return forward_rows<BFloat16>(a, begin, end);
  }
}

void backward(const BackwardArguments& a, int64_t begin, int64_t end) {
  switch (a.dtype) {
    case ScalarType::kFloat:
      return backward_rows<float>(a, begin, end);
    case ScalarType::kDouble:
      return backward_rows<double>(a, begin, end);
    case ScalarType::kHalf:
      return backward_rows<Half>(a, begin, end);
    case ScalarType::kBFloat16:
      return backward_rows<BFloat16>(a, begin, end);
  }
}

}  // namespace

namespace NOISYKERNELS_LEVEL {
extern const Kernels kernels;
const Kernels kernels = {NOISYKERNELS_LEVEL_NAME, forward, backward, labels_in_range};
}  // namespace NOISYKERNELS_LEVEL

}  // namespace noisykernels
