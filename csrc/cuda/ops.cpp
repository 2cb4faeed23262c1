// The operators on CUDA tensors: the device and its current stream are chosen here, memory is
// allocated, and plain structs go on to the kernels. Nothing waits for the GPU.
#include "../ops.h"

#include <ATen/ATen.h>
#include <ATen/CUDAFunctions.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <string_view>

#include "../inputs.h"
#include "launch.h"

namespace noisykernels {
namespace {

// The kernels number rows, and classes with what they step over the end, in 32 bits; offsets of
// elements have 64.
constexpr int64_t kMaxRowCount = int64_t(1) << 31;
constexpr int64_t kMaxClasses = int64_t(1) << 30;

// Inputs and what all launches have in common, held while a kernel is launched.
struct CudaInputs : Inputs {
  CudaInputs(const Tensor& logits, const Tensor& target, const std::optional<Tensor>& weight,
             const std::optional<Tensor>& vectors)
      : Inputs(logits, target, weight, vectors) {
    TORCH_CHECK_VALUE(labels.numel() < kMaxRowCount && classes() < kMaxClasses,
                      "the cuda backend takes less than 2^31 rows and 2^30 classes, got ",
                      labels.numel(), " and ", classes());
  }
};

void fill(cuda::Launch& launch, const Tensor& logits) {
  launch.stream = c10::cuda::getCurrentCUDAStream().stream();
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&launch.processors, cudaDevAttrMultiProcessorCount,
                                        logits.device().index()));
}

// A ticket that is zero and that no kernel uses at the same time: launches on one stream follow
// each other and leave it zero. A captured launch has its own, set to zero at each replay: a graph
// runs on whatever stream it is replayed on.
Tensor ticket(const Tensor& logits) {
  const c10::cuda::CUDAStream stream = c10::cuda::getCurrentCUDAStream();
  const auto zero = [&] {
    Tensor t = at::cuda::empty({1}, logits.options().dtype(at::kInt));
    C10_CUDA_CHECK(cudaMemsetAsync(t.mutable_data_ptr(), 0, sizeof(int), stream.stream()));
    return t;
  };
  if (c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None)
    return zero();
  static std::mutex mutex;
  // Never destroyed: at exit the GPU is gone before it would be.
  static auto& tickets = *new std::map<std::pair<c10::DeviceIndex, c10::StreamId>, Tensor>;
  const std::lock_guard lock(mutex);
  Tensor& mine = tickets[{stream.device_index(), stream.id()}];
  if (!mine.defined()) mine = zero();
  return mine;
}

void check(const char* error) { TORCH_CHECK(!error, "CUDA: ", error); }

// With NOISYKERNELS_CHECK=1 a label out of range, else a row of NaN, stops the GPU: nobody waits.
void assert_labels(const Tensor& target, int64_t classes, int64_t ignore_index) {
  static const char* const wanted = std::getenv("NOISYKERNELS_CHECK");
  if (!wanted || std::string_view(wanted) != "1") return;
  const Tensor labels = target.to(at::kLong);  // -100 is no uint8
  const Tensor valid = labels.ge(0).logical_and(labels.lt(classes));
  at::_assert_async(valid.logical_or(labels.eq(ignore_index)).all(),
                    "target has labels that are neither classes nor ignore_index");
}

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& logits, const Tensor& target,
                                           const std::optional<Tensor>& weight,
                                           const std::optional<Tensor>& vectors,
                                           at::IntArrayRef terms, at::ArrayRef<double> values,
                                           int64_t ignore_index, int64_t reduction, bool statistics,
                                           int64_t backend, int64_t scores, double length) {
  if (Backend(backend) == Backend::kTriton) {
    static const auto op = find_op<Forward>("triton_forward");
    return op.call(logits, target, weight, vectors, terms, values, ignore_index, reduction,
                   statistics, backend, scores, length);
  }
  const c10::cuda::CUDAGuard guard(logits.device());
  const CudaInputs inputs(logits, target, weight, vectors);
  ForwardArguments a;
  inputs.fill(a, terms, values, ignore_index, statistics, scores, length);
  a.reduction = checked_reduction(reduction);
  assert_labels(target, a.classes, ignore_index);

  const auto options = logits.options().dtype(arithmetic_type(logits));
  const bool reduced = a.reduction != Reduction::kNone;
  const bool mean = a.reduction == Reduction::kMean;
  Tensor rows = at::cuda::empty({a.plan.column.count, a.rows}, options);
  if (a.rows == 0) {
    const Tensor loss = reduced ? at::full({}, mean ? NAN : 0.0, options)
                                : at::cuda::empty(target.sizes(), options);
    return {loss, rows, at::full({}, mean ? 0.0 : 1.0, options)};
  }
  Tensor loss = at::cuda::empty(reduced ? at::IntArrayRef() : target.sizes(), options);
  Tensor divisor = at::cuda::empty({}, options);
  a.loss = loss.mutable_data_ptr();
  a.row_coefficients = rows.mutable_data_ptr();

  cuda::ForwardLaunch launch{};
  fill(launch, logits);
  launch.divisor = divisor.mutable_data_ptr();
  Tensor workspace, one_ticket;
  if (const size_t bytes = cuda::workspace_bytes(a, launch.processors)) {
    workspace = at::cuda::empty({int64_t(bytes)}, logits.options().dtype(at::kByte));
    launch.workspace = workspace.mutable_data_ptr();
    one_ticket = ticket(logits);
    launch.ticket = static_cast<unsigned*>(one_ticket.mutable_data_ptr());
  }
  check(cuda::forward(a, launch));
  return {loss, rows, divisor};
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
  const c10::cuda::CUDAGuard guard(logits.device());
  const CudaInputs inputs(logits, target, weight, vectors);
  BackwardArguments a;
  inputs.fill(a, terms, values, ignore_index, statistics, scores, length);
  const bool reduced = checked_reduction(reduction) != Reduction::kNone;
  check_backward(a, upstream, logits, rows, divisor, reduced);
  a.row_coefficients = rows.data_ptr();

  Tensor gradient = logits.is_contiguous() ? at::cuda::empty(logits.sizes(), logits.options())
                                           : at::empty_like(logits);
  if (gradient.numel() == 0) return gradient;
  const bool in_place = collapse(gradient).has_value();
  Tensor written = in_place ? gradient : at::cuda::empty(logits.sizes(), gradient.options());
  a.gradient = written.mutable_data_ptr();
  a.gradient_layout = *collapse(written);

  const Tensor row_upstream = as_row_upstream(upstream, logits);
  a.upstream = row_upstream.const_data_ptr();
  a.upstream_stride = reduced ? 0 : 1;
  cuda::BackwardLaunch launch{};
  fill(launch, logits);
  launch.divisor = divisor.const_data_ptr();
  check(cuda::backward(a, launch));
  if (!in_place) gradient.copy_(written);
  return gradient;
}

}  // namespace

TORCH_LIBRARY_IMPL(noisykernels, CUDA, m) {
  m.impl("forward", TORCH_FN(forward));
  m.impl("backward", TORCH_FN(backward));
}

}  // namespace noisykernels
