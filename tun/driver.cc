#include "runnel/driver.h"

#include <malloc.h>
#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runnel/system.h"
#include "tun/adaptive_spin.h"
#include "tun/kept_frame.h"
#include "tun/poller.h"
#include "tun/post_queue.h"

namespace runnel::tun {
namespace {

// What a turn moves at most in each direction, so that neither starves the other. The octets stand
// for the time that a batch takes: a clock would have to be read for every packet. So many fit into
// a processor's own cache, where the next batch finds the blocks of the last one.
constexpr std::size_t kBatchPackets = 64;
constexpr std::size_t kBatchOctets = std::size_t{256} << 10U;
// Whole batches that are read before any is written: what is written brings acknowledgments, and
// our acknowledgments text, into a queue that loses what does not fit. As many octets are written
// then, and as many packets when the queue has run empty.
constexpr std::size_t kMostBatches = 8;
// While there is work, the other descriptors are looked at so often.
constexpr Duration kLookAround = std::chrono::milliseconds(1);
// Packets from other drivers' stacks that may wait for this one.
constexpr int kMostStrays = 1024;
// Polling before sleep is to bridge the time in which a peer on another processor wakes up and
// answers. The patience keeps it off in traffic that is not a ping-pong.
constexpr Duration kLongestSpin = std::chrono::microseconds(50);
constexpr int kPatience = 8;
// Who sends so much at a time does not wait for an answer to each piece.
constexpr std::size_t kBulkOctets = std::size_t{8} << 10U;
// How long a device that reports an error, but has none to show, is left alone.
constexpr Duration kErrorPause = std::chrono::milliseconds(100);
// How long input waits when there is no memory for a single packet.
constexpr Duration kNoBufferPause = std::chrono::milliseconds(10);
// Fewer connections leave nothing behind that would be worth the heap's time.
constexpr std::size_t kManyConnections = 1000;
constexpr Duration kLongestFlush = std::chrono::seconds(1);

using Function = std::function<void()>;

// Lets this thread's waits end when they were asked to, not up to 50 us later as is the default.
class FineTimerSlack {
 public:
  FineTimerSlack() noexcept : before_(::prctl(PR_GET_TIMERSLACK)) { set(1); }
  FineTimerSlack(const FineTimerSlack&) = delete;
  FineTimerSlack& operator=(const FineTimerSlack&) = delete;
  ~FineTimerSlack() { set(before_); }

 private:
  static void set(int nanoseconds) noexcept {
    if (nanoseconds > 0) ::prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(nanoseconds));
  }
  int before_;
};

}  // namespace

struct Driver::Parts {
  Parts(Stack& the_stack, Sockets& the_sockets, Device& the_device, const DriverOptions& options)
      : stack(the_stack),
        sockets(the_sockets),
        device(the_device),
        spin(options.busy_poll ? AdaptiveSpin(*options.busy_poll, 1)
                               : AdaptiveSpin(kLongestSpin, kPatience)),
        bulk_octets(options.busy_poll ? SIZE_MAX : kBulkOctets) {
    poller.watch(posted.descriptor(), EPOLLIN);
    update_interest();
  }

  // One turn; returns whether there was anything to do.
  bool turn();
  bool input();
  // What follows the input.
  bool answer();
  bool application();
  bool output();
  bool run_timers();
  bool run_watches();
  bool write_kept();
  void pass_strays();

  // Polls the device for as long as that promises something, and makes a turn of what comes. False
  // when nothing came.
  bool poll_device();
  // Has the heap give back what many connections have left to it.
  void give_memory_back();
  // Waits for something to do, at most `longest`.
  void wait(std::optional<Duration> longest);
  // Writes what is queued, for a second at most.
  void flush();

  [[nodiscard]] Instant next_deadline() const;
  void device_is_ready(std::uint32_t events);
  void update_interest();
  void pause_input(Duration pause);

  struct Watch {
    std::shared_ptr<Function> function;  // shared with the call under way, which may end the watch
    bool is_always_ready = false;
  };

  Stack& stack;
  Sockets& sockets;
  Device& device;
  Poller poller;
  PostQueue posted;
  std::multimap<Instant, Function> timers;
  std::unordered_map<int, Watch> watches;
  std::vector<int> ready;  // watched descriptors that the last wait reported

  RxBuffer buffer;   // for the next packet
  RxBuffer reserve;  // for packets while the stack has no buffer to give
  TxFrame frame;
  KeptFrame kept;
  std::size_t input_limit = 1;  // packets of the next batch

  AdaptiveSpin spin;
  std::size_t bulk_octets;             // so much in a batch is bulk: see AdaptiveSpin
  std::optional<Instant> empty_since;  // when, after the last packet, the loop ran out of work
  std::size_t most_connections = 0;    // since memory was given back
  Instant looked_around{};
  Instant now{};  // when the turn under way began

  Parts* next = nullptr;               // whose stack is shown the strays of this one's
  std::atomic<int> strays_waiting{0};  // for this one's stack

