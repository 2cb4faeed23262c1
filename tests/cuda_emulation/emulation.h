// CUDA's execution model on the host, for tests: included before a .cu file that the host's
// compiler compiles. The threads of a block are fibers that run in an order made from a seed and
// take turns at barriers and shuffles. Blocks run one after the other, in such an order too; those
// of a cooperative launch are threads of the host that take turns at the grid's barrier.
//
// It finds barriers and shuffles that not all threads reach, results that depend on the order, and
// with a sanitizer bad addresses. It does not find races: only one thread runs at a time.
#pragma once

#include <cuda_runtime.h>
#include <setjmp.h>
#include <string.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#undef __shared__
#define __shared__ static thread_local  // a block stays on one thread of the host
#define __launch_bounds__(...)
#define __noinline__ __attribute__((noinline))
#define cudaLaunchKernelEx emulation::launch

extern thread_local dim3 blockDim, gridDim;
extern thread_local uint3 blockIdx, threadIdx;

namespace emulation {

extern unsigned seed;
extern unsigned processors;  // each has room for one block of a cooperative launch

// Calls `kernel` in a fiber for each thread of each block.
void run_grid(dim3 grid, dim3 block, bool cooperative, const std::function<void()>& kernel);
void synchronize_grid();
void shuffle(unsigned members, int source, void* value, size_t size);

template <class... Parameters, class... Values>
cudaError_t launch(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                   const Values&... values) {
  const dim3 grid = config->gridDim;
  if (grid.y > 65535) return cudaErrorInvalidConfiguration;
  bool cooperative = false;
  for (unsigned i = 0; i < config->numAttrs; ++i)
    cooperative |=
        config->attrs[i].id == cudaLaunchAttributeCooperative && config->attrs[i].val.cooperative;
  if (cooperative && grid.x * grid.y > processors) return cudaErrorCooperativeLaunchTooLarge;
  run_grid(grid, config->blockDim, cooperative, [&] { kernel(values...); });
  return cudaSuccess;
}

}  // namespace emulation

namespace cooperative_groups {
struct grid_group {
  void sync() const { emulation::synchronize_grid(); }
};
inline grid_group this_grid() { return {}; }
}  // namespace cooperative_groups

void __syncthreads();
inline void __threadfence() {}

template <class T>
T __shfl_xor_sync(unsigned members, T value, int distance) {
  emulation::shuffle(members, int(threadIdx.x % 32) ^ distance, &value, sizeof value);
  return value;
}

inline unsigned atomicInc(unsigned* address, unsigned last) {
  const unsigned old = *address;
  *address = old >= last ? 0 : old + 1;
  return old;
}
