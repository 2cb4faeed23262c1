// The statistics of a block of short rows, one after the other for all of its rows: what a row has
// left in the lanes of a vector is brought together for all rows at once, which for one alone costs
// as much as its classes do.
#pragma once

#include "block.h"

namespace noisykernels {
namespace {

// As many classes as are summed in one part.
template <class Storage>
constexpr int64_t kShortRow = kFlush * kLanes<Storage>;

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

// x[r] and label[r] are those of row r; rows without an x are skipped and get zeros.
template <int powers, class Storage>
__attribute__((noinline)) void visit_short_rows(const ForwardArguments& a, const Storage* const* x,
                                                const int64_t* label, Block& block) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  using Vector = typename Arithmetic<Storage>::Vector;
  using Mask = typename Arithmetic<Storage>::Mask;
  const Plan& plan = a.plan;
  const int64_t classes = a.classes;
  const Scalar* class_weight = static_cast<const Scalar*>(a.class_weight);
  const auto add = [](auto v, auto w) { return v + w; };

  Vector part[kBlockRows];
  const auto visit = [&](auto part_of_row) {
    for (int r = 0; r < kBlockRows; ++r) part[r] = x[r] ? part_of_row(r) : Vector{};
  };

  alignas(64) Scalar shift[kBlockRows];
  if (powers > 0) {
    visit([&](int r) { return maximum_part(x[r], classes); });
    reduce_rows(part, [](auto v, auto w) { return maximum(v, w); }, shift);
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
    const Exponents<powers, Scalar> power(plan);
    Vector parts[powers][kBlockRows];
    for (int r = 0; r < kBlockRows; ++r) {
      Vector sum[powers] = {};
      if (x[r]) {
        for_each_other(x[r], 0, classes, label[r], [&](Vector v, int64_t, Mask others) {
          for (int i = 0; i < powers; ++i) sum[i] += keep(others, power[i](v - shift[r]));
        });
      }
      for (int i = 0; i < powers; ++i) parts[i][r] = sum[i];
    }
    for (int i = 0; i < powers; ++i) reduce_rows(parts[i], add, block.others[i]);
  }
  if (plan.linear) {
    visit([&](int r) { return linear_part(x[r], 0, classes, shift[r]); });
    reduce_rows(part, add, block.linear);
  }
  if (plan.square) {
    visit([&](int r) { return square_part(x[r], 0, classes); });
    reduce_rows(part, add, block.square);
  }
  if (plan.weighted) {
    visit([&](int r) { return weighted_part(x[r], 0, classes, shift[r], class_weight); });
    reduce_rows(part, add, block.weighted);
  } else {
    memcpy(block.weighted, block.linear, sizeof block.weighted);
  }
}

}  // namespace
}  // namespace noisykernels
