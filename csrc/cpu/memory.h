// Where a row's numbers are in memory.
#pragma once

#include "kernels.h"
#include "vector.h"

namespace noisykernels {
namespace {

INLINE int64_t row_offset(const Layout& layout, int64_t row) {
  if (layout.inner == 1) return row * layout.outer_stride;  // spares the common case two divisions
  return row / layout.inner * layout.outer_stride + row % layout.inner * layout.inner_stride;
}

// A row as contiguous elements: in place where the classes are next to each other, else copied to
// `scratch`.
template <class Storage>
INLINE const Storage* gather(const Storage* x, int64_t stride, int64_t classes, Storage* scratch) {
  if (stride == 1) return x;
  for (int64_t k = 0; k < classes; ++k) scratch[k] = x[k * stride];
  return scratch;
}

// Lets a row come nearer while others are computed: a batch that does not fit into the cache would
// be waited for.
template <class Storage>
INLINE void prefetch(const Storage* x, int64_t classes) {
  constexpr int64_t line = 64 / sizeof(Storage);
  for (int64_t k = 0; k < classes; k += line) __builtin_prefetch(x + k);
}

template <class T>
T* allocate(int64_t count) {
  return static_cast<T*>(__builtin_malloc(sizeof(T) * count));
}

template <class Storage>
Storage* allocate_scratch(int64_t class_stride, int64_t classes) {
  return class_stride == 1 ? nullptr : allocate<Storage>(classes);
}

template <class Scalar>
INLINE const Scalar* class_vector(const Arguments& a, int64_t row, int64_t label) {
  if (!a.vectors) return nullptr;
  return static_cast<const Scalar*>(a.vectors) + (a.plan.by_sample ? row : label) * a.classes;
}

}  // namespace
}  // namespace noisykernels
