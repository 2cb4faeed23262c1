// The operators' tensors, checked and made into the plain structs that kernels take: the same on
// all devices.
#pragma once

#include <ATen/ATen.h>

#include "ops.h"
#include "plan.h"

namespace noisykernels {
namespace {

using at::Tensor;

inline ScalarType scalar_type(const Tensor& logits) {
  switch (logits.scalar_type()) {
    case at::kFloat:
      return ScalarType::kFloat;
    case at::kDouble:
      return ScalarType::kDouble;
    case at::kHalf:
      return ScalarType::kHalf;
    case at::kBFloat16:
      return ScalarType::kBFloat16;
    default:
      TORCH_CHECK_TYPE(false, "input has dtype ", logits.scalar_type(),
                       ", expected a floating point type");
  }
}

inline at::ScalarType arithmetic_type(const Tensor& logits) {
  return logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// The layout of logits of shape (C,), (N, C) or (N, C, d1, ...), if the inner dimensions collapse
// to one.
inline std::optional<Layout> collapse(const Tensor& t) {
  Layout layout;
  if (t.dim() == 1) {
    layout.outer_stride = 0;
    layout.class_stride = t.stride(0);
    return layout;
  }
  layout.outer_stride = t.stride(0);
  layout.class_stride = t.stride(1);
  for (int64_t d = t.dim() - 1; d >= 2; --d) {
    if (t.size(d) == 1) continue;
    if (layout.inner == 1) {
      layout.inner_stride = t.stride(d);
    } else if (t.stride(d) != layout.inner * layout.inner_stride) {
      return std::nullopt;
    }
    layout.inner *= t.size(d);
  }
  return layout;
}

inline int64_t class_axis(const Tensor& logits) { return logits.dim() == 1 ? 0 : 1; }

// Whatever passes here is safe to compute with. `noisykernels/validation.py` has words for the
// rest.
inline void check_shapes(const Tensor& logits, const Tensor& target,
                         const std::optional<Tensor>& weight,
                         const std::optional<Tensor>& vectors) {
  scalar_type(logits);
  TORCH_CHECK_VALUE(logits.dim() > 0, "input has no dimension");
  const int64_t classes = logits.size(class_axis(logits));
  TORCH_CHECK_VALUE(classes > 0, "input has no class");
  bool fits = target.dim() == std::max<int64_t>(0, logits.dim() - 1);
  for (int64_t d = 0; fits && d < target.dim(); ++d) {
    fits = target.size(d) == logits.size(d == 0 ? 0 : d + 1);
  }
  TORCH_CHECK_VALUE(fits, "target has shape ", target.sizes(),
                    ", which does not fit input of shape ", logits.sizes());
  TORCH_CHECK_TYPE(target.scalar_type() == at::kLong || target.scalar_type() == at::kInt ||
                       target.scalar_type() == at::kByte,
                   "target has dtype ", target.scalar_type(), ", expected class indices");
  if (weight) {
    TORCH_CHECK_VALUE(weight->dim() == 1 && weight->numel() == classes, "weight has shape ",
                      weight->sizes(), ", expected one number for each of ", classes, " classes");
    TORCH_CHECK_TYPE(weight->is_floating_point(), "weight has dtype ", weight->scalar_type(),
                     ", expected a floating point type");
  }
  TORCH_CHECK_VALUE(!vectors || (vectors->dim() == 2 && vectors->size(1) == classes),
                    "vectors must have one number for each of ", classes, " classes");
  for (const Tensor& other : {target, weight.value_or(target), vectors.value_or(target)}) {
    TORCH_CHECK(other.device() == logits.device() && other.layout() == at::kStrided, "tensors on ",
                other.device(), " and ", logits.device(), ", or not dense");
  }
}

// Logits and labels held while a kernel runs on them.
struct Inputs {
  Tensor logits;
  Tensor labels;
  Tensor class_weight;
  Tensor vectors;

  Inputs(const Tensor& logits_, const Tensor& target, const std::optional<Tensor>& weight,
         const std::optional<Tensor>& vectors_) {
    check_shapes(logits_, target, weight, vectors_);
    logits = collapse(logits_) ? logits_ : logits_.contiguous();
    labels = target.scalar_type() == at::kLong ? target : target.to(at::kLong);
    if (!labels.is_contiguous()) labels = labels.contiguous();
    if (weight) class_weight = weight->to(arithmetic_type(logits)).contiguous();
    if (vectors_) vectors = vectors_->to(arithmetic_type(logits)).contiguous();
  }

  int64_t classes() const { return logits.size(class_axis(logits)); }

  void fill(Arguments& a, at::IntArrayRef terms, at::ArrayRef<double> values, int64_t ignore_index,
            bool statistics, int64_t scores, double length) const {
    TORCH_CHECK_VALUE(values.size() == 3 * terms.size(),
                      "values must hold a weight and two parameters for each term");
    a.plan = make_plan(terms.data(), values.data(), int64_t(terms.size()), class_weight.defined(),
                       statistics, scores, length);
    a.dtype = scalar_type(logits);
    a.rows = labels.numel();
    a.classes = classes();
    a.logits = logits.const_data_ptr();
    a.layout = *collapse(logits);
    a.target = labels.const_data_ptr<int64_t>();
    a.ignore_index = ignore_index;
    a.class_weight = class_weight.defined() ? class_weight.const_data_ptr() : nullptr;
    a.vectors = nullptr;
    if (a.plan.vector || a.plan.vector_power) {
      const int64_t count = a.plan.by_sample ? a.rows : a.classes;
      TORCH_CHECK_VALUE(vectors.defined() && vectors.size(0) == count,
                        "vectors must have one row for each of ", count,
                        a.plan.by_sample ? " samples" : " classes");
      a.vectors = vectors.const_data_ptr();
    }
  }
};

inline Reduction checked_reduction(int64_t reduction) {
  TORCH_CHECK_VALUE(0 <= reduction && reduction <= int64_t(Reduction::kSum), "reduction is ",
                    reduction, ", expected 0 (none), 1 (mean) or 2 (sum)");
  return Reduction(reduction);
}

// What the backward gets besides is what the forward has returned, and one gradient for each loss.
inline void check_backward(const Arguments& a, const Tensor& upstream, const Tensor& logits,
                           const Tensor& rows, const Tensor& divisor, bool reduced) {
  TORCH_CHECK_VALUE(rows.is_contiguous() && rows.scalar_type() == arithmetic_type(logits) &&
                        rows.numel() == a.plan.column.count * a.rows,
                    "rows must be what the forward has returned");
  TORCH_CHECK_VALUE(divisor.numel() == 1 && divisor.scalar_type() == arithmetic_type(logits),
                    "divisor must be what the forward has returned");
  TORCH_CHECK_VALUE(upstream.numel() == (reduced ? 1 : a.rows), "upstream has shape ",
                    upstream.sizes(), ", expected that of the loss");
}

// A single number serves all rows; anything else becomes one number a row next to each other.
inline Tensor as_row_upstream(const Tensor& upstream, const Tensor& logits) {
  const bool same_type = upstream.scalar_type() == arithmetic_type(logits);
  return (same_type ? upstream : upstream.to(arithmetic_type(logits))).contiguous();
}

}  // namespace
}  // namespace noisykernels
