// Autograd of the operators, as ATen's own have it: a node under the Autograd dispatch key.
// torch.func, gradgrad and fullgraph compilation work through it, which they do not through
// torch::autograd::Function.
#include <torch/csrc/autograd/FunctionsManual.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/library.h>

#include "arguments.h"
#include "ops.h"

namespace noisykernels {
namespace {

using at::Tensor;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

const auto& forward_op() {
  static const auto op = find_op<Forward>("forward");
  return op;
}

const auto& backward_op() {
  static const auto op = find_op<Backward>("backward");
  return op;
}

const auto& backward_formula_op() {
  static const auto op = find_op<Backward>("backward_formula");
  return op;
}

// What the loss is, apart from tensors.
struct Loss {
  std::vector<int64_t> terms;
  std::vector<double> values;
  int64_t ignore_index;
  int64_t reduction;
  bool statistics;
  int64_t backend;
  int64_t scores;
  double length;
};

Tensor call_backward(const Tensor& upstream, const Tensor& logits, const Tensor& target,
                     const std::optional<Tensor>& weight, const std::optional<Tensor>& vectors,
                     const Tensor& rows, const Tensor& divisor, const Loss& loss) {
  return backward_op().call(upstream, logits, target, weight, vectors, rows, divisor, loss.terms,
                            loss.values, loss.ignore_index, loss.reduction, loss.statistics,
                            loss.backend, loss.scores, loss.length);
}

struct FusedLossBackward : torch::autograd::Node {
  SavedVariable logits, target, weight, vectors, rows, divisor;
  Loss loss;

  variable_list apply(variable_list&& upstream) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!upstream[0].defined() || !task_should_compute_output(0)) return {Tensor()};
    return {call_backward(upstream[0], logits.unpack(), target.unpack(), unpack(weight),
                          unpack(vectors), rows.unpack(), divisor.unpack(), loss)};
  }

  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex_);
    for (SavedVariable* saved : {&logits, &target, &weight, &vectors, &rows, &divisor})
      saved->reset_data();
  }

  std::string name() const override { return "FusedLossBackward"; }

  static std::optional<Tensor> unpack(const SavedVariable& saved) {
    const Tensor tensor = saved.unpack();
    return tensor.defined() ? std::optional(tensor) : std::nullopt;
  }
};

// Older versions of torch share nodes by std::shared_ptr, newer ones count them intrusively.
template <class Node>
auto make_node() {
  using Shared = std::shared_ptr<torch::autograd::Node>;
  if constexpr (std::is_same_v<decltype(torch::autograd::Edge::function), Shared>) {
    return std::shared_ptr<Node>(new Node());
  } else {
    return c10::make_intrusive<Node>();
  }
}

// Each row's loss changes by the product of its gradient with the tangent.
Tensor tangent_of_loss(const Tensor& tangent, const Tensor& logits, const Tensor& target,
                       const std::optional<Tensor>& weight, const std::optional<Tensor>& vectors,
                       const Tensor& loss_value, const Tensor& rows, const Tensor& divisor,
                       const Loss& loss) {
  const Tensor gradient = call_backward(at::ones_like(loss_value), logits, target, weight, vectors,
                                        rows, divisor, loss);
  const Tensor product = (gradient * tangent).to(loss_value.scalar_type());
  const bool per_row = Reduction(loss.reduction) == Reduction::kNone;
  return per_row ? product.sum(logits.dim() == 1 ? 0 : 1) : product.sum();
}

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& logits, const Tensor& target,
                                           const std::optional<Tensor>& weight,
                                           const std::optional<Tensor>& vectors,
                                           at::IntArrayRef terms, at::ArrayRef<double> values,
                                           int64_t ignore_index, int64_t reduction, bool statistics,
                                           int64_t backend, int64_t scores, double length) {
  TORCH_CHECK(!(weight && torch::autograd::compute_requires_grad(*weight)),
              "the losses are not differentiable with respect to weight");
  TORCH_CHECK(!(vectors && torch::autograd::compute_requires_grad(*vectors)),
              "the losses are not differentiable with respect to vectors");
  auto result = [&] {
    at::AutoDispatchBelowADInplaceOrView guard;
    return forward_op().call(logits, target, weight, vectors, terms, values, ignore_index,
                             reduction, statistics, backend, scores, length);
  }();
  auto& [loss, rows, divisor] = result;

  const bool differentiated = torch::autograd::compute_requires_grad(logits);
  const bool has_tangent = torch::autograd::isFwGradDefined(logits);
  if (!differentiated && !has_tangent) return result;

  Loss spec{terms.vec(), values.vec(), ignore_index, reduction,
            statistics,  backend,      scores,       length};
  if (has_tangent) {
    const Tensor tangent = logits._fw_grad(/*level=*/0);
    loss._set_fw_grad(tangent_of_loss(tangent, logits._fw_primal(/*level=*/0), target, weight,
                                      vectors, loss, rows, divisor, spec),
                      /*level=*/0, /*is_inplace_op=*/false);
  }
  if (differentiated) {
    auto node = make_node<FusedLossBackward>();
    node->set_next_edges(torch::autograd::collect_next_edges(logits));
    node->logits = SavedVariable(logits, false);
    node->target = SavedVariable(target, false);
    if (weight) node->weight = SavedVariable(*weight, false);
    if (vectors) node->vectors = SavedVariable(*vectors, false);
    node->rows = SavedVariable(rows, false);
    node->divisor = SavedVariable(divisor, false);
    node->loss = std::move(spec);
    torch::autograd::set_history(loss, node);
  }
  return result;
}

// The kernel has no derivative of its own. Whoever differentiates the gradient gets it in plain
// torch, from the logits.
Tensor backward(const Tensor& upstream, const Tensor& logits, const Tensor& target,
                const std::optional<Tensor>& weight, const std::optional<Tensor>& vectors,
                const Tensor& rows, const Tensor& divisor, at::IntArrayRef terms,
                at::ArrayRef<double> values, int64_t ignore_index, int64_t reduction,
                bool statistics, int64_t backend, int64_t scores, double length) {
  if (torch::autograd::compute_requires_grad(upstream, logits) ||
      torch::autograd::isFwGradDefined(upstream) || torch::autograd::isFwGradDefined(logits)) {
    return backward_formula_op().call(upstream, logits, target, weight, vectors, rows, divisor,
                                      terms, values, ignore_index, reduction, statistics, backend,
                                      scores, length);
  }
  at::AutoDispatchBelowADInplaceOrView guard;
  return backward_op().call(upstream, logits, target, weight, vectors, rows, divisor, terms, values,
                            ignore_index, reduction, statistics, backend, scores, length);
}

}  // namespace

TORCH_LIBRARY_IMPL(noisykernels, Autograd, m) {
  m.impl("forward", TORCH_FN(forward));
  m.impl("backward", TORCH_FN(backward));
}

}  // namespace noisykernels
