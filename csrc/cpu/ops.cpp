// The operators on CPU tensors: shapes and layouts come in here, plain structs go on to the
// kernels.
#include "../ops.h"

#include <ATen/ATen.h>
#include <ATen/CPUFunctions.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <memory>

#include "../inputs.h"
#include "dispatch.h"

namespace noisykernels {
namespace {

using at::Tensor;

// A second thread comes in beyond this many elements, or this many where no exponential is
// computed, which is most of the work. See docs/decisions/0012-threads-where-they-pay.md.
constexpr int64_t kGrainElements = int64_t(1) << 17;
constexpr int64_t kGrainElementsWithoutPowers = int64_t(1) << 20;

// Labels are in range or ignored.
void check_labels(const Tensor& labels, const Tensor& target, int64_t classes,
                  int64_t ignore_index) {
  const int64_t* label = labels.const_data_ptr<int64_t>();
  if (kernels().labels_in_range(label, labels.numel(), classes, ignore_index)) return;
  int64_t i = 0;
  while (kernels().labels_in_range(label + i, 1, classes, ignore_index)) ++i;
  std::vector<int64_t> position(target.dim());
  int64_t rest = i;
  for (int64_t d = target.dim() - 1; d >= 0; --d) {
    position[d] = rest % target.size(d);
    rest /= target.size(d);
  }
  TORCH_CHECK_INDEX(
      false, "target", position.empty() ? std::string() : c10::str(at::IntArrayRef(position)),
      " is ", label[i], ", expected 0 <= target < ", classes, " or ignore_index=", ignore_index);
}

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

// In an order that the count alone decides, whichever threads had the rows: a repeated run gives
// the same bits. Several sums at a time do not wait for each other.
double ordered_sum(const double* x, int64_t count) {
  constexpr int lanes = 8;
  double sum[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int j = 0; j < lanes; ++j) sum[j] += x[i + j];
  }
  for (int j = 0; i < count; ++i, ++j) sum[j] += x[i];
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

// Calls f(begin, end) with ranges of rows, on as many threads as pay.
template <class F>
void for_rows(const Arguments& a, F f) {
  const int64_t elements = a.plan.powers ? kGrainElements : kGrainElementsWithoutPowers;
  const int64_t grain = elements / std::max<int64_t>(1, a.classes);
  at::parallel_for(0, a.rows, std::max<int64_t>(1, grain), f);
}

// With fewer rows than threads, threads share the classes of long rows; not those of scores.
bool has_few_long_rows(const Arguments& a) {
  return a.classes > kChunk && a.rows < at::get_num_threads() && a.plan.scores == Scores::kLogits;
}

void share(int64_t count, void (*body)(const void* context, int64_t i), const void* context) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(context, i);
  });
}

void run(ForwardArguments& a) {
  // The largest class and elementwise functions take further visits, which one thread does.
  if (has_few_long_rows(a) && !a.plan.top && !a.plan.elements) {
    a.share = share;
    kernels().forward(a, 0, a.rows);
  } else {
    for_rows(a, [&](int64_t begin, int64_t end) { kernels().forward(a, begin, end); });
  }
}

