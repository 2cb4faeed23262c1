// The scalars of a block of rows, as vectors over rows: from its statistics to losses and
// coefficients.
#pragma once

#include "scores.h"
// After math.h, whose functions on vectors the terms call.
#include "../terms/table.h"

namespace noisykernels {
namespace {

// What a block's rows have in common with a Row<Doubles>, as one array per statistic.
struct Block {
  alignas(64) double shift[kBlockRows] = {};
  alignas(64) double logit[kBlockRows] = {};
  alignas(64) double others[kMaxPowers][kBlockRows] = {};
  alignas(64) double linear[kBlockRows] = {};
  alignas(64) double square[kBlockRows] = {};
  alignas(64) double weighted[kBlockRows] = {};
  alignas(64) double label_weight[kBlockRows] = {};  // zero for ignored rows
  alignas(64) double label_value[kBlockRows] = {};
  alignas(64) double value[kBlockRows];
};

// The same of what few losses need.
struct FurtherBlock {
  alignas(64) double tail[kBlockRows] = {};
  alignas(64) double ties[kBlockRows] = {};
  alignas(64) double excess[kBlockRows] = {};  // l - 1
  alignas(64) double entropy[kBlockRows] = {};
  alignas(64) double top_is_label[kBlockRows] = {};
  alignas(64) double vector_label[kBlockRows] = {};
  alignas(64) double vector_power[kBlockRows] = {};
  alignas(64) double vector_rest[kBlockRows] = {};
  alignas(64) double vector[kBlockRows] = {};
  alignas(64) double vector_sum[kBlockRows] = {};
  alignas(64) double element_gap[kMaxElements][kBlockRows] = {};
  alignas(64) double element_factor[kMaxElements][kBlockRows] = {};
  alignas(64) double log_sum[kBlockRows] = {};
  alignas(64) double top_miss[kBlockRows] = {};
  int64_t top_class[kBlockRows] = {};
};

INLINE bool has_further(const Plan& plan) { return plan.further || plan.statistics; }

// An ignored row, or one beyond the last: zeros, not its own numbers, so that its loss and gradient
// are zero whatever it holds.
INLINE void skip_row(Block& block, int r) {
  block.shift[r] = block.logit[r] = block.linear[r] = block.square[r] = block.weighted[r] = 0;
  block.label_weight[r] = block.label_value[r] = 0;
  for (int i = 0; i < kMaxPowers; ++i) block.others[i][r] = 0;
}

INLINE void skip_further(FurtherBlock& block, int r) {
  block.tail[r] = block.ties[r] = block.entropy[r] = block.top_is_label[r] = 0;
  block.vector_label[r] = block.vector_power[r] = block.vector_rest[r] = 0;
  block.vector[r] = block.vector_sum[r] = 0;
  block.top_class[r] = -1;
  for (int i = 0; i < kMaxElements; ++i) block.element_gap[i][r] = block.element_factor[i][r] = 0;
}

// The softmax of the rows from `begin` to `end`, for what few losses need.
INLINE void complete_rows(const Plan& plan, const Block& block, FurtherBlock& further, int begin,
                          int end) {
  constexpr int lanes = kLanes<double>;
  for (int r = begin / lanes * lanes; r < end; r += lanes) {
    const Doubles logit = load(block.logit + r), e_y = exp(logit);
    // One of the classes with the largest logit brings the one: the label, or another.
    const Doubles excess = plan.apart ? load(further.tail + r) +
                                            (load(further.ties + r) - (logit == 0 ? 0.0 : 1.0)) +
                                            (logit == 0 ? Doubles{} : e_y)
                                      : load(block.others[0] + r) + e_y - 1.0;
    store(further.excess + r, excess);
    store(further.log_sum + r, log1p(excess));
    store(further.top_miss + r, excess / (1.0 + excess));
  }
}

template <class Scalar>
INLINE void store_class(Scalar* column, int64_t top_class) {
  // As an integer in the bits of a float: beyond 2^24 a float has not every class.
  const typename Arithmetic<Scalar>::Integer bits = top_class;
  memcpy(column, &bits, sizeof bits);
}

// Values into the block, coefficients of its first `rows` rows to their columns, a.rows apart.
template <class Scalar>
INLINE void evaluate_block(const Arguments& a, double class_weights, Block& block,
                           const FurtherBlock& further, const ScoreBlock& score, int rows,
                           Scalar* coefficients) {
  constexpr int lanes = kLanes<double>;
  const Plan& plan = a.plan;
  const Columns& column = plan.column;
  const bool further_too = has_further(plan);
  const bool has_scores = plan.scores != Scores::kLogits;
  // Step by step for all: each is a long chain of instructions, and those of several rows fill the
  // processor.
  Row<Doubles> all[kBlockRows / lanes];
  for (int r = 0; r < rows; r += lanes) {
    Row<Doubles>& row = all[r / lanes];
    row.classes = Doubles{} + double(a.classes);
    row.logit = load(block.logit + r);
    for (int i = 0; i < kMaxPowers; ++i) row.others[i] = load(block.others[i] + r);
    row.linear = load(block.linear + r);
    row.square = load(block.square + r);
    row.weighted = load(block.weighted + r);
    row.class_weights = Doubles{} + class_weights;
    row.label_weight = load(block.label_weight + r);
    row.label_value = load(block.label_value + r);
    if (further_too) {
      row.entropy = load(further.entropy + r);
      row.top_is_label = load(further.top_is_label + r);
      row.vector_label = load(further.vector_label + r);
      row.vector_power = load(further.vector_power + r);
      row.vector_rest = load(further.vector_rest + r);
      row.vector = load(further.vector + r);
      row.vector_sum = load(further.vector_sum + r);
      for (int i = 0; i < kMaxElements; ++i) {
        row.element_gap[i] = load(further.element_gap[i] + r);
        row.element_factor[i] = load(further.element_factor[i] + r);
      }
    }
  }
  for (int r = 0; r < rows && plan.softmax; r += lanes) {
    Row<Doubles>& row = all[r / lanes];
    const Doubles e_y = exp(row.logit);
    complete_softmax(row, e_y, further_too ? load(further.excess + r) : row.others[0] + e_y - 1.0);
  }
  for (int r = 0; r < rows; r += lanes) {
    const Row<Doubles>& row = all[r / lanes];
    Gradient<Doubles> g = evaluate(plan, row);
    const Doubles shift = load(block.shift + r);
    if (has_scores) pull_back(score, row, r, g);
    store(block.value + r, g.value);
    const int rest = rows - r < lanes ? rows - r : lanes;
    const auto store_column = [&](int index, Doubles v) {
      if (index >= 0) store_as(coefficients + index * a.rows + r, v, rest);
    };
    store_column(column.label, g.label);
    store_column(column.shift, has_scores ? load(score.origin + r) : shift);
    for (int i = 0; i < plan.powers; ++i) store_column(column.power + i, g.power[i]);
    store_column(column.linear, g.linear);
    // Without class weights w_k = 1.
    store_column(column.constant, a.class_weight ? g.constant : g.constant + g.class_weight);
    store_column(column.class_weight, g.class_weight);
    if (!further_too) continue;
    store_column(column.entropy, g.entropy);
    store_column(column.vector_power, g.vector_power);
    store_column(column.vector, g.vector);
    store_column(column.top, g.top);
    store_column(column.log_sum, load(further.log_sum + r));
    store_column(column.top_miss, load(further.top_miss + r));
    for (int i = 0; i < plan.elements; ++i) store_column(column.element + i, g.element[i]);
    if (plan.statistics) {
      store_column(column.statistics, row.log_p);
      store_column(column.statistics + 1, row.p);
      store_column(column.statistics + 2, shift + row.log_sum);
    }
  }
}

// In two parts, of which the second is what rounding the first has lost.
template <class Scalar>
INLINE void store_ratios(const Arguments& a, const ScoreBlock& score, int rows,
                         Scalar* coefficients) {
  Scalar* high = coefficients + a.plan.column.ratio * a.rows;
  for (int r = 0; r < rows; ++r) {
    high[r] = Scalar(score.ratio[r]);
    high[a.rows + r] = Scalar(score.ratio[r] - double(high[r]));
  }
}

// A row that was not read leaves zeros, not the zero over zero of some term.
template <class Scalar>
INLINE void clear_row(const Arguments& a, Scalar* coefficients) {
  for (int i = 0; i < a.plan.column.count; ++i) coefficients[i * a.rows] = 0;
}

// What a block leaves as classes, and the statistics of rows that were not read.
template <class Scalar>
INLINE void store_classes(const Arguments& a, const FurtherBlock& further, const bool* kept,
                          int rows, Scalar* coefficients) {
  const Columns& column = a.plan.column;
  for (int r = 0; r < rows; ++r) {
    const auto at = [&](int index) { return coefficients + index * a.rows + r; };
    if (column.top_class >= 0) store_class(at(column.top_class), further.top_class[r]);
    if (!a.plan.statistics) continue;
    store_class(at(column.statistics + 3), further.top_class[r]);
    for (int i = 0; i < 3 && !kept[r]; ++i) *at(column.statistics + i) = Scalar(__builtin_nan(""));
  }
}

}  // namespace
}  // namespace noisykernels
