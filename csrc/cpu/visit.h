// The statistics of one row after the other.
#pragma once

#include "block.h"
#include "chunks.h"
#include "memory.h"

namespace noisykernels {
namespace {

template <bool scores, class Storage, class Scalar>
INLINE void sum_powers(const Plan& plan, const Storage* x, int64_t classes, int64_t label,
                       Scalar shift, const Scalar* vector, const Scalar* u, const void* next,
                       PowerSums& sums) {
  with_powers<Scalar>(plan, [&](auto powers) {
    using PowerKind = decltype(powers);
    if constexpr (PowerKind::count > 0) {
      if (scores || plan.further) {
        sum_powers<PowerKind, true, scores>(x, classes, label, shift, plan, vector, u, next, sums);
      } else {
        sum_powers<PowerKind, false, false>(x, classes, label, shift, plan, vector, u, next, sums);
      }
    }
  });
}

// A vector over the classes from class k on, if there is one.
template <class Scalar>
INLINE const Scalar* from_class(const Scalar* vector, int64_t k) {
  return vector ? vector + k : nullptr;
}

// `next` is the row to be visited next, or null. Of bounded `scores` u, x are their differences,
// and more is summed for the gradient's way back.
template <bool chunked, bool scores, class Storage>
INLINE void visit_row(const ForwardArguments& a, const Storage* x, int64_t row, int64_t label,
                      Block& block, FurtherBlock& further, ScoreBlock& score, int r,
                      const void* next, const typename Arithmetic<Storage>::Scalar* u = nullptr) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const Plan& plan = a.plan;
  const Scalar* class_weight = static_cast<const Scalar*>(a.class_weight);
  const Scalar* vector = class_vector<Scalar>(a, row, label);
  const Scalar x_y = load_scalar(x + label);
  // Without an exp the label itself is the point to subtract from: no maximum needs to be found.
  Scalar shift = plan.powers ? Scalar(-__builtin_inf()) : x_y;
  if (plan.powers) {
    const auto find = [&](int64_t begin, int64_t end, Scalar& largest) {
      largest = row_maximum(x + begin, end - begin);
    };
    merge_chunks<chunked>(a, shift, find, [](Scalar& m, Scalar part) { m = maximum(m, part); });
  }
  PowerSums power;
  const auto sum_power = [&](int64_t begin, int64_t end, PowerSums& sums) {
    sum_powers<scores>(plan, x + begin, end - begin, label - begin, shift,
                       from_class(vector, begin), u, next, sums);
  };
  if (plan.powers) merge_chunks<chunked>(a, power, sum_power, Add());
  for (int i = 0; i < plan.powers; ++i) block.others[i][r] = power.power[i];
  if (plan.linear || plan.square || plan.weighted || plan.vector) {
    PolynomialSums polynomial;
    const auto sum_polynomial = [&](int64_t begin, int64_t end, PolynomialSums& sums) {
      sums = sum_polynomials(x + begin, end - begin, shift, plan, from_class(class_weight, begin),
                             from_class(vector, begin));
    };
    merge_chunks<chunked>(a, polynomial, sum_polynomial, Add());
    block.linear[r] = polynomial.linear;
    block.square[r] = polynomial.square;
    block.weighted[r] = plan.weighted ? polynomial.weighted : polynomial.linear;
    further.vector[r] = polynomial.vector;
    further.vector_sum[r] = polynomial.vector_sum;
  }
  block.shift[r] = shift;
  block.logit[r] = double(x_y) - double(shift);
  block.label_value[r] = x_y;
  block.label_weight[r] = class_weight ? class_weight[label] : 1;
  if (vector) further.vector_label[r] = vector[label];
  if (has_further(plan)) {
    further.tail[r] = power.further.tail;
    further.ties[r] = power.further.ties;
    further.entropy[r] = power.further.entropy;
    further.vector_power[r] = power.further.vector_power;
    further.vector_rest[r] = power.further.vector_rest;
  }
  if (plan.top) {
    further.top_class[r] = find_top(x, a.classes, shift);
    further.top_is_label[r] = further.top_class[r] == label;
  }
  if (scores) {
    for (int i = 0; i < kMaxElements; ++i) score.element[i][r] = 0;
    for (int i = 0; i < kMaxPowers; ++i) score.power[i][r] = power.further.moment[i];
    score.entropy[r] = power.further.entropy_moment;
    score.vector_power[r] = power.further.vector_power_moment;
  }
}

// Sums of elementwise functions, once the row's softmax is known.
template <bool scores, class Storage>
INLINE void visit_elements(const ForwardArguments& a, const Storage* x, int64_t label,
                           const Block& block, FurtherBlock& further, ScoreBlock& score, int r,
                           const typename Arithmetic<Storage>::Scalar* u = nullptr) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const RowSoftmax<Scalar> softmax{Scalar(further.log_sum[r]), Scalar(further.top_miss[r])};
  const Scalar shift = Scalar(block.shift[r]);
  const ElementSums sums = sum_elements<scores>(x, a.classes, label, shift, softmax, a.plan, u);
  for (int i = 0; i < kMaxElements; ++i) {
    further.element_gap[i][r] = sums.gap[i];
    further.element_factor[i][r] = sums.factor[i];
    if (scores) score.element[i][r] = sums.moment[i];
  }
}

