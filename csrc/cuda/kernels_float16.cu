#define NOISYKERNELS_DTYPE float16
#define NOISYKERNELS_STORAGE __half
#include "kernels.h"
