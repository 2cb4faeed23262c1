// The operators on CPU tensors: shapes and layouts come in here, plain structs go on to the
// kernels.
#include "../ops.h"

#include <ATen/ATen.h>
#include <ATen/CPUFunctions.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <numeric>

#include "../plan.h"
#include "dispatch.h"

namespace noisykernels {
namespace {

using at::Tensor;

// Below this many elements a second thread costs more than it brings.
constexpr int64_t kGrainElements = 16384;

ScalarType scalar_type(const Tensor& logits) {
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

at::ScalarType arithmetic_type(const Tensor& logits) {
  return logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// The layout of logits of shape (C,), (N, C) or (N, C, d1, ...), if the inner dimensions collapse
// to one.
std::optional<Layout> collapse(const Tensor& t) {
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

int64_t class_axis(const Tensor& logits) { return logits.dim() == 1 ? 0 : 1; }

// The labels as contiguous int64, all of them in range or ignored.
Tensor checked_labels(const Tensor& target, int64_t classes, int64_t ignore_index) {
  Tensor labels = target.scalar_type() == at::kLong ? target : target.to(at::kLong);
  if (!labels.is_contiguous()) labels = labels.contiguous();
  const int64_t* label = labels.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < labels.numel(); ++i) {
    if ((label[i] < 0 || label[i] >= classes) && label[i] != ignore_index) {
      std::vector<int64_t> position(target.dim());
      int64_t rest = i;
      for (int64_t d = target.dim() - 1; d >= 0; --d) {
        position[d] = rest % target.size(d);
        rest /= target.size(d);
      }
      TORCH_CHECK_INDEX(false, "target",
                        position.empty() ? std::string() : c10::str(at::IntArrayRef(position)),
                        " is ", label[i], ", expected 0 <= target < ", classes,
                        " or ignore_index=", ignore_index);
    }
  }
  return labels;
}

// Whatever passes here is safe to compute with. `noisykernels/validation.py` has words for the
// rest.
void check_shapes(const Tensor& logits, const Tensor& target, const std::optional<Tensor>& weight,
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
         const std::optional<Tensor>& vectors_, int64_t ignore_index) {
    check_shapes(logits_, target, weight, vectors_);
    logits = collapse(logits_) ? logits_ : logits_.contiguous();
    labels = checked_labels(target, logits.size(class_axis(logits)), ignore_index);
    if (weight) class_weight = weight->to(arithmetic_type(logits)).contiguous();
    if (vectors_) vectors = vectors_->to(arithmetic_type(logits)).contiguous();
  }

  void fill(Arguments& a, at::IntArrayRef terms, at::ArrayRef<double> values, int64_t ignore_index,
            bool statistics) const {
    TORCH_CHECK_VALUE(values.size() == 3 * terms.size(),
                      "values must hold a weight and two parameters for each term");
    a.plan = make_plan(terms.data(), values.data(), int64_t(terms.size()), class_weight.defined(),
                       statistics);
    a.dtype = scalar_type(logits);
    a.rows = labels.numel();
    a.classes = logits.size(class_axis(logits));
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

// A 0-d tensor written and read in place: an operator call for one number would cost as much as a
// small kernel. For the same reason memory comes from at::cpu, without the dispatcher.
Tensor scalar_tensor(double value, const at::TensorOptions& options) {
  Tensor t = at::cpu::empty({}, options);
  if (t.scalar_type() == at::kDouble) {
    *t.mutable_data_ptr<double>() = value;
  } else {
    *t.mutable_data_ptr<float>() = float(value);
  }
  return t;
}

double scalar_value(const Tensor& t) {
  return t.scalar_type() == at::kDouble ? *t.const_data_ptr<double>() : *t.const_data_ptr<float>();
}

Reduction checked_reduction(int64_t reduction) {
  TORCH_CHECK_VALUE(0 <= reduction && reduction <= int64_t(Reduction::kSum), "reduction is ",
                    reduction, ", expected 0 (none), 1 (mean) or 2 (sum)");
  return Reduction(reduction);
}

// Calls f(begin, end) with ranges of rows, on as many threads as pay.
template <class F>
void for_rows(const Arguments& a, F f) {
  const int64_t grain = kGrainElements / std::max<int64_t>(1, a.classes);
  at::parallel_for(0, a.rows, std::max<int64_t>(1, grain), f);
}

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& logits, const Tensor& target,
                                           const std::optional<Tensor>& weight,
                                           const std::optional<Tensor>& vectors,
                                           at::IntArrayRef terms, at::ArrayRef<double> values,
                                           int64_t ignore_index, int64_t reduction, bool statistics,
                                           int64_t backend) {
  if (Backend(backend) == Backend::kTriton) {  // its interpreter takes CPU tensors
    static const auto op = find_op<Forward>("triton_forward");
    return op.call(logits, target, weight, vectors, terms, values, ignore_index, reduction,
                   statistics, backend);
  }
  const Inputs inputs(logits, target, weight, vectors, ignore_index);
  ForwardArguments a;
  inputs.fill(a, terms, values, ignore_index, statistics);
  a.reduction = checked_reduction(reduction);

  const auto options = logits.options().dtype(arithmetic_type(logits));
  const bool reduced = a.reduction != Reduction::kNone;
  Tensor loss;
  if (!reduced) {
    loss = at::cpu::empty(target.sizes(), options);
    a.loss = loss.mutable_data_ptr();
  }
  Tensor rows = at::cpu::empty({a.plan.column.count, a.rows}, options);
  std::vector<double> per_row(reduced ? 2 * a.rows : 0);
  a.row_coefficients = rows.mutable_data_ptr();
  a.value = per_row.data();
  a.label_weight = per_row.data() + a.rows;
  for_rows(a, [&](int64_t begin, int64_t end) { kernels().forward(a, begin, end); });

  double divisor = 1;
  if (reduced) {
    // In the order of the rows, whichever threads had them: a repeated run gives the same bits.
    const double sum = std::accumulate(a.value, a.value + a.rows, 0.0);
    const double weights = std::accumulate(a.label_weight, a.label_weight + a.rows, 0.0);
    if (a.reduction == Reduction::kMean) divisor = weights;
    loss = scalar_tensor(sum / divisor, options);
  }
  return {loss, rows, scalar_tensor(divisor, options)};
}

Tensor backward(const Tensor& upstream, const Tensor& logits, const Tensor& target,
                const std::optional<Tensor>& weight, const std::optional<Tensor>& vectors,
                const Tensor& rows, const Tensor& divisor, at::IntArrayRef terms,
                at::ArrayRef<double> values, int64_t ignore_index, int64_t reduction,
                bool statistics, int64_t backend) {
  if (Backend(backend) == Backend::kTriton) {
    static const auto op = find_op<Backward>("triton_backward");
    return op.call(upstream, logits, target, weight, vectors, rows, divisor, terms, values,
                   ignore_index, reduction, statistics, backend);
  }
  const Inputs inputs(logits, target, weight, vectors, ignore_index);
  BackwardArguments a;
  inputs.fill(a, terms, values, ignore_index, statistics);
  const bool reduced = checked_reduction(reduction) != Reduction::kNone;
  TORCH_CHECK_VALUE(rows.is_contiguous() && rows.scalar_type() == arithmetic_type(logits) &&
                        rows.numel() == a.plan.column.count * a.rows,
                    "rows must be what the forward has returned");
  TORCH_CHECK_VALUE(divisor.numel() == 1 && divisor.scalar_type() == arithmetic_type(logits),
                    "divisor must be what the forward has returned");
  TORCH_CHECK_VALUE(upstream.numel() == (reduced ? 1 : a.rows), "upstream has shape ",
                    upstream.sizes(), ", expected that of the loss");
  a.row_coefficients = rows.data_ptr();

  Tensor gradient = logits.is_contiguous() ? at::cpu::empty(logits.sizes(), logits.options())
                                           : at::empty_like(logits);
  const bool in_place = collapse(gradient).has_value();
  Tensor written = in_place ? gradient : at::empty(logits.sizes(), gradient.options());
  a.gradient = written.mutable_data_ptr();
  a.gradient_layout = *collapse(written);

  // A single number serves all rows; anything else becomes one number a row next to each other.
  const bool same_type = upstream.scalar_type() == arithmetic_type(logits);
  const Tensor row_upstream =
      (same_type ? upstream : upstream.to(arithmetic_type(logits))).contiguous();
  a.upstream = row_upstream.const_data_ptr();
  a.upstream_stride = reduced ? 0 : 1;
  a.divisor = scalar_value(divisor);
  for_rows(a, [&](int64_t begin, int64_t end) { kernels().backward(a, begin, end); });
  if (!in_place) gradient.copy_(written);
  return gradient;
}

}  // namespace

TORCH_LIBRARY_IMPL(noisykernels, CPU, m) {
  m.impl("forward", TORCH_FN(forward));
  m.impl("backward", TORCH_FN(backward));
}

}  // namespace noisykernels
