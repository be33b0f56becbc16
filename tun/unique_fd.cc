#include "runnel/unique_fd.h"

#include <unistd.h>

namespace runnel::tun {

void UniqueFd::close(int descriptor) noexcept {
  ::close(descriptor);
}

}  // namespace runnel::tun
