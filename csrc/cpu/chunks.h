// Long rows, which threads may share.
#pragma once

#include "kernels.h"
#include "vector.h"

namespace noisykernels {
namespace {

// Chunks whose results wait to be merged.
constexpr int64_t kMostParts = 64;

// Calls visit(i, begin of the i-th chunk, its end) for the chunks of a range of classes.
template <class Visit>
INLINE void for_chunks(const ForwardArguments& a, int64_t begin, int64_t end, Visit visit) {
  const auto call = [&](int64_t i) {
    const int64_t first = begin + i * kChunk;
    visit(i, first, end - first < kChunk ? end : first + kChunk);
  };
  const int64_t chunks = (end - begin + kChunk - 1) / kChunk;
  if (a.share && chunks > 1) {
    const auto body = [](const void* f, int64_t i) { (*static_cast<decltype(&call)>(f))(i); };
    a.share(chunks, body, &call);
  } else {
    for (int64_t i = 0; i < chunks; ++i) call(i);
  }
}

// Adds up what visit(begin, end, part) leaves in `part` for each chunk of a row, in their order;
// `total` is what it starts from. A row that is not `chunked` is visited at once.
template <bool chunked, class Part, class Visit, class Merge>
INLINE void merge_chunks(const ForwardArguments& a, Part& total, Visit visit, Merge merge) {
  if constexpr (!chunked) {
    visit(0, a.classes, total);
  } else {
    const Part nothing = total;
    for (int64_t begin = 0; begin < a.classes; begin += kMostParts * kChunk) {
      const int64_t rest = a.classes - begin;
      const int64_t end = rest < kMostParts * kChunk ? a.classes : begin + kMostParts * kChunk;
      Part parts[kMostParts];
      for_chunks(a, begin, end, [&](int64_t i, int64_t first, int64_t last) {
        parts[i] = nothing;
        visit(first, last, parts[i]);
      });
      for (int64_t i = 0; i * kChunk < end - begin; ++i) merge(total, parts[i]);
    }
  }
}

// Adds two structs of doubles number by number.
struct Add {
  template <class Sums>
  INLINE void operator()(Sums& total, const Sums& part) const {
    constexpr int count = sizeof(Sums) / sizeof(double);
    double sum[count], more[count];
    memcpy(sum, &total, sizeof total);
    memcpy(more, &part, sizeof part);
    for (int i = 0; i < count; ++i) sum[i] += more[i];
    memcpy(&total, sum, sizeof total);
  }
};

}  // namespace
}  // namespace noisykernels
