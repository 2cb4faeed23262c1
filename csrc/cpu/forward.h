#pragma once

#include "short_rows.h"
#include "visit.h"

namespace noisykernels {
namespace {

template <class Storage>
void forward_rows(const ForwardArguments& a, int64_t begin, int64_t end) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const Storage* logits = static_cast<const Storage*>(a.logits);
  Storage* scratch = allocate_scratch<Storage>(a.layout.class_stride, kBlockRows * a.classes);
  double class_weights = double(a.classes);
  if (a.class_weight) {
    class_weights = 0;
    for (int64_t k = 0; k < a.classes; ++k)
      class_weights += static_cast<const Scalar*>(a.class_weight)[k];
  }
  Scalar* coefficients = static_cast<Scalar*>(a.row_coefficients);
  const bool has_further = a.plan.further || a.plan.statistics;
  const bool has_scores = a.plan.scores != Scores::kLogits;
  const bool short_rows = a.classes <= kShortRow<Storage> && !has_further && !has_scores;
  Scalar* scores = has_scores ? allocate<Scalar>(2 * a.classes) : nullptr;
  Block block;
  FurtherBlock further;
  ScoreBlock score;
  for (int64_t first = begin; first < end; first += kBlockRows) {
    const int rows = int(end - first < kBlockRows ? end - first : kBlockRows);
    const int64_t* label = a.target + first;
    bool kept[kBlockRows];
    const Storage* x[kBlockRows];
    for (int r = 0; r < kBlockRows; ++r) {
      kept[r] = r < rows && label[r] != a.ignore_index;
      x[r] = kept[r] ? gather(logits + row_offset(a.layout, first + r), a.layout.class_stride,
                              a.classes, scratch + r * a.classes)
                     : nullptr;
    }
    if (short_rows) {
      with_powers(a.plan.powers, [&](auto powers) {
        visit_short_rows<decltype(powers)::value>(a, x, label, block);
      });
    }
    for (int r = 0; r < kBlockRows && !short_rows; ++r) {
      if (!kept[r]) {
        skip_row(block, r);
        if (has_further) skip_further(further, r);
        if (has_scores) skip_scores(score, r);
      } else if (has_scores) {
        visit_scores(a, x[r], scores, first + r, label[r], block, further, score, r);
      } else if (a.classes <= kChunk) {
        visit_row<false, false>(a, x[r], first + r, label[r], block, further, score, r);
      } else {
        visit_long_row(a, x[r], first + r, label[r], block, further, score, r);
      }
    }
    evaluate_block(a, class_weights, block, further, score, rows, coefficients + first);
    if (has_scores) store_ratios(a, score, rows, coefficients + first);
    for (int r = 0; r < rows; ++r) {
      if (!kept[r]) clear_row(a, coefficients + first + r);
    }
    if (has_further) store_classes(a, further, kept, rows, coefficients + first);

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
