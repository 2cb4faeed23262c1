// CUDA's execution model on the host, for tests: included before a .cu file that the host's
// compiler compiles. The threads of a block are fibers that run in an order made from a seed and
// take turns at barriers and shuffles; blocks run one after the other, in such an order too.
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
#define __shared__ static  // one block runs at a time
#define __launch_bounds__(...)
#define __noinline__ __attribute__((noinline))
#define cudaLaunchKernelEx emulation::launch

extern thread_local dim3 blockDim, gridDim;
extern thread_local uint3 blockIdx, threadIdx;

namespace emulation {

extern unsigned seed;

// Calls `kernel` in a fiber for each thread of a block.
void run_block(const std::function<void()>& kernel);
void shuffle(unsigned members, int source, void* value, size_t size);
std::vector<unsigned> permutation(unsigned count);

template <class... Parameters, class... Values>
cudaError_t launch(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                   const Values&... values) {
  if (config->gridDim.y > 65535) return cudaErrorInvalidConfiguration;
  gridDim = config->gridDim;
  blockDim = config->blockDim;
  for (unsigned block : permutation(gridDim.x * gridDim.y)) {
    blockIdx = {block % gridDim.x, block / gridDim.x, 0};
    run_block([&] { kernel(values...); });
  }
  return cudaSuccess;
}

}  // namespace emulation

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
