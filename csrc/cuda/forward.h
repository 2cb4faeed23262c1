// The one forward kernel.
#pragma once

#include "evaluate.h"

namespace noisykernels {
namespace {

struct ForwardPlace {
  ForwardRegime regime;
  Access access;
  void* divisor;
  void* parts;       // Sums of rows that several blocks work on
  double* totals;    // (2, blocks)
  double* exchange;  // of a crew
  unsigned* ticket;
};

// With a reduction, the loss from its sum and weight.
template <class Scalar>
DEVICE void store_total(const ForwardArguments& a, const ForwardPlace& place, double sum,
                        double weight) {
  const double divisor = a.reduction == Reduction::kMean ? weight : 1;
  *static_cast<Scalar*>(a.loss) = Scalar(sum / divisor);
  *static_cast<Scalar*>(place.divisor) = Scalar(divisor);
}

// The labels that index memory; of rows that are not visited -1.
DEVICE int readable_label(const Arguments& a, int64_t row) {
  if (row >= a.rows) return -1;
  const int64_t label = a.target[row];
  return label == a.ignore_index || label < 0 || label >= a.classes ? -1 : int(label);
}

template <class Scalar>
DEVICE const Scalar* class_vector(const Arguments& a, int64_t row, int64_t label) {
  if (!a.vectors || label < 0) return nullptr;
  return static_cast<const Scalar*>(a.vectors) + (a.plan.by_sample ? row : label) * a.classes;
}

// Adds the losses of a block's rows to a thread's total, and stores them.
template <class Storage, bool has_further, bool has_scores>
DEVICE void evaluate_rows(const ForwardArguments& a, int64_t first, int rows,
                          const Sums<ScalarOf<Storage>>* sums, const FurtherSums* further,
                          const Moments<double>* moments, RowLoss& total) {
  const int r = int(threadIdx.x);
  if (r >= rows || first + r >= a.rows) return;
  const RowLoss loss = evaluate_row<Storage, has_further, has_scores>(
      a, first + r, sums[r], further[has_further ? r : 0], moments[has_scores ? r : 0]);
  if (a.reduction == Reduction::kNone)
    static_cast<ScalarOf<Storage>*>(a.loss)[first + r] = ScalarOf<Storage>(loss.value);
  total.value += loss.value;
  total.weight += loss.weight;
}

// Of each row the sums from those of its parts, by a warp: sums[r] may be parts[r], which is why
// its count comes with them.
template <class Storage, int powers>
DEVICE void merge_rows(const ForwardArguments& a, const Sums<ScalarOf<Storage>>* parts, int count,
                       int rows, Sums<ScalarOf<Storage>>* sums) {
  using Scalar = ScalarOf<Storage>;
  const Team warp{kWarpLog2};
  for (int r = warp.number(); r < rows; r += warp.count()) {
    Sums<Scalar> part{};
    part.top = parts[r * count].top;
    if (warp.rank() < count) part = parts[r * count + warp.rank()];
    part = merged<powers, typename PowerOf<Storage>::Type>(warp, part, a.plan);
    if (warp.rank() == 0) sums[r] = part;
  }
}

// Rows of a block are summed, part by part; then each thread evaluates a row. What few losses need
// has loops of its own (`further`), whose threads meet between, those of other blocks too, and what
// bounded `scores` need a few sums more. The last block to end adds up what all have left, in the
// order of the blocks: a repeated run gives the same bits.
template <class Storage, int powers, bool further = false, bool scores = false>
__global__ void __launch_bounds__(kMaxThreads, 1)
    forward_kernel(const __grid_constant__ ForwardArguments a,
                   const __grid_constant__ ForwardPlace place) {
  using Scalar = ScalarOf<Storage>;
  __shared__ Sums<Scalar> parts[further ? kMaxRows : kMaxParts];
  __shared__ Sums<Scalar> sums[further ? 1 : kMaxRows];
  __shared__ FurtherSums more[further ? kMaxRows : 1];
  __shared__ Moments<double> moments[scores ? kMaxRows : 1];
  __shared__ double crews[further ? kCrewNumbers : 1][kMaxThreads / kWarp];
  __shared__ double warps[2][kMaxThreads / kWarp];
  const ForwardRegime& regime = place.regime;
  const Team team{regime.width_log2};
  const Scalar* const class_weight = static_cast<const Scalar*>(a.class_weight);
  const int64_t group = blockIdx.x / regime.splits;
  const int split = blockIdx.x % regime.splits;
  const int64_t first_row = group * regime.rows;

  for (int slot = team.number(); slot < regime.rows * regime.parts; slot += team.count()) {
    const int64_t row = first_row + slot / regime.parts;
    const int label = readable_label(a, row);
    Sums<Scalar> part{};
    if constexpr (further) {
      const RowMemory<Storage> memory(a.logits, a.layout, place.access, row,
                                      label < 0 ? 0 : a.classes);
      const Crew crew{team, regime.parts, regime.splits, crews, place.exchange};
      FurtherSums f;
      Moments<double> m;
      visit_further<scores>(memory, label, a.plan, class_weight,
                            class_vector<Scalar>(a, row, label), crew, part, f, m);
      if (team.rank() == 0) {
        more[slot] = f;
        if constexpr (scores) moments[slot] = m;
      }
    } else if (label >= 0) {
      const RowMemory<Storage> memory(a.logits, a.layout, place.access, row, a.classes);
      const int lanes = regime.parts * team.width();
      const int lane = split * lanes + slot % regime.parts * team.width() + team.rank();
      part = merged<powers, typename PowerOf<Storage>::Type>(
          team,
          sum_vectors<powers>(memory, label, a.plan, class_weight, lane, lanes * regime.splits),
          a.plan);
    }
    if (team.rank() == 0) parts[slot] = part;
  }
  barrier();
  const Sums<Scalar>* block_sums = parts;
  if constexpr (!further) {
    if (regime.parts > 1) {
      merge_rows<Storage, powers>(a, parts, regime.parts, regime.rows, sums);
      block_sums = sums;
      barrier();
    }
  }

  RowLoss total{0, 0};
  const bool summed = further || regime.splits == 1;  // no other block has a part of its rows' sums
  if (summed) {
    // All blocks on a row have its sums, and the first of them evaluates it.
    const int rows = further && split > 0 ? 0 : regime.rows;
    evaluate_rows<Storage, further, scores>(a, first_row, rows, block_sums, more, moments, total);
    if (a.reduction == Reduction::kNone) {
      if (blockIdx.x == 0 && threadIdx.x == 0) *static_cast<Scalar*>(place.divisor) = 1;
      return;
    }
    total.value = block_sum(total.value, warps[0]);
    total.weight = block_sum(total.weight, warps[1]);
    if (gridDim.x == 1) {
      if (threadIdx.x == 0) store_total<Scalar>(a, place, total.value, total.weight);
      return;
    }
    if (threadIdx.x == 0) {
      place.totals[blockIdx.x] = total.value;
      place.totals[gridDim.x + blockIdx.x] = total.weight;
    }
  } else if (threadIdx.x == 0) {
    static_cast<Sums<Scalar>*>(place.parts)[blockIdx.x] = block_sums[0];
  }

  if (!is_last_block(place.ticket)) return;
  total = {0, 0};
  if (summed) {
    for (unsigned i = threadIdx.x; i < gridDim.x; i += blockDim.x) {
      total.value += place.totals[i];
      total.weight += place.totals[gridDim.x + i];
    }
  } else {
    const Sums<Scalar>* const all = static_cast<const Sums<Scalar>*>(place.parts);
    for (int64_t first = 0; first < a.rows; first += kMaxRows) {
      const int rows = a.rows - first < kMaxRows ? int(a.rows - first) : kMaxRows;
      merge_rows<Storage, powers>(a, all + first * regime.splits, regime.splits, rows, sums);
      barrier();
      evaluate_rows<Storage, further, scores>(a, first, rows, sums, more, moments, total);
      barrier();
    }
  }
  if (a.reduction == Reduction::kNone) {
    if (threadIdx.x == 0) *static_cast<Scalar*>(place.divisor) = 1;
    return;
  }
  total.value = block_sum(total.value, warps[0]);
  total.weight = block_sum(total.weight, warps[1]);
  if (threadIdx.x == 0) store_total<Scalar>(a, place, total.value, total.weight);
}

}  // namespace
}  // namespace noisykernels
