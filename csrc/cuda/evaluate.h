// From the sums of a row to its loss and the coefficients of its gradient: the only place on the
// device that knows the losses. Double, one thread a row.
#pragma once

#include "../terms/table.h"
#include "further.h"

namespace noisykernels {
namespace {

struct RowLoss {
  double value;
  double weight;
};

// As an integer in the bits of a float: beyond 2^24 a float has not every class.
template <class Scalar>
DEVICE Scalar class_bits(int top_class) {
  using Integer = typename Type<Scalar>::Integer;
  return bit_cast<Scalar>(Integer(top_class));
}

// An ignored row: zeros for the backward, and statistics of nothing.
template <class Scalar>
DEVICE void skip_row(const Arguments& a, int64_t row) {
  Scalar* const column = static_cast<Scalar*>(a.row_coefficients) + row;
  const Columns& index = a.plan.column;
  for (int i = 0; i < index.count; ++i) column[i * a.rows] = 0;
  if (index.top_class >= 0) column[index.top_class * a.rows] = class_bits<Scalar>(-1);
  if (index.statistics < 0) return;
  for (int i = 0; i < kStatistics - 1; ++i) column[(index.statistics + i) * a.rows] = Scalar(NAN);
  column[(index.statistics + kStatistics - 1) * a.rows] = class_bits<Scalar>(-1);
}

// What the terms need whose sums are all in `Sums`.
constexpr int kMergeable = kSoftmax | kPowerSum | kLinearSum | kSquareSum | kWeightedSum;

// Not inlined, and the row in memory: a loop around all terms would keep what they have in common
// in registers, more than there are for the loops over classes.
template <int available>
__device__ __noinline__ void add_term_of_row(const PlannedTerm& term, const Row<double>& row,
                                             Gradient<double>& g) {
  add_term<available>(term, row, g);
}

// Not inlined: each kernel would have a copy of it.
template <class Storage, bool has_further, bool has_scores>
__device__ __noinline__ RowLoss evaluate_row(const ForwardArguments& a, int64_t row,
                                             const Sums<ScalarOf<Storage>>& s,
                                             const FurtherSums& further,
                                             const Moments<double>& moments) {
  using Scalar = ScalarOf<Storage>;
  using Power = typename PowerOf<Storage>::Type;
  const Plan& plan = a.plan;
  const int64_t label = a.target[row];
  if (label == a.ignore_index) {
    skip_row<Scalar>(a, row);
    return {0, 0};
  }
  // A label out of range makes its row NaN: no host waits to be told.
  const bool good = 0 <= label && label < a.classes;
  const Scalar* class_weight = static_cast<const Scalar*>(a.class_weight);
  const Scalar* vector = static_cast<const Scalar*>(a.vectors);
  const Storage* logits = static_cast<const Storage*>(a.logits);
  const double x_y =
      good ? double(widen(logits[row_offset(a.layout, row) + label * a.layout.class_stride])) : NAN;
  const double w_y = !good ? NAN : class_weight ? class_weight[label] : 1;
  // Without powers the sums are around the label's logit, or zero where that is not finite.
  const double shift = !plan.powers ? x_y : has_further ? double(s.top) : fmax(double(s.top), x_y);

  const double ratio = has_scores ? moments.ratio : 1;
  const double u_y = ratio * x_y;

  Row<double> r;
  r.classes = double(a.classes);
  r.logit = ratio * (x_y - shift);
#pragma unroll
  for (int i = 0; i < kMaxPowers; ++i) {
    if (i >= plan.powers) {
      r.others[i] = 0;
    } else if (has_further) {
      r.others[i] = further.others[i];
    } else {
      const Power power(plan.exponent[i]);
      const double error = power.error(s.top, power.origin(s.top));
      r.others[i] = s.others[i] * exp(plan.exponent[i].q * (s.top - shift) + error);
    }
  }
  r.linear = moved<double>(s.linear, s.count, s.top, shift) + r.logit;
  r.square = (has_scores ? moments.square : double(s.square)) + u_y * u_y;
  r.weighted = plan.weighted
                   ? moved<double>(s.weighted, s.class_weights, s.top, shift) + w_y * r.logit
                   : r.linear;
  r.class_weights = plan.weighted ? s.class_weights + w_y : double(a.classes);
  r.label_weight = w_y;
  r.label_value = u_y;
  if (has_further) {
    r.entropy = further.entropy;
    r.top_is_label = further.top_class == label;
    r.vector_label =
        vector && good ? vector[(plan.by_sample ? row : label) * a.classes + label] : 0;
    r.vector_power = further.vector_power;
    r.vector_rest = further.vector_rest;
    r.vector = further.vector;
    r.vector_sum = further.vector_sum;
#pragma unroll
    for (int i = 0; i < kMaxElements; ++i) {
      r.element_gap[i] = further.gap[i];
      r.element_factor[i] = further.factor[i];
    }
  }
  if (plan.softmax) {
    const double e_y = exp(r.logit);
    complete_softmax(r, e_y, has_further && good ? further.excess : r.others[0] + e_y - 1);
  }
  Gradient<double> g;
  for (int i = 0; i < plan.terms; ++i)
    add_term_of_row<has_further ? ~0 : kMergeable>(plan.term[i], r, g);
  if (has_scores) pull_back(r, moments, g);

  const Columns& column = plan.column;
  Scalar* const coefficients = static_cast<Scalar*>(a.row_coefficients) + row;
  const auto store = [&](int index, double value) {
    if (index >= 0) coefficients[index * a.rows] = Scalar(value);
  };
  store(column.label, g.label);
  store(column.shift, shift);
#pragma unroll
  for (int i = 0; i < kMaxPowers; ++i) {
    if (i < plan.powers) store(column.power + i, g.power[i]);
  }
  store(column.linear, g.linear);
  // Without class weights w_k = 1.
  store(column.constant, a.class_weight ? g.constant : g.constant + g.class_weight);
  store(column.class_weight, g.class_weight);
  if (has_further) {
    store(column.entropy, g.entropy);
    store(column.vector_power, g.vector_power);
    store(column.vector, g.vector);
    store(column.top, g.top);
    store(column.log_sum, further.log_sum);
    store(column.top_miss, further.top_miss);
#pragma unroll
    for (int i = 0; i < kMaxElements; ++i) {
      if (i < plan.elements) store(column.element + i, g.element[i]);
    }
    if (has_scores) {
      const Ratio<Scalar> parts(ratio);
      store(column.ratio, parts.high);
      store(column.ratio + 1, parts.rest);
    }
    if (column.top_class >= 0)
      coefficients[column.top_class * a.rows] = class_bits<Scalar>(further.top_class);
    if (plan.statistics) {
      store(column.statistics, r.log_p);
      store(column.statistics + 1, r.p);
      store(column.statistics + 2, ratio * shift + r.log_sum);
      coefficients[(column.statistics + 3) * a.rows] = class_bits<Scalar>(further.top_class);
    }
  }
  return {g.value, w_y};
}

}  // namespace
}  // namespace noisykernels
