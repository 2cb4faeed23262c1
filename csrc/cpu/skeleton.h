// The one forward skeleton and the one backward kernel, over blocks of rows: first the O(C)
// statistics row by row, then the scalars of all rows of the block at once, as vectors over rows.
// Included once by each SIMD level.
#pragma once

#include "kernels.h"
#include "rows.h"
// After math.h, whose functions on vectors the terms call.
#include "../terms.h"

namespace noisykernels {
namespace {

INLINE int64_t row_offset(const Layout& layout, int64_t row) {
  if (layout.inner == 1) return row * layout.outer_stride;  // spares the common case two divisions
  return row / layout.inner * layout.outer_stride + row % layout.inner * layout.inner_stride;
}

// A row as contiguous elements: in place where the classes are next to each other, else copied to
// `scratch`.
template <class Storage>
INLINE const Storage* gather(const Storage* x, int64_t stride, int64_t classes, Storage* scratch) {
  if (stride == 1) return x;
  for (int64_t k = 0; k < classes; ++k) scratch[k] = x[k * stride];
  return scratch;
}

template <class Storage>
Storage* allocate_scratch(int64_t class_stride, int64_t classes) {
  return class_stride == 1 ? nullptr
                           : static_cast<Storage*>(__builtin_malloc(sizeof(Storage) * classes));
}

template <int n>
struct Count {
  static constexpr int value = n;
};

// Calls f with the number of powers as a constant: there is a copy of the loops for each.
template <class F>
INLINE void with_powers(int powers, F f) {
  switch (powers) {
    case 0:
      return f(Count<0>{});
    case 1:
      return f(Count<1>{});
    case 2:
      return f(Count<2>{});
    case 3:
      return f(Count<3>{});
  }
}

// Rows whose scalars are computed together, as vectors over rows.
constexpr int kBlockRows = 16;

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

// An ignored row, or one beyond the last: zeros, not its own numbers, so that its loss and gradient
// are zero whatever it holds.
INLINE void skip_row(Block& block, int r) {
  block.shift[r] = block.logit[r] = block.linear[r] = block.square[r] = block.weighted[r] = 0;
  block.label_weight[r] = block.label_value[r] = 0;
  for (int i = 0; i < kMaxPowers; ++i) block.others[i][r] = 0;
}

template <class Storage>
INLINE void visit_row(const Arguments& a, const Storage* x, int64_t label, Block& block, int r) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const Plan& plan = a.plan;
  const Scalar* class_weight = static_cast<const Scalar*>(a.class_weight);
  const Scalar x_y = load_scalar(x + label);
  // Without an exp the label itself is the point to subtract from: no maximum needs to be found.
  const Scalar shift = plan.powers ? row_maximum(x, a.classes) : x_y;
  with_powers(plan.powers, [&](auto powers) {
    constexpr int count = decltype(powers)::value;
    if constexpr (count > 0) {
      double sums[count];
      sum_powers<count>(x, a.classes, label, shift, plan, sums);
      for (int i = 0; i < count; ++i) block.others[i][r] = sums[i];
    }
  });
  if (plan.linear || plan.square || plan.weighted) {
    const PolynomialSums sums = sum_polynomials(x, a.classes, shift, plan, class_weight);
    block.linear[r] = sums.linear;
    block.square[r] = sums.square;
    block.weighted[r] = plan.weighted ? sums.weighted : sums.linear;
  }
  block.shift[r] = shift;
  block.logit[r] = double(x_y) - double(shift);
  block.label_value[r] = x_y;
  block.label_weight[r] = class_weight ? class_weight[label] : 1;
}

// Values into the block, coefficients of its first `rows` rows to their columns, a.rows apart.
template <class Scalar>
INLINE void evaluate_block(const Arguments& a, double class_weights, Block& block, int rows,
                           Scalar* coefficients) {
  constexpr int lanes = kLanes<double>;
  for (int r = 0; r < rows; r += lanes) {
    Row<Doubles> row;
    row.classes = Doubles{} + double(a.classes);
    row.logit = load(block.logit + r);
    for (int i = 0; i < kMaxPowers; ++i) row.others[i] = load(block.others[i] + r);
    row.linear = load(block.linear + r);
    row.square = load(block.square + r);
    row.weighted = load(block.weighted + r);
    row.class_weights = Doubles{} + class_weights;
    row.label_weight = load(block.label_weight + r);
    row.label_value = load(block.label_value + r);
    if (a.plan.softmax) complete_softmax(row);
    const Gradient<Doubles> g = evaluate(a.plan, row);
    store(block.value + r, g.value);
    const int rest = rows - r < lanes ? rows - r : lanes;
    const auto store_column = [&](int column, Doubles v) {
      store_as(coefficients + column * a.rows + r, v, rest);
    };
    store_column(kShift, load(block.shift + r));
    for (int i = 0; i < kMaxPowers; ++i) store_column(kPower + i, g.power[i]);
    store_column(kLinear, g.linear);
    store_column(kConstant, g.constant);
    store_column(kClassWeight, g.class_weight);
    store_column(kLabel, g.label);
  }
}

template <class Storage>
void forward_rows(const ForwardArguments& a, int64_t begin, int64_t end) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const Storage* logits = static_cast<const Storage*>(a.logits);
  Storage* scratch = allocate_scratch<Storage>(a.layout.class_stride, a.classes);
  double class_weights = double(a.classes);
  if (a.class_weight) {
    class_weights = 0;
    for (int64_t k = 0; k < a.classes; ++k)
      class_weights += static_cast<const Scalar*>(a.class_weight)[k];
  }
  Scalar* coefficients = static_cast<Scalar*>(a.row_coefficients);
  Block block;
  for (int64_t first = begin; first < end; first += kBlockRows) {
    const int rows = int(end - first < kBlockRows ? end - first : kBlockRows);
    bool kept[kBlockRows] = {};
    for (int r = 0; r < rows; ++r) {
      const int64_t label = a.target[first + r];
      kept[r] = label != a.ignore_index;
      if (kept[r]) {
        const Storage* x = logits + row_offset(a.layout, first + r);
        visit_row(a, gather(x, a.layout.class_stride, a.classes, scratch), label, block, r);
      } else {
        skip_row(block, r);
      }
    }
    for (int r = rows; r < kBlockRows; ++r) skip_row(block, r);
    evaluate_block(a, class_weights, block, rows, coefficients + first);

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
}

template <class Storage>
void backward_rows(const BackwardArguments& a, int64_t begin, int64_t end) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const Storage* logits = static_cast<const Storage*>(a.logits);
  Storage* gradient = static_cast<Storage*>(a.gradient);
  const Scalar* class_weight = static_cast<const Scalar*>(a.class_weight);
  const Scalar* coefficients = static_cast<const Scalar*>(a.row_coefficients);
  const Scalar* upstream = static_cast<const Scalar*>(a.upstream);
  const bool strided = a.gradient_layout.class_stride != 1;
  Storage* scratch = allocate_scratch<Storage>(a.layout.class_stride, a.classes);
  Storage* scratch_gradient = allocate_scratch<Storage>(a.gradient_layout.class_stride, a.classes);
  const auto scale_of = [&](int64_t r) {
    return Scalar(double(upstream[r * a.upstream_stride]) / a.divisor);
  };
  const Scalar shared_scale = scale_of(0);
  for (int64_t r = begin; r < end; ++r) {
    const int64_t label = a.target[r];
    Storage* const row_gradient = gradient + row_offset(a.gradient_layout, r);
    Storage* const dx = strided ? scratch_gradient : row_gradient;
    if (label == a.ignore_index) {
      memset(dx, 0, sizeof(Storage) * a.classes);
    } else {
      const Storage* x =
          gather(logits + row_offset(a.layout, r), a.layout.class_stride, a.classes, scratch);
      const Scalar scale = a.upstream_stride ? scale_of(r) : shared_scale;
      RowGradient<Scalar> row;
      row.shift = coefficients[kShift * a.rows + r];
      for (int i = 0; i < kMaxPowers; ++i)
        row.power[i] = scale * coefficients[(kPower + i) * a.rows + r];
      row.linear = scale * coefficients[kLinear * a.rows + r];
      row.constant = scale * coefficients[kConstant * a.rows + r];
      row.class_weight = scale * coefficients[kClassWeight * a.rows + r];
      row.label = scale * coefficients[kLabel * a.rows + r];
      // Without class weights w_k = 1.
      if (!class_weight) row.constant += row.class_weight;
      with_powers(a.plan.powers, [&](auto powers) {
        write_gradient<decltype(powers)::value>(x, dx, a.classes, row, a.plan, class_weight);
      });
      store_scalar(dx + label, row.label);
    }
    if (strided) {
      for (int64_t k = 0; k < a.classes; ++k)
        row_gradient[k * a.gradient_layout.class_stride] = dx[k];
    }
  }
  __builtin_free(scratch);
  __builtin_free(scratch_gradient);
}

void forward(const ForwardArguments& a, int64_t begin, int64_t end) {
  switch (a.dtype) {
    case ScalarType::kFloat:
      return forward_rows<float>(a, begin, end);
    case ScalarType::kDouble:
      return forward_rows<double>(a, begin, end);
    case ScalarType::kHalf:
      return forward_rows<Half>(a, begin, end);
    case ScalarType::kBFloat16:
      return forward_rows<BFloat16>(a, begin, end);
  }
}

void backward(const BackwardArguments& a, int64_t begin, int64_t end) {
  switch (a.dtype) {
    case ScalarType::kFloat:
      return backward_rows<float>(a, begin, end);
    case ScalarType::kDouble:
      return backward_rows<double>(a, begin, end);
    case ScalarType::kHalf:
      return backward_rows<Half>(a, begin, end);
    case ScalarType::kBFloat16:
      return backward_rows<BFloat16>(a, begin, end);
  }
}

}  // namespace

namespace NOISYKERNELS_LEVEL {
extern const Kernels kernels;
const Kernels kernels = {NOISYKERNELS_LEVEL_NAME, forward, backward};
}  // namespace NOISYKERNELS_LEVEL

}  // namespace noisykernels