  bool may_read = true;              // the device may have a packet: not known to be empty
  bool is_backlogged = false;        // the last batch of input was a whole one
  std::size_t batches = 1;           // of input that this turn has read
  bool may_write = true;             // the device was not Full, or is writable again
  bool is_waiting_for_room = false;  // ... which the poller is asked to report
  bool is_paused = false;
  bool has_error = false;  // the device's descriptor reported an error
  bool is_stopping = false;
};

bool Driver::Parts::turn() {
  now = monotonic_now();
  if (!is_paused && device.next_deadline() <= now) {
    device.release();
    may_read = true;
  }
  // Packets before timers. A thread that had to wait for its processor finds both: then the ACK
  // that a timer would miss lies in the device, also if the last wait did not see it yet.
  if (!is_paused && stack.next_deadline() <= now) {
    may_read = true;
    input_limit = kBatchPackets;
  }
  const bool has_input = input();
  for (batches = 1; is_backlogged && batches < kMostBatches; ++batches) {
    stack.advance(now);
    (void)application();  // which gives back the blocks that the next batch lies in
    (void)input();
  }
  const bool has_worked = answer() || has_input;
  if (!has_worked && !empty_since) empty_since = now;
  return has_worked;
}

bool Driver::Parts::answer() {
  stack.advance(now);
  bool worked = application();
  worked |= output();
  // Packets to this host itself never reach the device: poll_transmit() delivers them, and what
  // they cause must not wait for something else to happen.
  worked |= sockets.dispatch() > 0;
  return worked;
}

// A batch begins with a single packet and doubles while there are more. So the answer to a packet
// that came alone is not held up by the read that finds the device empty.
bool Driver::Parts::input() {
  if (!reserve) reserve = stack.acquire_rx_buffer();
  std::size_t count = 0;
  std::size_t octets = 0;
  while (may_read && count < input_limit && octets < kBatchOctets) {
    if (!buffer) buffer = stack.acquire_rx_buffer();
    RxBuffer& into = buffer ? buffer : reserve;
    if (!into) {
      pause_input(kNoBufferPause);
    } else if (device.read(into) == Device::ReadStatus::Empty) {
      may_read = false;
      // What it was would have been thrown by read(). Do not let epoll report it for ever.
      if (std::exchange(has_error, false)) pause_input(kErrorPause);
    } else {
      ++count;
      octets += into.packet().size();
      if (buffer) {
        stack.receive(std::move(buffer), now);
      } else {
        stack.receive(reserve.packet(), now, reserve.meta);
      }
    }
  }
  is_backlogged = count >= kBatchPackets || octets >= kBatchOctets;
  if (count == 0) return false;
  input_limit = std::min(count * 2, kBatchPackets);
  if (empty_since) {
    if (octets >= bulk_octets) {
      spin.on_bulk();
    } else {
      spin.on_packet_after(now - *empty_since);
    }
  }
  empty_since.reset();
  pass_strays();
  return true;
}

void Driver::Parts::pass_strays() {
  while (const auto stray = stack.poll_stray()) {
    // A flood of them is no reason to fill the other's memory: TCP repeats what is lost.
    if (next == nullptr || next->strays_waiting.load(std::memory_order_relaxed) >= kMostStrays) {
      stack.count_drop(DropReason::StrayNotTaken);
      continue;
    }
    ++next->strays_waiting;
    const Bytes octets = stray->packet();
    next->posted.post([to = next, meta = stray->meta,
                       copy = std::vector<std::uint8_t>(octets.begin(), octets.end())] {
      --to->strays_waiting;
      to->stack.receive(copy, monotonic_now(), meta);
      to->pass_strays();
    });
  }
}

bool Driver::Parts::application() {
  bool worked = posted.run();
  worked |= run_timers();
  worked |= run_watches();
  worked |= sockets.dispatch() > 0;
  return worked;
}

bool Driver::Parts::run_timers() {
  if (timers.empty()) return false;
  bool any = false;
  while (!timers.empty() && timers.begin()->first <= now) {
    const auto due = timers.extract(timers.begin());
    due.mapped()();
    any = true;
  }
  return any;
}

bool Driver::Parts::run_watches() {
  if (watches.empty()) return false;
  std::vector<int> running = std::exchange(ready, {});
  for (const auto& [descriptor, watch] : watches) {
    if (watch.is_always_ready) running.push_back(descriptor);
  }
  bool any = false;
  for (const int descriptor : running) {
    const auto found = watches.find(descriptor);
    if (found == watches.end()) continue;  // by one of those before it
    const auto function = found->second.function;
    (*function)();
    any = true;
  }
  return any;
}

bool Driver::Parts::output() {
  now = monotonic_now();
  std::size_t count = 0;
  std::size_t octets = 0;
  if (may_write && kept && write_kept()) ++count;
  const std::size_t most = kBatchPackets * (is_backlogged ? 1 : batches);
  while (may_write && count < most && octets < batches * kBatchOctets &&
         stack.poll_transmit(frame, now)) {
    octets += frame.size();
    if (device.write_in_batch(frame) == Device::WriteStatus::Full) {
      kept.keep(frame);
      may_write = false;
    } else {
      ++count;
    }
  }
  if (may_write) may_write = device.finish_batch() != Device::WriteStatus::Full;
  if (may_write == is_waiting_for_room) {
    is_waiting_for_room = !may_write;
    update_interest();
  }
  if (count == 0) return false;
  empty_since.reset();
  // A peer that is this machine's own kernel has answered before write() returned.
  if (!is_paused) may_read = true;
  return true;
}

