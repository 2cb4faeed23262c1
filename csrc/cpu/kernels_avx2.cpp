#include "kernels.h"

#ifdef NOISYKERNELS_X86_LEVELS
// Before any other header: what follows, and nothing else in the library, is compiled for this
// level.
#pragma GCC target("avx2,fma,f16c")
#define NOISYKERNELS_LEVEL avx2
#define NOISYKERNELS_LEVEL_NAME "avx2"
#define NOISYKERNELS_VECTOR_BYTES 32
#include "skeleton.h"
#endif
