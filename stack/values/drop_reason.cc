#include "runnel/drop_reason.h"

#include <array>

namespace runnel {
namespace {

struct Texts {
  std::string_view name;
  std::string_view meaning;
};

constexpr std::array<Texts, kDropReasonCount> kTexts{{
#define RUNNEL_X(name, text) {#name, text},
    RUNNEL_DROP_REASONS(RUNNEL_X)
#undef RUNNEL_X
}};

// Total: a number that is no reason has a text too.
Texts texts_of(DropReason reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  return index < kTexts.size() ? kTexts[index] : Texts{"Unknown", "not a drop reason"};
}

}  // namespace

std::string_view name_of(DropReason reason) noexcept {
  return texts_of(reason).name;
}
std::string_view describe(DropReason reason) noexcept {
  return texts_of(reason).meaning;
}

}  // namespace runnel
