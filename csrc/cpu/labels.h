// Whether labels can be used as indices.
#pragma once

#include <stdint.h>

namespace noisykernels {
namespace {

// All of them, without a branch: the compiler takes several labels at a time.
bool labels_in_range(const int64_t* label, int64_t count, int64_t classes, int64_t ignore_index) {
  int64_t outside = 0;
  for (int64_t i = 0; i < count; ++i)
    outside |= (uint64_t(label[i]) >= uint64_t(classes)) & (label[i] != ignore_index);
  return !outside;
}

}  // namespace
}  // namespace noisykernels
