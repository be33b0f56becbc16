#include "runnel/driver.h"

#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "runnel/system.h"
#include "tun/adaptive_spin.h"
#include "tun/packet_input.h"
#include "tun/packet_output.h"
#include "tun/poller.h"
#include "tun/post_queue.h"
#include "tun/spare_memory.h"
#include "tun/timed_functions.h"
#include "tun/watched_descriptors.h"

namespace runnel::tun {
namespace {

// Whole batches that are read before any is written: what is written brings acknowledgments, and
// our acknowledgments text, into a queue that loses what does not fit. As many octets are written
// then, and as many packets when the queue has run empty, half as many when it has not. Text in the
// queue is bounded by the windows (see fit_receive_windows in apps/host.cc), acknowledgments are
// not: when those of the packets that one turn writes are half of what the next one reads, they
// never take more places than the text does.
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
constexpr Duration kLongestFlush = std::chrono::seconds(1);

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
        arriving(the_stack, the_device),
        leaving(the_stack, the_device),
        watches(poller),
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
  void pass_strays();

  // Polls the device for as long as that promises something, and makes a turn of what comes. False
  // when nothing came.
  bool poll_device();
  // Waits for something to do, at most `longest`.
  void wait(std::optional<Duration> longest);
  // Writes what is queued, for a second at most.
  void flush();

  [[nodiscard]] Instant next_deadline() const;
  void device_is_ready(std::uint32_t events);
  void update_interest();
  void pause_input(Duration pause);

  Stack& stack;
  Sockets& sockets;
  Device& device;
  PacketInput arriving;
  PacketOutput leaving;
  Poller poller;
  PostQueue posted;
  TimedFunctions timers;
  WatchedDescriptors watches;

  AdaptiveSpin spin;
  std::size_t bulk_octets;             // so much in a batch is bulk: see AdaptiveSpin
  std::optional<Instant> empty_since;  // when, after the last packet, the loop ran out of work
  SpareMemory spare_memory;
  Instant looked_around{};
  Instant now{};  // when the turn under way began

  Parts* next = nullptr;               // whose stack is shown the strays of this one's
  std::atomic<int> strays_waiting{0};  // for this one's stack

  bool is_backlogged = false;        // the last batch of input was a whole one
  std::size_t batches = 1;           // of input that this turn has read
  bool is_waiting_for_room = false;  // in the device, which the poller is asked to report
  bool is_paused = false;            // the device is left alone for a while
  bool is_stopping = false;
};

bool Driver::Parts::turn() {
  now = monotonic_now();
  if (!is_paused && device.next_deadline() <= now) {
    device.release();
    arriving.look_again();
  }
  // Packets before timers. A thread that had to wait for its processor finds both: then the ACK
  // that a timer would miss lies in the device, also if the last wait did not see it yet.
  if (!is_paused && stack.next_deadline() <= now) {
    arriving.look_again();
    arriving.expect_many();
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

bool Driver::Parts::input() {
  const PacketInput::Batch batch = arriving.read(now);
  is_backlogged = batch.is_whole;
  if (batch.pause > Duration::zero()) pause_input(batch.pause);
  if (batch.packets == 0) return false;
  if (empty_since) {
    if (batch.octets >= bulk_octets) {
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
  worked |= timers.run(now);
  worked |= watches.run();
  worked |= sockets.dispatch() > 0;
  return worked;
}

bool Driver::Parts::output() {
  now = monotonic_now();
  const std::size_t share = is_backlogged ? std::max(batches / 2, std::size_t{1}) : batches;
  const std::size_t most = PacketInput::kBatchPackets * share;
  const std::size_t count = leaving.write(most, batches * PacketInput::kBatchOctets, now);
  if (leaving.may_write() == is_waiting_for_room) {
    is_waiting_for_room = !leaving.may_write();
    update_interest();
  }
  if (count == 0) return false;
  empty_since.reset();
  // A peer that is this machine's own kernel has answered before write() returned.
  if (!is_paused) arriving.look_again();
  return true;
}

Instant Driver::Parts::next_deadline() const {
  const Instant deadline = std::min(stack.next_deadline(), timers.next_deadline());
  return is_paused ? deadline : std::min(deadline, device.next_deadline());
}

bool Driver::Parts::poll_device() {
  const Duration limit = spin.limit();
  if (limit == Duration::zero() || is_paused || !leaving.may_write() || !empty_since) return false;
  now = monotonic_now();
  const Instant end = std::min(*empty_since + limit, next_deadline());
  while (now < end && !posted.has_posts()) {
    arriving.look_again();
    if (input()) {
      answer();
      return true;
    }
    now = monotonic_now();
  }
  return false;
}

void Driver::Parts::wait(std::optional<Duration> longest) {
  spare_memory.count(stack.connection_count());
  if (longest != Duration::zero()) spare_memory.give_back(stack.connection_count());
  looked_around = monotonic_now();
  if (const Instant deadline = next_deadline(); deadline != kNever) {
    const Duration until = deadline - looked_around;
    longest = longest ? std::min(*longest, until) : until;
  }
  watches.forget_ready();
  for (const epoll_event& event : poller.wait(longest)) {
    if (event.data.fd == device.descriptor()) {
      device_is_ready(event.events);
    } else if (event.data.fd != posted.descriptor()) {
      watches.is_ready(event.data.fd);
    }
  }
}

void Driver::Parts::flush() {
  const Instant end = monotonic_now() + kLongestFlush;
  while (output() || !leaving.may_write()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - monotonic_now()).count();
    if (left <= 0) return;
    if (leaving.may_write()) continue;
    pollfd writable{.fd = device.descriptor(), .events = POLLOUT, .revents = 0};
    ::poll(&writable, 1, static_cast<int>(left));
    if ((writable.revents & POLLOUT) == 0) return;
    leaving.device_has_room();
  }
}

void Driver::Parts::device_is_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) leaving.device_has_room();
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) arriving.descriptor_has_error();
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) arriving.look_again();
}

void Driver::Parts::update_interest() {
  if (is_paused) return;
  poller.watch(device.descriptor(), is_waiting_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Driver::Parts::pause_input(Duration pause) {
  arriving.look_away();
  is_paused = true;
  poller.forget(device.descriptor());
  timers.add(monotonic_now() + pause, [this] {
    is_paused = false;
    arriving.look_again();
    leaving.device_has_room();
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
  parts_->timers.add(now + std::min(delay, kNever - now), std::move(function));
}

void Driver::watch(int descriptor, std::function<void()> function) {
  parts_->watches.watch(descriptor, std::move(function));
}

void Driver::unwatch(int descriptor) {
  parts_->watches.unwatch(descriptor);
}

}  // namespace runnel::tun
