// exp, expm1 and log1p over vectors. Element exps are float or double; row scalars are always
// double.
#pragma once

#include "vector.h"

namespace noisykernels {
namespace {

// Adding and subtracting 1.5 * 2^mantissa_bits rounds to the nearest integer, which the low bits
// then hold.
constexpr float kRoundFloat = 0x1.8p23f;
constexpr double kRoundDouble = 0x1.8p52;

// 2^n
INLINE Doubles power_of_two(Doubles rounded) {
  return bit_cast<Doubles>((bit_cast<DoubleMask>(rounded) << 52) + (int64_t(1023) << 52));
}

// exp in float takes powers of 2^(1/kSteps), the fractional ones from a vector: the more of them,
// the less is left for a polynomial.
#if NOISYKERNELS_VECTOR_BYTES > 16
constexpr int kSteps = kLanes<float>;
INLINE FloatMask look_up(FloatMask table, FloatMask index) {
  return __builtin_shuffle(table, index);  // takes the index modulo the lanes
}
#else  // no such shuffle
constexpr int kSteps = 1;
INLINE FloatMask look_up(FloatMask table, FloatMask) { return table; }
#endif
constexpr int kStepBits = kSteps == 16 ? 4 : kSteps == 8 ? 3 : 0;

// 2^(n/kSteps + 64), with n in the low bits of `rounded` = n + kRound.
INLINE Floats power_of_two(Floats rounded) {
  constexpr float power[16] = {0x1p0f,        0x1.0b5586p0f, 0x1.172b84p0f, 0x1.2387a6p0f,
                               0x1.306fe0p0f, 0x1.3dea64p0f, 0x1.4bfdaep0f, 0x1.5ab07ep0f,
                               0x1.6a09e6p0f, 0x1.7a1148p0f, 0x1.8ace54p0f, 0x1.9c4918p0f,
                               0x1.ae89fap0f, 0x1.c199bep0f, 0x1.d5818ep0f, 0x1.ea4afap0f};
  const FloatMask n = bit_cast<FloatMask>(rounded);
  Floats fraction;
  for (int i = 0; i < kLanes<float>; ++i) fraction[i] = power[i * 16 / kSteps % 16];
  // The shift moves the fraction's number into the mantissa; here it comes off again.
  const FloatMask table =
      bit_cast<FloatMask>(fraction) + (64 << 23) - (iota<FloatMask>() % kSteps << (23 - kStepBits));
  return bit_cast<Floats>(look_up(table, n) + (n << (23 - kStepBits)));
}

// The sum of c[i] x^i. Neighbours are added up first, then neighbouring pairs and so on: row
// scalars wait for each other, and by Horner's rule every addition waits for the one before.
template <int count>
INLINE Doubles polynomial(const double (&c)[count], Doubles x) {
  Doubles sum[(count + 1) / 2];
  for (int i = 0; i < count; i += 2)
    sum[i / 2] = i + 1 < count ? c[i + 1] * x + c[i] : Doubles{} + c[i];
  for (int terms = (count + 1) / 2; terms > 1; terms = (terms + 1) / 2) {
    x *= x;
    for (int i = 0; i < terms; i += 2)
      sum[i / 2] = i + 1 < terms ? sum[i + 1] * x + sum[i] : sum[i];
  }
  return sum[0];
}

// (exp(r) - 1 - r) / r^2 for |r| <= ln2/2.
// By Taylor, the first term left out is below 2^-57.
INLINE Doubles exp_tail(Doubles r) {
  constexpr double c[] = {1. / 2,        1. / 6,         1. / 24,         1. / 120,
                          1. / 720,      1. / 5040,      1. / 40320.,     1. / 362880.,
                          1. / 3628800., 1. / 39916800., 1. / 479001600., 1. / 6227020800.};
  return polynomial(c, r);
}

// How exp(q d) is computed in float.
enum class Way {
  kExact,
  kShort,   // with one instruction less, where ln2/q is a float: for powers of two it is
  kCoarse,  // with two less, for what is rounded to half precision
};

// exp(q d) for d <= 0. Below the smallest number it is zero; NaN stays NaN. By a Taylor polynomial
// off by 1e-8 relative at most; the short way adds 4e-9 |q d| to it. The coarse way is off by 6e-7
// next to the maximum and by up to 1e-7 |q d| more.
template <Way way>
struct FloatExponent {
  static constexpr bool direct = way == Way::kShort && kSteps > 1;
  static constexpr int degree = (kSteps == 16 ? 3 : kSteps == 8 ? 4 : 7) - (way == Way::kCoarse);
  float log2e, log2e_rest, high, low, lowest;
  float c[degree + 1];

