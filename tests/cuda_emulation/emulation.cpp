#include "emulation.h"

#include <bit>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

thread_local dim3 blockDim, gridDim;
thread_local uint3 blockIdx, threadIdx;

namespace emulation {

unsigned seed = 0, processors = 0;

namespace {

constexpr size_t kStackBytes = 256 * 1024;

struct Fiber {
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  ucontext_t start;
  jmp_buf place;
  bool started, ended;
  std::function<bool()> condition;  // to go on
  unsigned char value[8];           // that it passes in a shuffle
};

// Where threads wait for each other, again and again.
struct Meeting {
  unsigned here = 0, times = 0;
};

// Of the block that a thread of the host runs.
thread_local std::vector<Fiber>* own_fibers;
thread_local Fiber* running;
thread_local jmp_buf scheduler;
thread_local const std::function<void()>* body;
thread_local unsigned alive;
thread_local Meeting barrier;
thread_local std::map<std::pair<unsigned, unsigned>, Meeting> shuffles;  // of a warp, by members

[[noreturn]] void fail(const char* message) {
  std::fprintf(stderr, "emulation: block %u, thread %u: %s\n", blockIdx.x, threadIdx.x, message);
  std::abort();
}

// The sanitizer has to know whose stack it is looking at.
void leave(bool for_good, const void* stack, size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  static thread_local void* unused;
  __sanitizer_start_switch_fiber(for_good ? nullptr : &unused, stack, size);
#else
  (void)for_good, (void)stack, (void)size;
#endif
}
thread_local const void* scheduler_stack;
thread_local size_t scheduler_size;
void arrive() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
}

void enter() {
  arrive();
  (*body)();
  running->ended = true;
  --alive;
  leave(true, scheduler_stack, scheduler_size);
  _longjmp(scheduler, 1);
}

void resume(unsigned thread) {
  Fiber& fiber = (*own_fibers)[thread];
  running = &fiber;
  threadIdx = {thread, 0, 0};
  if (_setjmp(scheduler) == 0) {
    leave(false, fiber.stack.get(), kStackBytes);
    if (fiber.started) _longjmp(fiber.place, 1);
    fiber.started = true;
    setcontext(&fiber.start);
  }
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

// Gives the other fibers a turn until `condition` holds.
void wait_until(const std::function<bool()>& condition) {
  if (condition()) return;
  running->condition = condition;
  if (_setjmp(running->place) == 0) {
    leave(false, scheduler_stack, scheduler_size);
    _longjmp(scheduler, 1);
  }
  arrive();
}

void meet(Meeting& meeting, const unsigned& members) {
  ++meeting.here;
  wait_until([&, before = meeting.times] {
    if (meeting.times == before && meeting.here == members) {
      meeting.here = 0;
      ++meeting.times;
    }
    return meeting.times != before;
  });
}

std::vector<unsigned> permutation(unsigned count) {
  static std::mt19937 generator;
  static unsigned last_seed = ~0u;
  if (last_seed != seed) generator.seed(last_seed = seed);
  std::vector<unsigned> order(count);
  for (unsigned i = 0; i < count; ++i) order[i] = i;
  if (seed) std::shuffle(order.begin(), order.end(), generator);
  return order;
}

// Calls `kernel` in a fiber for each thread of a block.
void run_block(const std::function<void()>& kernel) {
  const unsigned threads = blockDim.x;
  std::vector<Fiber>& fibers = *own_fibers;
  if (fibers.size() < threads) fibers.resize(threads);
  body = &kernel;
  alive = threads;
  barrier = {};
  shuffles.clear();
  for (unsigned t = 0; t < threads; ++t) {
    Fiber& fiber = fibers[t];
    fiber.started = fiber.ended = false;
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack.get();
    fiber.start.uc_stack.ss_size = kStackBytes;
    fiber.start.uc_link = nullptr;
    makecontext(&fiber.start, enter, 0);
  }
  const std::vector<unsigned> order = permutation(threads);
  while (alive > 0) {
    bool moved = false;
    for (unsigned t : order) {
      if (fibers[t].ended || (fibers[t].condition && !fibers[t].condition())) continue;
      fibers[t].condition = nullptr;
      resume(t);
      moved = true;
    }
    if (!moved) fail("waits for threads that do not come");
  }
}

// The blocks of a cooperative launch: one at a time has its turn.
class Turns {
 public:
  explicit Turns(unsigned blocks) : blocks_(blocks) {}

  void wait(unsigned block) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == block; });
  }
  // At the barrier, or at the end: all blocks have to come to the same.
  void pass(bool at_end) {
    const std::lock_guard lock(mutex_);
    if (turn_ > 0 && at_end != at_end_) fail("waits for blocks that do not come");
    at_end_ = at_end;
    turn_ = (turn_ + 1) % blocks_;
    changed_.notify_all();
  }

 private:
  const unsigned blocks_;
  unsigned turn_ = 0;
  bool at_end_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
};
Turns* turns;
thread_local unsigned own_turn;

}  // namespace

void run_grid(dim3 grid, dim3 block, bool cooperative, const std::function<void()>& kernel) {
  // Stacks stay for the next launch: to allocate them takes longer than most blocks.
  static std::deque<std::vector<Fiber>> fibers(1);
  const std::vector<unsigned> order = permutation(grid.x * grid.y);
  const auto run = [&](unsigned index, unsigned place) {
    own_fibers = &fibers[place];
    gridDim = grid;
    blockDim = block;
    blockIdx = {index % grid.x, index / grid.x, 0};
    run_block(kernel);
  };
  if (!cooperative) {
    for (unsigned index : order) run(index, 0);
    return;
  }
  if (fibers.size() < order.size()) fibers.resize(order.size());
  Turns all(unsigned(order.size()));
  turns = &all;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < order.size(); ++i) {
    threads.emplace_back([&, i] {
      own_turn = i;
      all.wait(i);
      run(order[i], i);
      all.pass(true);
    });
  }
  for (std::thread& thread : threads) thread.join();
  turns = nullptr;
}

void synchronize_grid() {
  if (!turns) fail("waits for blocks that may not be under way");
  __syncthreads();
  if (threadIdx.x == 0) {
    turns->pass(false);
    turns->wait(own_turn);
  }
  __syncthreads();
}

void shuffle(unsigned members, int source, void* value, size_t size) {
  const unsigned warp = threadIdx.x / 32;
  if (!(members >> threadIdx.x % 32 & 1) || !(members >> source & 1)) fail("is not of the shuffle");
  Meeting& meeting = shuffles[{warp, members}];
  const unsigned count = unsigned(std::popcount(members));
  memcpy(running->value, value, size);
  meet(meeting, count);
  memcpy(value, (*own_fibers)[warp * 32 + source].value, size);
  meet(meeting, count);
}

}  // namespace emulation

void __syncthreads() { emulation::meet(emulation::barrier, emulation::alive); }

const char* cudaGetErrorString(cudaError_t) { return "emulated"; }
