// Numbers of the four storage types, sixteen bytes at a time: what arithmetic sees of them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <type_traits>

#include "exec.h"

namespace noisykernels {
namespace {

// Of a storage type: the type of its arithmetic, the unsigned integer of its size, and -inf.
template <class Storage>
struct Type;
template <>
struct Type<float> {
  using Scalar = float;
  using Integer = int32_t;  // of the scalar's size
  using Bits = uint32_t;
  static constexpr Bits kMinusInfinity = 0xff800000;
};
template <>
struct Type<double> {
  using Scalar = double;
  using Integer = int64_t;
  using Bits = uint64_t;
  static constexpr Bits kMinusInfinity = 0xfff0000000000000;
};
template <>
struct Type<__half> {
  using Scalar = float;
  using Integer = int32_t;
  using Bits = uint16_t;
  static constexpr Bits kMinusInfinity = 0xfc00;
};
template <>
struct Type<__nv_bfloat16> {
  using Scalar = float;
  using Integer = int32_t;
  using Bits = uint16_t;
  static constexpr Bits kMinusInfinity = 0xff80;
};

template <class Storage>
using ScalarOf = typename Type<Storage>::Scalar;

DEVICE float widen(float x) { return x; }
DEVICE double widen(double x) { return x; }
DEVICE float widen(__half x) { return __half2float(x); }
DEVICE float widen(__nv_bfloat16 x) { return __bfloat162float(x); }

template <class Storage>
DEVICE Storage narrow(ScalarOf<Storage> x) {
  if constexpr (sizeof(Storage) == sizeof x) {
    return x;
  } else if constexpr (std::is_same_v<Storage, __half>) {
    return __float2half_rn(x);
  } else {
    return __float2bfloat16_rn(x);
  }
}

// Neighboring elements. Indices are compile-time constants wherever loops are unrolled, so that all
// stays in registers.
template <class Storage>
struct Vector {
  using Scalar = ScalarOf<Storage>;
  using Bits = typename Type<Storage>::Bits;
  static constexpr int size = kVectorBytes / int(sizeof(Storage));
  Words words;

  DEVICE Bits bits(int i) const {
    if constexpr (sizeof(Bits) == 2) {
      return Bits(words.at[i / 2] >> (16 * (i % 2)));
    } else if constexpr (sizeof(Bits) == 4) {
      return words.at[i];
    } else {
      return words.at[2 * i] | Bits(words.at[2 * i + 1]) << 32;
    }
  }
  DEVICE void set_bits(int i, Bits value) {
    if constexpr (sizeof(Bits) == 2) {
      const int place = 16 * (i % 2);
      words.at[i / 2] = (words.at[i / 2] & ~(0xffffu << place)) | uint32_t(value) << place;
    } else if constexpr (sizeof(Bits) == 4) {
      words.at[i] = value;
    } else {
      words.at[2 * i] = uint32_t(value);
      words.at[2 * i + 1] = uint32_t(value >> 32);
    }
  }
  DEVICE Scalar get(int i) const {
    // The upper half of a float: one instruction, where taking it out first makes two.
    if constexpr (std::is_same_v<Storage, __nv_bfloat16>) {
      return bit_cast<float>(i % 2 ? words.at[i / 2] & 0xffff0000 : words.at[i / 2] << 16);
    } else {
      return widen(bit_cast<Storage>(bits(i)));
    }
  }
  DEVICE void set(int i, Scalar value) { set_bits(i, bit_cast<Bits>(narrow<Storage>(value))); }
  // Two by two where the GPU can.
  DEVICE void set(const Scalar (&values)[size]) {
#pragma unroll
    for (int i = 0; i < size; ++i) {
      if constexpr (std::is_same_v<Storage, __half>) {
        if (i % 2)
          words.at[i / 2] = bit_cast<uint32_t>(__floats2half2_rn(values[i - 1], values[i]));
      } else if constexpr (std::is_same_v<Storage, __nv_bfloat16>) {
        if (i % 2)
          words.at[i / 2] = bit_cast<uint32_t>(__floats2bfloat162_rn(values[i - 1], values[i]));
      } else {
        set(i, values[i]);
      }
    }
  }
};

// The larger of each two elements, as pairs where the GPU can. NaN loses: it shows in the sums.
DEVICE Vector<float> maximum(const Vector<float>& a, const Vector<float>& b) {
  Vector<float> v;
  for (int i = 0; i < 4; ++i) v.set(i, fmaxf(a.get(i), b.get(i)));
  return v;
}
DEVICE Vector<double> maximum(const Vector<double>& a, const Vector<double>& b) {
  Vector<double> v;
  for (int i = 0; i < 2; ++i) v.set(i, fmax(a.get(i), b.get(i)));
  return v;
}
template <class Pair>
DEVICE Words maximum_of_pairs(const Words& a, const Words& b) {
  Words w;
  for (int i = 0; i < 4; ++i)
    w.at[i] = bit_cast<uint32_t>(__hmax2(bit_cast<Pair>(a.at[i]), bit_cast<Pair>(b.at[i])));
  return w;
}
DEVICE Vector<__half> maximum(const Vector<__half>& a, const Vector<__half>& b) {
  return {maximum_of_pairs<__half2>(a.words, b.words)};
}
DEVICE Vector<__nv_bfloat16> maximum(const Vector<__nv_bfloat16>& a,
                                     const Vector<__nv_bfloat16>& b) {
  return {maximum_of_pairs<__nv_bfloat162>(a.words, b.words)};
}

template <class Storage>
DEVICE ScalarOf<Storage> largest(const Vector<Storage>& v) {
  ScalarOf<Storage> m = v.get(0);
#pragma unroll
  for (int i = 1; i < Vector<Storage>::size; ++i) m = fmax(m, v.get(i));
  return m;
}

}  // namespace
}  // namespace noisykernels
