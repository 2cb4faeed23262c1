// The O(C) work on one row: its statistics, forward, and its gradient, backward. No loss is known
// here.
#pragma once

#include "exponential.h"

namespace noisykernels {
namespace {

// How the elements of rows can be accessed, the same for all of them.
struct Access {
  int bytes;     // at once: 16, 4, or 0 for element by element
  bool shifted;  // rows start anywhere, and vectors at the first border of 16 bytes before
};

DEVICE int64_t row_offset(const Layout& layout, int64_t row) {
  if (layout.inner == 1) return row * layout.outer_stride;  // spares the common case a division
  if (row <= INT32_MAX && layout.inner <= INT32_MAX) {      // and where it can, half of one
    const uint32_t outer = uint32_t(row) / uint32_t(layout.inner);
    const uint32_t inner = uint32_t(row) - outer * uint32_t(layout.inner);
    return outer * layout.outer_stride + inner * layout.inner_stride;
  }
  return row / layout.inner * layout.outer_stride + row % layout.inner * layout.inner_stride;
}

// A row in memory, seen as vectors: vector v holds the classes from first_class(v) on.
template <class Storage>
struct RowMemory {
  static constexpr int size = Vector<Storage>::size;
  using Bits = typename Type<Storage>::Bits;

  Storage* x;
  int64_t stride;
  int classes;
  int shift;
  int bytes;

  DEVICE RowMemory(const void* matrix, const Layout& layout, Access access, int64_t row,
                   int64_t classes)
      : x(static_cast<Storage*>(const_cast<void*>(matrix)) + row_offset(layout, row)),
        stride(layout.class_stride),
        classes(int(classes)),
        shift(access.shifted ? int(reinterpret_cast<uintptr_t>(x) / sizeof(Storage) % size) : 0),
        bytes(access.bytes) {}

  DEVICE int vectors() const { return (classes + shift + size - 1) / size; }
  DEVICE int first_class(int vector) const { return vector * size - shift; }
  DEVICE bool is_whole(int k) const { return k >= 0 && k + size <= classes; }

  // The vector from class k on; what is not of the row is -inf.
  DEVICE Vector<Storage> load(int k) const {
    Vector<Storage> v;
    if (is_whole(k) && bytes == kVectorBytes) {
      v.words = load_vector(x + k);
    } else if (is_whole(k) && bytes == 4) {
      v.words = load_words(x + k);
    } else {
#pragma unroll
      for (int i = 0; i < size; ++i) {
        const bool inside = k + i >= 0 && k + i < classes;
        v.set_bits(i, inside ? bit_cast<Bits>(x[(k + i) * stride]) : Type<Storage>::kMinusInfinity);
      }
    }
    return v;
  }

  DEVICE void store(int k, const Vector<Storage>& v) const {
    if (is_whole(k) && bytes == kVectorBytes) {
      store_vector(x + k, v.words);
    } else if (is_whole(k) && bytes == 4) {
      store_words(x + k, v.words);
    } else {
#pragma unroll
      for (int i = 0; i < size; ++i) {
        if (k + i >= 0 && k + i < classes) x[(k + i) * stride] = bit_cast<Storage>(v.bits(i));
      }
    }
  }

