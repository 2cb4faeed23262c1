// exp(q (x - shift)) on a GPU for x <= shift, at the accuracy of the row it serves.
//
// `ex2.approx` is off by 2^-22 whatever its argument. What must not be lost is in the argument: its
// rounding alone would cost 2e-6 at differences of 16 to 32 and twice that beyond.
#pragma once

#include "elements.h"

namespace noisykernels {
namespace {

// Numbers below the normal ones are zero.
DEVICE float exp2_flushed(float x) {
#ifdef __CUDA_ARCH__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

// Numbers below the normal ones too, three instructions more: a label that leads by 80 leaves there
// what the others sum up to.
DEVICE float exp2_subnormal(float x) {
#ifdef __CUDA_ARCH__
  float y;
  asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

// A `Power` is exp of one q. It computes around an origin, which stands for a shift; `moved` is the
// factor by which sums around one origin become sums around another; `error` is the logarithm of
// what the origin is off by, `restored` the factor that makes up for it.

// float32 rows: the part of the argument that was rounded off comes back as a factor.
struct FloatPower {
  float log2e, log2e_rest;

  FloatPower() = default;
  DEVICE explicit FloatPower(const Exponent& e)
      : log2e(float(e.log2e)), log2e_rest(float(e.log2e - double(float(e.log2e)))) {}
  DEVICE float origin(float shift) const { return shift; }
  DEVICE double error(float, float) const { return 0; }
  DEVICE float restored(float, float) const { return 1; }
  DEVICE float operator()(float x, float origin) const { return of_difference(x - origin); }
  DEVICE float moved(float from, float to) const { return of_difference(from - to); }

  DEVICE float of_difference(float d) const {
    const float rounded = d * log2e;
    const float rest = fmaf(d, log2e_rest, fmaf(d, log2e, -rounded));
    const float e = exp2_subnormal(rounded);
    // Of -inf the rest is NaN; the smaller of it and one is one, and zero stays zero.
    return fmaf(e * fminf(rest, 1.0f), 0.693147181f, e);
  }
};

// Half precision rows are rounded far more coarsely. One fused multiply-add makes the argument, for
// which the origin is the shift times log2 e, rounded: the same factor for all elements of a row.
struct HalfPower {
  float log2e;

  HalfPower() = default;
  DEVICE explicit HalfPower(const Exponent& e) : log2e(float(e.log2e)) {}
  DEVICE float origin(float shift) const { return shift * log2e; }
  DEVICE double error(float shift, float origin) const {
    return (origin - double(shift) * log2e) * 0.6931471805599453;
  }
  DEVICE float restored(float shift, float origin) const {
    return exp2_flushed(fmaf(-shift, log2e, origin));
  }
  DEVICE float operator()(float x, float origin) const {
    return exp2_flushed(fmaf(x, log2e, -origin));
  }
  DEVICE float moved(float from, float to) const { return exp2_flushed(from - to); }
};

// Not inlined: side by side, its copies for all elements of a step would fill the registers.
__device__ __noinline__ double exponential(double x) { return exp(x); }

struct DoublePower {
  double q;

  DoublePower() = default;
  DEVICE explicit DoublePower(const Exponent& e) : q(e.q) {}
  DEVICE double origin(double shift) const { return shift; }
  DEVICE double error(double, double) const { return 0; }
  DEVICE double restored(double, double) const { return 1; }
  DEVICE double operator()(double x, double origin) const { return exponential(q * (x - origin)); }
  DEVICE double moved(double from, double to) const { return exponential(q * (from - to)); }
  DEVICE double of_difference(double d) const { return exponential(q * d); }
};

template <class Storage>
struct PowerOf {
  using Type = HalfPower;
};
template <>
struct PowerOf<float> {
  using Type = FloatPower;
};
template <>
struct PowerOf<double> {
  using Type = DoublePower;
};

// What loops take that need differences to the maximum anyway: no HalfPower.
template <class Scalar>
struct DifferencePowerOf {
  using Type = FloatPower;
};
template <>
struct DifferencePowerOf<double> {
  using Type = DoublePower;
};

}  // namespace
}  // namespace noisykernels
