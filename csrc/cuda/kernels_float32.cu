#define NOISYKERNELS_DTYPE float32
#define NOISYKERNELS_STORAGE float
#include "kernels.h"
