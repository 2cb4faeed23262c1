// Launches of the kernels for one storage type. Included once by a file for each type, so that a
// build compiles them side by side.
#pragma once

#include "backward.h"
#include "forward.h"
#include "launch.h"

namespace noisykernels::cuda {
namespace {

bool aligned(const void* p, const Layout& layout, int bytes, int size) {
  return reinterpret_cast<uintptr_t>(p) % bytes == 0 && layout.outer_stride * size % bytes == 0 &&
         (layout.inner == 1 || layout.inner_stride * size % bytes == 0);
}

template <class Storage>
Access make_access(const void* p, const Layout& layout, int64_t classes, bool may_shift) {
  constexpr int size = int(sizeof(Storage));
  if (layout.class_stride != 1) return {0, false};
  if (aligned(p, layout, kVectorBytes, size)) return {kVectorBytes, false};
  // At the ends of a shifted row elements come one by one, so it must be long.
  if (may_shift && classes >= 16 * Vector<Storage>::size) return {kVectorBytes, true};
  return {aligned(p, layout, 4, size) ? 4 : 0, false};
}

// Blocks that meet have to be under way at once: `cooperative` launches see to that, or fail.
template <class... Parameters, class... Values>
const char* start(void (*kernel)(Parameters...), dim3 blocks, int threads, bool cooperative,
                  void* stream, const Values&... values) {
  cudaLaunchAttribute meeting{};
  meeting.id = cudaLaunchAttributeCooperative;
  meeting.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.attrs = &meeting;
  config.numAttrs = cooperative;
  config.gridDim = blocks;
  config.blockDim = dim3(threads);
  config.stream = static_cast<cudaStream_t>(stream);
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, values...);
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace

namespace NOISYKERNELS_DTYPE {

using Storage = NOISYKERNELS_STORAGE;

const char* forward(const ForwardArguments& a, const ForwardLaunch& launch) {
  const bool scores = a.plan.scores != Scores::kLogits, further = !mergeable(a.plan);
  ForwardPlace place{};
  place.regime = forward_regime(a, launch.processors);
  place.access = make_access<Storage>(a.logits, a.layout, a.classes, true);
  place.divisor = launch.divisor;
  place.parts = launch.workspace;
  place.totals = static_cast<double*>(launch.workspace);
  place.exchange = place.totals + 2 * place.regime.blocks;
  place.ticket = launch.ticket;
  const auto with = [&](auto kernel) {
    return start(kernel, dim3(unsigned(place.regime.blocks)), place.regime.threads,
                 further && place.regime.splits > 1, launch.stream, a, place);
  };
  if (scores) return with(forward_kernel<Storage, kMaxPowers, true, true>);
  if (further) return with(forward_kernel<Storage, kMaxPowers, true>);
  switch (a.plan.powers) {
    case 0:
      return with(forward_kernel<Storage, 0>);
    case 1:
      return with(forward_kernel<Storage, 1>);
    case 2:
      return with(forward_kernel<Storage, 2>);
    default:
      return with(forward_kernel<Storage, 3>);
  }
}

const char* backward(const BackwardArguments& a, const BackwardLaunch& launch) {
  // A shift has to be the same for what is read and what is written.
  const bool may_shift =
      (reinterpret_cast<uintptr_t>(a.logits) - reinterpret_cast<uintptr_t>(a.gradient)) %
              kVectorBytes ==
          0 &&
      a.layout.outer_stride == a.gradient_layout.outer_stride &&
      a.layout.inner_stride == a.gradient_layout.inner_stride &&
      a.layout.class_stride == a.gradient_layout.class_stride;
  BackwardPlace place{};
  place.access = make_access<Storage>(a.logits, a.layout, a.classes, may_shift);
  place.gradient_access = make_access<Storage>(a.gradient, a.gradient_layout, a.classes, may_shift);
  place.regime = backward_regime(a, a.gradient_layout, place.gradient_access.shifted);
  place.divisor = launch.divisor;
  const auto with = [&](auto kernel) {
    return start(kernel, dim3(unsigned(place.regime.blocks), place.regime.chunks),
                 place.regime.threads, false, launch.stream, a, place);
  };
  if (a.plan.scores != Scores::kLogits)
    return with(backward_kernel<Storage, kMaxPowers, true, true>);
  if (a.plan.further) return with(backward_kernel<Storage, kMaxPowers, true>);
  switch (a.plan.powers) {
    case 0:
      return with(backward_kernel<Storage, 0>);
    case 1:
      return with(backward_kernel<Storage, 1>);
    case 2:
      return with(backward_kernel<Storage, 2>);
    default:
      return with(backward_kernel<Storage, 3>);
  }
}

}  // namespace NOISYKERNELS_DTYPE
}  // namespace noisykernels::cuda
