// How threads of a GPU work together: the only file that knows warps, barriers, atomics, and how
// wide memory is accessed.
#pragma once

#include <cooperative_groups.h>
#include <cuda_runtime.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "regimes.h"

#define DEVICE __device__ __forceinline__

namespace noisykernels {
namespace {

constexpr int kWarp = 32;
constexpr int kWarpLog2 = 5;

// Over `width` neighboring lanes, a power of two; all `members` of a warp take part. Every lane
// gets the same bits: at each step a pair combines the same two numbers.
template <class T, class Combine>
DEVICE T reduce_lanes(unsigned members, int width, T value, Combine combine) {
  for (int distance = width / 2; distance > 0; distance /= 2)
    value = combine(value, __shfl_xor_sync(members, value, distance));
  return value;
}

// Neighboring lanes of a warp, 2^log2 of them.
struct Team {
  int log2;

  DEVICE int width() const { return 1 << log2; }
  DEVICE int rank() const { return threadIdx.x & (width() - 1); }
  DEVICE int number() const { return threadIdx.x >> log2; }
  DEVICE int count() const { return blockDim.x >> log2; }

  template <class T, class Combine>
  DEVICE T reduce(T value, Combine combine) const {
    const unsigned first = (threadIdx.x & (kWarp - 1)) & ~(width() - 1);
    const unsigned members = (width() == kWarp ? ~0u : (1u << width()) - 1) << first;
    return reduce_lanes(members, width(), value, combine);
  }
  template <class T>
  DEVICE T sum(T value) const {
    return reduce(value, [](T a, T b) { return a + b; });
  }
  template <class T>
  DEVICE T max(T value) const {
    return reduce(value, [](T a, T b) { return b > a ? b : a; });
  }
};

DEVICE void barrier() { __syncthreads(); }

// Waits for all threads of the launch, whose blocks must all be under way at once: a cooperative
// one. What they wrote before can be read after.
DEVICE void grid_barrier() { cooperative_groups::this_grid().sync(); }

// The threads on a row: a team; or all teams of a block, each of them a warp; or those of `splits`
// neighboring blocks. Where rows are split, crews meet together: each has to meet as often.
struct Crew {
  Team team;
  int teams;
  int splits;
  double (*shared)[kMaxThreads / kWarp];  // kCrewNumbers of each team
  double* exchange;                       // twice kCrewNumbers of each block
  bool again = false;                     // the second half of `exchange` is next

  DEVICE int block_width() const { return teams << team.log2; }
  DEVICE int split() const { return blockIdx.x % splits; }
  DEVICE int width() const { return splits * block_width(); }
  DEVICE int rank() const { return split() * block_width() + (threadIdx.x & (block_width() - 1)); }

  // Every thread gets the same bits, as in a team.
  template <int n, class Combine>
  DEVICE void reduce(double (&value)[n], Combine combine) {
    static_assert(n <= kCrewNumbers, "there is no more room");
#pragma unroll
    for (int i = 0; i < n; ++i) value[i] = team.reduce(value[i], combine);
    if (teams == 1) return;
    const int lane = threadIdx.x & (kWarp - 1);
    barrier();  // what was there has been read
    if (lane == 0) {
#pragma unroll
      for (int i = 0; i < n; ++i) shared[i][team.number()] = value[i];
    }
    barrier();
#pragma unroll
    for (int i = 0; i < n; ++i)
      value[i] = reduce_lanes(~0u, teams, shared[i][lane & (teams - 1)], combine);
    if (splits == 1) return;
    // Who is early writes the other half, and comes no further: there is no need for a second
    // barrier before what is here has been read.
    double* const all = exchange + (again ? gridDim.x * kCrewNumbers : 0);
    again = !again;
    if (threadIdx.x == 0) {
#pragma unroll
      for (int i = 0; i < n; ++i) all[blockIdx.x * kCrewNumbers + i] = value[i];
    }
    grid_barrier();
    const unsigned block = blockIdx.x - split() + (lane & (splits - 1));
#pragma unroll
    for (int i = 0; i < n; ++i)
      value[i] = reduce_lanes(~0u, splits, all[block * kCrewNumbers + i], combine);
  }

  template <class... Numbers>
  DEVICE void sum(Numbers&... numbers) {
    double all[] = {numbers...};
    reduce(all, [](double a, double b) { return a + b; });
    const double* next = all;
    ((numbers = *next++), ...);
  }
  template <class T>
  DEVICE T max(T value) {
    double all[] = {double(value)};  // of a float and an int as well it has every bit
    reduce(all, [](double a, double b) { return b > a ? b : a; });
    return T(all[0]);
  }
};

// The sum over all threads, for thread 0. The block's last use of it, or followed by a barrier.
DEVICE double block_sum(double value, double (&warps)[kMaxThreads / kWarp]) {
  const Team warp{kWarpLog2};
  const double part = warp.sum(value);
  if (warp.rank() == 0) warps[warp.number()] = part;
  barrier();
  double total = 0;
  if (threadIdx.x == 0) {
    for (int i = 0; i < warp.count(); ++i) total += warps[i];
  }
  return total;
}

// Whether all other blocks have been here before: then what they wrote can be read. The ticket is
// zero before the kernel and after it.
DEVICE bool is_last_block(unsigned* ticket) {
  __shared__ bool last;
  __threadfence();
  barrier();
  if (threadIdx.x == 0) last = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
  barrier();
  __threadfence();
  return last;
}

template <class To, class From>
DEVICE To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  memcpy(static_cast<void*>(&to), &from, sizeof to);
  return to;
}

// What a thread loads and stores at once, if memory is aligned to it.
constexpr int kVectorBytes = 16;

struct Words {
  uint32_t at[4];
};

DEVICE Words load_vector(const void* p) {
  const uint4 v = *static_cast<const uint4*>(p);
  return {{v.x, v.y, v.z, v.w}};
}
DEVICE void store_vector(void* p, const Words& w) {
  const uint4 v = make_uint4(w.at[0], w.at[1], w.at[2], w.at[3]);
#ifdef __CUDA_ARCH__
  __stwb(static_cast<uint4*>(p), v);  // the compiler splits an assignment
#else
  *static_cast<uint4*>(p) = v;
#endif
}
// The same where only words are aligned.
DEVICE Words load_words(const void* p) {
  const uint32_t* word = static_cast<const uint32_t*>(p);
  return {{word[0], word[1], word[2], word[3]}};
}
DEVICE void store_words(void* p, const Words& w) {
  for (int i = 0; i < 4; ++i) static_cast<uint32_t*>(p)[i] = w.at[i];
}

}  // namespace
}  // namespace noisykernels
