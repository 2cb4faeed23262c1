// SIMD vectors of one width, set by the including file: loads and stores of whole and partial
// vectors for the four storage types, selection, reductions. GCC vector extensions throughout;
// intrinsics only where masked memory access and half precision conversion need them.
//
// Internal linkage and no C++ library: each level compiles this for itself, and a function shared
// between levels could be the copy that the machine at hand cannot run.
#pragma once

#if NOISYKERNELS_VECTOR_BYTES > 16
#include <immintrin.h>
#endif
#include <stdint.h>
#include <string.h>

#include "../arguments.h"

namespace noisykernels {
namespace {

#define INLINE inline __attribute__((always_inline))

constexpr int kVectorBytes = NOISYKERNELS_VECTOR_BYTES;

typedef float Floats __attribute__((vector_size(kVectorBytes)));
typedef int32_t FloatMask __attribute__((vector_size(kVectorBytes)));
typedef double Doubles __attribute__((vector_size(kVectorBytes)));
typedef int64_t DoubleMask __attribute__((vector_size(kVectorBytes)));
typedef uint32_t Words __attribute__((vector_size(kVectorBytes)));
typedef uint16_t Halves __attribute__((vector_size(kVectorBytes / 2)));

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

// Of a storage type: the type that its arithmetic is done in, with its vectors.
template <class Storage>
struct Arithmetic {
  using Scalar = float;
  using Vector = Floats;
  using Mask = FloatMask;
  using Integer = int32_t;
};
template <>
struct Arithmetic<double> {
  using Scalar = double;
  using Vector = Doubles;
  using Mask = DoubleMask;
  using Integer = int64_t;
};

template <class Storage>
constexpr int kLanes = kVectorBytes / int(sizeof(typename Arithmetic<Storage>::Scalar));

template <class To, class From>
INLINE To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

// Lane numbers 0, 1, 2, ...
template <class Mask>
INLINE Mask iota() {
  Mask lanes;
  for (unsigned i = 0; i < sizeof(Mask) / sizeof(lanes[0]); ++i) lanes[i] = i;
  return lanes;
}

// The lanes of `v` where `mask` is set, else zero.
template <class V, class Mask>
INLINE V keep(Mask mask, V v) {
  return mask ? v : V{};
}

template <class V>
INLINE V maximum(V a, V b) {
  return b > a ? b : a;
}

#if NOISYKERNELS_VECTOR_BYTES == 64
INLINE Floats sqrt(Floats x) {
  return bit_cast<Floats>(_mm512_maskz_sqrt_ps(0xffff, bit_cast<__m512>(x)));
}
INLINE Doubles sqrt(Doubles x) {
  return bit_cast<Doubles>(_mm512_maskz_sqrt_pd(0xff, bit_cast<__m512d>(x)));
}
#else
template <class V>
INLINE V sqrt(V x) {
  for (unsigned i = 0; i < sizeof(V) / sizeof(x[0]); ++i) {
    x[i] = sizeof(x[0]) == 4 ? __builtin_sqrtf(x[i]) : __builtin_sqrt(x[i]);
  }
  return x;
}
#endif

// ---- half precision

#if NOISYKERNELS_VECTOR_BYTES == 64
// The forms with a full mask: the plain ones start from an undefined register, which GCC 12 warns
// of.
INLINE Floats from_half(Halves h) {
  return bit_cast<Floats>(_mm512_maskz_cvtph_ps(0xffff, bit_cast<__m256i>(h)));
}
INLINE Halves to_half(Floats f) {
  return bit_cast<Halves>(
      _mm512_maskz_cvtps_ph(0xffff, bit_cast<__m512>(f), _MM_FROUND_TO_NEAREST_INT));
}
#elif NOISYKERNELS_VECTOR_BYTES == 32
INLINE Floats from_half(Halves h) {
  return bit_cast<Floats>(_mm256_cvtph_ps(bit_cast<__m128i>(h)));
}
INLINE Halves to_half(Floats f) {
  return bit_cast<Halves>(_mm256_cvtps_ph(bit_cast<__m256>(f), _MM_FROUND_TO_NEAREST_INT));
}
#else
// No F16C below AVX2. A half's exponent and mantissa, moved to a float's place, are 2^-112 times
// the value; a power of two carries them across, subnormals included.
INLINE Floats from_half(Halves h) {
  const Words w = __builtin_convertvector(h, Words);
  const Words magnitude = (w & 0x7fff) << 13;
  const Floats value = bit_cast<Floats>(magnitude) * 0x1p112f;
  const Words special = bit_cast<Words>(value >= 65536.0f) & 0x7f800000u;  // inf and NaN
  return bit_cast<Floats>(bit_cast<Words>(value) | special | ((w & 0x8000) << 16));
}
INLINE Halves to_half(Floats f) {
  const Words w = bit_cast<Words>(f);
  const Words sign = (w >> 16) & 0x8000;
  const Words magnitude = w & 0x7fffffff;
  // Normal halves: round to nearest even by adding to the bits that fall away. Overflow reaches inf
  // by itself.
  const Words normal = (magnitude + (0xfffu + ((magnitude >> 13) & 1)) - (112u << 23)) >> 13;
  // Subnormal halves: adding 0.5 aligns the mantissa to units of 2^-24 and rounds it.
  const Floats aligned = bit_cast<Floats>(magnitude) + 0.5f;
  const Words subnormal = bit_cast<Words>(aligned) - 0x3f000000u;
  Words half = magnitude < (113u << 23) ? subnormal : normal;
  half = magnitude >= (143u << 23) ? Words{} + 0x7c00u : half;
  half = magnitude > 0x7f800000u ? Words{} + 0x7e00u : half;
  return __builtin_convertvector(half | sign, Halves);
}
#endif

// A bfloat16 is a float's upper half. With AVX-512 one permutation moves it there and back; what
// GCC makes of a conversion for AVX2 takes twice the instructions.
#if NOISYKERNELS_VECTOR_BYTES == 64
INLINE Floats from_upper_halves(Halves h) {
  const __m512i index = bit_cast<__m512i>(iota<Words>() << 16);
  return bit_cast<Floats>(_mm512_maskz_permutexvar_epi16(
      0xaaaaaaaa, index, _mm512_castsi256_si512(bit_cast<__m256i>(h))));
}
INLINE Halves upper_halves(Words w) {
  typedef uint16_t AllHalves __attribute__((vector_size(kVectorBytes)));
  const __m512i index = bit_cast<__m512i>(AllHalves(iota<AllHalves>() * 2 + 1));
  const __m512i packed = _mm512_maskz_permutexvar_epi16(0xffff, index, bit_cast<__m512i>(w));
  Halves lower;
  memcpy(&lower, &packed, sizeof lower);
  return lower;
}
#elif NOISYKERNELS_VECTOR_BYTES == 32
INLINE Floats from_upper_halves(Halves h) {
  return bit_cast<Floats>(bit_cast<Words>(_mm256_cvtepu16_epi32(bit_cast<__m128i>(h))) << 16);
}
INLINE Halves upper_halves(Words w) {
  const __m256i halves = bit_cast<__m256i>(w >> 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(halves, halves), 0x08);
  return bit_cast<Halves>(_mm256_castsi256_si128(packed));
}
#else
INLINE Floats from_upper_halves(Halves h) {
  return bit_cast<Floats>(__builtin_convertvector(h, Words) << 16);
}
INLINE Halves upper_halves(Words w) { return __builtin_convertvector(w >> 16, Halves); }
#endif

INLINE Floats from_bfloat16(Halves h) { return from_upper_halves(h); }
// To the nearest, to even where two are as near. A NaN is left as it is: of what arithmetic
// returns, the upper half says that it is one.
INLINE Halves to_bfloat16(Floats f) {
  const Words w = bit_cast<Words>(f);
  return upper_halves(w + keep(f == f, 0x7fffu + ((w >> 16) & 1)));
}

// ---- memory: whole vectors, and the first n lanes (the others load as zero)

INLINE Floats load(const float* p) {
  Floats v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE Doubles load(const double* p) {
  Doubles v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE Halves load_bits(const uint16_t* p) {
  Halves v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE Floats load(const Half* p) { return from_half(load_bits(&p->bits)); }
INLINE Floats load(const BFloat16* p) { return from_bfloat16(load_bits(&p->bits)); }

INLINE void store(float* p, Floats v) { memcpy(p, &v, sizeof v); }
INLINE void store(double* p, Doubles v) { memcpy(p, &v, sizeof v); }
INLINE void store(Half* p, Floats v) {
  const Halves bits = to_half(v);
  memcpy(p, &bits, sizeof bits);
}
INLINE void store(BFloat16* p, Floats v) {
  const Halves bits = to_bfloat16(v);
  memcpy(p, &bits, sizeof bits);
}

#if NOISYKERNELS_VECTOR_BYTES == 64
INLINE Floats load(const float* p, int n) {
  return bit_cast<Floats>(_mm512_maskz_loadu_ps((1u << n) - 1, p));
}
INLINE Doubles load(const double* p, int n) {
  return bit_cast<Doubles>(_mm512_maskz_loadu_pd((1u << n) - 1, p));
}
INLINE Halves load_bits(const uint16_t* p, int n) {
  return bit_cast<Halves>(_mm256_maskz_loadu_epi16((1u << n) - 1, p));
}
INLINE void store(float* p, Floats v, int n) {
  _mm512_mask_storeu_ps(p, (1u << n) - 1, bit_cast<__m512>(v));
}
INLINE void store(double* p, Doubles v, int n) {
  _mm512_mask_storeu_pd(p, (1u << n) - 1, bit_cast<__m512d>(v));
}
INLINE void store_bits(uint16_t* p, Halves v, int n) {
  _mm256_mask_storeu_epi16(p, (1u << n) - 1, bit_cast<__m256i>(v));
}
#else
#if NOISYKERNELS_VECTOR_BYTES == 32
INLINE Floats load(const float* p, int n) {
  return bit_cast<Floats>(_mm256_maskload_ps(p, bit_cast<__m256i>(iota<FloatMask>() < n)));
}
INLINE Doubles load(const double* p, int n) {
  return bit_cast<Doubles>(_mm256_maskload_pd(p, bit_cast<__m256i>(iota<DoubleMask>() < n)));
}
INLINE void store(float* p, Floats v, int n) {
  _mm256_maskstore_ps(p, bit_cast<__m256i>(iota<FloatMask>() < n), bit_cast<__m256>(v));
}
INLINE void store(double* p, Doubles v, int n) {
  _mm256_maskstore_pd(p, bit_cast<__m256i>(iota<DoubleMask>() < n), bit_cast<__m256d>(v));
}
#else
INLINE Floats load(const float* p, int n) {
  Floats v = {};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
INLINE Doubles load(const double* p, int n) {
  Doubles v = {};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
INLINE void store(float* p, Floats v, int n) {
  for (int i = 0; i < n; ++i) p[i] = v[i];
}
INLINE void store(double* p, Doubles v, int n) {
  for (int i = 0; i < n; ++i) p[i] = v[i];
}
#endif
INLINE Halves load_bits(const uint16_t* p, int n) {
  Halves v = {};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
INLINE void store_bits(uint16_t* p, Halves v, int n) {
  for (int i = 0; i < n; ++i) p[i] = v[i];
}
#endif
INLINE Floats load(const Half* p, int n) { return from_half(load_bits(&p->bits, n)); }
INLINE Floats load(const BFloat16* p, int n) { return from_bfloat16(load_bits(&p->bits, n)); }
INLINE void store(Half* p, Floats v, int n) { store_bits(&p->bits, to_half(v), n); }
INLINE void store(BFloat16* p, Floats v, int n) { store_bits(&p->bits, to_bfloat16(v), n); }

// The first n lanes of doubles, rounded to the scalar type.
INLINE void store_as(double* p, Doubles v, int n) { store(p, v, n); }
INLINE void store_as(float* p, Doubles v, int n) {
  typedef float Narrow __attribute__((vector_size(kVectorBytes / 2)));
  const Narrow narrow = __builtin_convertvector(v, Narrow);
  if (n == kLanes<double>) {
    memcpy(p, &narrow, sizeof narrow);
  } else {
    for (int i = 0; i < n; ++i) p[i] = narrow[i];
  }
}

// One element, as a vector's first lane.
template <class Storage>
INLINE typename Arithmetic<Storage>::Scalar load_scalar(const Storage* p) {
  return load(p, 1)[0];
}
INLINE float load_scalar(const float* p) { return *p; }
INLINE double load_scalar(const double* p) { return *p; }
template <class Storage>
INLINE void store_scalar(Storage* p, typename Arithmetic<Storage>::Scalar value) {
  store(p, typename Arithmetic<Storage>::Vector{} + value, 1);
}
INLINE void store_scalar(float* p, float value) { *p = value; }
INLINE void store_scalar(double* p, double value) { *p = value; }

// ---- reductions over the lanes, by halving

template <class V, class Combine>
INLINE auto reduce(V v, Combine combine) {
  using Scalar = decltype(v[0] + v[0]);
  constexpr int lanes = sizeof(V) / sizeof(Scalar);
  if constexpr (lanes == 2) {
    return Scalar(combine(v[0], v[1]));
  } else {
    typedef Scalar Part __attribute__((vector_size(sizeof(V) / 2)));
    Part parts[2];
    memcpy(parts, &v, sizeof v);
    return reduce(Part(combine(parts[0], parts[1])), combine);
  }
}

template <class V>
INLINE auto reduce_sum(V v) {
  return reduce(v, [](auto a, auto b) { return a + b; });
}

template <class V>
INLINE auto reduce_maximum(V v) {
  return reduce(v, [](auto a, auto b) { return maximum(a, b); });
}

// One half of each segment of `width` lanes: of a's the first of two, of b's the second.
template <int width, class Mask>
INLINE Mask halves_of(int half) {
  constexpr int lanes = sizeof(Mask) / sizeof(Mask{}[0]);
  Mask index;
  for (int i = 0; i < lanes; ++i) {
    const int of_b = i % width >= width / 2;
    index[i] = i / width * width + i % (width / 2) + half * (width / 2) + of_b * lanes;
  }
  return index;
}

// Reduces as many vectors as they have lanes, all at once: lane i of the result is
// reduce(v[i], combine), bit for bit. Overwrites v.
template <class Mask, class V, class Combine, int width = sizeof(V) / sizeof(V{}[0])>
INLINE V reduce_each(V* v, Combine combine) {
  if constexpr (width == 1) {
    return v[0];
  } else {
    const Mask first = halves_of<width, Mask>(0), second = halves_of<width, Mask>(1);
    for (int i = 0; i < width / 2; ++i) {
      const V other = v[i + width / 2];
      v[i] = combine(__builtin_shuffle(v[i], other, first), __builtin_shuffle(v[i], other, second));
    }
    return reduce_each<Mask, V, Combine, width / 2>(v, combine);
  }
}

// Calls f(doubles, index of the first of them in v) for the parts of a vector.
template <class F>
INLINE void for_each_double(Doubles v, F f) {
  f(v, 0);
}
template <class F>
INLINE void for_each_double(Floats v, F f) {
  typedef float Narrow __attribute__((vector_size(kVectorBytes / 2)));
  Narrow parts[2];
  memcpy(parts, &v, sizeof v);
  f(__builtin_convertvector(parts[0], Doubles), 0);
  f(__builtin_convertvector(parts[1], Doubles), kLanes<double>);
}

}  // namespace
}  // namespace noisykernels
