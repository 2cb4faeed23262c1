// From logits to losses and coefficients, block after block.
#pragma once

#include "short_rows.h"
#include "visit.h"

namespace noisykernels {
namespace {

// The statistics of a block of rows that stay in the cache together.
template <class Storage>
INLINE void visit_together(const ForwardArguments& a, const Storage* const* x, int64_t first,
                           int64_t ahead, Block& block, FurtherBlock& further, ScoreBlock& score) {
  const Plan& plan = a.plan;
  const int64_t* label = a.target + first;
  if (!has_further(plan)) {
    return with_powers<typename Arithmetic<Storage>::Scalar>(
        plan, [&](auto powers) { visit_short_rows<decltype(powers)>(a, x, label, ahead, block); });
  }
  for (int r = 0; r < kBlockRows; ++r) {
    if (x[r]) {
      visit_row<false, false>(a, x[r], first + r, label[r], block, further, score, r, nullptr);
    } else {
      skip_row(block, r);
      skip_further(further, r);
    }
  }
  complete_rows(plan, block, further, 0, kBlockRows);
  for (int r = 0; r < kBlockRows && plan.elements; ++r) {
    if (x[r]) visit_elements<false>(a, x[r], label[r], block, further, score, r);
  }
}

// The same of a row on its own.
template <class Storage, class Scalar>
INLINE void visit_alone(const ForwardArguments& a, const Storage* x, const void* next, int64_t row,
                        Scalar* scores, Block& block, FurtherBlock& further, ScoreBlock& score,
                        int r) {
  const int64_t label = a.target[row];
  if (scores) return visit_scores(a, x, scores, row, label, block, further, score, r);
  if (a.classes <= kChunk) {
    visit_row<false, false>(a, x, row, label, block, further, score, r, next);
  } else {
    visit_long_row(a, x, row, label, block, further, score, r);
  }
  finish_row<false>(a, x, label, block, further, score, r);
}

template <class Storage>
void forward_rows(const ForwardArguments& a, int64_t begin, int64_t end) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const Storage* logits = static_cast<const Storage*>(a.logits);
  double class_weights = double(a.classes);
  if (a.class_weight) {
    class_weights = 0;
    for (int64_t k = 0; k < a.classes; ++k)
      class_weights += static_cast<const Scalar*>(a.class_weight)[k];
  }
  Scalar* const coefficients = static_cast<Scalar*>(a.row_coefficients);
  const bool has_scores = a.plan.scores != Scores::kLogits;
  const bool in_place = a.layout.class_stride == 1;
  const bool together = a.classes <= kPart<Storage> && !has_scores;
  Storage* scratch = allocate_scratch<Storage>(a.layout.class_stride,
                                               together ? kBlockRows * a.classes : a.classes);
  Scalar* scores = has_scores ? allocate<Scalar>(2 * a.classes) : nullptr;
  Block block;
  FurtherBlock further;
  ScoreBlock score;
  for (int64_t first = begin; first < end; first += kBlockRows) {
    const int rows = int(end - first < kBlockRows ? end - first : kBlockRows);
    bool kept[kBlockRows];
    for (int r = 0; r < kBlockRows; ++r)
      kept[r] = r < rows && a.target[first + r] != a.ignore_index;
    const auto row = [&](int r, Storage* memory) {
      return gather(logits + row_offset(a.layout, first + r), a.layout.class_stride, a.classes,
                    memory);
    };
    if (together) {
      const Storage* x[kBlockRows];
      for (int r = 0; r < kBlockRows; ++r)
        x[r] = kept[r] ? row(r, scratch + r * a.classes) : nullptr;
      const bool whole = in_place && a.layout.inner == 1 && end - first >= 2 * kBlockRows;
      const int64_t ahead = whole ? kBlockRows * a.layout.outer_stride : 0;
      visit_together(a, x, first, ahead, block, further, score);
    } else {
      for (int r = 0; r < kBlockRows; ++r) {
        if (kept[r]) {
          const Storage* next = in_place && first + r + 1 < end ? row(r + 1, scratch) : nullptr;
          visit_alone(a, row(r, scratch), next, first + r, scores, block, further, score, r);
        } else {
          skip_row(block, r);
          skip_further(further, r);
          if (has_scores) skip_scores(score, r);
        }
      }
    }
    evaluate_block(a, class_weights, block, further, score, rows, coefficients + first);
    if (has_scores) store_ratios(a, score, rows, coefficients + first);
    for (int r = 0; r < rows; ++r) {
      if (!kept[r]) clear_row(a, coefficients + first + r);
    }
    if (has_further(a.plan)) store_classes(a, further, kept, rows, coefficients + first);

    for (int r = 0; r < rows; ++r) {
      const double value = kept[r] ? block.value[r] : 0;
      if (a.reduction == Reduction::kNone) {
        static_cast<Scalar*>(a.loss)[first + r] = Scalar(value);
      } else {
        a.value[first + r] = value;
        a.label_weight[first + r] = block.label_weight[r];
      }
    }
  }
  __builtin_free(scratch);
  __builtin_free(scores);
}

}  // namespace
}  // namespace noisykernels
