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

__global__ void missing_meeting(int* out) {
  out[1 + blockIdx.x] = int(blockIdx.x);
  for (unsigned i = 0; i < gridDim.x; ++i) *out += out[1 + i];
}

__global__ void meeting(int*) { cooperative_groups::this_grid().sync(); }

__global__ void absent_block(int*) {
  if (blockIdx.x != 2) cooperative_groups::this_grid().sync();
}

__global__ void out_of_bounds(int* out) { out[threadIdx.x] = 1; }

}  // namespace

int main(int, char** arguments) {
  constexpr unsigned kBlocks = 4;
  emulation::processors = kBlocks;
  cudaLaunchAttribute cooperative{};
  cooperative.id = cudaLaunchAttributeCooperative;
  cooperative.val.cooperative = 1;
  const std::unique_ptr<int[]> out(new int[1 + kBlocks]);
  const auto run = [&](const char* name, void (*kernel)(int*), unsigned blocks = 1) {
    if (strcmp(arguments[1], name)) return;
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(blocks);
    config.blockDim = dim3(32 / blocks);
    config.attrs = &cooperative;
    config.numAttrs = blocks > 1;
    std::fill_n(out.get(), 1 + kBlocks, 0);
    if (cudaLaunchKernelEx(&config, kernel, out.get()) == cudaSuccess) return;
    std::fputs("refused\n", stderr);
    std::exit(1);
  };
  for (emulation::seed = 0; emulation::seed < 3; ++emulation::seed) {
    run("missing_barrier", missing_barrier);
    run("divergent_barrier", divergent_barrier);
    run("absent_lane", absent_lane);
    run("missing_meeting", missing_meeting, kBlocks);
    run("absent_block", absent_block, kBlocks);
    run("too_many_blocks", meeting, kBlocks + 1);
    run("out_of_bounds", out_of_bounds);
    std::printf("%d\n", out[0]);
  }
}
