// The statistics of a block of short rows, one statistic after the other: what a row has left in
// the lanes of a vector is brought together for all rows at once, which for one alone costs as much
// as its classes do. Not what few losses need: that is so much that rows on their own are faster.
#pragma once

#include "block.h"
#include "memory.h"

namespace noisykernels {
namespace {

// Reduces the parts of all rows of a block.
template <class Vector, class Combine, class Number>
INLINE void reduce_rows(Vector* parts, Combine combine, Number* result) {
  using Mask = decltype(Vector{} < Vector{});
  constexpr int lanes = sizeof(Vector) / sizeof(parts[0][0]);
  for (int r = 0; r < kBlockRows; r += lanes) {
    const Vector reduced = reduce_each<Mask>(parts + r, combine);
    for_each_double(reduced,
                    [&](Doubles v, int first) { store_as(result + r + first, v, kLanes<double>); });
  }
}

// Calls part(r) for each row that has an x and reduces what it returns; others get zero.
template <class Storage, class Part, class Combine, class Number>
INLINE void reduce_each_row(const Storage* const* x, Part part, Combine combine, Number* result) {
  using Vector = typename Arithmetic<Storage>::Vector;
  Vector parts[kBlockRows];
  for (int r = 0; r < kBlockRows; ++r) parts[r] = x[r] ? part(r) : Vector{};
  reduce_rows(parts, combine, result);
}

struct Sum {
  template <class Vector>
  INLINE Vector operator()(Vector a, Vector b) const {
    return a + b;
  }
};

// Rows without an x are skipped and get zeros. The rows to be visited next are as many elements
// `ahead`, or 0.
template <class PowerKind, class Storage>
__attribute__((noinline)) void visit_short_rows(const ForwardArguments& a, const Storage* const* x,
                                                const int64_t* label, int64_t ahead, Block& block) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  using Vector = typename Arithmetic<Storage>::Vector;
  using Mask = typename Arithmetic<Storage>::Mask;
  constexpr int powers = PowerKind::count;
  const Plan& plan = a.plan;
  const int64_t classes = a.classes;
  const Scalar* class_weight = static_cast<const Scalar*>(a.class_weight);

  // Inlined, or the compiler would drop calls of what returns and changes nothing.
  const auto prepare_next = [&](int r) __attribute__((always_inline)) {
    if (ahead && x[r]) prefetch(x[r] + ahead, classes);
  };

  alignas(64) Scalar shift[kBlockRows];
  if (powers > 0) {
    const auto larger = [](auto v, auto w) { return maximum(v, w); };
    reduce_each_row(x, [&](int r) { return maximum_part(x[r], classes); }, larger, shift);
  }
  for (int r = 0; r < kBlockRows; ++r) {
    const Scalar x_y = x[r] ? load_scalar(x[r] + label[r]) : Scalar(0);
    // Without an exp the label itself is the point to subtract from.
    if (powers == 0) shift[r] = x_y;
    block.shift[r] = shift[r];
    block.logit[r] = double(x_y) - double(shift[r]);
    block.label_value[r] = x_y;
    block.label_weight[r] = !x[r] ? 0 : class_weight ? class_weight[label[r]] : 1;
  }
  if constexpr (powers > 0) {
    const Exponents<PowerKind, Scalar> exponents(plan);
    Vector parts[powers][kBlockRows];
    for (int r = 0; r < kBlockRows; ++r) {
      prepare_next(r);
      Vector sum[powers] = {};
      const auto visit = [&](Vector v, int64_t, Mask others) __attribute__((always_inline)) {
        exponents.add(sum, v - shift[r], others);
      };
      if (x[r]) for_each_other(x[r], 0, classes, label[r], visit);
      for (int i = 0; i < powers; ++i) parts[i][r] = sum[i];
    }
    for (int i = 0; i < powers; ++i) reduce_rows(parts[i], Sum(), block.others[i]);
  }
  const auto sum = [&](auto part, double* result) { reduce_each_row(x, part, Sum(), result); };
  if (plan.linear) {
    sum(
        [&](int r) {
          if (powers == 0) prepare_next(r);
          return linear_part(x[r], 0, classes, shift[r]);
        },
        block.linear);
  }
  if (plan.square) sum([&](int r) { return square_part(x[r], 0, classes); }, block.square);
  if (plan.weighted) {
    sum([&](int r) { return weighted_part(x[r], 0, classes, shift[r], class_weight); },
        block.weighted);
  } else {
    memcpy(block.weighted, block.linear, sizeof block.weighted);
  }
}

}  // namespace
}  // namespace noisykernels
