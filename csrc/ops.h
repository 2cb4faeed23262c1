// The operators' signatures, and calls of them through the dispatcher. `noisykernels/ops.py` has
// the schemas.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace noisykernels {

using Forward = std::tuple<at::Tensor, at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&,
                                                               const std::optional<at::Tensor>&,
                                                               at::IntArrayRef,
                                                               at::ArrayRef<double>, int64_t,
                                                               int64_t, int64_t);
using Backward = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                            const std::optional<at::Tensor>&, const at::Tensor&, const at::Tensor&,
                            at::IntArrayRef, at::ArrayRef<double>, int64_t, int64_t, int64_t);

// Found once: `static const auto op = find_op<Forward>("forward");`
template <class Signature>
auto find_op(const std::string& name) {
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow(("noisykernels::" + name).c_str(), "")
      .typed<Signature>();
}

// Positions in `noisykernels.backends.NAMES`.
enum class Backend : int64_t { kReference, kCpu, kCuda, kTriton };

}  // namespace noisykernels
