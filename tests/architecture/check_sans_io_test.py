#!/usr/bin/env python3
"""Compiles objects that do what stack/ must not, and expects check_sans_io.sh to name the symbol.

Usage: check_sans_io_test.py [COMPILER]
"""
import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts",
                      "check_sans_io.sh")
COMPILER = "c++"

# What stack/ may do: containers, strings, errors, numbers as text, static objects, exceptions.
PURE = """
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <variant>
#include <vector>
class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "test"; }
  std::string message(int code) const override { return "code " + std::to_string(code); }
  std::error_condition default_error_condition(int code) const noexcept override {
    return std::error_condition(code, std::generic_category());
  }
};
const std::error_category& category() { static const Category instance; return instance; }
struct Base { virtual ~Base() = default; virtual int f() = 0; };
struct Derived : Base { int f() override { return 1; } };
int use(std::string_view text, unsigned __int128 a, unsigned __int128 b, unsigned __int128& out) {
  assert(!text.empty());
  std::vector<std::string> words(4, std::string(text));
  words.at(3).append("x").resize(40);
  std::unordered_map<int, int> table{{1, 2}};
  std::map<int, std::string> sorted{{1, "a"}};
  std::list<int> list{1}; std::deque<int> deque{1};
  std::function<int()> function = [&] { return table[3]; };
  std::variant<int, std::string> variant = words[0];
  std::array<char, 32> digits{};
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), 12345);
  int number = 0;
  std::from_chars(digits.data(), end.ptr, number);
  std::unique_ptr<Base> base = std::make_unique<Derived>();
  out = a / b;
  if (number > 1 << 20) throw std::invalid_argument("too large");
  std::error_code error(1, category());
  if (error == std::errc::timed_out) number++;
  try { words.at(9) = "out of range"; } catch (const std::exception&) { number--; }
  return function() + number + base->f() + static_cast<int>(std::get<std::string>(variant).size()) +
         sorted.begin()->first + list.front() + deque.front() +
         std::memcmp(text.data(), digits.data(), 2) + static_cast<int>(error.message().size());
}
"""

# What it must not: the source, and a part of the symbol that gives it away.
FORBIDDEN = {
    "clock_gettime": "#include <ctime>\nlong f() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t);"
                     " return t.tv_nsec; }",
    "steady_clock": "#include <chrono>\nauto f() { return std::chrono::steady_clock::now(); }",
    "gettimeofday": "#include <sys/time.h>\nlong f() { timeval t; gettimeofday(&t, nullptr);"
                    " return t.tv_sec; }",
    "getrandom": "#include <sys/random.h>\nlong f() { char c; return getrandom(&c, 1, 0); }",
    "random_device": "#include <random>\nunsigned f() { return std::random_device{}(); }",
    "rand": "#include <cstdlib>\nint f() { return rand(); }",
    "printf": '#include <cstdio>\nvoid f(int n) { printf("%d", n); }',
    "puts": '#include <cstdio>\nvoid f() { puts("x"); }',
    "snprintf": '#include <cstdio>\nvoid f(char* p, double n) { snprintf(p, 8, "%f", n); }',
    "cout": '#include <iostream>\nvoid f() { std::cout << "x"; }',
    "ostringstream": "#include <sstream>\nstd::string f(int n) { std::ostringstream o; o << n;"
                     " return o.str(); }",
    "locale": "#include <locale>\nstd::locale f() { return std::locale(); }",
    "pthread_create": "#include <pthread.h>\nvoid* g(void* p) { return p; }\nint f() { pthread_t t;"
                      " return pthread_create(&t, nullptr, g, nullptr); }",
    "thread": "#include <thread>\nvoid f() { std::thread([] {}).detach(); }",
    "pthread_mutex_lock": "#include <mutex>\nstd::mutex m;\nvoid f() { m.lock(); }",
    "write": "#include <unistd.h>\nlong f() { return write(1, \"x\", 1); }",
    "syscall": "#include <unistd.h>\nlong f() { return syscall(39); }",
    "memfd_create": "#include <sys/mman.h>\nint f() { return memfd_create(\"x\", 0); }",
    "socket": "#include <sys/socket.h>\nint f() { return socket(2, 1, 0); }",
    "getenv": "#include <cstdlib>\nchar* f() { return getenv(\"X\"); }",
    "__errno_location": "#include <cerrno>\nint f() { return errno; }",
    "usleep": "#include <unistd.h>\nvoid f() { usleep(1); }",
    "__tls_get_addr": "extern thread_local int other;\nint f() { return other; }",
}


class CheckSansIoTest(unittest.TestCase):
    def archive(self, folder, name, source, *flags):
        path = os.path.join(folder, name)
        with open(path + ".cc", "w", encoding="utf-8") as file:
            file.write(source)
        subprocess.run([COMPILER, "-std=c++20", *(flags or ["-O2"]), "-fPIC", "-c", path + ".cc",
                        "-o", path + ".o"], check=True)
        subprocess.run(["ar", "rcs", path + ".a", path + ".o"], check=True)
        return path + ".a"

    def check(self, *arguments):
        return subprocess.run(["bash", SCRIPT, *arguments], capture_output=True, text=True,
                              check=False, timeout=60)

    def test_containers_strings_errors_and_exceptions_pass(self):
        with tempfile.TemporaryDirectory() as folder:
            for level in ("-O0", "-O2"):
                ran = self.check(self.archive(folder, "pure", PURE, level))
                self.assertEqual(ran.returncode, 0, level + ran.stdout + ran.stderr)

    def test_every_way_out_is_caught_by_name(self):
        with tempfile.TemporaryDirectory() as folder:
            for symbol, source in FORBIDDEN.items():
                ran = self.check(self.archive(folder, "planted", source))
                self.assertEqual(ran.returncode, 1, symbol + ran.stdout + ran.stderr)
                self.assertIn(symbol if symbol != "ostringstream" else "basic_o", ran.stdout)
                self.assertIn("planted.a[planted.o]", ran.stdout)

    def test_a_symbol_of_another_archive_is_fine_and_a_private_one_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            uses = self.archive(folder, "uses", "int other();\nint f() { return other(); }")
            gives = self.archive(folder, "gives", "int other() { return 1; }")
            self.assertEqual(self.check(uses, gives).returncode, 0)
            self.assertEqual(self.check(uses).returncode, 1)
            hides = self.archive(folder, "hides", "static int other() { return 1; }\n"
                                                  "int (*g())() { return other; }")
            self.assertEqual(self.check(uses, hides).returncode, 1)

    def test_missing_empty_and_sanitized_archives_are_errors(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.check().returncode, 2)
            self.assertEqual(self.check(os.path.join(folder, "none.a")).returncode, 2)
            self.assertEqual(self.check(folder).returncode, 2)
            empty = os.path.join(folder, "empty.a")
            subprocess.run(["ar", "rcs", empty], check=True)
            self.assertEqual(self.check(empty).returncode, 2)
            built = self.archive(folder, "asan", "int f(int* p) { return *p; }",
                                 "-fsanitize=address")
            self.assertEqual(self.check(built).returncode, 2)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        COMPILER = sys.argv.pop(1)
    unittest.main()
