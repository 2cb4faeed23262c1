#include "dispatch.h"

#include <atomic>
#include <stdexcept>

namespace noisykernels {
namespace {

std::vector<const Kernels*> usable() {
  std::vector<const Kernels*> levels;
#ifdef NOISYKERNELS_X86_LEVELS
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    levels.push_back(&avx512::kernels);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c")) {
    levels.push_back(&avx2::kernels);
  }
#endif
  levels.push_back(&baseline::kernels);
  return levels;
}

std::atomic<const Kernels*>& current() {
  static std::atomic<const Kernels*> level{usable().front()};
  return level;
}

}  // namespace

const Kernels& kernels() { return *current().load(std::memory_order_relaxed); }

std::string simd_level() { return kernels().level; }

std::vector<std::string> simd_levels() {
  std::vector<std::string> names;
  for (const Kernels* level : usable()) names.push_back(level->level);
  return names;
}

void set_simd_level(const std::string& name) {
  std::string known;
  for (const Kernels* level : usable()) {
    if (name == level->level) {
      current() = level;
      return;
    }
    known += known.empty() ? level->level : std::string(", ") + level->level;
  }
  throw std::invalid_argument("SIMD level '" + name +
                              "' is not one of those this machine runs: " + known);
}

}  // namespace noisykernels
