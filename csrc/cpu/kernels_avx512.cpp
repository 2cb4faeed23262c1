#include "kernels.h"

#ifdef NOISYKERNELS_X86_LEVELS
// Before any other header: what follows, and nothing else in the library, is compiled for this
// level.
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#define NOISYKERNELS_LEVEL avx512
#define NOISYKERNELS_LEVEL_NAME "avx512"
#define NOISYKERNELS_VECTOR_BYTES 64
#include "skeleton.h"
#endif
