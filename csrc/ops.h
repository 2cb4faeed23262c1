// The operators' signatures, and calls of them through the dispatcher. `noisykernels/ops.py` has
// the schemas.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace noisykernels {

using Forward = std::tuple<at::Tensor, at::Tensor, at::Tensor>(
    const at::Tensor& logits, const at::Tensor& target, const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& vectors, at::IntArrayRef terms, at::ArrayRef<double> values,
    int64_t ignore_index, int64_t reduction, bool statistics, int64_t backend, int64_t scores,
    double length);
using Backward = at::Tensor(const at::Tensor& upstream, const at::Tensor& logits,
                            const at::Tensor& target, const std::optional<at::Tensor>& weight,
                            const std::optional<at::Tensor>& vectors, const at::Tensor& rows,
                            const at::Tensor& divisor, at::IntArrayRef terms,
                            at::ArrayRef<double> values, int64_t ignore_index, int64_t reduction,
                            bool statistics, int64_t backend, int64_t scores, double length);

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
