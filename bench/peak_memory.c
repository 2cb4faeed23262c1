// Counts what malloc hands out, and the most of it at a time: preloaded, it sees every allocation of
// a process, those inside kernels too, which torch's own profiler does not.
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

extern void* __libc_malloc(size_t size);
extern void* __libc_calloc(size_t count, size_t size);
extern void* __libc_realloc(void* block, size_t size);
extern void* __libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void* block);

static atomic_long used, most;

static void* taken(void* block) {
  const long now = atomic_fetch_add(&used, malloc_usable_size(block)) + malloc_usable_size(block);
  long before = atomic_load(&most);
  while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) {
  }
  return block;
}

static void given_back(void* block) { atomic_fetch_sub(&used, malloc_usable_size(block)); }

void* malloc(size_t size) { return taken(__libc_malloc(size)); }

void* calloc(size_t count, size_t size) { return taken(__libc_calloc(count, size)); }

void* realloc(void* block, size_t size) {
  given_back(block);
  return taken(__libc_realloc(block, size));
}

void free(void* block) {
  given_back(block);
  __libc_free(block);
}

void* memalign(size_t alignment, size_t size) { return taken(__libc_memalign(alignment, size)); }

void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block ? 0 : 12;  // ENOMEM
}

// Starts a new peak; returns the bytes in use.
long peak_memory_start(void) {
  const long now = atomic_load(&used);
  atomic_store(&most, now);
  return now;
}

long peak_memory(void) { return atomic_load(&most); }
