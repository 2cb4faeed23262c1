// Kernels with the mistakes that the emulation is to find. The first argument says which.
#include <cstring>

#include "emulation.h"

namespace {

__global__ void missing_barrier(int* out) {
  __shared__ int value;
  if (threadIdx.x == 7) value = 42;
  *out += value;
}

__global__ void divergent_barrier(int* out) {
  if (threadIdx.x % 2) __syncthreads();
  *out += __shfl_xor_sync(~0u, 1, 1);
}

__global__ void absent_lane(int* out) {
  if (threadIdx.x != 3) *out += __shfl_xor_sync(~0u, 1, 1);
}

__global__ void out_of_bounds(int* out) { out[threadIdx.x] = 1; }

}  // namespace

int main(int, char** arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = config.blockDim = dim3(1);
  config.blockDim = dim3(32);
  const std::unique_ptr<int> out(new int(0));
  const auto run = [&](const char* name, void (*kernel)(int*)) {
    if (!strcmp(arguments[1], name)) cudaLaunchKernelEx(&config, kernel, out.get());
  };
  for (emulation::seed = 0; emulation::seed < 3; ++emulation::seed) {
    *out = 0;
    run("missing_barrier", missing_barrier);
    run("divergent_barrier", divergent_barrier);
    run("absent_lane", absent_lane);
    run("out_of_bounds", out_of_bounds);
    std::printf("%d\n", *out);
  }
}
