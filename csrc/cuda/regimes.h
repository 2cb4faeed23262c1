// Which threads do what, for each shape: the one place to tune. Nothing here has been timed on a
// GPU yet; docs/cuda.md says what is known.
#pragma once

#include "../arguments.h"

namespace noisykernels {

// A row is summed in parts, `parts` of them in a block and that in each of `splits` blocks; a part
// by 2^width_log2 lanes of a warp.
struct ForwardRegime {
  int threads;
  int width_log2;
  int parts;
  int rows;  // of a block
  int splits;
  int64_t blocks;
};

struct BackwardRegime {
  int threads;     // a power of two
  int width_log2;  // of the threads on a row, each with a step of it
  int64_t blocks;
  int chunks;  // blocks along a row
};

constexpr int kMaxThreads = 512;  // of a block

// Rows whose sums lie in a block's shared memory.
constexpr int kMaxRows = 128;
constexpr int kMaxParts = 256;         // of all these rows
constexpr int kSums = 6 + kMaxPowers;  // numbers that are summed of a part
constexpr int kCrewNumbers = 13;       // that the threads of a row sum at once, where they meet

// Vectors of 16 bytes that a thread has under way at once: enough of them to hide the latency of
// memory with the threads that fit on a processor.
constexpr int kUnroll = 4;

// Elements that a thread loads at once.
inline int step_elements(ScalarType dtype) {
  switch (dtype) {
    case ScalarType::kDouble:
      return 2 * kUnroll;
    case ScalarType::kFloat:
      return 4 * kUnroll;
    default:
      return 8 * kUnroll;
  }
}

// The smallest power of two that is no less than n, at most `most`; its logarithm.
inline int log2_of(int64_t n, int most) {
  int log2 = 0;
  while (1 << log2 < n && 1 << log2 < most) ++log2;
  return log2;
}
inline int power_of_two(int64_t n, int most) { return 1 << log2_of(n, most); }

inline int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Whether a row takes one visit, whose parts know nothing of each other.
inline bool mergeable(const Plan& plan) {
  return !plan.further && !plan.statistics && plan.scores == Scores::kLogits;
}

// What is not mergeable takes more than one visit, and a row's threads meet between: a long row has
// a block for itself, or several, which then must all be under way at once. A processor has room
// for one at least.
inline ForwardRegime forward_regime(const Arguments& a, int processors) {
  constexpr int64_t kOneBlock = 16384;  // elements that one block has done before others had joined
  constexpr int64_t kSplit = 16384;     // classes from which a row can feed several blocks
  constexpr int64_t kShare = 4096;      // of them, a block's where each is visited more than once
  const int64_t rows = a.rows, classes = a.classes;
  const bool neighbors = a.layout.class_stride == 1;
  ForwardRegime regime;
  // Up to 32 classes a thread has its row for itself: nothing is exchanged. So it does where
  // classes are far apart and rows next to each other, as in images: neighbors then load neighbors.
  regime.width_log2 = neighbors ? log2_of(ceil_divide(classes, 32), 32) : 0;
  // Up to 1,024 classes a warp has the row in its registers; more warps have it up to 16,384, each
  // the elements of two steps. Longer rows stream through them.
  regime.parts = 1;
  if (neighbors && classes > 1024)
    regime.parts = power_of_two(ceil_divide(classes, 1024), kMaxThreads / 32);
  const bool alone = !mergeable(a.plan) && regime.parts > 1;
  if (alone && regime.parts < 4) regime.parts = 4;
  const int row_threads = regime.parts << regime.width_log2;
  regime.threads = row_threads > 128 ? row_threads : 128;
  regime.rows = regime.threads / row_threads;
  regime.splits = 1;
  if (alone) {
    while (classes >= 2 * kSplit && regime.splits < 32 && 2 * rows * regime.splits <= processors &&
           classes >= 2 * kShare * regime.splits) {
      regime.splits *= 2;
    }
  } else if (rows <= kMaxRows && rows * regime.parts <= kMaxParts && rows * classes <= kOneBlock) {
    // A small batch: one block needs no ticket, nor time to be told that it is the last.
    regime.rows = int(rows);
    regime.threads = power_of_two(rows * row_threads, kMaxThreads);
    if (regime.threads < 32) regime.threads = 32;
    if (regime.threads < row_threads) regime.threads = row_threads;
  } else if (mergeable(a.plan) && neighbors && classes >= 2 * kSplit && rows < 2 * processors) {
    // Few long rows: as many blocks on each as keep two on every processor, each with work enough.
    while (regime.splits < 32 && rows * regime.splits < 2 * processors &&
           classes >= 2 * kSplit * regime.splits) {
      regime.splits *= 2;
    }
  } else {
    // A warp works out the scalars of 32 rows at once, or of one row at the same cost: where there
    // are rows enough for every processor, a block takes more of them.
    while (regime.rows < 32 && 2 * regime.rows * regime.parts <= kMaxParts &&
           ceil_divide(rows, 2 * regime.rows) >= 8 * processors) {
      regime.rows *= 2;
    }
  }
  regime.blocks = ceil_divide(rows, regime.rows) * regime.splits;
  return regime;
}

// The first step of a `shifted` row begins up to a vector less one element early.
inline BackwardRegime backward_regime(const Arguments& a, const Layout& gradient, bool shifted) {
  constexpr int64_t kMaxChunks = 65535;  // what CUDA takes along the second axis of a grid
  BackwardRegime regime;
  regime.threads = 256;
  const bool neighbors = a.layout.class_stride == 1 && gradient.class_stride == 1;
  const int step = step_elements(a.dtype), early = shifted ? step / kUnroll - 1 : 0;
  const int64_t steps = ceil_divide(a.classes + early, step);
  const int64_t few = ceil_divide(steps, kMaxChunks);
  regime.width_log2 = log2_of(neighbors ? steps : few, regime.threads);
  const int64_t width = int64_t(1) << regime.width_log2;
  // A batch of less than a block spreads over more blocks of one warp: they all run at once.
  while (regime.threads > 32 && regime.threads > width && a.rows * width <= 16 * regime.threads) {
    regime.threads /= 2;
  }
  regime.blocks = ceil_divide(a.rows, regime.threads / width);
  regime.chunks = int(ceil_divide(steps, width));
  return regime;
}

}  // namespace noisykernels