  // Not a constructor: what is assigned is copied, right after its parts were written.
  INLINE void prepare(const Exponent& e) {
    log2e = kSteps * e.log2e;
    log2e_rest = kSteps * e.log2e - log2e;
    high = direct ? e.step / kSteps : e.high_f;
    low = e.low_f;
    lowest = -151 * e.step;
    // 2^-64 costs nothing and lets the product with 2^(n/kSteps + 64) become subnormal with one
    // rounding: a label that leads by 80 leaves the sum of the others there.
    double term = 0x1p-64;
    const double unit = direct ? e.q : 0x1.62e42fefa39efp-1 / kSteps;
    for (int i = 0; i <= degree; term *= unit * (1. / ++i)) c[i] = float(term);
    // The term left out is c r^3: by Chebyshev's polynomial 3/16 c r, up to c / 32.
    if (degree == 2) c[1] += float(3. / 16 * term);
  }

  INLINE Floats operator()(Floats d) const {
    const Factors f = factors(d);
    return d < lowest ? Floats{} : f.series * f.power;
  }

  // The sum and, where the mask is set, exp(q d): one instruction.
  INLINE Floats add(Floats sum, Floats d, FloatMask mask) const {
    const Factors f = factors(maximum(d, Floats{} + lowest));
    const Floats more = f.series * f.power + sum;
    return mask ? more : sum;
  }

 private:
  struct Factors {
    Floats series, power;
  };
  INLINE Factors factors(Floats d) const {
    const Floats rounded = d * log2e + kRoundFloat;
    const Floats r = remainder(d, rounded - kRoundFloat);
    Floats series = Floats{} + c[degree];
    for (int i = degree - 1; i >= 0; --i) series = series * r + c[i];
    return {series, power_of_two(rounded)};
  }

