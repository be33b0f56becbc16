#include "tests/unit/tun/network_namespace.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "runnel/unique_fd.h"

namespace runnel::tun {
namespace {

constexpr unsigned kLongestSeconds = 60;

bool write_file(const char* path, const std::string& text) {
  const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool enter_namespaces() {
  const unsigned uid = ::geteuid();
  const unsigned gid = ::getegid();
  bool entered = ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0;
  if (!entered) {
    entered = ::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == 0 &&
              write_file("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1") &&
              write_file("/proc/self/setgroups", "deny") &&
              write_file("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
  }
  return entered && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

[[noreturn]] void run_child(const std::function<void()>& body) {
  ::alarm(kLongestSeconds);
  if (!enter_namespaces()) {
    ADD_FAILURE() << "this needs root, or user namespaces: " << std::strerror(errno);
  } else {
    try {
      body();
    } catch (const std::exception& error) {
      ADD_FAILURE() << "threw: " << error.what();
    }
  }
  std::fflush(nullptr);
  ::_exit(::testing::Test::HasFailure() ? 1 : 0);
}

}  // namespace

void in_network_namespace(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0) << std::strerror(errno);
  if (child == 0) run_child(body);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_FALSE(WIFSIGNALED(status)) << "killed by signal " << WTERMSIG(status);
  ASSERT_EQ(WEXITSTATUS(status), 0) << "see above";
}

void shell(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

void drop_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  ASSERT_EQ(::syscall(SYS_capget, &header, sets.data()), 0);
  const auto index = static_cast<unsigned>(capability);
  sets.at(index / 32).effective &= ~(1U << (index % 32));
  ASSERT_EQ(::syscall(SYS_capset, &header, sets.data()), 0);
}

void hide_dev_net() {
  ASSERT_EQ(::mount("none", "/dev/net", "tmpfs", 0, "mode=755"), 0) << std::strerror(errno);
}

}  // namespace runnel::tun
