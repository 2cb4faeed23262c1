// The choice of SIMD level, made at run time.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace noisykernels {

const Kernels& kernels();

std::string simd_level();

// Levels that this library holds and this machine runs, best first.
std::vector<std::string> simd_levels();

// Use the named level from now on; std::invalid_argument where it is not one of simd_levels().
void set_simd_level(const std::string& name);

}  // namespace noisykernels