  // What n leaves of q d, in units of q or else of ln2/kSteps: by fused multiply-adds without an
  // error that grows with d, but for the coarse way.
  INLINE Floats remainder(Floats d, Floats n) const {
    if (direct) return d - n * high;
    if (way == Way::kCoarse) return d * log2e - n;
    return kSteps > 1 ? (d * log2e - n) + d * log2e_rest : ((d - n * high) - n * low) * log2e;
  }
};

struct DoubleExponent {
  double q, log2e, high, low, lowest;
  INLINE void prepare(const Exponent& e) {
    q = e.q;
    log2e = e.log2e;
    high = e.high_d;
    low = e.low_d;
    lowest = -1021.5 * e.step;
  }
  INLINE Doubles add(Doubles sum, Doubles d, DoubleMask mask) const {
    return sum + keep(mask, (*this)(d));
  }
  INLINE Doubles operator()(Doubles d) const {
    const Doubles rounded = d * log2e + kRoundDouble;
    const Doubles n = rounded - kRoundDouble;
    const Doubles r = q * ((d - n * high) - n * low);
    return d < lowest ? Doubles{} : (1.0 + (r + r * r * exp_tail(r))) * power_of_two(rounded);
  }
};

template <class Number>
constexpr bool is_float = false;
template <>
constexpr bool is_float<float> = true;

// exp(q d) as exact as Number, the short way or not.
template <class Number, bool is_short>
struct ExponentOf {
  using Type = FloatExponent<Way::kCoarse>;
};
template <bool is_short>
struct ExponentOf<float, is_short> {
  using Type = FloatExponent<is_short ? Way::kShort : Way::kExact>;
};
template <bool is_short>
struct ExponentOf<double, is_short> {
  using Type = DoubleExponent;
};
template <class Number, bool is_short = false>
using ExponentAs = typename ExponentOf<Number, is_short>::Type;

// ---- row scalars, double

constexpr double kLog2e = 0x1.71547652b82fep0;
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

INLINE Doubles exp(Doubles x) {
  const Doubles rounded = x * kLog2e + kRoundDouble;
  const Doubles n = rounded - kRoundDouble;
  const Doubles r = (x - n * kLn2High) - n * kLn2Low;
  const Doubles value = (1.0 + (r + r * r * exp_tail(r))) * power_of_two(rounded);
  const Doubles capped = x > 709.0 ? Doubles{} + __builtin_inf() : value;
  return x < -708.0 ? Doubles{} : capped;
}

// exp(x) - 1 for x <= 0
INLINE Doubles expm1(Doubles x) {
  const Doubles rounded = x * kLog2e + kRoundDouble;
  const Doubles n = rounded - kRoundDouble;
  const Doubles r = (x - n * kLn2High) - n * kLn2Low;
  const Doubles two_n = power_of_two(rounded);
  const Doubles value = two_n * (r + r * r * exp_tail(r)) + (two_n - 1.0);
  return x < -708.0 ? Doubles{} - 1.0 : value;
}

// x = 2^n f with f in [sqrt(1/2), sqrt(2)); log f = 2 atanh(s), s = (f - 1) / (f + 1).
struct DoubleLog {
  Doubles n;
  Doubles log_f;
  explicit INLINE DoubleLog(Doubles x) {
    // Taking off sqrt(1/2)'s bits first puts the cut there.
    const DoubleMask bits = bit_cast<DoubleMask>(x);
    const DoubleMask exponent = (bits - 0x3fe6a09e667f3bcd) >> 52;
    const Doubles f = bit_cast<Doubles>(bits - (exponent << 52));
    n = bit_cast<Doubles>(bit_cast<DoubleMask>(Doubles{} + kRoundDouble) + exponent) - kRoundDouble;
    const Doubles s = (f - 1.0) / (f + 1.0);
    const Doubles s2 = s * s;
    constexpr double c[] = {1. / 3,  1. / 5,  1. / 7,  1. / 9,  1. / 11,
                            1. / 13, 1. / 15, 1. / 17, 1. / 19, 1. / 21};
    log_f = 2.0 * (s + s * s2 * polynomial(c, s2));
  }
};

// log(1 + u) for u >= 0
INLINE Doubles log1p(Doubles u) {
  const Doubles w = 1.0 + u;
  const DoubleLog log(w);
  // What rounding 1 + u lost comes back to first order; u - u brings in NaN and inf.
  const Doubles lost = (u - (w - 1.0)) / w;
  const Doubles value = log.n * kLn2High + (log.log_f + (log.n * kLn2Low + lost));
  return u == __builtin_inf() ? u : value + (u - u);
}

// log(x) for x >= 0; numbers below the normal ones count as zero
INLINE Doubles log(Doubles x) {
  const DoubleLog log(x);
  const Doubles value = log.n * kLn2High + (log.log_f + log.n * kLn2Low) + (x - x);
  return x < 0x1p-1022 ? Doubles{} - __builtin_inf() : value;
}

// log(x) for 0 <= x <= 1, of an element
INLINE Floats log(Floats x) {
  const FloatMask bits = bit_cast<FloatMask>(x);
  const FloatMask exponent = (bits - 0x3f3504f3) >> 23;
  const Floats f = bit_cast<Floats>(bits - (exponent << 23));
  const Floats n = __builtin_convertvector(exponent, Floats);
  const Floats s = (f - 1.0f) / (f + 1.0f);
  const Floats s2 = s * s;
  const Floats series = 1.f / 3 + s2 * (1.f / 5 + s2 * (1.f / 7 + s2 * (1.f / 9)));
  const Floats value = n * 0x1.62e430p-1f + 2.0f * (s + s * s2 * series);
  return x < 0x1p-126f ? Floats{} - __builtin_inff() : value + (x - x);
}

}  // namespace
}  // namespace noisykernels