bool Driver::Parts::write_kept() {
  may_write = device.write(kept.frame()) != Device::WriteStatus::Full;
  if (may_write) kept.forget();
  return may_write;
}

Instant Driver::Parts::next_deadline() const {
  Instant deadline = stack.next_deadline();
  if (!is_paused) deadline = std::min(deadline, device.next_deadline());
  if (!timers.empty()) deadline = std::min(deadline, timers.begin()->first);
  return deadline;
}

bool Driver::Parts::poll_device() {
  const Duration limit = spin.limit();
  if (limit == Duration::zero() || is_paused || !may_write || !empty_since) return false;
  now = monotonic_now();
  const Instant end = std::min(*empty_since + limit, next_deadline());
  while (now < end && !posted.has_posts()) {
    may_read = true;
    if (input()) {
      answer();
      return true;
    }
    now = monotonic_now();
  }
  return false;
}

// The heap keeps what is freed in its middle, however much that is, until it is told not to. That
// takes some time, so it is done when the loop has nothing else to do, and each time that half of
// the connections have gone.
void Driver::Parts::give_memory_back() {
  const std::size_t count = stack.connection_count();
  if (most_connections < kManyConnections || count > most_connections / 2) return;
  ::malloc_trim(0);
  most_connections = count;
}

void Driver::Parts::wait(std::optional<Duration> longest) {
  most_connections = std::max(most_connections, stack.connection_count());
  if (longest != Duration::zero()) give_memory_back();
  looked_around = monotonic_now();
  if (const Instant deadline = next_deadline(); deadline != kNever) {
    const Duration until = deadline - looked_around;
    longest = longest ? std::min(*longest, until) : until;
  }
  ready.clear();
  for (const epoll_event& event : poller.wait(longest)) {
    if (event.data.fd == device.descriptor()) {
      device_is_ready(event.events);
    } else if (event.data.fd != posted.descriptor()) {
      ready.push_back(event.data.fd);
    }
  }
}

void Driver::Parts::flush() {
  const Instant end = monotonic_now() + kLongestFlush;
  while (output() || !may_write) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - monotonic_now()).count();
    if (left <= 0) return;
    if (may_write) continue;
    pollfd writable{.fd = device.descriptor(), .events = POLLOUT, .revents = 0};
    ::poll(&writable, 1, static_cast<int>(left));
    if ((writable.revents & POLLOUT) == 0) return;
    may_write = true;
  }
}

void Driver::Parts::device_is_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) may_write = true;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) has_error = true;
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) may_read = true;
}

void Driver::Parts::update_interest() {
  if (is_paused) return;
  poller.watch(device.descriptor(), is_waiting_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Driver::Parts::pause_input(Duration pause) {
  may_read = false;
  is_paused = true;
  poller.forget(device.descriptor());
  timers.emplace(monotonic_now() + pause, [this] {
    is_paused = false;
    may_read = true;
    may_write = true;
    update_interest();
  });
}

Driver::Driver(Stack& stack, Sockets& sockets, Device& device, const DriverOptions& options)
    : parts_(std::make_unique<Parts>(stack, sockets, device, options)) {}

Driver::~Driver() = default;

void Driver::run() {
  const FineTimerSlack slack;
  Parts& p = *parts_;
  while (!p.is_stopping) {
    const bool has_worked = p.turn();
    if (p.is_stopping) break;
    if (has_worked || p.poll_device()) {
      if (p.now - p.looked_around >= kLookAround) p.wait(Duration::zero());
    } else {
      p.wait(std::nullopt);
    }
  }
  p.is_stopping = false;
  p.flush();
}

void Driver::run_once(Duration longest) {
  if (parts_->turn()) return;
  parts_->wait(longest);
  parts_->turn();
}

void Driver::stop() noexcept {
  parts_->is_stopping = true;
}

void Driver::post(std::function<void()> function) {
  parts_->posted.post(std::move(function));
}

void Driver::pass_strays_to(Driver& next) noexcept {
  parts_->next = next.parts_.get();
}

void Driver::after(Duration delay, std::function<void()> function) {
  const Instant now = monotonic_now();
  parts_->timers.emplace(now + std::min(delay, kNever - now), std::move(function));
}

void Driver::watch(int descriptor, std::function<void()> function) {
  const bool waits = parts_->poller.watch(descriptor, EPOLLIN);
  parts_->watches[descriptor] = {std::make_shared<Function>(std::move(function)), !waits};
}

void Driver::unwatch(int descriptor) {
  if (parts_->watches.erase(descriptor) > 0) parts_->poller.forget(descriptor);
}

}  // namespace runnel::tun