// What the sums of a row on its own are for, once all are there.
template <bool scores, class Storage>
INLINE void finish_row(const ForwardArguments& a, const Storage* x, int64_t label,
                       const Block& block, FurtherBlock& further, ScoreBlock& score, int r,
                       const typename Arithmetic<Storage>::Scalar* u = nullptr) {
  if (!has_further(a.plan)) return;
  complete_rows(a.plan, block, further, r, r + 1);
  if (a.plan.elements) visit_elements<scores>(a, x, label, block, further, score, r, u);
}

// All of it of bounded scores, which go to `scores` on the way: the differences, then the scores
// themselves. Not inlined: plain rows keep their registers.
template <class Storage, class Scalar>
__attribute__((noinline)) void visit_scores(const ForwardArguments& a, const Storage* x,
                                            Scalar* scores, int64_t row, int64_t label,
                                            Block& block, FurtherBlock& further, ScoreBlock& score,
                                            int r) {
  const Plan& plan = a.plan;
  const LogitSums logits = sum_logits(x, a.classes);
  const Rescaling rescaling = make_rescaling(plan, logits.square);
  const double ratio = rescaling.ratio;
  const double origin = plan.powers ? row_maximum(x, a.classes) : load_scalar(x + label);
  Scalar* const u = scores + a.classes;
  write_scores(x, a.classes, ratio, origin, scores);
  write_scores(x, a.classes, ratio, 0, u);
  visit_row<false, true>(a, scores, row, label, block, further, score, r, nullptr, u);
  finish_row<true>(a, scores, label, block, further, score, r, u);

  const double x_y = load_scalar(x + label);
  block.shift[r] += ratio * origin;
  block.label_value[r] = ratio * x_y;
  block.square[r] = ratio * ratio * logits.square;
  score.ratio[r] = ratio;
  score.shrink[r] = rescaling.shrink;
  score.origin[r] = origin;
  score.square[r] = ratio * ratio * (logits.square - x_y * x_y);
  score.linear[r] = ratio * (logits.linear - x_y);
  // Without class weights w_k = 1.
  const Scalar* w = static_cast<const Scalar*>(a.class_weight);
  const Scalar* v = class_vector<Scalar>(a, row, label);
  score.weighted[r] = plan.weighted ? sum_products(w, u, a.classes, label) : score.linear[r];
  score.vector[r] = plan.vector ? sum_products(v, u, a.classes, label) : 0;
  score.top[r] = 0;
  if (plan.top && further.top_class[r] != label) score.top[r] = ratio * origin;
}

template <class Storage>
__attribute__((noinline)) void visit_long_row(const ForwardArguments& a, const Storage* x,
                                              int64_t row, int64_t label, Block& block,
                                              FurtherBlock& further, ScoreBlock& score, int r) {
  visit_row<true, false>(a, x, row, label, block, further, score, r, nullptr);
}

}  // namespace
}  // namespace noisykernels
