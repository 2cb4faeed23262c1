// Rows of bounded scores u_k = r x_k. They are written to memory of their own as differences
//
//     d_k = r (x_k - origin),
//
// rounded once, to the type of the arithmetic. From there on they are rows like any other.
#pragma once

#include "rows.h"
// After math.h, whose functions on vectors it calls.
#include "../terms/scores.h"

namespace noisykernels {
namespace {

// Rows whose scalars are computed together, as vectors over rows.
constexpr int kBlockRows = 16;

// Of the rows of a block, what their scores are and what the gradient's way back to the logits
// needs, as one array each.
struct ScoreBlock {
  alignas(64) double ratio[kBlockRows];
  alignas(64) double shrink[kBlockRows];
  alignas(64) double origin[kBlockRows];
  alignas(64) double power[kMaxPowers][kBlockRows];
  alignas(64) double entropy[kBlockRows];
  alignas(64) double vector_power[kBlockRows];
  alignas(64) double square[kBlockRows];
  alignas(64) double linear[kBlockRows];
  alignas(64) double weighted[kBlockRows];
  alignas(64) double vector[kBlockRows];
  alignas(64) double top[kBlockRows];
  alignas(64) double element[kMaxElements][kBlockRows];
};

struct LogitSums {
  double linear;
  double square;
};

// In double no square of a float overflows.
template <class Storage>
INLINE LogitSums sum_logits(const Storage* x, int64_t classes) {
  Doubles linear[2] = {}, square[2] = {};
  for_each_vector(x, 0, classes, [&](auto v, int64_t, auto inside) {
    for_each_double(keep(inside, v), [&](Doubles part, int first) {
      linear[first > 0] += part;
      square[first > 0] += part * part;
    });
  });
  return {reduce_sum(linear[0] + linear[1]), reduce_sum(square[0] + square[1])};
}

// The sum of c_k u_k over k != y.
template <class Scalar>
INLINE double sum_products(const Scalar* c, const Scalar* u, int64_t classes, int64_t label) {
  Doubles sum = {};
  for_each_other(u, 0, classes, label, [&](auto v, int64_t k, auto others) {
    const auto product = keep(others, load_part(c, k, classes) * v);
    for_each_double(product, [&](Doubles part, int) { sum += part; });
  });
  return reduce_sum(sum);
}

// ratio (x_k - origin) of a whole row.
template <class Storage, class Scalar>
INLINE void write_scores(const Storage* x, int64_t classes, double ratio, double origin,
                         Scalar* scores) {
  for_each_vector(x, 0, classes, [&](auto v, int64_t k, auto) {
    for_each_double(v, [&](Doubles part, int first) {
      const int64_t rest = classes - (k + first);
      if (rest <= 0) return;
      store_as(scores + k + first, ratio * (part - origin),
               int(rest < kLanes<double> ? rest : kLanes<double>));
    });
  });
}

// An ignored row, or one beyond the last.
INLINE void skip_scores(ScoreBlock& block, int r) {
  block.ratio[r] = block.shrink[r] = block.origin[r] = 0;
  block.entropy[r] = block.vector_power[r] = 0;
  block.square[r] = block.linear[r] = block.weighted[r] = block.vector[r] = block.top[r] = 0;
  for (int i = 0; i < kMaxPowers; ++i) block.power[i][r] = 0;
  for (int i = 0; i < kMaxElements; ++i) block.element[i][r] = 0;
}

// From a gradient with respect to scores to that with respect to the logits of the rows from r on.
INLINE void pull_back(const ScoreBlock& block, const Row<Doubles>& row, int r,
                      Gradient<Doubles>& g) {
  Moments<Doubles> m;
  m.ratio = load(block.ratio + r);
  m.shrink = load(block.shrink + r);
  for (int i = 0; i < kMaxPowers; ++i) m.power[i] = load(block.power[i] + r);
  m.entropy = load(block.entropy + r);
  m.vector_power = load(block.vector_power + r);
  m.square = load(block.square + r);
  m.linear = load(block.linear + r);
  m.weighted = load(block.weighted + r);
  m.vector = load(block.vector + r);
  m.top = load(block.top + r);
  for (int i = 0; i < kMaxElements; ++i) m.element[i] = load(block.element[i] + r);
  pull_back(row, m, g);
}

}  // namespace
}  // namespace noisykernels
