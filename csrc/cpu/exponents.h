// The powers exp(q d) that a plan sums, each computed the cheapest way that is exact enough.
#pragma once

#include "math.h"

namespace noisykernels {
namespace {

// How many exponents a plan has, and how they are computed: loops have a copy for each kind.
template <int exponents, bool first, bool rest, bool squares = false>
struct PowerKind {
  static constexpr int count = exponents;
  static constexpr bool first_is_short = first;
  static constexpr bool rest_is_short = rest;
  static constexpr bool doubled = squares;
};

template <bool first, bool rest, class F>
INLINE void with_count(const Plan& plan, F f) {
  switch (plan.powers) {
    case 1:
      return f(PowerKind<1, first, first>());
    case 2:
      return f(PowerKind<2, first, rest>());
    case 3:
      return f(PowerKind<3, first, rest>());
  }
}

// Calls f with the kind of a plan's powers. Exponent one is always short, the others if all of them
// are: statistics, which need it, leave the loss its bits.
template <class Number, class F>
INLINE void with_powers(const Plan& plan, F f) {
  if (plan.powers == 0) return f(PowerKind<0, false, false>());
  if (plan.doubled) return f(PowerKind<2, is_float<Number>, false, true>());
  if constexpr (is_float<Number>) {
    const bool has_one = plan.exponent[0].q == 1;
    bool others = true;
    for (int i = has_one; i < plan.powers; ++i) others &= plan.exponent[i].is_short;
    if (others) return with_count<true, true>(plan, f);
    if (has_one) return with_count<true, false>(plan, f);
  }
  with_count<false, false>(plan, f);
}

// The exponents of a plan, made ready.
template <class PowerKind, class Number>
struct Exponents {
  static constexpr int count = PowerKind::count;
  ExponentAs<Number, PowerKind::first_is_short> first;
  ExponentAs<Number, PowerKind::rest_is_short> rest[count > 1 ? count - 1 : 1];
  explicit INLINE Exponents(const Plan& plan) {
    if (count > 0) first.prepare(plan.exponent[0]);
    for (int i = 1; i < count; ++i) rest[i - 1].prepare(plan.exponent[i]);
  }

  // Calls f(exp(q d), its number) for each exponent q.
  template <class Vector, class F>
  INLINE void for_each(Vector d, F f) const {
    if (count == 0) return;
    const Vector e = first(d);
    f(e, 0);
    for (int i = 1; i < count; ++i) f(PowerKind::doubled ? e * e : rest[i - 1](d), i);
  }

  // Adds them to sums where the mask is set.
  template <class Vector, class Mask>
  INLINE void add(Vector* sum, Vector d, Mask mask) const {
    if (PowerKind::doubled) {
      for_each(d, [&](Vector e, int i) { sum[i] += keep(mask, e); });
    } else {
      sum[0] = first.add(sum[0], d, mask);
      for (int i = 1; i < count; ++i) sum[i] = rest[i - 1].add(sum[i], d, mask);
    }
  }
};

}  // namespace
}  // namespace noisykernels