void run(BackwardArguments& a) {
  a.last_class = a.classes;
  if (has_few_long_rows(a) && a.layout.class_stride == 1 && a.gradient_layout.class_stride == 1) {
    const int64_t chunks = (a.classes + kChunk - 1) / kChunk;
    at::parallel_for(0, a.rows * chunks, 1, [&](int64_t begin, int64_t end) {
      BackwardArguments part = a;
      for (int64_t i = begin; i < end; ++i) {
        part.first_class = i % chunks * kChunk;
        part.last_class = std::min(a.classes, part.first_class + kChunk);
        kernels().backward(part, i / chunks, i / chunks + 1);
      }
    });
  } else {
    for_rows(a, [&](int64_t begin, int64_t end) { kernels().backward(a, begin, end); });
  }
}

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& logits, const Tensor& target,
                                           const std::optional<Tensor>& weight,
                                           const std::optional<Tensor>& vectors,
                                           at::IntArrayRef terms, at::ArrayRef<double> values,
                                           int64_t ignore_index, int64_t reduction, bool statistics,
                                           int64_t backend, int64_t scores, double length) {
  if (Backend(backend) == Backend::kTriton) {  // its interpreter takes CPU tensors
    static const auto op = find_op<Forward>("triton_forward");
    return op.call(logits, target, weight, vectors, terms, values, ignore_index, reduction,
                   statistics, backend, scores, length);
  }
  const Inputs inputs(logits, target, weight, vectors);
  check_labels(inputs.labels, target, inputs.classes(), ignore_index);
  ForwardArguments a;
  inputs.fill(a, terms, values, ignore_index, statistics, scores, length);
  a.reduction = checked_reduction(reduction);

  const auto options = logits.options().dtype(arithmetic_type(logits));
  const bool reduced = a.reduction != Reduction::kNone;
  Tensor loss;
  if (!reduced) {
    loss = at::cpu::empty(target.sizes(), options);
    a.loss = loss.mutable_data_ptr();
  }
  Tensor rows = at::cpu::empty({a.plan.column.count, a.rows}, options);
  std::unique_ptr<double[]> per_row;
  if (reduced) {
    per_row.reset(new double[2 * a.rows]);
    a.value = per_row.get();
    a.label_weight = a.value + a.rows;
  }
  a.row_coefficients = rows.mutable_data_ptr();
  run(a);

  double divisor = 1;
  if (reduced) {
    const double sum = ordered_sum(a.value, a.rows);
    const double weights = ordered_sum(a.label_weight, a.rows);
    if (a.reduction == Reduction::kMean) divisor = weights;
    loss = scalar_tensor(sum / divisor, options);
  }
  return {loss, rows, scalar_tensor(divisor, options)};
}

Tensor backward(const Tensor& upstream, const Tensor& logits, const Tensor& target,
                const std::optional<Tensor>& weight, const std::optional<Tensor>& vectors,
                const Tensor& rows, const Tensor& divisor, at::IntArrayRef terms,
                at::ArrayRef<double> values, int64_t ignore_index, int64_t reduction,
                bool statistics, int64_t backend, int64_t scores, double length) {
  if (Backend(backend) == Backend::kTriton) {
    static const auto op = find_op<Backward>("triton_backward");
    return op.call(upstream, logits, target, weight, vectors, rows, divisor, terms, values,
                   ignore_index, reduction, statistics, backend, scores, length);
  }
  const Inputs inputs(logits, target, weight, vectors);
  check_labels(inputs.labels, target, inputs.classes(), ignore_index);
  BackwardArguments a;
  inputs.fill(a, terms, values, ignore_index, statistics, scores, length);
  const bool reduced = checked_reduction(reduction) != Reduction::kNone;
  check_backward(a, upstream, logits, rows, divisor, reduced);
  a.row_coefficients = rows.data_ptr();

  Tensor gradient = logits.is_contiguous() ? at::cpu::empty(logits.sizes(), logits.options())
                                           : at::empty_like(logits);
  const bool in_place = collapse(gradient).has_value();
  Tensor written = in_place ? gradient : at::empty(logits.sizes(), gradient.options());
  a.gradient = written.mutable_data_ptr();
  a.gradient_layout = *collapse(written);

  const Tensor row_upstream = as_row_upstream(upstream, logits);
  a.upstream = row_upstream.const_data_ptr();
  a.upstream_stride = reduced ? 0 : 1;
  a.divisor = scalar_value(divisor);
  run(a);
  if (!in_place) gradient.copy_(written);
  return gradient;
}

}  // namespace

TORCH_LIBRARY_IMPL(noisykernels, CPU, m) {
  m.impl("forward", TORCH_FN(forward));
  m.impl("backward", TORCH_FN(backward));
}

}  // namespace noisykernels