  // kUnroll vectors, `step` apart: all are under way before the first is used.
  DEVICE void load(int vector, int step, Vector<Storage> (&v)[kUnroll]) const {
    const int first = first_class(vector), last = first_class(vector + (kUnroll - 1) * step);
    if (bytes == kVectorBytes && first >= 0 && last + size <= classes) {
#pragma unroll
      for (int j = 0; j < kUnroll; ++j) v[j].words = load_vector(x + first + j * step * size);
    } else {
#pragma unroll
      for (int j = 0; j < kUnroll; ++j) v[j] = load(first + j * step * size);
    }
  }
};

// Puts `value` at place i of a vector, if it has that place: a rare case, and a cheap test.
template <class Storage>
DEVICE void replace(Vector<Storage>& v, int i, typename Type<Storage>::Bits value) {
  if (unsigned(i) < unsigned(Vector<Storage>::size)) {
#pragma unroll
    for (int j = 0; j < Vector<Storage>::size; ++j) {
      if (i == j) v.set_bits(j, value);
    }
  }
}

// Sums over a part of a row's classes but the label, around `top`: the largest of their logits. All
// is relative to it, so that parts can be merged. Without powers it is the label's logit instead,
// and no maximum needs to be found.
template <class Scalar>
struct Sums {
  Scalar top;
  Scalar others[kMaxPowers];  // of exp(q_i (x_k - top)), up to their origin's error
  Scalar linear;              // of x_k - top
  Scalar square;              // of x_k^2
  Scalar weighted;            // of w_k (x_k - top)
  Scalar class_weights;       // of w_k
  Scalar count;               // of 1
};
static_assert(sizeof(Sums<float>) == kSums * sizeof(float));

// A number below all logits: -inf would have nothing to be subtracted from.
template <class Power>
constexpr float kLowest = -3.4028234e38f;
template <>
constexpr double kLowest<DoublePower> = -1.7976931348623157e308;
template <>
constexpr float kLowest<HalfPower> = -0x1p100f;  // finite times q log2 e, too

template <class Scalar>
DEVICE Scalar finite_or_zero(Scalar x) {
  return x - x == 0 ? x : Scalar(0);
}

// A sum of x_k - from, seen from another point.
template <class Scalar>
DEVICE Scalar moved(Scalar sum, Scalar count, Scalar from, Scalar to) {
  return count == 0 ? sum : sum + count * (from - to);
}

template <class Scalar>
DEVICE void move_polynomials(Sums<Scalar>& s, Scalar to, const Plan& plan) {
  if (plan.linear) s.linear = moved(s.linear, s.count, s.top, to);
  if (plan.weighted) s.weighted = moved(s.weighted, s.class_weights, s.top, to);
}

// The constants of a plan's powers, in registers.
template <class Power, int powers>
struct PowerTable {
  Power at[powers > 0 ? powers : 1];
  DEVICE explicit PowerTable(const Plan& plan) {
#pragma unroll
    for (int i = 0; i < powers; ++i) at[i] = Power(plan.exponent[i]);
  }
};

// Adds the sums that need no exp, of the elements of a vector that count.
template <class Storage, class Scalar, class Counts>
DEVICE void add_polynomials(const Vector<Storage>& v, int first, Counts counts, const Plan& plan,
                            const Scalar* class_weight, Sums<Scalar>& s) {
  constexpr int size = Vector<Storage>::size;
  Scalar count = 0, linear = 0, square = 0, weighted = 0, class_weights = 0;
#pragma unroll
  for (int i = 0; i < size; ++i) {
    if (counts(i)) {
      count += 1;
      linear += v.get(i) - s.top;
    }
  }
  s.count += count;
  s.linear += linear;
  if (plan.square) {
#pragma unroll
    for (int i = 0; i < size; ++i) {
      if (counts(i)) square = fma(v.get(i), v.get(i), square);
    }
    s.square += square;
  }
  if (plan.weighted) {
#pragma unroll
    for (int i = 0; i < size; ++i) {
      if (counts(i)) {
        weighted = fma(class_weight[first + i], v.get(i) - s.top, weighted);
        class_weights += class_weight[first + i];
      }
    }
    s.weighted += weighted;
    s.class_weights += class_weights;
  }
}

// The sums of the vectors first, first + step, ... of a row, by one thread. One read: where a
// larger logit turns up, what has been summed is rescaled.
template <int powers, class Storage, class Scalar>
DEVICE Sums<Scalar> sum_vectors(const RowMemory<Storage>& row, int label, const Plan& plan,
                                const Scalar* class_weight, int first, int step) {
  using Power = typename PowerOf<Storage>::Type;
  constexpr int size = Vector<Storage>::size;
  const PowerTable<Power, powers> power(plan);
  const bool polynomials = plan.linear || plan.square || plan.weighted;
  Sums<Scalar> s{};
  s.top = powers ? Scalar(kLowest<Power>) : finite_or_zero(widen(row.x[label * row.stride]));
  Scalar origin[powers > 0 ? powers : 1];
#pragma unroll
  for (int i = 0; i < powers; ++i) origin[i] = power.at[i].origin(s.top);

  for (int vector = first; vector < row.vectors(); vector += kUnroll * step) {
    Vector<Storage> v[kUnroll];
    row.load(vector, step, v);
    // The label is kept apart.
#pragma unroll
    for (int j = 0; j < kUnroll; ++j)
      replace(v[j], label - row.first_class(vector + j * step), Type<Storage>::kMinusInfinity);
    if (powers > 0) {
      Vector<Storage> m = v[0];
#pragma unroll
      for (int j = 1; j < kUnroll; ++j) m = maximum(m, v[j]);
      const Scalar top = largest(m);
      if (top > s.top) {
#pragma unroll
        for (int i = 0; i < powers; ++i) {
          const Scalar from = origin[i];
          origin[i] = power.at[i].origin(top);
          s.others[i] *= power.at[i].moved(from, origin[i]);
        }
        move_polynomials(s, top, plan);
        s.top = top;
      }
    }
#pragma unroll
    for (int i = 0; i < powers; ++i) {
      // Sums of a step come together before they are added: equal numbers round the same way
      // each time, and n additions drift by up to n 2^-25.
      Scalar sum = 0;
#pragma unroll
      for (int j = 0; j < kUnroll; ++j) {
        Scalar part = 0;
#pragma unroll
        for (int e = 0; e < size; ++e) part += power.at[i](v[j].get(e), origin[i]);
        sum += part;
      }
      s.others[i] += sum;
    }
    if (polynomials) {
#pragma unroll
      for (int j = 0; j < kUnroll; ++j) {
        const int k = row.first_class(vector + j * step);
        if (row.is_whole(k) && unsigned(label - k) >= unsigned(size)) {
          add_polynomials(v[j], k, [](int) { return true; }, plan, class_weight, s);
        } else {
          const auto counts = [=](int i) {
            return k + i >= 0 && k + i < row.classes && k + i != label;
          };
          add_polynomials(v[j], k, counts, plan, class_weight, s);
        }
      }
    }
  }
  return s;
}

// The sums of all lanes of a team, in every lane.
template <int powers, class Power, class Scalar>
DEVICE Sums<Scalar> merged(Team team, const Sums<Scalar>& part, const Plan& plan) {
  const PowerTable<Power, powers> power(plan);
  Sums<Scalar> s = part;
  const Scalar top = powers ? team.max(s.top) : s.top;
#pragma unroll
  for (int i = 0; i < powers; ++i) {
    const Scalar from = power.at[i].origin(s.top), to = power.at[i].origin(top);
    s.others[i] = team.sum(s.others[i] * power.at[i].moved(from, to));
  }
  move_polynomials(s, top, plan);
  s.top = top;
  if (plan.linear) s.linear = team.sum(s.linear);
  if (plan.square) s.square = team.sum(s.square);
  if (plan.weighted) {
    s.weighted = team.sum(s.weighted);
    s.class_weights = team.sum(s.class_weights);
  }
  s.count = team.sum(s.count);
  return s;
}

}  // namespace
}  // namespace noisykernels
